"""Where in a graph something began that does not fit at its end."""

from __future__ import annotations

from collections.abc import Callable

from arignote.engine.errors import describe
from arignote.engine.graph import Variable, op_name, walk
from arignote.engine.ops.shape import DimShuffle
from arignote.engine.printing.notation import leaf_text, stands_for


def entry_of(x: Variable, fits: Callable[[Variable], bool]) -> str:
    """Return which input, constant or op was the first on the way to `x` that does not fit, with its line.

    Parameters
    ----------
    x : Variable
        Which does not fit.
    fits : callable

    Returns
    -------
    str
        Empty if `x` itself is an input.
    """
    if x.owner is None:
        return ""
    for node in walk([x]):
        if all(map(fits, node.outputs)) or isinstance(node.op, DimShuffle):
            continue
        place = f" ({describe(node.origin)})" if node.origin is not None else ""
        wrong = next((y for y in map(stands_for, node.inputs) if y.owner is None and not fits(y)), None)
        if wrong is not None:
            return f"it enters with {leaf_text(wrong)} of type {wrong.type}{place}"
        if all(map(fits, node.inputs)):
            given = " and ".join(str(y.type) for y in node.inputs)
            made = f"which makes {node.outputs[0].type} of {given}" if given else "which makes it"
            return f"it enters with {op_name(node.op)}, {made}{place}"
    return ""
