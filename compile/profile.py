"""Where the time of a compiled function goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from arignote.compile.executable import Executable
from arignote.engine.errors import place_of
from arignote.engine.evaluate import Compute
from arignote.engine.graph import Apply, Variable, op_name


@dataclass
class StepTime:
    """What a step took in all its runs.

    Attributes
    ----------
    flops, bytes : int
        Floating-point operations of one run, and bytes of the arrays it reads and writes.
    op : str
        What it computes.
    line : str
        The user's line that asked for it, as ``file.py:12``.
    seconds : float
    runs : int
    """

    flops: int
    bytes: int
    op: str = ""
    line: str = ""
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
        What each step took: a kernel's run, or a node that NumPy computed.
    arena : int
        Bytes of the largest arena.
    """

    runs: int = 0
    native_calls: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    steps: dict[str, StepTime] = field(default_factory=dict)
    arena: int = 0
    _next: int = field(default=0, repr=False)  # number of the next step that comes up

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

    def watched(self, compute: Compute) -> Compute:
        """Return a computation of single nodes that adds its times to the profile."""
        numbers: dict[Apply, int] = {}

        def timed(node: Apply, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
            start = time.perf_counter()
            results = compute(node, arrays)
            seconds = time.perf_counter() - start
            self.seconds += seconds
            size = sum(array.nbytes for array in (*arrays, *results))
            number = numbers[node] if node in numbers else numbers.setdefault(node, self._numbers(1))
            name = f"{number:3d} {op_name(node.op)} NumPy {_shape_text(results[0].shape)}"
            self._took(name, StepTime(0, size, op_name(node.op), _line(node)), seconds)
            return results

        return timed

    def _add(self, executable: Executable, seconds: float, native_calls: int) -> None:
        self.runs += 1
        self.native_calls += native_calls
        self.seconds += seconds
        self.arena = max(self.arena, executable.built.arena)
        steps, timings = executable.built.steps, executable.program.timings.tolist()
        if executable.first_step is None:
            executable.first_step = self._numbers(len(steps))
        for number, (step, (start, stop)) in enumerate(
            zip(steps, timings, strict=True), executable.first_step
        ):
            op = op_name(step.op)
            name = f"{number:3d} {op} {step.spec.function} {_shape_text(step.writes[0].shape)}"
            self._took(name, StepTime(step.flops, step.bytes, op, _line(step.node)), (stop - start) * 1e-9)

    def _numbers(self, steps: int) -> int:
        """Return the number of the first of so many new steps."""
        self._next += steps
        return self._next - steps

    def _took(self, name: str, step: StepTime, seconds: float) -> None:
        took = self.steps.setdefault(name, step)
        took.seconds += seconds
        took.runs += 1

    def summary(self) -> str:
        """Return two tables, longest first: the steps, with the user's lines, and what each op took in all.

        Returns
        -------
        str
            Of a step: its share of the time, microseconds of a run, speeds, kilobytes that a run reads and
            writes, its name (number, op, kernel, shape of the result), and the line that asked for it.
        """
        compiling = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.stages.items())
        lines = [
            f"{self.runs} runs, {self.native_calls} native calls, {self.seconds * 1e3:.3f} ms; "
            f"arena {self.arena / 1024:.0f} KiB",
            f"compiling {sum(self.stages.values()):.3f} s: {compiling}",
            " share        us  GFLOP/s    GB/s        kB  step",
        ]
        total = sum(took.seconds for took in self.steps.values()) or 1.0
        width = max((len(name) for name in self.steps), default=0)
        ops: dict[str, list[StepTime]] = {}
        for name, took in sorted(self.steps.items(), key=lambda item: -item[1].seconds):
            ops.setdefault(took.op, []).append(took)
            each = took.seconds / took.runs
            speeds = (amount / each * 1e-9 if each else 0.0 for amount in (took.flops, took.bytes))
            rates = " ".join(f"{speed:7.1f}" for speed in speeds)
            lines.append(
                f"{took.seconds / total:6.1%} {each * 1e6:9.2f}  {rates} {took.bytes / 1000:9.1f}  "
                f"{name:{width}}  {took.line}".rstrip()
            )
        lines.append(" share        us  GFLOP/s    GB/s  op, all its steps")
        for op, steps in sorted(ops.items(), key=lambda item: -sum(took.seconds for took in item[1])):
            seconds = sum(took.seconds for took in steps)
            amounts = (
                sum(took.flops * took.runs for took in steps),
                sum(took.bytes * took.runs for took in steps),
            )
            rates = " ".join(f"{amount / seconds * 1e-9 if seconds else 0.0:7.1f}" for amount in amounts)
            each = seconds / max(took.runs for took in steps)
            lines.append(f"{seconds / total:6.1%} {each * 1e6:9.2f}  {rates}  {op} ({len(steps)})")
        return "\n".join(lines)


def _shape_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _line(node: Apply) -> str:
    origin = node.origin
    if origin is None:
        return ""
    text = place_of(origin)
    return f"{text}, its gradient" if origin.is_gradient else text
