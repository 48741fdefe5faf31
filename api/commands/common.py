"""What the commands share: how they end, and how they read numbers."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable
from math import nan
from pathlib import Path

FAILED, USAGE, INTERRUPTED = 1, 2, 128 + signal.SIGINT

WEIGHTS, HISTORY = "weights.safetensors", "history.json"
#: What the network learnt from, and how: the names of the classes, and what its numbers mean.
EXAMPLES = "examples.json"
CURVE, FILTERS = "learning_curve.png", "filters.png"


class CommandError(Exception):
    """What ends a command with a message and an exit status."""

    def __init__(self, message: object, status: int = USAGE) -> None:
        super().__init__(message)
        self.status = status


def number(
    kind: type[int] | type[float], accepts: Callable[[float], bool], expected: str
) -> Callable[[str], float]:
    """Return the reader of a numeric argument."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = nan
        if not accepts(value):
            raise ArgumentTypeError(f"{text!r} is not {expected}")
        return value

    return read


def check_writable(folder: Path) -> None:
    """Make the folder, and refuse one that cannot be written to."""
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CommandError(f"argument --out: cannot write to {folder}: {error.strerror}") from None


def set_threads(threads: int | None) -> None:
    """Use so many threads, or as many as the environment says."""
    from arignote.compile.threads import get_num_threads, set_num_threads

    try:
        set_num_threads(threads or get_num_threads())
    except ValueError as error:  # a variable of the environment that is no number
        raise CommandError(error) from None
