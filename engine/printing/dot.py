"""Pictures in files: SVG, and what Graphviz makes of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arignote.engine.errors import GraphError, InputError
from arignote.engine.printing.diagram import Box, diagram
from arignote.engine.printing.svg import COLOURS, svg

_FORMATS = ("svg", "dot", "png", "pdf")


def pydotprint(fct: Any, outfile: str | Path | None = None, format: str | None = None) -> Path:
    """Draw a function or expressions into a file (`theano.printing.pydotprint`).

    Parameters
    ----------
    fct : function, Variable, or sequence of Variable
    outfile : path, optional
        By default `graph` and the format, in the working folder.
    format : {'svg', 'dot', 'png', 'pdf'}, optional
        By default what the file's name ends with, else 'svg', which needs no other program. 'dot' is the
        graph for Graphviz, and needs the package pydot; 'png' and 'pdf' need Graphviz too.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    InputError
        For another format.
    GraphError
        If pydot or Graphviz is not installed.
    """
    kind = format or (Path(outfile).suffix[1:] if outfile is not None else "") or "svg"
    if kind not in _FORMATS:
        raise InputError("pydotprint: format", expected="one of " + ", ".join(_FORMATS), actual=repr(kind))
    path = Path(outfile) if outfile is not None else Path(f"graph.{kind}")
    if kind == "svg":
        path.write_text(svg(fct), encoding="utf-8")
        return path
    try:
        graph = to_pydot(fct)
        graph.write(str(path), format="raw" if kind == "dot" else kind)
    except (ImportError, FileNotFoundError) as error:
        what = "the package pydot" if isinstance(error, ImportError) else "Graphviz's program `dot`"
        raise GraphError(
            f"pydotprint: format {kind!r}", expected=what, actual="it is not installed",
            fix="pip install 'arignote[graphviz]', for 'png' and 'pdf' Graphviz too; 'svg' needs neither",
        ) from None  # fmt: skip
    return path


def to_pydot(subject: Any) -> Any:
    """Return the picture as a `pydot.Dot`, its groups as clusters; runs of elementwise nodes are one box.

    Raises
    ------
    ImportError
        If pydot is not installed.
    """
    import pydot

    picture = diagram(subject)
    boxes = picture.root.inside()
    names = {box: f"b{number}" for number, box in enumerate(boxes)}
    graph = pydot.Dot("graph", graph_type="digraph", rankdir="TB", fontname="sans-serif")
    graph.set_node_defaults(shape="box", style="filled,rounded", fontname="sans-serif", fontsize="11")
    homes: dict[Box, Any] = {picture.root: graph}
    ends: dict[Box, Box] = {}  # what is drawn for a box: itself, or the run that it is in
    for box in boxes:
        parent = box.parent or picture.root
        if parent not in homes:
            ends[box] = ends[parent]
            continue
        ends[box] = box
        colours: dict[str, Any] = {"label": _quoted(box.label), "fillcolor": _quoted(COLOURS[box.kind][0])}
        if box.kind == "layer":
            homes[box] = pydot.Cluster(names[box], style="filled", **colours)
            homes[parent].add_subgraph(homes[box])
        else:
            details = _quoted("\n".join(f"{name}: {value}" for name, value in box.details))
            homes[parent].add_node(pydot.Node(names[box], tooltip=details, **colours))
    lines = {(ends[a], ends[b]): kind for a, b, kind in picture.edges if ends[a] is not ends[b]}
    for (source, target), kind in lines.items():
        graph.add_edge(pydot.Edge(names[source], names[target], tooltip=_quoted(kind)))
    return graph


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
