"""Measure what convolutions cost to compile.

    python benchmarks/compiling.py

The table has, for every convolution of `kernels.py` and its gradients, the processor's seconds in which one
kernel is built, and the size of its object file. Then a network of twenty different convolutions is compiled
and called once, in a process of its own and with an empty cache: forward, and with the gradients of all
filters.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from kernels import CONVOLUTIONS, NETWORKS
from peers import Convolution
from side_by_side import line

from arignote.compile.kernels.conv import correlation
from arignote.compile.kernels.conv_filter_gradient import FilterGradient
from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry
from arignote.compile.objects import build
from arignote.compile.simd import host
from arignote.compile.spec import KernelSpec

NETWORK = """
import time
start = time.perf_counter()
import numpy as np
import arignote
from arignote import tensor as T

rng = np.random.default_rng(0)
x = T.TensorType("float32", (4, 3, 64, 64))("x")
h, channels, parameters = x, 3, []
for layer in range(20):
    filters, taps, size = 8 + 2 * layer, (1, 3, 5)[layer % 3], 64 - layer
    shape = filters, channels, taps, taps
    parameters.append(arignote.shared(rng.normal(0, 0.1, shape).astype("float32")))
    h = T.nnet.relu(T.nnet.conv2d(h, parameters[-1], filter_shape=shape, border_mode="half"))
    h, channels = h[:, :, : size - 1, : size - 1], filters
cost = h.sum()
outputs = cost if not GRADIENTS else arignote.grad(cost, parameters)
arignote.function([x], outputs)(np.ones((4, 3, 64, 64), "float32"))
print(time.perf_counter() - start)
"""


def specs(c: Convolution) -> dict[str, KernelSpec]:
    """Name the kernels of a convolution and of its gradients."""
    axis = ConvAxis(c.size, c.taps, c.pad, c.pad, c.stride, 1, False)
    geometry = ConvGeometry(c.groups, c.channels // c.groups, c.filters // c.groups, POINT, axis, axis).flat
    forward, backward = (
        correlation("float32", host(), geometry, gradient, promised=True) for gradient in (False, True)
    )
    filters = FilterGradient("float32", host(), geometry)
    return {
        "forward": KernelSpec.of(forward.kernel, **forward.parameters),
        "input gradient": KernelSpec.of(backward.kernel, **backward.parameters),
        "filter gradient": KernelSpec.of("conv_filter_gradient:filter_gradient", **filters.parameters),
    }


def cold(gradients: bool) -> float:
    """Return the seconds from import to the result of the network, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", NETWORK.replace("GRADIENTS", str(gradients))]
        environment = os.environ | {"ARIGNOTE_CACHE_DIR": folder}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return float(run.stdout)


def main() -> None:
    """Print the table, and the times of the network."""
    build(specs(Convolution(1, 2, 9, 5, 3))["forward"])  # loads the compiler
    print(line(["kernels", "seconds: median", "most", "kB: median", "most"]))
    print(line(["---"] * 5))
    measured: dict[str, list[tuple[float, int]]] = {}
    for c in (*CONVOLUTIONS, *NETWORKS):
        for part, spec in specs(c).items():
            start = time.process_time()
            size = len(build(spec))
            measured.setdefault(part, []).append((time.process_time() - start, size))
    for part, pairs in measured.items():
        seconds, sizes = zip(*pairs, strict=True)
        kilobytes = [size / 1000 for size in sizes]
        print(line([
            f"{len(pairs)}: {part}", f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}",
            f"{statistics.median(kilobytes):.0f}", f"{max(kilobytes):.0f}",
        ]))  # fmt: skip
    print("\nA network of 20 different convolutions, import to result with an empty cache: ", end="")
    print(f"{cold(False):.1f} s forward, {cold(True):.1f} s with the gradients of all filters.")


if __name__ == "__main__":
    main()
