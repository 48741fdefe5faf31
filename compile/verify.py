"""Gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.compile.pipeline import function
from arignote.engine.errors import DTypeError, GradientError
from arignote.engine.grad import grad
from arignote.engine.graph import Variable
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.reduce import sum
from arignote.engine.types import TensorType

#: Theano's steps and tolerances, by dtype.
STEPS = {"float32": 3e-4, "float64": 1e-7}
TOLERANCES = {"float32": 5e-2, "float64": 1e-4}


def _dtypes(arrays: Sequence[np.ndarray], out_type: str | None) -> list[str]:
    return [str(array.dtype) for array in arrays] + ([out_type] if out_type else [])


class numeric_grad:  # noqa: N801 - Theano's name
    """The gradient of a function of arrays, by one-sided differences (`theano.gradient.numeric_grad`).

    Parameters
    ----------
    f : callable
        From arrays to a number.
    pt : ndarray, or list of ndarray
        Where; floating.
    eps : float, optional
        The step; by default that for the coarsest dtype in `STEPS`.
    out_type : str, optional
        The dtype of what `f` computes with, if it is coarser than the arrays'.

    Attributes
    ----------
    gf : ndarray, or list of ndarray
        The gradient, as `pt` was given.

    Examples
    --------
    >>> numeric = numeric_grad(lambda x: (x**2).sum(), np.array([1.0, 2.0]))
    >>> numeric.gf.round(5)
    array([2., 4.])
    """

    def __init__(
        self, f: Callable[..., Any], pt: Any, eps: float | None = None, out_type: str | None = None
    ) -> None:
        arrays = [np.array(x) for x in (pt if isinstance(pt, list | tuple) else [pt])]
        for array in arrays:
            if str(array.dtype) not in STEPS:
                raise DTypeError(
                    "numeric_grad: argument `pt`", expected="floating arrays", actual=str(array.dtype)
                )
        step = eps if eps is not None else max(STEPS[dtype] for dtype in _dtypes(arrays, out_type))
        start = np.float64(f(*arrays))
        slopes = [np.zeros_like(array) for array in arrays]
        for array, slope in zip(arrays, slopes, strict=True):
            for place in np.ndindex(array.shape):
                before = array[place]
                array[place] += step
                slope[place] = (np.float64(f(*arrays)) - start) / (np.float64(array[place]) - before)
                array[place] = before
        self.gf = slopes if isinstance(pt, list | tuple) else slopes[0]

    @staticmethod
    def abs_rel_err(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the absolute differences, and those relative to the mean of the magnitudes."""
        error = np.abs(a - b)
        return error, error / np.maximum(np.abs(a) + np.abs(b), 1e-8)

    def abs_rel_errors(self, g_pt: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the errors of a gradient, for each array."""
        mine, theirs = (x if isinstance(x, list | tuple) else [x] for x in (self.gf, g_pt))
        return [self.abs_rel_err(a, np.asarray(b)) for a, b in zip(mine, theirs, strict=True)]

    def max_err(self, g_pt: Any, abs_tol: float, rel_tol: float) -> tuple[int, int, float, float]:
        """Return the array and the flat place of the worst error, and how large it is.

        An element's error is the lesser of its absolute and relative errors, each over its tolerance.
        """
        worst = (0, 0, 0.0, 0.0)
        most = -1.0
        for number, (absolute, relative) in enumerate(self.abs_rel_errors(g_pt)):
            scaled = np.minimum(absolute / abs_tol, relative / rel_tol)
            if scaled.size and not np.max(scaled) <= most:  # a NaN is the worst
                place = int(np.argmax(scaled))
                most = float(scaled.flat[place])
                worst = (number, place, float(absolute.flat[place]), float(relative.flat[place]))
        return worst


def verify_grad(
    fun: Callable[..., Variable],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: str | None = None,
    cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
) -> None:
    """Compare the symbolic gradient of a function with finite differences (`theano.gradient.verify_grad`).

    Parameters
    ----------
    fun : callable
        From variables to an expression.
    pt : sequence of array_like
        Where, one array an argument; floating.
    n_tests : int
        How many random projections of the result are differentiated.
    rng : numpy.random.RandomState or Generator, optional
        Where the projections come from; by default the same in every call.
    eps : float, optional
        The step of the differences.
    out_type : str, optional
        The dtype of the result, if `fun` casts to a coarser one than that of `pt`.
    abs_tol, rel_tol : float, optional
        How far an element may be away: it has to be outside of both.
    mode : str, optional
        In which `function` compiles both.
    cast_to_output_type : bool
        Cast the projection to the dtype of the result instead of `floatX`.
    no_debug_ref : bool
        Has no effect; Theano's way not to debug the reference.

    Raises
    ------
    GradientError
        If they differ.
    DTypeError
        If `pt` is not floating.

    Examples
    --------
    >>> from arignote.engine.ops import tanh
    >>> verify_grad(tanh, [np.array([0.1, 2.0])])
    """
    from arignote.engine.config import config

    arrays = [np.array(x) for x in pt]
    for place, array in enumerate(arrays):
        if str(array.dtype) not in STEPS:
            raise DTypeError(
                f"verify_grad: argument {place} of `pt`", expected="a floating array", actual=str(array.dtype)
            )
    dtypes = _dtypes(arrays, out_type)
    default = max(TOLERANCES[dtype] for dtype in dtypes)
    abs_tol, rel_tol = (default if given is None else given for given in (abs_tol, rel_tol))
    inputs = [
        TensorType(str(x.dtype), tuple(extent if extent == 1 else None for extent in x.shape))(f"input {i}")
        for i, x in enumerate(arrays)
    ]
    output = fun(*inputs)
    shape = function(inputs, output, mode=mode, on_unused_input="ignore")(*arrays).shape
    random = np.random.default_rng(0) if rng is None else rng
    draw = random.random if isinstance(random, np.random.Generator) else random.random_sample
    projection = TensorType(output.dtype if cast_to_output_type else config.floatX, (None,) * len(shape))()
    cost = sum(cast(projection, output.dtype) * output)
    slopes = grad(cost, inputs, disconnected_inputs="ignore")
    cost_of = function([projection, *inputs], cost, mode=mode, on_unused_input="ignore")
    slopes_of = function([projection, *inputs], slopes, mode=mode, on_unused_input="ignore")
    for test in range(n_tests):
        weights = np.asarray(draw(shape) + 0.5, projection.dtype)
        numeric = numeric_grad(lambda *at, weights=weights: cost_of(weights, *at), arrays, eps, out_type)
        symbolic = slopes_of(weights, *arrays)
        number, place, absolute, relative = numeric.max_err(symbolic, abs_tol, rel_tol)
        if not (absolute <= abs_tol or relative <= rel_tol):
            at = tuple(int(i) for i in np.unravel_index(place, arrays[number].shape))
            raise GradientError(
                f"verify_grad: test {test}: the gradient by argument {number} is wrong at {at}",
                expected=f"{numeric.gf[number][at]}, by finite differences",
                actual=f"{symbolic[number][at]}: {absolute:.3g} away, {relative:.3g} relative; "
                f"allowed: {abs_tol:.3g} or {rel_tol:.3g}",
            )
