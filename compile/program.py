"""A program: a run of kernels that Python starts with one native call."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .aligned import ALIGNMENT, aligned_empty, aligned_words
from .kernels import driver
from .threads import checked_num_threads, driver_function, get_num_threads, pool

__all__ = ["Program", "Relocation", "Step", "StepError"]


# By the published layout of a NumPy array object, the address of its elements follows the object's header.
ARRAY_DATA = object.__basicsize__ // 8


class Step(NamedTuple):
    """One kernel of a program.

    Attributes
    ----------
    kernel : int
        Its address, from `kernel_address`.
    arguments : sequence of int
        Its words. Those that hold addresses may be left to relocations.
    tasks : int
        It runs over the tasks `0 <= task < tasks`.
    scratch : int
        Bytes of scratch memory that each thread needs.
    """

    kernel: int
    arguments: Sequence[int]
    tasks: int
    scratch: int = 0


class Relocation(NamedTuple):
    """An argument that is an address in a buffer: `arguments[argument] = buffers[buffer] + offset`.

    Attributes
    ----------
    step : int
        Index of the step.
    argument : int
        Index of the word in the step's arguments.
    buffer : int
        Index of the buffer.
    offset : int
        In bytes.
    """

    step: int
    argument: int
    buffer: int
    offset: int = 0


class StepError(RuntimeError):
    """A kernel returned a status other than zero; no step after it was run.

    Parameters
    ----------
    step : int
        Index of the step.
    status : int
        One plus the flat index of the element that is at fault.
    """

    def __init__(self, step: int, status: int) -> None:
        super().__init__(step, status)
        self.step = step
        self.status = status

    def __str__(self) -> str:
        return f"step {self.step} failed with status {self.status}"


class Program:
    """A run of kernels over buffers whose addresses may change from run to run.

    A program is one block of 64-bit words, laid out in `arignote.compile.kernels.driver`. It keeps neither
    kernels nor buffers alive, and it is for one thread at a time: `run` must not be called while it runs.

    Parameters
    ----------
    steps : sequence of Step
        In the order in which they run.
    relocations : sequence of Relocation
        Applied at the start of every run.
    buffers : int
        Number of buffers.
    arrays : int
        How many of them, the first ones, are given as NumPy arrays.

    Attributes
    ----------
    arrays : ndarray of int64, shape (arrays,)
        `id(array)` of NumPy arrays, to be written before a run. The driver looks up where their elements lie:
        asking NumPy for it from Python takes longer than all the rest of a call.
    buffers : ndarray of int64, shape (buffers,)
        The addresses of the buffers, to be written before a run; the first ones are the driver's to write.

    Raises
    ------
    IndexError
        If a relocation names a step, an argument or a buffer that there is not.
    """

    arrays: NDArray[np.int64]
    buffers: NDArray[np.int64]

    def __init__(
        self,
        steps: Sequence[Step],
        relocations: Sequence[Relocation] = (),
        buffers: int = 0,
        arrays: int = 0,
    ) -> None:
        sizes = [
            driver.PROGRAM_HEADER,
            driver.STEP_ROW * len(steps),
            driver.RELOCATION_ROW * len(relocations),
            arrays,
            buffers,
            *(len(step.arguments) for step in steps),
        ]
        starts = list(itertools.accumulate(sizes, initial=0))
        words = aligned_words(starts[-1])
        _, step_rows, relocation_rows, self.arrays, self.buffers, *arguments_of = np.split(
            words, starts[1:-1]
        )
        first_buffer, *first_arguments = starts[4:-1]
        words[driver.STEPS] = len(steps)
        words[driver.RELOCATIONS] = len(relocations)
        words[driver.ARRAYS] = arrays
        words[driver.DATA] = ARRAY_DATA
        words[driver.THREADS] = 1

        step_rows = step_rows.reshape(len(steps), driver.STEP_ROW)
        for row, step, arguments in zip(step_rows, steps, arguments_of, strict=True):
            arguments[:] = step.arguments
            row[driver.KERNEL] = step.kernel
            row[driver.ARGUMENTS] = arguments.ctypes.data
            row[driver.TASKS] = step.tasks

        relocation_rows = relocation_rows.reshape(len(relocations), driver.RELOCATION_ROW)
        for row, relocation in zip(relocation_rows, relocations, strict=True):
            _check(relocation, steps, buffers)
            row[driver.TARGET] = first_arguments[relocation.step] + relocation.argument
            row[driver.BUFFER] = first_buffer + relocation.buffer
            row[driver.OFFSET] = relocation.offset

        self._words = words
        self._address = ctypes.c_void_p(words.ctypes.data)
        self._native_run = driver_function()
        # More threads than the widest step has tasks would find nothing to do.
        self._widest = max((step.tasks for step in steps), default=0)
        # Whole cache lines, so that no two threads write to the same one.
        self._scratch_stride = -(-max((step.scratch for step in steps), default=0) // ALIGNMENT) * ALIGNMENT
        self._allocate_scratch(1)
        self._timings: NDArray[np.int64] | None = None

    def run(self, threads: int | None = None) -> None:
        """Run all steps.

        Parameters
        ----------
        threads : int, optional
            The most threads to run on; `get_num_threads()` if not given. Fewer do if no step has as many
            tasks, and one does if another program has the pool. The results are the same.

        Raises
        ------
        StepError
            If a kernel fails. Steps after the first failing one were not run.
        ValueError
            If `threads` is not from 1 to 256.
        """
        threads = get_num_threads() if threads is None else checked_num_threads(threads)
        if threads > 1 and self._widest > 1 and pool.try_acquire(threads):
            try:
                self._words[driver.POOL] = pool.address
                self._words[driver.THREADS] = min(threads, self._widest)
                if threads > self._scratch_threads:
                    self._allocate_scratch(threads)
                status = self._native_run(self._address)
            finally:
                self._words[driver.THREADS] = 1
                pool.release()
        else:
            status = self._native_run(self._address)
        if status:
            raise StepError(int(self._words[driver.FAILED]), status)

    @property
    def calls(self) -> int:
        """Number of native calls so far."""
        return int(self._words[driver.CALLS])

    def record_timings(self, on: bool = True) -> None:
        """Measure each step of the runs that follow, or stop measuring.

        Parameters
        ----------
        on : bool
            Costs about 0.1 us a step while it is on.
        """
        self._timings = (
            np.zeros((int(self._words[driver.STEPS]), driver.TIMING_ROW), np.int64) if on else None
        )
        self._words[driver.TIMINGS] = 0 if self._timings is None else self._timings.ctypes.data

    @property
    def timings(self) -> NDArray[np.int64]:
        """Start and stop of each step in the latest run, as the calling thread saw them.

        An array of shape (steps, 2), in nanoseconds of the monotonic clock (`time.monotonic_ns`). A step
        stops when the threads have met after it. A step that the latest run did not reach keeps its times.

        Raises
        ------
        ValueError
            If timings are not recorded.
        """
        if self._timings is None:
            raise ValueError("call record_timings() before the run")
        return self._timings[:, 0::2] * 1_000_000_000 + self._timings[:, 1::2]

    def _allocate_scratch(self, threads: int) -> None:
        self._scratch_threads = threads
        self._scratch = aligned_empty(threads * self._scratch_stride)
        self._words[driver.SCRATCH] = self._scratch.ctypes.data
        self._words[driver.SCRATCH_STRIDE] = self._scratch_stride


def _check(relocation: Relocation, steps: Sequence[Step], buffers: int) -> None:
    step, argument, buffer, _ = relocation
    if not 0 <= step < len(steps):
        raise IndexError(f"{relocation}: the program has {len(steps)} steps")
    if not 0 <= argument < len(steps[step].arguments):
        raise IndexError(f"{relocation}: the step has {len(steps[step].arguments)} arguments")
    if not 0 <= buffer < buffers:
        raise IndexError(f"{relocation}: the program has {buffers} buffers")
