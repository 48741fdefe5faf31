"""Ops that are the identity, but for their derivatives; compiling takes them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast, maximum, minimum
from arignote.engine.ops.shape import zeros_like
from arignote.engine.types import TensorType
from arignote.engine.undefined import grad_undefined


class Identity(Op):
    """An op whose output is its first input."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return types[:1]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return arrays[:1]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return None if any(is_batched[1:]) else self.apply(*inputs)


@dataclass(frozen=True)
class GradClip(Identity):
    """The identity, whose gradient is clipped; inputs: the array, and scalar bounds."""

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (_, low, high), (gradient,) = inputs, gradients
        assert gradient is not None
        clipped = maximum(minimum(gradient, cast(high, gradient.dtype)), cast(low, gradient.dtype))
        return [clipped, None, None]


@dataclass(frozen=True)
class GradScale(Identity):
    """The identity, whose gradient is multiplied; inputs: the array, and a scalar."""

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (_, multiplier), (gradient,) = inputs, gradients
        assert gradient is not None
        return [gradient * cast(multiplier, gradient.dtype), None]


@dataclass(frozen=True)
class DisconnectedGrad(Identity):
    """The identity, on which nothing depends differentiably."""

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]


@dataclass(frozen=True)
class ZeroGrad(Identity):
    """The identity, whose gradient is zero."""

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [zeros_like(inputs[0])]


@dataclass(frozen=True)
class UndefinedGrad(Identity):
    """The identity, whose derivative is said to be undefined."""

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [grad_undefined(self, 0, inputs[0], "undefined_grad says so")]


def grad_clip(x: Any, lower_bound: Any, upper_bound: Any) -> Variable:
    """Return `x`, with a gradient that is clipped to the bounds (`theano.gradient.grad_clip`).

    Parameters
    ----------
    x : Variable or array_like
    lower_bound, upper_bound : number or scalar

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.grad import grad
    >>> x = TensorType("float64", ())("x")
    >>> grad(grad_clip(x, -1, 1) ** 2, x).eval({x: 3.0})
    array(1.)
    """
    return GradClip()(x, *(_scalar(bound, "grad_clip") for bound in (lower_bound, upper_bound)))


def grad_scale(x: Any, multiplier: Any) -> Variable:
    """Return `x`, with a gradient that is multiplied by a number or scalar (`theano.gradient.grad_scale`).

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.grad import grad
    >>> x = TensorType("float64", ())("x")
    >>> grad(grad_scale(x, -1) ** 2, x).eval({x: 3.0})
    array(-6.)
    """
    return GradScale()(x, _scalar(multiplier, "grad_scale"))


def disconnected_grad(x: Any) -> Variable:
    """Return `x`, through which no gradient passes (`theano.gradient.disconnected_grad`).

    `grad` raises an error for a variable that the cost depends on through it alone.
    """
    return DisconnectedGrad()(x)


def zero_grad(x: Any) -> Variable:
    """Return `x`, through which a gradient of zeros passes (`theano.gradient.zero_grad`)."""
    return ZeroGrad()(x)


def undefined_grad(x: Any) -> Variable:
    """Return `x`, whose gradient is undefined: `grad` raises an error (`theano.gradient.undefined_grad`)."""
    return UndefinedGrad()(x)


def _scalar(value: Any, name: str) -> Variable:
    scalar = as_variable(value)
    if scalar.ndim:
        raise DTypeError(name, expected="numbers or scalars", actual=f"{scalar!r} of type {scalar.type}")
    return scalar
