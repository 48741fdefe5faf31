"""Indexing: slices become views, index arrays gather and scatter."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from arignote.compile.kernels.elementwise import Formula, collapse, compile_source, emit_loop
from arignote.compile.lowering import Diagnosis, Steps, lowers, shape_of
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View, Window
from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Variable, known_integer
from arignote.engine.ops.elementwise import Add
from arignote.engine.ops.index import (
    Bounds,
    Entry,
    IncSubtensor,
    Pattern,
    Subtensor,
    array_axes,
    index_error,
    index_of,
    place_of_arrays,
)


@lowers(Subtensor)
def lower_subtensor(steps: Steps, op: Subtensor, node: Apply) -> None:
    """View a part of the array, at an offset that may only be known at the call; copy where arrays point."""
    (out,) = node.outputs
    array, *inputs = node.inputs
    view, shape = steps.view(array), shape_of(out)
    if Entry.ARRAY not in op.pattern:
        steps.alias(out, _part(steps, view, op.pattern, inputs, shape))
        return
    indices = _index_arrays(steps, op.pattern, inputs, node)
    rest, arrays = _without_arrays(op.pattern, shape, indices[0].shape)
    part = _part(steps, view, op.pattern, inputs, rest)
    _move(steps, node, "get", part, steps.allocate(out), arrays, op.pattern, indices)


@lowers(IncSubtensor)
def lower_inc_subtensor(steps: Steps, op: IncSubtensor, node: Apply) -> None:
    """Copy the array, where it is needed elsewhere, and change a part of it."""
    (out,), (array, values, *inputs) = node.outputs, node.inputs
    source, view, shape = steps.view(array), steps.view(values), shape_of(values)
    indices = _index_arrays(steps, op.pattern, inputs, node)
    target = steps.overwrite(array, out) or steps.copy(source, steps.allocate(out), node)
    if indices:
        rest, arrays = _without_arrays(op.pattern, shape, indices[0].shape)
        part = _part(steps, target, op.pattern, inputs, rest)
        mode = "set" if op.set_instead_of_inc else "inc"
        _move(steps, node, mode, part, view, arrays, op.pattern, indices)
        return
    part = _part(steps, target, op.pattern, inputs, shape)
    if op.set_instead_of_inc:
        steps.copy(view, part, node)
        return
    formula = Formula()
    result = formula.add(Add(), [formula.operand(part), formula.operand(view)], [part.dtype] * 2)
    emit_loop(steps, node, formula, result, shape, part)


def _index_arrays(steps: Steps, pattern: Pattern, inputs: Sequence[Variable], node: Apply) -> list[View]:
    return [steps.contiguous(x, node) for x in inputs if x.ndim]


def _without_arrays(
    pattern: Pattern, shape: Sequence[int], indices: Sequence[int]
) -> tuple[list[int], range]:
    """Return the extents of a part that slices decide, and the axes that index arrays decide."""
    place = place_of_arrays(pattern)
    arrays = range(place, place + len(indices))
    return [extent for axis, extent in enumerate(shape) if axis not in arrays], arrays


def _part(
    steps: Steps, view: View, pattern: Pattern, inputs: Sequence[Variable], extents: Sequence[int]
) -> View:
    """Return the view of a part of a view; axes that index arrays stand for are kept whole.

    Its other extents are known, and the strides: where a window begins decides neither.
    """
    known = [known_integer(x) for x in inputs]
    rest, shape, strides, axis = iter(extents), [], [], 0
    for entry, index in zip(pattern, index_of(pattern, known), strict=True):
        if entry in (Entry.NEWAXIS, Entry.ELLIPSIS):
            if entry is Entry.NEWAXIS:
                shape.append(next(rest))
                strides.append(0)
            continue
        if entry is Entry.ARRAY:
            shape.append(view.shape[axis])
            strides.append(view.strides[axis])
        elif isinstance(entry, Bounds):
            shape.append(next(rest))
            strides.append(view.strides[axis] * (index.step or 1))
        axis += 1
    shape.extend(rest)
    strides.extend(view.strides[axis:])

    def offset(values: Sequence[int | None]) -> int:
        index = [
            slice(None) if entry is Entry.ARRAY else each
            for entry, each in zip(pattern, index_of(pattern, values), strict=True)
            if entry not in (Entry.NEWAXIS, Entry.ELLIPSIS)
        ]
        return view.offset + view.shift(index)

    if all(value is not None or x.ndim for value, x in zip(known, inputs, strict=True)):
        return View(view.buffer, view.dtype, tuple(shape), tuple(strides), offset(known))
    sources = [steps.graph.sources.get(x) for x in inputs]

    def offset_of(integers: Mapping[Variable, int]) -> int:
        pairs = zip(known, sources, inputs, strict=True)
        values = [k if k is not None or y is None or x.ndim else integers[y] for k, y, x in pairs]
        return offset(values) * view.itemsize

    return View(Window(view.buffer, offset_of), view.dtype, tuple(shape), tuple(strides))


def _move(
    steps: Steps,
    node: Apply,
    mode: str,
    part: View,
    flat: View,
    arrays: range,
    pattern: Pattern,
    indices: list[View],
) -> None:
    """Add the step that moves elements between places that index arrays name and a view of them in a row.

    Parameters
    ----------
    mode : {'get', 'set', 'inc'}
    part : View
        An axis for each index array, among the others.
    flat : View
        In their place, the axes `arrays` of the index arrays' shape.
    """
    if flat.size == 0:
        return
    inner = list(zip(flat.shape, flat.strides, strict=True))[arrays.start : arrays.stop]
    if any(a[1] != b[1] * b[0] for a, b in itertools.pairwise(inner)):
        flat = steps.copy(flat, steps.temporary(flat.dtype, flat.shape), node)
    named = [
        axis
        for axis, entry in enumerate(e for e in pattern if e not in (Entry.INTEGER, Entry.ELLIPSIS))
        if entry is Entry.ARRAY
    ]
    places = [axis for axis in range(len(part.shape)) if axis not in named]
    others = [axis for axis in range(len(flat.shape)) if axis not in arrays]
    dims = collapse(
        [part.shape[axis] for axis in places],
        [[part.strides[axis] for axis in places], [flat.strides[axis] for axis in others]],
        (),
        (),
    )
    length, stride = indices[0].size, flat.strides[arrays.stop - 1]
    form = {"dtype": part.dtype, "indices": tuple(view.dtype for view in indices), "dimensions": len(dims)}
    if mode == "get" and stride < dims[-1][1][1]:  # nothing lies behind the axes of the index arrays
        spec, tasks = KernelSpec.of("index:rows", **form), dims[0][0]
    else:
        spec = KernelSpec.of("index:move", mode=mode, unit=dims[-1][1] == (1, 1), **form)
        tasks = length if mode == "get" else 1  # two values may go to one place: they go in order
    extents = [part.shape[axis] for axis in named]
    steps.step(
        spec,
        node,
        reads=[part if mode == "get" else flat, *indices, *([part] if mode == "inc" else [])],
        writes=[flat if mode == "get" else part],
        arguments=[
            part,
            flat,
            length,
            stride,
            *indices,
            *extents,
            *(part.strides[axis] for axis in named),
            *(extent for extent, _, _ in dims),
            *(strides[0] for _, strides, _ in dims),
            *(strides[1] for _, strides, _ in dims),
        ],
        tasks=tasks,
        diagnosis=(_diagnose(array_axes(pattern), extents), tuple(indices)),
    )


def _diagnose(axes: Sequence[int], extents: Sequence[int]) -> Diagnosis:
    def diagnose(indices: Sequence[np.ndarray], status: int) -> GraphError:
        position = status - 1
        for index, axis, extent in zip(indices, axes, extents, strict=True):
            if not -extent <= int(index.ravel()[position]) < extent:
                return index_error(axis, extent, index, position)
        raise AssertionError(f"status {status} points at no index out of range")

    return diagnose


def move(
    *, mode: str, dtype: str, indices: tuple[str, ...], dimensions: int, unit: bool
) -> Callable[..., int]:
    """Build the kernel of index arrays; a task is one of their elements, or all of them.

    Arguments: the part, the elements in a row, their number and stride, index arrays, the extents and the
    strides of the axes they name, and of the other dimensions the extents and both views' strides.
    """
    *outer, last = range(dimensions)
    indent = " " * 8
    lines = [
        *_header(dtype, indices, dimensions),
        f"    for i in range({'begin, end' if mode == 'get' else '0, args[2]'}):",
        *_found(indices, indent),
    ]
    for d in outer:
        lines.append(f"{indent}for i{d} in range(e{d}):")
        indent += "    "
    left, right = ("a[j]", "b[j]") if unit else (f"a[j * p{last}]", f"b[j * f{last}]")
    action = {"get": f"{right} = {left}", "set": f"{left} = {right}", "inc": f"{left} += {right}"}[mode]
    lines += [
        f"{indent}a = advance(part, {' + '.join(['place', *(f'i{d} * p{d}' for d in outer)])})",
        f"{indent}b = advance(flat, {' + '.join(['i * args[3]', *(f'i{d} * f{d}' for d in outer)])})",
        f"{indent}for j in range(e{last}):",
        f"{indent}    {action}",
        "    return 0",
        "",
    ]
    return compile_source("\n".join(lines), [_element(dtype), *indices])


def rows(*, dtype: str, indices: tuple[str, ...], dimensions: int) -> Callable[..., int]:
    """Build the kernel of index arrays that reads a row of the part for each row it writes.

    A task is one place along the first of the other dimensions. The arguments are those of `move`.
    """
    dims = range(dimensions)
    lines = _header(dtype, indices, dimensions)
    indent = " " * 4
    for d in dims:
        lines.append(f"{indent}for i{d} in range({f'e{d}' if d else 'begin, end'}):")
        indent += "    "
    lines += [
        f"{indent}a = advance(part, {' + '.join(f'i{d} * p{d}' for d in dims)})",
        f"{indent}b = advance(flat, {' + '.join(f'i{d} * f{d}' for d in dims)})",
        f"{indent}for i in range(args[2]):",
        *_found(indices, indent + "    "),
        f"{indent}    b[i * args[3]] = a[place]",
        "    return 0",
        "",
    ]
    return compile_source("\n".join(lines), [_element(dtype), *indices])


def _element(dtype: str) -> str:
    return "uint8" if dtype == "bool" else dtype


def _header(dtype: str, indices: Sequence[str], dimensions: int) -> list[str]:
    """Return the lines that name a kernel's arguments."""
    element, count = _element(dtype), len(indices)
    lines = [
        "def kernel(args, scratch, begin, end):",
        f"    part, flat = {element}_at(args[0]), {element}_at(args[1])",
        *(f"    index{k} = {kind}_at(args[{4 + k}])" for k, kind in enumerate(indices)),
    ]
    names = [f"{name}{k}" for name in ("extent", "stride") for k in range(count)]
    names += [f"{letter}{d}" for letter in "epf" for d in range(dimensions)]
    return lines + [f"    {name} = args[{place}]" for place, name in enumerate(names, 4 + count)]


def _found(indices: Sequence[str], indent: str) -> list[str]:
    """Return the lines that find the place that element `i` of the arrays names, or leave with a status."""
    lines = ["place = 0"]
    for k, kind in enumerate(indices):
        too_low = "at < 0" if kind == "uint64" else f"at < -extent{k}"
        lines += [
            f"at = int64(index{k}[i])",
            f"if {too_low} or at >= extent{k}:",
            "    return i + 1",
            f"place += (at + extent{k} if at < 0 else at) * stride{k}",
        ]
    return [indent + line for line in lines]
