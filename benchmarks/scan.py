"""Recurrences of a thousand steps: arignote and JAX's `lax.scan`, side by side in one process.

    python benchmarks/scan.py [--steps N] [--seconds N]

All run on one thread, from the same weights over the same sequence; runs alternate, and the table gives
medians. Ratios are a peer's time to ours (above 1: arignote is faster). The first peer is the loop that a
user would write without `scan`: a compiled step, called from Python. Results are compared before timing.
JAX is left out, with a word, where it is not installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from side_by_side import alternate

import arignote
from arignote import tensor as T
from arignote.compile.threads import set_num_threads

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)  # before the import
try:
    import jax
    from jax import numpy as jnp
except ModuleNotFoundError:
    jax = None

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Recurrence:
    """A recurrent layer: how a step makes the next states of a row of the sequence and of the states."""

    name: str
    width: int
    batch: int | None
    gates: int
    states: int

    def arrays(self, steps: int) -> Arrays:
        """Return the sequence, the states, and the weights."""
        rng, n = np.random.default_rng(0), self.width
        rows = (n,) if self.batch is None else (self.batch, n)
        shapes = [(steps, *rows), *[rows] * self.states, (n, self.gates * n), (n, self.gates * n)]
        return [(rng.normal(size=shape) / np.sqrt(n)).astype("float32") for shape in shapes]

    def step(self, xp: object, row: object, *others: object) -> list[object]:
        """Return the next states; `xp` has the functions, of the one library or the other."""
        *states, w, u = others
        pre = xp.dot(row, w) + xp.dot(states[0], u)
        if self.gates == 1:
            return [xp.tanh(pre)]
        n = self.width
        i, f, g, o = (pre[..., k * n : (k + 1) * n] for k in range(4))
        c = sigmoid(xp, f) * states[1] + sigmoid(xp, i) * xp.tanh(g)
        return [sigmoid(xp, o) * xp.tanh(c), c]


def sigmoid(xp: object, x: object) -> object:
    """Return the logistic function as each library has it."""
    return T.nnet.sigmoid(x) if xp is T else jax.nn.sigmoid(x)


RECURRENCES = (
    Recurrence("tanh(x W + h U), 16 wide", 16, None, 1, 1),
    Recurrence("tanh(x W + h U), 64 wide, batch 16", 64, 16, 1, 1),
    Recurrence("LSTM, 16 wide", 16, None, 4, 2),
    Recurrence("LSTM, 64 wide, batch 16", 64, 16, 4, 2),
)


def ours(recurrence: Recurrence, arrays: Arrays) -> list[Callable[[], Arrays]]:
    """Compile the loop, the loop with its gradients, and the step that Python repeats."""
    variables = [T.TensorType("float32", (None,) * array.ndim)() for array in arrays]
    x, *states, w, u = variables
    results, _ = arignote.scan(
        lambda row, *given: recurrence.step(T, row, *given), x, states, [w, u], return_list=True
    )
    cost = T.sum(results[0][-1] ** 2)
    loop = arignote.function(variables, results[0])
    gradient = arignote.function(variables, arignote.grad(cost, [w, u]))
    row = T.TensorType("float32", (None,) * (arrays[0].ndim - 1))()
    step = arignote.function([row, *states, w, u], recurrence.step(T, row, *states, w, u))

    def repeated() -> Arrays:
        rows, *values = arrays
        values, weights = values[: len(states)], values[len(states) :]
        out = []
        for each in rows:
            values = step(each, *values, *weights)
            out.append(values[0])
        return [np.array(out)]

    return [lambda: [loop(*arrays)], lambda: gradient(*arrays), repeated]


def theirs(recurrence: Recurrence, arrays: Arrays) -> list[Callable[[], Arrays]]:
    """Compile the same loops by JAX."""

    def loop(x: object, *others: object) -> object:
        *states, w, u = others

        def step(carry: list[object], row: object) -> tuple[list[object], object]:
            carry = recurrence.step(jnp, row, *carry, w, u)
            return carry, carry[0]

        return jax.lax.scan(step, states, x)[1]

    places = (len(arrays) - 2, len(arrays) - 1)
    gradient = jax.jit(jax.grad(lambda *given: (loop(*given)[-1] ** 2).sum(), argnums=places))
    compiled, given = jax.jit(loop), [jnp.asarray(array) for array in arrays]
    return [
        lambda: [compiled(*given).block_until_ready()],
        lambda: [each.block_until_ready() for each in gradient(*given)],
    ]


def difference(one: Arrays, other: Arrays) -> float:
    """Return the largest difference of two results, relative to their largest element."""
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())
        for a, b in zip(one, other, strict=True)
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0, help="of turns, for each side of a row")
    arguments = parser.parse_args()
    set_num_threads(1)
    if jax is None:
        print("JAX is not installed: only arignote is measured.\n")
    print(f"float32, 1 thread, {arguments.steps} steps, medians of turns\n")
    print("| recurrence | | ours ms | calls from Python ms | ratio | JAX ms | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    for recurrence in RECURRENCES:
        arrays = recurrence.arrays(arguments.steps)
        loop, gradient, repeated = ours(recurrence, arrays)
        peers = theirs(recurrence, arrays) if jax is not None else []
        errors = [difference(loop(), repeated())]
        errors += [difference(run(), peer()) for run, peer in zip((loop, gradient), peers, strict=False)]
        turns = alternate([loop, gradient, repeated, *peers], arguments.seconds, statistic=statistics.median)
        times = [1e3 * seconds for seconds in turns]
        for place, name in enumerate(("forward", "gradient")):
            mine = times[place]
            python = f"{times[2]:.2f} | {times[2] / mine:.0f}" if place == 0 else "- | -"
            peer = f"{times[3 + place]:.3f} | {times[3 + place] / mine:.2f}" if peers else "- | -"
            print(
                f"| {recurrence.name} | {name} | {mine:.3f} | {python} | {peer} | {max(errors):.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
