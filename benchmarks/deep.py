"""Residual networks of 20 to 164 layers: what building, starting and running them costs, beside PyTorch's.

    python benchmarks/deep.py [--depths 20 56 110 164] [--batch 64] [--threads 1] [--peers arignote torch]

The networks are those of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2016), for
images of 3x32x32: a 3x3 convolution, three groups of blocks of two 3x3 convolutions with batch normalisation,
of 16, 32 and 64 channels, the mean of each channel, and a dense layer; where the channels double, the
shortcut takes every second pixel and zeros. Trained by gradient descent. Every measurement is a process of
its own:

- *cold*, with an empty cache of compiled code, and *warm*, with that of the cold run: the seconds of each
  stage until the first step is done, from the start of the process in all;
- the least time of a step after that, and the most memory that the process ever had, less what it had before
  the network was built.

PyTorch runs eagerly, and is left out, with a word, where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES, RATE = 10, 0.1
Array = np.ndarray


def blocks(depth: int) -> list[tuple[int, int, int]]:
    """Return channels in, channels out and stride of each block."""
    each = (depth - 2) // 6
    widths = [width for width in (16, 32, 64) for _ in range(each)]
    return [(a, b, b // a) for a, b in zip([16, *widths], widths, strict=False)]


def weights(depth: int, seed: int = 0) -> list[Array]:
    """Return the convolutions' filters, with scale and shift behind each, then the dense layer's w and b."""
    rng = np.random.default_rng(seed)
    shapes = [(16, 3)] + [shape for a, b, _ in blocks(depth) for shape in ((b, a), (b, b))]
    result: list[Array] = []
    for out, into in shapes:
        result.append(rng.normal(0, math.sqrt(2 / (9 * into)), (out, into, 3, 3)).astype("float32"))
        result += [np.ones(out, "float32"), np.zeros(out, "float32")]
    return [*result, rng.normal(0, 0.1, (64, CLASSES)).astype("float32"), np.zeros(CLASSES, "float32")]


Step = Callable[[Array, Array], float]
Clock = Callable[[str], None]  # says that a stage is done


def network(depth: int, parameters: list[Any], x: Any, unit: Any, shortcut: Any, relu: Any) -> Any:
    """Return the last channels: the code that is the same for both."""
    layers = iter(zip(*(iter(parameters[:-2]),) * 3, strict=True))
    h = relu(unit(x, *next(layers), 1))
    for into, out, stride in blocks(depth):
        inner = relu(unit(h, *next(layers), stride))
        outer = unit(inner, *next(layers), 1)
        h = relu(outer + (h if into == out else shortcut(h, out)))
    return h


def arignote_step(depth: int, batch: int, threads: int, clock: Clock) -> Step:
    """Build the step; it is compiled when it is first taken."""
    import arignote
    from arignote import tensor as T
    from arignote.compile.threads import set_num_threads
    from arignote.tensor.nnet import bn, categorical_crossentropy, conv2d, relu, softmax

    set_num_threads(threads)
    clock("import")

    def unit(h: Any, w: Any, scale: Any, shift: Any, stride: int) -> Any:
        shape = w.get_value(borrow=True).shape
        maps = conv2d(h, w, filter_shape=shape, border_mode="half", subsample=(stride, stride))
        return bn.batch_normalization_train(maps, scale, shift, axes="spatial")[0]

    def shortcut(h: Any, out: int) -> Any:
        h = h[:, :, ::2, ::2]
        return T.concatenate([h, T.zeros_like(h)], axis=1)

    x, y = T.TensorType("float32", (batch, 3, 32, 32))("x"), T.ivector("y")
    parameters = [arignote.shared(array) for array in weights(depth)]
    h = network(depth, parameters, x, unit, shortcut, relu)
    z = T.dot(h.mean(axis=(2, 3)), parameters[-2]) + parameters[-1]
    cost = categorical_crossentropy(softmax(z), y).mean()
    clock("build")
    gradients = arignote.grad(cost, parameters)
    clock("grad")
    updates = [(p, p - np.float32(RATE) * g) for p, g in zip(parameters, gradients, strict=True)]
    step = arignote.function([x, y], cost, updates=updates)
    clock("function")
    return step


def torch_step(depth: int, batch: int, threads: int, clock: Clock) -> Step:
    """Make the same step of PyTorch's own operators and optimiser."""
    import torch

    functional = torch.nn.functional
    torch.set_num_threads(threads)
    clock("import")

    def unit(h: Any, w: Any, scale: Any, shift: Any, stride: int) -> Any:
        maps = functional.conv2d(h, w, stride=stride, padding=1)
        return functional.batch_norm(maps, None, None, scale, shift, training=True, eps=1e-4)

    def shortcut(h: Any, out: int) -> Any:
        h = h[:, :, ::2, ::2]
        return torch.cat([h, torch.zeros_like(h)], 1)

    # Theano's convolution turns the filters around.
    arrays = [array[:, :, ::-1, ::-1].copy() if array.ndim == 4 else array for array in weights(depth)]
    parameters = [torch.tensor(array, requires_grad=True) for array in arrays]
    optimiser = torch.optim.SGD(parameters, lr=RATE)
    clock("build")

    def step(x: Array, y: Array) -> float:
        optimiser.zero_grad()
        h = network(depth, parameters, torch.from_numpy(x), unit, shortcut, torch.relu)
        z = h.mean((2, 3)) @ parameters[-2] + parameters[-1]
        loss = functional.cross_entropy(z, torch.from_numpy(y).long())
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


PEERS = {"arignote": arignote_step, "torch": torch_step}


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_here(peer: str, depth: int, batch: int, threads: int, steps: int) -> None:
    """Measure in this process, and print what was found."""
    stages: dict[str, float] = {}
    last, before = time.perf_counter(), 0.0

    def clock(stage: str) -> None:
        nonlocal last, before
        now = time.perf_counter()
        stages[stage], last = now - last, now
        if stage == "import":
            before = peak()

    step = PEERS[peer](depth, batch, threads, clock)
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (batch, 3, 32, 32)).astype("float32")
    y = (np.arange(batch) % CLASSES).astype("int32")
    last = time.perf_counter()
    losses = [float(step(x, y))]
    clock("first step")
    print(json.dumps({"stages": stages}), flush=True)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        losses.append(float(step(x, y)))
        times.append(time.perf_counter() - start)
    print(
        json.dumps({"step": min(times, default=math.nan), "memory": peak() - before, "losses": losses[:3]}),
        flush=True,
    )


def measure(peer: str, caches: str, *numbers: int) -> dict[str, Any]:
    """Run in a new process; `start` is from the start of the process to its first step done."""
    environment = {**os.environ, "ARIGNOTE_CACHE_DIR": caches}
    command = [sys.executable, __file__, "--run", peer, *map(str, numbers)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    result = json.loads(process.stdout.readline())
    result["start"] = time.perf_counter() - begin
    result |= json.loads(process.stdout.readline())
    if process.wait() != 0:
        raise SystemExit(f"{peer} failed")
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 56, 110, 164])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_here(options.run[0], *map(int, options.run[1:]))
        return
    peers = [peer for peer in options.peers if importlib.util.find_spec(peer)]
    for peer in set(options.peers).difference(peers):
        print(f"{peer} is not installed: left out.")
    print("| layers | peer | start s | of which | step ms | memory MiB | first losses |")
    print("|---|---|---|---|---|---|---|")
    for depth in options.depths:
        for peer in peers:
            with tempfile.TemporaryDirectory() as caches:
                for start in ("cold", "warm") if peer == "arignote" else ("",):
                    steps = 0 if start == "cold" else options.steps
                    found = measure(peer, caches, depth, options.batch, options.threads, steps)
                    stages = ", ".join(f"{stage} {found['stages'][stage]:.2f}" for stage in found["stages"])
                    losses = " ".join(f"{loss:.4f}" for loss in found["losses"])
                    print(
                        f"| {depth} | {peer} {start} | {found['start']:.2f} | {stages} "
                        f"| {found['step'] * 1000:.0f} | {found['memory']:.0f} | {losses} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
