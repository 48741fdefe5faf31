"""What is computed as one thing: to look at it, to compare it, to export it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arignote.engine.errors import DTypeError, GraphError
from arignote.engine.graph import Apply, Constant, Variable, ancestors, clone_replace, op_name, rebuild, walk
from arignote.engine.rewrite import typed
from arignote.engine.shared import SharedVariable

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True)
class FunctionGraph:
    """What a function computes (`theano.gof.FunctionGraph`, to look at).

    Parameters
    ----------
    inputs, outputs : sequence of Variable
    updates : sequence of (SharedVariable, Variable)
    kernels : mapping of Apply to Apply
        For each node that shares a loop with others, the one whose value the loop gives; empty before a
        function is planned.
    sources : mapping of Variable to Variable
        For inputs that stand for others in a plan, those.
    """

    inputs: Sequence[Variable]
    outputs: Sequence[Variable]
    updates: Sequence[tuple[Variable, Variable]] = ()
    kernels: Mapping[Apply, Apply] = field(default_factory=dict)
    sources: Mapping[Variable, Variable] = field(default_factory=dict)

    @property
    def expressions(self) -> list[Variable]:
        """The outputs, then the new values of the updates."""
        return [*self.outputs, *(new for _, new in self.updates)]

    def toposort(self) -> list[Apply]:
        """Return the nodes, each behind those it needs."""
        return walk(self.expressions)


def graph_of(obj: Any) -> FunctionGraph:
    """Return what a function, a variable or a sequence of variables computes.

    Raises
    ------
    DTypeError
        For anything else.
    """
    if isinstance(obj, FunctionGraph):
        return obj
    if isinstance(getattr(obj, "fgraph", None), FunctionGraph):
        graph: FunctionGraph = obj.fgraph
        return graph
    outputs = [obj] if isinstance(obj, Variable) else list(obj) if isinstance(obj, list | tuple) else [obj]
    for x in outputs:
        if not isinstance(x, Variable):
            raise DTypeError("graph", expected="a variable, a list of them, or a function", actual=repr(x))
    found = [x for x in ancestors(outputs) if x.owner is None]
    return FunctionGraph([x for x in found if not isinstance(x, Constant | SharedVariable)], outputs)


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


def from_networkx(graph: networkx.MultiDiGraph[Any], outputs: Sequence[Variable]) -> list[Variable]:
    """Return the outputs as the graph has them: `to_networkx` and back, with edges changed in between.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As `to_networkx` makes it; other variables may lead to an apply at a place.
    outputs : sequence of Variable
        Variables of the graph.

    Returns
    -------
    list of Variable
        With new nodes wherever an edge has changed, the old ones elsewhere.

    Raises
    ------
    GraphError
        If the graph has a cycle, or an apply without an input, or with two, at a place.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> out = x + 1
    >>> graph = to_networkx(out)
    >>> graph.remove_edge(x, out.owner)
    >>> graph.add_edge(y, out.owner, place=0)
    0
    >>> from_networkx(graph, [out])[0].owner.inputs[0]
    y
    """
    import networkx

    try:
        order = list(networkx.topological_sort(graph))
    except networkx.NetworkXUnfeasible:
        raise GraphError("from_networkx", expected="a graph without cycles", actual="a cycle") from None
    made: dict[Variable, Variable] = {}
    for node in order:
        if not isinstance(node, Apply):
            continue
        given = sorted(((place, x) for x, _, place in graph.in_edges(node, data="place")), key=lambda e: e[0])
        if [place for place, _ in given] != list(range(len(node.inputs))):
            raise GraphError(
                f"from_networkx: {op_name(node.op)}",
                expected=f"one edge for each of the places 0 to {len(node.inputs) - 1}",
                actual=f"edges at places {[place for place, _ in given]}",
                origin=node.origin,
            )
        new = rebuild(node, [made.get(x, x) for _, x in given])
        made.update(zip(node.outputs, new, strict=True))
    return [made.get(x, x) for x in outputs]


def is_same_graph(one: Variable, other: Variable, givens: Mapping[Variable, Variable] | None = None) -> bool:
    """Tell whether two expressions compute the same from the same inputs (`theano.gof.graph.is_same_graph`).

    Equal ops on equal inputs are equal; constants are by dtype and bits, all other inputs only to themselves,
    or to what stands for them in `givens`.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> is_same_graph(x * 2 + 1, x * 2 + 1), is_same_graph(x * 2, x + x)
    (True, False)
    """
    one, other = clone_replace([one, other], givens or {})
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
