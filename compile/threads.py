"""The worker threads that help a program run.

There is one pool in a process, and one run at a time has it. Who comes meanwhile runs on its own thread, with
the same results, because a program's tasks do not depend on the number of threads.

Workers are Python threads that enter a native loop and never come back. There they need no interpreter lock;
they spin for about 0.1 ms after a run, and then sleep until the next.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable

from .aligned import aligned_words
from .kernels import driver
from .objects import kernel_address
from .spec import KernelSpec

__all__ = [
    "DRIVER",
    "MAX_THREADS",
    "Pool",
    "checked_num_threads",
    "driver_function",
    "get_num_threads",
    "pool",
    "set_num_threads",
]

MAX_THREADS = 256

_num_threads: int | None = None


def get_num_threads() -> int:
    """Return the number of threads that programs run on unless told otherwise.

    Returns
    -------
    int
        What `set_num_threads` set; else the environment variable `ARIGNOTE_NUM_THREADS`; else the number of
        cores that this process may use.

    Raises
    ------
    ValueError
        If `ARIGNOTE_NUM_THREADS` is not a number from 1 to 256.
    """
    return _num_threads or _default_num_threads()


def set_num_threads(threads: int) -> None:
    """Choose the number of threads that programs run on unless told otherwise.

    Parameters
    ----------
    threads : int
        From 1 to 256. Results do not depend on it.

    Raises
    ------
    ValueError
        If it is out of range.
    """
    global _num_threads
    _num_threads = checked_num_threads(threads)


def checked_num_threads(threads: int) -> int:
    """Return a number of threads if there can be as many, and raise ValueError if not."""
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"the number of threads must be from 1 to {MAX_THREADS}, not {threads}")
    return threads


@functools.cache
def _default_num_threads() -> int:
    named = os.environ.get("ARIGNOTE_NUM_THREADS")
    if named is None:
        # macOS has no affinity.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, MAX_THREADS)
    if not named.isdecimal():
        raise ValueError(f"ARIGNOTE_NUM_THREADS must be a number, not {named!r}")
    return checked_num_threads(int(named))


#: Names the driver: see `arignote.compile.kernels.driver`.
DRIVER = KernelSpec.of("driver:drive")


@functools.cache
def driver_function() -> Callable[[ctypes.c_void_p], int]:
    """Load the driver.

    Returns
    -------
    callable
        Takes the address of a block of words and returns a status, without the interpreter lock.
    """
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(kernel_address(DRIVER))


class Pool:
    """Worker threads, started when they are first needed.

    Attributes
    ----------
    address : int
        Of the words that a program needs in order to run on this pool.
    """

    def __init__(self) -> None:
        self._reset()
        # A child process has none of its parent's threads, and a lock that may never be released.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._workers = 0
        self._words = aligned_words(driver.POOL_HEADER + MAX_THREADS * driver.LINE)
        # Workers look at these words until the process ends, when the interpreter has dropped its globals.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._words))
        self.address = self._words.ctypes.data
        library = ctypes.CDLL(None)
        library.pthread_mutex_init(self._address_of(driver.MUTEX), None)
        library.pthread_cond_init(self._address_of(driver.SIGNAL), None)

    def _address_of(self, word: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.address + self._words.itemsize * word)

    def try_acquire(self, threads: int) -> bool:
        """Take the pool for a run, unless somebody else has it or threads cannot be started.

        Parameters
        ----------
        threads : int
            Of the run, the caller's included.

        Returns
        -------
        bool
            Whether the pool is the caller's, until `release`.
        """
        drive = driver_function()
        if not self._lock.acquire(blocking=False):
            return False
        try:
            while self._workers < threads - 1:
                self._start_worker(drive)
        except RuntimeError:  # the system has no more threads, or the interpreter is shutting down
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the pool back."""
        self._lock.release()

    def _start_worker(self, drive: Callable[[ctypes.c_void_p], int]) -> None:
        thread = self._workers + 1
        line = driver.POOL_HEADER + thread * driver.LINE
        self._words[line + driver.HOME] = self.address
        self._words[line + driver.THREAD] = thread
        self._words[line + driver.ROLE] = driver.WORKER
        self._words[line + driver.SERVED] = self._words[driver.TICKET]
        name = f"arignote-worker-{thread}"
        threading.Thread(target=drive, args=(self._address_of(line),), name=name, daemon=True).start()
        self._workers = thread


pool = Pool()
"""The pool of this process."""
