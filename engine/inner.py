"""Graphs as values: what an op that contains an expression holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from arignote.engine.errors import MissingInputError
from arignote.engine.graph import Apply, Constant, Variable, clone_replace, walk
from arignote.engine.pickling import NodesFirst
from arignote.engine.structure import structural_key
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import TensorType


class InnerGraph:
    """An expression as an immutable value: equal to any other that computes the same of its inputs.

    Ops hold it as a field, so that equal ops on equal inputs merge. Nobody else uses its variables.

    Parameters
    ----------
    inputs, outputs : sequence of Variable
        The outputs depend on the inputs and on constants alone: `close` sees to it.

    Raises
    ------
    MissingInputError
        If the outputs depend on anything else.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> InnerGraph([x], [x * 2]) == InnerGraph([y], [y * 2])
    True
    """

    def __init__(self, inputs: Iterable[Variable], outputs: Iterable[Variable]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        missing = free_variables(self.inputs, self.outputs)
        if missing:
            raise MissingInputError(
                f"inner graph: the outputs depend on {missing[0]!r}",
                expected=f"its inputs {self.inputs} and constants only",
                actual=f"{missing[0]!r} of type {missing[0].type}",
                fix="`close` makes such variables inputs",
            )

    @cached_property
    def nodes(self) -> list[Apply]:
        """Its nodes, every one behind those it needs."""
        return walk(self.outputs, stop=self.inputs)

    def on(self, inputs: Sequence[Variable]) -> list[Variable]:
        """Return the outputs as expressions of other variables."""
        return clone_replace(self.outputs, dict(zip(self.inputs, inputs, strict=True)))

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> list[TensorType]:
        """Return the types of the outputs for concrete types of the inputs, as `Op.infer` does.

        Extents that the values of other inputs decide stay open.
        """
        from arignote.engine.evaluate import infer_into

        known = dict(zip(self.inputs, types, strict=True))
        integers = {x: value for x, value in zip(self.inputs, values, strict=True) if value is not None}
        for node in self.nodes:
            infer_into(node, known, integers)
        return [known.get(x, x.type) for x in self.outputs]

    @cached_property
    def sizing(self) -> frozenset[Variable]:
        """The inputs that are integer scalars and decide a shape inside, other than by their data."""
        from arignote.engine.ops.shape import is_short

        deciding = {node.inputs[place] for node in self.nodes for place in node.shape_places}
        for node in reversed(self.nodes):
            if node.outputs[0] in deciding and all(map(is_short, node.inputs)):
                deciding.update(node.inputs)
        return frozenset(x for x in self.inputs if x in deciding and x.ndim == 0 and x.type.is_integer)

    @cached_property
    def _key(self) -> Any:
        return structural_key(self.outputs, self.inputs)

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InnerGraph):
            return NotImplemented
        return self is other or (self._hash == other._hash and bool(self._key == other._key))

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        from arignote.engine.printing import pprint

        return f"({', '.join(map(repr, self.inputs))}) -> {pprint(*self.outputs)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (NodesFirst(self.nodes), self.inputs, self.outputs)


def _restored(nodes: object, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> InnerGraph:
    return InnerGraph(inputs, outputs)


def free_variables(inputs: Iterable[Variable], outputs: Sequence[Variable]) -> list[Variable]:
    """Return the variables without an owner, other than inputs and constants, that outputs depend on."""
    given = set(inputs)
    needed = dict.fromkeys(x for node in walk(outputs, stop=given) for x in node.inputs)
    needed.update(dict.fromkeys(outputs))
    return [x for x in needed if x.owner is None and x not in given and not isinstance(x, Constant)]


@test_values_off()
def close(
    inputs: Sequence[Variable], outputs: Sequence[Variable], *, lift: bool = False
) -> tuple[InnerGraph, list[Variable]]:
    """Return an expression as an inner graph, and the variables from outside that it depends on.

    Parameters
    ----------
    inputs : sequence of Variable
        The first inputs of the inner graph stand for these; they may stand inside of the graph.
    outputs : sequence of Variable
    lift : bool
        Whether what does not depend on the inputs is left outside, not just the variables that it is
        computed from.

    Returns
    -------
    InnerGraph
        Of the inputs, and then of the captured variables.
    list of Variable
        The captured variables: shared ones and inputs of the surrounding graph, or what is lifted.
    """
    captured = _invariant(inputs, outputs) if lift else free_variables(inputs, outputs)
    given = [*inputs, *captured]
    own = [Variable(x.type, name=x.name) for x in given]
    return InnerGraph(own, clone_replace(outputs, dict(zip(given, own, strict=True)))), captured


def _invariant(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Variable]:
    """Return the largest expressions that do not depend on the inputs, but for constants."""
    free = set(free_variables(inputs, outputs))
    inside = set(inputs)
    outside = set(free)
    needed = dict.fromkeys(outputs)
    for node in walk(outputs, stop=inputs):
        if any(x in inside for x in node.inputs):
            inside.update(node.outputs)
            needed.update(dict.fromkeys(node.inputs))
        elif any(x in outside for x in node.inputs):
            outside.update(node.outputs)
    return [x for x in needed if x in outside]
