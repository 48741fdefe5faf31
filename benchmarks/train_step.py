"""One train step of small networks: arignote and PyTorch (eager), side by side in one process.

    python benchmarks/train_step.py [--threads N] [--seconds N] [--dtype float64]

Both start from the same weights and take the same batches. Runs alternate; the table gives medians and the
ratio of the peer's time to ours (above 1: arignote is faster). The losses of the first steps are compared
before timing. PyTorch is left out, with a word, where it is not installed.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from nets import LARGER, NETS, Net
from side_by_side import alternate

import arignote
from arignote import tensor as T
from arignote.compile.threads import set_num_threads
from arignote.layers import load_digits
from arignote.sandbox.rng_mrg import MRG_RandomStreams as RandomStreams
from arignote.tensor.nnet import conv2d, relu, sigmoid, softmax
from arignote.tensor.signal.pool import pool_2d

try:
    import torch
except ModuleNotFoundError:
    torch = None


Step = Callable[[np.ndarray, np.ndarray], float]  # takes images and labels, returns the loss
Parameters = Callable[[], list[np.ndarray]]  # returns the parameters as they are now


def arignote_logits(net: Net, x: Any, parameters: Sequence[Any]) -> Any:
    """Return the expression of the last layer's output."""
    activation = {"sigmoid": sigmoid, "relu": relu}[net.activation]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    h = x.reshape((x.shape[0], net.image[0], net.image[1], net.image[1]))
    for layer, (w, b) in enumerate(pairs[: len(net.convolutions)]):
        shape = w.get_value(borrow=True).shape
        maps = conv2d(h, w, border_mode=(net.pad(layer),) * 2, filter_shape=shape, filter_flip=False)
        if layer not in net.unpooled:
            maps = pool_2d(maps, (2, 2), ignore_border=True)
        h = activation(maps + b.dimshuffle("x", 0, "x", "x"))
    h = h.flatten(2)
    for w, b in pairs[len(net.convolutions) : -1]:
        h = activation(T.dot(h, w) + b)
        if net.dropout:
            h = (
                h
                * RandomStreams(0).binomial(size=h.shape, p=1 - net.dropout, dtype=h.dtype)
                / (1 - net.dropout)
            )
    w, b = pairs[-1]
    return T.dot(h, w) + b


def arignote_step(net: Net, weights: Sequence[np.ndarray], batch: int) -> tuple[Step, Parameters]:
    """Compile the step."""
    channels, extent = net.image
    x, y = T.TensorType(str(weights[0].dtype), (batch, channels * extent**2))("x"), T.ivector("y")
    parameters = [arignote.shared(array) for array in weights]
    cost = -T.mean(T.log(softmax(arignote_logits(net, x, parameters)))[T.arange(batch), y])
    rate = np.asarray(net.rate, weights[0].dtype)
    updates = [(p, p - rate * g) for p, g in zip(parameters, arignote.grad(cost, parameters), strict=True)]
    return arignote.function([x, y], cost, updates=updates), lambda: [p.get_value() for p in parameters]


def arignote_inference(net: Net, weights: Sequence[np.ndarray], batch: int) -> Step:
    """Compile the way from images to the logits."""
    channels, extent = net.image
    x = T.TensorType(str(weights[0].dtype), (batch, channels * extent**2))("x")
    parameters = [arignote.shared(array) for array in weights]
    f = arignote.function([x], arignote_logits(net, x, parameters))
    return lambda x, y: f(x)


def torch_logits(net: Net, x: np.ndarray, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Compute the last layer's output."""
    functional = torch.nn.functional
    activation = {"sigmoid": torch.sigmoid, "relu": torch.relu}[net.activation]
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    h = torch.from_numpy(x).reshape(len(x), net.image[0], net.image[1], net.image[1])
    for layer, (w, b) in enumerate(pairs[: len(net.convolutions)]):
        maps = functional.conv2d(h, w, padding=net.pad(layer))
        if layer not in net.unpooled:
            maps = functional.max_pool2d(maps, 2)
        h = activation(maps + b.reshape(1, -1, 1, 1))
    h = h.flatten(1)
    for w, b in pairs[len(net.convolutions) : -1]:
        h = functional.dropout(activation(torch.addmm(b, h, w)), net.dropout)
    w, b = pairs[-1]
    return torch.addmm(b, h, w)


def torch_step(net: Net, weights: Sequence[np.ndarray], batch: int) -> tuple[Step, Parameters]:
    """Make the same step of PyTorch's own operators and optimiser."""
    parameters = [torch.tensor(array, requires_grad=True) for array in weights]
    optimiser = torch.optim.SGD(parameters, lr=net.rate)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        loss = torch.nn.functional.cross_entropy(torch_logits(net, x, parameters), torch.from_numpy(y).long())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step, lambda: [p.detach().numpy().copy() for p in parameters]


def torch_inference(net: Net, weights: Sequence[np.ndarray], batch: int) -> Step:
    """Make the way from images to the logits of PyTorch's own operators."""
    parameters = [torch.tensor(array) for array in weights]

    def step(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch_logits(net, x, parameters).numpy()

    return step


def batches_of(net: Net, size: int, count: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return batches of the packaged digits, or of noise where a network wants other images."""
    if net.image == (1, 28):
        return digits(size, count, dtype)
    rng, (channels, extent) = np.random.default_rng(0), net.image
    return [
        (rng.random((size, channels * extent**2)).astype(dtype), rng.integers(0, 10, size).astype("int32"))
        for _ in range(count)
    ]


def digits(size: int, count: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return batches of the packaged digits."""
    images, labels = load_digits().training
    rows = np.split(np.arange(size * count), count)
    return [(images[each].astype(dtype), labels[each]) for each in rows]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of turns, for each side of a row")
    parser.add_argument("--inference", action="store_true", help="measure the way to the logits alone")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    arguments = parser.parse_args()
    set_num_threads(arguments.threads)
    if torch is None:
        print("PyTorch is not installed: only arignote is measured.\n")
    else:
        torch.set_num_threads(arguments.threads)
    print(f"{arguments.dtype}, {arguments.threads} thread(s), medians of turns\n")
    print("| net | batch | arignote ms | PyTorch eager ms | ratio | largest difference of 5 losses |")
    print("|---|---|---|---|---|---|")
    for net in NETS + LARGER:
        for size in net.batches:
            rng = np.random.default_rng(0)
            weights = net.weights(rng, arguments.dtype)
            batches = batches_of(net, size, 5, arguments.dtype)
            if arguments.inference:
                net = replace(net, dropout=0.0)
                makers = [arignote_inference, torch_inference]
                steps = [make(net, weights, size) for make in makers[: 1 + (torch is not None)]]
            else:
                makers = [arignote_step, torch_step]
                steps = [make(net, weights, size)[0] for make in makers[: 1 + (torch is not None)]]
            difference = "-"
            if len(steps) > 1 and not net.dropout:
                results = np.array([[np.mean(step(*batch)) for step in steps] for batch in batches])
                difference = f"{np.max(np.abs(results[:, 0] / results[:, 1] - 1)):.1e}"
            runs = [partial(step, *batches[0]) for step in steps]
            medians = alternate(runs, arguments.seconds, arguments.threads, statistics.median)
            medians = [seconds * 1e3 for seconds in medians]
            theirs_ms = f"{medians[1]:.3f} | {medians[1] / medians[0]:.2f}" if len(medians) > 1 else "- | -"
            print(f"| {net.name} | {size} | {medians[0]:.3f} | {theirs_ms} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
