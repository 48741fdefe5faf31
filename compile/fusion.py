"""Which elementwise nodes share a loop.

A node joins the loop of its consumers when all of them are in one loop and no one else needs its value. So
every group has one result, and fusing never makes a cycle: all paths from a member lead through its own
group.

Where its consumers are in several loops, a node of simple arithmetic may join each of them, to be computed
several times: if reading what it is computed from costs no more than writing its value and reading that, and
nothing is kept in memory for longer instead. So the derivative of a rectified batch normalisation needs
neither the centred batch nor a mask.
"""

from __future__ import annotations

import ast
import functools
import math
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from arignote.compile.lowering import data_inputs, shape_of
from arignote.engine.graph import Apply, Variable
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.reduce import Reduction

MOST_OPS = 64  # of a loop: compile time grows with the square of their number
MOST_OPERANDS = 24  # arrays a loop reads: more would not stay in registers
MOST_COPIES = 8  # of a node that is computed in several loops, and steps from there to what lies in memory

#: What of a formula takes about as long as reading an operand.
SIMPLE = (ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor, ast.USub, ast.Invert)
SIMPLE_FUNCTIONS = {"where", "maximum", "minimum", "abs"}

#: How much more memory than a value's own may be taken for longer instead: a mask of bools beside floats.
SLACK = 1.25


def fuse(nodes: Sequence[Apply], kept: Collection[Variable]) -> dict[Apply, list[Apply]]:
    """Return the groups: for each root, its members in the order in which they are computed, the root last.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which inputs come first.
    kept : collection of Variable
        Variables that somebody outside needs.
    """
    return _Fusion(nodes, kept).groups()


class _Fusion:
    """The state of `fuse`, which goes from the outputs to the inputs.

    Attributes
    ----------
    consumers : dict of Variable to set of Apply
    last : dict of Variable to int
        The place of the last node that reads a variable, or of its loop's root, as far as that is known.
    roots : dict of Apply to list of Apply
        The groups that a node is in, by their roots.
    members : dict of Apply to list of Apply
    """

    def __init__(self, nodes: Sequence[Apply], kept: Collection[Variable]) -> None:
        self.nodes, self.kept = nodes, kept
        self.places = {node: place for place, node in enumerate(nodes)}
        self.consumers: dict[Variable, set[Apply]] = defaultdict(set)
        self.last: dict[Variable, int] = {}
        for place, node in enumerate(nodes):
            for x in data_inputs(node):
                self.consumers[x].add(node)
                self.last[x] = place
        self.roots: dict[Apply, list[Apply]] = {}
        self.members: dict[Apply, list[Apply]] = {}

    def groups(self) -> dict[Apply, list[Apply]]:
        for node in reversed(self.nodes):
            if not isinstance(node.op, Elementwise | Reduction):
                continue
            roots = self._homes(node)
            if not roots or not all(_has_room(self.members[root], node) for root in roots):
                roots = [node]
                self.members[node] = []
            self.roots[node] = roots
            for root in roots:
                self.members[root].append(node)
            end = max(self.places[root] for root in roots)
            for x in data_inputs(node):
                self.last[x] = max(self.last[x], end)
        return {root: group[::-1] for root, group in self.members.items()}

    def _homes(self, node: Apply) -> list[Apply]:
        """Return the roots of the groups that a node may join; none if it is to have its own."""
        out = node.outputs[0]
        if isinstance(node.op, Reduction) or out in self.kept:
            return []
        found: dict[Apply, None] = {}
        for consumer in sorted(self.consumers[out], key=self.places.__getitem__):
            if consumer not in self.roots:  # it is in no loop
                return []
            found.update(dict.fromkeys(self.roots[consumer]))
        homes = list(found)
        if not homes or len(homes) > MOST_COPIES:
            return []
        shape, spaces = shape_of(out), [shape_of(_space(root)) for root in homes]
        if len(homes) == 1:
            # One value an element of the loop; a single value is computed once, before the loop.
            return homes if shape == spaces[0] or all(extent == 1 for extent in shape) else []
        is_each = all(space == shape for space in spaces)
        # A loop that may update a variable in place reads that variable alone.
        is_free = not any(isinstance(root.op, Elementwise) and root.outputs[0] in self.kept for root in homes)
        return homes if is_each and is_free and is_simple(node.op) and self._pays(node, homes) else []

    def _pays(self, node: Apply, homes: Sequence[Apply]) -> bool:
        """Tell whether computing a node in several loops takes neither more traffic nor more memory."""
        out = node.outputs[0]
        own = _bytes(out)
        sources = self._sources(node, max(self.places[root] for root in homes))
        if sources is None:
            return False
        longer = sum(_bytes(x) for x, is_there in sources.items() if not is_there)
        traffic = sum(_bytes(x) for root in homes for x in sources.keys() - self._read_by(root))
        return longer <= SLACK * own and traffic <= own * (1 + len(homes)) + sum(map(_bytes, sources))

    def _sources(self, node: Apply, until: int) -> dict[Variable, bool] | None:
        """Return the large arrays that a node comes down to, and whether each is in memory until then anyway.

        None where that is too far to see.
        """
        size = math.prod(shape_of(node.outputs[0]))
        found: dict[Variable, bool] = {}
        pending = list(node.inputs)
        for _ in range(4 * MOST_COPIES):
            if not pending:
                return found
            x = pending.pop()
            if math.prod(shape_of(x)) < size or x in found:
                continue
            owner = x.owner
            if owner is None or self.last[x] >= until:
                found[x] = True
            elif self._may_be_copied(x):
                pending.extend(owner.inputs)
            else:
                found[x] = False
        return None

    def _may_be_copied(self, x: Variable) -> bool:
        """Tell whether a variable is one that loops may compute for themselves."""
        return (
            x.owner is not None
            and x not in self.kept
            and is_simple(x.owner.op)
            and all(isinstance(consumer.op, Elementwise | Reduction) for consumer in self.consumers[x])
        )

    def _read_by(self, root: Apply) -> set[Variable]:
        group = self.members[root]
        return {x for member in group for x in member.inputs} - {
            x for member in group for x in member.outputs
        }


@functools.cache
def is_simple(op: object) -> bool:
    """Tell whether an op is elementwise and of simple arithmetic only."""
    if not isinstance(op, Elementwise):
        return False
    for node in ast.walk(ast.parse(op.formula, mode="eval")):
        if isinstance(node, ast.operator | ast.unaryop) and not isinstance(node, SIMPLE):
            return False
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in SIMPLE_FUNCTIONS:
            return False
    return True


def _space(root: Apply) -> Variable:
    """Return a variable of the shape that a group's loop runs over."""
    return root.inputs[0] if isinstance(root.op, Reduction) else root.outputs[0]


def _bytes(x: Variable) -> int:
    return math.prod(shape_of(x)) * np.dtype(x.dtype).itemsize


def _has_room(group: Sequence[Apply], node: Apply) -> bool:
    inside = {x for member in [*group, node] for x in member.outputs}
    operands = {x for member in [*group, node] for x in member.inputs if x not in inside}
    return len(group) < MOST_OPS and len(operands) <= MOST_OPERANDS
