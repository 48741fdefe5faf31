"""The driver: the native loops that run a program, alone or with a pool of workers.

Both functions take one block of 64-bit words. `run` takes a program and is called from Python, once for a
whole program; `work` takes a worker's line of the pool and never returns. All threads of a run walk the
same steps, take their own static share of the tasks of each, and meet at barriers.

What follows is the layout of these blocks, in words. Words that several threads write to during a run have
a cache line to themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

LINE = 8  # words of a cache line

# A program: the header, a row for each step, a row for each relocation, the buffers, the arguments.
STEPS = 0  # number of steps
RELOCATIONS = 1  # number of relocations
THREADS = 2  # how many threads may run this program, the caller included
POOL = 3  # address of the pool, if that is more than one
SCRATCH = 4  # address of the scratch memory of all threads
SCRATCH_STRIDE = 5  # bytes of it that each thread has
TIMINGS = 6  # address of the table of timings, or 0
CALLS = 7  # how often `run` was called
ARRIVALS = 1 * LINE  # at barriers, since the run began
FAILED = 2 * LINE  # the step that failed; the number of steps if none did
PROGRAM_HEADER = 3 * LINE

KERNEL, ARGUMENTS, TASKS, STEP_ROW = range(4)  # address, address, number; the last is the size of a row
TARGET, BUFFER, OFFSET, RELOCATION_ROW = range(4)  # place of the argument, place of the buffer, bytes
TIMING_ROW = 4  # seconds and nanoseconds of the start, seconds and nanoseconds of the stop

# A pool: the header, a line for each worker.
TICKET = 0  # changes with every run: the number of its threads below TICKET_BITS, a count of runs above
PROGRAM = 1  # address of the program to run
SLEEPERS = 1 * LINE  # number of workers that wait for the signal
FINISHED = 2 * LINE  # number of workers that are done with the run
MUTEX = 3 * LINE
SIGNAL = 4 * LINE  # the condition variable of the sleepers
POOL_HEADER = 5 * LINE

HOME = 0  # address of the pool
THREAD = 1  # number of the worker; the thread that calls `run` is number 0
SERVED = 2  # the last ticket that the worker need not look at
STATUS = 3  # of the worker's share of the run

TICKET_BITS = 16

SPINS_TO_YIELD = 64
SPINS_TO_SLEEP = 200 * SPINS_TO_YIELD  # about 0.1 ms


def run() -> Callable[..., int]:
    """Build `int64 run(int64* program)`, which runs a program and returns the status of its failing step.

    Returns
    -------
    callable
        For `numba.cfunc`.
    """
    from arignote.compile import concurrency as native

    words_at, address_of, load, store = native.words_at, native.address_of, native.load, native.store
    lock, unlock = native.pthread_mutex_lock, native.pthread_mutex_unlock
    wake_all = native.pthread_cond_broadcast
    walk, wait_a_little = _walk(), _wait_a_little()

    def run(program):  # type: ignore[no-untyped-def]
        program[CALLS] += 1
        steps = program[STEPS]
        program[FAILED] = steps

        row = PROGRAM_HEADER + steps * STEP_ROW
        for _ in range(program[RELOCATIONS]):
            program[program[row + TARGET]] = program[program[row + BUFFER]] + program[row + OFFSET]
            row += RELOCATION_ROW

        widest = 1
        for step in range(steps):
            widest = max(widest, program[PROGRAM_HEADER + step * STEP_ROW + TASKS])
        threads = min(program[THREADS], widest)
        if threads == 1:
            return walk(program, 0, 1)

        pool = words_at(program[POOL])
        program[ARRIVALS] = 0
        pool[FINISHED] = 0
        pool[PROGRAM] = address_of(program, 0)
        store(pool, TICKET, ((pool[TICKET] >> TICKET_BITS) + 1 << TICKET_BITS) + threads)
        # A worker counts itself a sleeper before it looks at the ticket for the last time, so one of the
        # two sees the other; and it holds the mutex from then until it sleeps, so the signal finds it.
        if load(pool, SLEEPERS) > 0:
            lock(address_of(pool, MUTEX))
            wake_all(address_of(pool, SIGNAL))
            unlock(address_of(pool, MUTEX))
        status = walk(program, 0, threads)
        spins = 0
        while load(pool, FINISHED) < threads - 1:
            spins = wait_a_little(spins)
        # Threads that fail do so in the same step: the first of them had the first of its tasks.
        for thread in range(1, threads):
            if status == 0:
                status = pool[POOL_HEADER + (thread - 1) * LINE + STATUS]
        return status

    return run


def work() -> Callable[..., int]:
    """Build `int64 work(int64* worker)`, which serves a pool for ever.

    Returns
    -------
    callable
        For `numba.cfunc`.
    """
    from arignote.compile import concurrency as native

    words_at, address_of, load, add = native.words_at, native.address_of, native.load, native.add
    lock, unlock, sleep = native.pthread_mutex_lock, native.pthread_mutex_unlock, native.pthread_cond_wait
    walk, wait_a_little = _walk(), _wait_a_little()

    def work(worker):  # type: ignore[no-untyped-def]
        pool = words_at(worker[HOME])
        ticket = worker[SERVED]
        while worker[THREAD] > 0:  # for ever, but numba takes only functions that may return
            spins = 0
            while load(pool, TICKET) == ticket and spins < SPINS_TO_SLEEP:
                spins = wait_a_little(spins)
            if load(pool, TICKET) == ticket:
                lock(address_of(pool, MUTEX))
                add(pool, SLEEPERS, 1)
                while load(pool, TICKET) == ticket:
                    sleep(address_of(pool, SIGNAL), address_of(pool, MUTEX))
                add(pool, SLEEPERS, -1)
                unlock(address_of(pool, MUTEX))
            # Only a ticket that includes this worker promises that the program stays until it is done.
            ticket = load(pool, TICKET)
            threads = ticket & ((1 << TICKET_BITS) - 1)
            if worker[THREAD] < threads:
                worker[STATUS] = walk(words_at(pool[PROGRAM]), worker[THREAD], threads)
                add(pool, FINISHED, 1)
        return 0

    return work


@cache
def _walk() -> Callable[..., int]:
    """Build the walk of one thread through a program; it returns the status of this thread's share."""
    import numba
    from arignote.compile import concurrency as native

    address_of, load, store, add = native.address_of, native.load, native.store, native.add
    words_at, call_kernel, clock_gettime = native.words_at, native.call_kernel, native.clock_gettime
    wait_a_little = _wait_a_little()
    clock = time.CLOCK_MONOTONIC

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def walk(program, thread, threads):  # type: ignore[no-untyped-def]
        steps = program[STEPS]
        scratch = program[SCRATCH] + thread * program[SCRATCH_STRIDE]
        timed = thread == 0 and program[TIMINGS] != 0
        timings = words_at(program[TIMINGS])
        status = 0
        expected = 0
        for step in range(steps):
            row = PROGRAM_HEADER + step * STEP_ROW
            tasks = program[row + TASKS]
            if timed:
                clock_gettime(clock, address_of(timings, step * TIMING_ROW))
            begin, end = 0, tasks
            if threads > 1:  # the share is rounded up, so that a single task is the caller's
                begin = (tasks * thread + threads - 1) // threads
                end = (tasks * (thread + 1) + threads - 1) // threads
            if begin < end and status == 0:
                status = call_kernel(program[row + KERNEL], program[row + ARGUMENTS], scratch, begin, end)
                if status != 0:
                    store(program, FAILED, step)
            # Single tasks are the caller's: between two of them there is nobody to wait for. After the last
            # step the caller waits for the workers to finish.
            met = threads == 1
            if not met and step + 1 < steps and (tasks > 1 or program[row + STEP_ROW + TASKS] > 1):
                expected += threads
                add(program, ARRIVALS, 1)
                spins = 0
                while load(program, ARRIVALS) < expected:
                    spins = wait_a_little(spins)
                met = True
            if timed:
                clock_gettime(clock, address_of(timings, step * TIMING_ROW + 2))
            # Where threads meet, all know of a failure so far. A faster one may have failed in the next step
            # already: that is not skipped, so that its first failing task does not depend on speed.
            if met and load(program, FAILED) <= step:
                break
        return status

    return walk


@cache
def _wait_a_little() -> Callable[..., int]:
    """Build one round of a spinning wait; it takes and returns the number of rounds so far."""
    import numba
    from arignote.compile import concurrency as native

    pause, sched_yield = native.pause, native.sched_yield

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def wait_a_little(spins):  # type: ignore[no-untyped-def]
        pause()
        if spins % SPINS_TO_YIELD == SPINS_TO_YIELD - 1:  # the thread waited for may need this core
            sched_yield()
        return spins + 1

    return wait_a_little
