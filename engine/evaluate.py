"""The reference mode: a graph computed node by node, by each op's meaning in NumPy."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from arignote.engine.errors import AllocationError, GraphError, MissingInputError, ShapeError, describe
from arignote.engine.graph import Apply, Constant, Variable, op_name, walk
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import ShapeOf, is_short
from arignote.engine.shared import SharedVariable
from arignote.engine.types import TensorType

Compute = Callable[[Apply, Sequence[np.ndarray]], Sequence[np.ndarray]]


def evaluate(
    outputs: Iterable[Variable], values: Mapping[Variable, np.ndarray], compute: Compute | None = None
) -> list[np.ndarray]:
    """Compute the outputs, given the values of inputs.

    Parameters
    ----------
    outputs : iterable of Variable
    values : mapping of Variable to ndarray
        Shared variables that are not in it have their own value.
    compute : callable, optional
        What computes the outputs of a node from its inputs; `perform` by default.

    Raises
    ------
    MissingInputError
        If the graph needs an input without a value.
    GraphError
        What an op raises, with the user's line.
    """
    outputs = list(outputs)
    known = dict(values)
    compute = compute or perform
    for node in walk(outputs, stop=values):
        arrays = [_value(x, known) for x in node.inputs]
        known.update(zip(node.outputs, compute(node, arrays), strict=True))
    return [_value(x, known) for x in outputs]


def _value(x: Variable, known: Mapping[Variable, np.ndarray]) -> np.ndarray:
    if x in known:
        return known[x]
    if isinstance(x, Constant):
        return x.value
    if isinstance(x, SharedVariable):
        return x.storage
    raise MissingInputError(
        f"no value for the input {x!r}", expected=f"a value of type {x.type}", actual="none"
    )


def perform(
    node: Apply,
    arrays: Sequence[np.ndarray],
    meaning: Callable[..., Sequence[np.ndarray]] | None = None,
) -> Sequence[np.ndarray]:
    """Compute the outputs of a node from its inputs; an error names the user's line.

    Parameters
    ----------
    node : Apply
    arrays : sequence of ndarray
    meaning : callable, optional
        What computes them, if not the op's `perform`.
    """
    types = [TensorType(str(array.dtype), array.shape) for array in arrays]
    integers = [
        int(array) if array.ndim == 0 and kind.is_integer else None
        for array, kind in zip(arrays, types, strict=True)
    ]
    try:
        for out in infer_concrete(node, types, integers):
            _check_addressable(node, out)
        return (meaning or node.op.perform)(*arrays)
    except GraphError as error:
        error.origin = error.origin or node.origin
        raise
    except MemoryError as error:  # NumPy's says how much and of which shape
        raise AllocationError(f"{op_name(node.op)}: {error}", origin=node.origin) from None
    except Exception as error:  # of a user's own op
        if node.origin is not None:
            error.add_note(f"in {op_name(node.op)}, made at {describe(node.origin)}")
        raise


def _check_addressable(node: Apply, out: TensorType) -> None:
    """Refuse what no address reaches, before it is asked of NumPy, which finds it a wrong value."""
    extents = [extent for extent in out.shape if extent is not None]
    if math.prod(extents) * np.dtype(out.dtype).itemsize > sys.maxsize:
        raise AllocationError(f"{op_name(node.op)}: more than can be addressed, an array of type {out}")


def infer_concrete(
    node: Apply, types: Sequence[TensorType], integers: Sequence[int | None]
) -> Sequence[TensorType]:
    """Return the output types of a node for input types whose extents are numbers.

    Raises
    ------
    ShapeError
        If shapes do not fit, or would fit only by broadcasting a dimension that is not statically 1.
    """
    try:
        result = node.op.infer(types, integers)
        if isinstance(node.op, Elementwise | BroadcastTo):
            _check_broadcast(node, types, result[0])
    except GraphError as error:
        error.origin = error.origin or node.origin
        raise
    return result


def infer_into(node: Apply, types: dict[Variable, TensorType], integers: dict[Variable, Any]) -> None:
    """Add a node's output types to those of its inputs, and its values where it is short and they are known.

    Parameters
    ----------
    node : Apply
    types : dict
        Of all its inputs but constants.
    integers : dict
        What is known of values that may decide shapes: numbers for scalars, arrays for short vectors.
    """
    for x in node.inputs:
        if isinstance(x, Constant) and x not in types:
            types[x] = x.type
            if is_short(x):
                integers[x] = x.value if x.ndim else int(x.value)
    out = node.outputs[0]
    if out in types:
        return
    if isinstance(node.op, ShapeOf):
        extent = types[node.inputs[0]].shape[node.op.axis]
        types[out] = out.type
        if extent is not None:
            integers[out] = extent
        return
    known = bool(node.inputs) and all(x in integers for x in node.inputs)
    values = [integers.get(x) if x.ndim == 0 else None for x in node.inputs]
    if known and out.ndim == 0 and out.type.is_integer and isinstance(node.op, Elementwise):
        numbers = [integers[x] for x in node.inputs]
        types[out], integers[out] = out.type, node.op.of_integers(numbers, out.dtype)
        return
    types.update(
        zip(node.outputs, infer_concrete(node, [types[x] for x in node.inputs], values), strict=True)
    )
    if known and all(map(is_short, node.outputs)):
        arrays = [np.asarray(integers[x], x.dtype) for x in node.inputs]
        for x, result in zip(node.outputs, node.op.perform(*arrays), strict=True):
            integers[x] = result if x.ndim else int(result)


def _check_broadcast(node: Apply, types: Sequence[TensorType], out: TensorType) -> None:
    operands = node.inputs if isinstance(node.op, Elementwise) else node.inputs[:1]
    for x, kind in zip(operands, types, strict=False):
        for axis, (mine, theirs) in enumerate(zip(kind.shape, out.shape, strict=True)):
            if None not in (mine, theirs) and mine != theirs and not x.broadcastable[axis]:
                raise ShapeError(
                    f"{op_name(node.op).lower()}: in dimension {axis} {x!r} has {mine}, not {theirs}",
                    expected="equal extents: a dimension broadcasts only when it is 1 in the type",
                    actual=" and ".join(str(each) for each in types),
                    fix=f"write addbroadcast(x, {axis}); or declare a row or a col, or dimshuffle('x', ...)",
                )
