"""Files that are written whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arignote.layers.data.datafiles import StrPath


@contextmanager
def replacing(path: StrPath) -> Iterator[Path]:
    """Give a place beside `path` to write to, and move what was written to `path` at the end.

    So whoever looks at `path` sees the old file or the new one, and never half of it: the new one is on the
    disk before it gets the name, also when the machine loses its power.
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield unfinished
        _flush(unfinished)
        os.replace(unfinished, target)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            _flush(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(path: StrPath) -> None:
    """Remove what processes that were killed while they wrote `path` have left beside it."""
    target = Path(path)
    for left in target.parent.glob(f".{target.name}.*"):
        left.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
