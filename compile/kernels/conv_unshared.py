"""Convolutions whose every output place has filters of its own, and their two gradients.

At one place (p, q) of one group they are products of small matrices: with the pixels under the filters of
some images as rows, ``patch[n, j]`` for j = (c, r, s), and the filters ``W[k, j]`` of the place,

    Y[n, k] = sum over j of patch[n, j] · W[k, j]
    dpatch[n, j] = sum over k of dY[n, k] · W[k, j]
    dW[k, j] = sum over n of dY[n, k] · patch[n, j]

Patches of a few images at a time lie in scratch memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from arignote.compile.kernels.conv_geometry import ConvGeometry
from arignote.compile.kernels.plan import PlanePlan
from arignote.compile.simd import VectorUnit, tile_shape

Kernel = Callable[[Any, Any, int, int], int]
IMAGES = 8  # at most so many patches lie in scratch memory


class UnsharedSizes(NamedTuple):
    """The sizes of an `Unshared`."""

    height: int
    width: int
    out_rows: int
    out_columns: int
    top: int
    left: int


@dataclass(frozen=True)
class Unshared(PlanePlan):
    """How a convolution with unshared filters, or one of its gradients, is cut into tasks.

    Arguments of the kernels: the addresses of the images, of the filters and of the maps (each the values or
    the gradient, of which the kernel writes one), and the number of images. All arrays are C-contiguous.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    geometry : ConvGeometry
        The convolution; of two axes.
    """

    dtype: str
    unit: VectorUnit
    geometry: ConvGeometry

    @classmethod
    def of(cls, dtype: str, unit: tuple[int, int], geometry: tuple[Any, ...], promised: bool) -> Unshared:
        """Read the plan from a builder's parameters."""
        return cls(dtype, VectorUnit(*unit), ConvGeometry.of(geometry), promised=promised)

    @property
    def typical(self) -> Unshared:
        """The same for typical planes."""
        return replace(self, geometry=self.geometry.typical)

    @property
    def sizes(self) -> UnsharedSizes:
        """Extents of the images and of the maps, and the padding."""
        _, rows, columns = self.geometry.axes
        return UnsharedSizes(
            rows.extent, columns.extent, rows.outputs, columns.outputs, rows.low, columns.low
        )

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    @property
    def patch(self) -> int:
        """Pixels under a filter, over the channels of its group."""
        return self.geometry.channels * self.geometry.filter_size

    def outer_tile(self, rows: int) -> tuple[int, int]:
        """Return the register tile that covers `rows` patches, or gradients of filters, at a time."""
        return tile_shape(rows, -(-max(1, self.patch) // self.lanes), self.unit, column_loads=2)

    @property
    def inner_tile(self) -> tuple[int, int]:
        """Filters and images of a register tile."""
        return tile_shape(max(1, self.geometry.filters), IMAGES, self.unit, column_loads=2)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs: offsets of patches, the patches, and the lanes of sums."""
        filters, images = self.inner_tile
        elements = IMAGES * self.patch + filters * images * self.lanes
        return 64 + elements * np.dtype(self.dtype).itemsize


def _patches(plan: Unshared) -> tuple[Any, Any]:
    """Make the functions ``(image, patch, sizes, p, q) -> None`` that read a patch, and that add it back."""
    from numba.extending import register_jitable

    _, rows, columns = plan.geometry.axes
    channels, row_taps, column_taps = plan.geometry.channels, rows.taps, columns.taps
    (first_row, row_step), (first_column, column_step) = rows.order, columns.order
    stride_row, stride_column = rows.stride, columns.stride
    dilation_row, dilation_column = rows.dilation, columns.dilation

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def pixel(size: UnsharedSizes, channel: int, r: int, s: int, p: int, q: int) -> int:
        """Return where the pixel under a tap lies in the image, or -1."""
        y = p * stride_row + (first_row + row_step * r) * dilation_row - size.top
        x = q * stride_column + (first_column + column_step * s) * dilation_column - size.left
        inside = 0 <= y < size.height and 0 <= x < size.width
        return (channel * size.height + y) * size.width + x if inside else -1

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def read(image: Any, patch: Any, size: UnsharedSizes, p: int, q: int) -> None:
        for channel in range(channels):
            for r in range(row_taps):
                for s in range(column_taps):
                    place = pixel(size, channel, r, s, p, q)
                    patch[(channel * row_taps + r) * column_taps + s] = image[place] if place >= 0 else 0

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def add(image: Any, patch: Any, size: UnsharedSizes, p: int, q: int) -> None:
        for channel in range(channels):
            for r in range(row_taps):
                for s in range(column_taps):
                    place = pixel(size, channel, r, s, p, q)
                    if place >= 0:
                        image[place] += patch[(channel * row_taps + r) * column_taps + s]

    return read, add


def forward(**parameters: Any) -> Kernel:
    """Build the kernel that writes the maps; a task is a row of one group's."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import fold, inner

    plan = Unshared.of(**parameters)
    groups, channels, filters = plan.geometry.groups, plan.geometry.channels, plan.geometry.filters
    (tall, wide), length, lanes = plan.inner_tile, plan.patch, plan.lanes
    pointer, elements, table = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    sizes, (read, _) = sizes_of(plan, after=4), _patches(plan)
    tile, add_lanes = inner(plan.dtype, lanes, tall, wide, tail=True), fold(plan.dtype, lanes, tall * wide)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size, images = sizes(args), args[3]
        pixels, places = size.height * size.width, size.out_rows * size.out_columns
        offsets, patches = table(scratch), elements(advance(scratch, 64))
        sums = advance(patches, IMAGES * length)
        for task in range(begin, end):
            group, p = task // size.out_rows, task % size.out_rows
            for q in range(size.out_columns):
                place = p * size.out_columns + q
                for image in range(0, images, wide):
                    count = min(wide, images - image)
                    for n in range(wide):
                        offsets[n] = min(n, count - 1) * length
                    for n in range(count):
                        start = ((image + n) * groups + group) * channels * pixels
                        read(
                            advance(pointer(args[0]), start), advance(patches, n * length), size, p, q
                        )  # fmt: skip
                    for k in range(0, filters, tall):
                        first = group * filters + k
                        tile(
                            1, length, advance(pointer(args[1]), (first * places + place) * length),
                            places * length, 0, filters - k, patches, offsets, 0, sums, False,
                        )  # fmt: skip
                        add_lanes(sums)
                        for i in range(min(tall, filters - k)):
                            for n in range(count):
                                target = ((image + n) * groups * filters + first + i) * places + place
                                pointer(args[2])[target] = sums[i * wide + n]
        return 0

    return kernel


def input_gradient(**parameters: Any) -> Kernel:
    """Build the kernel that writes the gradient of the images; a task is one group of a few images."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import outer

    plan = Unshared.of(**parameters)
    groups, channels, filters = plan.geometry.groups, plan.geometry.channels, plan.geometry.filters
    (tall, vectors), length, width = (
        plan.outer_tile(IMAGES),
        plan.patch,
        plan.outer_tile(IMAGES)[1] * plan.lanes,
    )
    pointer, elements, table = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    sizes, (_, add) = sizes_of(plan, after=4), _patches(plan)
    tile = outer(plan.dtype, plan.lanes, tall, vectors, masked=True)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size, images = sizes(args), args[3]
        pixels, places = size.height * size.width, size.out_rows * size.out_columns
        zero, patches = table(scratch), elements(advance(scratch, 64))
        zero[0] = 0
        for task in range(begin, end):
            first, group = task // groups * tall, task % groups
            count = min(tall, images - first)
            for n in range(count):
                image = advance(pointer(args[0]), ((first + n) * groups + group) * channels * pixels)
                for i in range(channels * pixels):
                    image[i] = 0
            for place in range(places):
                maps = advance(pointer(args[2]), (first * groups + group) * filters * places + place)
                weights = advance(pointer(args[1]), (group * filters * places + place) * length)
                for j in range(0, length, width):
                    tile(
                        0, filters, maps, groups * filters * places, places,
                        advance(weights, j), zero, places * length,
                        advance(patches, j), length, count, length - j, False,
                    )  # fmt: skip
                for n in range(count):
                    image = advance(pointer(args[0]), ((first + n) * groups + group) * channels * pixels)
                    patch = advance(patches, n * length)
                    add(image, patch, size, place // size.out_columns, place % size.out_columns)
        return 0

    return kernel


def filter_gradient(**parameters: Any) -> Kernel:
    """Build the kernel that writes the gradient of the filters; a task is a row of one group's places."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to, sizes_of
    from arignote.compile.tile import outer

    plan = Unshared.of(**parameters)
    groups, channels, filters = plan.geometry.groups, plan.geometry.channels, plan.geometry.filters
    tall, vectors = plan.outer_tile(filters)
    length, width = plan.patch, vectors * plan.lanes
    pointer, elements, table = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    sizes, (read, _) = sizes_of(plan, after=4), _patches(plan)
    tile = outer(plan.dtype, plan.lanes, tall, vectors, masked=True)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size, images = sizes(args), args[3]
        pixels, places = size.height * size.width, size.out_rows * size.out_columns
        zero, patches = table(scratch), elements(advance(scratch, 64))
        zero[0] = 0
        for task in range(begin, end):
            group, p = task // size.out_rows, task % size.out_rows
            for q in range(size.out_columns):
                place = p * size.out_columns + q
                for image in range(0, max(1, images), IMAGES):
                    count = min(IMAGES, images - image)
                    for n in range(count):
                        start = ((image + n) * groups + group) * channels * pixels
                        read(
                            advance(pointer(args[0]), start), advance(patches, n * length), size, p, q
                        )  # fmt: skip
                    for k in range(0, filters, tall):
                        first = group * filters + k
                        maps = advance(pointer(args[2]), (image * groups * filters + first) * places + place)
                        result = advance(pointer(args[1]), (first * places + place) * length)
                        for j in range(0, length, width):
                            tile(
                                0, count, maps, places, groups * filters * places,
                                advance(patches, j), zero, length,
                                advance(result, j), places * length, filters - k, length - j, image > 0,
                            )  # fmt: skip
        return 0

    return kernel
