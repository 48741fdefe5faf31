"""Where the boxes of a diagram lie: in rows, from what is given to what is computed.

Sugiyama's method (Sugiyama, Tagawa and Toda, 1981): rows by the longest path, an order in each row that
lowers the number of crossings, and then positions. A gradient's group lies beside the group it belongs to, so
that the picture goes down forward and up again backward. Each group is laid out by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from arignote.engine.printing.diagram import Box, Diagram

CHARACTER, BOLD, LINE = 6.9, 7.6, 26.0  # the width of letters and the height of a box, in pixels
GAP, ROW_GAP, MARGIN, TITLE = 18.0, 34.0, 14.0, 22.0
LONGEST_ROUTED = 12  # edges over more rows than this get no place of their own between the boxes
SWEEPS = 6

#: A place in a row: a box, or where an edge passes between boxes.
Item = object
Links = Mapping[Item, Sequence[Item]]


def lay_out(diagram: Diagram) -> None:
    """Give every box its place and size, groups that are folded the size of a single box."""
    groups = [diagram.root, *(box for box in diagram.root.inside() if box.children)]
    edges: dict[Box, dict[tuple[Box, Box], None]] = defaultdict(dict)
    for source, target, _ in diagram.edges:
        # The edge counts in the innermost box that holds both ends, between its children.
        pairs = list(zip(source.path(), target.path(), strict=False))
        depth = next((depth for depth, (one, other) in enumerate(pairs) if one is not other), None)
        if depth is not None:
            edges[pairs[depth - 1][0]][pairs[depth]] = None
    for group in reversed(groups):
        for child in group.children:
            if not child.children or child.is_folded:
                child.width, child.height = folded_size(child)
            else:
                child.width, child.height = inner_size(child)
        _place(group.children, list(edges[group]), MARGIN if group is diagram.root else MARGIN + TITLE)
        spare = inner_size(group)[0] - max((child.x + child.width for child in group.children), default=0.0)
        for child in group.children:  # a title may be wider than what is below it
            child.x += (spare - MARGIN) / 2
    diagram.root.width, diagram.root.height = inner_size(diagram.root)


def folded_size(box: Box) -> tuple[float, float]:
    """Return the width and height of a box that shows its label alone."""
    letters = BOLD * (len(box.label) + 2) if box.children else CHARACTER * len(box.label)
    return max(40.0, letters + 18), LINE


def inner_size(box: Box) -> tuple[float, float]:
    """Return the width and height that a box needs for its children."""
    right = max((child.x + child.width for child in box.children), default=0.0)
    bottom = max((child.y + child.height for child in box.children), default=0.0)
    return max(right + MARGIN, folded_size(box)[0]), bottom + MARGIN


def rows_of(boxes: Sequence[Box], edges: Sequence[tuple[Box, Box]]) -> dict[Box, int]:
    """Return the row of each box: behind all that leads to it, a gradient's group beside its layer.

    Edges that would close a cycle between groups are left out; so are those into a gradient's group.
    """
    before: dict[Box, list[Box]] = defaultdict(list)
    behind: dict[Box, list[Box]] = defaultdict(list)
    for source, target in edges:
        before[target].append(source)
        behind[source].append(target)
    partner = _partners(boxes, behind)
    rows: dict[Box, int] = {}
    running: set[Box] = set()
    pending = [(box, False) for box in reversed(boxes)]
    while pending:
        box, is_done = pending.pop()
        needs = [partner[box]] if box in partner else before[box]
        if is_done:
            running.discard(box)
            known = [rows[other] for other in needs if other in rows]
            rows[box] = max(known) if box in partner and known else max(known, default=-1) + 1
        elif box not in rows and box not in running:
            running.add(box)
            pending.append((box, True))
            pending.extend((other, False) for other in needs if other not in rows and other not in running)
    for box in reversed(boxes):  # what is only given stands right above what uses it
        if not before[box] and box not in partner:
            below = [rows[other] for other in behind[box] if other not in partner and rows[other] > rows[box]]
            if below:
                rows[box] = min(below) - 1
    return rows


def _partners(boxes: Sequence[Box], behind: Mapping[Box, Sequence[Box]]) -> dict[Box, Box]:
    """Return, for groups of gradients, the group of the layer that each is the gradient of.

    Left out are those on which their layer depends, as a function that computes its own updates does.
    """
    layers = {box.label: box for box in boxes if box.kind == "layer"}
    prefix = "gradient of "
    result = {}
    for label, box in layers.items():
        partner = layers.get(label.removeprefix(prefix)) if label.startswith(prefix) else None
        if partner is None:
            continue
        reached = {box}
        pending = [box]
        while pending:
            new = [other for other in behind[pending.pop()] if other not in reached]
            reached.update(new)
            pending.extend(new)
        if partner not in reached:
            result[box] = partner
    return result


def _place(boxes: Sequence[Box], edges: Sequence[tuple[Box, Box]], top: float) -> None:
    row_of = rows_of(boxes, edges)
    rows: list[list[Item]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for box in boxes:
        rows[row_of[box]].append(box)
    above: dict[Item, list[Item]] = defaultdict(list)
    below: dict[Item, list[Item]] = defaultdict(list)
    for source, target in edges:
        if row_of[source] > row_of[target]:
            source, target = target, source
        chain: list[Item] = [source]
        between = range(row_of[source] + 1, row_of[target])
        if len(between) <= LONGEST_ROUTED:
            for place in between:
                chain.append(object())
                rows[place].append(chain[-1])
        chain.append(target)
        if row_of[source] != row_of[target]:
            for one, other in pairwise(chain):
                below[one].append(other)
                above[other].append(one)
    _order(rows, above, below)
    centres = _centres(rows, above, below)
    shift = min((centres[box] - box.width / 2 for box in boxes), default=0.0) - MARGIN
    y = top
    for row in rows:
        found = [box for box in row if isinstance(box, Box)]
        height = max((box.height for box in found), default=0.0)
        for box in found:
            box.row = row_of[box]
            box.x, box.y = centres[box] - box.width / 2 - shift, y + (height - box.height) / 2
        y += height + ROW_GAP


def _order(rows: list[list[Item]], above: Links, below: Links) -> None:
    """Sort each row by where the neighbours of its items stand, down and up in turn."""
    for sweep in range(SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        place: dict[Item, float] = {item: float(i) for row in rows for i, item in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            mean = {
                item: _mean([place[other] for other in neighbours.get(item, ())], place[item]) for item in row
            }
            # Gradients keep to the right of what they belong to.
            row.sort(
                key=lambda item: (
                    isinstance(item, Box) and item.kind == "layer" and item.is_gradient,
                    mean[item],
                )
            )
            place.update((item, float(i)) for i, item in enumerate(row))


def _centres(rows: list[list[Item]], above: Links, below: Links) -> dict[Item, float]:
    """Return the middles of the items, near those of their neighbours, in the order of the rows."""
    centre: dict[Item, float] = {}
    for row in rows:
        x = 0.0
        for item in row:
            centre[item] = x + _width(item) / 2
            x += _width(item) + GAP
        for item in row:
            centre[item] -= x / 2
    for sweep in range(2 * SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [
                _mean([centre[other] for other in neighbours.get(item, ())], centre[item]) for item in row
            ]
            centre.update(zip(row, _apart(row, wanted), strict=True))
    return centre


def _apart(row: Sequence[Item], wanted: Sequence[float]) -> list[float]:
    """Return positions as near to the wanted ones as the widths allow: items that meet move as one block."""
    blocks: list[tuple[float, int]] = []  # the sum of the shifts that its items want, and their number
    offsets = []
    edge = 0.0
    for item in row:
        offsets.append(edge + _width(item) / 2)
        edge += _width(item) + GAP
    for offset, x in zip(offsets, wanted, strict=True):
        total, count = x - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            more, members = blocks.pop()
            total, count = total + more, count + members
        blocks.append((total, count))
    shifts = [total / count for total, count in blocks for _ in range(count)]
    return [offset + shift for offset, shift in zip(offsets, shifts, strict=True)]


def _width(item: Item) -> float:
    return item.width if isinstance(item, Box) else 4.0


def _is_gradients(item: Item) -> bool:
    return isinstance(item, Box) and item.kind == "layer" and item.is_gradient


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
