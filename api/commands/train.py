"""`arignote train`: the network of the book on digits, or yours on a data set."""

from __future__ import annotations

import argparse
from math import inf
from pathlib import Path

from arignote.commands.common import CommandError, number
from arignote.commands.networks import HELP

SUMMARY = "train a network"
MORE = (
    "Train a network of yours, or, without one, that of Nielsen's book (convolution 20@5x5, pooling 2x2, "
    "fully connected 100, softmax 10) on digits."
)
LOSSES = ("cross_entropy", "cross_entropy_of_probabilities", "hinge")
#: What `--optimiser` names, and the classes.
OPTIMISERS = {
    name.lower(): name for name in ("SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Adamax")
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    option = parser.add_argument
    option("network", nargs="?", metavar="NET", help=f"{HELP}; without it, the book's network is trained")
    data = (
        "`digits` of the package, or folder with the files of MNIST; for NET also `clothes`, or folder with "
        "the files of Fashion-MNIST, or with a folder of images for each class"
    )
    option("--data", default="digits", help=data)
    count = number(int, lambda value: value >= 1, "a whole number of at least 1")
    option("--epochs", default=30, type=count, help="passes over the training examples")
    option("--batch", default=10, type=count, help="examples of a training step")
    rate = number(float, lambda value: 0 < value < inf, "a number greater than 0")
    option(
        "--rate", type=rate, help="learning rate; 0.5 for the book's network, else what suits the optimiser"
    )
    strength = number(float, lambda value: 0 <= value < inf, "a number of at least 0")
    penalty = "strength of the L2 penalty; 0.03 for the book's network, else 0"
    option("--regularisation", type=strength, help=penalty)
    loss = "for NET; cross_entropy, of scores, unless given, and that of probabilities for a `Network`"
    option("--loss", choices=LOSSES, help=loss)
    option("--optimiser", choices=[*OPTIMISERS], help="for NET; sgd unless given")
    seed = number(int, lambda value: value >= 0, "a whole number of at least 0")
    option("--seed", default=0, type=seed, help="of the order of the examples, and of the book's weights")
    threads = number(int, lambda value: 1 <= value <= 256, "a whole number from 1 to 256")
    option("--threads", type=threads, help="as many as there are cores, unless given")
    out = "folder for weights, history and pictures; `digits`, or for NET what its file is called"
    option("--out", type=Path, help=out)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.network is not None:
        from arignote.commands.training import train_network

        return train_network(options)
    if options.loss or options.optimiser:
        name = "--loss" if options.loss else "--optimiser"
        raise CommandError(
            f"argument {name}: is for a network of yours; write arignote train NET.py {name} ..."
        )
    from arignote.commands.digits import train_digits

    options.out = Path("digits") if options.out is None else options.out
    options.rate = 0.5 if options.rate is None else options.rate
    options.regularisation = 0.03 if options.regularisation is None else options.regularisation
    return train_digits(options)
