"""Convolutions and their two gradients, on register tiles over flattened image positions.

A convolution here is, with zeros outside the image,

    Y[n,k,p,q] = sum over c,r,s of W[k,c,r,s] · X[n,c, p·sh + r·dh - top, q·sw + s·dw - left]

(a cross-correlation; `flip` turns the filters around). Every array is C-contiguous.

**Packing.** Images are first copied into padded planes, split into stride phases: phase ``(a, b)`` holds the
padded pixels ``(u·sh + a, v·sw + b)``. Within a phase every output position reads pixels at one distance from
itself, so over positions flattened with the width of the phase (its *pitch*) a tap (r, s) of the filter is a
single offset, and a vector of consecutive positions reads a vector of consecutive pixels. The price is a few
positions between the rows that belong to no output; they are computed and dropped.

**Forward.** ``Y[k, position] = sum over c and taps of W[k, c, tap] · packed[c, position + offset(tap)]``:
outer tiles of filters by vectors of positions.

**Gradient of the input.** ``dX[c,h,w]`` sums ``W[k,c,r,s] · dY[k,p,q]`` over the taps with
``p·sh = h + top - r·dh``. For each residue ``a`` of h modulo sh these are some of the rows of the filter, and
``p = u + (a + top - r·dh)/sh`` for ``h = u·sh + a``. So it is one correlation of dY for every residue, each
with some of the taps, and without a stride: nothing is multiplied by an inserted zero.

**Gradient of the filters.** ``dW[k, c, tap]`` sums ``dY[k, position] · packed[c, position + offset(tap)]``
over images and positions, with dY packed at the pitch of X and zeros between its rows: inner tiles of filters
by taps. As it adds products with those zeros, an infinite or NaN pixel may turn more taps of its channel into
NaN than the definition does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from arignote.compile.kernels.plan import TYPICAL, PlanePlan, promises_planes
from arignote.compile.lowering import Steps, lowers, shape_of
from arignote.compile.simd import VectorUnit, host, tile_shape
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply
from arignote.engine.ops.conv import Conv2d, Conv2dFilterGradient, Conv2dInputGradient, Convolution

Kernel = Callable[[Any, Any, int, int], int]
BLOCK_VECTORS = 64  # vectors of positions that a task of a correlation computes at a time
EVEN_VECTORS = 48  # so many, which tiles of most widths divide, stand for a block of open extents
CHUNK_POSITIONS = 1024  # positions over which a tile of a filter gradient adds up before it adds to memory


@dataclass(frozen=True)
class PackedAxis:
    """One axis of a packed image: element u of phase a is the source's ``u · phases + a - low``, or zero.

    Parameters
    ----------
    extent : int
        Elements of the source.
    low : int
        Zeros in front of it.
    phases : int
        Stride phases.
    length : int
        Elements of each phase.
    """

    extent: int
    low: int
    phases: int
    length: int

    @property
    def typical(self) -> PackedAxis:
        """The same for other extents: all of them are packed alike."""
        return replace(self, extent=TYPICAL, length=TYPICAL)


class PackingSizes(NamedTuple):
    """The sizes of a :class:`Packing`."""

    height: int
    width: int
    rows: int
    pitch: int
    channel_size: int


@dataclass(frozen=True)
class Packing(PlanePlan):
    """Images as :func:`pack` lays them out: ``[image][channel][row phase][column phase][row][column]``.

    Arguments of the kernel: the addresses of the images and of the packed images, and the number of images.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes : int
        Elements of a vector. Behind every channel lie enough zeros for vectors that begin inside it.
    channels : int
        Channels of an image.
    rows, columns : PackedAxis
        The axes of a channel.
    """

    dtype: str
    lanes: int
    channels: int
    rows: PackedAxis
    columns: PackedAxis

    @property
    def typical(self) -> Packing:
        """The same for typical planes; the kernel does without the number of channels."""
        return replace(self, channels=1, rows=self.rows.typical, columns=self.columns.typical)

    @property
    def sizes(self) -> PackingSizes:
        """Extents of the images, and of the packed images."""
        return PackingSizes(
            self.rows.extent, self.columns.extent, self.rows.length, self.pitch, self.channel_size
        )

    @property
    def pitch(self) -> int:
        """Elements from one row to the next."""
        return self.columns.length

    @property
    def phase_size(self) -> int:
        """Elements from one phase to the next."""
        return self.rows.length * self.pitch

    @property
    def channel_size(self) -> int:
        """Elements from one channel to the next."""
        return -(-(self.phases * self.phase_size + self.lanes - 1) // self.lanes) * self.lanes

    @property
    def image_size(self) -> int:
        """Elements from one image to the next."""
        return self.channels * self.channel_size

    def elements(self, images: int) -> int:
        """Count the elements of the buffer, with room behind the last image for a tile's widest read."""
        return images * self.image_size + 8 * self.lanes

    @property
    def phases(self) -> int:
        """Stride phases of a channel."""
        return self.rows.phases * self.columns.phases

    def tasks(self, images: int) -> int:
        """Count the tasks: one for each phase of each channel of each image."""
        return images * self.channels * self.phases


@dataclass(frozen=True)
class Residue:
    """The outputs of one axis whose index is `first` modulo `step`, and the taps they sum over.

    Parameters
    ----------
    first, step, count : int
        The outputs ``first + step · u`` for ``u < count``.
    taps : tuple of tuples
        Triples: the index of a tap in the filter, the phase of the packed axis and the offset in it from u.
    """

    first: int
    step: int
    count: int
    taps: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class ConvAxis:
    """One axis of a convolution.

    Parameters
    ----------
    extent, taps : int
        Elements of the image and of the filter.
    low, high : int
        Zeros in front of the image and behind it.
    stride, dilation : int
        Distance of two outputs, and of two taps, in the image.
    flip : bool
        Whether the filter is read from its end.
    """

    extent: int
    taps: int
    low: int
    high: int
    stride: int
    dilation: int
    flip: bool

    @property
    def typical(self) -> ConvAxis:
        """The same with at least `TYPICAL` outputs."""
        return replace(self, extent=TYPICAL * self.stride + (self.taps - 1) * self.dilation)

    @property
    def outputs(self) -> int:
        """Count the positions at which the filter lies within the padded image."""
        return (self.extent + self.low + self.high - (self.taps - 1) * self.dilation - 1) // self.stride + 1

    @property
    def order(self) -> tuple[int, int]:
        """The first tap that the filter's positions meet, and the step to the next."""
        return (self.taps - 1, -1) if self.flip else (0, 1)

    def _index(self, tap: int) -> int:
        first, step = self.order
        return first + step * tap

    def forward(self) -> tuple[PackedAxis, tuple[Residue, ...]]:
        """Lay out the image, and say where each tap reads it."""
        taps = tuple(
            (self._index(tap), tap * self.dilation % self.stride, tap * self.dilation // self.stride)
            for tap in range(self.taps)
        )
        length = max(offset for _, _, offset in taps) + self.outputs
        return PackedAxis(self.extent, self.low, self.stride, length), (Residue(0, 1, self.outputs, taps),)

    def input_gradient(self) -> tuple[PackedAxis, tuple[Residue, ...]]:
        """Lay out the output's gradient, and say where each tap reads it for each residue of the input."""
        reads = [
            [
                (self._index(tap), (first + self.low - tap * self.dilation) // self.stride)
                for tap in range(self.taps)
                if (first + self.low - tap * self.dilation) % self.stride == 0
            ]
            for first in range(self.stride)
        ]
        counts = [-(-(self.extent - first) // self.stride) for first in range(len(reads))]
        low = max(0, -min((offset for taps in reads for _, offset in taps), default=0))
        ends = [offset + count for taps, count in zip(reads, counts, strict=True) for _, offset in taps]
        length = low + max(ends, default=1)
        residues = tuple(
            Residue(first, self.stride, count, tuple((tap, 0, offset + low) for tap, offset in taps))
            for first, (taps, count) in enumerate(zip(reads, counts, strict=True))
        )
        return PackedAxis(self.outputs, low, 1, length), residues


@dataclass(frozen=True)
class ConvGeometry:
    """The shape of a convolution, all but the number of images.

    Parameters
    ----------
    channels, filters : int
        Channels of the input and of the output.
    rows, columns : ConvAxis
        The axes of an image.
    """

    channels: int
    filters: int
    rows: ConvAxis
    columns: ConvAxis

    @classmethod
    def of(cls, parameters: tuple[Any, ...]) -> ConvGeometry:
        """Read the geometry from a builder's parameter."""
        channels, filters, rows, columns = parameters
        return cls(channels, filters, ConvAxis(*rows), ConvAxis(*columns))

    @property
    def typical(self) -> ConvGeometry:
        """The same for typical planes."""
        return replace(self, rows=self.rows.typical, columns=self.columns.typical)

    @property
    def filter_size(self) -> int:
        """Count the taps of one filter over one channel."""
        return self.rows.taps * self.columns.taps

    @property
    def flops(self) -> int:
        """Count the multiplications and additions of one image, forward or in either gradient."""
        maps = self.filters * self.rows.outputs * self.columns.outputs
        return 2 * maps * self.channels * self.filter_size


def pack(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Packing`, whose fields are the parameters."""
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, pointer_to, sizes_of

    plan = Packing(**parameters | {axis: PackedAxis(*parameters[axis]) for axis in ("rows", "columns")})
    row_phases, column_phases, phases = plan.rows.phases, plan.columns.phases, plan.phases
    top, left = plan.rows.low, plan.columns.low
    pointer, sizes = pointer_to(plan.dtype), sizes_of(plan, after=3)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def copied(phase: int, phases: int, low: int, extent: int, length: int) -> tuple[int, int]:
        """Return the range of elements of a phase of an axis that lie in the source."""
        start = min(max(-((phase - low) // phases), 0), length)
        return start, min(max(-((phase - low - extent) // phases), start), length)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        height, width, rows, pitch, channel_size = sizes(args)
        size = rows * pitch
        for task in range(begin, end):
            channel, phase = task // phases, task % phases
            a, b = phase // column_phases, phase % column_phases
            image = advance(pointer(args[0]), channel * height * width)
            packed = advance(pointer(args[1]), channel * channel_size + phase * size)
            first_row, last_row = copied(a, row_phases, top, height, rows)
            first, last = copied(b, column_phases, left, width, pitch)
            end = size if phase < phases - 1 else channel_size - phase * size
            for above in range(first_row * pitch):
                packed[above] = 0
            for u in range(first_row, last_row):
                source = advance(image, (u * row_phases + a - top) * width + b - left)
                target = advance(packed, u * pitch)
                for v in range(first):
                    target[v] = 0
                for v in range(first, last):
                    target[v] = source[v * column_phases]
                for v in range(last, pitch):
                    target[v] = 0
            for below in range(last_row * pitch, end):
                packed[below] = 0
        return 0

    return kernel


class CorrelationSizes(NamedTuple):
    """The sizes of a :class:`Correlation`."""

    height: int
    breadth: int
    pitch: int
    channel_size: int
    image_size: int
    row_block: int
    row_blocks: int
    block_size: int
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Correlation(PlanePlan):
    """How a convolution, or the gradient of its input, is cut into tasks.

    A task computes one tile of filters over a block of rows of one image, into scratch memory at the packed
    image's pitch, and then writes its rows to the result.

    Arguments of the kernel: the addresses of the packed images, of the filters ``W[k, c, r, s]`` and of the
    result, and the number of images.

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
            packing.channel_size,
            packing.image_size,
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
        axes = self.geometry.rows, self.geometry.columns
        return [axis.input_gradient() if self.gradient else axis.forward() for axis in axes]

    @property
    def packing(self) -> Packing:
        """How the images have to be packed."""
        (rows, _), (columns, _) = self._axes()
        channels = self.geometry.filters if self.gradient else self.geometry.channels
        return Packing(self.dtype, self.lanes, channels, rows, columns, promised=self.promised)

    @property
    def outputs(self) -> int:
        """Channels of the result."""
        return self.geometry.channels if self.gradient else self.geometry.filters

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        axes = self.geometry.rows, self.geometry.columns
        rows, columns = (axis.extent if self.gradient else axis.outputs for axis in axes)
        return rows, columns

    @property
    def residues(self) -> tuple[tuple[Residue, Residue], ...]:
        """The pairs of residues of rows and columns; each is one pass over the packed image."""
        (_, rows), (_, columns) = self._axes()
        return tuple((row, column) for row in rows for column in columns)

    @property
    def taps(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each pass, the offsets of its taps in a filter and in a packed channel."""
        packing = self.packing

        def offsets(row: tuple[int, int, int], column: tuple[int, int, int]) -> tuple[int, int]:
            (r, a, u), (s, b, v) = row, column
            phase = a * packing.columns.phases + b
            return r * self.geometry.columns.taps + s, phase * packing.phase_size + u * packing.pitch + v

        return tuple(
            tuple(offsets(r, s) for r in rows.taps for s in columns.taps) for rows, columns in self.residues
        )

    @property
    def row_block(self) -> int:
        """Rows of the packed image that a task computes."""
        rows = max(row.count for row, _ in self.residues)
        most = max(1, BLOCK_VECTORS * self.lanes // self.packing.pitch)
        return -(-rows // -(-rows // most))

    @property
    def row_blocks(self) -> int:
        """Blocks of rows in an image."""
        return -(-max(row.count for row, _ in self.residues) // self.row_block)

    @property
    def tile(self) -> tuple[int, int]:
        """Filters and vectors of positions of a register tile."""
        if self.promised:
            columns = max(column.count for _, column in self.residues)
            vectors = -(-((self.row_block - 1) * self.packing.pitch + columns) // self.lanes)
        else:
            vectors = EVEN_VECTORS
        return tile_shape(self.outputs, vectors, self.unit, column_loads=2)

    @property
    def block_size(self) -> int:
        """Elements of scratch memory for one filter."""
        width = self.tile[1] * self.lanes
        return -(-self.row_block * self.packing.pitch // width) * width

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs."""
        return self.tile[0] * self.block_size * np.dtype(self.dtype).itemsize

    def tasks(self, images: int) -> int:
        """Count the tasks."""
        return images * self.row_blocks * -(-self.outputs // self.tile[0])


def correlate(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Correlation`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import outer

    plan = Correlation.of(**parameters)
    (filters, vectors), outputs, channels = plan.tile, plan.outputs, plan.packing.channels
    width, tiles, even = vectors * plan.lanes, -(-outputs // filters), outputs % filters == 0
    filter_step, channel_step = plan.geometry.channels * plan.geometry.filter_size, plan.geometry.filter_size
    if plan.gradient:
        filter_step, channel_step = channel_step, filter_step
    passes = len(plan.residues)
    row_step, column_step = (residue.step for residue in plan.residues[0])
    left_offsets = [[offset for offset, _ in taps] for taps in plan.taps]
    pointer, block_of, sizes = pointer_to(plan.dtype), cast_to(plan.dtype), sizes_of(plan, after=4)
    tile = outer(plan.dtype, plan.lanes, filters, vectors, left_offsets, masked=False)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        block, size = block_of(scratch), sizes(args)
        pitch, height, breadth = size.pitch, size.height, size.breadth
        for task in range(begin, end):
            image, part = task // (size.row_blocks * tiles), task % (size.row_blocks * tiles)
            top, first = part // tiles * size.row_block, part % tiles * filters
            weights = advance(pointer(args[1]), first * filter_step)
            packed = advance(pointer(args[0]), image * size.image_size + top * pitch)
            result = advance(pointer(args[2]), (image * outputs + first) * height * breadth)
            valid = filters if even else min(filters, outputs - first)
            for number in range(passes):
                # The residues of rows and columns, and how many rows and columns have them.
                first_row, first_column = number // column_step, number % column_step
                rows = min(size.row_block, (height - first_row + row_step - 1) // row_step - top)
                columns = (breadth - first_column + column_step - 1) // column_step
                for position in range(0, (rows - 1) * pitch + columns, width):
                    tile(
                        number, channels, weights, filter_step, channel_step,
                        advance(packed, position), size.offsets, size.channel_size,
                        advance(block, position), size.block_size, valid, width, False,
                    )  # fmt: skip
                for i in range(valid):
                    for u in range(rows):
                        source = advance(block, i * size.block_size + u * pitch)
                        row = (i * height + first_row + (top + u) * row_step) * breadth + first_column
                        target = advance(result, row)
                        for v in range(columns):
                            target[v * column_step] = source[v]
        return 0

    return kernel


class FilterGradientSizes(NamedTuple):
    """The sizes of a :class:`FilterGradient`."""

    pitch: int
    phase_size: int
    channel_size: int
    image_size: int
    gradient_channel: int
    gradient_image: int
    positions: int


@dataclass(frozen=True)
class FilterGradient(PlanePlan):
    """How the gradient of the filters is cut into tasks: blocks of tiles of filters by taps.

    Arguments of the kernel: the addresses of the packed images, of the packed gradient of the output and of
    the gradient of the filters, and the number of images.

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
            images.pitch,
            images.phase_size,
            images.channel_size,
            images.image_size,
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
        """How the gradient of the output has to be packed."""
        rows, columns = self.geometry.rows.outputs, self.geometry.columns.outputs
        pitch = self.image_packing.pitch
        return Packing(
            self.dtype,
            self.lanes,
            self.geometry.filters,
            PackedAxis(rows, 0, 1, rows),
            PackedAxis(columns, 0, 1, pitch),
            promised=self.promised,
        )

    @property
    def taps(self) -> int:
        """Taps of a filter over all channels."""
        return self.geometry.channels * self.geometry.filter_size

    @property
    def positions(self) -> int:
        """Positions of an image, in whole vectors."""
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
        (filters, taps), (filter_tiles, tap_tiles) = self.tile, self.tiles
        return -(-self.geometry.filters // (filters * filter_tiles)) * -(-self.taps // (taps * tap_tiles))


def filter_gradient(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`FilterGradient`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import fold, inner

    plan = FilterGradient.of(**parameters)
    (filters, columns), (filter_tiles, column_tiles) = plan.tile, plan.tiles
    all_filters, all_columns, filter_size = plan.geometry.filters, plan.taps, plan.geometry.filter_size
    height, width, tile_size = filters * filter_tiles, columns * column_tiles, filters * columns * plan.lanes
    row_axis, column_axis = plan.geometry.rows, plan.geometry.columns
    row_stride, row_dilation = row_axis.stride, row_axis.dilation
    column_stride, column_dilation, breadth = column_axis.stride, column_axis.dilation, column_axis.taps
    (first_row, row_step), (first_column, column_step) = row_axis.order, column_axis.order
    offsets_bytes = plan.offsets_bytes
    pointer, sums_of, offsets_of = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    sizes = sizes_of(plan, after=4)
    tile = inner(plan.dtype, plan.lanes, filters, columns, tail=False)
    add_lanes = fold(plan.dtype, plan.lanes, filters * columns)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        packed, gradient, result = pointer(args[0]), pointer(args[1]), pointer(args[2])
        images, size = args[3], sizes(args)
        group = max(1, CHUNK_POSITIONS // size.positions)
        offsets, sums = offsets_of(scratch), sums_of(advance(scratch, offsets_bytes))
        across = (all_columns + width - 1) // width
        for task in range(begin, end):
            top, left = task // across * height, task % across * width
            bottom, right = min(all_filters, top + height), min(all_columns, left + width)
            for j in range(width):
                index = min(left + j, right - 1)
                channel, tap = index // filter_size, index % filter_size
                r = (first_row + row_step * (tap // breadth)) * row_dilation
                s = (first_column + column_step * (tap % breadth)) * column_dilation
                phase = r % row_stride * column_stride + s % column_stride
                distance = r // row_stride * size.pitch + s // column_stride
                offsets[j] = channel * size.channel_size + phase * size.phase_size + distance
            for number in range(max(1, (images + group - 1) // group)):
                image = number * group
                for position in range(0, size.positions, CHUNK_POSITIONS):
                    total = sums
                    maps = advance(gradient, image * size.gradient_image + position)
                    for row in range(top, bottom, filters):
                        for column in range(left, right, columns):
                            tile(
                                min(group, images - image),
                                min(CHUNK_POSITIONS, size.positions - position),
                                advance(maps, row * size.gradient_channel),
                                size.gradient_channel,
                                size.gradient_image,
                                bottom - row,
                                advance(packed, image * size.image_size + position),
                                advance(offsets, column - left),
                                size.image_size,
                                total,
                                image > 0 or position > 0,
                            )
                            total = advance(total, tile_size)
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


# ------------------------------------------------------------------------------------------- lowering


def _geometry(op: Convolution, image: tuple[int, ...], filters: tuple[int, ...]) -> ConvGeometry:
    axes = (
        ConvAxis(*parts, op.flip)
        for parts in zip(
            image[2:],
            filters[2:],
            *zip(*op.padding(filters[2:]), strict=True),
            op.subsample,
            op.dilation,
            strict=True,
        )
    )
    return ConvGeometry(image[1], filters[0], *axes)


def _packed(steps: Steps, packing: Packing, images: View, node: Apply) -> View:
    """Add the step that packs images, unless they are packed so already; return the packed ones."""
    spec, extents = KernelSpec.of("conv:pack", **packing.parameters), (images.shape[0], *packing.words)
    for step in steps.planned:
        if step.spec == spec and step.reads == (images,) and step.arguments[2:] == extents:
            return step.writes[0]
    count = images.shape[0]
    target = steps.temporary(images.dtype, (packing.elements(count),))
    steps.step(
        spec,
        node,
        reads=[images],
        writes=[target],
        arguments=[images, target, *extents],
        tasks=packing.tasks(count),
    )
    return target


def _lower_correlation(
    steps: Steps, node: Apply, geometry: ConvGeometry, images: View, filters: View, gradient: bool
) -> None:
    promised = promises_planes(node.inputs[1 if gradient else 0], node.outputs[0])
    plan = Correlation(images.dtype, host(), geometry, gradient, promised=promised)
    target = steps.allocate(node.outputs[0])
    if not target.size:
        return
    packed = _packed(steps, plan.packing, images, node)
    count = images.shape[0]
    steps.step(
        KernelSpec.of("conv:correlate", **plan.parameters),
        node,
        reads=[packed, filters],
        writes=[target],
        arguments=[packed, filters, target, count, *plan.words],
        tasks=plan.tasks(count),
        scratch=plan.scratch_bytes,
        flops=count * geometry.flops,
    )


@lowers(Conv2d)
def lower_conv2d(steps: Steps, op: Conv2d, node: Apply) -> None:
    """Pack the images, and correlate."""
    images, filters = (steps.contiguous(x, node) for x in node.inputs)
    geometry = _geometry(op, images.shape, filters.shape)
    _lower_correlation(steps, node, geometry, images, filters, gradient=False)


@lowers(Conv2dInputGradient)
def lower_input_gradient(steps: Steps, op: Conv2dInputGradient, node: Apply) -> None:
    """Pack the gradient of the maps, and correlate it with the filters transposed."""
    filters, maps = (steps.contiguous(x, node) for x in node.inputs[:2])
    geometry = _geometry(op, shape_of(node.outputs[0]), filters.shape)
    _lower_correlation(steps, node, geometry, maps, filters, gradient=True)


@lowers(Conv2dFilterGradient)
def lower_filter_gradient(steps: Steps, op: Conv2dFilterGradient, node: Apply) -> None:
    """Pack the images and the gradient of the maps, and add up their products."""
    images, maps = (steps.contiguous(x, node) for x in node.inputs[:2])
    target = steps.allocate(node.outputs[0])
    if not target.size:
        return
    geometry = _geometry(op, images.shape, target.shape)
    plan = FilterGradient(images.dtype, host(), geometry, promised=promises_planes(*node.inputs[:2]))
    packed = _packed(steps, plan.image_packing, images, node)
    gradient = _packed(steps, plan.gradient_packing, maps, node)
    steps.step(
        KernelSpec.of("conv:filter_gradient", **plan.parameters),
        node,
        reads=[packed, gradient],
        writes=[target],
        arguments=[packed, gradient, target, images.shape[0], *plan.words],
        tasks=plan.tasks(images.shape[0]),
        scratch=plan.scratch_bytes,
        flops=images.shape[0] * geometry.flops,
    )
