"""The user's line that made a node.

Every node remembers one frame: the innermost one outside this library. Nodes that are made on behalf of
another node (by a gradient, by a rewrite) inherit that node's line.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a source file, and on whose behalf it was running.

    Parameters
    ----------
    filename : str
    line : int
        From 1.
    function : str
        The enclosing function's name.
    call : int
        Which call of the function it was, counted from 1: what one call makes belongs together.
    scope : str
        The names of the enclosing `scope` blocks, with slashes between them.
    is_gradient : bool
        Whether it was made by a gradient, on behalf of a node of this line.
    """

    filename: str
    line: int
    function: str
    call: int = 0
    scope: str = ""
    is_gradient: bool = False


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
    # What stands between a function that is decorated with a context and its caller is of contextlib.
    return (*(room + os.sep for room in rooms), contextlib.__file__)


_LIBRARY = _library_folders()


class _Running(threading.local):
    """What nodes that are made now inherit, and the latest call of each function of the user's."""

    def __init__(self) -> None:
        self.inherited: Origin | None = None
        self.scope = ""
        self.calls: dict[CodeType, tuple[int, int, int]] = {}


_running = _Running()

_NAMELESS = ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<lambda>")


def user_line() -> Origin | None:
    """Return the line that the code running now was called from: the inherited one, or the user's."""
    if _running.inherited is not None:
        return _running.inherited
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        # Generated code ("<string>": dataclass methods) belongs to whoever called it.
        if not code.co_filename.startswith(_LIBRARY) and code.co_filename != "<string>":
            return _origin(frame)
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


def _origin(frame: FrameType) -> Origin:
    filename, line = frame.f_code.co_filename, frame.f_lineno
    # A comprehension or a lambda belongs to the function around it, even where this library calls it.
    while frame.f_back is not None and (
        frame.f_code.co_name in _NAMELESS or frame.f_code.co_filename.startswith(_LIBRARY)
    ):
        frame = frame.f_back
    code = frame.f_code
    # The same frame further on is the same call; what a loop makes in each round counts as a call.
    last, place, call = _running.calls.get(code, (0, 0, 0))
    if last != id(frame) or frame.f_lasti < place:
        call += 1
    _running.calls[code] = id(frame), frame.f_lasti, call
    return Origin(filename, line, code.co_name, call, _running.scope)


@contextmanager
def inherit(origin: Origin | None, *, is_gradient: bool = False) -> Iterator[None]:
    """Give the nodes made inside the block this origin, marked if they are made by a gradient."""
    previous = _running.inherited
    if is_gradient and origin is not None:
        origin = origin._replace(is_gradient=True)
    _running.inherited = origin
    try:
        yield
    finally:
        _running.inherited = previous


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Give the nodes made inside the block a name under which pictures show them together.

    Blocks nest: the names are joined by slashes.

    Parameters
    ----------
    name : str
        Such as that of a layer.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x = T.vector("x")
    >>> with scope("hidden"):
    ...     y = T.tanh(x)
    >>> y.origin.scope
    'hidden'
    """
    previous = _running.scope
    _running.scope = f"{previous}/{name}" if previous else name
    try:
        yield
    finally:
        _running.scope = previous
