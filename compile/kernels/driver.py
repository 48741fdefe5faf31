"""The driver: the native loops that run a program, alone or with a pool of workers.

It is one function, so that the walk through a program is compiled once, and takes one block of 64-bit words:
a program, when it is called from Python, once for a whole program; or a worker's line of the pool, and then
it never returns. All threads of a run walk the same steps, take their own static share of the tasks of each,
and meet at barriers.

What makes threads fast is what they need not tell each other: a word that one thread wrote is fetched by
the others from its cache, at up to a microsecond a line. So the words below are arranged by who writes them
and when, and words that would not change are not written.
"""

# numba's intrinsics lose their first argument when called, which their type does not say.
# mypy: disable-error-code="call-arg, call-overload, var-annotated"

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

LINE = 16  # words that are fetched together: 128 bytes, one cache line or a pair of them

# A program: the header, a row for each step, a row for each relocation, the addresses of the array objects,
# the buffers, the arguments.
STEPS = 0  # number of steps
RELOCATIONS = 1  # number of relocations
SCRATCH = 2  # address of the scratch memory of all threads
SCRATCH_STRIDE = 3  # bytes of it that each thread has
TIMINGS = 4  # address of the table of timings, or 0
FAILED = 5  # the step that failed; the number of steps if none did
ARRAYS = 6  # number of NumPy arrays, whose elements are the first buffers
DATA = 7  # place, in words, of the address of the elements in such an object
ROLE = 8  # `PROGRAM_TO_RUN` or `WORKER`, in a worker's line too
THREADS = 1 * LINE  # how many threads may run this program, the caller included
POOL = THREADS + 1  # address of the pool, if that is more than one
CALLS = THREADS + 2  # how often `run` was called
PROGRAM_HEADER = 2 * LINE

KERNEL, ARGUMENTS, TASKS, STEP_ROW = range(4)  # address, address, number; the last is the size of a row
TARGET, BUFFER, OFFSET, RELOCATION_ROW = range(4)  # place of the argument, place of the buffer, bytes
TIMING_ROW = 4  # seconds and nanoseconds of the start, seconds and nanoseconds of the stop

# A pool: the header, a line for each thread, of which number 0 is the caller of `run`.
TICKET = 0  # of the latest run: the number of its threads, and above TICKET_BITS the clock at its start
PROGRAM = 1  # address of the program to run
SLEEPERS = 1 * LINE  # number of workers that wait for the signal
MUTEX = 2 * LINE
SIGNAL = 3 * LINE  # the condition variable of the sleepers
POOL_HEADER = 4 * LINE

CLOCK = 0  # counts the meetings of this thread, through all runs: never goes back
STATUS = 1  # of this thread's share of the run
HOME = 2  # address of the pool
THREAD = 3  # number of this thread
SERVED = 4  # the latest ticket when this worker was made

PROGRAM_TO_RUN, WORKER = 0, 1

TICKET_BITS = 10

SPINS_TO_YIELD = 64
SPINS_TO_SLEEP = 64 * SPINS_TO_YIELD  # about 0.1 ms


def drive() -> Callable[..., int]:
    """Build `int64 drive(int64* words)`, which runs a program, or serves a pool for ever.

    Returns
    -------
    callable
        For `frontend.translate`.
    """
    run, work = _run(), _work()

    def drive(words):  # type: ignore[no-untyped-def]
        if words[ROLE] == WORKER:
            return work(words)
        return run(words)

    return drive


@cache
def _run() -> Callable[..., int]:
    """Build the run of a program; it returns the status of its failing step."""
    from numba.extending import register_jitable

    from .. import concurrency as native

    words_at, address_of = native.words_at, native.address_of
    load, store, add = native.load, native.store, native.add
    lock, unlock = native.pthread_mutex_lock, native.pthread_mutex_unlock
    wake_all = native.pthread_cond_broadcast
    walk, await_clock = _walk(), _await_clock()

    @register_jitable
    def run(program):  # type: ignore[no-untyped-def]
        program[CALLS] += 1
        steps = program[STEPS]
        if program[FAILED] != steps:
            program[FAILED] = steps

        row = PROGRAM_HEADER + steps * STEP_ROW
        first_array = row + program[RELOCATIONS] * RELOCATION_ROW
        arrays = program[ARRAYS]
        for place in range(first_array, first_array + arrays):
            program[place + arrays] = words_at(program[place])[program[DATA]]
        for _ in range(program[RELOCATIONS]):
            address = program[program[row + BUFFER]] + program[row + OFFSET]
            if program[program[row + TARGET]] != address:
                program[program[row + TARGET]] = address
            row += RELOCATION_ROW

        threads = program[THREADS]
        pool = words_at(program[POOL])
        if threads == 1:
            return walk(program, pool, 0, 1)

        pool[PROGRAM] = address_of(program, 0)
        ticket = (pool[POOL_HEADER + CLOCK] << TICKET_BITS) + threads
        add(pool, TICKET, ticket - pool[TICKET])
        # A worker counts itself a sleeper before it looks at the ticket for the last time, so one of the
        # two sees the other; and it holds the mutex from then until it sleeps, so the signal finds it.
        if load(pool, SLEEPERS) > 0:
            lock(address_of(pool, MUTEX))
            unlock(address_of(pool, MUTEX))
            wake_all(address_of(pool, SIGNAL))
        status = walk(program, pool, 0, threads)

        clock = pool[POOL_HEADER + CLOCK] + 1
        store(pool, POOL_HEADER + CLOCK, clock)
        for line in range(POOL_HEADER + LINE, POOL_HEADER + threads * LINE, LINE):
            await_clock(pool, line, clock)
            # Threads that fail do so in the same step: the first of them had the first of its tasks.
            if status == 0:
                status = pool[line + STATUS]
        return status

    return run


@cache
def _work() -> Callable[..., int]:
    """Build the service of a worker."""
    from numba.extending import register_jitable

    from .. import concurrency as native

    words_at, address_of = native.words_at, native.address_of
    load, store, add = native.load, native.store, native.add
    lock, unlock, sleep = native.pthread_mutex_lock, native.pthread_mutex_unlock, native.pthread_cond_wait
    walk, spin = _walk(), _spin()

    @register_jitable
    def work(worker):  # type: ignore[no-untyped-def]
        pool = words_at(worker[HOME])
        ticket = worker[SERVED]
        while worker[THREAD] > 0:  # for ever, but numba takes only functions that may return
            spins = 0
            while load(pool, TICKET) == ticket and spins < SPINS_TO_SLEEP:
                spins = spin(spins)
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
                store(worker, CLOCK, ticket >> TICKET_BITS)
                worker[STATUS] = walk(words_at(pool[PROGRAM]), pool, worker[THREAD], threads)
                store(worker, CLOCK, worker[CLOCK] + 1)
        return 0

    return work


@cache
def _walk() -> Callable[..., int]:
    """Build the walk of one thread through a program; it returns the status of this thread's share."""
    from numba.extending import register_jitable

    from .. import concurrency as native

    address_of, words_at = native.address_of, native.words_at
    load, store = native.load, native.store
    call_kernel, clock_gettime = native.call_kernel, native.clock_gettime
    meet = _meet()
    monotonic = time.CLOCK_MONOTONIC

    @register_jitable
    def walk(program, pool, thread, threads):  # type: ignore[no-untyped-def]
        steps = program[STEPS]
        scratch = program[SCRATCH] + thread * program[SCRATCH_STRIDE]
        timed = thread == 0 and program[TIMINGS] != 0
        timings = words_at(program[TIMINGS])
        status = 0
        for step in range(steps):
            row = PROGRAM_HEADER + step * STEP_ROW
            tasks = program[row + TASKS]
            if timed:
                clock_gettime(monotonic, address_of(timings, step * TIMING_ROW))
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
                meet(pool, thread, threads)
                met = True
            if timed:
                clock_gettime(monotonic, address_of(timings, step * TIMING_ROW + 2))
            # Where threads meet, all know of a failure so far. A faster one may have failed in the next step
            # already: that is not skipped, so that its first failing task does not depend on speed.
            if met and load(program, FAILED) <= step:
                break
        return status

    return walk


@cache
def _meet() -> Callable[..., None]:
    """Build a dissemination barrier (Hensgen, Finkel and Manber, 1988).

    In round k each thread waits until the one 2**k places on has begun that round too, having heard from 2**k
    threads by then. Nobody writes to a line of another's, so two threads meet in the time of one message.
    """
    from numba.extending import register_jitable

    from .. import concurrency as native

    store = native.store
    await_clock = _await_clock()

    @register_jitable
    def meet(pool, thread, threads):  # type: ignore[no-untyped-def]
        own = POOL_HEADER + thread * LINE + CLOCK
        distance = 1
        while distance < threads:
            clock = pool[own] + 1
            store(pool, own, clock)
            await_clock(pool, POOL_HEADER + (thread + distance) % threads * LINE, clock)
            distance *= 2

    return meet


@cache
def _await_clock() -> Callable[..., None]:
    """Build the wait for the clock of the thread that has this line of the pool."""
    from numba.extending import register_jitable

    from .. import concurrency as native

    load = native.load
    spin = _spin()

    @register_jitable
    def await_clock(pool, line, clock):  # type: ignore[no-untyped-def]
        spins = 0
        while load(pool, line + CLOCK) < clock:
            spins = spin(spins)

    return await_clock


@cache
def _spin() -> Callable[..., int]:
    """Build one round of a spinning wait; it takes and returns the number of rounds so far."""
    from numba.extending import register_jitable

    from .. import concurrency as native

    pause, sched_yield = native.pause, native.sched_yield

    @register_jitable
    def spin(spins):  # type: ignore[no-untyped-def]
        pause()
        if spins % SPINS_TO_YIELD == SPINS_TO_YIELD - 1:  # the thread waited for may need this core
            sched_yield()
        return spins + 1

    return spin
