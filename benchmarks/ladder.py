"""The ladder of networks of M. Nielsen, "Neural Networks and Deep Learning", chapter 6, on the full MNIST.

    python benchmarks/ladder.py --data FOLDER --out FOLDER [--epochs N] [RUNG ...]

Trains each network with the book's settings, on one thread, and prints a table of the test accuracy where the
validation accuracy is best, as the book reports it. The folder `out` keeps a checkpoint of each; the same
command goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

import arignote
from arignote.compile.threads import set_num_threads
from arignote.layers import (
    ConvPoolLayer,
    FullyConnectedLayer,
    Layer,
    Network,
    SoftmaxLayer,
    Watcher,
    expand_one_pixel,
    load_mnist,
    relu,
    sigmoid,
)

BATCH, SEED = 10, 0


@dataclass(frozen=True)
class Rung:
    """A network, how the book trains it, and the accuracy that the book reports."""

    layers: Callable[[np.random.Generator], list[Layer]]
    book: float
    epochs: int = 60
    eta: float = 0.03
    lmbda: float = 0.1
    expanded: bool = False


def convolutions(count: int, activation: Callable, rng: np.random.Generator) -> list[Layer]:
    """Return the first or both of the book's convolutional layers."""
    shapes = (((20, 1, 5, 5), (BATCH, 1, 28, 28)), ((40, 20, 5, 5), (BATCH, 20, 12, 12)))
    return [ConvPoolLayer(filters, image, (2, 2), activation, rng=rng) for filters, image in shapes[:count]]


def dense(
    sizes: Sequence[int], activation: Callable, rng: np.random.Generator, p_dropout: float = 0.0
) -> list[Layer]:
    """Return dense layers between these sizes, and the softmax of ten classes."""
    pairs = pairwise(sizes)
    hidden = [FullyConnectedLayer(n_in, n_out, activation, p_dropout, rng=rng) for n_in, n_out in pairs]
    return [*hidden, SoftmaxLayer(sizes[-1], 10, p_dropout)]


LADDER = {
    "dense 100": Rung(lambda rng: dense((784, 100), sigmoid, rng), 97.80, eta=0.1, lmbda=0.0),
    "one convolution": Rung(
        lambda rng: convolutions(1, sigmoid, rng) + dense((2880, 100), sigmoid, rng),
        98.78,
        eta=0.1,
        lmbda=0.0,
    ),
    "two convolutions": Rung(
        lambda rng: convolutions(2, sigmoid, rng) + dense((640, 100), sigmoid, rng), 99.06, eta=0.1, lmbda=0.0
    ),
    "relu": Rung(lambda rng: convolutions(2, relu, rng) + dense((640, 100), relu, rng), 99.23),
    "expanded data": Rung(
        lambda rng: convolutions(2, relu, rng) + dense((640, 100), relu, rng), 99.37, expanded=True
    ),
    "extra layer": Rung(
        lambda rng: convolutions(2, relu, rng) + dense((640, 100, 100), relu, rng), 99.43, expanded=True
    ),
    "dropout": Rung(
        lambda rng: convolutions(2, relu, rng) + dense((640, 1000, 1000), relu, rng, p_dropout=0.5),
        99.60,
        epochs=40,
        lmbda=0.0,
        expanded=True,
    ),
}


class Printer(Watcher):
    """Prints a line after each epoch."""

    def __init__(self, name: str) -> None:
        self._name = name

    def after_epoch(self, history: dict[str, list[float]]) -> None:
        """Print it."""
        now = {key: values[-1] for key, values in history.items()}
        print(
            f"{self._name}, epoch {now['epoch']}: validation {now['validation_accuracy']:.2%}, "
            f"test {now['test_accuracy']:.2%}, {now['seconds']:.1f} s",
            flush=True,
        )


def climb(name: str, epochs: int, data: str, folder: Path) -> dict[str, list[float]]:
    """Train a rung to the end, from where an earlier run left it, and return what each epoch reached."""
    rung = LADDER[name]
    training, validation, test = load_mnist(data)
    if rung.expanded:
        training = expand_one_pixel(*training, seed=SEED)
    network = Network(rung.layers(np.random.default_rng(SEED)), BATCH, seed=SEED)
    return network.SGD(
        training,
        epochs,
        BATCH,
        rung.eta,
        validation,
        test,
        lmbda=rung.lmbda,
        watcher=Printer(name),
        checkpoint=folder / name.replace(" ", "_"),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rungs", nargs="*", metavar="RUNG", help=f"of {', '.join(LADDER)}; all by default")
    parser.add_argument("--data", required=True, help="folder with the files of MNIST")
    parser.add_argument("--out", required=True, type=Path, help="folder for weights and histories")
    parser.add_argument("--epochs", type=int, default=60, help="at most so many, where the book has more")
    arguments = parser.parse_args()
    if unknown := set(arguments.rungs) - LADDER.keys():
        parser.error(f"no rung {', '.join(sorted(unknown))}; there are {', '.join(LADDER)}")
    arignote.config.floatX = "float32"
    set_num_threads(1)
    rows = []
    for name in arguments.rungs or LADDER:
        rung = LADDER[name]
        epochs = min(rung.epochs, arguments.epochs)
        history = climb(name, epochs, arguments.data, arguments.out)
        best = int(np.argmax(history["validation_accuracy"]))
        seconds = float(np.median(history["seconds"]))
        accuracy = 100 * history["test_accuracy"][best]
        rows.append(
            f"| {name} | {rung.book:.2f} | {accuracy:.2f} | {epochs} of {rung.epochs} | {seconds:.1f} |"
        )
    print("\n| network | book % | test % | epochs | s an epoch |\n|---|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
