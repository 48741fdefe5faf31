"""Other processes that build kernels: a cold start on several cores.

Numba is Python, so a second thread would wait for the interpreter's lock. A process that has many kernels to
build starts helpers instead: fresh interpreters, not forks, which would inherit the locks that other threads
hold; and they run nothing of the program's `__main__`. The process takes kernels from the front of the list,
its helpers from the back, and what they build comes back through a pipe: the same bytes as if it were made
here. Whatever goes wrong with a helper, its kernel is built here. A helper ends when its pipe does, so it
does not outlive the process that started it.
"""

from __future__ import annotations

import gc
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from .spec import KernelSpec

#: In the time that a helper needs to begin, about as many kernels are built here.
WORTHWHILE = 6

_PROGRAM = "import sys; sys.path[:] = {path!r}; from arignote.compile.helpers import serve; serve()"

Build = Callable[[KernelSpec], bytes]
Done = queue.SimpleQueue[tuple[KernelSpec, bytes]]


def build_all(
    specs: Sequence[KernelSpec], build: Build, helpers: int, machine: bytes
) -> Iterator[tuple[KernelSpec, bytes]]:
    """Build kernels here and in helpers, and yield each as it is done.

    Parameters
    ----------
    specs : sequence of KernelSpec
    build : callable
        Builds one of them here.
    helpers : int
        How many there may be; fewer are started for few kernels.
    machine : bytes
        What decides a kernel's code but for its spec; a helper that states another is not used.
    """
    waiting, done = deque(specs), Done()
    for _ in range(min(helpers, len(specs) // WORTHWHILE)):
        _start(waiting, done, machine)
    try:
        for _ in specs:
            try:
                spec, image = waiting.popleft(), b""
            except IndexError:  # helpers are at work on all that is left
                spec, image = done.get()
            yield spec, image or build(spec)
    finally:
        waiting.clear()


def _start(waiting: deque[KernelSpec], done: Done, machine: bytes) -> None:
    """Start a helper, if that can be."""
    program = _PROGRAM.format(path=sys.path)
    with suppress(OSError, RuntimeError):  # there may be no interpreter, no process or no thread to be had
        helper = subprocess.Popen(
            [sys.executable or "", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            arguments = (helper, waiting, done, machine)
            threading.Thread(target=_attend, args=arguments, name="arignote-helper", daemon=True).start()
        except RuntimeError:
            helper.kill()
            helper.communicate()


def _attend(helper: subprocess.Popen[bytes], waiting: deque[KernelSpec], done: Done, machine: bytes) -> None:
    """Give a helper one kernel after the other."""
    with suppress(OSError, EOFError, pickle.UnpicklingError), helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        while pickle.load(helper.stdout) == machine:
            try:
                spec = waiting.pop()
            except IndexError:
                pickle.dump(None, helper.stdin)  # its pipe may stay open, in a child of a fork
                return
            image = b""
            try:
                pickle.dump(spec, helper.stdin)
                helper.stdin.flush()
                image = pickle.load(helper.stdout)
            finally:
                done.put((spec, image))
        helper.kill()


def serve() -> None:
    """Be a helper: build what comes in, until nothing does."""
    from .objects import build, machine_digest

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a builder prints
    gc.disable()
    while True:
        pickle.dump(machine_digest(), answers)
        answers.flush()
        spec = pickle.load(requests)
        if spec is None:
            return
        try:
            image = build(spec)
        except Exception:  # it is raised where it is of use: the process that asked builds it again
            image = b""
        pickle.dump(image, answers)
        answers.flush()
