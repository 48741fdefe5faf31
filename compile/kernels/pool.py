"""Pooling: the maximum, sum or mean of each window of an image, and the transposes of these maps.

All kernels treat images as planes, of which each is a task; how many there are (batch times channels) is not
baked in, nor are their extents where the graph does not promise them. Window (p, q) covers the rows from
``p*stride - pad`` on and the columns likewise, as many as the window has; what lies outside the plane never
is a maximum and adds nothing.

The forward kernels make vectors of neighbouring windows of one row. The transposes do not scatter: every row
of the image gathers, from the few windows over it, vectors of what they hold for it, and is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from arignote.engine.graph import Apply
from arignote.engine.ops.pool import MaxPick, MaxPool, MaxUnpool, Pooling, SumPool, SumUnpool

from ..lowering import Steps, lowers, shape_of
from ..simd import host
from ..spec import KernelSpec
from ..views import View
from .conv_maxima import lower_pool
from .conv_pooled import is_spread
from .plan import TYPICAL, PlanePlan, promises_planes

if TYPE_CHECKING:
    from ..windows import Vector, Windows

Pair = tuple[int, int]
Kernel = Callable[[Any, Any, int, int], int]


class PoolSizes(NamedTuple):
    """The sizes of a `PoolGeometry`."""

    rows: int
    columns: int
    out_rows: int
    out_columns: int


@dataclass(frozen=True)
class PoolGeometry(PlanePlan):
    """The windows over a plane.

    Parameters
    ----------
    rows, columns : int
        Extents of the plane.
    window, stride, pad : (int, int)
        In rows and columns.
    out_rows, out_columns : int
        How many windows there are. The last may reach over the border; each holds an element of the plane.
    """

    rows: int
    columns: int
    window: Pair
    stride: Pair
    pad: Pair
    out_rows: int
    out_columns: int

    @property
    def typical(self) -> PoolGeometry:
        """The same windows over a typical plane."""
        rows, columns = (TYPICAL * stride for stride in self.stride)
        return replace(self, rows=rows, columns=columns, out_rows=TYPICAL, out_columns=TYPICAL)

    @property
    def sizes(self) -> PoolSizes:
        """The extents of the plane, and of the windows."""
        return PoolSizes(self.rows, self.columns, self.out_rows, self.out_columns)

    def along_row(self, dtype: str, count: int) -> Windows:
        """Return the vectors of windows along a row, for a loop over `count` of them."""
        return vectors_along_row(dtype, count, self.window[1], self.stride[1])

    def weights(self, mode: str) -> Weights:
        """Return what the sum of a window is multiplied by, as functions for compiled code.

        Parameters
        ----------
        mode : {'sum', 'average_inc_pad', 'average_exc_pad'}
        """
        from numba.extending import register_jitable

        size_rows, size_columns = self.window
        is_sum = mode == "sum"
        low_row, low_column = (-pad if mode == "average_inc_pad" else 0 for pad in self.pad)
        starts_whole, stride, pad = low_column <= -self.pad[1], self.stride[1], self.pad[1]

        @register_jitable
        def whole(size):
            last_left = (size.out_columns - 1) * stride - pad
            return is_sum or (starts_whole and last_left + size_columns <= size.columns - low_column)

        @register_jitable
        def weight_at(size, top):
            if is_sum:
                return 1.0
            counted_rows = min(top + size_rows, size.rows - low_row) - max(top, low_row)
            return 1.0 / (counted_rows * (size_columns if whole(size) else 1))

        @register_jitable
        def counted(size):
            return low_column, size.columns - low_column

        return Weights(weight_at, whole, counted)


def vectors_along_row(dtype: str, count: int, size: int, step: int) -> Windows:
    """Return the vectors of windows of `size` columns, `step` apart, for a loop over `count` of them."""
    from ..windows import Windows

    widest = host().size // max(4, np.dtype(dtype).itemsize)  # no more than a register has int32 positions
    return Windows(dtype, min(widest, 1 << max(count - 1, 0).bit_length()), size, step)


class Weights(NamedTuple):
    """What the sum of a window is multiplied by, in two factors; functions for compiled code.

    Parameters
    ----------
    weight_at : callable
        ``(sizes, a window's first row)`` to one factor.
    whole : callable
        ``(sizes)`` to whether that factor is all.
    counted : callable
        ``(sizes)`` to the range of columns by whose number in the window to divide if it is not.
    """

    weight_at: Callable[[PoolSizes, int], float]
    whole: Callable[[PoolSizes], bool]
    counted: Callable[[PoolSizes], Pair]


def _fold_windows(
    g: PoolGeometry,
    dtype: str,
    arrays: int,
    windows: Windows,
    nothing: Any,
    fold: Callable[[bool], Any],
    finish: Any,
) -> Kernel:
    """Build a kernel that folds the rows of each window, for vectors of windows.

    Parameters
    ----------
    arrays : int
        How many addresses the kernel gets; the first is that of the images.
    nothing : callable
        ``(first row's flat index, left) -> state`` before any row.
    fold : callable
        Of whether windows reach over the ends of a row, to ``(state, row, its flat index, left, columns of
        the row) -> state``.
    finish : callable
        ``(args, sizes, row among all rows of windows, column, top, left, state)`` writes the results.
    """
    from ..intrinsics import advance, pointer_to, sizes_of

    (window_rows, _), (stride_rows, stride_columns), (pad_rows, pad_columns) = g.window, g.stride, g.pad
    elements, sizes = pointer_to(dtype), sizes_of(g, after=arrays)
    lanes, reach = windows.lanes, windows.reach
    fold_inside, fold_clipped = fold(False), fold(True)

    def kernel(args, scratch, begin, end):
        size = sizes(args)
        rows, columns, out_rows, out_columns = size
        last_block = max(out_columns - lanes, 0)  # overlaps the one before it rather than the end of the row
        for plane in range(begin, end):
            image = advance(elements(args[0]), plane * (rows * columns))
            for row in range(out_rows):
                top = row * stride_rows - pad_rows
                first, stop = max(top, 0), min(top + window_rows, rows)
                for block in range(0, out_columns, lanes):
                    column = min(block, last_block)
                    left = column * stride_columns - pad_columns
                    state = nothing(first * columns, left)
                    if left >= 0 and left + reach <= columns:
                        for i in range(first, stop):
                            image_row = advance(image, i * columns)
                            state = fold_inside(state, image_row, i * columns, left, columns)
                    else:
                        for i in range(first, stop):
                            image_row = advance(image, i * columns)
                            state = fold_clipped(state, image_row, i * columns, left, columns)
                    finish(args, size, plane * out_rows + row, column, top, left, state)
        return 0

    return kernel


def _gather_windows(
    g: PoolGeometry, dtype: str, arrays: int, gather: Callable[[Windows, bool], Any]
) -> Kernel:
    """Build a kernel that adds up, for every element of an image, what the windows over it hold for it.

    Parameters
    ----------
    arrays : int
        How many addresses the kernel gets; the last is that of the images to write.
    gather : callable
        Of the vectors of windows, and of whether one, or one of their elements, reaches over the ends of its
        row, to ``(args, sizes, phases, row among all rows of windows, top, first window, row, left) ->
        phases``.
    """
    from ..intrinsics import advance, pointer_to, sizes_of
    from ..windows import write, zeros

    (window_rows, _), (stride_rows, stride_columns), (pad_rows, pad_columns) = g.window, g.stride, g.pad
    elements, sizes, image_word = pointer_to(dtype), sizes_of(g, after=arrays), arrays - 1
    windows = g.along_row(dtype, -(-(g.columns + pad_columns) // stride_columns))
    lanes, earlier, width = windows.lanes, windows.earlier, windows.lanes * stride_columns
    nothing = zeros(windows.vector, stride_columns)
    gather_inside, gather_clipped = gather(windows, False), gather(windows, True)
    write_inside = write(windows.vector, stride_columns, False)
    write_clipped = write(windows.vector, stride_columns, True)

    def kernel(args, scratch, begin, end):
        size = sizes(args)
        rows, columns, out_rows, out_columns = size
        # Spans of one stride from the padding's first column to the image's last.
        groups = (columns + pad_columns + stride_columns - 1) // stride_columns
        last_block = max(groups - lanes, 0)
        for plane in range(begin, end):
            for row in range(rows):
                image_row = advance(elements(args[image_word]), (plane * rows + row) * columns)
                first = max((row + pad_rows - window_rows) // stride_rows + 1, 0)
                stop = min((row + pad_rows) // stride_rows + 1, out_rows)
                for block in range(0, groups, lanes):
                    window = min(block, last_block)
                    left = window * stride_columns - pad_columns
                    phases = nothing(0, 0)
                    inside = earlier <= window and window + lanes <= out_columns
                    if inside and left >= 0 and left + width <= columns:
                        for i in range(first, stop):
                            top = i * stride_rows - pad_rows
                            phases = gather_inside(
                                args, size, phases, plane * out_rows + i, top, window, row, left
                            )
                        write_inside(image_row, columns, left, phases)
                    else:
                        for i in range(first, stop):
                            top = i * stride_rows - pad_rows
                            phases = gather_clipped(
                                args, size, phases, plane * out_rows + i, top, window, row, left
                            )
                        write_clipped(image_row, columns, left, phases)
        return 0

    return kernel


def writer(dtype: str, kind: Vector) -> Any:
    """Make ``(address, windows of a row, row among all rows of windows, column, vector) -> None``."""
    from numba.extending import register_jitable

    from ..intrinsics import advance, pointer_to
    from ..windows import write

    pointer, lanes, whole, clipped = (
        pointer_to(dtype),
        kind.lanes,
        write(kind, 1, False),
        write(kind, 1, True),
    )

    @register_jitable
    def write_windows(address, out_columns, row, column, vector):
        windows = advance(pointer(address), row * out_columns)
        if lanes <= out_columns:
            whole(windows, out_columns, column, (vector,))
        else:
            clipped(windows, out_columns, column, (vector,))

    return write_windows


def max_pool(*, dtype: str, **geometry: Any) -> Kernel:
    """Build the kernel that finds the maximum of each window and where it is.

    Arguments of the kernel: the addresses of the images, of the maxima, and of their positions. A position is
    the int32 ``row*columns + column`` of the first maximum in row-major order, or of the first NaN.

    Parameters
    ----------
    dtype : str
        Type of images and maxima: a float or an integer.
    **geometry
        The fields of `PoolGeometry`.
    """
    from numba.extending import register_jitable

    g = PoolGeometry(**geometry)
    windows = g.along_row(dtype, g.out_columns)
    write_maxima, write_places = writer(dtype, windows.vector), writer("int32", windows.places)

    @register_jitable
    def finish(args, size, row, column, top, left, state):
        maxima, positions = state
        write_maxima(args[1], size.out_columns, row, column, maxima)
        write_places(args[2], size.out_columns, row, column, positions)

    return _fold_windows(g, dtype, 3, windows, windows.no_maxima(), windows.larger, finish)


def max_pool_gradient(*, dtype: str, **geometry: Any) -> Kernel:
    """Build the transpose of `max_pool_gather`: every value added at its position, zero elsewhere.

    Arguments of the kernel: the addresses of the values (one a window), of the positions as `max_pool` finds
    them, and of the images to write.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    **geometry
        The fields of `PoolGeometry`.
    """
    from numba.extending import register_jitable

    from ..intrinsics import advance, pointer_to

    g = PoolGeometry(**geometry)
    values, places = pointer_to(dtype), pointer_to("int32")

    def gather(windows: Windows, clipped: bool) -> Any:
        return_to_maxima = windows.return_to_maxima(clipped)

        @register_jitable
        def gather(args, size, phases, window_row, top, window, row, left):
            value_row = advance(values(args[0]), window_row * size.out_columns)
            place_row = advance(places(args[1]), window_row * size.out_columns)
            place = row * size.columns + left
            return return_to_maxima(phases, value_row, place_row, window, size.out_columns, place)

        return gather

    return _gather_windows(g, dtype, 3, gather)


def max_pool_gather(*, dtype: str, **geometry: Any) -> Kernel:
    """Build the kernel that picks the element at each position: the transpose of `max_pool_gradient`.

    Arguments of the kernel: the addresses of the images, of the positions, and of the values to write.

    Parameters
    ----------
    dtype : str
        Type of images and values.
    **geometry
        The fields of `PoolGeometry`.
    """
    from ..intrinsics import advance, pointer_to, sizes_of

    elements, places = pointer_to(dtype), pointer_to("int32")
    sizes = sizes_of(PoolGeometry(**geometry), after=3)

    def kernel(args, scratch, begin, end):
        rows, columns, out_rows, out_columns = sizes(args)
        pixels, count = rows * columns, out_rows * out_columns
        for plane in range(begin, end):
            image = advance(elements(args[0]), plane * pixels)
            positions = advance(places(args[1]), plane * count)
            values = advance(elements(args[2]), plane * count)
            for i in range(count):
                values[i] = image[positions[i]]
        return 0

    return kernel


def sum_pool(*, dtype: str, mode: str, **geometry: Any) -> Kernel:
    """Build the kernel that sums or averages each window.

    Arguments of the kernel: the addresses of the images and of the results.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    mode : {'sum', 'average_inc_pad', 'average_exc_pad'}
        A mean divides by the elements of the window that lie in the padded image, or in the image itself.
    **geometry
        The fields of `PoolGeometry`.
    """
    from numba.extending import register_jitable

    from ..windows import zeros

    g = PoolGeometry(**geometry)
    windows = g.along_row(dtype, g.out_columns)
    weight_at, whole, counted = g.weights(mode)
    scale, scale_counted = windows.scale(False), windows.scale(True)
    write_sums = writer(dtype, windows.vector)

    @register_jitable
    def finish(args, size, row, column, top, left, state):
        weight, (low, high) = weight_at(size, top), counted(size)
        if whole(size):
            (sums,) = scale(state, left, weight, low, high)
        else:
            (sums,) = scale_counted(state, left, weight, low, high)
        write_sums(args[1], size.out_columns, row, column, sums)

    return _fold_windows(g, dtype, 2, windows, zeros(windows.vector, 1), windows.add, finish)


def sum_pool_gradient(*, dtype: str, mode: str, **geometry: Any) -> Kernel:
    """Build the transpose of `sum_pool`: every value, weighted as there, added to all elements of its window.

    Arguments of the kernel: the addresses of the values (one a window) and of the images to write.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    mode : {'sum', 'average_inc_pad', 'average_exc_pad'}
        That of `sum_pool`.
    **geometry
        The fields of `PoolGeometry`.
    """
    from numba.extending import register_jitable

    from ..intrinsics import advance, pointer_to

    g = PoolGeometry(**geometry)
    values = pointer_to(dtype)
    weight_at, whole, counted = g.weights(mode)

    def gather(windows: Windows, clipped: bool) -> Any:
        spread, spread_counted = windows.spread(clipped, False), windows.spread(clipped, True)

        @register_jitable
        def gather(args, size, phases, window_row, top, window, row, left):
            value_row = advance(values(args[0]), window_row * size.out_columns)
            weight, (low, high) = weight_at(size, top), counted(size)
            if whole(size):
                return spread(phases, value_row, window, size.out_columns, left, weight, low, high)
            return spread_counted(phases, value_row, window, size.out_columns, left, weight, low, high)

        return gather

    return _gather_windows(g, dtype, 2, gather)


# ------------------------------------------------------------------------------------------- lowering


def _lower(
    steps: Steps, op: Pooling, node: Apply, kernel: str, image: tuple[int, ...], **parameters: str
) -> None:
    """Add the step of a kernel whose tasks are planes, over the node's arrays and then its outputs."""
    reads = [steps.contiguous(x, node) for x in node.inputs if x.ndim]
    writes: list[View] = [steps.allocate(x) for x in node.outputs]
    rows, columns = image[2:]
    out_rows, out_columns = (int(extent or 0) for extent in op.output_extents(image[2:]))
    promised = promises_planes(*(x for x in (*node.inputs, *node.outputs) if x.ndim))
    geometry = PoolGeometry(
        rows, columns, op.window, op.stride, op.pad, out_rows, out_columns, promised=promised
    )
    steps.step(
        KernelSpec.of(f"pool:{kernel}", dtype=writes[0].dtype, **parameters, **geometry.parameters),
        node,
        reads=reads,
        writes=writes,
        arguments=[*reads, *writes, *geometry.words],
        tasks=image[0] * image[1] if writes[0].size else 0,
    )


@lowers(MaxPool)
def lower_max_pool(steps: Steps, op: MaxPool, node: Apply) -> None:
    """Find the maxima and their positions, together with the convolution whose maps they are of."""
    if lower_pool(steps, node):
        return
    _lower(steps, op, node, "max_pool", shape_of(node.inputs[0]))


@lowers(MaxUnpool)
def lower_max_unpool(steps: Steps, op: MaxUnpool, node: Apply) -> None:
    """Return the values to the positions of the maxima, unless their readers do without the zeros."""
    if is_spread(steps, node):
        _lower(steps, op, node, "max_pool_gradient", shape_of(node.outputs[0]))


@lowers(MaxPick)
def lower_max_pick(steps: Steps, op: MaxPick, node: Apply) -> None:
    """Pick the elements at the positions of the maxima."""
    _lower(steps, op, node, "max_pool_gather", shape_of(node.inputs[0]))


@lowers(SumPool)
def lower_sum_pool(steps: Steps, op: SumPool, node: Apply) -> None:
    """Sum or average the windows."""
    _lower(steps, op, node, "sum_pool", shape_of(node.inputs[0]), mode=op.mode)


@lowers(SumUnpool)
def lower_sum_unpool(steps: Steps, op: SumUnpool, node: Apply) -> None:
    """Spread the values over their windows."""
    _lower(steps, op, node, "sum_pool_gradient", shape_of(node.outputs[0]), mode=op.mode)
