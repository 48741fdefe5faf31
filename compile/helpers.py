"""Other processes that build kernels: a cold start on several cores.

Numba is Python, so a second thread would wait for the interpreter's lock. A process that has many kernels to
build starts helpers instead: fresh interpreters, not forks, which would inherit the locks that other threads
hold; and they run nothing of the program's `__main__`. The process takes kernels from the front of the list,
its helpers from the back, and what they build comes back through a pipe: the same bytes as if it were made
here. Whatever goes wrong with a helper, its kernel is built here. A helper ends with the work, or when its
pipe does, so it does not outlive the process that started it.
"""

from __future__ import annotations

import gc
import os
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

#: Seconds without an answer, after which the kernels that helpers have are built here too.
PATIENCE = 20.0

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
    started = [_start(waiting, done, machine) for _ in range(min(helpers, len(specs) // WORTHWHILE))]
    missing = dict.fromkeys(specs)
    try:
        while missing:
            image = b""
            try:
                spec = waiting.popleft()
            except IndexError:  # helpers are at work on all that is left
                try:
                    spec, image = done.get(timeout=PATIENCE)
                except queue.Empty:
                    spec = next(iter(missing))
            if spec in missing:
                del missing[spec]
                yield spec, image or build(spec)
    finally:
        waiting.clear()
        for helper in started:
            if helper is not None:
                helper.kill()


def _start(waiting: deque[KernelSpec], done: Done, machine: bytes) -> subprocess.Popen[bytes] | None:
    """Start a helper, if that can be."""
    interpreter = sys.executable or ""
    if "python" not in os.path.basename(interpreter):  # a program with Python inside, which would run itself
        return None
    try:
        helper = subprocess.Popen(
            [interpreter, "-c", _PROGRAM.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        arguments = (helper, waiting, done, machine)
        threading.Thread(target=_attend, args=arguments, name="arignote-helper", daemon=True).start()
    except RuntimeError:  # there are no more threads to be had
        helper.kill()
        helper.communicate()
    return helper


def _attend(helper: subprocess.Popen[bytes], waiting: deque[KernelSpec], done: Done, machine: bytes) -> None:
    """Give a helper one kernel after the other."""
    with suppress(OSError, EOFError, pickle.UnpicklingError), helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        while pickle.load(helper.stdout) == machine:
            try:
                spec = waiting.pop()
            except IndexError:
                return
            image = b""
            try:
                pickle.dump(spec, helper.stdin)
                helper.stdin.flush()
                image = pickle.load(helper.stdout)
            finally:
                done.put((spec, image))


def serve() -> None:
    """Be a helper: build what comes in, until nothing does."""
    from .objects import build, machine_digest

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a builder prints
    gc.disable()
    with suppress(EOFError, BrokenPipeError):  # nobody asks any more
        while True:
            pickle.dump(machine_digest(), answers)
            answers.flush()
            spec = pickle.load(requests)
            try:
                image = build(spec)
            except Exception:  # it is raised where it is of use: the process that asked builds it again
                image = b""
            pickle.dump(image, answers)
            answers.flush()
