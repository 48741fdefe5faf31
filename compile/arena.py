"""Where temporaries lie in the arena: those that live at different times share memory."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from arignote.compile.views import ALIGNMENT, Temporary

Lifetime = tuple[int, int]  # the first and the last step that touch a buffer

#: How many buffers are packed as tightly as the time allows that grows with the square of their number.
PACKED = 1024


def place(lifetimes: Mapping[Temporary, Lifetime]) -> int:
    """Give each temporary an offset such that no two that live at once overlap; return the arena's size.

    The largest, which take most of the memory, are packed first. What is left lies behind them.

    Parameters
    ----------
    lifetimes : mapping of Temporary to (int, int)

    Returns
    -------
    int
        In bytes.
    """
    by_size = sorted(lifetimes.items(), key=lambda item: (-item[0].size, item[1]))
    return _stack(by_size[PACKED:], _pack(by_size[:PACKED]))


def _pack(lifetimes: Iterable[tuple[Temporary, Lifetime]]) -> int:
    """Place each buffer in turn at the lowest offset that is free during its life; return the end."""
    placed: list[tuple[Temporary, Lifetime]] = []
    end = 0
    for buffer, life in lifetimes:
        offset = 0
        for taken in sorted(_overlapping(placed, life), key=lambda other: other.offset):
            if offset + buffer.size <= taken.offset:
                break
            offset = max(offset, _aligned(taken.offset + taken.size))
        buffer.offset = offset
        placed.append((buffer, life))
        end = max(end, offset + buffer.size)
    return end


def _overlapping(placed: Iterable[tuple[Temporary, Lifetime]], life: Lifetime) -> list[Temporary]:
    return [other for other, (first, last) in placed if first <= life[1] and life[0] <= last]


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _stack(lifetimes: Iterable[tuple[Temporary, Lifetime]], begin: int) -> int:
    """Place buffers from an offset on, in the order in which they begin to live, each in the smallest gap.

    The time hardly grows with the number of buffers that live at once. Return the end.
    """
    gaps = _Gaps(_aligned(begin))
    living: list[tuple[int, int, int]] = []  # a heap: last step, offset, size
    for buffer, (first, last) in sorted(lifetimes, key=lambda item: item[1][0]):
        while living and living[0][0] < first:
            _, offset, size = heapq.heappop(living)
            gaps.give(offset, size)
        size = _aligned(buffer.size)
        buffer.offset = gaps.take(size)
        heapq.heappush(living, (last, buffer.offset, size))
    return gaps.end if living else begin


class _Gaps:
    """The free parts of memory up to `end`, behind which none has ever been used."""

    def __init__(self, begin: int) -> None:
        self.end = begin
        self.by_size: list[tuple[int, int]] = []  # sizes and offsets, in order
        self.starts: dict[int, int] = {}  # sizes by offset
        self.stops: dict[int, int] = {}  # offsets by end

    def take(self, size: int) -> int:
        """Return the offset of free memory; behind the end where there is none that is large enough."""
        place_ = bisect_left(self.by_size, (size, 0))
        if place_ < len(self.by_size):
            found, offset = self.by_size[place_]
            self._remove(offset)
            if found > size:
                self._insert(offset + size, found - size)
            return offset
        offset = self.stops.get(self.end, self.end)  # a gap at the end grows
        if offset < self.end:
            self._remove(offset)
        self.end = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        """Return memory; gaps that touch become one."""
        if size == 0:
            return
        behind = self.starts.get(offset + size)
        if behind is not None:
            self._remove(offset + size)
            size += behind
        before = self.stops.get(offset)
        if before is not None:
            self._remove(before)
            offset, size = before, size + offset - before
        self._insert(offset, size)

    def _insert(self, offset: int, size: int) -> None:
        insort(self.by_size, (size, offset))
        self.starts[offset] = size
        self.stops[offset + size] = offset

    def _remove(self, offset: int) -> None:
        size = self.starts.pop(offset)
        del self.stops[offset + size]
        del self.by_size[bisect_left(self.by_size, (size, offset))]
