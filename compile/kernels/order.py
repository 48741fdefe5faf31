"""Running sums and products along an axis."""

from __future__ import annotations

from collections.abc import Callable

from arignote.compile.kernels.elementwise import compile_source
from arignote.compile.lowering import Steps, lowers
from arignote.compile.spec import KernelSpec
from arignote.engine.graph import Apply
from arignote.engine.ops.order import Cumulative


@lowers(Cumulative)
def lower_cumulative(steps: Steps, op: Cumulative, node: Apply) -> None:
    """Walk each line along the axis."""
    x, axis = steps.contiguous(node.inputs[0], node), op.axis
    target = steps.allocate(node.outputs[0])
    extent, stride = x.shape[axis], x.strides[axis]
    steps.step(
        KernelSpec.of("order:cumulative", dtype=x.dtype, step=op.step),
        node,
        reads=[x],
        writes=[target],
        arguments=[target, x, extent, stride],
        tasks=x.size // extent if x.size else 0,
        flops=x.size,
    )


def cumulative(*, dtype: str, step: str) -> Callable[..., int]:
    """Build the kernel of `CumSum` or `CumProd`; a task is a line.

    Arguments: output, array, extent and stride of the axis.
    """
    source = f"""
def kernel(args, scratch, begin, end):
    out, a, extent, stride = {dtype}_at(args[0]), {dtype}_at(args[1]), args[2], args[3]
    for task in range(begin, end):
        first = task // stride * stride * extent + task % stride
        to, line = advance(out, first), advance(a, first)
        x = line[0]
        to[0] = x
        for i in range(1, extent):
            y = line[i * stride]
            x = {dtype}({step})
            to[i * stride] = x
    return 0
"""
    return compile_source(source, [dtype])
