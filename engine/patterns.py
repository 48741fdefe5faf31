"""What rules look for in a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.engine.graph import Apply, Constant, Op, Variable, known_integer
from arignote.engine.ops.shape import Alloc, ARange, DimShuffle, extents


def inputs_of(x: Variable, op: type[Op]) -> Sequence[Variable] | None:
    """Return the inputs of the node that made `x`, if its op is of the class."""
    return x.owner.inputs if x.owner is not None and isinstance(x.owner.op, op) else None


def is_filled_with(x: Variable, number: float) -> bool:
    """Tell whether a variable is a constant all of whose elements are the number."""
    return isinstance(x, Constant) and x.value.size > 0 and bool(np.all(x.value == number))


def is_zeros(x: Variable) -> bool:
    """Tell whether a variable is known to be zeros."""
    filled = inputs_of(x, Alloc)
    value = x if filled is None else filled[0]
    return isinstance(value, Constant) and not value.value.any()


def counts(x: Variable) -> bool:
    """Tell whether a variable is known to be 0, 1, 2, ..."""
    bounds = inputs_of(x, ARange)
    if bounds is not None:
        return (known_integer(bounds[0]), known_integer(bounds[2])) == (0, 1)
    return isinstance(x, Constant) and x.ndim == 1 and np.array_equal(x.value, np.arange(x.value.size))


def stands_for(x: Variable, node: Apply) -> Variable | None:
    """Return `x` if it may replace the node's output: the same dtype, and no broadcasting lost."""
    out = node.outputs[0]
    return x if x.dtype == out.dtype and x.static_shape == out.static_shape else None


def single(x: Variable) -> float | None:
    """Return the number that a constant holds, or repeats; None for anything else."""
    if isinstance(x, Constant) and x.value.size == 1:
        return float(x.value.reshape(()))
    return None


def filled_like(number: float, x: Variable, node: Apply) -> Variable | None:
    """Return the number repeated in the shape of `x`, if that may replace the node's output."""
    out = node.outputs[0]
    if x.static_shape != out.static_shape:
        return None
    value = Constant(np.asarray(number, out.dtype))
    return stands_for(Alloc()(value, *extents(x)) if x.ndim else value, node)


def shuffled_from(x: Variable, pattern: tuple[int | str, ...]) -> Variable | None:
    """Return what `x` is a dimshuffle of by the pattern."""
    inner = inputs_of(x, DimShuffle)
    is_it = x.owner is not None and isinstance(x.owner.op, DimShuffle) and x.owner.op.pattern == pattern
    return inner[0] if inner is not None and is_it else None
