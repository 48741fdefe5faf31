"""The gradients of a convolution's filters: inner tiles of filters by taps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from arignote.compile.kernels.conv_correlate import Correlation
from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry, PackedAxis
from arignote.compile.kernels.conv_pack import Packing
from arignote.compile.kernels.plan import PlanePlan
from arignote.compile.simd import VectorUnit, tile_shape

Kernel = Callable[[Any, Any, int, int], int]
CHUNK_POSITIONS = 1024  # positions over which a tile adds up before it adds to memory


class FilterGradientSizes(NamedTuple):
    """The sizes of a :class:`FilterGradient`."""

    planes: int
    rows: int
    pitch: int
    plane_size: int
    channel_size: int
    image_size: int
    depth: int
    gradient_plane: int
    gradient_channel: int
    gradient_image: int
    positions: int


@dataclass(frozen=True)
class FilterGradient(PlanePlan):
    """How the gradient of the filters is cut into tasks: blocks of tiles of filters by taps.

    Arguments of the kernel: the addresses of the packed images, of the packed gradient of the output and of
    the gradient of the filters, and the number of images, of which each has all groups.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    geometry : ConvGeometry
        The convolution.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry

    @classmethod
    def of(
        cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], promised: bool
    ) -> FilterGradient:
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), promised=promised)

    @property
    def typical(self) -> FilterGradient:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def sizes(self) -> FilterGradientSizes:
        """Extents of the packed images and of the packed gradient."""
        images, gradient = self.image_packing, self.gradient_packing
        return FilterGradientSizes(
            images.depth.length,
            images.rows.length,
            images.pitch,
            images.plane_size,
            images.channel_size,
            images.image_size,
            self.geometry.depth.outputs,
            gradient.plane_size,
            gradient.channel_size,
            gradient.image_size,
            self.positions,
        )

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    @property
    def image_packing(self) -> Packing:
        """How the images have to be packed: as the forward convolution reads them."""
        forward = Correlation(self.dtype, self.unit, self.geometry, gradient=False, promised=self.promised)
        return forward.packing

    @property
    def gradient_packing(self) -> Packing:
        """How the gradient of the output has to be packed: zeros fill the last vector of every plane."""
        planes, rows, columns = (axis.outputs for axis in self.geometry.axes)
        pitch = self.image_packing.pitch
        lines = -(-self.positions // pitch)
        return Packing(
            self.dtype,
            self.lanes,
            self.geometry.filters,
            PackedAxis(planes, 0, 1, 1, planes, planes),
            PackedAxis(rows, 0, 1, 1, lines, lines),
            PackedAxis(columns, 0, 1, 1, pitch, pitch),
            tight=self.image_packing.tight,
            promised=self.promised,
        )

    @property
    def taps(self) -> int:
        """Taps of a filter over all channels of its group."""
        return self.geometry.channels * self.geometry.filter_size

    @property
    def positions(self) -> int:
        """Positions of a plane, in whole vectors."""
        rows, columns = self.geometry.rows.outputs, self.geometry.columns.outputs
        return -(-((rows - 1) * self.image_packing.pitch + columns) // self.lanes) * self.lanes

    @property
    def tile(self) -> tuple[int, int]:
        """Filters and taps of a register tile."""
        return tile_shape(self.geometry.filters, self.taps, self.unit, column_loads=2)

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles of one task, along the filters and along the taps."""
        filters, taps = self.tile
        return max(1, min(32, self.geometry.filters) // filters), max(1, min(144, self.taps // 4) // taps)

    @property
    def blocks(self) -> tuple[int, int]:
        """Tasks of one group, along the filters and along the taps."""
        (filters, taps), (filter_tiles, tap_tiles) = self.tile, self.tiles
        return -(-self.geometry.filters // (filters * filter_tiles)), -(-self.taps // (taps * tap_tiles))

    @property
    def offsets_bytes(self) -> int:
        """Bytes of scratch memory for the offsets of a task's taps."""
        return -(-8 * self.tile[1] * self.tiles[1] // 64) * 64

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs: one vector for each sum of a task."""
        (filters, taps), (filter_tiles, tap_tiles) = self.tile, self.tiles
        return self.offsets_bytes + filters * filter_tiles * taps * tap_tiles * self.unit.size

    def tasks(self, images: int) -> int:
        """Count the tasks, whatever the number of images."""
        return self.geometry.groups * math.prod(self.blocks)


def filter_gradient(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`FilterGradient`, whose fields are the parameters."""
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import fold, inner

    plan = FilterGradient.of(**parameters)
    geometry = plan.geometry
    (filters, columns), (filter_tiles, column_tiles) = plan.tile, plan.tiles
    all_filters, all_columns, filter_size = geometry.filters, plan.taps, geometry.filter_size
    height, width, tile_size = filters * filter_tiles, columns * column_tiles, filters * columns * plan.lanes
    (down, across), groups, is_deep = plan.blocks, geometry.groups, geometry.depth != POINT
    row_taps, column_taps = geometry.rows.taps, geometry.columns.taps
    column_phases = plan.image_packing.columns.kept
    offsets_bytes = plan.offsets_bytes
    pointer, sums_of, offsets_of = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    sizes = sizes_of(plan, after=4)
    tile = inner(plan.dtype, plan.lanes, filters, columns, tail=False)
    add_lanes = fold(plan.dtype, plan.lanes, filters * columns)

    def read_at(axis: ConvAxis) -> Any:
        """Make the function of a tap's index in the filter: the phase that it reads, and where in it."""
        (first, step), stride, dilation = axis.order, axis.stride, axis.dilation

        @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
        def read_at(tap: int) -> tuple[int, int]:
            distance = (first + step * tap) * dilation
            return distance % stride, distance // stride

        return read_at

    plane_at, row_at, column_at = (read_at(axis) for axis in geometry.axes)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def offset_of(size: FilterGradientSizes, index: int) -> int:
        """Return where a tap, counted over all channels, reads a packed image."""
        channel, tap = index // filter_size, index % filter_size
        front, plane = plane_at(tap // column_taps // row_taps)
        a, row = row_at(tap // column_taps % row_taps)
        b, column = column_at(tap % column_taps)
        phase = a * column_phases + b
        distance = (phase * size.rows + row) * size.pitch + column
        return channel * size.channel_size + (front * size.planes + plane) * size.plane_size + distance

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        images, size = args[3], sizes(args)
        offsets, sums = offsets_of(scratch), sums_of(advance(scratch, offsets_bytes))
        # A tile adds up over chunks of many images, or over those of many planes of one image.
        blocks, turns = (size.depth, images) if is_deep else (images, 1)
        left_image, right_image = groups * size.gradient_image, groups * size.image_size
        left_block, left_turn = (size.gradient_plane, left_image) if is_deep else (left_image, 0)
        right_block, right_turn = (size.plane_size, right_image) if is_deep else (right_image, 0)
        joined = max(1, CHUNK_POSITIONS // size.positions)
        for task in range(begin, end):
            group, top, left = task // (down * across), task // across % down * height, task % across * width
            gradient = advance(pointer(args[1]), group * size.gradient_image)
            packed = advance(pointer(args[0]), group * size.image_size)
            result = advance(pointer(args[2]), group * all_filters * all_columns)
            bottom, right = min(all_filters, top + height), min(all_columns, left + width)
            for j in range(width):
                offsets[j] = offset_of(size, min(left + j, right - 1))
            is_begun = False
            for turn in range(max(1, turns)):
                for block in range(0, max(1, blocks), joined):
                    for position in range(0, size.positions, CHUNK_POSITIONS):
                        total = sums
                        maps = advance(gradient, turn * left_turn + block * left_block + position)
                        pixels = advance(packed, turn * right_turn + block * right_block + position)
                        for row in range(top, bottom, filters):
                            for column in range(left, right, columns):
                                tile(
                                    min(joined, blocks - block) if turns > 0 else 0,
                                    min(CHUNK_POSITIONS, size.positions - position),
                                    advance(maps, row * size.gradient_channel),
                                    size.gradient_channel,
                                    left_block,
                                    bottom - row,
                                    pixels,
                                    advance(offsets, column - left),
                                    right_block,
                                    total,
                                    is_begun,
                                )
                                total = advance(total, tile_size)
                        is_begun = True
            total = sums
            for row in range(top, bottom, filters):
                for column in range(left, right, columns):
                    add_lanes(total)
                    for i in range(min(filters, bottom - row)):
                        for j in range(min(columns, right - column)):
                            result[(row + i) * all_columns + column + j] = total[i * columns + j]
                    total = advance(total, tile_size)
        return 0

    return kernel
