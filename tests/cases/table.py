"""The table of cases, and what its rows are made with.

A row says how an expression is made, of which arrays, what NumPy, SciPy or PyTorch makes of them, how far
rounding may lead away from that, and how often the expression can be differentiated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from arignote.engine.types import DTYPES, TensorType

EXACT = 0
INTEGERS = tuple(dtype for dtype in DTYPES if "int" in dtype)
FLOATS = ("float32", "float64")


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes
    ----------
    make, meaning : callable
        The expression of variables, and its value of arrays.
    inputs : tuple of ndarray
    ulps : float
        How far the value may be from the meaning, in units of the last place: 0 for what moves or counts.
    terms : int
        Of each sum in it. Adding n terms in any order errs by at most n units of the sum of their magnitudes
        (Higham, "Accuracy and Stability of Numerical Algorithms", 4.2).
    order : int
        How often it can be differentiated with respect to its floating inputs.
    shapes : tuple, optional
        The static shapes of the inputs' types; by default all extents are open.
    """

    name: str
    make: Callable
    inputs: tuple
    meaning: Callable
    ulps: float = EXACT
    terms: int = 0
    order: int = 0
    shapes: tuple | None = None

    def variables(self):
        shapes = self.shapes or [(None,) * x.ndim for x in self.inputs]
        return [TensorType(str(x.dtype), s)() for x, s in zip(self.inputs, shapes, strict=True)]


TABLE: list[Case] = []


def row(name, make, inputs, meaning, *args, **options):
    TABLE.append(Case(name, make, tuple(np.asarray(x) for x in inputs), meaning, *args, **options))


def numbers(*shape, low=-2.0, high=2.0, dtype="float64", seed=0):
    """Numbers far from each other and from the kinks of the ops at whole numbers."""
    size = int(np.prod(shape))
    spread = np.random.default_rng(seed).permutation(size) + 0.37 + seed / 5
    return (low + (high - low) * spread / max(size, 1)).reshape(shape).astype(dtype)


def normal(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def integers(*shape, low=-9, high=9, dtype="int64", seed=0):
    low = 0 if dtype.startswith("u") else low
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True).astype(dtype)
