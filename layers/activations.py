"""Activation functions, by the names under which a saved network remembers them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from arignote.engine.graph import Variable
from arignote.engine.ops import elu, erf, hard_sigmoid, relu, selu, sigmoid, softplus, switch, tanh
from arignote.engine.ops import softmax as softmax_along
from arignote.engine.ops.elementwise.arithmetic import scaled

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "elu",
    "gelu",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]

Activation = Callable[[Variable], Variable]


def linear(z: Variable) -> Variable:
    """Return `z` as it is: no activation."""
    return z


def leaky_relu(z: Variable) -> Variable:
    """Return `z` above 0 and a hundredth of it below (A. Maas et al., 2013).

    Examples
    --------
    >>> from arignote import tensor as T
    >>> leaky_relu(T.constant([-1.0, 2.0])).eval()
    array([-0.01,  2.  ])
    """
    return switch(z > 0, z, scaled(z, 0.01))


def gelu(z: Variable) -> Variable:
    """Return `z` times the probability that a standard normal number is below `z` (arXiv:1606.08415).

    Examples
    --------
    >>> from arignote import tensor as T
    >>> gelu(T.constant([-1.0, 0.0, 1.0])).eval().round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    return scaled(z, 0.5) * (1 + erf(scaled(z, sqrt(0.5))))


def silu(z: Variable) -> Variable:
    """Return ``z * sigmoid(z)``, also called swish (arXiv:1710.05941).

    Examples
    --------
    >>> from arignote import tensor as T
    >>> silu(T.constant([-1.0, 0.0, 1.0])).eval().round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return z * sigmoid(z)


def softmax(z: Variable) -> Variable:
    """Return ``exp(z) / sum(exp(z))`` of the last axis: probabilities of classes.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> softmax(T.constant([[0.0, 0.0]])).eval()
    array([[0.5, 0.5]])
    """
    return softmax_along(z, axis=-1)


#: The functions that a saved network may name.
ACTIVATIONS: dict[str, Activation] = {
    "elu": elu,
    "gelu": gelu,
    "hard_sigmoid": hard_sigmoid,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "relu": relu,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "tanh": tanh,
}
