"""Ops that only move or view elements: most become views, for which nothing runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from arignote.compile.kernels.elementwise import compile_source
from arignote.compile.lowering import Steps, lowers, promised_shape, shape_of
from arignote.compile.spec import KernelSpec
from arignote.compile.views import Literal, View
from arignote.engine.graph import Apply
from arignote.engine.ops.checkpoint import After
from arignote.engine.ops.reduce import ArgExtremum, BroadcastTo
from arignote.engine.ops.shape import Alloc, ARange, DimShuffle, Reshape, ShapeOf, SpecifyShape

TASK = 1024  # elements of a task


@lowers(DimShuffle)
def lower_dimshuffle(steps: Steps, op: DimShuffle, node: Apply) -> None:
    """View the array with its axes in another order."""
    steps.alias(node.outputs[0], steps.view(node.inputs[0]).shuffled(op.pattern))


@lowers(Reshape)
def lower_reshape(steps: Steps, op: Reshape, node: Apply) -> None:
    """View the array, contiguous or made so, in another shape."""
    steps.alias(node.outputs[0], steps.contiguous(node.inputs[0], node).reshaped(shape_of(node.outputs[0])))


@lowers(After)
def lower_after(steps: Steps, op: After, node: Apply) -> None:
    """View the array: the steps of the other inputs stand before those that use it."""
    steps.alias(node.outputs[0], steps.view(node.inputs[0]))


@lowers(SpecifyShape)
def lower_specify_shape(steps: Steps, op: SpecifyShape, node: Apply) -> None:
    """View the array: its shape was checked when the graph was specialised."""
    steps.alias(node.outputs[0], steps.view(node.inputs[0]))


@lowers(BroadcastTo)
def lower_broadcast(steps: Steps, op: BroadcastTo, node: Apply) -> None:
    """View the array with strides of 0."""
    view = steps.view(node.inputs[0])
    if promised_shape(node.inputs[0], view.shape) == (1,) * len(view.shape):
        view = view.shuffled(("x",) * len(view.shape))
    steps.alias(node.outputs[0], view.broadcast(shape_of(node.outputs[0])))


@lowers(Alloc)
def lower_alloc(steps: Steps, op: Alloc, node: Apply) -> None:
    """View the scalar with strides of 0."""
    shape = shape_of(node.outputs[0])
    steps.alias(node.outputs[0], steps.view(node.inputs[0]).shuffled(("x",) * len(shape)).broadcast(shape))


@lowers(ShapeOf)
def lower_shape_of(steps: Steps, op: ShapeOf, node: Apply) -> None:
    """View a constant."""
    extent = shape_of(node.inputs[0])[op.axis]
    steps.alias(node.outputs[0], View.contiguous(Literal(np.asarray(extent, "int64")), "int64", ()))


@lowers(ARange, reads_shape_inputs=True)
def lower_arange(steps: Steps, op: ARange, node: Apply) -> None:
    """Count from the start by the step."""
    start, _, step = (steps.contiguous(x, node) for x in node.inputs)
    target = steps.allocate(node.outputs[0])
    spec = KernelSpec.of("shape:arange", dtype=target.dtype, start=start.dtype, step=step.dtype)
    steps.step(
        spec,
        node,
        reads=[start, step],
        writes=[target],
        arguments=[target, start, step, target.size],
        tasks=-(-target.size // TASK),
    )


def arange(*, dtype: str, start: str, step: str) -> Callable[..., int]:
    """Build the kernel of `ARange`: output, start, step, length."""
    source = f"""
def kernel(args, scratch, begin, end):
    out, start, step = {dtype}_at(args[0]), int64({start}_at(args[1])[0]), int64({step}_at(args[2])[0])
    for i in range(begin * {TASK}, min(end * {TASK}, args[3])):
        out[i] = {dtype}(start + i * step)
    return 0
"""
    return compile_source(source, [dtype, start, step])


@lowers(ArgExtremum)
def lower_argextremum(steps: Steps, op: ArgExtremum, node: Apply) -> None:
    """Search each line along the axis."""
    x, axis = steps.contiguous(node.inputs[0], node), op.axis
    target = steps.allocate(node.outputs[0])
    steps.step(
        KernelSpec.of("shape:argextremum", dtype=x.dtype, relation=op.relation),
        node,
        reads=[x],
        writes=[target],
        arguments=[target, x, x.shape[axis], x.strides[axis]],
        tasks=target.size,
    )


def argextremum(*, dtype: str, relation: str) -> Callable[..., int]:
    """Build the kernel of `ArgMax` or `ArgMin`; a task is one output.

    Arguments: output, array, extent and stride of the axis.
    """
    is_nan = "value != value" if dtype.startswith("float") else "False"
    source = f"""
def kernel(args, scratch, begin, end):
    out, x, extent, stride = int64_at(args[0]), {dtype}_at(args[1]), args[2], args[3]
    for task in range(begin, end):
        line = advance(x, task // stride * stride * extent + task % stride)
        best, place = line[0], 0
        if not best != best:
            for i in range(1, extent):
                value = line[i * stride]
                if value {relation} best or {is_nan}:
                    best, place = value, i
                    if {is_nan}:
                        break
        out[task] = place
    return 0
"""
    return compile_source(source, [dtype, "int64"])
