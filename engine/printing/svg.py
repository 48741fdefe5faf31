"""A diagram as SVG: a picture by itself, and what the interactive page shows."""

from __future__ import annotations

from html import escape
from typing import Any

from arignote.engine.printing.diagram import Box, Diagram, diagram
from arignote.engine.printing.layout import folded_size, lay_out

Point = tuple[float, float]

#: What each kind of box is filled with, and the line around it.
COLOURS = {
    "node": ("#ffffff", "#666677"), "input": ("#ffefb0", "#aa8800"), "shared": ("#cfe5ff", "#2277aa"),
    "update": ("#cfe5ff", "#2277aa"), "constant": ("#eeeeee", "#999999"), "gradient": ("#ffdcd2", "#bb5533"),
    "kernel": ("#d5f0d3", "#338833"), "output": ("#e6d8fa", "#7744aa"), "layer": ("#eef1f6", "#8899aa"),
}  # fmt: skip
#: Those of a group that a gradient has made.
BACKWARD = {
    "node": COLOURS["gradient"], "kernel": (COLOURS["kernel"][0], "#bb5533"), "layer": ("#fdf0ec", "#cc9977"),
}  # fmt: skip
EDGE = "#9999aa"

STYLE = "\n".join([
    'text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #222; pointer-events: none; }',
    ".box > rect { stroke-width: 1; rx: 4; }",
    *(f".{kind} > rect {{ fill: {fill}; stroke: {line}; }}" for kind, (fill, line) in [
        *COLOURS.items(), *((f"{kind}.backward", colours) for kind, colours in BACKWARD.items()),
    ]),
    ".update > rect { stroke-dasharray: 4 2; }",
    ".kernel > rect { stroke-width: 1.6; }",
    ".group > rect { cursor: pointer; }",
    ".group.open > rect { fill-opacity: .35; }",
    ".group > text { font-weight: 600; }",
    ".hidden { display: none; }",
    f".edge {{ fill: none; stroke: {EDGE}; stroke-width: 1.1; opacity: .75; marker-end: url(#arrow); }}",
])  # fmt: skip


def svg(subject: Any) -> str:
    """Return the picture of a function or of expressions as SVG.

    Groups are folded as they are at first; `arignote.d3viz.d3viz` makes a page in which they can be opened.

    Parameters
    ----------
    subject : Variable, sequence of Variable, or function

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> svg(TensorType("float32", (None,))("x") * 2).startswith("<svg")
    True
    """
    return svg_of(diagram(subject))


def svg_of(picture: Diagram) -> str:
    """Return a diagram as SVG; see `page.js` for what the attributes are for."""
    corners, seen = places(picture)
    boxes = list(seen)
    numbers = {box: number for number, box in enumerate(boxes)}
    drawn: set[tuple[Box, Box]] = set()
    paths = []
    for source, target, kind in picture.edges:
        ends = seen[source], seen[target]
        is_hidden = ends[0] is ends[1] or ends in drawn
        drawn.add(ends)
        line = "" if is_hidden else _path(course(*((*corners[end], end.width, end.height) for end in ends)))
        paths.append(
            f'<path class="edge{" hidden" * is_hidden}" data-from="{numbers[source]}" '
            f'data-to="{numbers[target]}" d="{line}"><title>{escape(kind)}</title></path>'
        )
    width, height = picture.root.width, picture.root.height
    shapes = "\n".join(_rectangle(box, numbers, corners[box], seen[box] is box) for box in boxes)
    lines = "\n".join(paths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><style>{STYLE}</style>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{EDGE}"/></marker></defs>\n'
        f"<g>\n{lines}\n</g>\n<g>\n{shapes}\n</g></svg>"
    )


def places(picture: Diagram) -> tuple[dict[Box, Point], dict[Box, Box]]:
    """Lay a diagram out; return the corner of every box in the picture, and which box stands for it at first.

    The outermost folded group around a box stands for it, or it itself.
    """
    lay_out(picture)
    root = picture.root
    corners: dict[Box, Point] = {root: (0.0, 0.0)}
    for box in root.inside():
        x, y = corners[box.parent or root]
        corners[box] = x + box.x, y + box.y
    seen = {box: next((each for each in box.path() if each.is_folded), box) for box in root.inside()}
    return corners, seen


def label(box: Box) -> str:
    """Return what is written in a box: its label, behind a mark of whether a group is open."""
    mark = ("▸ " if box.is_folded else "▾ ") if box.children else ""
    return mark + box.label


def course(
    source: tuple[float, float, float, float], target: tuple[float, float, float, float]
) -> list[Point]:
    """Return how an edge goes from one rectangle (x, y, width, height) to another.

    From the foot of one to the head of the other it is the four points of a cubic curve, between their sides
    the two of a line.
    """
    (x, y, width, height), (u, v, across, tall) = source, target
    if y + height <= v or v + tall <= y:
        is_down = y + height <= v
        start, end = (y + height, v) if is_down else (y, v + tall)
        middle, left, right = (start + end) / 2, x + width / 2, u + across / 2
        return [(left, start), (left, middle), (right, middle), (right, end)]
    return [
        (x + width if x < u else x, y + height / 2),
        (u if x < u else u + across, v + tall / 2),
    ]


def _path(points: list[Point]) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{start}{'C' if len(rest) > 1 else 'L'}{' '.join(rest)}"


def _rectangle(box: Box, numbers: dict[Box, int], corner: tuple[float, float], is_shown: bool) -> str:
    classes = ["box", box.kind]
    classes += ["group"] if box.children else []
    classes += ["backward"] if box.is_gradient else []
    classes += ["open"] if box.children and not box.is_folded else []
    classes += [] if is_shown else ["hidden"]
    parent = numbers.get(box.parent, -1) if box.parent is not None else -1
    data = {
        "id": numbers[box], "parent": parent, "row": box.row, "folded": int(box.is_folded),
        "x": f"{box.x:.1f}", "y": f"{box.y:.1f}", "small": f"{folded_size(box)[0]:.1f}",
    }  # fmt: skip
    attributes = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    text = f'<text x="9" y="17">{escape(label(box))}</text>'
    title = escape("\n".join([box.label, *(f"{name}: {value}" for name, value in box.details)]))
    return (
        f'<g class="{" ".join(classes)}" {attributes} transform="translate({corner[0]:.1f} {corner[1]:.1f})">'
        f'<rect width="{box.width:.1f}" height="{box.height:.1f}"/>{text}<title>{title}</title></g>'
    )
