"""Patches of images as rows of a matrix, and the transpose: patches added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.compile.lowering import Steps, lowers, shape_of
from arignote.compile.spec import KernelSpec
from arignote.engine.graph import Apply
from arignote.engine.ops.neighbours import ImagesToNeighbours, Neighbourhoods, NeighboursToImages

Kernel = Callable[[Any, Any, int, int], int]
Pair = tuple[int, int]


def _source(low: Pair, step: Pair, wraps: bool) -> Any:
    """Make the function of a patch and an element of it, on one axis: its place in the image, or -1."""
    from numba.extending import register_jitable

    @register_jitable
    def source(axis, patch, element, extent):
        place = patch * step[axis] + element - low[axis]
        if wraps:
            return place % extent
        return place if 0 <= place < extent else -1

    return source


def read(*, dtype: str, window: Pair, step: Pair, low: Pair, wraps: bool) -> Kernel:
    """Build the kernel that cuts images into patches; a task is a row of patches of a plane.

    Arguments of the kernel: the addresses of the images and of the patches, the images' rows and columns, and
    how many patches there are along each.

    Parameters
    ----------
    dtype : str
        An integer or a float.
    window, step, low : (int, int)
        Extents of a patch, from one to the next, and from the first one's corner to the image's.
    wraps : bool
        Whether the image goes on at its other side; else it has zeros around.
    """
    from ..intrinsics import advance, pointer_to

    pointer, source, (height, width) = pointer_to(dtype), _source(low, step, wraps), window

    def kernel(args, scratch, begin, end):
        rows, columns, down, across = args[2], args[3], args[4], args[5]
        for task in range(begin, end):
            image = advance(pointer(args[0]), task // down * rows * columns)
            for q in range(across):
                patch = advance(pointer(args[1]), (task * across + q) * (height * width))
                for r in range(height):
                    y = source(0, task % down, r, rows)
                    for s in range(width):
                        x = source(1, q, s, columns)
                        if y >= 0 and x >= 0:
                            patch[r * width + s] = image[y * columns + x]
                        else:
                            patch[r * width + s] = 0
        return 0

    return kernel


def add(*, dtype: str, window: Pair, step: Pair, low: Pair, wraps: bool) -> Kernel:
    """Build the transpose of `read`: every element added at its place; a task is a plane.

    Arguments of the kernel: the addresses of the patches and of the images, and then those of `read`.
    """
    from ..intrinsics import advance, pointer_to

    pointer, source, (height, width) = pointer_to(dtype), _source(low, step, wraps), window

    def kernel(args, scratch, begin, end):
        rows, columns, down, across = args[2], args[3], args[4], args[5]
        for task in range(begin, end):
            image = advance(pointer(args[1]), task * rows * columns)
            for i in range(rows * columns):
                image[i] = 0
            for number in range(down * across):
                patch = advance(pointer(args[0]), (task * down * across + number) * (height * width))
                for r in range(height):
                    y = source(0, number // across, r, rows)
                    for s in range(width):
                        x = source(1, number % across, s, columns)
                        if y >= 0 and x >= 0:
                            image[y * columns + x] += patch[r * width + s]
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def _lower(steps: Steps, op: Neighbourhoods, node: Apply, kernel: str, image: tuple[int, ...]) -> None:
    source, target = steps.contiguous(node.inputs[0], node), steps.allocate(node.outputs[0])
    down, across = (int(count or 0) for count in op.grid(image[2:]))
    planes = image[0] * image[1]
    spec = KernelSpec.of(
        f"neighbours:{kernel}",
        dtype=target.dtype,
        window=op.window,
        step=op.step,
        low=op.low,
        wraps=op.mode == "wrap_centered",
    )
    steps.step(
        spec,
        node,
        reads=[source],
        writes=[target],
        arguments=[source, target, *image[2:], down, across],
        tasks=planes * down if kernel == "read" else planes,
    )


@lowers(ImagesToNeighbours)
def lower_images_to_neighbours(steps: Steps, op: ImagesToNeighbours, node: Apply) -> None:
    """Copy every patch."""
    _lower(steps, op, node, "read", shape_of(node.inputs[0]))


@lowers(NeighboursToImages)
def lower_neighbours_to_images(steps: Steps, op: NeighboursToImages, node: Apply) -> None:
    """Add every patch."""
    _lower(steps, op, node, "add", shape_of(node.outputs[0]))
