"""Softmax, its logarithm, and cross-entropies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import folded
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import log
from arignote.engine.ops.index import getitem
from arignote.engine.ops.reduce import sum
from arignote.engine.ops.shape import arange, dimshuffle, extents
from arignote.engine.types import TensorType


@dataclass(frozen=True)
class _RowWise(Op):
    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0]]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return folded(self, inputs, is_batched, arrays=len(inputs))


@dataclass(frozen=True)
class Softmax(_RowWise):
    """exp(x) / sum(exp(x)) of each row of a matrix."""

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            e = np.exp(arrays[0] - arrays[0].max(1, keepdims=True, initial=-np.inf))
            return (e / e.sum(1, keepdims=True),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [SoftmaxGradient()(gradients[0], outputs[0])]


@dataclass(frozen=True)
class SoftmaxGradient(_RowWise):
    """(g - sum(g * y)) * y of each row, for a gradient g with respect to y = softmax(x)."""

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        g, y = arrays
        with np.errstate(all="ignore"):
            return ((g - (g * y).sum(1, keepdims=True)) * y,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (g, y), (h,) = inputs, gradients
        assert h is not None
        # out = (g - s) y with s = sum(g y): linear in g, and in y with s held it has the slope g - s.
        weight = sum(h * y, axis=1, keepdims=True)
        return [SoftmaxGradient()(h, y), h * (g - sum(g * y, axis=1, keepdims=True)) - g * weight]


@dataclass(frozen=True)
class LogSoftmax(_RowWise):
    """log(softmax(x)) of each row of a matrix, finite where softmax(x) would round to 0."""

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            shifted = arrays[0] - arrays[0].max(1, keepdims=True, initial=-np.inf)
            return (shifted - np.log(np.exp(shifted).sum(1, keepdims=True)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (gradient,) = inputs, gradients
        assert gradient is not None
        return [gradient - Softmax()(x) * sum(gradient, axis=1, keepdims=True)]


def _matrix(x: Any, name: str) -> tuple[Variable, bool]:
    """Return the argument as a matrix, and whether it was a vector."""
    variable = as_variable(x)
    if variable.ndim not in (1, 2):
        raise ShapeError(
            f"{name}: argument `x`",
            expected="a vector, or a matrix (one case a row)",
            actual=f"{variable!r} of type {variable.type}",
            fix="flatten it: x.flatten(2)",
        )
    if not variable.type.is_float:
        raise DTypeError(
            f"{name}: argument `x`",
            expected="float32 or float64",
            actual=str(variable.type),
            fix="cast it: cast(x, 'floatX')",
        )
    return (dimshuffle(variable, "x", 0), True) if variable.ndim == 1 else (variable, False)


def softmax(x: Any) -> Variable:
    """Return exp(x) / sum(exp(x)) of each row (`theano.tensor.nnet.softmax`).

    A vector counts as one row and, as in Theano, gives a matrix of one row.

    Examples
    --------
    >>> import arignote.compile
    >>> softmax(np.zeros((1, 4))).eval()
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    return Softmax()(_matrix(x, "softmax")[0])


def logsoftmax(x: Any) -> Variable:
    """Return the logarithm of softmax, computed without rounding small probabilities to 0."""
    return LogSoftmax()(_matrix(x, "logsoftmax")[0])


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Variable:
    """Return the cross-entropy of each case (`theano.tensor.nnet.categorical_crossentropy`).

    Parameters
    ----------
    coding_dist : matrix
        Predicted probabilities, (cases, classes).
    true_dist : integer vector or matrix
        The class of each case, or a distribution for each case.

    Returns
    -------
    vector
        ``-log(coding_dist[i, true_dist[i]])``, or ``-sum(true_dist * log(coding_dist), axis=1)``.

    Raises
    ------
    ShapeError
        If the ranks do not fit.
    """
    p, y = as_variable(coding_dist), as_variable(true_dist)
    if p.ndim != 2 or y.ndim not in (1, 2):
        raise ShapeError(
            "categorical_crossentropy",
            expected="a matrix of probabilities, and a vector of classes or a matrix",
            actual=f"{p.type} and {y.type}",
        )
    if y.ndim == 2:
        return -sum(y * log(p), axis=1)
    return -getitem(log(p), (arange(extents(y)[0]), y))


def binary_crossentropy(output: Any, target: Any) -> Variable:
    """Return ``-(target * log(output) + (1 - target) * log(1 - output))``, elementwise."""
    p, t = as_variable(output), as_variable(target)
    return -(t * log(p) + (1 - t) * log(1 - p))
