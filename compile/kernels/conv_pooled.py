"""Gradients of a convolution whose output's gradient comes through a max-pooling.

Of the elements of that gradient all but one a window are zero: with windows of 2 by 2, three of four. Here
they are not even written: of each window a value is known and the place of its maximum, and a value that is
zero too (behind a relu) is left out. The gradient of the filters adds up one *patch* of the image a window;
the gradient of the image adds one filter to a patch for each.

So that a patch is long runs of memory, channels come last in the images, in blocks that stay in the
first-level cache: ``[image][block][row][column][channel]``. A run is a row of the filter over all channels of
a block. Where these are few the rows are *unfolded*, and the whole patch is one run:
``[image][block][output row][column][tap row][channel]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from arignote.compile.kernels.conv_geometry import POINT, ConvGeometry
from arignote.compile.kernels.plan import PlanePlan, promises_planes
from arignote.compile.lowering import Steps, shape_of
from arignote.compile.simd import VectorUnit, host
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply, Variable
from arignote.engine.ops.conv import ConvFilterGradient, ConvInputGradient
from arignote.engine.ops.pool import MaxUnpool

Kernel = Callable[[Any, Any, int, int], int]
BLOCK_BYTES = 24 << 10  # of an image's block: half a first-level cache
MOST_SUMS = 24  # vectors of sums, of 32 registers
FEWEST_TASKS = 4
SORTED_BYTES = 1 << 20  # of scratch memory, at most, for the values of an image in the order of their places
SPARSE = 4  # elements a window: with fewer, dense kernels are as fast


class PatchSizes(NamedTuple):
    """The sizes of `Patches`."""

    height: int
    width: int
    top: int
    left: int
    out_columns: int
    rows: int
    pitch: int


@dataclass(frozen=True)
class Patches(PlanePlan):
    """How images are laid out in patches.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    geometry : ConvGeometry
        The convolution, of one group, without a depth or dilation.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry

    @classmethod
    def of(cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], promised: bool) -> Any:
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), promised=promised)

    @property
    def typical(self) -> Any:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @property
    def is_unfolded(self) -> bool:
        """Whether a patch is one run."""
        return False

    @property
    def rows(self) -> int:
        """Rows of a packed image."""
        rows = self.geometry.rows
        return rows.outputs if self.is_unfolded else (rows.outputs - 1) * rows.stride + rows.taps

    @property
    def pitch(self) -> int:
        """Columns of a packed image."""
        columns = self.geometry.columns
        return (columns.outputs - 1) * columns.stride + columns.taps

    @property
    def unfolding(self) -> int:
        """How many rows of the image lie in one of a packed one."""
        return self.geometry.rows.taps if self.is_unfolded else 1

    @property
    def block(self) -> int:
        """Channels of a block."""
        channels, pixels = self.geometry.channels, self.built.rows * self.built.pitch * self.unfolding
        by_cache = BLOCK_BYTES // max(1, pixels * self.itemsize)
        by_registers = MOST_SUMS * self.lanes // (self.geometry.columns.taps * self.unfolding)
        most = min(by_cache, by_registers)
        if channels <= most:
            return channels
        most = max(1, most // self.lanes)
        return min(channels, -(-channels // -(-channels // (most * self.lanes)) // self.lanes) * self.lanes)

    @property
    def blocks(self) -> int:
        """Blocks of an image."""
        return -(-self.geometry.channels // self.block)

    @property
    def run(self) -> int:
        """Elements of a run."""
        return self.geometry.columns.taps * self.unfolding * self.block

    @property
    def runs(self) -> int:
        """Runs of a patch."""
        return 1 if self.is_unfolded else self.geometry.rows.taps

    @property
    def vectors(self) -> int:
        """Vectors of a run."""
        return -(-self.run // self.lanes)

    @property
    def group(self) -> int:
        """Runs whose sums are in registers together."""
        most = max(1, MOST_SUMS // self.vectors)
        return -(-self.runs // -(-self.runs // most))

    @property
    def groups(self) -> int:
        """Groups of runs in a patch."""
        return -(-self.runs // self.group)

    @property
    def pixel(self) -> int:
        """Elements of a column of a packed image."""
        return self.unfolding * self.block

    def elements(self, images: int) -> int:
        """Count the elements of packed images, with room for the last vector of the last patch."""
        return images * self.blocks * self.rows * self.pitch * self.pixel + self.lanes

    @property
    def sizes(self) -> PatchSizes:
        """Extents of the images and of the packed images."""
        rows, columns = self.geometry.rows, self.geometry.columns
        return PatchSizes(
            rows.extent, columns.extent, rows.low, columns.low, columns.outputs, self.rows, self.pitch
        )

    @property
    def is_possible(self) -> bool:
        """Whether the convolution is of the kind."""
        geometry = self.geometry
        undilated = geometry.rows.dilation == geometry.columns.dilation == 1
        return geometry.groups == 1 and geometry.depth == POINT and undilated and self.vectors <= MOST_SUMS


@dataclass(frozen=True)
class FilterPatches(Patches):
    """How the gradient of the filters is cut into tasks: filters, and runs of their patches.

    Arguments of the kernel: the addresses of the packed images, of the values, of their places and of the
    gradient of the filters, the number of images, and that of windows over a map.
    """

    @property
    def is_unfolded(self) -> bool:
        """Whether a patch is one run, because so it has fewer vectors."""
        columns, rows = self.geometry.columns.taps * self.geometry.channels, self.geometry.rows.taps
        return -(-columns * rows // self.lanes) < rows * -(-columns // self.lanes) * 3 // 4

    @property
    def filter_block(self) -> int:
        """Filters of a task."""
        parts = -(-FEWEST_TASKS // (self.blocks * self.groups))
        return -(-self.geometry.filters // parts)

    @property
    def tasks(self) -> int:
        """Count the tasks."""
        return self.blocks * self.groups * -(-self.geometry.filters // self.filter_block)

    def scratch_bytes(self, windows: int) -> int:
        """Bytes of scratch memory a thread needs: the list, and the sums."""
        return 16 * capacity(windows) + self.filter_block * self.group * self.vectors * self.unit.size

    @property
    def is_served(self) -> bool:
        """Whether it is done so, and is done better so."""
        return self.is_possible and SPARSE * self.run > self.vectors * self.lanes


@dataclass(frozen=True)
class ImagePatches(Patches):
    """How the gradient of the images is cut into tasks: images.

    Arguments of the kernel: the addresses of the packed filters, of the values, of their places and of the
    gradient of the images, the number of images, and that of windows over a map.
    """

    @property
    def filter_size(self) -> int:
        """Elements of a packed filter over a block of channels."""
        return self.runs * self.vectors * self.lanes

    @property
    def packed_filters(self) -> int:
        """Elements of all packed filters."""
        return self.blocks * self.geometry.filters * self.filter_size

    def scratch_bytes(self, windows: int) -> int:
        """Bytes of scratch memory a thread needs: how often each place occurs, the list, and a block."""
        entries = 16 * capacity(self.geometry.filters * windows)
        image = self.rows * self.pitch * self.pixel * self.itemsize
        return 8 * capacity(self.geometry.rows.outputs * self.geometry.columns.outputs) + entries + image

    def is_served(self, windows: int) -> bool:
        """Whether it is done so, and is done better so."""
        is_small = self.scratch_bytes(windows) <= SORTED_BYTES
        return self.is_possible and is_small and SPARSE * self.run > 2 * self.vectors * self.lanes


def capacity(count: int) -> int:
    """Return the room for a list of so many elements, and as many as fill the last step."""
    return (count + 15) // 8 * 8


def pack(**parameters: Any) -> Kernel:
    """Build the kernel that packs images for a :class:`FilterPatches`; a task is a row of a block.

    Arguments: the addresses of the images and of the packed images, the number of images, and the strides of
    images, channels, rows and columns.
    """
    from arignote.compile.intrinsics import advance, pointer_to, sizes_of

    plan = FilterPatches.of(**parameters)
    pointer, sizes = pointer_to(plan.dtype), sizes_of(plan, after=7)
    channels, block, blocks, unfolding = plan.geometry.channels, plan.block, plan.blocks, plan.unfolding
    pixel, row_step = plan.pixel, plan.geometry.rows.stride if plan.is_unfolded else 1

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size = sizes(args)
        for task in range(begin, end):
            row, part = task % size.rows, task // size.rows
            first, image = part % blocks * block, part // blocks
            target = advance(pointer(args[1]), task * (size.pitch * pixel))
            start, stop = min(size.left, size.pitch), min(size.left + size.width, size.pitch)
            for r in range(unfolding):
                y = row * row_step + r - size.top
                for c in range(block):
                    column = advance(target, r * block + c)
                    if y < 0 or y >= size.height or first + c >= channels:
                        for x in range(size.pitch):
                            column[x * pixel] = 0
                    else:
                        place = image * args[3] + (first + c) * args[4] + y * args[5] - size.left * args[6]
                        source, step = advance(pointer(args[0]), place), args[6]
                        for x in range(start):
                            column[x * pixel] = 0
                        for x in range(start, stop):
                            column[x * pixel] = source[x * step]
                        for x in range(stop, size.pitch):
                            column[x * pixel] = 0
        return 0

    return kernel


def pack_filters(**parameters: Any) -> Kernel:
    """Build the kernel that packs filters for an :class:`ImagePatches`; a task is a filter over a block.

    Arguments: the addresses of the filters and of the packed filters.
    """
    from arignote.compile.intrinsics import advance, pointer_to

    plan = ImagePatches.of(**parameters)
    pointer, geometry = pointer_to(plan.dtype), plan.geometry
    channels, block, filters, filter_size = geometry.channels, plan.block, geometry.filters, plan.filter_size
    height, width, line = geometry.rows.taps, geometry.columns.taps, plan.vectors * plan.lanes
    (first_row, row_step), (first_column, column_step) = geometry.rows.order, geometry.columns.order

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        for task in range(begin, end):
            first, k = task // filters * block, task % filters
            source = advance(pointer(args[0]), (k * channels + first) * (height * width))
            target = advance(pointer(args[1]), task * filter_size)
            for i in range(filter_size):
                target[i] = 0
            for c in range(min(block, channels - first)):
                for r in range(height):
                    for s in range(width):
                        tap = (first_row + row_step * r) * width + first_column + column_step * s
                        target[r * line + s * block + c] = source[c * height * width + tap]
        return 0

    return kernel


def filter_gradient(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`FilterPatches`, whose fields are the parameters."""
    from numba import types
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.patch_tile import gathered, list_step

    plan = FilterPatches.of(**parameters)
    geometry, lanes, block, blocks = plan.geometry, plan.lanes, plan.block, plan.blocks
    filters, channels, filter_block, pixel = (
        geometry.filters,
        geometry.channels,
        plan.filter_block,
        plan.pixel,
    )
    runs, group, groups, vectors = plan.runs, plan.group, plan.groups, plan.vectors
    height, width, unfolding, is_unfolded = (
        geometry.rows.taps, geometry.columns.taps, plan.unfolding, plan.is_unfolded,
    )  # fmt: skip
    row_stride = 1 if is_unfolded else geometry.rows.stride
    column_stride = geometry.columns.stride
    (first_row, row_step), (first_column, column_step) = geometry.rows.order, geometry.columns.order
    line, sum_size = vectors * lanes, group * vectors * lanes
    pointer, places_at, sizes = pointer_to(plan.dtype), pointer_to("int32"), sizes_of(plan, after=6)
    list_of, numbers_of, uint32 = cast_to("int32"), cast_to(plan.dtype), types.uint32
    # The last group may have fewer runs; the lists of both fill the steps of the shorter tile.
    rest = runs - (groups - 1) * group
    tile, last_tile = gathered(plan.dtype, lanes, group, vectors), gathered(plan.dtype, lanes, rest, vectors)
    step, last_step = list_step(group, vectors), list_step(rest, vectors)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def listed(
        values: Any,
        positions: Any,
        windows: int,
        columns: int,
        row: int,
        column: int,
        places: Any,
        numbers: Any,
    ) -> int:
        """List where the patches of values that are not zero begin; return how many there are."""
        count = 0
        for window in range(windows):  # in vectors
            position = uint32(positions[window])
            y = position // uint32(columns)
            places[window] = y * row + (position - y * columns) * column
            numbers[window] = values[window]
            count += values[window] != 0
        if count < windows:
            count = 0
            for window in range(windows):
                number = numbers[window]
                places[count], numbers[count] = places[window], number
                count += number != 0
        return count

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size, images, windows = sizes(args), args[4], args[5]
        room = (windows + 15) // 8 * 8
        places, numbers = list_of(scratch), numbers_of(advance(scratch, 8 * room))
        sums = numbers_of(advance(scratch, 16 * room))
        packed_row = size.pitch * pixel
        image_size = size.rows * packed_row
        for task in range(begin, end):
            part, first = task % (blocks * groups), task // (blocks * groups) * filter_block
            channel_block, run_group = part // groups, part % groups
            last, first_run = min(filters, first + filter_block), run_group * group
            for i in range((last - first) * sum_size):
                sums[i] = 0
            for image in range(images):
                start = (image * blocks + channel_block) * image_size + first_run * packed_row
                packed = advance(pointer(args[0]), start)
                for k in range(first, last):
                    plane = (image * filters + k) * windows
                    count = listed(
                        advance(pointer(args[1]), plane), advance(places_at(args[2]), plane), windows,
                        size.out_columns, row_stride * packed_row, column_stride * pixel, places, numbers,
                    )  # fmt: skip
                    total = advance(sums, (k - first) * sum_size)
                    is_last = run_group == groups - 1
                    multiple = last_step if is_last else step
                    while count % multiple != 0:
                        places[count], numbers[count] = places[count - 1], 0
                        count += 1
                    if is_last:
                        last_tile(count, places, numbers, packed, packed_row, total)
                    else:
                        tile(count, places, numbers, packed, packed_row, total)
            first_channel = channel_block * block
            for k in range(first, last):
                result = advance(pointer(args[3]), (k * channels + first_channel) * height * width)
                for number in range(min(group, runs - first_run)):
                    total = advance(sums, (k - first) * sum_size + number * line)
                    for s in range(width):
                        for u in range(unfolding):
                            r = first_row + row_step * (u if is_unfolded else first_run + number)
                            tap = r * width + first_column + column_step * s
                            for c in range(min(block, channels - first_channel)):
                                result[c * height * width + tap] = total[(s * unfolding + u) * block + c]
        return 0

    return kernel


def input_gradient(**parameters: Any) -> Kernel:
    """Build the kernel of an :class:`ImagePatches`, whose fields are the parameters."""
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.patch_tile import scattered

    plan = ImagePatches.of(**parameters)
    geometry, lanes, block, blocks = plan.geometry, plan.lanes, plan.block, plan.blocks
    filters, channels, filter_size = geometry.filters, geometry.channels, plan.filter_size
    runs, run, group, groups, vectors = plan.runs, plan.run, plan.group, plan.groups, plan.vectors
    row_stride, column_stride, line = geometry.rows.stride, geometry.columns.stride, vectors * lanes
    height = geometry.rows.taps
    pointer, places_at, sizes = pointer_to(plan.dtype), pointer_to("int32"), sizes_of(plan, after=6)
    list_of, counts_of, numbers_of = cast_to("int32"), cast_to("int64"), cast_to(plan.dtype)
    rest = runs - (groups - 1) * group
    tile, last_tile = (scattered(plan.dtype, lanes, count, vectors) for count in (group, rest))

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def sort(
        values: Any, positions: Any, windows: int, outputs: int, ends: Any, places: Any, numbers: Any
    ) -> None:
        """List the filters and values of each place that has values other than zero, place by place."""
        for i in range(outputs):
            ends[i] = 0
        for i in range(filters * windows):
            if values[i] != 0:
                ends[positions[i]] += 1
        total = 0
        for i in range(outputs):
            count = ends[i]
            ends[i] = total
            total += count
        for k in range(filters):
            for i in range(k * windows, (k + 1) * windows):
                position = positions[i]
                if values[i] != 0:
                    place = ends[position]
                    places[place], numbers[place] = k * filter_size, values[i]
                    ends[position] = place + 1

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size, windows = sizes(args), args[5]
        columns = size.out_columns
        outputs = ((size.rows - height) // row_stride + 1) * columns
        ends, start = counts_of(scratch), 8 * ((outputs + 15) // 8 * 8)
        room = 8 * ((filters * windows + 15) // 8 * 8)
        places, numbers = list_of(advance(scratch, start)), numbers_of(advance(scratch, start + room))
        packed = numbers_of(advance(scratch, start + 2 * room))
        packed_row = size.pitch * block
        for image in range(begin, end):
            plane = image * filters * windows
            sort(
                advance(pointer(args[1]), plane), advance(places_at(args[2]), plane),
                windows, outputs, ends, places, numbers,
            )  # fmt: skip
            for channel_block in range(blocks):
                for i in range(size.rows * packed_row):
                    packed[i] = 0
                for number in range(groups):
                    first = channel_block * filters * filter_size + number * group * line
                    weights, begun = advance(pointer(args[0]), first), 0
                    for position in range(outputs):
                        count = ends[position] - begun
                        if count > 0:
                            y = position // columns
                            place = (
                                y * row_stride * packed_row + (position - y * columns) * column_stride * block
                            )
                            patch = advance(packed, place + number * group * packed_row)
                            listed, values = advance(places, begun), advance(numbers, begun)
                            if number == groups - 1:
                                last_tile(count, listed, values, weights, line, patch, packed_row, run)
                            else:
                                tile(count, listed, values, weights, line, patch, packed_row, run)
                            begun += count
                first = channel_block * block
                for c in range(min(block, channels - first)):
                    plane = (image * channels + first + c) * size.height
                    for y in range(size.height):
                        result = advance(pointer(args[3]), (plane + y) * size.width)
                        u = y + size.top
                        if u >= size.rows:
                            for x in range(size.width):
                                result[x] = 0
                        else:
                            source = advance(packed, (u * size.pitch + size.left) * block + c)
                            stop = min(size.width, max(size.pitch - size.left, 0))
                            for x in range(stop):
                                result[x] = source[x * block]
                            for x in range(stop, size.width):
                                result[x] = 0
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def _is_sparse(maps: Variable) -> bool:
    """Tell whether a gradient of maps is one of a max-pooling with few windows."""
    op = maps.owner.op if maps.owner is not None else None
    return isinstance(op, MaxUnpool) and math.prod(op.stride) >= SPARSE and maps.dtype.startswith("float")


def _filter_plan(op: ConvFilterGradient, node: Apply) -> FilterPatches | None:
    images, maps = node.inputs[:2]
    if not _is_sparse(maps) or op.unshared:
        return None
    geometry = ConvGeometry.between(op, shape_of(images), shape_of(node.outputs[0]))
    plan = FilterPatches(maps.dtype, host(), geometry, promised=promises_planes(images, maps))
    return plan if plan.is_served else None


def _image_plan(op: ConvInputGradient, node: Apply) -> ImagePatches | None:
    filters, maps = node.inputs[:2]
    if not _is_sparse(maps) or op.unshared:
        return None
    geometry = ConvGeometry.between(op, shape_of(node.outputs[0]), shape_of(filters))
    plan = ImagePatches(maps.dtype, host(), geometry, promised=promises_planes(maps, node.outputs[0]))
    assert maps.owner is not None
    return plan if plan.is_served(math.prod(shape_of(maps.owner.inputs[0])[2:])) else None


def is_spread(steps: Steps, unpool: Apply) -> bool:
    """Tell whether somebody needs the gradient of a max-pooling as an array, zeros and all."""

    def spares(reader: Apply | None) -> bool:
        if reader is None:
            return False
        op = reader.op
        return (isinstance(op, ConvFilterGradient) and _filter_plan(op, reader) is not None) or (
            isinstance(op, ConvInputGradient) and _image_plan(op, reader) is not None
        )

    return not all(map(spares, steps.readers[unpool.outputs[0]]))


def lower_filter_gradient(steps: Steps, op: ConvFilterGradient, node: Apply) -> bool:
    """Pack the images and add up their patches, if the maps' gradient is a max-pooling's."""
    plan = _filter_plan(op, node)
    if plan is None:
        return False
    images, maps = node.inputs[:2]
    values, places = _values_and_places(steps, maps, node)
    view, target = steps.view(images), steps.allocate(node.outputs[0])
    count, windows = view.shape[0], math.prod(values.shape[2:])
    packed = steps.temporary(view.dtype, (plan.elements(count),))
    steps.step(
        KernelSpec.of("conv_pooled:pack", **plan.parameters),
        node,
        reads=[view],
        writes=[packed],
        arguments=[view, packed, count, *view.strides, *plan.words],
        tasks=count * plan.blocks * plan.rows if target.size else 0,
    )
    steps.step(
        KernelSpec.of("conv_pooled:filter_gradient", **plan.parameters),
        node,
        reads=[packed, values, places],
        writes=[target],
        arguments=[packed, values, places, target, count, windows, *plan.words],
        tasks=plan.tasks if target.size else 0,
        scratch=plan.scratch_bytes(windows),
        flops=2 * values.size * plan.geometry.channels * plan.geometry.filter_size,
    )
    return True


def lower_input_gradient(steps: Steps, op: ConvInputGradient, node: Apply) -> bool:
    """Add filters to patches of the images' gradient, if the maps' is a max-pooling's."""
    plan = _image_plan(op, node)
    if plan is None:
        return False
    filters, maps = node.inputs[:2]
    values, places = _values_and_places(steps, maps, node)
    view, target = steps.contiguous(filters, node), steps.allocate(node.outputs[0])
    count, windows = values.shape[0], math.prod(values.shape[2:])
    packed = steps.temporary(view.dtype, (plan.packed_filters,))
    steps.step(
        KernelSpec.of("conv_pooled:pack_filters", **plan.parameters),
        node,
        reads=[view],
        writes=[packed],
        arguments=[view, packed],
        tasks=plan.blocks * plan.geometry.filters if target.size else 0,
    )
    steps.step(
        KernelSpec.of("conv_pooled:input_gradient", **plan.parameters),
        node,
        reads=[packed, values, places],
        writes=[target],
        arguments=[packed, values, places, target, count, windows, *plan.words],
        tasks=count if target.size else 0,
        scratch=plan.scratch_bytes(windows),
        flops=2 * values.size * plan.geometry.channels * plan.geometry.filter_size,
    )
    return True


def _values_and_places(steps: Steps, maps: Variable, node: Apply) -> list[View]:
    assert maps.owner is not None
    return [steps.contiguous(x, node) for x in maps.owner.inputs[:2]]
