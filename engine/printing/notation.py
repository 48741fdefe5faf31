"""Expressions as mathematics on one line.

A notation says of a node which pieces of text and which inputs stand after each other; `write` puts them
together. A value that is used in several places and would be long is named, and stated once behind a
"where": the text grows linearly with the graph.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from arignote.engine.graph import Apply, Constant, Op, Variable, op_name, walk
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.index import IncSubtensor, Indexing, Subtensor, index_of
from arignote.engine.ops.shape import DimShuffle

#: Text, and the variables whose text stands between it.
Pieces = Sequence["str | Variable"]

#: A value that is used twice is named if its text would be longer than this.
LONGEST_REPEATED = 40


def write(
    outputs: Sequence[Variable], pieces_of: Callable[[Variable], Pieces], name_of: Callable[[int], str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the texts of the outputs, and the names with the texts of what is stated apart.

    Parameters
    ----------
    outputs : sequence of Variable
    pieces_of : callable
        What a variable is written as.
    name_of : callable
        The name of the value of a number, counted from 1.
    """
    order = [out for node in walk(outputs) for out in node.outputs]
    pieces = {x: pieces_of(x) for x in order}
    uses = Counter(piece for x in order for piece in pieces[x] if isinstance(piece, Variable))
    uses.update(outputs)
    sizes: dict[Variable, int] = {}
    names: dict[Variable, str] = {}

    def parts(x: Variable) -> Pieces:
        return pieces[x] if x in pieces else pieces_of(x)

    for x in order:
        sizes[x] = sum(
            len(piece) if isinstance(piece, str) else sizes.get(piece, 0) + 1 for piece in pieces[x]
        )
        if uses[x] > 1 and sizes[x] > LONGEST_REPEATED:
            names[x] = name_of(len(names) + 1)
            sizes[x] = len(names[x])

    def text(x: Variable) -> str:
        result = []
        pending = list(reversed(parts(x)))
        while pending:
            piece = pending.pop()
            if isinstance(piece, str):
                result.append(piece)
            elif piece in names:
                result.append(names[piece])
            else:
                pending.extend(reversed(parts(piece)))
        return "".join(result)

    return [names.get(x) or text(x) for x in outputs], [(name, text(x)) for x, name in names.items()]


def shortened(x: Variable, levels: int = 3) -> str:
    """Return the text of an expression, with dots for what lies deeper than some levels.

    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float32", (None,))("x")
    >>> shortened(-(-(-x)), levels=2)
    'neg(neg(...))'
    """
    if x.owner is not None and stands_for(x) is not x:
        return shortened(stands_for(x), levels)
    if x.owner is not None and not levels:
        return "..."
    return "".join(piece if isinstance(piece, str) else shortened(piece, levels - 1) for piece in _pieces(x))


def pprint(*outputs: Variable) -> str:
    """Return expressions as mathematics on one line (`theano.printing.pprint`).

    Elementwise ops are written by their formulas' operators, others as calls with their parameters in
    brackets. Variables without a name are called by their type. A long value that is used twice is named
    and stated once, behind a "where".

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
    texts, named = write(outputs, _pieces, "t{}".format)
    where = ", ".join(f"{name} = {text}" for name, text in named)
    return ", ".join(texts) + (f" where {where}" if where else "")


#: The operators of formulas that are written between their operands.
INFIX = {
    "x + y": "+", "x - y": "-", "x * y": "*", "x / y": "/", "x // y": "//", "x % y": "%", "x ** y": "**",
    "x == y": "==", "x != y": "!=", "x < y": "<", "x <= y": "<=", "x > y": ">", "x >= y": ">=",
    "x & y": "&", "x | y": "|", "x ^ y": "^",
}  # fmt: skip


def stands_for(x: Variable) -> Variable:
    """Return the scalar that a variable repeats, or the variable."""
    while x.owner is not None and isinstance(x.owner.op, DimShuffle) and not x.owner.inputs[0].ndim:
        x = x.owner.inputs[0]
    return x


def _pieces(x: Variable) -> Pieces:
    node = x.owner
    if node is None:
        return [leaf_text(x)]
    if stands_for(x) is not x:
        return [stands_for(x)]
    operator = INFIX.get(node.op.formula) if isinstance(node.op, Elementwise) else None
    if operator is not None:
        return ["(", node.inputs[0], f" {operator} ", node.inputs[1], ")"]
    if isinstance(node.op, Subtensor):
        return [node.inputs[0], "[", *_index_pieces(node.op, node.inputs), "]"]
    if isinstance(node.op, IncSubtensor):
        name = "set_subtensor" if node.op.set_instead_of_inc else "inc_subtensor"
        part = [node.inputs[0], "[", *_index_pieces(node.op, node.inputs), "]"]
        return [f"{name}(", *part, ", ", node.inputs[1], ")"]
    call = [f"{op_name(node.op).lower()}{_parameters(node.op)}(", *separated(node), ")"]
    return call if len(node.outputs) == 1 else [*call, f".{x.index}"]


def _index_pieces(op: Indexing, inputs: Sequence[Variable]) -> list[str | Variable]:
    result: list[str | Variable] = []
    for entry in index_of(op.pattern, inputs[op.first :]):
        result.extend([", "] if result else [])
        if isinstance(entry, slice):
            parts = [entry.start, entry.stop] + [entry.step] * (entry.step is not None)
            for place, part in enumerate(parts):
                result.extend(([":"] if place else []) + ([part] if part is not None else []))
        else:
            result.append({None: "None", Ellipsis: "..."}.get(entry, entry))
    return result or ["..."]


def separated(node: Apply) -> list[str | Variable]:
    """Return the inputs of a node with commas between them."""
    result: list[str | Variable] = []
    for x in node.inputs:
        result.extend([", ", x] if result else [x])
    return result


def parameters(op: Op) -> list[tuple[str, Any]]:
    """Return the names and values of the fields of an op."""
    fields: tuple[dataclasses.Field[Any], ...] = (
        dataclasses.fields(op) if dataclasses.is_dataclass(op) else ()
    )
    return [(field.name, getattr(op, field.name)) for field in fields if field.repr]


def inner_graphs(op: Op) -> list[InnerGraph]:
    """Return the graphs that an op contains, such as the step of a loop."""
    return [value for value in vars(op).values() if isinstance(value, InnerGraph)]


def _parameters(op: Op) -> str:
    texts = [f"{name}={value!r}" for name, value in parameters(op)]
    return f"[{', '.join(texts)}]" if texts else ""


def leaf_text(x: Variable) -> str:
    """Return the text of an input or a constant: its name, its value if that is one number, or its type."""
    if isinstance(x, Constant) and x.value.size == 1:
        return str(x.value.reshape(()))
    return repr(x)
