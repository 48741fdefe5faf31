"""What a call costs apart from its arithmetic: of a small function, and of a parallel region.

    python benchmarks/calls.py [--rounds N]

The function is ``x * 2 + 1`` on ten numbers: called, bound to its arrays (`Function.bind`), and in NumPy. The
region is a step of two tasks that do next to nothing, run on two threads and on one; what the second thread
adds is the cost of entering and leaving. With many steps in a program, what it adds to each is the cost of a
meeting between two of them. Rounds alternate; the table gives the least and the median of microseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

import arignote
from arignote import tensor as T
from arignote.compile.objects import kernel_address
from arignote.compile.program import Program, Step
from arignote.compile.spec import KernelSpec

STEPS = 100


def small_program(steps: int) -> tuple[Program, object]:
    """Return a program of steps of two tasks, each a softmax of one number, and the arrays it needs."""
    kernel = kernel_address(KernelSpec.of("softmax:softmax", dtype="float32"))
    x, y = np.ones((2, 2, 1), "float32")
    return Program([Step(kernel, [x.ctypes.data, y.ctypes.data, 2, 1], 2)] * steps), (x, y)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds

    x, a = T.vector("x"), np.arange(10.0)
    f = arignote.function([x], x * 2 + 1)
    one, kept = small_program(1)
    many, kept_too = small_program(STEPS)
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "call": (lambda: f(a), 100),
        "bound call": (f.bind(a), 100),
        "NumPy": (lambda: a * 2 + 1, 100),
        "a step, 1 thread": (lambda: one.run(1), 100),
        "a step, 2 threads": (lambda: one.run(2), 100),
        f"{STEPS} steps, 1 thread": (lambda: many.run(1), 10),
        f"{STEPS} steps, 2 threads": (lambda: many.run(2), 10),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (run, repeats) in sides.items():
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            if number > 0:
                times[name].append((time.perf_counter() - start) / repeats * 1e6)
    del kept, kept_too

    print(f"{rounds} rounds in turns; load of the machine {os.getloadavg()[0]:.1f}\n")
    print("| what | least us | median us |")
    print("|---|---|---|")
    rows = {name: (min(each), statistics.median(each)) for name, each in times.items()}
    for name, row in rows.items():
        print(f"| {name} | {row[0]:.2f} | {row[1]:.2f} |")
    for name, few, both, steps in (
        ("entering a parallel region", "a step, 1 thread", "a step, 2 threads", 1),
        ("a meeting between two steps", f"{STEPS} steps, 1 thread", f"{STEPS} steps, 2 threads", STEPS),
    ):
        added = [(b - a) / steps for a, b in zip(rows[few], rows[both], strict=True)]
        print(f"| {name} | {added[0]:.2f} | {added[1]:.2f} |")


if __name__ == "__main__":
    main()
