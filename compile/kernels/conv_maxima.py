"""A convolution and the max-pooling of its maps in one pass, which never writes the maps.

A task computes a tile of filters over some rows of windows into scratch memory, as
:mod:`~arignote.compile.kernels.conv_correlate` does, and takes the maxima from there, where they are still in
the first-level cache. Each window lies within the maps, and within the rows of one task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from arignote.compile.kernels.conv_bands import Bands
from arignote.compile.kernels.conv_correlate import BLOCK_VECTORS, EVEN_VECTORS, Correlation
from arignote.compile.kernels.conv_geometry import POINT, ConvGeometry
from arignote.compile.kernels.conv_pack import Packing, packed_images
from arignote.compile.kernels.plan import PlanePlan, promises_planes
from arignote.compile.lowering import Steps, shape_of
from arignote.compile.simd import VectorUnit, host, tile_shape
from arignote.compile.spec import KernelSpec
from arignote.engine.graph import Apply
from arignote.engine.ops.conv import Conv
from arignote.engine.ops.pool import MaxPool

Kernel = Callable[[Any, Any, int, int], int]


class MaximaSizes(NamedTuple):
    """The sizes of `Maxima`."""

    columns: int
    out_rows: int
    out_columns: int
    pitch: int
    channel_size: int
    image_size: int
    window_rows: int
    row_blocks: int
    block_size: int
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Maxima(PlanePlan):
    """How a convolution and its pooling are cut into tasks: tiles of filters over rows of windows.

    Arguments of the kernel: the addresses of the packed images, of the filters, of the maxima and of their
    places, as `pool.max_pool` has them.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    geometry : ConvGeometry
        The convolution, without a depth.
    window, stride : (int, int)
        Of the pooling, in rows and columns.
    placed : bool
        Whether the places are asked for.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry
    window: tuple[int, int]
    stride: tuple[int, int]
    placed: bool

    @classmethod
    def of(cls, unit: tuple[int, int], geometry: tuple[Any, ...], **parameters: Any) -> Maxima:
        """Read the plan from a builder's parameters."""
        return cls(unit=VectorUnit(*unit), geometry=ConvGeometry.of(geometry), **parameters)

    @property
    def typical(self) -> Maxima:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def whole(self) -> Correlation:
        """The convolution alone."""
        return Correlation(self.dtype, self.unit, self.geometry, gradient=False, promised=self.promised)

    @property
    def packing(self) -> Packing:
        """How the images have to be packed."""
        return self.whole.packing

    @property
    def out_rows(self) -> int:
        """Rows of windows that lie within the maps."""
        return (self.geometry.rows.outputs - self.window[0]) // self.stride[0] + 1

    @property
    def out_columns(self) -> int:
        """Windows of such a row."""
        return (self.geometry.columns.outputs - self.window[1]) // self.stride[1] + 1

    @property
    def window_rows(self) -> int:
        """Rows of windows of a task."""
        lines = max(1, BLOCK_VECTORS * self.whole.lanes // self.packing.pitch)
        most = max(1, (lines - self.window[0]) // self.stride[0] + 1)
        return -(-self.out_rows // -(-self.out_rows // most))

    @property
    def rows(self) -> int:
        """Rows of the maps that these are taken from."""
        return (self.window_rows - 1) * self.stride[0] + self.window[0]

    @property
    def row_blocks(self) -> int:
        """Blocks of rows in an image."""
        return -(-self.out_rows // self.window_rows)

    @property
    def tile(self) -> tuple[int, int]:
        """Filters and vectors of positions of a register tile."""
        if self.promised:
            positions = (self.rows - 1) * self.packing.pitch + self.geometry.columns.outputs
            vectors = -(-positions // self.whole.lanes)
        else:
            vectors = EVEN_VECTORS
        return tile_shape(self.geometry.filters, vectors, self.unit, column_loads=2)

    @property
    def block_size(self) -> int:
        """Elements of scratch memory for one filter."""
        width = self.tile[1] * self.whole.lanes
        return -(-self.rows * self.packing.pitch // width) * width

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs, with room for the widest read behind the last row."""
        widest = self.window[1] + self.whole.lanes * self.stride[1]
        return (self.tile[0] * self.block_size + widest) * np.dtype(self.dtype).itemsize

    @property
    def sizes(self) -> MaximaSizes:
        """Extents of the maps, of the windows and of the packed images, and where the taps read."""
        packing = self.packing
        return MaximaSizes(
            self.geometry.columns.outputs,
            self.out_rows,
            self.out_columns,
            packing.pitch,
            packing.channel_size,
            packing.image_size,
            self.window_rows,
            self.row_blocks,
            self.block_size,
            tuple(offset for _, offset in self.whole.taps[0]),
        )

    def tasks(self, images: int) -> int:
        """Count the tasks, whose images are all groups of an image."""
        return images * self.geometry.groups * self.row_blocks * -(-self.geometry.filters // self.tile[0])


def maxima(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Maxima`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, opaque, pointer_to, sizes_of
    from arignote.compile.kernels.pool import vectors_along_row, writer
    from arignote.compile.tile import outer

    plan = Maxima.of(**parameters)
    geometry, (filters, vectors), placed = plan.geometry, plan.tile, plan.placed
    outputs, channels, groups = geometry.filters, geometry.channels, geometry.groups
    width, tiles, even = vectors * plan.whole.lanes, -(-outputs // filters), outputs % filters == 0
    filter_step, channel_step = channels * geometry.filter_size, geometry.filter_size
    left_offsets = [[offset for offset, _ in plan.whole.taps[0]]]
    pointer, block_of, sizes = pointer_to(plan.dtype), cast_to(plan.dtype), sizes_of(plan, after=4)
    tile = outer(plan.dtype, plan.whole.lanes, filters, vectors, left_offsets, masked=False)
    (window_rows, window_columns), (row_step, column_step) = plan.window, plan.stride
    windows = vectors_along_row(plan.dtype, plan.out_columns, window_columns, column_step)
    lanes, nothing, larger = windows.lanes, windows.no_maxima(), windows.larger(False)
    write_maxima, write_places = writer(plan.dtype, windows.vector), writer("int32", windows.places)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        block, size = block_of(scratch), sizes(args)
        pitch, columns, out_columns = size.pitch, size.columns, size.out_columns
        last_left = max(out_columns - lanes, 0)
        for task in range(begin, end):
            first, part = opaque(task % tiles * filters), task // tiles
            top, image = opaque(part % size.row_blocks * size.window_rows), opaque(part // size.row_blocks)
            weights = advance(pointer(args[1]), (image % groups * outputs + first) * filter_step)
            packed = advance(pointer(args[0]), image * size.image_size + top * row_step * pitch)
            valid = filters if even else min(filters, outputs - first)
            count = min(size.window_rows, size.out_rows - top)
            rows = (count - 1) * row_step + window_rows
            for position in range(0, (rows - 1) * pitch + columns, width):
                tile(
                    0, channels, weights, filter_step, channel_step,
                    advance(packed, position), size.offsets, size.channel_size,
                    advance(block, position), size.block_size, valid, width, False,
                )  # fmt: skip
            for i in range(valid):
                out_row = (image * outputs + first + i) * size.out_rows + top
                for p in range(count):
                    start = (top + p) * row_step * columns
                    lines = advance(block, i * size.block_size + p * row_step * pitch)
                    for left in range(0, out_columns, lanes):
                        column = min(left, last_left)
                        place = column * column_step
                        state = nothing(start, place)
                        for r in range(window_rows):
                            line = advance(lines, r * pitch)
                            state = larger(state, line, start + r * columns, place, columns)
                        found, places = state
                        write_maxima(args[2], out_columns, out_row + p, column, found)
                        if placed:
                            write_places(args[3], out_columns, out_row + p, column, places)
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def _plan(steps: Steps, pool: Apply) -> Maxima | None:
    """Return how a pooling is done together with the convolution whose maps it alone reads, if it can be."""
    (maps,), op = pool.inputs, pool.op
    node = maps.owner
    assert isinstance(op, MaxPool)
    if node is None or not isinstance(node.op, Conv) or node.op.unshared or steps.readers[maps] != [pool]:
        return None
    images, filters = node.inputs
    geometry = ConvGeometry.between(node.op, shape_of(images), shape_of(filters))
    promised = promises_planes(images, maps)
    placed = bool(steps.readers.get(pool.outputs[1]))
    plan = Maxima(maps.dtype, host(), geometry, op.window, op.stride, placed, promised=promised)
    is_whole = (plan.out_rows, plan.out_columns) == shape_of(pool.outputs[0])[2:] and op.pad == (0, 0)
    bands = Bands(maps.dtype, host(), geometry, gradient=False, promised=promised)
    # Where the convolution reads images in place, tiles of another width would read beyond them.
    is_plain = geometry.depth == POINT and maps.dtype.startswith("float") and not plan.whole.is_exact
    return plan if is_plain and is_whole and min(shape_of(maps)) > 0 and not bands.is_served else None


def is_pooled(steps: Steps, node: Apply) -> bool:
    """Tell whether the maps of a convolution are never written, because their pooling takes it in."""
    readers = steps.readers[node.outputs[0]]
    (reader, *_) = readers
    return reader is not None and isinstance(reader.op, MaxPool) and _plan(steps, reader) is not None


def lower_pool(steps: Steps, pool: Apply) -> bool:
    """Add the step of a convolution with its pooling, if it is done so."""
    plan = _plan(steps, pool)
    if plan is None:
        return False
    node = pool.inputs[0].owner
    assert node is not None
    images, filters = steps.view(node.inputs[0]), steps.contiguous(node.inputs[1], node)
    packed = packed_images(steps, plan.packing, images, plan.geometry.groups, node)
    targets = [steps.allocate(x) for x in pool.outputs[: 1 + plan.placed]]
    steps.step(
        KernelSpec.of("conv_maxima:maxima", **plan.parameters),
        pool,
        reads=[packed, filters],
        writes=targets,
        arguments=[packed, filters, targets[0], targets[-1], *plan.words],
        tasks=plan.tasks(images.shape[0]),
        scratch=plan.scratch_bytes,
        flops=images.shape[0] * plan.geometry.flops,
    )
    return True
