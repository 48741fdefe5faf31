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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.compile.kernels.plan import Plan
from arignote.compile.lowering import Plan as Steps
from arignote.compile.lowering import lowers, shape_of
from arignote.compile.simd import VectorUnit, host, tile_shape
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply
from arignote.engine.ops.conv import Conv2d, Conv2dFilterGradient, Conv2dInputGradient, Convolution

Kernel = Callable[[Any, Any, int, int], int]
BLOCK_VECTORS = 64  # vectors of positions that a task of a correlation computes at a time
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

    def copied(self, phase: int) -> tuple[int, int]:
        """Return the range of elements of a phase that lie in the source."""
        start = min(max(-((phase - self.low) // self.phases), 0), self.length)
        stop = min(max(-((phase - self.low - self.extent) // self.phases), start), self.length)
        return start, stop


@dataclass(frozen=True)
class Packing(Plan):
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
    def pitch(self) -> int:
        """Elements from one row to the next."""
        return self.columns.length

    @property
    def channel_size(self) -> int:
        """Elements from one channel to the next."""
        return -(-(self.phases * self.rows.length * self.pitch + self.lanes - 1) // self.lanes) * self.lanes

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
            for first in range(min(self.stride, self.extent))
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
    def of(cls, parameters: tuple[Any, ...]) -> "ConvGeometry":
        """Read the geometry from a builder's parameter."""
        channels, filters, rows, columns = parameters
        return cls(channels, filters, ConvAxis(*rows), ConvAxis(*columns))

    @property
    def filter_size(self) -> int:
        """Count the taps of one filter over one channel."""
        return self.rows.taps * self.columns.taps


def pack(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Packing`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, pointer_to, table_of

    plan = Packing(**parameters | {axis: PackedAxis(*parameters[axis]) for axis in ("rows", "columns")})
    height, width, low, pitch = plan.rows.extent, plan.columns.extent, plan.columns.low, plan.pitch
    row_phases, column_phases, phases = plan.rows.phases, plan.columns.phases, plan.phases
    first_rows, last_rows = map(table_of, zip(*map(plan.rows.copied, range(row_phases)), strict=True))
    first_columns, last_columns = map(
        table_of, zip(*map(plan.columns.copied, range(column_phases)), strict=True)
    )
    top, size, channel_size = plan.rows.low, plan.rows.length * plan.pitch, plan.channel_size
    pointer = pointer_to(plan.dtype)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        for task in range(begin, end):
            channel, phase = task // phases, task % phases
            a, b = phase // column_phases, phase % column_phases
            image = advance(pointer(args[0]), channel * height * width)
            packed = advance(pointer(args[1]), channel * channel_size + phase * size)
            first_row, last_row = first_rows(a), last_rows(a)
            first, last = first_columns(b), last_columns(b)
            end = size if phase < phases - 1 else channel_size - phase * size
            for above in range(first_row * pitch):
                packed[above] = 0
            for u in range(first_row, last_row):
                source = advance(image, (u * row_phases + a - top) * width + b - low)
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


@dataclass(frozen=True)
class Correlation(Plan):
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
        cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], gradient: bool
    ) -> "Correlation":
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), gradient)

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
        return Packing(self.dtype, self.lanes, channels, rows, columns)

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
        phase_size = packing.rows.length * packing.pitch

        def offsets(row: tuple[int, int, int], column: tuple[int, int, int]) -> tuple[int, int]:
            (r, a, u), (s, b, v) = row, column
            phase = a * packing.columns.phases + b
            return r * self.geometry.columns.taps + s, phase * phase_size + u * packing.pitch + v

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
        columns = max(column.count for _, column in self.residues)
        vectors = -(-((self.row_block - 1) * self.packing.pitch + columns) // self.lanes)
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
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, table_of
    from arignote.compile.tile import outer

    plan = Correlation.of(**parameters)
    (filters, vectors), block_size, outputs = plan.tile, plan.block_size, plan.outputs
    width, pitch, row_block, row_blocks = (
        vectors * plan.lanes,
        plan.packing.pitch,
        plan.row_block,
        plan.row_blocks,
    )
    channels, channel_size, image_size = (
        plan.packing.channels,
        plan.packing.channel_size,
        plan.packing.image_size,
    )
    height, breadth = plan.output_shape
    tiles, even = -(-outputs // filters), outputs % filters == 0
    filter_step, channel_step = plan.geometry.channels * plan.geometry.filter_size, plan.geometry.filter_size
    if plan.gradient:
        filter_step, channel_step = channel_step, filter_step
    passes = len(plan.residues)
    first_row, row_count = (
        table_of([getattr(row, name) for row, _ in plan.residues]) for name in ("first", "count")
    )
    first_column, column_count = (
        table_of([getattr(column, name) for _, column in plan.residues]) for name in ("first", "count")
    )
    row_step, column_step = (residue.step for residue in plan.residues[0])
    pointer, block_of = pointer_to(plan.dtype), cast_to(plan.dtype)
    tile = outer(plan.dtype, plan.lanes, filters, vectors, plan.taps, masked=False)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        block = block_of(scratch)
        for task in range(begin, end):
            image, part = task // (row_blocks * tiles), task % (row_blocks * tiles)
            top, first = part // tiles * row_block, part % tiles * filters
            weights = advance(pointer(args[1]), first * filter_step)
            packed = advance(pointer(args[0]), image * image_size + top * pitch)
            result = advance(pointer(args[2]), (image * outputs + first) * height * breadth)
            valid = filters if even else min(filters, outputs - first)
            for number in range(passes):
                rows, columns = min(row_block, row_count(number) - top), column_count(number)
                for position in range(0, (rows - 1) * pitch + columns, width):
                    tile(
                        number, channels, weights, filter_step, channel_step,
                        advance(packed, position), channel_size,
                        advance(block, position), block_size, valid, width, False,
                    )  # fmt: skip
                for i in range(valid):
                    for u in range(rows):
                        source = advance(block, i * block_size + u * pitch)
                        row = (
                            i * height + first_row(number) + (top + u) * row_step
                        ) * breadth + first_column(number)
                        target = advance(result, row)
                        for v in range(columns):
                            target[v * column_step] = source[v]
        return 0

    return kernel


@dataclass(frozen=True)
class FilterGradient(Plan):
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
    def of(cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...]) -> "FilterGradient":
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry))

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    @property
    def image_packing(self) -> Packing:
        """How the images have to be packed: as the forward convolution reads them."""
        return Correlation(self.dtype, self.unit, self.geometry, gradient=False).packing

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
    from arignote.compile.intrinsics import advance, cast_to, pointer_to
    from arignote.compile.tile import fold, inner

    plan = FilterGradient.of(**parameters)
    (filters, columns), (filter_tiles, column_tiles) = plan.tile, plan.tiles
    all_filters, all_columns, positions = plan.geometry.filters, plan.taps, plan.positions
    height, width, tile_size = filters * filter_tiles, columns * column_tiles, filters * columns * plan.lanes
    packing, gradient_packing = plan.image_packing, plan.gradient_packing
    image_size, channel_size, pitch = packing.image_size, packing.channel_size, packing.pitch
    gradient_image, gradient_channel = gradient_packing.image_size, gradient_packing.channel_size
    filter_size, phase_size = plan.geometry.filter_size, packing.rows.length * pitch
    row_axis, column_axis = plan.geometry.rows, plan.geometry.columns
    row_stride, row_dilation = row_axis.stride, row_axis.dilation
    column_stride, column_dilation, breadth = column_axis.stride, column_axis.dilation, column_axis.taps
    (first_row, row_step), (first_column, column_step) = row_axis.order, column_axis.order
    offsets_bytes = plan.offsets_bytes
    chunk = min(positions, CHUNK_POSITIONS)
    group = max(1, CHUNK_POSITIONS // positions)
    pointer, sums_of, offsets_of = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    tile = inner(plan.dtype, plan.lanes, filters, columns, tail=False)
    add_lanes = fold(plan.dtype, plan.lanes, filters * columns)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        packed, gradient, result = pointer(args[0]), pointer(args[1]), pointer(args[2])
        images = args[3]
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
                distance = r // row_stride * pitch + s // column_stride
                offsets[j] = channel * channel_size + phase * phase_size + distance
            for image in range(0, max(images, 1), group):
                for position in range(0, positions, chunk):
                    total = sums
                    for row in range(top, bottom, filters):
                        for column in range(left, right, columns):
                            tile(
                                min(group, images - image),
                                min(chunk, positions - position),
                                advance(gradient, image * gradient_image + row * gradient_channel + position),
                                gradient_channel,
                                gradient_image,
                                bottom - row,
                                advance(packed, image * image_size + position),
                                advance(offsets, column - left),
                                image_size,
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
    spec = KernelSpec.of("conv:pack", **packing.parameters)
    for step in steps.steps:
        if step.spec == spec and step.reads == (images,):
            return step.writes[0]
    count = images.shape[0]
    target = steps.temporary(images.dtype, (packing.elements(count),))
    steps.step(
        spec,
        node,
        reads=[images],
        writes=[target],
        arguments=[images, target, count],
        tasks=packing.tasks(count),
    )
    return target


def _lower_correlation(
    steps: Steps, node: Apply, geometry: ConvGeometry, images: View, filters: View, gradient: bool
) -> None:
    plan = Correlation(images.dtype, host(), geometry, gradient)
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
        arguments=[packed, filters, target, count],
        tasks=plan.tasks(count),
        scratch=plan.scratch_bytes,
    )


@lowers(Conv2d)
def lower_conv2d(steps: Steps, op: Conv2d, node: Apply) -> None:
    """Pack the images, and correlate."""
    images, filters = (steps.contiguous(x, node) for x in node.inputs)
    _lower_correlation(
        steps, node, _geometry(op, images.shape, filters.shape), images, filters, gradient=False
    )


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
    plan = FilterGradient(images.dtype, host(), _geometry(op, images.shape, target.shape))
    packed = _packed(steps, plan.image_packing, images, node)
    gradient = _packed(steps, plan.gradient_packing, maps, node)
    steps.step(
        KernelSpec.of("conv:filter_gradient", **plan.parameters),
        node,
        reads=[packed, gradient],
        writes=[target],
        arguments=[packed, gradient, target, images.shape[0]],
        tasks=plan.tasks(images.shape[0]),
        scratch=plan.scratch_bytes,
    )
