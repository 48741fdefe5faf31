"""What Theano calls a `TensorVariable`: neither a constant nor a shared variable."""

from __future__ import annotations

from typing import Any

from arignote.engine.graph import Constant, Variable
from arignote.engine.shared import SharedVariable


class _Computed(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Variable) and not isinstance(x, Constant | SharedVariable)


class TensorVariable(Variable, metaclass=_Computed):
    """An input or the output of a node (`theano.tensor.TensorVariable`), to ask for with `isinstance`.

    Examples
    --------
    >>> from arignote.engine.shared import shared
    >>> isinstance(shared(1.0) * 2, TensorVariable), isinstance(shared(1.0), TensorVariable)
    (True, False)
    """
