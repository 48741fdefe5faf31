"""Loops without what nobody needs.

What is not used of a loop's results is not computed; of states whose last values alone are used, no others
are kept; what is the same in every step is computed once, before the loop; and products that need not wait
for one another are computed as one, before or behind the loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from arignote.engine.graph import Apply, Variable, known_integer, rebuild, walk
from arignote.engine.loop import Loop, Slot
from arignote.engine.ops.elementwise import minimum
from arignote.engine.ops.index import Bounds, Entry, Subtensor
from arignote.engine.ops.scan import Scan
from arignote.engine.origin import inherit
from arignote.engine.rewrite import Rule, Step, rewrite
from arignote.engine.rules import ALL


def simplify(
    outputs: Sequence[Variable], rules: Sequence[Rule] = (), trace: list[Step] | None = None
) -> list[Variable]:
    """Return outputs with all rules applied, in the steps of loops too, and with their loops trimmed.

    Parameters
    ----------
    outputs : sequence of Variable
    rules : sequence of Rule
        Further ones, which are tried first; not within loops.
    trace : list of Step, optional
        Where each application of a rule is recorded.
    """
    while True:
        outputs = rewrite(outputs, [*rules, *ALL], trace)
        trimmed = _trimmed(outputs)
        if all(new is old for new, old in zip(trimmed, outputs, strict=True)):
            return list(outputs)
        outputs = trimmed


@dataclass(frozen=True)
class _Last:
    """The last values of a state, in the place of all of them.

    Parameters
    ----------
    rows : Variable
    depth : int
    ran : Variable
        How many steps ran.
    """

    rows: Variable
    depth: int
    ran: Variable

    def behind(self) -> Variable:
        """Return those of them that steps have made: none, of a loop without steps."""
        return self.rows[self.depth - minimum(self.ran, self.depth) :]


class _Uses:
    """Who uses the variables of a graph."""

    def __init__(self, outputs: Sequence[Variable], nodes: Sequence[Apply]) -> None:
        self._outputs = set(outputs)
        self._users: dict[Variable, list[tuple[Apply, int]]] = defaultdict(list)
        for node in nodes:
            for place, x in enumerate(node.inputs):
                self._users[x].append((node, place))

    def __contains__(self, x: Variable) -> bool:
        return x in self._outputs or x in self._users

    def only_last(self, x: Variable, depth: int, until: bool) -> bool:
        """Tell whether of all values of a state only the last ones, as many as it is deep, are used."""
        if x in self._outputs:
            return False
        for node, place in self._users[x]:
            # Behind the last of the steps that ran there may be rows that are no values.
            if not until and _takes_last(node, place, depth):
                continue
            if place or not _takes_all(node, depth, until):
                return False
            rows = node.outputs[0]
            if rows in self._outputs or not all(_takes_last(*user, depth) for user in self._users[rows]):
                return False
        return True


def _takes_all(node: Apply, depth: int, until: bool) -> bool:
    """Tell whether a node takes the values of all steps, as `scan` does, behind the initial ones."""
    pattern = (Bounds(start=True, stop=until, step=False),)
    return (
        isinstance(node.op, Subtensor)
        and node.op.pattern == pattern
        and known_integer(node.inputs[1]) == depth
    )


def _takes_last(node: Apply, place: int, depth: int) -> bool:
    """Tell whether a node takes some of the last rows only."""
    if not isinstance(node.op, Subtensor) or place or not node.op.pattern:
        return False
    if node.op.pattern[0] not in (Entry.INTEGER, Bounds(start=True, stop=False, step=False)):
        return False
    index = known_integer(node.inputs[1])
    return index is not None and -depth <= index < 0


def _trimmed(outputs: Sequence[Variable]) -> list[Variable]:
    nodes = walk(outputs)
    if not any(isinstance(node.op, Scan) for node in nodes):
        return list(outputs)
    uses = _Uses(outputs, nodes)
    mapping: dict[Variable, Variable] = {}
    lasts: dict[Variable, tuple[_Last, bool]] = {}
    for node in nodes:
        inputs = [mapping.get(x, x) for x in node.inputs]
        last, until = lasts.get(node.inputs[0], (None, False)) if node.inputs else (None, False)
        if isinstance(node.op, Scan):
            with inherit(node.origin):
                made_of = {node.outputs[slot.place]: (slot, new) for slot, new in _trim(node, inputs, uses)}
            mapping.update((old, new) for old, (_, new) in made_of.items())
            ran = mapping.get(node.outputs[-1], node.outputs[-1]) if node.op.until else inputs[0]
            for old, (slot, new) in made_of.items():
                new.name = old.name
                if slot.state is not None and slot.state.kept and slot.is_last:
                    lasts[old] = _Last(new, slot.state.depth, ran), node.op.until
            continue
        if last is not None and _takes_all(node, last.depth, until):
            made: Sequence[Variable] = [last.behind()]
        else:
            made = rebuild(node, inputs)
        mapping.update((old, new) for old, new in zip(node.outputs, made, strict=True) if new is not old)
    return [mapping.get(x, x) for x in outputs]


def _trim(node: Apply, inputs: Sequence[Variable], uses: _Uses) -> Collection[tuple[Slot, Variable]]:
    """Make a loop anew without what is not needed; return what stands for its outputs that are used."""
    assert isinstance(node.op, Scan)
    loop = Loop(node.op, inputs)
    for slot in loop.slots:
        out = node.outputs[slot.place]
        slot.is_used = out in uses
        if slot.state is not None:
            slot.is_last = not slot.state.kept or uses.only_last(out, slot.state.depth, node.op.until)
    loop.drop_unused()
    loop.change(simplify)
    loop.multiply_before()
    loop.merge_rows()
    loop.sum_behind()
    return loop.results(node)
