"""From what users say of a convolution to its op and operands, with errors that name the argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.ops.conv import AXES, Convolution, Padding
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import SpecifyShape, as_extents
from arignote.engine.types import upcast

OpType = TypeVar("OpType", bound=Convolution)


def apply(op: Convolution, left: Variable, right: Variable, *given: Any) -> Variable:
    """Apply an op to operands, brought to one dtype, and to extents."""
    dtype = upcast(left.dtype, right.dtype)
    return op(cast(left, dtype), cast(right, dtype), *as_extents(given, op.name))


def make(
    kind: type[OpType],
    rank: int,
    border_mode: Any,
    subsample: Any,
    filter_flip: bool,
    filter_dilation: Any,
    num_groups: Any,
    unshared: bool = False,
) -> OpType:
    """Make an op from a user's arguments."""
    name = f"conv{rank}d"
    groups = int(constant(num_groups, "num_groups", name))
    if groups < 1:
        raise ShapeError(
            f"{name}: argument `num_groups`", expected="a number of at least 1", actual=repr(num_groups)
        )
    return kind(
        _border_mode(border_mode, rank),
        numbers(subsample, "subsample", rank),
        numbers(filter_dilation, "filter_dilation", rank),
        bool(filter_flip),
        groups,
        bool(unshared),
    )


def rank_of(op: Convolution, argument: str) -> int:
    """Return how many axes an operand has."""
    return len(op.axes) * (2 if op.unshared and argument == "filters" else 1) + 2


def operand(op: Convolution, value: Any, argument: str, source: str = "", shape: Any = None) -> Variable:
    """Return an operand as a variable of the right rank and kind, with what is stated of its shape."""
    x, rank, axes = as_variable(value), rank_of(op, argument), ", ".join(op.axes)
    if x.ndim != rank:
        leading = {
            "input": "batch, channels",
            "filters": "filters, channels",
            "output_grad": "batch, filters",
        }[argument]
        if rank > len(op.axes) + 2:
            leading = "filters, output rows, output columns, channels"
        raise ShapeError(
            f"{op.name}: argument `{argument}`",
            expected=f"{rank} dimensions: ({leading}, {axes})",
            actual=f"{x!r} of type {x.type}",
            fix=f"insert axes: dimshuffle({'0, ' if x.ndim > 2 else ''}'x', ...), or reshape",
        )
    if not x.type.is_float:
        raise DTypeError(
            f"{op.name}: argument `{argument}`",
            expected="float32 or float64",
            actual=f"{x!r} of type {x.type}",
            fix="cast it: cast(x, 'floatX')",
        )
    if shape is None:
        return x
    known = [constant(entry, source, op.name) for entry in entries(op, shape, source, rank)]
    return promised(op, x, f"argument `{argument}`", source, known)


def entries(op: Convolution, shape: Any, source: str, count: int) -> list[Any]:
    """Return the entries of a shape: numbers, None, and integer scalars."""
    if isinstance(shape, Variable) and shape.ndim == 1:
        return list(as_extents(shape, f"{op.name}: {source}"))
    if not isinstance(shape, list | tuple) or len(shape) != count:
        raise ShapeError(
            f"{op.name}: argument `{source}`",
            expected=f"{count} entries",
            actual=repr(shape),
            fix="write None where an extent is not known",
        )
    return [entry.value.item() if isinstance(entry, Constant) else entry for entry in shape]


def promised(op: Convolution, x: Variable, what: str, source: str, shape: Sequence[Any]) -> Variable:
    """Promise the entries of a shape that are numbers; `what` and `source` are for errors."""
    known = tuple(None if isinstance(entry, Variable | None) else int(entry) for entry in shape)
    return SpecifyShape(f"{op.name}: {what}", source, known)(x)


def constant(entry: Any, argument: str, name: str) -> Any:
    """Return the value of a constant, and whatever is no variable as it is."""
    if isinstance(entry, Constant):
        return entry.value
    if isinstance(entry, Variable):
        raise DTypeError(
            f"{name}: argument `{argument}`",
            expected="numbers or None",
            actual=repr(entry),
            fix="write None where the extent is symbolic",
        )
    return entry


def numbers(value: Any, argument: str, rank: int) -> tuple[int, ...]:
    """Return a number for each axis, given as one for all or as a tuple."""
    name = f"conv{rank}d"
    entries = value if isinstance(value, list | tuple) else (value,) * rank
    numbers = tuple(int(constant(entry, argument, name)) for entry in entries)
    if len(numbers) != rank or min(numbers) < 1:
        raise ShapeError(
            f"{name}: argument `{argument}`",
            expected=f"one or {('one', 'two', 'three')[rank - 1]} numbers of at least 1",
            actual=repr(value),
        )
    return numbers


def _border_mode(mode: Any, rank: int) -> str | Padding:
    if isinstance(mode, str) and mode in ("valid", "full", "half"):
        return mode
    sides = mode if isinstance(mode, list | tuple) else (mode,) * rank
    if rank == 1 and len(sides) == 2:
        sides = (sides,)
    pairs = [side if isinstance(side, list | tuple | np.ndarray) else (side, side) for side in sides]
    try:
        padding = tuple((int(before), int(after)) for before, after in pairs)
    except (TypeError, ValueError):
        padding = ((-1, -1),)
    if len(padding) != rank or min(min(pair) for pair in padding) < 0:
        axes = ", ".join(AXES[-rank:])
        raise ShapeError(
            f"conv{rank}d: argument `border_mode`",
            expected=f"'valid', 'full', 'half', or numbers of at least 0: n, ({axes}), "
            "or a pair (before, behind) for each axis",
            actual=repr(mode),
        )
    return padding
