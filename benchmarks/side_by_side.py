"""How benchmarks measure: on a given number of cores, in turns, and beside what the machine can do."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TURN = 0.002  # seconds of a turn, at least: of many short calls, or of one long one
REST = 0.003  # seconds before a turn on several threads: the workers of the one before stop spinning


def use_cores(count: int) -> None:
    """Bind this process to the last cores; it begins anew, so that every library counts no others."""
    cores = sorted(os.sched_getaffinity(0))
    if count > len(cores):
        raise SystemExit(f"there are {len(cores)} cores, not {count}")
    if count < len(cores):
        os.sched_setaffinity(0, cores[-count:])
        os.execv(sys.executable, sys.orig_argv)


def alternate(
    runs: Sequence[Callable[[], Any]],
    seconds: float = 0.15,
    threads: int = 1,
    statistic: Callable[[list[float]], float] = min,
) -> list[float]:
    """Return the seconds of a call of each; they take turns.

    Each turn begins with a call that is not measured: it finds the caches as the one before left them.

    Parameters
    ----------
    runs : sequence of callables
        Called without arguments.
    seconds : float
        For each of them, about; at least five turns are taken.
    threads : int
        On more than one, there is a pause between two turns.
    statistic : callable
        What of all turns counts. By default the least, because whatever else the machine does only adds, and
        to some turns more than to others.
    """
    calls = []
    for run in runs:
        run()
        start = time.perf_counter()
        run()
        calls.append(max(1, min(50, int(TURN / (time.perf_counter() - start)))))
    measured: list[list[float]] = [[] for _ in runs]
    stop = time.perf_counter() + seconds * len(runs)
    while len(measured[0]) < 5 or time.perf_counter() < stop:
        for run, count, times in zip(runs, calls, measured, strict=True):
            if threads > 1:
                time.sleep(REST)
            run()
            start = time.perf_counter()
            for _ in range(count):
                run()
            times.append((time.perf_counter() - start) / count)
    return [statistic(times) for times in measured]


def line(cells: Iterable[object]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


# ------------------------------------------------------------------------------------------ the machine


def machine() -> str:
    """Return the processor's model, the cores in use and the vectors of a sentence."""
    from arignote.compile.simd import host

    info = Path("/proc/cpuinfo")
    fields = [row.partition(":") for row in info.read_text().splitlines()] if info.exists() else []
    known = {name.strip(): value.strip() for name, _, value in fields}
    name = known.get("model name", platform.processor() or platform.machine())
    family = f", family {known['cpu family']} model {known['model']}" if "cpu family" in known else ""
    flags = [flag for flag in ("avx2", "fma", "avx512f") if flag in known.get("flags", "").split()]
    unit = host()
    return (
        f"{name}{family}; {os.cpu_count()} cores; {unit.registers} vector registers of {unit.size} bytes"
        + f" ({', '.join(flags)})" * bool(flags)
    )


def peak(dtype: str, threads: int) -> float:
    """Measure the operations per second of multiply-adds that touch no memory."""
    import numba
    from numba.core import types
    from numba.extending import intrinsic

    from arignote.compile.simd import host
    from arignote.compile.tile import INDEX, Vectors, repeat

    lanes, count, sums = host().lanes(dtype), 2_000_000, 16

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        place, repetitions = arguments
        simd = Vectors(builder, dtype, lanes)
        factor = simd.broadcast(place)
        places = [simd.at(place, INDEX(number * lanes)) for number in range(sums)]

        def multiply_adds(_: Any, totals: list[Any]) -> list[Any]:
            return [simd.multiply_add(factor, total, factor) for total in totals]

        totals = repeat(builder, repetitions, [simd.load(place) for place in places], multiply_adds)
        for total, place in zip(totals, places, strict=True):
            simd.store(total, place)

    @intrinsic
    def spin(typingctx: Any, place: Any, repetitions: Any) -> Any:
        return types.void(place, types.int64), codegen

    @numba.cfunc(types.void(types.CPointer(getattr(types, dtype)), types.int64))
    def kernel(place: Any, repetitions: int) -> None:
        spin(place, repetitions)

    def run() -> None:
        place = np.zeros(sums * lanes, dtype)
        kernel.ctypes(place.ctypes.data_as(kernel.ctypes.argtypes[0]), count)

    return threads * 2 * sums * lanes * count / _together(run, threads)


def bandwidth(threads: int) -> float:
    """Measure the bytes per second that are read and written by copies of arrays larger than all caches."""
    source = np.ones((threads, 1 << 25), "float32")
    target = np.zeros_like(source)
    free = list(range(threads))

    def run() -> None:
        part = free.pop()
        np.copyto(target[part], source[part])
        free.append(part)

    return 2 * source.nbytes / _together(run, threads)


def _together(run: Callable[[], None], threads: int) -> float:
    """Return the least seconds of runs on all threads at once."""
    times = []
    for _ in range(7):
        others = [threading.Thread(target=run) for _ in range(threads - 1)]
        start = time.perf_counter()
        for other in others:
            other.start()
        run()
        for other in others:
            other.join()
        times.append(time.perf_counter() - start)
    return min(times)
