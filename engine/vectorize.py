"""Graphs over a batch: ops say how they act with one more axis in front, so that no loop is needed.

An op that has no rule for it is repeated by a `scan` over the entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from arignote.engine.batching import spread
from arignote.engine.errors import GraphError, ShapeError
from arignote.engine.graph import Apply, Variable, as_variable, op_name, rebuild, walk
from arignote.engine.ops.shape import extents
from arignote.engine.origin import inherit


@overload
def vectorize(outputs: Variable, replace: Mapping[Variable, Any]) -> Variable: ...
@overload
def vectorize(outputs: Sequence[Variable], replace: Mapping[Variable, Any]) -> list[Variable]: ...


def vectorize(
    outputs: Variable | Sequence[Variable], replace: Mapping[Variable, Any]
) -> Variable | list[Variable]:
    """Return expressions over a batch: for inputs with one more axis in front, the results of all entries.

    Parameters
    ----------
    outputs : Variable or sequence of Variable
        For one entry.
    replace : mapping of Variable to Variable or array_like
        Variables of these expressions, and what stands for them: of the same dtype, with the batch as first
        axis. The other variables are the same for all entries.

    Returns
    -------
    Variable or list of Variable
        With the batch as first axis.

    Raises
    ------
    ShapeError
        If a replacement does not have one axis more than what it replaces.
    GraphError
        If there is nothing to replace.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.ops import dot
    >>> from arignote.engine.types import TensorType
    >>> x, w = TensorType("float64", (None,))("x"), TensorType("float64", (None, None))("w")
    >>> images = TensorType("float64", (None, None))("images")
    >>> rows = vectorize(dot(w, x), {x: images})
    >>> rows.eval({w: [[1.0, 1.0], [0.0, 2.0]], images: [[1.0, 2.0], [3.0, 4.0]]})
    array([[3., 4.],
           [7., 8.]])
    """
    results = [outputs] if isinstance(outputs, Variable) else list(outputs)
    mapping = {old: _checked(old, as_variable(new)) for old, new in replace.items()}
    if not mapping:
        raise GraphError("vectorize: argument `replace`", expected="at least one variable", actual="none")
    count = extents(next(iter(mapping.values())))[0]
    for node in walk(results, stop=replace):
        inputs = [mapping.get(x, x) for x in node.inputs]
        is_batched = [new.ndim > old.ndim for new, old in zip(inputs, node.inputs, strict=True)]
        made: Sequence[Variable] | None = rebuild(node, inputs) if not any(is_batched) else None
        if made is None:
            with inherit(node.origin):
                made = node.op.batched(inputs, is_batched)
                made = _each(node, inputs, is_batched) if made is None else made
        for old, new in zip(node.outputs, made, strict=True):
            if new is not old:
                mapping[old] = new
    made = [mapping.get(x, x) for x in results]
    made = [
        new if new.ndim > old.ndim else spread(new, count) for new, old in zip(made, results, strict=True)
    ]
    return made[0] if isinstance(outputs, Variable) else made


def _each(node: Apply, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> list[Variable]:
    """Return the outputs of an op that has no rule: a loop over the entries."""
    from arignote.engine.ops.loops import scan

    def step(*rows: Variable) -> list[Variable]:
        row = iter(rows)
        entry = [next(row) if one else x for x, one in zip(inputs, is_batched, strict=True)]
        return list(node.op.apply(*entry))

    batches = [x for x, one in zip(inputs, is_batched, strict=True) if one]
    outputs, _ = scan(step, sequences=batches, name=f"vectorized {op_name(node.op)}", return_list=True)
    return list(outputs)


def _checked(old: Variable, new: Variable) -> Variable:
    if new.ndim != old.ndim + 1 or new.dtype != old.dtype:
        raise ShapeError(
            f"vectorize: what stands for {old!r}",
            expected=f"{old.dtype} of {old.ndim + 1} dimensions: a batch axis, and those of {old.type}",
            actual=str(new.type),
        )
    return new
