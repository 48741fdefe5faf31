"""`arignote predict`: what images show."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arignote.commands.common import FAILED, WEIGHTS, CommandError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUMMARY = "read digits from image files"
MORE = "Print the digit that each image shows, and the probability of every digit."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("images", nargs="+", metavar="FILE", help="image of one digit, of any size; folder; - is the input")
    add("--weights", default=Path("digits") / WEIGHTS, type=Path, help="file that `train` wrote")
    add("--json", action="store_true", help="print an object a line: file, label, probabilities")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import numpy as np

    import arignote
    from arignote.engine.errors import GraphError
    from arignote.layers import NetworkFileError, load_network
    from arignote.layers.data.images import ImageError, read_digit_image

    if not options.weights.exists():
        raise CommandError(f"no weights at {options.weights}: run `arignote train` first, or use --weights")
    arignote.config.floatX = "float32"
    try:
        network = load_network(options.weights)
    except NetworkFileError as error:
        raise CommandError(error) from None
    paths, digits, failed = [], [], False
    for source in _sources(options.images):
        try:
            if isinstance(source, ImageError):
                raise source
            digits.append(read_digit_image(source))
            paths.append(str(source))
        except ImageError as error:
            print(f"arignote predict: {error}", file=sys.stderr)
            failed = True
    if digits:
        try:
            predicted = network.predict_probabilities(np.stack(digits))
        except GraphError as error:
            raise CommandError(f"{options.weights}: this network reads no digits: {error.summary}") from None
        shown = _object if options.json else _line
        for path, probabilities in zip(paths, predicted, strict=True):
            print(shown(path, probabilities))
    return FAILED if failed else 0


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


def _line(path: str, probabilities: NDArray[Any]) -> str:
    each = "  ".join(f"{digit}: {share:.1%}" for digit, share in enumerate(probabilities))
    return f"{path}: {probabilities.argmax()}  ({each})"


def _object(path: str, probabilities: NDArray[Any]) -> str:
    shares = {str(digit): float(share) for digit, share in enumerate(probabilities)}
    return json.dumps({"file": path, "label": str(probabilities.argmax()), "probabilities": shares})
