"""Kernels that other processes build."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque

import pytest

from arignote.compile import helpers, objects
from arignote.compile.spec import KernelSpec

SPECS = [KernelSpec.of("native_samples.kernels:typed", value=float(value)) for value in range(8)]

#: Says what it is, takes a kernel, and is gone.
FAINT = (
    "import sys, pickle; sys.path[:] = {path!r}\n"
    "from arignote.compile.objects import machine_digest\n"
    "pickle.dump(machine_digest(), sys.stdout.buffer)\n"
    "sys.stdout.flush()\n"
    "pickle.load(sys.stdin.buffer)\n"
)


def started(waiting, machine):
    """Start a helper, and return what it does until it ends."""
    done = helpers.Done()
    helpers._start(waiting, done, machine)
    for thread in threading.enumerate():
        if thread.name == "arignote-helper":
            thread.join(timeout=120)
            assert not thread.is_alive()
    return [done.get() for _ in range(done.qsize())]


def test_helpers_build_the_same_bytes(own_cache):
    images = dict(started(deque(SPECS), objects.machine_digest()))
    assert list(images) == SPECS[::-1]
    assert images == {spec: objects.build(spec) for spec in SPECS}


def test_helper_with_other_sources_is_not_used(own_cache):
    waiting = deque(SPECS)
    assert started(waiting, b"other sources") == []
    assert list(waiting) == SPECS


def test_kernel_that_fails_in_a_helper_is_left_to_this_process(own_cache):
    bad = KernelSpec.of("native_samples.kernels:raising")
    [first, second] = started(deque([SPECS[0], bad]), objects.machine_digest())
    assert first == (bad, b"")
    assert second == (SPECS[0], objects.build(SPECS[0]))


@pytest.mark.parametrize(
    ("program", "executable"),
    [
        pytest.param(FAINT, sys.executable, id="a helper that dies at work"),
        pytest.param("raise SystemExit(1)", sys.executable, id="a helper that dies at once"),
        pytest.param("print('not what is expected')", sys.executable, id="another program"),
        pytest.param(helpers._PROGRAM, "/nonexistent/python", id="no interpreter"),
        pytest.param(helpers._PROGRAM, None, id="an interpreter of unknown name"),
        pytest.param("import time; time.sleep(600)", sys.executable, id="a helper that never begins"),
        pytest.param(FAINT + "import time; time.sleep(600)", sys.executable, id="a helper that is stuck"),
    ],
)
def test_all_kernels_are_built_without_helpers_too(program, executable, own_cache, monkeypatch):
    monkeypatch.setattr(helpers, "_PROGRAM", program)
    monkeypatch.setattr(helpers, "PATIENCE", 0.1)
    monkeypatch.setattr(sys, "executable", executable)

    def build(spec):
        for thread in threading.enumerate():  # let the helper have its share first
            if thread.name == "arignote-helper":
                thread.join(timeout=0.5)
        return spec.text.encode()

    built = dict(helpers.build_all(SPECS, build, 1, objects.machine_digest()))
    assert built == {spec: spec.text.encode() for spec in SPECS}


def test_program_with_python_inside_is_not_started(own_cache, monkeypatch, tmp_path):
    started = tmp_path / "started"
    program = tmp_path / "frozen"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    built = dict(helpers.build_all(SPECS, lambda spec: b"here", 1, objects.machine_digest()))
    assert built == dict.fromkeys(SPECS, b"here")
    assert not started.exists()


def test_thread_that_cannot_be_started_is_done_without(own_cache, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    built = dict(helpers.build_all(SPECS, lambda spec: b"here", 1, objects.machine_digest()))
    assert built == dict.fromkeys(SPECS, b"here")


def test_error_ends_the_work_of_helpers(own_cache):
    def build(spec):
        raise ValueError(spec.text)

    with pytest.raises(ValueError, match="value"):
        list(helpers.build_all(SPECS, build, 1, objects.machine_digest()))
    for thread in threading.enumerate():
        if thread.name == "arignote-helper":
            thread.join(timeout=120)
            assert not thread.is_alive()


NETWORK = """
import sys
print("main", file=sys.stderr)
import arignote, numpy as np
from arignote import tensor as T
x = T.matrix("x")
outputs = [T.exp(x).sum(0), T.tanh(x).max(1), T.dot(x, x.T), x.T[::-1] + 1, T.nnet.softmax(x), x > 1]
results = arignote.function([x], outputs)(np.eye(3))
from arignote.compile.objects import cache_statistics
print(len(results), cache_statistics().compiled >= 6)
"""


def test_program_without_a_guard_runs_once(empty_cache, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(NETWORK)
    environment = {**os.environ, "ARIGNOTE_NUM_THREADS": "2"}
    process = subprocess.run(
        [sys.executable, "-W", "error", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert (process.stdout, process.stderr) == ("6 True\n", "main\n")


def test_helper_does_not_outlive_its_process(empty_cache, start_python):
    program = """
import subprocess, sys, time
from collections import deque
from arignote.compile import helpers
start = subprocess.Popen
def told(*args, **options):
    process = start(*args, **options)
    print(process.pid, flush=True)
    return process
subprocess.Popen = told
helpers._start(deque(), helpers.Done(), b"")
time.sleep(600)
"""
    process = start_python(program)
    helper = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    for _ in range(600):
        try:
            os.kill(helper, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError(f"process {helper} is still there")
