"""What large graphs cost: a chain, a balanced tree and an unrolled recurrence, from 10^3 to 10^5 nodes.

    python benchmarks/scale.py [--sizes 1000 10000 100000] [--graphs chain tree recurrence]

For each graph and size, the seconds of each stage: building the expression, its gradient, rewriting both,
printing them, compiling with the first call, another call, pickling the function and loading it. The last
column is the exponent of growth of all stages from the size before: 1 is linear.
"""

from __future__ import annotations

import argparse
import gc
import math
import pickle
import time
from collections.abc import Callable

import numpy as np

import arignote
from arignote import Variable, function
from arignote import tensor as T
from arignote.engine.graph import walk
from arignote.engine.printing import pprint
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL


def chain(nodes: int) -> tuple[list[Variable], Variable, list[np.ndarray]]:
    """Return a chain of tanh and additions."""
    x = T.dvector("x")
    y = x
    for _ in range(nodes // 2):
        y = T.tanh(y) + x
    return [x], y.sum(), [np.linspace(-1, 1, 8)]


def tree(nodes: int) -> tuple[list[Variable], Variable, list[np.ndarray]]:
    """Return a balanced tree of products and sums, whose leaves are multiples of a scalar."""
    depth = round(math.log2(nodes + 1)) - 1
    x = T.dscalar("x")
    level = [x * c for c in np.linspace(0.9, 1.1, 2**depth)]
    for d in range(depth):
        join = T.add if d % 2 else T.mul
        level = [join(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return [x], level[0], [np.array(0.9)]


def recurrence(nodes: int) -> tuple[list[Variable], Variable, list[np.ndarray]]:
    """Return a simple recurrent network, unrolled: 6 nodes a step."""
    steps = nodes // 6
    x, w, u = T.dmatrix("x"), T.dmatrix("w"), T.dmatrix("u")
    h = T.zeros((4,), "float64")
    for step in range(steps):
        h = T.tanh(T.dot(x[step], w) + T.dot(h, u))
    rng = np.random.default_rng(0)
    return (
        [x, w, u],
        h.sum(),
        [rng.normal(size=(steps, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 4)) / 4],
    )


GRAPHS = {"chain": chain, "tree": tree, "recurrence": recurrence}
STAGES = ("build", "grad", "rewrite", "print", "compile", "call", "pickle", "load")


def measure(make: Callable, size: int) -> tuple[int, dict[str, float]]:
    """Return the number of nodes of expression and gradient, and the seconds of each stage."""
    seconds: dict[str, float] = {}
    gc.collect()  # the graph before this one is full of cycles

    def timed(stage: str, run: Callable) -> object:
        start = time.perf_counter()
        result = run()
        seconds[stage] = time.perf_counter() - start
        return result

    inputs, cost, arguments = timed("build", lambda: make(size))
    slopes = timed("grad", lambda: arignote.grad(cost, inputs))
    count = len(walk([cost, *slopes]))
    timed("rewrite", lambda: rewrite([cost, *slopes], ALL))
    timed("print", lambda: len(pprint(cost, *slopes)))
    f = function(inputs, [cost, *slopes])
    timed("compile", lambda: f(*arguments))
    timed("call", lambda: f(*arguments))
    data = timed("pickle", lambda: pickle.dumps(f))
    timed("load", lambda: pickle.loads(data))
    return count, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    options = parser.parse_args()
    print(f"{'':24}{'nodes':>9}" + "".join(f"{stage:>10}" for stage in STAGES) + f"{'exponent':>10}")
    for name in options.graphs:
        before: tuple[int, float] | None = None
        for size in options.sizes:
            count, seconds = measure(GRAPHS[name], size)
            total = sum(seconds.values())
            exponent = f"{math.log(total / before[1]) / math.log(count / before[0]):10.2f}" if before else ""
            times = "".join(f"{seconds[stage]:10.3f}" for stage in STAGES)
            print(f"{name:<14}{size:>10}{count:>9}{times}{exponent}", flush=True)
            before = count, total


if __name__ == "__main__":
    main()
