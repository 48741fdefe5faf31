"""Control: a lazy choice, and a look at values on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import all_batched, batch_extent
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast, switch
from arignote.engine.ops.shape import dimshuffle, zeros_like
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class IfElse(Op):
    """One of two arrays; a compiled function computes only that one. Inputs: condition, then, else."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        condition, then, otherwise = types
        if condition.ndim or then.ndim != otherwise.ndim or then.dtype != otherwise.dtype:
            raise ShapeError(
                "ifelse",
                expected="a scalar condition, and two arrays of one dtype and rank",
                actual=", ".join(map(str, types)),
            )
        shape = (
            mine if mine == theirs else None for mine, theirs in zip(then.shape, otherwise.shape, strict=True)
        )
        return [then.with_shape(shape)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        condition, then, otherwise = arrays
        return (then if condition else otherwise,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        condition, then, otherwise = inputs
        (gradient,) = gradients
        return [
            None,
            IfElse()(condition, gradient, zeros_like(then)),
            IfElse()(condition, zeros_like(otherwise), gradient),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        condition = inputs[0]
        sides = all_batched(inputs[1:], is_batched[1:], batch_extent(inputs, is_batched))
        if not is_batched[0]:
            return IfElse().apply(condition, *sides)
        # Where both happen, both are computed.
        return [switch(dimshuffle(condition, 0, *("x",) * (sides[0].ndim - 1)), *sides)]


@dataclass(frozen=True)
class Print(Op):
    """The array itself; prints it whenever it is computed (`theano.printing.Print`).

    Parameters
    ----------
    message : str
        Printed in front of the value.
    show : callable
        What takes the text; `print` by default.

    Examples
    --------
    >>> import arignote.compile
    >>> int(Print("x =")(as_variable(3)).eval())
    x = 3
    3
    """

    message: str = ""
    show: Callable[[str], object] = print

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return types

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        self.show(f"{self.message} {arrays[0]}".strip())
        return arrays

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return gradients

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self.apply(*inputs)


def ifelse(condition: Any, then_branch: Any, else_branch: Any) -> Variable:
    """Return one of two expressions, and compute only that one (`theano.ifelse.ifelse`).

    `switch` chooses element by element, and computes both.

    Parameters
    ----------
    condition : scalar
        Zero, or False, for the second.
    then_branch, else_branch : Variable or array_like
        Of one rank; they are cast to their common dtype.

    Returns
    -------
    Variable

    Raises
    ------
    ShapeError
        If the condition is no scalar, or the ranks differ.

    Examples
    --------
    >>> import arignote.compile
    >>> x = TensorType("float64", ())("x")
    >>> float(ifelse(x > 0, x, -x).eval({x: -2.0}))
    2.0
    """
    test, then, otherwise = as_variable(condition), as_variable(then_branch), as_variable(else_branch)
    if test.ndim:
        raise DTypeError("ifelse: condition", expected="a scalar", actual=f"{test!r} of type {test.type}")
    dtype = upcast(then.dtype, otherwise.dtype)
    return IfElse()(test, cast(then, dtype), cast(otherwise, dtype))
