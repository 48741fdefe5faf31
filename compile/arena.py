"""Where temporaries lie in the arena: those that live at different times share memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from arignote.compile.views import ALIGNMENT, Temporary

Lifetime = tuple[int, int]  # the first and the last step that touch a buffer


def place(lifetimes: Mapping[Temporary, Lifetime]) -> int:
    """Give each temporary an offset such that no two that live at once overlap; return the arena's size.

    The largest are placed first, each at the lowest offset that is free during its life.

    Parameters
    ----------
    lifetimes : mapping of Temporary to (int, int)

    Returns
    -------
    int
        In bytes.
    """
    placed: list[tuple[Temporary, Lifetime]] = []
    end = 0
    for buffer, life in sorted(lifetimes.items(), key=lambda item: (-item[0].size, item[1])):
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
