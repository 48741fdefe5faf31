"""A diagram as PNG, drawn by Matplotlib: for pages that show neither scripts nor SVG."""

from __future__ import annotations

import io
from typing import Any

from arignote.engine.printing.diagram import Box, Diagram
from arignote.engine.printing.svg import BACKWARD, COLOURS, EDGE, course, label, places

#: Pixels of the file for each one of the picture: fine on dense screens.
DENSITY = 2


def png_of(picture: Diagram) -> tuple[bytes, dict[str, Any]]:
    """Return a diagram as PNG, and how large it is to be shown: what `draw` gives to Jupyter.

    Groups are folded as they are at first.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    corners, seen = places(picture)
    width, height = round(picture.root.width), round(picture.root.height)
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for box, shown in seen.items():
        if shown is box:
            _draw_box(axes, box, *corners[box])
    for source, target in dict.fromkeys((seen[a], seen[b]) for a, b, _ in picture.edges):
        if source is not target:
            points = course(*((*corners[end], end.width, end.height) for end in (source, target)))
            codes = [Path.MOVETO, *([Path.CURVE4] * 3 if len(points) == 4 else [Path.LINETO])]
            arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "linewidth": 1.1, "zorder": 1}
            axes.add_patch(FancyArrowPatch(path=Path(points, codes), color=EDGE, alpha=0.75, **arrow))
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(file, format="png", dpi=72 * DENSITY)
    return file.getvalue(), {"width": width, "height": height}


def _draw_box(axes: Any, box: Box, x: float, y: float) -> None:
    """Draw a rectangle and what is written in it, groups below the edges and what is in them above."""
    from matplotlib.patches import FancyBboxPatch

    fill, line = (COLOURS | BACKWARD if box.is_gradient else COLOURS)[box.kind]
    is_open = bool(box.children) and not box.is_folded
    depth = len(box.path())
    shape = FancyBboxPatch(
        (x, y), box.width, box.height, boxstyle="round,pad=0,rounding_size=4", edgecolor=line,
        facecolor=(fill, 0.35 if is_open else 1.0), linewidth=1.6 if box.kind == "kernel" else 1.0,
        linestyle=(0, (4, 2)) if box.kind == "update" else "-", zorder=depth / 100 if is_open else 2,
    )  # fmt: skip
    axes.add_patch(shape)
    weight = "bold" if box.children else "normal"
    axes.text(x + 9, y + 17, label(box), fontsize=11, fontweight=weight, color="#222222", zorder=3)
