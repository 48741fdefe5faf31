"""What stands for a gradient that there is not: undefined, or of what nothing depends on."""

from __future__ import annotations

from arignote.engine.graph import Op, Variable, op_name
from arignote.engine.types import TensorType


class NoGradient(Variable):
    """What stands for a gradient that there is not; it has no value, and no expression can use it.

    Parameters
    ----------
    type : TensorType
        Of the variable that has no gradient.
    reason : str
    """

    def __init__(self, type: TensorType, reason: str) -> None:
        super().__init__(type, name=f"<no gradient: {reason}>")
        self.reason = reason


class UndefinedGradient(NoGradient):
    """The gradient of an op that is not differentiable there (Theano's `NullType`)."""


class DisconnectedGradient(NoGradient):
    """The gradient with respect to what nothing depends on (Theano's `DisconnectedType`)."""


def grad_undefined(op: Op, x_pos: int, x: Variable, comment: str = "") -> UndefinedGradient:
    """Return what a `vjp` gives for an input with respect to which its op has no derivative.

    Parameters
    ----------
    op : Op
    x_pos : int
        The input's place.
    x : Variable
        The input.
    comment : str
        Why there is none.

    Examples
    --------
    >>> from arignote.engine.ops.elementwise import Add
    >>> grad_undefined(Add(), 0, TensorType("float64", ())("x"), "an example").reason
    'Add has no derivative with respect to its input 0 (x): an example'
    """
    reason = f"{op_name(op)} has no derivative with respect to its input {x_pos} ({x!r})"
    return UndefinedGradient(x.type, f"{reason}: {comment}" if comment else reason)
