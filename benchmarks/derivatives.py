"""What derivatives of a convolutional network cost, in units of its cost and of its gradient.

    python benchmarks/derivatives.py [--batch N] [--rounds N]

Rows: the cost alone, its gradient, its derivative along a direction (Rop), and the product of its Hessian and
a vector; by the floating-point operations of the compiled program, and by the median time of a call.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from arignote import Rop, function, grad, gradient, shared
from arignote import tensor as T
from arignote.tensor.nnet import categorical_crossentropy, conv2d, softmax
from arignote.tensor.signal.pool import pool_2d


def network(convolutions: list[tuple[int, int]], dense: list[int]) -> tuple[list, list, object]:
    """Return the inputs, the weights and the cost of a network for images of 28 x 28."""
    rng = np.random.default_rng(0)
    x, labels = T.ftensor4("x"), T.ivector("labels")
    weights, maps, channels, extent = [], x, 1, 28
    for filters, size in convolutions:
        shapes = (filters, channels, size, size), (filters,)
        w, b = (shared(rng.normal(0, 0.1, shape).astype("float32")) for shape in shapes)
        weights += [w, b]
        maps = T.tanh(pool_2d(conv2d(maps, w), 2, ignore_border=True) + b.dimshuffle("x", 0, "x", "x"))
        channels, extent = filters, (extent - size + 1) // 2
    hidden, width = maps.flatten(2), channels * extent * extent
    for place, n_out in enumerate(dense):
        shapes = (width, n_out), (n_out,)
        w, b = (shared(rng.normal(0, 0.05, shape).astype("float32")) for shape in shapes)
        weights += [w, b]
        hidden = T.dot(hidden, w) + b
        hidden = T.nnet.sigmoid(hidden) if place < len(dense) - 1 else hidden
        width = n_out
    cost = categorical_crossentropy(softmax(hidden), labels).mean()
    return [x, labels], weights, cost


def flops(f: object) -> int:
    """Return the floating-point operations of the latest call."""
    return sum(step.flops for step in f.profile.steps.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    images = rng.normal(size=(options.batch, 1, 28, 28)).astype("float32")
    arguments = images, (np.arange(options.batch) % 10).astype("int32")
    for name, net in {
        "conv 20@5x5, dense 100, 10": ([(20, 5)], [100, 10]),
        "conv 20@5x5, conv 40@5x5, dense 100, 10": ([(20, 5), (40, 5)], [100, 10]),
    }.items():
        inputs, weights, cost = network(*net)
        vector = [shared(rng.normal(size=w.get_value().shape).astype("float32")) for w in weights]
        outputs = {
            "cost": cost,
            "gradient": grad(cost, weights),
            "Rop of the cost": Rop(cost, weights, vector),
            "Hessian-vector product": gradient.hessian_vector_product(cost, weights, vector),
        }
        print(f"{name}, batch {options.batch}")
        print(f"  {'':26}{'Mflop':>10}{'costs':>8}{'gradients':>11}{'ms':>10}{'costs':>8}{'gradients':>11}")
        work, times = {}, {}
        for row, output in outputs.items():
            counted = function(inputs, output, profile=True)
            counted(*arguments)
            work[row] = flops(counted)
            f = function(inputs, output)
            f(*arguments)
            seconds = []
            for _ in range(options.rounds):
                start = time.perf_counter()
                f(*arguments)
                seconds.append(time.perf_counter() - start)
            times[row] = statistics.median(seconds)
            columns = [(work, 1e-6, "10.2f"), (times, 1e3, "10.3f")]
            print(f"  {row:26}" + "".join(
                f"{each[row] * unit:{form}}{each[row] / each['cost']:8.2f}"
                + (f"{each[row] / each['gradient']:11.2f}" if "gradient" in each else f"{'':11}")
                for each, unit, form in columns
            ))  # fmt: skip


if __name__ == "__main__":
    main()
