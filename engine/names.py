"""What is meant by a name that is not there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

#: Names of Theano's that are left out, and what to use instead: the table in docs/theano.md says why.
LEFT_OUT = {
    **dict.fromkeys(
        ["cmatrix", "cvector", "cscalar", "zmatrix", "zvector", "zscalar", "angle", "complex_from_polar"],
        "complex numbers are left out: use a real and an imaginary part",
    ),
    **dict.fromkeys(
        ["chi2sf", "erfcx", "gammainc", "gammaincc", "j0", "j1", "jv", "i0", "i1", "iv"],
        "it is left out: use `as_op` of SciPy's",
    ),
}


def unknown_name(module: str, name: str) -> AttributeError:
    """Return the error for a name that a module does not have: with the one that may be meant.

    Parameters
    ----------
    module : str
        The module's name.
    name : str

    Examples
    --------
    >>> import arignote.tensor
    >>> print(unknown_name("arignote.tensor", "sigmod"))
    module 'arignote.tensor' has no attribute 'sigmod'; did you mean 'arignote.tensor.nnet.sigmoid'?
    """
    message = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("__"):
        hint = _left_out(name) or _meant(module, name)
        message += f"; {hint}" if hint else ""
    return AttributeError(message, name=name)


def hints(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that says what may be meant by an unknown name."""

    def getattr_(name: str) -> Any:
        raise unknown_name(module, name)

    return getattr_


def unknown_method(kind: str, names: list[str], name: str) -> AttributeError:
    """Return the error for a method or attribute that a variable does not have.

    Parameters
    ----------
    kind : str
        What it was asked of.
    names : list of str
        What that has.
    name : str
    """
    message = f"{kind} has no attribute {name!r}"
    if not name.startswith("_"):
        from difflib import get_close_matches

        places = _places(name)
        close = get_close_matches(name, [each for each in names if not each.startswith("_")], 1)
        if places:
            message += f"; it is a function: {places[0]}(x)"
        elif close:
            message += f"; did you mean {close[0]!r}?"
    return AttributeError(message, name=name)


def _left_out(name: str) -> str:
    return f"{LEFT_OUT[name]} (docs/theano.md)" if name in LEFT_OUT else ""


def _public() -> dict[str, Any]:
    """Return the modules of the public face that are there, the nearest first."""
    rooms = ("engine", "compile", "layers")
    found = {
        name: module
        for name, module in sorted(sys.modules.items())
        if (name == "arignote" or name.startswith("arignote."))
        and name.split(".")[1:2] not in [[r] for r in rooms]
    }
    return dict(sorted(found.items(), key=lambda item: item[0].count(".")))


def _places(name: str) -> list[str]:
    return [f"{each}.{name}" for each, module in _public().items() if name in getattr(module, "__all__", ())]


def _meant(module: str, name: str) -> str:
    from difflib import get_close_matches

    if places := _places(name):
        return f"did you mean {places[0]!r}?"
    own = getattr(sys.modules[module], "__all__", ())
    if close := get_close_matches(name, own, 1, 0.8):
        return f"did you mean {close[0]!r}?"
    every = {
        each: place for place, found in reversed(_public().items()) for each in getattr(found, "__all__", ())
    }
    if close := get_close_matches(name, every, 1, 0.8):
        return f"did you mean '{every[close[0]]}.{close[0]}'?"
    return ""
