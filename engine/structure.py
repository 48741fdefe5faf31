"""Graphs as networkx graphs: to look at them, to compare them, to export them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.engine.graph import Constant, Variable, ancestors, op_name, walk
from arignote.engine.rewrite import typed

if TYPE_CHECKING:
    import networkx


def to_networkx(outputs: Variable | Sequence[Variable]) -> networkx.MultiDiGraph[Any]:
    """Return what the outputs depend on as a directed graph of variables and nodes.

    Parameters
    ----------
    outputs : Variable or sequence of Variable

    Returns
    -------
    networkx.MultiDiGraph
        Its nodes are the variables and applies themselves, with a `label`. An edge leads from an input to
        each apply that uses it, and from an apply to its outputs; its `place` is the position among the
        inputs or outputs.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> to_networkx(x * x).number_of_edges()
    3
    """
    import networkx

    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
    roots = [outputs] if isinstance(outputs, Variable) else list(outputs)
    for x in ancestors(roots):
        graph.add_node(x, label=repr(x))
    for node in walk(roots):
        graph.add_node(node, label=op_name(node.op))
        for place, x in enumerate(node.inputs):
            graph.add_edge(x, node, place=place)
        for place, x in enumerate(node.outputs):
            graph.add_edge(node, x, place=place)
    return graph


def is_same_graph(one: Variable, other: Variable) -> bool:
    """Tell whether two expressions compute the same from the same inputs (`theano.gof.graph.is_same_graph`).

    Equal ops on equal inputs are equal; constants are by dtype and bits, all other inputs only to themselves.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> is_same_graph(x * 2 + 1, x * 2 + 1), is_same_graph(x * 2, x + x)
    (True, False)
    """
    return bool(structural_key([one]) == structural_key([other]))


def structural_key(outputs: Sequence[Variable], inputs: Sequence[Variable] = ()) -> Any:
    """Return what is equal for expressions that compute the same, to compare or to hash.

    Parameters
    ----------
    outputs : sequence of Variable
    inputs : sequence of Variable
        Known by their places and types; constants are known by dtype and bits, others only as themselves.
    """
    names: dict[Any, int] = {}
    numbers: dict[Variable, int] = {
        x: names.setdefault(("place", place, x.type), place) for place, x in enumerate(inputs)
    }

    def number(x: Variable) -> int:
        if x not in numbers:
            key: Any = ("constant", x.type, x.value.tobytes()) if isinstance(x, Constant) else ("input", x)
            numbers[x] = names.setdefault(key, len(names))
        return numbers[x]

    for node in walk(outputs, stop=inputs):
        key = (typed(node.op), tuple(number(x) for x in node.inputs))
        for place, x in enumerate(node.outputs):
            numbers[x] = names.setdefault((key, place), len(names))
    results = tuple(number(x) for x in outputs)
    return tuple(names), results
