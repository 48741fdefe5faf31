"""A diagram as an interactive page that needs nothing else: one file, no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from arignote.engine.printing.diagram import diagram
from arignote.engine.printing.png import png_of
from arignote.engine.printing.svg import COLOURS, svg_of

_STYLE = """
.graph { position: relative; height: 100%; display: flex; flex-direction: column; background: #fff;
  color: #222; font: 13px system-ui, "DejaVu Sans", sans-serif; }
.graph .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; padding: 6px 10px;
  border-bottom: 1px solid #ccd; }
.graph svg { flex: 1; width: 100%; height: auto; min-height: 0; cursor: grab; touch-action: none; }
.graph .tip { position: absolute; max-width: 46em; padding: 6px 9px; background: #223; color: #fff;
  border-radius: 4px; white-space: pre-wrap; pointer-events: none; font-size: 12px; z-index: 1;
  overflow-wrap: anywhere; }
.graph .key { padding: 1px 7px; border-radius: 4px; border: 1px solid #999; font-size: 12px; }
.graph .found > rect { stroke: #e0008a; stroke-width: 3; }
.graph .edge.near { stroke: #d10; stroke-width: 2; opacity: 1; }
.graph .box:hover > rect { stroke-width: 2.5; }
"""
_KEYS = {
    "input": "input", "shared": "shared", "constant": "constant", "gradient": "gradient",
    "fused loop": "kernel", "output": "output",
}  # fmt: skip


def fragment(subject: Any) -> str:
    """Return the interactive picture as a piece of HTML, with its style and script."""
    from importlib.resources import files

    script = files("arignote.engine.printing").joinpath("page.js").read_text(encoding="utf-8")
    fills = {name: COLOURS[kind][0] for name, kind in _KEYS.items()}
    keys = "".join(
        f'<span class="key" style="background:{fill}">{name}</span>' for name, fill in fills.items()
    )
    return (
        f'<div class="graph"><style>{_STYLE}</style><div class="bar">'
        '<input type="search" placeholder="search: op, name, type, line" size="26">'
        '<span class="count"></span>'
        '<button class="open">open all</button><button class="close">fold all</button>'
        f'<button class="fit">fit</button>{keys}</div>\n{svg_of(diagram(subject))}\n'
        f'<div class="tip" hidden></div><script>{script}</script></div>'
    )


def html(subject: Any, title: str = "graph") -> str:
    """Return the interactive picture as a page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>html, body { margin: 0; height: 100%; }</style></head>\n"
        f"<body>{fragment(subject)}</body></html>\n"
    )


def d3viz(fct: Any, outfile: str | Path) -> None:
    """Write the interactive picture of a function or of expressions (`theano.d3viz.d3viz`).

    The page needs no network. Click a group to fold or open it, drag and turn the wheel to move and zoom,
    rest the pointer on a box for its type, parameters and the user's line, and search by any of these.

    Parameters
    ----------
    fct : function, Variable, or sequence of Variable
        Of a function that has been called, the loops of its last plan are shown.
    outfile : path
        An HTML file.

    Examples
    --------
    >>> import os, tempfile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float32", (None,))("x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     d3viz(x * 2, os.path.join(folder, "graph.html"))
    """
    Path(outfile).write_text(html(fct, Path(outfile).stem), encoding="utf-8")


class draw:  # noqa: N801 - called as a function: draw(cost)
    """An interactive picture that Jupyter shows by itself.

    Parameters
    ----------
    subject : function, Variable, or sequence of Variable
    height : int
        In pixels.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> draw(TensorType("float32", (None,))("x") * 2)
    <picture of 1 node>
    """

    def __init__(self, subject: Any, height: int = 600) -> None:
        self.subject, self.height = subject, height

    def _repr_html_(self) -> str:
        # A frame of its own keeps the notebook's styles and the page's apart.
        page = escape(html(self.subject), quote=True)
        style = f"width:100%;height:{self.height}px;border:1px solid #ccd"
        return f'<iframe srcdoc="{page}" style="{style}"></iframe>'

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        # Jupyter takes the page; this is for those who show stored notebooks, and allow no scripts or SVG.
        data, size = png_of(diagram(self.subject))
        return data, {**size, "alt": repr(self)[1:-1]}

    def __repr__(self) -> str:
        nodes = [box for box in diagram(self.subject).root.inside() if box.kind in ("node", "gradient")]
        count = sum(not box.children for box in nodes)
        return f"<picture of {count} node{'s' if count != 1 else ''}>"
