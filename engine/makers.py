"""Makers of variables and constants, under Theano's names: `matrix`, `fmatrix`, `ivector`, `constant`, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arignote.engine.config import config
from arignote.engine.errors import ShapeError
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.ops.shape import dimshuffle
from arignote.engine.types import TensorType, constant_array

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


def plural(single: str, name: str) -> Callable[..., Any]:
    """Make the function that makes several variables, as in `matrices("x", "y")`."""

    def make(*names: Any, dtype: str | None = None) -> Any:
        given: Sequence[Any] = names
        if len(names) == 1:
            given = (None,) * names[0] if isinstance(names[0], int) else names[0]
        one = MAKERS[single]
        made = [one(each, dtype=dtype) if dtype else one(each) for each in given]
        return made[0] if len(made) == 1 else made

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"""Return several variables as `{single}` makes them.

    They are told by their names, one argument each or in one list; by one string, whose letters are the
    names; or by their number. A single one comes without a list.
    """
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
PLURALS: dict[str, Callable[..., Any]] = {
    prefix + name: plural(prefix + single, prefix + name)
    for prefix in ("", *PREFIXES)
    for single, name in {
        "scalar": "scalars", "vector": "vectors", "row": "rows", "col": "cols", "matrix": "matrices",
        "tensor3": "tensor3s", "tensor4": "tensor4s", "tensor5": "tensor5s",
    }.items()
}  # fmt: skip


def tensor(dtype: str, broadcastable: Sequence[bool | int | None], name: str | None = None) -> Variable:
    """Return a variable of any type.

    Parameters
    ----------
    dtype : str
    broadcastable : sequence of bool, int or None
        For each dimension, whether it has extent 1 and broadcasts; or its extent, None if it is open.
    name : str, optional

    Examples
    --------
    >>> tensor("float32", (False, True)).type
    TensorType(dtype='float32', shape=(None, 1))
    """
    return TensorType(dtype, tuple(broadcastable))(name)


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: str | None = None) -> Constant:
    """Return a constant.

    Parameters
    ----------
    x : number or array_like
        Python numbers take the smallest dtype that holds them, as in Theano.
    name : str, optional
    ndim : int, optional
        Number of dimensions, which are added in front.
    dtype : str, optional

    Raises
    ------
    ShapeError
        If `x` has more dimensions.

    Examples
    --------
    >>> constant([1, 2], ndim=2, dtype="float32").type
    TensorType(dtype='float32', shape=(1, 2))
    """
    value = constant_array(x)
    if dtype is not None:
        value = value.astype(TensorType(dtype, ()).dtype)
    if ndim is not None:
        _check_rank(value.ndim, ndim, "constant")
        value = value.reshape((1,) * (ndim - value.ndim) + value.shape)
    return Constant(value, name)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Variable:
    """Return a variable as it is, anything else as a constant.

    Parameters
    ----------
    x : Variable, number or array_like
        A list may hold variables, too.
    name : str, optional
        Of the constant.
    ndim : int, optional
        Number of dimensions: those that are missing are added in front; those in front that are 1 in the type
        are dropped.

    Raises
    ------
    ShapeError
        If there are more dimensions than that.

    Examples
    --------
    >>> as_tensor_variable([1, 2], ndim=2).type
    TensorType(dtype='int64', shape=(1, 2))
    """
    variable = as_variable(x, name)
    if ndim is None or variable.ndim == ndim:
        return variable
    surplus = max(variable.ndim - ndim, 0)
    if not all(variable.broadcastable[:surplus]):
        _check_rank(variable.ndim, ndim, "as_tensor_variable")
    missing = max(ndim - variable.ndim, 0)
    return dimshuffle(variable, *("x",) * missing, *range(surplus, variable.ndim))


def _check_rank(rank: int, ndim: int, name: str) -> None:
    if rank > ndim:
        raise ShapeError(f"{name}: argument `x`", expected=f"at most {ndim} dimensions", actual=str(rank))
