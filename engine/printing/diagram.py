"""Graphs as boxes within boxes: what all pictures show.

A box is an input, a constant, a node, or a group: what one layer or one call of a function of the user's has
made, and within it runs of elementwise nodes. A group can be folded to a single box.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from arignote.engine.errors import describe
from arignote.engine.graph import Apply, Constant, Variable, op_name, walk
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.origin import Origin
from arignote.engine.printing.notation import inner_graphs, leaf_text, parameters, stands_for
from arignote.engine.shared import SharedVariable
from arignote.engine.structure import FunctionGraph, graph_of

Kind = Literal["input", "shared", "constant", "node", "gradient", "kernel", "layer", "output", "update"]

#: More nodes than this, and the layers are folded at first.
OPEN_AT_FIRST = 60

#: More nodes than this, and elementwise nodes that feed one another are one box at first.
FEW = 10

#: A function that was called more often than this, or a loop of more rounds, is one group.
MOST_CALLS = 100


@dataclass(eq=False)
class Box:
    """A rectangle of a picture.

    Attributes
    ----------
    label : str
    kind : str
    details : list of (str, str)
        What is shown when the pointer rests on it.
    parent : Box or None
    children : list of Box
    is_gradient : bool
        Whether it was made by a gradient.
    is_folded : bool
        Whether the children are hidden at first.
    row : int
        Which row of its parent it lies in; see `layout`.
    x, y, width, height : float
        Of its rectangle, x and y within the parent's.
    """

    label: str
    kind: Kind
    details: list[tuple[str, str]] = field(default_factory=list)
    parent: Box | None = None
    children: list[Box] = field(default_factory=list)
    is_gradient: bool = False
    is_folded: bool = False
    row: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    def add(self, child: Box) -> Box:
        """Put a box into this one, and return it."""
        child.parent = self
        self.children.append(child)
        return child

    def path(self) -> list[Box]:
        """Return the boxes around it, from the outermost to itself."""
        result: list[Box] = [self]
        while (parent := result[-1].parent) is not None:
            result.append(parent)
        return result[::-1]

    def inside(self) -> list[Box]:
        """Return all boxes in it, each behind the one around it."""
        result = list(self.children)
        for child in result:  # grows while it is walked
            result.extend(child.children)
        return result


@dataclass(frozen=True)
class Diagram:
    """A picture's boxes and the edges between those that are no groups.

    Parameters
    ----------
    root : Box
        The whole picture.
    edges : list of (Box, Box, str)
        From, to, and the type of what flows.
    """

    root: Box
    edges: list[tuple[Box, Box, str]]


def diagram(subject: Any) -> Diagram:
    """Return the picture of a function or of expressions.

    Parameters
    ----------
    subject : Variable, sequence of Variable, or function

    Raises
    ------
    DTypeError
        For anything else.
    """
    return _Drawer(getattr(subject, "planned", None) or graph_of(subject)).drawn()


class _Drawer:
    """Makes the boxes of a graph."""

    def __init__(self, graph: FunctionGraph) -> None:
        self.graph = graph
        self.nodes = [node for node in graph.toposort() if stands_for(node.outputs[0]) is node.outputs[0]]
        self.calls = _calls(self.nodes)
        gradients = (x for node in self.nodes if _is_gradient(node) for x in node.outputs)
        #: What updates alone need stands apart from what is computed before the gradients.
        self.of_updates = set(self.nodes) - set(walk([*graph.outputs, *gradients]))
        self.runs = dict(graph.kernels)
        if not self.runs and len(self.nodes) > FEW:
            self.runs = _runs(self.nodes, graph.expressions, self._keys)
        self.run_sizes = Counter(self.runs.values())
        keys = {node: self._keys(self.runs.get(node, node)) for node in self.nodes}
        #: For every depth of groups within groups, the part of its group that each node is in.
        self.parts = [
            _parts({node: of[depth] if depth < len(of) else None for node, of in keys.items()})
            for depth in range(max(map(len, keys.values()), default=0))
        ]
        self.root = Box("", "layer")
        self.groups: dict[Any, Box] = {}
        self.boxes: dict[Variable, Box] = {}
        self.edges: list[tuple[Box, Box, str]] = []

    def drawn(self) -> Diagram:
        users: dict[Variable, list[Apply]] = defaultdict(list)
        for node in self.nodes:
            for x in map(stands_for, node.inputs):
                users[x].append(node)
        for x in self.graph.inputs:
            self.boxes[x] = self.root.add(self._leaf(x))
        for node in self.nodes:
            for x in map(stands_for, node.inputs):
                if x.owner is None and x not in self.boxes and not _is_number(x):
                    # A weight belongs to the layer that uses it forward.
                    user = min(users[x], key=self._claim)
                    self.boxes[x] = self._layer(user).add(self._leaf(x))
            box = self._container(node).add(_node(node))
            for inner in inner_graphs(node.op):
                step = _Drawer(FunctionGraph(inner.inputs, inner.outputs)).drawn()
                for child in step.root.children:
                    box.add(child)
                self.edges += step.edges
                box.is_folded = True
            for x in map(stands_for, node.inputs):
                if not _is_number(x):
                    self.edges.append((self.boxes[x], box, str(x.type)))
            self.boxes.update(dict.fromkeys(node.outputs, box))
        for place, x in enumerate(self.graph.outputs):
            if len(self.graph.outputs) > 1 or x.owner is None or self.graph.updates:
                self._end(x, self.root, Box(f"output {place}", "output", [("type", str(x.type))]))
        for variable, x in self.graph.updates:
            owner = stands_for(x).owner
            home = self.root if owner is None else self._layer(owner)
            name = variable.name or "shared"
            details = [("new value of", repr(variable)), ("type", str(variable.type))]
            self._end(x, home, Box(f"{name} :=", "update", details))
        self._sum_up()
        return Diagram(self.root, list(dict.fromkeys(self.edges)))

    def _end(self, x: Variable, home: Box, box: Box) -> None:
        x = stands_for(x)
        if x not in self.boxes:
            self.boxes[x] = self.root.add(self._leaf(x))
        self.edges.append((self.boxes[x], home.add(box), str(x.type)))

    def _leaf(self, x: Variable) -> Box:
        source = self.graph.sources.get(x, x)
        details = [("type", str(x.type))]
        if isinstance(source, SharedVariable):
            details[0] = ("type", str(x.type.with_shape(source.storage.shape)))
            return Box(source.name or "shared", "shared", details)
        if isinstance(x, Constant):
            return Box("constant" if x.value.size > 1 else leaf_text(x), "constant", details)
        return Box(source.name or "input", "input", details)

    def _claim(self, user: Apply) -> tuple[bool, bool]:
        """Return what decides whose weight it is: the smallest has it."""
        end = self.runs.get(user, user)
        is_late = _is_gradient(end) or end in self.of_updates
        return is_late, end.origin is None or not end.origin.scope

    def _keys(self, node: Apply) -> tuple[Any, ...]:
        """Return what the nodes of a layer have in common, and of each layer around it, the outermost first.

        There are none for nodes that belong to no layer.
        """
        origin = node.origin
        if origin is None or (not origin.scope and origin.function == "<module>"):
            return ()
        kind = origin.is_gradient, node in self.of_updates
        if origin.scope:
            names = origin.scope.split("/")
            return tuple(("/".join(names[: depth + 1]), *kind) for depth in range(len(names)))
        is_one = self.calls[_call(origin)[:2]] <= MOST_CALLS
        return ((_call(origin)[: 3 if is_one else 2], *kind),)

    def _layer(self, node: Apply) -> Box:
        """Return the box of the layer, or of the call of a function, that has made a node."""
        node = self.runs.get(node, node)
        origin, home = node.origin, self.root
        if origin is None:
            return home
        place: tuple[Any, ...] = ()
        for depth, key in enumerate(self._keys(node)):
            part = self.parts[depth][node]
            place = (*place, key, part)
            if place not in self.groups:
                self.groups[place] = home.add(self._group(origin, depth, part))
            home = self.groups[place]
        return home

    def _group(self, origin: Origin, depth: int, part: int) -> Box:
        """Return the empty box of a layer."""
        label = origin.scope.split("/")[depth] if origin.scope else origin.function
        if not origin.scope and 1 < self.calls[_call(origin)[:2]] <= MOST_CALLS:
            label = f"{label} #{origin.call}"
        if part > 1:
            label = f"{label}, part {part}"
        return Box(
            f"gradient of {label}" if origin.is_gradient else label,
            "layer",
            [("made at", describe(origin))],
            is_gradient=origin.is_gradient,
            is_folded=depth == 0 and len(self.nodes) > OPEN_AT_FIRST,
        )

    def _container(self, node: Apply) -> Box:
        """Return the box that a node lies in: that of its run, or of its layer."""
        run = self.runs.get(node, node)
        if self.run_sizes[run] < 2:
            return self._layer(node)
        if run not in self.groups:
            kind: Kind = "kernel" if self.graph.kernels else "node"
            box = Box("", kind, is_gradient=_is_gradient(run), is_folded=True)
            self.groups[run] = self._layer(node).add(box)
        return self.groups[run]

    def _sum_up(self) -> None:
        """Name the runs by what is in them, and say of every group how many nodes it has."""
        for group in self.groups.values():
            nodes = [box for box in group.inside() if box.kind in ("node", "gradient") and not box.children]
            if not group.label:
                names = Counter(box.label.split(" ")[0] for box in nodes)
                texts = [f"{count} {name}" if count > 1 else name for name, count in names.most_common(4)]
                group.label = " · ".join(texts) + (" …" if len(names) > 4 else "")
                group.details = [("one loop" if group.kind == "kernel" else "elementwise", group.label)]
                group.details += [detail for detail in nodes[-1].details if detail[0] == "type"]
            group.details.append(("nodes", str(len(nodes))))
            updates = [box.label.removesuffix(" :=") for box in group.children if box.kind == "update"]
            if updates:
                group.label += f": {', '.join(updates[:3])}{', …' if len(updates) > 3 else ''} :="


def _runs(
    nodes: Sequence[Apply], kept: Sequence[Variable], home: Callable[[Apply], Any]
) -> dict[Apply, Apply]:
    """Return the elementwise nodes of a layer that feed one another, each with the last of its run."""
    consumers: dict[Variable, set[Apply]] = defaultdict(set)
    for node in nodes:
        for x in node.inputs:
            consumers[stands_for(x)].add(node)
    ends: dict[Apply, Apply] = {}
    outside = {stands_for(x) for x in kept}
    for node in reversed(nodes):
        if isinstance(node.op, Elementwise):
            found = {ends.get(user) for user in consumers[node.outputs[0]]}
            end = found.pop() if len(found) == 1 and node.outputs[0] not in outside else None
            is_alike = end is not None and home(end) == home(node)
            ends[node] = end if end is not None and is_alike else node
    return ends


def _is_gradient(node: Apply) -> bool:
    return node.origin is not None and node.origin.is_gradient


def _parts(keys: Mapping[Apply, Any]) -> dict[Apply, int]:
    """Return the part of its group that each node is in: a path that leaves a group enters its next part.

    The nodes come in topological order, with the keys of their groups, None for those in none.

    Without parts, boxes would depend on each other: a function may go on with what another made of its
    values.
    """
    nodes = list(keys)
    parts = dict.fromkeys(nodes, 1)
    ends: dict[Any, tuple[int, int]] = {}
    for place, key in enumerate(keys.values()):
        ends[key] = ends.get(key, (place, place))[0], place
    for key, (first, last) in ends.items():
        if key is None:
            continue
        entered: dict[Apply, int] = {}
        for node in nodes[first : last + 1]:
            inside = keys[node] == key
            part = 1 if inside else 0
            for x in map(stands_for, node.inputs):
                if x.owner in entered:
                    before = entered[x.owner]
                    part = max(part, before + (inside and before > 0 and keys[x.owner] != key))
            entered[node] = part
            if inside:
                parts[node] = part
    return parts


def _call(origin: Origin) -> tuple[str, str, int]:
    return origin.filename, origin.function, origin.call


def _calls(nodes: Sequence[Apply]) -> Counter[tuple[str, str]]:
    """Return how many calls of each function of the user's have made nodes."""
    return Counter((file, name) for file, name, _ in {_call(node.origin) for node in nodes if node.origin})


def _is_number(x: Variable) -> bool:
    """Tell whether a variable is written into the box of the node that uses it."""
    return isinstance(x, Constant) and x.value.size == 1


def _node(node: Apply) -> Box:
    numbers = [leaf_text(x) for x in map(stands_for, node.inputs) if _is_number(x)]
    out = node.outputs[0]
    label = " ".join([op_name(node.op), *numbers])
    label = label if len(label) <= 28 else f"{label[:27]}…"
    details = [("type", ", ".join(str(each.type) for each in node.outputs))]
    details += [
        (name, repr(value)) for name, value in parameters(node.op) if not isinstance(value, InnerGraph)
    ]
    if numbers:
        details.append(("with", ", ".join(numbers)))
    if out.name:
        details.append(("name", out.name))
    origin = node.origin
    if origin is not None:
        details.append(("line", describe(origin).replace(os.path.expanduser("~") + os.sep, "~/")))
    is_gradient = _is_gradient(node)
    return Box(label, "gradient" if is_gradient else "node", details, is_gradient=is_gradient)
