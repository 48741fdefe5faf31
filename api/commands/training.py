"""`arignote train NET`: a network of the user's, on any data set."""

from __future__ import annotations

import argparse
import json
import sys
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arignote.commands.common import (
    CURVE,
    EXAMPLES,
    FAILED,
    HISTORY,
    INTERRUPTED,
    WEIGHTS,
    CommandError,
    check_writable,
    set_threads,
)
from arignote.commands.networks import read_network

if TYPE_CHECKING:
    from arignote.layers import Layer, Optimiser
    from arignote.layers.data.splits import Dataset
    from arignote.layers.watching import History

_SHARE = 0.1  # of the images of a folder that are kept for validation, and for the test


def train_network(options: argparse.Namespace) -> int:
    """Train the network that the options name; go on from the checkpoint, if there is one."""
    from arignote.engine.errors import GraphError
    from arignote.layers import CheckpointError, DivergenceError, Trainer, WeightPenalty, accuracy, losses
    from arignote.layers.data.datafiles import DatasetError

    set_threads(options.threads)
    network, gives_probabilities = read_network(options.network)
    loss = options.loss or ("cross_entropy_of_probabilities" if gives_probabilities else "cross_entropy")
    try:
        data = _dataset(options.data, network.input_shape, options.seed)
    except DatasetError as error:
        raise CommandError(f"argument --data: {error}") from None
    if options.batch > len(data.training.images):
        raise CommandError(f"argument --batch: more than the {len(data.training.images)} training examples")
    shape = data.training.images.shape[1:]
    if shape not in (network.input_shape, (prod(network.input_shape),)):
        raise CommandError(
            f"{options.network}: takes examples of shape {network.input_shape}; those of {options.data} "
            f"have shape {shape}"
        )
    if network.output_shape != (len(data.classes),):
        raise CommandError(
            f"{options.network}: gives {network.output_shape} of an example; "
            f"expected {(len(data.classes),)}, a score for each class of {options.data}"
        )
    folder = options.out or Path(Path(options.network.partition(".py")[0]).name.removesuffix(".safetensors"))
    _check_can_be_saved(network, options.network)
    check_writable(folder)
    examples = {
        "classes": data.classes,
        "digits": data.training.images.ndim == 2,  # of 28 x 28 pixels, as MNIST shows them
        "probabilities": loss == "cross_entropy_of_probabilities",
    }
    parts = {"validation": data.validation, "test": data.test}
    try:
        trainer = Trainer(
            network,
            getattr(losses, loss),
            _optimiser(options.optimiser or "sgd", options.rate),
            metrics=[accuracy],
            penalty=WeightPenalty(options.regularisation) if options.regularisation else None,
            seed=options.seed,
        )
        history = trainer.fit(
            tuple(data.training),
            options.epochs,
            options.batch,
            validation={name: tuple(part) for name, part in parts.items() if len(part.images)},
            callbacks=[_lines()],
            progress=sys.stderr.isatty(),
            checkpoint=folder,
        )
    except DivergenceError as error:
        raise CommandError(f"{error.summary}; try a smaller --rate, and another --out", FAILED) from None
    except CheckpointError as error:
        raise CommandError(f"argument --out: {error}") from None
    except GraphError as error:
        raise CommandError(error, FAILED) from None
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error}", FAILED) from None
    except KeyboardInterrupt:
        _write(folder, network, examples)
        print(f"interrupted; the same command goes on from {folder}")
        return INTERRUPTED
    _write(folder, network, examples, history)
    if "test_accuracy" in history:
        print(f"test accuracy {history['test_accuracy'][-1]:.2%}")
    return 0


def _dataset(name: str, shape: tuple[int, ...], seed: int) -> Dataset:
    """Return a data set; images in folders are made to have the shape of the network's input."""
    from arignote.layers.data.datafiles import DatasetError
    from arignote.layers.data.datasets import load_clothes, load_digits, load_fashion_mnist, load_mnist
    from arignote.layers.data.folders import MODES, load_image_folder

    if name in ("digits", "clothes"):
        return load_digits() if name == "digits" else load_clothes()
    folder = Path(name)
    if not folder.is_dir():
        raise DatasetError(f"{name} is none of `digits` and `clothes`, and no folder")
    if any(each.name.startswith(("train-images", "mnist")) for each in folder.iterdir()):
        try:
            return load_mnist(folder)
        except DatasetError as error:
            try:  # whose files have the same names
                return load_fashion_mnist(folder)
            except DatasetError:
                raise error from None
    if len(shape) != 3 or shape[0] not in MODES:
        raise DatasetError(
            f"{name}: images need a network of input shape (1, rows, columns), or (3, rows, columns) for "
            f"colours; it has {shape}"
        )
    size = (shape[1], shape[2])
    return load_image_folder(folder, size, MODES[shape[0]], validation=_SHARE, test=_SHARE, seed=seed)


def _optimiser(name: str, rate: float | None) -> Optimiser:
    from arignote.commands.train import OPTIMISERS
    from arignote.layers import optimisers

    kind = getattr(optimisers, OPTIMISERS[name])
    if rate is None and name == "sgd":
        rate = 0.1  # the one that has no rate of its own
    made: Optimiser = kind() if rate is None else kind(rate)
    return made


def _lines() -> Any:
    """Return a watcher that prints a line for each epoch."""
    from arignote.layers.training.progress import measured
    from arignote.layers.watching import Watcher

    class Lines(Watcher):
        def after_epoch(self, history: History) -> None:
            print(f"Epoch {history['epoch'][-1]}: {measured(history)}", flush=True)

    return Lines()


def _check_can_be_saved(network: Layer, name: str) -> None:
    """Refuse before the training what could not be kept after it."""
    from tempfile import TemporaryDirectory

    from arignote.layers import NetworkFileError, save

    with TemporaryDirectory() as folder:
        try:
            save(network, Path(folder) / WEIGHTS)
        except NetworkFileError as error:
            raise CommandError(f"{name}: {error}") from None


def _write(folder: Path, network: Layer, examples: dict[str, Any], history: History | None = None) -> None:
    from arignote.layers import save
    from arignote.layers.files import replacing
    from arignote.layers.pictures import draw_learning_curve

    try:
        save(network, folder / WEIGHTS)
        for name, content in ((EXAMPLES, examples), (HISTORY, history)):
            if content is not None:
                with replacing(folder / name) as unfinished:
                    unfinished.write_text(json.dumps(content, indent=1))
        if history is not None and "validation_accuracy" in history:
            draw_learning_curve(history, folder / CURVE)
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error}", FAILED) from None
