"""Loops that nobody thought of: taps, states, updates, ends and gradients at random, in both modes.

The reference mode evaluates the graph as it was written, so these also hold what is trimmed, moved out of
loops and computed in place to what was meant.
"""

from __future__ import annotations

import numpy as np
import pytest

from arignote import function, grad, scan, shared
from arignote import tensor as T
from arignote.scan_module import until

WIDTH = 3


def random_taps(rng, depth):
    taps = {-depth, *(-rng.integers(1, depth + 1, rng.integers(3)))}
    return [int(tap) for tap in rng.permutation(sorted(taps))]


def random_step(seed, rows, counters, table):
    """Return the function of a step that makes random expressions of what it is given."""

    def step(*args):
        rng = np.random.default_rng(seed)
        place, w = args[rows], args[-1]
        values = [*args[:rows], *args[rows + 1 : -1], *counters, table[place]]

        def expression(depth):
            a = values[rng.integers(len(values))]
            if depth == 0:
                return a
            b = expression(depth - 1)
            made = [
                lambda: T.tanh(a + b),
                lambda: T.tanh(T.dot(b, w)),
                lambda: T.tanh(T.dot(table, b)[:WIDTH]) + T.dot(a, w.T),
                lambda: T.tanh(a * b),
                lambda: b[::-1] / 2,
                lambda: T.dot(a, b) * 0.1 + b,
                lambda: T.tanh(table[place, place % WIDTH] * b),
                lambda: a,
            ]
            return made[rng.integers(len(made))]()

        return expression

    return step


SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 100))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_loops(seed):
    rng = np.random.default_rng(seed)
    table, w, places, count = T.dmatrix("table"), T.dmatrix("w"), T.lvector("places"), T.lscalar("count")
    sequences = [{"input": T.dmatrix(), "taps": random_taps(rng, 2)} for _ in range(rng.integers(3))]
    depths = [int(depth) for depth in rng.integers(1, 4, rng.integers(1, 4))]
    initials = [T.dmatrix() for _ in depths]
    infos = [{"initial": x, "taps": random_taps(rng, d)} for x, d in zip(initials, depths, strict=True)]
    infos = [info if info["taps"] != [-1] else info["initial"][0] for info in infos]
    infos += [None] * rng.integers(2)
    counters = [shared(rng.normal(size=WIDTH)) for _ in range(rng.integers(3))]
    rows = sum(len(sequence["taps"]) for sequence in sequences)
    make, ends = random_step(seed, rows, counters, table), rng.integers(4) == 0
    levels = rng.integers(0, 4, len(infos))

    def step(*args):
        expression = make(*args)
        outputs = [expression(level) + 0 * args[-1][0] for level in levels]
        changed = {counter: expression(2) for counter in counters}
        return (outputs, changed, until(T.sum(outputs[0]) > 1.5)) if ends else (outputs, changed)

    outputs, updates = scan(
        step,
        [*sequences, places],
        infos,
        w,
        count,
        truncate_gradient=int(rng.choice([-1, -1, 2])),
        go_backwards=bool(rng.integers(2)),
        return_list=True,
    )
    results = [out if rng.integers(2) else out[-1] for out in outputs if rng.integers(3)] or [outputs[0]]
    variables = [*(sequence["input"] for sequence in sequences), *initials, w, table]
    first = grad(sum(T.sum(T.sin(x)) for x in results), variables, disconnected_inputs="ignore")
    second = grad(sum(T.sum(g * g) for g in first), variables, disconnected_inputs="ignore")
    wanted = [*results, *(first if rng.integers(3) else []), *(second if rng.integers(2) else [])]
    inputs = [*variables, places, count]
    compiled, reference = (
        function(inputs, wanted, updates=updates, mode=mode, on_unused_input="ignore")
        for mode in ("compiled", "reference")
    )
    start = [counter.get_value() for counter in counters]
    for steps in rng.permutation(4)[:2] + 1:
        values = [rng.normal(size=(steps + 2, WIDTH)) for _ in sequences]
        values += [rng.normal(size=(depth, WIDTH)) for depth in depths]
        values += [rng.normal(size=(WIDTH, WIDTH)) / 2, rng.normal(size=(4, WIDTH))]
        values += [rng.integers(-WIDTH, WIDTH, steps + 2), steps]
        computed = []
        for f in (compiled, reference):
            for counter, value in zip(counters, start, strict=True):
                counter.set_value(value)
            computed.append([*f(*values), *(counter.get_value() for counter in counters)])
        for actual, expected in zip(*computed, strict=True):
            scale = np.abs(expected).max(initial=1)
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11 * scale)
