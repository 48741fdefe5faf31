"""`arignote predict`: what images show."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arignote.commands.common import EXAMPLES, FAILED, WEIGHTS, CommandError
from arignote.commands.networks import read_saved

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUMMARY = "tell what images show"
MORE = "Print the digit, or other class, that each image shows, and the probability of each."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("images", nargs="+", metavar="FILE", help="image, of any size; folder; - is the standard input")
    add("--weights", default=Path("digits") / WEIGHTS, type=Path, help="file that `train` wrote")
    add("--json", action="store_true", help="print an object a line: file, label, probabilities")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import numpy as np

    from arignote.layers.data.imagefiles import ImageError

    if not options.weights.exists():
        raise CommandError(f"no weights at {options.weights}: run `arignote train` first, or use --weights")
    network, gives_probabilities = read_saved(options.weights)
    if len(network.output_shape) != 1:
        raise CommandError(f"{options.weights}: this network tells no classes, but {network.output_shape}")
    examples = _examples(options.weights, network.output_shape[0])
    gives_probabilities = examples.get("probabilities", gives_probabilities)
    read = _reader(options.weights, network.input_shape, examples.get("digits", True))
    paths, images, failed = [], [], False
    for source in _sources(options.images):
        try:
            if isinstance(source, ImageError):
                raise source
            images.append(read(source))
            paths.append(str(source))
        except ImageError as error:
            print(f"arignote predict: {error}", file=sys.stderr)
            failed = True
    if images:
        predicted = network.predict(np.stack(images))
        if not gives_probabilities:
            from scipy.special import softmax

            predicted = softmax(predicted, axis=1)
        shown = _object if options.json else _line
        for path, probabilities in zip(paths, predicted, strict=True):
            print(shown(path, probabilities, examples["classes"]))
    return FAILED if failed else 0


def _examples(weights: Path, classes: int) -> dict[str, Any]:
    """Return what `train` has kept beside the weights of what the network learnt from."""
    path = weights.with_name(EXAMPLES)
    kept = {"classes": [str(number) for number in range(classes)]}
    try:
        kept |= json.loads(path.read_text())
    except FileNotFoundError:
        return kept
    except (OSError, TypeError, ValueError) as error:
        raise CommandError(f"{path}: cannot be read: {error}") from None
    if len(kept["classes"]) != classes:
        raise CommandError(f"{path}: names {len(kept['classes'])} classes, and the network tells {classes}")
    return kept


def _reader(weights: Path, shape: tuple[int, ...], digits: bool) -> Callable[[Any], NDArray[Any]]:
    """Return the function from an image's file to an example of the network."""
    from math import prod

    from arignote.layers.data.folders import MODES, read_image
    from arignote.layers.data.images import read_digit_image

    if digits and prod(shape) == 28 * 28:
        return read_digit_image
    if len(shape) != 3 or shape[0] not in MODES:
        raise CommandError(f"{weights}: this network reads no digits, and no images: its input is {shape}")
    return lambda path: read_image(path, (shape[1], shape[2]), MODES[shape[0]])


class _Input(io.BytesIO):
    """An image from the standard input, which errors call so."""

    def __str__(self) -> str:
        return "standard input"


def _sources(names: list[str]) -> Iterator[Any]:
    """Yield what there is to read; a folder without images is an error among the others."""
    from arignote.layers.data.folders import image_files
    from arignote.layers.data.imagefiles import ImageError

    for name in names:
        if name == "-":
            yield _Input(sys.stdin.buffer.read())
        elif Path(name).is_dir():
            yield from image_files(Path(name)) or [ImageError(f"{name}: no images in this folder")]
        else:
            yield name


def _line(path: str, probabilities: NDArray[Any], classes: Sequence[str]) -> str:
    each = "  ".join(f"{name}: {share:.1%}" for name, share in zip(classes, probabilities, strict=True))
    return f"{path}: {classes[probabilities.argmax()]}  ({each})"


def _object(path: str, probabilities: NDArray[Any], classes: Sequence[str]) -> str:
    shares = dict(zip(classes, map(float, probabilities), strict=True))
    return json.dumps({"file": path, "label": classes[probabilities.argmax()], "probabilities": shares})
