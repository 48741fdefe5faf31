"""Activations of neurons (`theano.tensor.nnet`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise.arithmetic import abs_, clip, minimum, scaled, sqr, true_div
from arignote.engine.ops.elementwise.base import FloatFunction, elementwise_function
from arignote.engine.ops.elementwise.functions import expm1
from arignote.engine.ops.elementwise.logic import switch
from arignote.engine.types import constant_array


@dataclass(frozen=True)
class Sigmoid(FloatFunction):
    """1 / (1 + exp(-x)): right at both ends, where exp(-x) is 0 or infinite."""

    formula = "1 / (1 + exp(-x))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (out - sqr(out)),)


@dataclass(frozen=True)
class Softplus(FloatFunction):
    """log(1 + exp(x)), written so that exp never overflows."""

    formula = "maximum(x, 0) + log1p(exp(-abs(x)))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * sigmoid(operands[0]),)


sigmoid = elementwise_function(
    Sigmoid(), "sigmoid", "Return the logistic function.", "[0.0, np.inf]", "array([0.5, 1. ])"
)
softplus = elementwise_function(
    Softplus(),
    "softplus",
    "Return log(1 + exp(x)).",
    "[0.0, 1000.0]",
    "array([6.93147181e-01, 1.00000000e+03])",
)


def relu(x: Any, alpha: Any = 0) -> Variable:
    """Return max(x, 0), with slope `alpha` below 0 and at 0 (`theano.tensor.nnet.relu`).

    Examples
    --------
    >>> import arignote.compile
    >>> relu([-2.0, 3.0]).eval()
    array([0., 3.])
    """
    x = as_variable(x)
    below = x * alpha if isinstance(alpha, Variable) or constant_array(alpha).any() else 0
    return switch(x > 0, x, below)


def elu(x: Any, alpha: Any = 1) -> Variable:
    """Return x above 0, ``alpha * (exp(x) - 1)`` below (`theano.tensor.nnet.elu`; arXiv:1511.07289).

    Examples
    --------
    >>> import arignote.compile
    >>> elu([-1.0, 2.0]).eval()
    array([-0.63212056,  2.        ])
    """
    x = as_variable(x)
    return switch(x > 0, x, alpha * expm1(minimum(x, 0)))


#: Those for which unit variance stays unit variance: equation 14 of arXiv:1706.02515.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(x: Any) -> Variable:
    """Return the scaled exponential unit (`theano.tensor.nnet.selu`; arXiv:1706.02515).

    Examples
    --------
    >>> import arignote.compile
    >>> selu([-1.0, 2.0]).eval()
    array([-1.11133074,  2.10140197])
    """
    x = as_variable(x)
    return scaled(switch(x > 0, x, scaled(expm1(minimum(x, 0)), SELU_ALPHA)), SELU_SCALE)


def softsign(x: Any) -> Variable:
    """Return x / (1 + abs(x)) (`theano.tensor.nnet.nnet.softsign`).

    Examples
    --------
    >>> import arignote.compile
    >>> softsign([-1.0, 3.0]).eval()
    array([-0.5 ,  0.75])
    """
    x = as_variable(x)
    return true_div(x, 1.0 + abs_(x))


def hard_sigmoid(x: Any) -> Variable:
    """Return x / 5 + 1/2 between 0 and 1: a line for `sigmoid` (`theano.tensor.nnet.hard_sigmoid`).

    Examples
    --------
    >>> import arignote.compile
    >>> hard_sigmoid([-9.0, 1.0, 9.0]).eval()
    array([0. , 0.7, 1. ])
    """
    return clip(scaled(as_variable(x), 0.2) + 0.5, 0.0, 1.0)


def ultra_fast_sigmoid(x: Any) -> Variable:
    """Return three pieces of hyperbola and line for `sigmoid`, at most 0.03 away from it.

    As `theano.tensor.nnet.ultra_fast_sigmoid`: from 0.00247 to 0.99753.

    Examples
    --------
    >>> import arignote.compile
    >>> ultra_fast_sigmoid([0.0, 9.0]).eval()
    array([0.5       , 0.99752738])
    """
    x = as_variable(x)
    half = scaled(abs_(x), 0.5)
    bend, top, end = np.array([1.7, 0.935409070603099, 0.99505475368673], half.dtype)
    line = scaled(half - bend, 0.0458812946797165) + top
    size = switch(half < bend, half * 1.5 / (half + 1), switch(half < 3, line, end))
    signed = switch(x < 0, -size, size)
    return scaled(signed + 1, 0.5)
