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

    So whoever looks at `path` sees the old file or the new one, and never half of it.
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
