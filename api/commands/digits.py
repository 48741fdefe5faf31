"""`arignote train` without a network of yours: that of Nielsen's book, on digits."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arignote.commands.common import (
    CURVE,
    FAILED,
    FILTERS,
    HISTORY,
    INTERRUPTED,
    WEIGHTS,
    CommandError,
    check_writable,
    set_threads,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arignote.layers import Network
    from arignote.layers.data.datasets import Dataset
    from arignote.layers.watching import History


def train_digits(options: argparse.Namespace) -> int:
    """Train the network of the book."""
    import numpy as np

    import arignote
    from arignote.layers import ConvPoolLayer, DivergenceError, FullyConnectedLayer, Network, SoftmaxLayer

    set_threads(options.threads)
    data = _dataset(options.data)
    images, labels = data.training
    if options.batch > len(images):
        raise CommandError(f"argument --batch: more than the {len(images)} training digits")
    check_writable(options.out)

    arignote.config.floatX = "float32"
    rng = np.random.default_rng(options.seed)
    network = Network(
        [
            ConvPoolLayer(filter_shape=(20, 1, 5, 5), image_shape=(options.batch, 1, 28, 28), rng=rng),
            FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100, rng=rng),
            SoftmaxLayer(n_in=100, n_out=10),
        ],
        mini_batch_size=options.batch,
    )
    order = rng.permutation(len(images))
    try:
        with _interruption() as interruption:
            history = network.SGD(
                (images[order], labels[order]),
                options.epochs,
                options.batch,
                options.rate,
                data.validation,
                data.test,
                lmbda=options.regularisation,
                watcher=_progress(len(images) // options.batch, options, interruption),
            )
    except DivergenceError as error:
        raise CommandError(f"{error.summary}; try a smaller --rate", FAILED) from None
    _write(options.out, network, history)
    if interruption.requested:
        print(f"interrupted in epoch {history['epoch'][-1]}; the weights so far are kept in {options.out}")
    print(f"test accuracy {history['test_accuracy'][-1]:.2%}")
    return INTERRUPTED if interruption.requested else 0


def _dataset(name: str) -> Dataset:
    from arignote.layers.data.datasets import DatasetError, load_digits, load_mnist

    try:
        return load_digits() if name == "digits" else load_mnist(name)
    except DatasetError as error:
        raise CommandError(f"argument --data: {error}") from None


class _Interruption:
    requested = False


@contextmanager
def _interruption() -> Iterator[_Interruption]:
    """Turn the first Ctrl-C into a request; the second one ends the process."""
    interruption = _Interruption()

    def request(number: int, frame: Any) -> None:
        interruption.requested = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)


def _progress(batches: int, options: argparse.Namespace, interruption: _Interruption) -> Any:
    """Return a watcher that shows a progress bar where there is a terminal, and stops on request."""
    from tqdm import tqdm

    from arignote.layers.watching import Watcher, epoch_line

    class Progress(Watcher):
        def __init__(self) -> None:
            self.bar = tqdm(
                total=options.epochs * batches * options.batch,
                unit=" digits",
                disable=not sys.stderr.isatty(),
                dynamic_ncols=True,
            )
            self.bar.set_postfix_str("compiling")
            self.accuracy = ""

        def after_batch(self, epoch: int, batch: int, loss: float) -> bool:
            self.bar.set_postfix_str(f"loss {loss:.3f}{self.accuracy}", refresh=False)
            self.bar.update(options.batch)
            return interruption.requested

        def after_epoch(self, history: History) -> None:
            self.accuracy = f", accuracy {history['validation_accuracy'][-1]:.2%}"
            self.bar.set_postfix_str(f"loss {history['training_loss'][-1]:.3f}{self.accuracy}")
            self.bar.write(epoch_line(history))
            sys.stdout.flush()
            if interruption.requested or len(history["epoch"]) == options.epochs:
                self.bar.close()

    return Progress()


def _write(folder: Path, network: Network, history: History) -> None:
    from arignote.layers.files import replacing
    from arignote.layers.pictures import draw_filters, draw_learning_curve
    from arignote.layers.saving import save_network

    try:
        save_network(network, folder / WEIGHTS)
        with replacing(folder / HISTORY) as unfinished:
            unfinished.write_text(json.dumps(history, indent=1))
        draw_learning_curve(history, folder / CURVE)
        draw_filters(network.layers[0].w.get_value(), folder / FILTERS)
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error}", FAILED) from None
