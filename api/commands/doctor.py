"""`arignote doctor`: the machine, what is installed, and whether it works."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from arignote.commands.common import FAILED

SUMMARY = "show the machine and the versions, and test that compiling works"
MORE = "Show what a report of an error should tell; train a small network by kernels and compare with NumPy."
_PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "networkx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, which are none."""


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import arignote
    from arignote.compile.simd import host
    from arignote.compile.threads import get_num_threads

    def line(name: str, text: object) -> None:
        print(f"{name:<10} {text}", flush=True)

    line("arignote", arignote.__version__)
    line("python", f"{platform.python_version()} ({platform.python_implementation()})")
    for name in _PACKAGES:
        line(name, _version_of(name))
    line("system", platform.platform())
    unit = host()
    line("processor", f"{_processor()}; vectors of {8 * unit.size} bits, {unit.registers} registers")
    line("cores", os.cpu_count())
    checks = {"threads": get_num_threads, "cache": _cache, "self-test": _self_test}
    status = 0
    for name, check in checks.items():
        try:
            line(name, check())
        except Exception as error:  # whatever is broken, the rest is to be shown
            line(name, f"failed: {type(error).__name__}: {error}")
            status = FAILED
    return status


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cache() -> str:
    from arignote.compile.disk import cache_info
    from arignote.compile.sizes import size_text

    info = cache_info()
    if not os.access(info.folder, os.W_OK):
        raise PermissionError(f"{info.folder} cannot be written to")
    return f"{info.folder}: {info.files} files, {size_text(info.bytes)} of at most {size_text(info.limit)}"


def _self_test() -> str:
    """Compile the cost of a small network and its gradients, and compare with NumPy."""
    import numpy as np

    from arignote import function, grad
    from arignote import tensor as T
    from arignote.layers import Conv2D, Dense, Flatten, MaxPool2D, Sequential, cross_entropy

    start = perf_counter()
    layers = [Conv2D(4, 3, activation=T.tanh), MaxPool2D(2), Flatten(), Dense(3)]
    network = Sequential(layers, input_shape=(1, 12, 12), rng=0)
    dtype = network.params[0].dtype
    x, y = T.TensorType(dtype, (None, 1, 12, 12))("x"), T.ivector("y")
    cost = T.mean(cross_entropy(network.output(x), y))
    values = [cost, *grad(cost, network.params)]
    images = np.random.default_rng(0).standard_normal((5, 1, 12, 12)).astype(dtype)
    labels = np.arange(5, dtype=np.int32) % 3
    results = [function([x, y], values, mode=mode)(images, labels) for mode in (None, "reference")]
    for value, kernel, meaning in zip(values, *results, strict=True):
        if not np.allclose(kernel, meaning, rtol=1e-4, atol=1e-5):
            raise ArithmeticError(f"kernels and NumPy differ by {np.abs(kernel - meaning).max()} in {value}")
    return f"ok ({perf_counter() - start:.1f} s)"
