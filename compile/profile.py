"""Where the time of a compiled function goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from arignote.compile.executable import Executable
from arignote.engine.graph import Variable, op_name


@dataclass
class StepTime:
    """What a step took in all its runs.

    Attributes
    ----------
    flops, bytes : int
        Floating-point operations of one run, and bytes of the arrays it reads and writes.
    seconds : float
    runs : int
    """

    flops: int
    bytes: int
    seconds: float = 0.0
    runs: int = 0


@dataclass
class Profile:
    """The times of a function compiled with ``profile=True``.

    Attributes
    ----------
    runs : int
        Runs of native programs: one a call, of a function that is not cut into stages.
    native_calls : int
        Calls of native code: one a run.
    seconds : float
        Time in calls, without compiling.
    stages : dict of str to float
        Seconds of compiling, by stage: 'rewrite', 'specialize', 'plan', 'kernels'.
    steps : dict of str to StepTime
        What each step took.
    arena : int
        Bytes of the largest arena.
    """

    runs: int = 0
    native_calls: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    steps: dict[str, StepTime] = field(default_factory=dict)
    arena: int = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage of compiling."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start

    def measured(self, executable: Executable) -> Callable[..., list[np.ndarray]]:
        """Return the run of a program that adds its times to the profile."""

        def run(arrays: Sequence[np.ndarray], integers: Mapping[Variable, int]) -> list[np.ndarray]:
            calls, start = executable.program.calls, time.perf_counter()
            executable.program.record_timings()
            results = executable.run(arrays, integers)
            self._add(executable, time.perf_counter() - start, executable.program.calls - calls)
            return results

        return run

    def _add(self, executable: Executable, seconds: float, native_calls: int) -> None:
        self.runs += 1
        self.native_calls += native_calls
        self.seconds += seconds
        self.arena = max(self.arena, executable.built.arena)
        for number, (step, (start, stop)) in enumerate(
            zip(executable.built.steps, executable.program.timings.tolist(), strict=True)
        ):
            shape = "x".join(str(extent) for extent in step.writes[0].shape) or "scalar"
            name = f"{number:3d} {op_name(step.op)} {step.spec.function} {shape}"
            took = self.steps.setdefault(name, StepTime(step.flops, step.bytes))
            took.seconds += (stop - start) * 1e-9
            took.runs += 1

    def summary(self) -> str:
        """Return a table of the steps, longest first: share, time of a run, speeds, and name."""
        total = sum(took.seconds for took in self.steps.values()) or 1.0
        lines = [
            f"{self.runs} runs, {self.native_calls} native calls, {self.seconds * 1e3:.3f} ms; "
            f"arena {self.arena / 1024:.0f} KiB",
            "compiling: " + ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.stages.items()),
            " share        us  GFLOP/s    GB/s  step",
        ]
        for name, took in sorted(self.steps.items(), key=lambda item: -item[1].seconds):
            each = took.seconds / took.runs
            speeds = (amount / each * 1e-9 if each else 0.0 for amount in (took.flops, took.bytes))
            rates = " ".join(f"{speed:7.1f}" for speed in speeds)
            lines.append(f"{took.seconds / total:6.1%} {each * 1e6:9.2f}  {rates}  {name}")
        return "\n".join(lines)
