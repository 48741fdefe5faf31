"""Where temporaries lie: no two that live at once overlap, and little memory is wasted."""

import numpy as np
import pytest

from arignote.compile import arena
from arignote.compile.arena import place
from arignote.compile.views import ALIGNMENT, Temporary


def lifetimes(count, seed):
    rng = np.random.default_rng(seed)
    starts, lasts = rng.integers(0, count, count), rng.integers(0, 40, count)
    sizes = rng.choice([0, 1, 64, 100, 4096, 5000], count)
    return {
        Temporary(int(size)): (int(start), int(start + last))
        for size, start, last in zip(sizes, starts, lasts, strict=True)
    }


@pytest.mark.parametrize("packed", [0, 20, 1024])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_what_lives_at_once_does_not_overlap(packed, count, monkeypatch):
    monkeypatch.setattr(arena, "PACKED", packed)
    lives = lifetimes(count, seed=count)
    end = place(lives)
    buffers = [(buffer, life) for buffer, life in lives.items() if buffer.size]
    for number, (one, (first, last)) in enumerate(buffers):
        assert one.offset % ALIGNMENT == 0
        assert 0 <= one.offset <= end - one.size
        for other, (start, stop) in buffers[:number]:
            if first <= stop and start <= last:
                assert one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
    at_once = [sum(b.size for b, (first, last) in buffers if first <= t <= last) for t in range(2 * count)]
    assert max(at_once, default=0) <= end <= 2 * max(at_once, default=0) + 64 * len(buffers)


def test_many_small_buffers_share_memory():
    lives = {Temporary(64): (start, start + 1) for start in range(20_000)}
    assert place(lives) == 4 * 64  # two of those that are packed tightly, two of the others
