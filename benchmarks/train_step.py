"""One train step of small networks: arignote and PyTorch (eager), side by side in one process.

    python benchmarks/train_step.py [--threads N] [--rounds N] [--dtype float64]

Both start from the same weights and take the same batches. Runs alternate; the table gives medians and the
ratio of the peer's time to ours (above 1: arignote is faster). The losses of the first steps are compared
before timing. PyTorch is left out, with a word, where it is not installed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from nets import NETS, Net

import arignote
from arignote import tensor as T
from arignote.compile.threads import set_num_threads
from arignote.layers import load_digits
from arignote.tensor.nnet import conv2d, relu, sigmoid, softmax
from arignote.tensor.signal.pool import pool_2d

try:
    import torch
except ModuleNotFoundError:
    torch = None


Step = Callable[[np.ndarray, np.ndarray], float]  # takes images and labels, returns the loss
Parameters = Callable[[], list[np.ndarray]]  # returns the parameters as they are now


def arignote_step(net: Net, weights: Sequence[np.ndarray], batch: int) -> tuple[Step, Parameters]:
    """Compile the step."""
    activation = {"sigmoid": sigmoid, "relu": relu}[net.activation]
    x, y = T.TensorType(str(weights[0].dtype), (batch, 784))("x"), T.ivector("y")
    parameters = [arignote.shared(array) for array in weights]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    h = x.reshape((batch, 1, 28, 28))
    for w, b in pairs[: len(net.convolutions)]:
        shape = w.get_value(borrow=True).shape
        maps = pool_2d(conv2d(h, w, filter_shape=shape, filter_flip=False), (2, 2), ignore_border=True)
        h = activation(maps + b.dimshuffle("x", 0, "x", "x"))
    h = h.flatten(2)
    for w, b in pairs[len(net.convolutions) :]:
        z = T.dot(h, w) + b
        h = activation(z)
    cost = -T.mean(T.log(softmax(z))[T.arange(batch), y])
    rate = np.asarray(net.rate, weights[0].dtype)
    updates = [(p, p - rate * g) for p, g in zip(parameters, arignote.grad(cost, parameters), strict=True)]
    return arignote.function([x, y], cost, updates=updates), lambda: [p.get_value() for p in parameters]


def torch_step(net: Net, weights: Sequence[np.ndarray], batch: int) -> tuple[Step, Parameters]:
    """Make the same step of PyTorch's own operators and optimiser."""
    functional = torch.nn.functional
    activation = {"sigmoid": torch.sigmoid, "relu": torch.relu}[net.activation]
    parameters = [torch.tensor(array, requires_grad=True) for array in weights]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    optimiser = torch.optim.SGD(parameters, lr=net.rate)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        h, labels = torch.from_numpy(x).reshape(batch, 1, 28, 28), torch.from_numpy(y).long()
        for w, b in pairs[: len(net.convolutions)]:
            maps = functional.max_pool2d(functional.conv2d(h, w), 2)
            h = activation(maps + b.reshape(1, -1, 1, 1))
        h = h.flatten(1)
        for w, b in pairs[len(net.convolutions) :]:
            z = torch.addmm(b, h, w)
            h = activation(z)
        loss = functional.cross_entropy(z, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step, lambda: [p.detach().numpy().copy() for p in parameters]


def digits(size: int, count: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return batches of the packaged digits."""
    images, labels = load_digits().training
    rows = np.split(np.arange(size * count), count)
    return [(images[each].astype(dtype), labels[each]) for each in rows]


def alternate(steps: Sequence[Step], batch: tuple[np.ndarray, ...], rounds: int) -> list[float]:
    """Return the median seconds of each step, measured in turns."""
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        for step, measured in zip(steps, times, strict=True):
            start = time.perf_counter()
            for _ in range(3):
                step(*batch)
            measured.append((time.perf_counter() - start) / 3)
    return [statistics.median(measured) for measured in times]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    arguments = parser.parse_args()
    set_num_threads(arguments.threads)
    if torch is None:
        print("PyTorch is not installed: only arignote is measured.\n")
    else:
        torch.set_num_threads(arguments.threads)
    print(
        f"{arguments.dtype}, {arguments.threads} thread(s), medians of {arguments.rounds} rounds in turns\n"
    )
    print("| net | batch | arignote ms | PyTorch eager ms | ratio | largest difference of 5 losses |")
    print("|---|---|---|---|---|---|")
    for net in NETS:
        for size in (10, 128):
            rng = np.random.default_rng(0)
            weights = net.weights(rng, arguments.dtype)
            batches = digits(size, 5, arguments.dtype)
            steps = [arignote_step(net, weights, size)[0]]
            difference = "-"
            if torch is not None:
                steps.append(torch_step(net, weights, size)[0])
                losses = np.array([[float(step(*batch)) for step in steps] for batch in batches])
                difference = f"{np.max(np.abs(losses[:, 0] / losses[:, 1] - 1)):.1e}"
            medians = [seconds * 1e3 for seconds in alternate(steps, batches[0], arguments.rounds)]
            theirs_ms = f"{medians[1]:.3f} | {medians[1] / medians[0]:.2f}" if len(medians) > 1 else "- | -"
            print(f"| {net.name} | {size} | {medians[0]:.3f} | {theirs_ms} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
