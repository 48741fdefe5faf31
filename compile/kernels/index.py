"""Indexing: slices become views, vectors of integers gather and scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from arignote.compile.kernels.elementwise import compile_source, fill
from arignote.compile.lowering import Steps, lowers, shape_of
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View, Window
from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Variable, known_integer
from arignote.engine.ops.index import (
    Gather,
    Pattern,
    ScatterAdd,
    Subtensor,
    SubtensorGradient,
    index_error,
    resolve,
)


@lowers(Subtensor)
def lower_subtensor(steps: Steps, op: Subtensor, node: Apply) -> None:
    """View a part of the array, at an offset that may only be known at the call."""
    view = steps.view(node.inputs[0])
    steps.alias(node.outputs[0], _part(steps, view, op.pattern, node.inputs[1:], shape_of(node.outputs[0])))


@lowers(SubtensorGradient)
def lower_subtensor_gradient(steps: Steps, op: SubtensorGradient, node: Apply) -> None:
    """Fill with zeros, and copy the values to their part."""
    values, bounds = steps.view(node.inputs[0]), node.inputs[1 + op.ndim :]
    target = steps.allocate(node.outputs[0])
    fill(steps, "0", target, node)
    steps.copy(values, _part(steps, target, op.pattern, bounds, values.shape), node)


def _part(
    steps: Steps, view: View, pattern: Pattern, bounds: Sequence[Variable], shape: Sequence[int]
) -> View:
    """Return the view of the part of a view that a pattern and its bounds stand for."""
    known = [known_integer(bound) for bound in bounds]
    index = resolve(pattern, known)
    if None not in index:
        return view.sliced(cast("list[int | slice]", index))

    sources = [steps.graph.sources.get(bound) for bound in bounds]

    def offset_of(integers: Mapping[Variable, int]) -> int:
        values = [
            value if source is None else integers[source]
            for value, source in zip(known, sources, strict=True)
        ]
        return (view.offset + view.shift(cast("list[int | slice]", resolve(pattern, values)))) * view.itemsize

    # The shape is known all the same, and the strides: a window's extents decide neither.
    strides = [
        stride * step
        for stride, step in zip(view.strides, _steps(pattern, bounds), strict=False)
        if step is not None
    ]
    strides.extend(view.strides[len(pattern) :])
    return View(Window(view.buffer, offset_of), view.dtype, tuple(shape), tuple(strides))


def _steps(pattern: Pattern, bounds: Sequence[Variable]) -> list[int | None]:
    """Return the step of each slice of a pattern, None for each integer."""
    rest = iter(bounds)
    steps: list[int | None] = []
    for entry in pattern:
        if entry is None:
            next(rest)
            steps.append(None)
            continue
        parts = [next(rest) if given else None for given in (entry.start, entry.stop, entry.step)]
        steps.append(1 if parts[2] is None else known_integer(parts[2]))
    return steps


@lowers(Gather)
def lower_gather(steps: Steps, op: Gather, node: Apply) -> None:
    """Copy the rows that the vectors point at."""
    array, *indices = (steps.contiguous(x, node) for x in node.inputs)
    target = steps.allocate(node.outputs[0])
    row = math.prod(array.shape[len(indices) :])
    length = target.shape[0]
    steps.step(
        KernelSpec.of("index:gather", dtype=array.dtype, indices=tuple(view.dtype for view in indices)),
        node,
        reads=[array, *indices],
        writes=[target],
        arguments=[target, array, row, *array.shape[: len(indices)], *indices],
        tasks=length,
        diagnosis=(_diagnose(array.shape), tuple(indices)),
    )


@lowers(ScatterAdd)
def lower_scatter_add(steps: Steps, op: ScatterAdd, node: Apply) -> None:
    """Copy the array, and add each row of the values where the vectors point."""
    array = steps.view(node.inputs[0])
    values, *indices = (steps.contiguous(x, node) for x in node.inputs[1:])
    target = steps.allocate(node.outputs[0])
    steps.copy(array, target, node)
    row = math.prod(target.shape[len(indices) :])
    steps.step(
        KernelSpec.of("index:scatter_add", dtype=target.dtype, indices=tuple(view.dtype for view in indices)),
        node,
        reads=[values, *indices, target],
        writes=[target],
        arguments=[target, values, row, *target.shape[: len(indices)], *indices, indices[0].size],
        tasks=1,  # two values may go to one place: they are added in order
        diagnosis=(_diagnose(target.shape), tuple(indices)),
    )


def _diagnose(shape: Sequence[int]) -> Callable[[Sequence[np.ndarray], int], GraphError]:
    def diagnose(indices: Sequence[np.ndarray], status: int) -> GraphError:
        position = status - 1
        for axis, (index, extent) in enumerate(zip(indices, shape, strict=False)):
            value = int(index[position])
            if not -extent <= value < extent:
                return index_error(axis, extent, position, value)
        raise AssertionError(f"status {status} points at no index out of range")

    return diagnose


def _row_source(indices: Sequence[str], first: int) -> str:
    """Return lines that find the row that the index vectors give for `i`, or leave with a status."""
    lines = ["row = 0"]
    for k, dtype in enumerate(indices):
        lines += [
            f"index = int64({dtype}_at(args[{first + len(indices) + k}])[i])",
            f"extent = args[{first + k}]",
            "if index < -extent or index >= extent:",
            "    return i + 1",
            "row = row * extent + (index + extent if index < 0 else index)",
        ]
    return "\n".join(" " * 8 + line for line in lines)


def gather(*, dtype: str, indices: tuple[str, ...]) -> Callable[..., int]:
    """Build the kernel of `Gather`; a task is one row.

    Arguments: output, array, elements of a row, extents, index vectors.
    """
    element = "uint8" if dtype == "bool" else dtype
    source = f"""
def kernel(args, scratch, begin, end):
    out, array, size = {element}_at(args[0]), {element}_at(args[1]), args[2]
    for i in range(begin, end):
{_row_source(indices, 3)}
        for j in range(size):
            out[i * size + j] = array[row * size + j]
    return 0
"""
    return compile_source(source, [element, *indices])


def scatter_add(*, dtype: str, indices: tuple[str, ...]) -> Callable[..., int]:
    """Build the kernel of `ScatterAdd`.

    Arguments: output, values, elements of a row, extents, index vectors, their length.
    """
    source = f"""
def kernel(args, scratch, begin, end):
    out, values, size = {dtype}_at(args[0]), {dtype}_at(args[1]), args[2]
    for i in range(args[{3 + 2 * len(indices)}]):
{_row_source(indices, 3)}
        for j in range(size):
            out[row * size + j] += values[i * size + j]
    return 0
"""
    return compile_source(source, [dtype, *indices])
