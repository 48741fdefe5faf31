"""Makers of input variables, under Theano's names: `matrix`, `fmatrix`, `ivector`, `tensor4`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.engine.config import config
from arignote.engine.graph import Variable
from arignote.engine.types import TensorType

PREFIXES = {
    "b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64",
}  # fmt: skip
PATTERNS: dict[str, tuple[bool, ...]] = {
    "scalar": (),
    "vector": (False,),
    "row": (True, False),
    "col": (False, True),
    "matrix": (False, False),
    "tensor3": (False,) * 3,
    "tensor4": (False,) * 4,
    "tensor5": (False,) * 5,
}


def maker(name: str, pattern: tuple[bool, ...]) -> Callable[..., Variable]:
    """Make the function that makes variables of a rank.

    Parameters
    ----------
    name : str
    pattern : tuple of bool
        Which dimensions have extent 1, and so broadcast.
    """

    def make(name: str | None = None, dtype: str | None = None) -> Variable:
        return TensorType(dtype or config.floatX, pattern)(name)

    shape = "(" + ", ".join("1" if one else "?" for one in pattern) + ")"
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return a variable of floatX, or the given dtype, and shape {shape}."
    return make


def plural(single: str, name: str) -> Callable[..., list[Variable]]:
    """Make the function that makes several variables: `matrices("x", "y")` or `matrices(2)`."""

    def make(*names: Any, dtype: str | None = None) -> list[Variable]:
        if len(names) == 1 and isinstance(names[0], int):
            names = (None,) * names[0]
        one = MAKERS[single]
        return [one(each, dtype=dtype) if dtype else one(each) for each in names]

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return several variables as `{single}` makes them: by their names, or by their number."
    return make


#: `matrix` is a function, which looks at `floatX`; `fmatrix` is a type, which makes variables when called.
MAKERS: dict[str, Callable[..., Variable]] = {
    **{name: maker(name, pattern) for name, pattern in PATTERNS.items()},
    **{
        prefix + name: TensorType(dtype, pattern)
        for prefix, dtype in PREFIXES.items()
        for name, pattern in PATTERNS.items()
    },
}
PLURALS: dict[str, Callable[..., list[Variable]]] = {
    prefix + name: plural(prefix + single, prefix + name)
    for prefix in ("", *PREFIXES)
    for single, name in {
        "scalar": "scalars", "vector": "vectors", "row": "rows", "col": "cols", "matrix": "matrices",
        "tensor3": "tensor3s", "tensor4": "tensor4s", "tensor5": "tensor5s",
    }.items()
}  # fmt: skip
