"""Copies of expressions with variables replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arignote.engine.graph import Constant, Variable, as_variable, clone_replace, graph_inputs
from arignote.engine.ops.elementwise import cast


def clone(
    output: Variable | Sequence[Variable] | Mapping[Any, Variable],
    replace: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] | None = None,
    strict: bool = True,
    share_inputs: bool = True,
) -> Any:
    """Return an expression with variables replaced by others (`theano.clone`).

    Parameters
    ----------
    output : Variable, or a sequence or dict of them
    replace : mapping, or sequence of pairs, optional
        Variables, and what stands for them: of the same rank, and dtype.
    strict : bool
        With False, replacements of another dtype are cast.
    share_inputs : bool
        Whether what is not replaced stays the same variable; with False, inputs and shared variables become
        copies of their own.

    Returns
    -------
    Variable, list or dict
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
    keys: list[Any] | None = None
    if isinstance(output, Mapping):
        keys, outputs = list(output), list(output.values())
    else:
        outputs = [output] if isinstance(output, Variable) else list(output)
    given = dict(replace or {})
    mapping = {old: as_variable(new) for old, new in given.items()}
    if not strict:
        mapping = {old: cast(new, old.dtype) for old, new in mapping.items()}
    if not share_inputs:
        for x in graph_inputs(outputs):
            if not isinstance(x, Constant):
                mapping.setdefault(x, x.clone())
    made = clone_replace(outputs, mapping)
    if keys is not None:
        return dict(zip(keys, made, strict=True))
    return made[0] if isinstance(output, Variable) else made
