"""Expressions as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from arignote.engine.graph import Apply, Constant, Op, Variable, op_name, walk
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.shape import DimShuffle


def pprint(*outputs: Variable) -> str:
    """Return expressions as mathematics on one line (`theano.printing.pprint`).

    Elementwise ops are written by their formulas' operators, others as calls with their parameters in
    brackets. Variables without a name are called by their type; a value that is used twice is written
    twice.

    Parameters
    ----------
    *outputs : Variable

    Returns
    -------
    str
        The expressions, separated by commas.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float32", (None, None))("x")
    >>> pprint((x * 2 + 1).sum(axis=0))
    'sum[axes=(0,)](((x * 2) + 1))'
    """
    texts: dict[Variable, str] = {}
    for node in walk(outputs):
        text = _node_text(node, [texts.get(x) or _leaf_text(x) for x in node.inputs])
        for out in node.outputs:
            texts[out] = text if len(node.outputs) == 1 else f"{text}.{out.index}"
    return ", ".join(texts.get(x) or _leaf_text(x) for x in outputs)


_INFIX = {
    "x + y": "+", "x - y": "-", "x * y": "*", "x / y": "/", "x // y": "//", "x % y": "%", "x ** y": "**",
    "x == y": "==", "x != y": "!=", "x < y": "<", "x <= y": "<=", "x > y": ">", "x >= y": ">=",
    "x & y": "&", "x | y": "|", "x ^ y": "^",
}  # fmt: skip


def _node_text(node: Apply, arguments: Sequence[str]) -> str:
    if isinstance(node.op, DimShuffle) and not node.inputs[0].ndim:
        return arguments[0]
    operator = _INFIX.get(node.op.formula) if isinstance(node.op, Elementwise) else None
    if operator is not None:
        return f"({arguments[0]} {operator} {arguments[1]})"
    return f"{op_name(node.op).lower()}{_parameters(node.op)}({', '.join(arguments)})"


def _parameters(op: Op) -> str:
    fields: tuple[dataclasses.Field[Any], ...] = (
        dataclasses.fields(op) if dataclasses.is_dataclass(op) else ()
    )
    texts = [f"{field.name}={getattr(op, field.name)!r}" for field in fields]
    return f"[{', '.join(texts)}]" if texts else ""


def _leaf_text(x: Variable) -> str:
    if isinstance(x, Constant) and x.value.size == 1:
        return str(x.value.item())
    return repr(x)
