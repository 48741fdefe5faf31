"""The user's line that made a node.

Every node remembers one frame: the innermost one outside this library. Nodes that are made on behalf of
another node (by a gradient, by a rewrite) inherit that node's line.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a source file: file name, line number (from 1) and the enclosing function's name."""

    filename: str
    line: int
    function: str


def _library_folders() -> tuple[str, ...]:
    engine = os.path.dirname(os.path.abspath(__file__))
    house = os.path.dirname(engine)
    rooms = [
        engine,
        os.path.join(house, "compile"),
        os.path.join(house, "layers"),
        os.path.join(house, "api"),
    ]
    if os.path.basename(house) == "arignote":  # installed: the public face is the package itself
        rooms.append(house)
    return tuple(room + os.sep for room in rooms)


_LIBRARY = _library_folders()


class _Inherited(threading.local):
    origin: Origin | None = None


_inherited = _Inherited()


def user_line() -> Origin | None:
    """Return the line that the code running now was called from: the inherited one, or the user's."""
    if _inherited.origin is not None:
        return _inherited.origin
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        # Generated code ("<string>": dataclass methods) belongs to whoever called it.
        if not code.co_filename.startswith(_LIBRARY) and code.co_filename != "<string>":
            return Origin(code.co_filename, frame.f_lineno, code.co_name)
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


@contextmanager
def inherit(origin: Origin | None) -> Iterator[None]:
    """Give the nodes made inside the block this origin."""
    previous = _inherited.origin
    _inherited.origin = origin
    try:
        yield
    finally:
        _inherited.origin = previous
