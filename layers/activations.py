"""Activation functions, by the names under which a saved network remembers them."""

from __future__ import annotations

from collections.abc import Callable

from arignote.engine.graph import Variable
from arignote.engine.ops import relu, sigmoid, tanh

__all__ = ["ACTIVATIONS", "Activation", "linear", "relu", "sigmoid", "tanh"]

Activation = Callable[[Variable], Variable]


def linear(z: Variable) -> Variable:
    """Return `z` as it is: no activation."""
    return z


#: The functions that a saved network may name.
ACTIVATIONS: dict[str, Activation] = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu, "linear": linear}
