"""Which elementwise nodes share a loop.

A node joins the loop of its consumers when all of them are in one loop and no one else needs its value. So
every group has one result, and fusing never makes a cycle: all paths from a member lead through its own
group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from arignote.compile.lowering import data_inputs, shape_of
from arignote.engine.graph import Apply, Variable
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.reduce import Reduction

MOST_OPS = 64  # of a loop: compile time grows with the square of their number
MOST_OPERANDS = 24  # arrays a loop reads: more would not stay in registers


def fuse(nodes: Sequence[Apply], kept: Collection[Variable]) -> dict[Apply, list[Apply]]:
    """Return the groups: for each root, its members in the order in which they are computed, the root last.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which inputs come first.
    kept : collection of Variable
        Variables that somebody outside needs.
    """
    consumers: dict[Variable, set[Apply]] = defaultdict(set)
    for node in nodes:
        for x in data_inputs(node):
            consumers[x].add(node)
    root_of: dict[Apply, Apply] = {}
    members: dict[Apply, list[Apply]] = {}
    for node in reversed(nodes):
        if not isinstance(node.op, Elementwise | Reduction):
            continue
        root = None if isinstance(node.op, Reduction) else _common_root(node, consumers, kept, root_of)
        if root is not None and _has_room(members[root], node):
            root_of[node] = root
            members[root].append(node)
        else:
            root_of[node] = node
            members[node] = [node]
    return {root: group[::-1] for root, group in members.items()}


def _common_root(
    node: Apply,
    consumers: dict[Variable, set[Apply]],
    kept: Collection[Variable],
    root_of: dict[Apply, Apply],
) -> Apply | None:
    out = node.outputs[0]
    if out in kept:
        return None
    roots = {root_of.get(consumer) for consumer in consumers[out]}
    if len(roots) != 1:
        return None
    (root,) = roots
    if root is None:
        return None
    # One value an element of the loop; a single value is computed once, before the loop.
    space = shape_of(root.inputs[0] if isinstance(root.op, Reduction) else root.outputs[0])
    shape = shape_of(out)
    return root if shape == space or all(extent == 1 for extent in shape) else None


def _has_room(group: Sequence[Apply], node: Apply) -> bool:
    inside = {x for member in [*group, node] for x in member.outputs}
    operands = {x for member in [*group, node] for x in member.inputs if x not in inside}
    return len(group) < MOST_OPS and len(operands) <= MOST_OPERANDS
