"""`arignote draw`: the expression of a network as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from arignote.commands.common import FAILED, CommandError
from arignote.commands.networks import HELP, read_network

SUMMARY = "draw the expression of a network"
MORE = "Draw the expression of what a network predicts."
_KINDS = (".svg", ".html", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("network", metavar="NET", help=HELP)
    parser.add_argument("--out", default=Path("graph.svg"), type=Path, help=f"file: {', '.join(_KINDS)}")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from arignote.engine.printing.page import draw, html
    from arignote.engine.printing.svg import svg
    from arignote.engine.types import TensorType
    from arignote.layers.files import replacing

    kind = options.out.suffix.lower()
    if kind not in _KINDS:
        raise CommandError(f"argument --out: {options.out} does not end in one of {', '.join(_KINDS)}")
    network, _ = read_network(options.network)
    output = network.output(TensorType("float32", (None, *network.input_shape))("x"))
    if kind == ".png":
        content = draw(output)._repr_png_()[0]
    else:
        content = (svg(output) if kind == ".svg" else html(output)).encode()
    try:
        with replacing(options.out) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        raise CommandError(f"cannot write {options.out}: {error.strerror}", FAILED) from None
    print(options.out)
    return 0
