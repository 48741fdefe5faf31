"""Batch axes that join another axis, and leave it again: what ops need to act on a batch."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.engine.graph import Op, Variable
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import dimshuffle, extents, product, reshape


def batch_extent(inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Variable:
    """Return how many entries the batch has."""
    return extents(inputs[list(is_batched).index(True)])[0]


def spread(x: Variable, count: Variable) -> Variable:
    """Return an array repeated along a batch axis in front."""
    return BroadcastTo()(dimshuffle(x, "x", *range(x.ndim)), count, *extents(x))


def all_batched(inputs: Sequence[Variable], is_batched: Sequence[bool], count: Variable) -> list[Variable]:
    """Return arrays that all have a batch axis: repeated, where they had none."""
    return [x if one else spread(x, count) for x, one in zip(inputs, is_batched, strict=True)]


def fold(x: Variable, axis: int = 0) -> Variable:
    """Join the batch axis into an axis, counted without it: the batch is the slower of the two."""
    if axis:
        x = dimshuffle(x, *range(1, axis + 1), 0, *range(axis + 1, x.ndim))
    shape = extents(x)
    return reshape(x, (*shape[:axis], product(shape[axis : axis + 2]), *shape[axis + 2 :]))


def unfold(x: Variable, axis: int, parts: Sequence[Variable]) -> Variable:
    """Split an axis into the batch and the rest, and put the batch in front."""
    shape = extents(x)
    split = reshape(x, (*shape[:axis], *parts, *shape[axis + 1 :]))
    return dimshuffle(split, axis, *(i for i in range(split.ndim) if i != axis))


def folded(
    op: Op, inputs: Sequence[Variable], is_batched: Sequence[bool], arrays: int
) -> Sequence[Variable] | None:
    """Apply an op that treats its cases alike to the cases of the whole batch.

    Parameters
    ----------
    op : Op
    inputs : sequence of Variable
    is_batched : sequence of bool
    arrays : int
        How many of the inputs, the first ones, have the cases as their first axis, as all outputs do.
    """
    if any(is_batched[arrays:]):
        return None
    count = batch_extent(inputs, is_batched)
    whole = all_batched(inputs[:arrays], is_batched[:arrays], count)
    parts = [count, extents(whole[0])[1]]
    return [unfold(out, 0, parts) for out in op.apply(*map(fold, whole), *inputs[arrays:])]
