"""Convolutions with one or two filters a group, such as depthwise ones: bands of rows of an image.

Where :mod:`~arignote.compile.kernels.conv_correlate` has no second filter to share the vectors that it reads,
the rows of a band share them: row i of the output and row r of the filter meet row i + r of the packed image.
Sums go to the result at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from arignote.compile.kernels.conv_correlate import Correlation
from arignote.compile.kernels.conv_geometry import ConvGeometry
from arignote.compile.kernels.conv_pack import Packing
from arignote.compile.kernels.plan import PlanePlan
from arignote.compile.simd import VectorUnit

Kernel = Callable[[Any, Any, int, int], int]
TALLEST = 16  # rows of a band: more would only make the last one emptier


class BandsSizes(NamedTuple):
    """The sizes of a `Bands`."""

    depth: int
    height: int
    breadth: int
    pitch: int
    phase: int
    plane_size: int
    channel_size: int
    image_size: int
    bands: int
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Bands(PlanePlan):
    """How a convolution, or the gradient of its input, is cut into bands of rows; a task is one of them.

    Fields, and the arguments of the kernel, are those of a `Correlation`.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry
    gradient: bool

    kernel = "conv_bands:correlate"
    scratch_bytes = 0

    @classmethod
    def of(
        cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], gradient: bool, promised: bool
    ) -> Bands:
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), gradient, promised=promised)

    @property
    def typical(self) -> Bands:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def whole(self) -> Correlation:
        """The same convolution, cut otherwise."""
        return Correlation(self.dtype, self.unit, self.geometry, self.gradient, promised=self.promised)

    @property
    def packing(self) -> Packing:
        """How the images have to be packed."""
        return self.whole.packing

    @property
    def sizes(self) -> BandsSizes:
        """Extents of the result, of the packed images and of a band, and where the filter's columns read."""
        packing, ((planes, _, columns),) = self.packing, self.whole.residues
        first = (0, self.first_row)
        return BandsSizes(
            *self.whole.output_shape,
            packing.pitch,
            packing.columns.kept * packing.phase_size,
            packing.plane_size,
            packing.channel_size,
            packing.image_size,
            -(-self.whole.output_shape[1] // self.tallest),
            tuple(
                packing.offset((a, u), first, (b, v)) for _, a, u in planes.taps for _, b, v in columns.taps
            ),
        )

    @property
    def first_row(self) -> int:
        """The first row of a phase that any row of the filter reads, for the first row of the result."""
        ((_, rows, _),) = self.whole.residues
        return min(row for _, _, row in rows.taps)

    @property
    def is_served(self) -> bool:
        """Whether it can be done so, and is done better so."""
        one_pass = len(self.whole.residues) == 1
        return self.whole.outputs <= 2 and one_pass and 3 * self.geometry.rows.taps <= self.unit.registers

    @property
    def tallest(self) -> int:
        """Rows of a band: with a row of the filter and of the image they fill the registers."""
        most = min(TALLEST, self.unit.registers - self.geometry.rows.taps - 2)
        rows = self.whole.output_shape[1] if self.promised else TALLEST // 2
        return -(-rows // -(-rows // most))

    def tasks(self, images: int) -> int:
        """Count the tasks, whose images are all groups of an image."""
        depth, rows, _ = self.whole.output_shape
        return images * self.geometry.groups * self.whole.outputs * depth * -(-rows // self.tallest)


def correlate(**parameters: Any) -> Kernel:
    """Build the kernel of a `Bands`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, pointer_to, sizes_of
    from arignote.compile.tile import band

    plan = Bands.of(**parameters)
    geometry, outputs, channels, rows = plan.geometry, plan.whole.outputs, plan.packing.channels, plan.tallest
    groups, group_size, lanes = geometry.groups, geometry.group_size, plan.whole.lanes
    filter_step, channel_step = geometry.channels * geometry.filter_size, geometry.filter_size
    if plan.gradient:
        filter_step, channel_step = channel_step, filter_step
    (in_depth, in_rows, in_columns), taps = plan.whole.residues[0], geometry.columns.taps
    row_taps = [(r * taps, phase, row - plan.first_row) for r, phase, row in in_rows.taps]
    left_offsets = [
        t * geometry.rows.taps * taps + s for t, _, _ in in_depth.taps for s, _, _ in in_columns.taps
    ]
    pointer, sizes = pointer_to(plan.dtype), sizes_of(plan, after=4)
    tile = band(plan.dtype, lanes, rows, row_taps, left_offsets)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size = sizes(args)
        pitch, depth, height, breadth = size.pitch, size.depth, size.height, size.breadth
        for task in range(begin, end):
            top, part = task % size.bands * rows, task // size.bands
            first, part = part % outputs, part // outputs
            plane, image = part % depth, part // depth
            weights = advance(pointer(args[1]), image % groups * group_size + first * filter_step)
            start = image * size.image_size + plane * size.plane_size + top * pitch
            packed = advance(pointer(args[0]), start)
            row = ((image * outputs + first) * depth + plane) * height + top
            result = advance(pointer(args[2]), row * breadth)
            for column in range(0, breadth, lanes):
                tile(
                    channels, weights, channel_step,
                    advance(packed, column), size.offsets, size.channel_size, pitch, size.phase,
                    advance(result, column), breadth, min(rows, height - top), breadth - column,
                )  # fmt: skip
        return 0

    return kernel
