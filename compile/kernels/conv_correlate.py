"""Convolutions, and the gradients of their images: outer tiles of filters by vectors of positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from arignote.compile.kernels.conv_geometry import ConvGeometry, PackedAxis, Residue
from arignote.compile.kernels.conv_pack import Packing
from arignote.compile.kernels.plan import PlanePlan
from arignote.compile.simd import VectorUnit, tile_shape

Kernel = Callable[[Any, Any, int, int], int]
BLOCK_VECTORS = 64  # vectors of positions that a task computes at a time
EVEN_VECTORS = 48  # so many, which tiles of most widths divide, stand for a block of open extents


class CorrelationSizes(NamedTuple):
    """The sizes of a :class:`Correlation`."""

    depth: int
    height: int
    breadth: int
    pitch: int
    plane_size: int
    channel_size: int
    image_size: int
    plane_blocks: int
    row_block: int
    row_blocks: int
    block_size: int
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Correlation(PlanePlan):
    """How a convolution, or the gradient of its input, is cut into tasks.

    A task computes one tile of filters over a block of rows of one plane of an image, into scratch memory at
    the packed image's pitch, and then writes its rows to the result.

    Arguments of the kernel: the addresses of the packed images, of the filters ``W[k, c, t, r, s]`` and of
    the result, and the number of images, of which each group has its own.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    geometry : ConvGeometry
        The convolution.
    gradient : bool
        False: X is packed, the result is Y. True: dY is packed, the result is dX.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry
    gradient: bool

    kernel = "conv_correlate:correlate"

    @classmethod
    def of(
        cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], gradient: bool, promised: bool
    ) -> Correlation:
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), gradient, promised=promised)

    @property
    def typical(self) -> Correlation:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def sizes(self) -> CorrelationSizes:
        """Extents of the result, of the packed images and of a task, and where the taps read."""
        packing = self.packing
        return CorrelationSizes(
            *self.output_shape,
            packing.pitch,
            packing.plane_size,
            packing.channel_size,
            packing.image_size,
            self.plane_blocks,
            self.row_block,
            self.row_blocks,
            self.block_size,
            tuple(offset for taps in self.taps for _, offset in taps),
        )

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    def _axes(self) -> list[tuple[PackedAxis, tuple[Residue, ...]]]:
        """For each axis, the layout of the packed image and the residues of the result."""
        return [axis.input_gradient() if self.gradient else axis.forward() for axis in self.geometry.axes]

    @property
    def packing(self) -> Packing:
        """How the images have to be packed."""
        channels = self.geometry.filters if self.gradient else self.geometry.channels
        axes = (axis for axis, _ in self._axes())
        return Packing(self.dtype, self.lanes, channels, *axes, tight=self.is_exact, promised=self.promised)

    @property
    def is_exact(self) -> bool:
        """Whether tiles cover the planes of a pointwise convolution exactly, and read nothing beyond."""
        pixels = math.prod(axis.extent for axis in self.geometry.axes)
        is_flat = self.geometry.is_pointwise and self.geometry.flat == self.geometry
        return self.promised and is_flat and pixels % (self.tile[1] * self.lanes) == 0

    @property
    def pitch(self) -> int:
        """Elements from one row of the packed images to the next."""
        return self._axes()[2][0].pitch

    @property
    def is_direct(self) -> bool:
        """Whether rows of the result follow each other as in the packed images: tiles write them at once."""
        return self.promised and len(self.residues) == 1 and self.pitch == self.output_shape[2]

    @property
    def outputs(self) -> int:
        """Channels of the result, in each group."""
        return self.geometry.channels if self.gradient else self.geometry.filters

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the result."""
        depth, rows, columns = (axis.extent if self.gradient else axis.outputs for axis in self.geometry.axes)
        return depth, rows, columns

    @property
    def residues(self) -> tuple[tuple[Residue, ...], ...]:
        """All combinations of residues of planes, rows and columns; each is a pass over the packed image."""
        return tuple(itertools.product(*(residues for _, residues in self._axes())))

    @property
    def taps(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each pass, the offsets of its taps in a filter and in a packed channel."""
        packing, (_, rows, columns) = self.packing, self.geometry.axes

        def offsets(*taps: tuple[int, int, int]) -> tuple[int, int]:
            (t, *_), (r, *_), (s, *_) = taps
            return (t * rows.taps + r) * columns.taps + s, packing.offset(*((a, u) for _, a, u in taps))

        return tuple(
            tuple(itertools.starmap(offsets, itertools.product(*(residue.taps for residue in residues))))
            for residues in self.residues
        )

    @property
    def plane_blocks(self) -> int:
        """Planes of the packed image that are computed, for each a plane of every residue of the result."""
        return max(planes.count for planes, _, _ in self.residues)

    @property
    def row_block(self) -> int:
        """Rows of the packed image that a task computes."""
        rows = max(rows.count for _, rows, _ in self.residues)
        most = max(1, BLOCK_VECTORS * self.lanes // self.pitch)
        return -(-rows // -(-rows // most))

    @property
    def row_blocks(self) -> int:
        """Blocks of rows in an image."""
        return -(-max(rows.count for _, rows, _ in self.residues) // self.row_block)

    @property
    def tile(self) -> tuple[int, int]:
        """Filters and vectors of positions of a register tile."""
        if self.promised:
            columns = max(columns.count for _, _, columns in self.residues)
            vectors = -(-((self.row_block - 1) * self.pitch + columns) // self.lanes)
        else:
            vectors = EVEN_VECTORS
        return tile_shape(self.outputs, vectors, self.unit, column_loads=2)

    @property
    def block_size(self) -> int:
        """Elements of scratch memory for one filter: a block of rows, or a part of a very long one."""
        width, most = self.tile[1] * self.lanes, BLOCK_VECTORS * self.lanes
        rows = self.row_block * self.pitch
        return -(-(min(rows, most) if self.row_block == 1 else rows) // width) * width

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs."""
        return self.tile[0] * self.block_size * np.dtype(self.dtype).itemsize

    def tasks(self, images: int) -> int:
        """Count the tasks, whose images are all groups of an image."""
        blocks = self.plane_blocks * self.row_blocks
        return images * self.geometry.groups * blocks * -(-self.outputs // self.tile[0])


def correlate(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Correlation`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, opaque, pointer_to, sizes_of
    from arignote.compile.tile import outer

    plan = Correlation.of(**parameters)
    (filters, vectors), outputs, channels = plan.tile, plan.outputs, plan.packing.channels
    width, tiles, even = vectors * plan.lanes, -(-outputs // filters), outputs % filters == 0
    groups, group_size = plan.geometry.groups, plan.geometry.group_size
    filter_step, channel_step = plan.geometry.channels * plan.geometry.filter_size, plan.geometry.filter_size
    if plan.gradient:
        filter_step, channel_step = channel_step, filter_step
    passes = len(plan.residues)
    plane_step, row_step, column_step = (residue.step for residue in plan.residues[0])
    left_offsets = [[offset for offset, _ in taps] for taps in plan.taps]
    pointer, block_of, sizes = pointer_to(plan.dtype), cast_to(plan.dtype), sizes_of(plan, after=4)
    tile = outer(plan.dtype, plan.lanes, filters, vectors, left_offsets, masked=False)
    is_direct = plan.is_direct

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        block, size = block_of(scratch), sizes(args)
        pitch, depth, height, breadth = size.pitch, size.depth, size.height, size.breadth
        for task in range(begin, end):
            first, part = opaque(task % tiles * filters), task // tiles
            top, part = opaque(part % size.row_blocks * size.row_block), part // size.row_blocks
            plane, image = opaque(part % size.plane_blocks), opaque(part // size.plane_blocks)
            weights = advance(pointer(args[1]), image % groups * group_size + first * filter_step)
            start = image * size.image_size + plane * size.plane_size + top * pitch
            packed = advance(pointer(args[0]), start)
            result = advance(pointer(args[2]), (image * outputs + first) * depth * height * breadth)
            valid = filters if even else min(filters, outputs - first)
            for number in range(passes):
                # The residues of planes, rows and columns, and how many rows and columns have them.
                first_row, first_column = number // column_step % row_step, number % column_step
                z = number // (column_step * row_step) + plane * plane_step
                if z >= depth:
                    break
                rows = min(size.row_block, (height - first_row + row_step - 1) // row_step - top)
                all_columns = (breadth - first_column + column_step - 1) // column_step
                for stretch in range((all_columns + size.block_size - 1) // size.block_size):
                    left = stretch * size.block_size
                    columns = min(size.block_size, all_columns - left)
                    stop = (rows - 1) * pitch + columns
                    out, out_row = block, size.block_size
                    if is_direct:
                        out = advance(result, (plane * height + top) * breadth + left)
                        out_row = depth * height * breadth
                    for position in range(0, stop, width):
                        tile(
                            number, channels, weights, filter_step, channel_step,
                            advance(packed, left + position), size.offsets, size.channel_size,
                            advance(out, position), out_row, valid,
                            stop - position if is_direct else width, False,
                        )  # fmt: skip
                    if is_direct:
                        continue
                    for i in range(valid):
                        for u in range(rows):
                            source = advance(block, i * size.block_size + u * pitch)
                            row = (i * depth + z) * height + first_row + (top + u) * row_step
                            target = advance(result, row * breadth + first_column + left * column_step)
                            for v in range(columns):
                                target[v * column_step] = source[v]
        return 0

    return kernel
