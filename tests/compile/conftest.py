import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def own_cache(shared_cache, monkeypatch):
    """Keep objects in a folder of the test session; find the builders of `native_samples`."""
    monkeypatch.setenv("ARIGNOTE_CACHE_DIR", str(shared_cache))
    monkeypatch.syspath_prepend(HERE)
    return shared_cache


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Keep objects in a folder of this test."""
    folder = tmp_path / "kernels"
    monkeypatch.setenv("ARIGNOTE_CACHE_DIR", str(folder))
    monkeypatch.syspath_prepend(HERE)
    return folder


@pytest.fixture
def forget(monkeypatch):
    """Return a function that makes this process as if it had loaded no kernel yet."""
    from arignote.compile import disk, objects

    def forget():
        monkeypatch.setattr(objects, "_addresses", {})
        monkeypatch.setattr(objects, "_statistics", objects.CacheStatistics())
        monkeypatch.setattr(disk, "_warned", False)

    forget()
    return forget


@pytest.fixture
def start_python():
    """Return a function that starts a program in a new process, with warnings as errors."""

    def start(program, **environment):
        command = [sys.executable, "-W", "error", "-c", program]
        environment = {**os.environ, "PYTHONPATH": str(HERE), **environment}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    return start


@pytest.fixture
def run_python(start_python):
    """Return a function that runs a program in a new process and returns what it prints."""

    def run(program, **environment):
        process = start_python(program, **environment)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert errors == ""
        return output

    return run
