"""The command line: `arignote train`, `predict`, `summary`, `draw`, `doctor` and `cache`.

Nothing is imported before it is needed: a warm start takes its first training step within a second.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from arignote.commands import cache, doctor, draw, predict, summary, train
from arignote.commands.common import FAILED, INTERRUPTED, USAGE, CommandError

_COMMANDS = {
    "train": train,
    "predict": predict,
    "summary": summary,
    "draw": draw,
    "doctor": doctor,
    "cache": cache,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0, or 1 if something failed, 2 for arguments that do not fit, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = _COMMANDS[options.command].run(options)
    except CommandError as error:
        print(f"arignote {options.command}: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:  # before the training began, or while reading images
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output is gone, as `| head` goes
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the flush at exit does not fail again
        return FAILED
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="arignote", description="Train convolutional networks, use them, and look at them.")
    parser.add_argument("--version", action="version", version=f"arignote {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(_COMMANDS))
    for name, module in _COMMANDS.items():
        shows_defaults = argparse.ArgumentDefaultsHelpFormatter
        module.add_arguments(
            commands.add_parser(
                name, help=module.SUMMARY, description=module.MORE, formatter_class=shows_defaults
            )
        )
    return parser


def _version() -> str:
    import arignote

    return arignote.__version__


if __name__ == "__main__":
    sys.exit(main())
