"""How a function computes, and Theano's names for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from arignote.engine.config import config
from arignote.engine.errors import DTypeError

ModeName = Literal["compiled", "reference", "debug", "nan_guard"]

#: The modes, and Theano's names of them: fast to run is compiled, fast to compile needs no compiling.
NAMES: Mapping[str, ModeName] = {
    "compiled": "compiled",
    "reference": "reference",
    "debug": "debug",
    "nan_guard": "nan_guard",
    "Mode": "compiled",
    "FAST_RUN": "compiled",
    "FAST_COMPILE": "reference",
    "DebugMode": "debug",
    "DEBUG_MODE": "debug",
    "NanGuardMode": "nan_guard",
}


@dataclass(frozen=True)
class Mode:
    """A mode as an object (`theano.compile.Mode`).

    Parameters
    ----------
    linker : str, optional
        'py' computes in NumPy, as the mode 'reference' does; any other compiles.
    optimizer : object, optional
        Without effect: there is one set of rewrites.
    name : str, optional
        One of the names of modes, instead of a linker.

    Examples
    --------
    >>> Mode(linker="py").name
    'reference'
    """

    linker: str | None = None
    optimizer: Any = "default"
    name: str | None = None

    def __post_init__(self) -> None:
        name = self.name or ("reference" if self.linker == "py" else "compiled")
        object.__setattr__(self, "name", resolve(name))

    def including(self, *tags: str) -> Mode:
        """Return the mode itself: there is one set of rewrites."""
        return self

    excluding = including


def get_mode(mode: Mode | str | None = None) -> Mode:
    """Return a mode as an object; that of `config.mode` for None (`theano.compile.get_mode`)."""
    return mode if isinstance(mode, Mode) else Mode(name=resolve(mode))


get_default_mode = get_mode


def resolve(mode: Mode | str | None) -> ModeName:
    """Return the name of a mode.

    Raises
    ------
    DTypeError
        If there is no such mode.
    """
    if isinstance(mode, Mode):
        mode = mode.name
    name = NAMES.get(config.mode if mode is None else mode) if isinstance(mode, str | None) else None
    if name is None:
        raise DTypeError("function: mode", expected="one of " + ", ".join(NAMES), actual=repr(mode))
    return name
