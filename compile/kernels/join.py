"""Joining: each array is copied to its place."""

from __future__ import annotations

from arignote.compile.lowering import Steps, lowers
from arignote.engine.graph import Apply
from arignote.engine.ops.join import Join


@lowers(Join)
def lower_join(steps: Steps, op: Join, node: Apply) -> None:
    """Copy each array behind the one before it."""
    views = [steps.view(x) for x in node.inputs]
    target = steps.allocate(node.outputs[0])
    start = 0
    for view in views:
        stop = start + view.shape[op.axis]
        steps.copy(view, target.sliced([slice(None)] * op.axis + [slice(start, stop)]), node)
        start = stop
