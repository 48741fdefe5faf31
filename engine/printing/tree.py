"""Expressions as a tree, a line a node."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, TextIO

from arignote.engine.errors import InputError, place_of
from arignote.engine.graph import Apply, Constant, Variable, op_name
from arignote.engine.inner import InnerGraph
from arignote.engine.printing.notation import inner_graphs, leaf_text, parameters
from arignote.engine.shared import SharedVariable
from arignote.engine.structure import FunctionGraph, graph_of

#: What stands deeper is printed as a tree of its own, so that the text grows linearly with the graph.
DEEPEST = 40


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = True,
    file: TextIO | Literal["str"] | None = None,
    ids: Literal["CHAR", "int", "id", ""] = "CHAR",
    print_origin: bool = True,
) -> str | None:
    """Print expressions as trees, a line a node (`theano.printing.debugprint`).

    A line tells the op with its parameters, its id, its type, and the user's line that made it. A node that
    has been printed before is followed by dots. What stands deeper than 40 levels is printed behind the tree,
    and so are the graphs that ops contain, such as the steps of loops.

    Parameters
    ----------
    obj : Variable, function, or sequence of them
        Of a function, the rewritten expressions of its outputs and updates.
    depth : int
        How many levels to print; -1 for all.
    print_type : bool
        Whether to tell types and shapes.
    file : file, 'str', or None
        Where to print; with 'str' the text is returned, by default it goes to the standard output.
    ids : {'CHAR', 'int', 'id', ''}
        Letters, numbers, addresses, or no ids.
    print_origin : bool
        Whether to tell the user's line.

    Returns
    -------
    str or None

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float32", (None, 3))("x")
    >>> debugprint(x * x + 1, print_origin=False)
    Add [id A] float32(?, 3)
     |Mul [id B] float32(?, 3)
     | |x [id C] float32(?, 3)
     | |x [id C] float32(?, 3)
     |DimShuffle{pattern=('x', 'x')} [id D] int8(1, 1)
       |1 [id E] int8()
    """
    if ids not in ("CHAR", "int", "id", ""):
        raise InputError("debugprint: ids", expected="'CHAR', 'int', 'id' or ''", actual=repr(ids))
    printer = _Printer(depth, print_type, ids, print_origin)
    subjects = obj if isinstance(obj, list | tuple) else [obj]
    lines = [line for each in subjects for line in printer.lines(each)]
    text = "\n".join(lines)
    if file == "str":
        return text
    print(text, file=file or sys.stdout)
    return None


class _Printer:
    """Prints trees, and remembers what has been printed."""

    def __init__(self, depth: int, print_type: bool, ids: str, print_origin: bool) -> None:
        self._depth, self._print_type, self._print_origin = depth, print_type, print_origin
        self._id: Callable[[Variable], str] = {
            "CHAR": lambda x: _letters(self._number(x)),
            "int": lambda x: str(self._number(x)),
            "id": lambda x: hex(id(x)),
            "": lambda x: "",
        }[ids]
        self._numbers: dict[Variable, int] = {}
        self._printed: set[Variable] = set()
        self._inner: dict[Apply, None] = {}

    def lines(self, obj: Any) -> Iterator[str]:
        graph: FunctionGraph = graph_of(obj)
        for x in graph.outputs:
            yield from self._trees(x)
        for variable, new in graph.updates:
            yield f"{variable!r} <-"
            yield from self._trees(new)
        while self._inner:  # grows: an inner graph may have some of its own
            node = next(iter(self._inner))
            del self._inner[node]
            for inner in inner_graphs(node.op):
                yield f"inner graph of {self._line(node.outputs[0])}"
                for x in inner.outputs:
                    yield from self._trees(x, " |")

    def _trees(self, root: Variable, margin: str = "") -> Iterator[str]:
        later = [(root, 0)]
        for tree, level in later:  # grows while it is walked
            if tree is not root:
                yield f"{margin}{self._line(tree)}, continued"
                self._printed.discard(tree)
            pending = [(tree, margin, margin, level)]
            while pending:
                x, prefix, below, here = pending.pop()
                is_known = x in self._printed
                if x is not tree or tree is root:
                    yield prefix + self._line(x) + (" ..." if is_known and x.owner is not None else "")
                self._printed.add(x)
                if x.owner is not None and not is_known and inner_graphs(x.owner.op):
                    self._inner[x.owner] = None
                if is_known or x.owner is None or here == self._depth - 1:
                    continue
                if here - level == DEEPEST:
                    later.append((x, here))
                    continue
                last = len(x.owner.inputs) - 1
                pending.extend(
                    (y, below + " |", below + ("  " if place == last else " |"), here + 1)
                    for place, y in reversed(list(enumerate(x.owner.inputs)))
                )

    def _line(self, x: Variable) -> str:
        words = [self._what(x)]
        if name := self._id(x):
            words.append(f"[id {name}]")
        if self._print_type:
            words.append(str(x.type))
        if x.owner is not None and x.name:
            words.append(f"'{x.name}'")
        if self._print_origin and x.origin is not None:
            words.append(place_of(x.origin))
        return " ".join(words)

    def _what(self, x: Variable) -> str:
        if x.owner is None:
            kind = " (shared)" if isinstance(x, SharedVariable) else ""
            return (leaf_text(x) if x.name or isinstance(x, Constant) else "<input>") + kind
        shown = [pair for pair in parameters(x.owner.op) if not isinstance(pair[1], InnerGraph)]
        fields = ", ".join(f"{name}={value!r}" for name, value in shown)
        place = f".{x.index}" if len(x.owner.outputs) > 1 else ""
        return op_name(x.owner.op) + (f"{{{fields}}}" if fields else "") + place

    def _number(self, x: Variable) -> int:
        return self._numbers.setdefault(x, len(self._numbers))


def _letters(number: int) -> str:
    """Return A, B, ..., Z, AA, AB, ...

    >>> _letters(0), _letters(26), _letters(27)
    ('A', 'AA', 'AB')
    """
    result = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        result = chr(ord("A") + letter) + result
    return result
