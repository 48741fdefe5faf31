"""Pooling: the maximum, sum or mean of each window of an image, and the transposes of these maps.

All kernels treat images as planes, of which each is a task; how many there are (batch times channels) is not
baked in. Window (p, q) covers the rows from ``p*stride - pad`` on and the columns likewise, as many as the
window has; what lies outside the plane never is a maximum and adds nothing.

The forward kernels make vectors of neighbouring windows of one row. The transposes do not scatter: every row
of the image gathers, from the few windows over it, vectors of what they hold for it, and is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.engine.graph import Apply
from arignote.engine.ops.pool import MaxPick, MaxPool, MaxUnpool, Pooling, SumPool, SumUnpool

from ..lowering import Plan as Steps
from ..lowering import lowers, shape_of
from ..simd import host
from ..spec import KernelSpec
from ..views import View
from .plan import Plan

if TYPE_CHECKING:
    from ..windows import Windows

Pair = tuple[int, int]
Kernel = Callable[[Any, Any, int, int], int]


@dataclass(frozen=True)
class PoolGeometry(Plan):
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

    def along_row(self, dtype: str, count: int) -> Windows:
        """Return the vectors of windows along a row, for a loop over `count` of them."""
        from ..windows import Windows

        widest = host().size // max(
            4, np.dtype(dtype).itemsize
        )  # no more than a register has int32 positions
        lanes = min(widest, 1 << max(count - 1, 0).bit_length())
        return Windows(dtype, lanes, self.window[1], self.stride[1], self.columns, self.out_columns)

    def weights(self, mode: str) -> tuple[Callable[[int], float], Pair | None]:
        """Return what the sum of a window is multiplied by, in two factors.

        Parameters
        ----------
        mode : {'sum', 'average_inc_pad', 'average_exc_pad'}

        Returns
        -------
        weight_at : callable
            For compiled code: a window's first row to one factor.
        counted : (int, int) or None
            The range of columns by whose number in the window to divide; None if the first factor is all.
        """
        from numba.extending import register_jitable

        if mode == "sum":
            return register_jitable(lambda top: 1.0), None
        size_rows, size_columns = self.window
        low_row, low_column = (-pad if mode == "average_inc_pad" else 0 for pad in self.pad)
        high_row, high_column = self.rows - low_row, self.columns - low_column
        last_left = (self.out_columns - 1) * self.stride[1] - self.pad[1]
        all_whole = low_column <= -self.pad[1] and last_left + size_columns <= high_column
        columns_of_all = size_columns if all_whole else 1

        def weight_at(top):
            return 1.0 / (columns_of_all * (min(top + size_rows, high_row) - max(top, low_row)))

        return register_jitable(weight_at), None if all_whole else (low_column, high_column)


def _fold_windows(
    g: PoolGeometry, dtype: str, windows: Windows, nothing: Any, fold: Callable[[bool], Any], finish: Any
) -> Kernel:
    """Build a kernel that folds the rows of each window, for vectors of windows.

    Parameters
    ----------
    nothing : callable
        ``(first row's flat index, left) -> state`` before any row.
    fold : callable
        Of whether windows reach over the ends of a row, to ``(state, row, its flat index, left) -> state``.
    finish : callable
        ``(args, row among all rows of windows, column, top, left, state)`` writes the results.
    """
    from ..intrinsics import advance, pointer_to

    rows, columns, out_rows, out_columns = g.rows, g.columns, g.out_rows, g.out_columns
    (window_rows, _), (stride_rows, stride_columns), (pad_rows, pad_columns) = g.window, g.stride, g.pad
    elements = pointer_to(dtype)
    lanes, reach = windows.lanes, windows.reach
    last_block = max(out_columns - lanes, 0)  # overlaps the one before it rather than the end of the row
    fold_inside, fold_clipped = fold(False), fold(True)

    def kernel(args, scratch, begin, end):
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
                            state = fold_inside(state, advance(image, i * columns), i * columns, left)
                    else:
                        for i in range(first, stop):
                            state = fold_clipped(state, advance(image, i * columns), i * columns, left)
                    finish(args, plane * out_rows + row, column, top, left, state)
        return 0

    return kernel


def _gather_windows(
    g: PoolGeometry, dtype: str, windows: Windows, groups: int, image_word: int, gather: Callable[[bool], Any]
) -> Kernel:
    """Build a kernel that adds up, for every element of an image, what the windows over it hold for it.

    Parameters
    ----------
    groups : int
        Spans of one stride from the padding's first column to the image's last.
    image_word : int
        Which argument of the kernel is the address of the images to write.
    gather : callable
        Of whether a vector of windows, or of their elements, reaches over the ends of its row, to
        ``(args, phases, row among all rows of windows, top, first window, row, left) -> phases``.
    """
    from ..intrinsics import advance, pointer_to
    from ..windows import write, zeros

    rows, columns, out_rows, out_columns = g.rows, g.columns, g.out_rows, g.out_columns
    (window_rows, _), (stride_rows, stride_columns), (pad_rows, pad_columns) = g.window, g.stride, g.pad
    elements = pointer_to(dtype)
    lanes, earlier, width = windows.lanes, windows.earlier, windows.lanes * stride_columns
    last_block = max(groups - lanes, 0)
    nothing = zeros(windows.vector, stride_columns)
    gather_inside, gather_clipped = gather(False), gather(True)
    write_inside = write(windows.vector, stride_columns, columns, False)
    write_clipped = write(windows.vector, stride_columns, columns, True)

    def kernel(args, scratch, begin, end):
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
                            phases = gather_inside(args, phases, plane * out_rows + i, top, window, row, left)
                        write_inside(image_row, left, phases)
                    else:
                        for i in range(first, stop):
                            top = i * stride_rows - pad_rows
                            phases = gather_clipped(
                                args, phases, plane * out_rows + i, top, window, row, left
                            )
                        write_clipped(image_row, left, phases)
        return 0

    return kernel


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

    from ..intrinsics import advance, pointer_to
    from ..windows import write

    g = PoolGeometry(**geometry)
    out_columns = g.out_columns
    windows = g.along_row(dtype, out_columns)
    values, places = pointer_to(dtype), pointer_to("int32")
    write_maxima = write(windows.vector, 1, out_columns, windows.lanes > out_columns)
    write_places = write(windows.places, 1, out_columns, windows.lanes > out_columns)

    @register_jitable
    def finish(args, row, column, top, left, state):
        maxima, positions = state
        write_maxima(advance(values(args[1]), row * out_columns), column, (maxima,))
        write_places(advance(places(args[2]), row * out_columns), column, (positions,))

    return _fold_windows(g, dtype, windows, windows.no_maxima(), windows.larger, finish)


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
    columns, out_columns = g.columns, g.out_columns
    groups = -(-(columns + g.pad[1]) // g.stride[1])
    windows = g.along_row(dtype, groups)
    values, places = pointer_to(dtype), pointer_to("int32")

    def gather(clipped: bool) -> Any:
        return_to_maxima = windows.return_to_maxima(clipped)

        @register_jitable
        def gather(args, phases, window_row, top, window, row, left):
            value_row = advance(values(args[0]), window_row * out_columns)
            place_row = advance(places(args[1]), window_row * out_columns)
            return return_to_maxima(phases, value_row, place_row, window, row * columns + left)

        return gather

    return _gather_windows(g, dtype, windows, groups, 2, gather)


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
    from ..intrinsics import advance, pointer_to

    g = PoolGeometry(**geometry)
    pixels, count = g.rows * g.columns, g.out_rows * g.out_columns
    elements, places = pointer_to(dtype), pointer_to("int32")

    def kernel(args, scratch, begin, end):
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

    from ..intrinsics import advance, pointer_to
    from ..windows import write, zeros

    g = PoolGeometry(**geometry)
    out_columns = g.out_columns
    windows = g.along_row(dtype, out_columns)
    values = pointer_to(dtype)
    weight_at, counted = g.weights(mode)
    scale = windows.scale(counted)
    write_sums = write(windows.vector, 1, out_columns, windows.lanes > out_columns)

    @register_jitable
    def finish(args, row, column, top, left, state):
        sums = scale(state, left, weight_at(top))
        write_sums(advance(values(args[1]), row * out_columns), column, sums)

    return _fold_windows(g, dtype, windows, zeros(windows.vector, 1), windows.add, finish)


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
    out_columns = g.out_columns
    groups = -(-(g.columns + g.pad[1]) // g.stride[1])
    windows = g.along_row(dtype, groups)
    values = pointer_to(dtype)
    weight_at, counted = g.weights(mode)

    def gather(clipped: bool) -> Any:
        spread = windows.spread(clipped, counted)

        @register_jitable
        def gather(args, phases, window_row, top, window, row, left):
            value_row = advance(values(args[0]), window_row * out_columns)
            return spread(phases, value_row, window, left, weight_at(top))

        return gather

    return _gather_windows(g, dtype, windows, groups, 1, gather)


# ------------------------------------------------------------------------------------------- lowering


def _lower(
    steps: Steps, op: Pooling, node: Apply, kernel: str, image: tuple[int, ...], **parameters: str
) -> None:
    """Add the step of a kernel whose tasks are planes, over the node's arrays and then its outputs."""
    reads = [steps.contiguous(x, node) for x in node.inputs if x.ndim]
    writes: list[View] = [steps.allocate(x) for x in node.outputs]
    rows, columns = image[2:]
    out_rows, out_columns = (int(extent or 0) for extent in op.output_extents(image[2:]))
    geometry = PoolGeometry(rows, columns, op.window, op.stride, op.pad, out_rows, out_columns)
    steps.step(
        KernelSpec.of(f"pool:{kernel}", dtype=writes[0].dtype, **parameters, **geometry.parameters),
        node,
        reads=reads,
        writes=writes,
        arguments=[*reads, *writes],
        tasks=image[0] * image[1] if writes[0].size else 0,
    )


@lowers(MaxPool)
def lower_max_pool(steps: Steps, op: MaxPool, node: Apply) -> None:
    """Find the maxima and their positions."""
    _lower(steps, op, node, "max_pool", shape_of(node.inputs[0]))


@lowers(MaxUnpool)
def lower_max_unpool(steps: Steps, op: MaxUnpool, node: Apply) -> None:
    """Return the values to the positions of the maxima."""
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
