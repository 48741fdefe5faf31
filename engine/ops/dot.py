"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import dimshuffle, transpose
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class Dot(Op):
    """The product of two matrices of one floating dtype."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        a, b = types
        inner = {a.shape[1], b.shape[0]} - {None}
        if len(inner) > 1:
            raise ShapeError(
                "dot: the inner extents differ",
                expected=f"a second argument with {a.shape[1]} rows",
                actual=f"{a} times {b}",
                fix="transpose an argument (x.T), or check the order of the two",
            )
        return [TensorType(upcast(a.dtype, b.dtype), (a.shape[0], b.shape[1]))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(np.matmul(*arrays)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (a, b), (gradient,) = inputs, gradients
        assert gradient is not None
        return [dot(gradient, transpose(b)), dot(transpose(a), gradient)]


def dot(a: Any, b: Any) -> Variable:
    """Return the matrix product (`theano.tensor.dot`).

    Parameters
    ----------
    a, b : Variable or array_like
        Scalars multiply; vectors and matrices as in `numpy.dot`.

    Raises
    ------
    ShapeError
        If the inner extents differ, or for an argument of more than two dimensions.

    Examples
    --------
    >>> import arignote.compile
    >>> dot(np.eye(2), np.array([3.0, 4.0])).eval()
    array([3., 4.])
    """
    first, second = as_variable(a), as_variable(b)
    if first.ndim == 0 or second.ndim == 0:
        return first * second
    for name, x in (("first", first), ("second", second)):
        if x.ndim > 2:
            raise ShapeError(
                f"dot: the {name} argument",
                expected="a vector or a matrix",
                actual=f"{x!r} of type {x.type}",
                fix="flatten it to a matrix with .flatten(2)",
            )
    dtype = upcast(first.dtype, second.dtype)
    if dtype == "bool":
        raise DTypeError(
            "dot", expected="numbers", actual="bool matrices", fix="cast them to a number's dtype"
        )
    left = first if first.ndim == 2 else dimshuffle(first, "x", 0)
    right = second if second.ndim == 2 else dimshuffle(second, 0, "x")
    result = Dot()(cast(left, dtype), cast(right, dtype))
    return dimshuffle(result, *([0] if first.ndim == 2 else []), *([1] if second.ndim == 2 else []))
