"""Networks on the full Fashion-MNIST: LeNet as first drawn, LeNet with relu and Adam, a residual network.

    python benchmarks/fashion.py --data FOLDER --out FOLDER [--threads N] [NETWORK ...]

Trains each network and prints a table of test accuracies after the last epoch. The folder `out` keeps a
checkpoint of each; the same command goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import arignote
from arignote.compile.threads import set_num_threads
from arignote.engine.graph import Variable
from arignote.layers import (
    SGD,
    Adam,
    Conv2D,
    Dense,
    Flatten,
    Flip,
    MaxPool2D,
    OneCycle,
    Sequential,
    Shift,
    Trainer,
    Watcher,
    accuracy,
    cross_entropy,
    load_fashion_mnist,
    relu,
    resnet,
    sigmoid,
)
from arignote.layers.optimisers import Optimiser

SEED = 0


@dataclass(frozen=True)
class Entry:
    """A network, its optimiser for so many steps, and how it is trained."""

    network: Callable[[], Sequential]
    optimiser: Callable[[int], Optimiser]
    epochs: int
    batch: int
    augment: tuple = ()


def lenet(activation: Callable[[Variable], Variable]) -> Sequential:
    """Return LeNet without padding: 256 numbers go into the first dense layer."""
    return Sequential(
        [
            Conv2D(6, 5, activation=activation),
            MaxPool2D(2),
            Conv2D(16, 5, activation=activation),
            MaxPool2D(2),
            Flatten(),
            Dense(120, activation),
            Dense(84, activation),
            Dense(10),
        ],
        input_shape=(1, 28, 28),
        rng=SEED,
    )


NETWORKS = {
    "LeNet, sigmoid, SGD": Entry(lambda: lenet(sigmoid), lambda steps: SGD(0.9), epochs=20, batch=256),
    "LeNet, relu, Adam": Entry(lambda: lenet(relu), lambda steps: Adam(0.001), epochs=15, batch=64),
    "ResNet-14, SGD with momentum": Entry(
        lambda: resnet((1, 28, 28), depth=14, rng=SEED),
        lambda steps: SGD(OneCycle(0.2, steps), momentum=0.9, nesterov=True, weight_decay=5e-4),
        epochs=14,
        batch=128,
        augment=(Shift(2), Flip()),
    ),
}


class Printer(Watcher):
    """Prints a line after each epoch."""

    def after_epoch(self, history: dict[str, list[float]]) -> None:
        """Print it."""
        print({name: round(values[-1], 4) for name, values in history.items()}, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {'; '.join(NETWORKS)}")
    parser.add_argument("--data", required=True, help="folder with the files of Fashion-MNIST")
    parser.add_argument("--out", required=True, type=Path, help="folder for checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - NETWORKS.keys():
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {'; '.join(NETWORKS)}")
    arignote.config.floatX = "float32"
    set_num_threads(arguments.threads)
    training, validation, test = load_fashion_mnist(arguments.data)
    # All 60,000 training images: nothing is chosen by the validation images.
    images = np.concatenate([training.images, validation.images]).reshape(-1, 1, 28, 28)
    labels = np.concatenate([training.labels, validation.labels])
    rows = []
    for name in arguments.networks or NETWORKS:
        entry = NETWORKS[name]
        steps = entry.epochs * (len(images) // entry.batch)
        trainer = Trainer(
            entry.network(), cross_entropy, entry.optimiser(steps), metrics=[accuracy], seed=SEED
        )
        history = trainer.fit(
            (images, labels),
            entry.epochs,
            entry.batch,
            validation={"test": test},
            augment=entry.augment,
            drop_last=True,
            callbacks=[Printer()],
            checkpoint=arguments.out / name.replace(" ", "_").replace(",", ""),
        )
        seconds = float(np.median(history["seconds"]))
        rows.append(f"| {name} | {100 * history['test_accuracy'][-1]:.2f} | {entry.epochs} | {seconds:.0f} |")
    print("\n| network | test % | epochs | s an epoch |\n|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
