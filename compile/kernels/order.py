"""Running sums and products along an axis, sorting, and searching what is sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.compile.kernels.elementwise import compile_source
from arignote.compile.lowering import Steps, lowers
from arignote.compile.spec import KernelSpec
from arignote.engine.graph import Apply
from arignote.engine.ops.order import ArgSort, Cumulative, SearchSorted

TASK = 256  # values of a task that are searched for


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


@lowers(ArgSort)
def lower_argsort(steps: Steps, op: ArgSort, node: Apply) -> None:
    """Sort each line along the axis."""
    x, axis = steps.contiguous(node.inputs[0], node), op.axis
    target = steps.allocate(node.outputs[0])
    extent, stride = x.shape[axis], x.strides[axis]
    steps.step(
        KernelSpec.of("order:argsort", dtype=x.dtype),
        node,
        reads=[x],
        writes=[target],
        arguments=[target, x, extent, stride],
        tasks=x.size // extent if x.size else 0,
        scratch=2 * 8 * extent,
    )


def argsort(*, dtype: str) -> Callable[..., int]:
    """Build the kernel of `ArgSort`, a merge sort of places; a task is a line.

    Arguments: output, array, extent and stride of the axis. The scratch memory holds two lines of places.
    """
    from arignote.compile.intrinsics import advance, cast_to, pointer_to

    elements = pointer_to("uint8" if dtype == "bool" else dtype)
    places, as_places = pointer_to("int64"), cast_to("int64")

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        extent, stride = args[2], args[3]
        for task in range(begin, end):
            first = task // stride * stride * extent + task % stride
            line = advance(elements(args[1]), first)
            source = as_places(scratch)
            target = advance(source, extent)
            for i in range(extent):
                source[i] = i
            width = 1
            while width < extent:
                low = 0
                while low < extent:
                    middle, high = min(low + width, extent), min(low + 2 * width, extent)
                    left, right = low, middle
                    for k in range(low, high):
                        # Equal elements keep their order: the right one comes first only if it is less.
                        take_right = left == middle
                        if left < middle and right < high:
                            x, y = line[source[left] * stride], line[source[right] * stride]
                            take_right = y < x or (x != x and y == y)
                        if take_right:
                            target[k] = source[right]
                            right += 1
                        else:
                            target[k] = source[left]
                            left += 1
                    low += 2 * width
                source, target = target, source
                width *= 2
            out = advance(places(args[0]), first)
            for i in range(extent):
                out[i * stride] = source[i]
        return 0

    return kernel


@lowers(SearchSorted)
def lower_searchsorted(steps: Steps, op: SearchSorted, node: Apply) -> None:
    """Halve the vector for each value."""
    line, values = (steps.contiguous(x, node) for x in node.inputs)
    target = steps.allocate(node.outputs[0])
    steps.step(
        KernelSpec.of("order:searchsorted", dtype=line.dtype, side=op.side),
        node,
        reads=[line, values],
        writes=[target],
        arguments=[target, line, line.size, values, values.size],
        tasks=-(-values.size // TASK),
    )


def searchsorted(*, dtype: str, side: str) -> Callable[..., int]:
    """Build the kernel of `SearchSorted`: output, vector, its length, values, how many; a task is a block."""
    from arignote.compile.intrinsics import pointer_to

    elements, places = pointer_to("uint8" if dtype == "bool" else dtype), pointer_to("int64")
    behind_equals = side == "right"

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        out, line, values = places(args[0]), elements(args[1]), elements(args[3])
        for i in range(begin * TASK, min(end * TASK, args[4])):
            value = values[i]
            low, high = 0, args[2]
            while low < high:
                middle = (low + high) // 2
                x = line[middle]
                is_less = x < value or (value != value and x == x)
                is_more = value < x or (x != x and value == value)
                if is_less or (behind_equals and not is_more):
                    low = middle + 1
                else:
                    high = middle
            out[i] = low
        return 0

    return kernel
