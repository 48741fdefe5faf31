"""The shape of a convolution, and where its taps read the packed images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from arignote.compile.kernels.plan import TYPICAL
from arignote.engine.ops.conv import Convolution


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
    kept : int
        How many of them are stored, the first ones: no tap reads the others.
    length : int
        Elements of each phase.
    pitch : int
        Elements from one line of a phase to the next, if lines are laid along this axis. The zeros behind a
        line are those in front of the next one, as far as both have them: `length` - `pitch` elements at the
        end of every line, which are read but not stored.
    """

    extent: int
    low: int
    phases: int
    kept: int
    length: int
    pitch: int

    @classmethod
    def of(cls, extent: int, low: int, phases: int, kept: int, length: int, outputs: int) -> PackedAxis:
        """Lay out an axis along which so many outputs lie, at the smallest pitch."""
        pitch = length if phases > 1 else max(low + extent, length - low, outputs)
        return cls(extent, low, phases, kept, length, min(pitch, length))

    @property
    def typical(self) -> PackedAxis:
        """The same for other extents: all of them are packed alike."""
        return replace(self, extent=TYPICAL, length=TYPICAL, pitch=TYPICAL)


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
        """The same with at least `TYPICAL` outputs; of the padding only its phase is more than a size."""
        extent = TYPICAL * self.stride + (self.taps - 1) * self.dilation
        return replace(self, extent=extent, low=self.low % self.stride, high=0)

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
        kept = max(phase for _, phase, _ in taps) + 1
        packed = PackedAxis.of(self.extent, self.low, self.stride, kept, length, self.outputs)
        return packed, (Residue(0, 1, self.outputs, taps),)

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
        return PackedAxis.of(self.outputs, low, 1, 1, length, max(counts)), residues


#: The depth of images that have none.
POINT = ConvAxis(extent=1, taps=1, low=0, high=0, stride=1, dilation=1, flip=False)


@dataclass(frozen=True)
class ConvGeometry:
    """The shape of a convolution, all but the number of images.

    Parameters
    ----------
    groups : int
        How many convolutions it is, each with its own channels and filters.
    channels, filters : int
        Channels of the input and of the output, in each group.
    depth, rows, columns : ConvAxis
        The axes of an image.
    """

    groups: int
    channels: int
    filters: int
    depth: ConvAxis
    rows: ConvAxis
    columns: ConvAxis

    @classmethod
    def of(cls, parameters: tuple[Any, ...]) -> ConvGeometry:
        """Read the geometry from a builder's parameter."""
        groups, channels, filters, *axes = parameters
        return cls(groups, channels, filters, *(ConvAxis(*axis) for axis in axes))

    @classmethod
    def between(cls, op: Convolution, image: tuple[int, ...], filters: tuple[int, ...]) -> ConvGeometry:
        """Return the geometry of a convolution of images with filters of these shapes."""
        taps = op.taps(filters)
        sides = zip(*op.padding(taps), strict=True)
        axes = [
            ConvAxis(*parts, op.flip)
            for parts in zip(image[2:], taps, *sides, op.subsample, op.dilation, strict=True)
        ]
        missing = [POINT] * (3 - len(axes))
        return cls(op.groups, image[1] // op.groups, filters[0] // op.groups, *missing, *axes)

    @property
    def axes(self) -> tuple[ConvAxis, ConvAxis, ConvAxis]:
        """Depth, rows and columns."""
        return self.depth, self.rows, self.columns

    @property
    def typical(self) -> ConvGeometry:
        """The same for typical planes; images without a depth stay so."""
        depth = self.depth if self.depth == POINT else self.depth.typical
        return replace(self, depth=depth, rows=self.rows.typical, columns=self.columns.typical)

    @property
    def is_pointwise(self) -> bool:
        """Whether every output is made of the pixel in its own place, of all channels."""
        return all((axis.taps, axis.low, axis.high, axis.stride) == (1, 0, 0, 1) for axis in self.axes)

    @property
    def flat(self) -> ConvGeometry:
        """The same, over images of one row, if it is pointwise; not if bands serve it, which want rows."""
        if not self.is_pointwise or min(self.channels, self.filters) <= 2:
            return self
        pixels = math.prod(axis.extent for axis in self.axes)
        return replace(self, depth=POINT, rows=POINT, columns=replace(POINT, extent=pixels))

    @property
    def filter_size(self) -> int:
        """Count the taps of one filter over one channel."""
        return self.depth.taps * self.rows.taps * self.columns.taps

    @property
    def group_size(self) -> int:
        """Count the elements of one group's filters."""
        return self.channels * self.filters * self.filter_size

    @property
    def flops(self) -> int:
        """Count the multiplications and additions of one image, forward or in either gradient."""
        return (
            2 * self.groups * self.group_size * self.depth.outputs * self.rows.outputs * self.columns.outputs
        )
