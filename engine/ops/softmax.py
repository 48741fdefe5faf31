"""Softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import folded
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.getitem import getitem
from arignote.engine.ops.index import check_index
from arignote.engine.ops.reduce import sum
from arignote.engine.ops.shape import arange, dimshuffle, extents, one_axis, product, reshape
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


@dataclass(frozen=True)
class LogSoftmaxAt(Op):
    """log(softmax(x))[i, y[i]] of each row i: the log-likelihood of the classes y. Inputs: x, y."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        rows, classes = types
        return [TensorType(rows.dtype, (_cases(rows, classes),))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        x, y = arrays
        check_index(y, 1, x.shape[1])
        return (LogSoftmax().perform(x)[0][np.arange(len(x)), y],)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [LogSoftmaxAtGradient()(gradients[0], *inputs), None]


@dataclass(frozen=True)
class LogSoftmaxAtGradient(Op):
    """g[i] * (onehot(y[i]) - softmax(x)[i]) of each row i: the gradient of `LogSoftmaxAt`.

    Inputs: g, x, y.
    """

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        _, rows, classes = types
        return [rows.with_shape((_cases(rows, classes), rows.shape[1]))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        g, x, y = arrays
        check_index(y, 1, x.shape[1])
        result = -g[:, None] * Softmax().perform(x)[0]
        result[np.arange(len(x)), y] += g
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (g, x, y), (h,) = inputs, gradients
        assert h is not None
        p = Softmax()(x)
        of_class = getitem(h, (arange(extents(y)[0]), y))
        return [
            of_class - sum(h * p, axis=1),
            -SoftmaxGradient()(h * dimshuffle(g, 0, "x"), p),
            None,
        ]


def _cases(rows: TensorType, classes: TensorType) -> int | None:
    """Return the number of rows and classes."""
    cases, labels = rows.shape[0], classes.shape[0]
    if cases is not None and labels is not None and cases != labels:
        raise ShapeError("log_softmax_at: the classes", expected=f"{cases}, one a row", actual=str(labels))
    return labels if cases is None else cases


def _along(op: _RowWise, x: Any, axis: int | None) -> Variable:
    """Apply an op to the rows of a matrix, or along an axis of any array."""
    name = type(op).__name__.lower()
    variable = as_variable(x)
    if not variable.type.is_float:
        raise DTypeError(
            f"{name}: argument `x`",
            expected="float32 or float64",
            actual=str(variable.type),
            fix="cast it: cast(x, 'floatX')",
        )
    if axis is None:
        if variable.ndim not in (1, 2):
            raise ShapeError(
                f"{name}: argument `x`",
                expected="a vector, or a matrix (one case a row)",
                actual=f"{variable!r} of type {variable.type}",
                fix="name the axis: axis=-1, or flatten it: x.flatten(2)",
            )
        return op(dimshuffle(variable, "x", 0) if variable.ndim == 1 else variable)
    place = one_axis(axis, variable.ndim, name)
    order = [i for i in range(variable.ndim) if i != place]
    last = dimshuffle(variable, *order, place)
    *cases, classes = extents(last)
    rows = op(reshape(last, (product(cases), classes)))
    back = [*range(place), variable.ndim - 1, *range(place, variable.ndim - 1)]
    return dimshuffle(reshape(rows, extents(last)), *back)


def softmax(x: Any, axis: int | None = None) -> Variable:
    """Return exp(x) / sum(exp(x)) of each row (`theano.tensor.nnet.softmax`).

    Parameters
    ----------
    x : vector or matrix
        A vector counts as one row and, as in Theano, gives a matrix of one row.
    axis : int, optional
        With it, `x` has any rank, the sums go along this axis, and the result has the shape of `x`.

    Raises
    ------
    ShapeError
        For another rank without `axis`.
    DTypeError
        For whole numbers.

    Examples
    --------
    >>> import arignote.compile
    >>> softmax(np.zeros((1, 4))).eval()
    array([[0.25, 0.25, 0.25, 0.25]])
    >>> softmax(np.zeros(4), axis=0).eval()
    array([0.25, 0.25, 0.25, 0.25])
    """
    return _along(Softmax(), x, axis)


def logsoftmax(x: Any, axis: int | None = None) -> Variable:
    """Return the logarithm of `softmax`, without rounding small probabilities to 0.

    Examples
    --------
    >>> import arignote.compile
    >>> logsoftmax([[0.0, 1000.0]]).eval()
    array([[-1000.,     0.]])
    """
    return _along(LogSoftmax(), x, axis)
