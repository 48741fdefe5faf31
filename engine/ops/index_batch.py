"""Indexing a batch: the pattern with one more axis in front, or with one more index array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arignote.engine.batching import spread
from arignote.engine.graph import Variable
from arignote.engine.ops.index import ALL, Bounds, Entry, Pattern, place_of_arrays, roles
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import arange, dimshuffle, extents


class OverBatch(NamedTuple):
    """An index over a batch.

    Attributes
    ----------
    pattern : Pattern
    inputs : list of Variable
        What the pattern asks for.
    order : tuple of int
        The axes of the part that it picks, in the order in which the batch comes first, and then the axes of
        the part of one entry.
    """

    pattern: Pattern
    inputs: list[Variable]
    order: tuple[int, ...]

    def part(self, x: Variable) -> Variable:
        """Return the part in the order of entries."""
        return dimshuffle(x, *self.order)

    def values(self, x: Variable) -> Variable:
        """Return values for the part, whose axes are in the order of entries."""
        return dimshuffle(x, *(self.order.index(axis) for axis in range(x.ndim)))


def over_batch(
    pattern: Pattern,
    index: Sequence[Variable],
    is_batched: Sequence[bool],
    count: Variable,
    rank: int,
    array_has_batch: bool,
) -> OverBatch | None:
    """Return the index into a batch of arrays, or None where slices begin or end at batched places.

    Parameters
    ----------
    pattern : Pattern
        Of one entry, as are the next two.
    index : sequence of Variable
    is_batched : sequence of bool
        Which of the index's inputs have a batch axis.
    count : Variable
        How many entries the batch has.
    rank : int
        Of the part that the pattern picks.
    array_has_batch : bool
        Whether the array that is indexed has a batch axis; if not, the index has.
    """
    kinds = roles(pattern)
    if any(one and kind in ("start", "stop", "step") for one, kind in zip(is_batched, kinds, strict=True)):
        return None
    arrays = [
        extents(x)[1:] if one else extents(x)
        for x, one, kind in zip(index, is_batched, kinds, strict=True)
        if kind == "array"
    ]
    shape = arrays[0] if arrays else []
    if not any(is_batched):
        order = list(range(rank + 1))
        if arrays and place_of_arrays((ALL, *pattern)) == 0:  # the arrays' axes go before the batch
            order.insert(0, order.pop(len(shape)))
        return OverBatch((ALL, *pattern), list(index), tuple(order))

    # The batch is one more axis of the index arrays; that of the array is gone through by one of them.
    def repeated(scalars: Variable) -> Variable:
        return BroadcastTo()(dimshuffle(scalars, 0, *("x",) * len(shape)), count, *shape)

    entries: list[Bounds | Entry] = [Entry.ARRAY] if array_has_batch else []
    made = [repeated(arange(count))] if array_has_batch else []
    given = iter(zip(index, is_batched, strict=True))
    for entry in pattern:
        entries.append(entry)
        if isinstance(entry, Bounds):
            made.extend(next(given)[0] for part in (entry.start, entry.stop, entry.step) if part)
        elif entry.is_picked:
            x, one = next(given)
            if entry is Entry.ARRAY:
                made.append(x if one else spread(x, count))
            elif one:
                entries[-1] = Entry.ARRAY
                made.append(repeated(x))
            else:
                made.append(x)
    place = place_of_arrays(tuple(entries))
    block = range(place + 1, place + 1 + len(shape))
    rest = [axis for axis in range(rank + 1) if axis != place and axis not in block]
    before = place_of_arrays(pattern) if arrays else 0
    return OverBatch(tuple(entries), made, (place, *rest[:before], *block, *rest[before:]))
