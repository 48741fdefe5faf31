"""A diagram as SVG: a picture by itself, and what the interactive page shows."""

from __future__ import annotations

from html import escape
from typing import Any

from arignote.engine.printing.diagram import Box, Diagram, diagram
from arignote.engine.printing.layout import folded_size, lay_out

STYLE = """
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #222; pointer-events: none; }
.box > rect { stroke: #667; stroke-width: 1; rx: 4; fill: #fff; }
.input > rect { fill: #ffefb0; stroke: #a80; }
.shared > rect { fill: #cfe5ff; stroke: #27a; }
.update > rect { fill: #cfe5ff; stroke: #27a; stroke-dasharray: 4 2; }
.constant > rect { fill: #eee; stroke: #999; }
.gradient > rect, .node.backward > rect { fill: #ffdcd2; stroke: #b53; }
.kernel > rect { fill: #d5f0d3; stroke: #383; stroke-width: 1.6; }
.kernel.backward > rect { stroke: #b53; }
.output > rect { fill: #e6d8fa; stroke: #74a; }
.layer > rect { fill: #eef1f6; stroke: #89a; }
.layer.backward > rect { fill: #fdf0ec; stroke: #c97; }
.group > rect { cursor: pointer; }
.group.open > rect { fill-opacity: .35; }
.group > text { font-weight: 600; }
.hidden { display: none; }
.edge { fill: none; stroke: #99a; stroke-width: 1.1; opacity: .75; marker-end: url(#arrow); }
"""


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
    lay_out(picture)
    root = picture.root
    boxes = root.inside()
    numbers = {box: number for number, box in enumerate(boxes)}
    seen = {box: _shown(box) for box in boxes}
    corners: dict[Box, tuple[float, float]] = {root: (0.0, 0.0)}
    for box in boxes:
        x, y = corners[box.parent or root]
        corners[box] = x + box.x, y + box.y
    drawn: set[tuple[Box, Box]] = set()
    paths = []
    for source, target, kind in picture.edges:
        ends = seen[source], seen[target]
        is_hidden = ends[0] is ends[1] or ends in drawn
        drawn.add(ends)
        line = "" if is_hidden else _curve(*(((*corners[end], end.width, end.height)) for end in ends))
        paths.append(
            f'<path class="edge{" hidden" * is_hidden}" data-from="{numbers[source]}" '
            f'data-to="{numbers[target]}" d="{line}"><title>{escape(kind)}</title></path>'
        )
    width, height = root.width, root.height
    shapes = "\n".join(_rectangle(box, numbers, corners[box], seen[box] is box) for box in boxes)
    lines = "\n".join(paths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><style>{STYLE}</style>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#99a"/></marker></defs>\n'
        f"<g>\n{lines}\n</g>\n<g>\n{shapes}\n</g></svg>"
    )


def _shown(box: Box) -> Box:
    """Return the box that stands for one at first: the outermost folded group around it, or itself."""
    return next((each for each in box.path() if each.is_folded), box)


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
    is_open = box.children and not box.is_folded
    mark = ("▾ " if is_open else "▸ ") if box.children else ""
    text = f'<text x="9" y="17">{mark}{escape(box.label)}</text>'
    title = escape("\n".join([box.label, *(f"{name}: {value}" for name, value in box.details)]))
    return (
        f'<g class="{" ".join(classes)}" {attributes} transform="translate({corner[0]:.1f} {corner[1]:.1f})">'
        f'<rect width="{box.width:.1f}" height="{box.height:.1f}"/>{text}<title>{title}</title></g>'
    )


def _curve(source: tuple[float, float, float, float], target: tuple[float, float, float, float]) -> str:
    """Return the path from the foot of one rectangle to the head of another, or between their sides."""
    (x, y, width, height), (u, v, across, tall) = source, target
    if y + height <= v:
        start, end, bend = (x + width / 2, y + height), (u + across / 2, v), (v - y - height) / 2
        return "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(
            *start, start[0], start[1] + bend, end[0], end[1] - bend, *end
        )
    if v + tall <= y:
        start, end, bend = (x + width / 2, y), (u + across / 2, v + tall), (y - v - tall) / 2
        return "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(
            *start, start[0], start[1] - bend, end[0], end[1] + bend, *end
        )
    start = (x + width, y + height / 2) if x < u else (x, y + height / 2)
    end = (u, v + tall / 2) if x < u else (u + across, v + tall / 2)
    return "M{:.1f} {:.1f}L{:.1f} {:.1f}".format(*start, *end)
