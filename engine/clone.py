"""Copies of expressions with variables replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arignote.engine.graph import Variable, as_variable, clone_replace


def clone(
    output: Variable | Sequence[Variable], replace: Mapping[Variable, Any] | None = None
) -> Variable | list[Variable]:
    """Return an expression with variables replaced by others (`theano.clone`).

    Parameters
    ----------
    output : Variable or sequence of Variable
    replace : mapping, optional
        Variables, and what stands for them: of the same dtype and rank.

    Returns
    -------
    Variable or list of Variable
        As `output` was given.

    Raises
    ------
    DTypeError
        If a replacement has another dtype or rank.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> clone(x * 2, replace={x: y}).owner.inputs[0]
    y
    """
    outputs = [output] if isinstance(output, Variable) else list(output)
    made = clone_replace(outputs, {old: as_variable(new) for old, new in (replace or {}).items()})
    return made[0] if isinstance(output, Variable) else made
