"""From process start to the first train step done: arignote and its peers, cold and warm, in turns.

    python benchmarks/start.py [--rounds N] [--peers arignote jax torch pytensor]

Every measurement is a process of its own, which makes a network's parameters, builds the step, runs it once
on ten images, and prints the loss. *Cold* is with empty caches of compiled code, *warm* with those that the
cold run has filled (JAX's persistent cache is switched on for it). Wall time is from the start of the process
to its loss; CPU time is that of the whole process, all threads and children. The table gives medians, and
the ratio of the peer's time to ours (above 1: arignote is faster). A peer that is not installed is left out,
with a word.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from nets import NETS, Net

BATCH = 10


# ------------------------------------------------------------------------- the step, by each of them


def forward(
    net: Net, x: Any, pairs: list[Any], activation: Any, pooled: Callable[[Any, Any], Any], dot: Any
) -> Any:
    """Apply the layers, whose code is the same for all but for the names."""
    h = x.reshape((BATCH, 1, 28, 28))
    for w, b in pairs[: len(net.convolutions)]:
        h = activation(pooled(h, w) + b.reshape((1, -1, 1, 1)))
    h = h.reshape((BATCH, -1))
    for w, b in pairs[len(net.convolutions) :]:
        z = dot(h, w) + b
        h = activation(z)
    return z


def run_arignote(net: Net, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Take one step."""
    import arignote
    from arignote import tensor as T
    from arignote.tensor.nnet import conv2d, relu, sigmoid, softmax
    from arignote.tensor.signal.pool import pool_2d

    def pooled(h: Any, w: Any) -> Any:
        shape = w.get_value(borrow=True).shape
        return pool_2d(conv2d(h, w, filter_shape=shape, filter_flip=False), (2, 2), ignore_border=True)

    images, labels = T.TensorType("float32", (BATCH, 784))("x"), T.ivector("y")
    parameters = [arignote.shared(array) for array in weights]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    activation = {"sigmoid": sigmoid, "relu": relu}[net.activation]
    z = forward(net, images, pairs, activation, pooled, T.dot)
    cost = -T.mean(T.log(softmax(z))[T.arange(BATCH), labels])
    rate, gradients = np.float32(net.rate), arignote.grad(cost, parameters)
    updates = [(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]
    return float(arignote.function([images, labels], cost, updates=updates)(x, y))


def run_torch(net: Net, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Take one step."""
    import torch

    functional = torch.nn.functional

    def pooled(h: Any, w: Any) -> Any:
        return functional.max_pool2d(functional.conv2d(h, w), 2)

    parameters = [torch.tensor(array, requires_grad=True) for array in weights]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    activation = {"sigmoid": torch.sigmoid, "relu": torch.relu}[net.activation]
    z = forward(net, torch.from_numpy(x), pairs, activation, pooled, torch.matmul)
    loss = functional.cross_entropy(z, torch.from_numpy(y).long())
    loss.backward()
    torch.optim.SGD(parameters, lr=net.rate).step()
    return float(loss.detach())


def run_jax(net: Net, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Take one step."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    def pooled(h: Any, w: Any) -> Any:
        maps = lax.conv_general_dilated(h, w, (1, 1), "VALID")
        return lax.reduce_window(maps, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
        activation = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}[net.activation]
        z = forward(net, x, pairs, activation, pooled, jnp.matmul)
        return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(BATCH), y])

    @jax.jit
    def step(parameters: list[Any], x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        return loss, [p - net.rate * g for p, g in zip(parameters, gradients, strict=True)]

    loss, parameters = step(weights, x, y)
    jax.block_until_ready(parameters)
    return float(loss)


def run_pytensor(net: Net, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Take one step; PyTensor has no such convolution, and no pooling: patches and windows stand in."""
    import pytensor
    from pytensor import tensor as T

    def pooled(h: Any, w: Any) -> Any:
        filters, channels, size, _ = w.get_value(borrow=True).shape
        extent = h.type.shape[2] - size + 1
        taps = [h[:, :, i : i + extent, j : j + extent] for i, j in np.ndindex(size, size)]
        patches = T.stack(taps, axis=2).reshape((BATCH, channels * size * size, extent * extent))
        maps = T.tensordot(w.reshape((filters, -1)), patches, axes=[[1], [1]]).transpose(1, 0, 2)
        half = extent // 2
        return maps.reshape((BATCH, filters, half, 2, half, 2)).max(axis=(3, 5))

    images, labels = T.tensor("x", dtype="float32", shape=(BATCH, 784)), T.ivector("y")
    parameters = [pytensor.shared(array) for array in weights]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    activation = {"sigmoid": T.sigmoid, "relu": lambda z: T.maximum(z, 0)}[net.activation]
    z = forward(net, images, pairs, activation, pooled, T.dot)
    cost = -T.mean(T.log(T.special.softmax(z, axis=1))[T.arange(BATCH), labels])
    rate, gradients = np.float32(net.rate), pytensor.grad(cost, parameters)
    updates = [(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]
    return float(pytensor.function([images, labels], cost, updates=updates)(x, y))


PEERS = {"arignote": run_arignote, "jax": run_jax, "torch": run_torch, "pytensor": run_pytensor}


# ---------------------------------------------------------------------------------- processes and times


def run_here(peer: str, number: int) -> None:
    """Take the step in this process, and print the loss."""
    rng = np.random.default_rng(0)
    x, y = rng.random((BATCH, 784), dtype="float32"), np.arange(BATCH, dtype="int32")
    print(PEERS[peer](NETS[number], NETS[number].weights(rng), x, y), flush=True)


def measure(peer: str, number: int, caches: str) -> tuple[float, float, float]:
    """Take the step in a new process; return wall seconds, CPU seconds, and the loss."""
    environment = {
        **os.environ,
        "ARIGNOTE_CACHE_DIR": caches,
        "JAX_COMPILATION_CACHE_DIR": caches,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PLATFORMS": "cpu",
        "PYTENSOR_FLAGS": f"base_compiledir={caches}",
        "NUMBA_CACHE_DIR": caches,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have their byte code
    command = [sys.executable, __file__, "--run", peer, str(number)]
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    wall = time.perf_counter() - start
    if process.wait() != 0:
        raise SystemExit(f"{peer} failed")
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu, float(line)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--run", nargs=2, metavar=("PEER", "NUMBER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_here(arguments.run[0], int(arguments.run[1]))
        return
    peers = [peer for peer in arguments.peers if importlib.util.find_spec(peer)]
    for peer in arguments.peers:
        if peer not in peers:
            print(f"{peer} is not installed: left out.")
    print(f"medians of {arguments.rounds} rounds in turns; load of the machine {os.getloadavg()[0]:.1f}\n")
    print("| net | start | peer | wall s | CPU s | ratio of wall | ratio of CPU | loss |")
    print("|---|---|---|---|---|---|---|---|")
    for number, net in enumerate(NETS):
        times: dict[tuple[str, str], list[tuple[float, float]]] = {}
        losses = {}
        for turn in range(arguments.rounds + 1):
            for peer in peers:
                with tempfile.TemporaryDirectory() as caches:
                    for start in ("cold", "warm"):
                        wall, cpu, losses[peer] = measure(peer, number, caches)
                        if turn > 0:  # before the first round, the system reads files and Python compiles
                            times.setdefault((start, peer), []).append((wall, cpu))
        for start in ("cold", "warm"):
            medians = {
                peer: [statistics.median(kind) for kind in zip(*times[start, peer], strict=True)]
                for peer in peers
            }
            for peer, (wall, cpu) in medians.items():
                ours = medians.get("arignote", medians[peer])
                print(
                    f"| {net.name} | {start} | {peer} | {wall:.2f} | {cpu:.2f} "
                    f"| {wall / ours[0]:.2f} | {cpu / ours[1]:.2f} | {losses[peer]:.6f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
