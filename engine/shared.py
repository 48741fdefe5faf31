"""Shared variables: values that live between calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.types import TensorType, constant_array


class SharedVariable(Variable):
    """A variable with a value that functions read, and change through their updates.

    Parameters
    ----------
    type : TensorType
    value : ndarray
        C-contiguous, of the type's dtype.
    name : str, optional

    Attributes
    ----------
    default_update : Variable or None
        What every function that uses the variable makes of it, unless told otherwise.
    lent : bool
        Whether somebody outside may hold the very array, so that it must not be written to in place.
    allow_downcast : bool or None
        Whether values that are set may lose precision: yes, no, or (None) only Python floats.
    """

    def __init__(
        self,
        type: TensorType,
        value: np.ndarray,
        name: str | None = None,
        allow_downcast: bool | None = None,
    ) -> None:
        super().__init__(type, name=name)
        self.storage = value
        self.lent = False
        self.allow_downcast = allow_downcast
        self.default_update: Variable | None = None

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> np.ndarray:
        """Return the value: a copy, or with `borrow` the array itself, which later updates leave alone.

        `return_internal_type` is without effect: the value is an array in any case.
        """
        if borrow:
            self.lent = True
            return self.storage
        return self.storage.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value by another of the same dtype and rank.

        Raises
        ------
        DTypeError, ShapeError
            If the value would lose precision, or has another rank; the old value stays.
        """
        self.storage = conform(
            value, self.type, f"set_value of {self!r}", copy=not borrow, downcast=self.allow_downcast
        )
        self.lent = borrow

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to 0; `borrow` is without effect."""
        self.set_value(np.zeros_like(self.storage))

    def clone(self, name: str | None = None) -> SharedVariable:
        """Return another shared variable, with a copy of the value."""
        made = SharedVariable(self.type, self.storage.copy(), name or self.name, self.allow_downcast)
        made.tag = SimpleNamespace(**vars(self.tag))
        return made

    def __repr__(self) -> str:
        return self.name or f"<shared {self.type}>"


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    borrow: bool = False,
    broadcastable: tuple[bool, ...] | None = None,
    allow_downcast: bool | None = None,
) -> SharedVariable:
    """Make a variable whose value lives between calls (`theano.shared`).

    Parameters
    ----------
    value : number or array
        Copied unless `borrow`. Python floats become float64, integers int64, as in NumPy.
    name : str, optional
    strict : bool
        Refuse what is no array.
    borrow : bool
        Use the very array where its memory is fit; functions never write to a borrowed array.
    broadcastable : tuple of bool, optional
        Which dimensions are, and stay, of extent 1; by default none.
    allow_downcast : bool, optional
        Whether values that are set later may lose precision: yes, no, or (None) only Python floats.

    Returns
    -------
    SharedVariable

    Examples
    --------
    >>> shared(np.zeros((2, 3)), name="w").get_value().shape
    (2, 3)
    """
    if isinstance(value, Variable):
        raise DTypeError("shared: value", expected="a number or an array", actual=f"the symbolic {value!r}")
    if strict and not isinstance(value, np.ndarray):
        raise DTypeError("shared: value", expected="an array, since strict=True", actual=type(value).__name__)
    array = constant_array(np.asarray(value))
    kind = TensorType(str(array.dtype), broadcastable if broadcastable is not None else (None,) * array.ndim)
    array = conform(array, kind, "shared: value", copy=not borrow)
    variable = SharedVariable(kind, array, name, allow_downcast)
    variable.lent = borrow
    return variable


def conform(
    value: Any, kind: TensorType, where: str, *, copy: bool = False, downcast: bool | None = None
) -> np.ndarray:
    """Return a value as a C-contiguous, aligned array of a type.

    Parameters
    ----------
    value : array_like
    kind : TensorType
    where : str
        What the value is for, for the error.
    copy : bool
        Whether the result may share no memory with the value.
    downcast : bool or None
        Whether a wider float may lose precision: yes, no, or (None) only a Python float where `floatX` is
        meant.

    Raises
    ------
    DTypeError
        If the value's dtype does not fit losslessly.
    ShapeError
        If rank or a static extent differ.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(where, expected=f"an array of type {kind}", actual=str(error)) from None
    dtype = np.dtype(kind.dtype)
    if array.dtype != dtype and not _fits(
        array, dtype, downcast, is_python=not isinstance(value, np.ndarray | np.generic)
    ):
        raise DTypeError(
            where,
            expected=f"values that {kind.dtype} holds",
            actual=str(array.dtype),
            fix=f"convert with .astype({kind.dtype!r}), or declare the variable as {array.dtype}",
        )
    if not kind.admits(array.shape):
        raise ShapeError(where, expected=f"shape {_shape_text(kind)}", actual=f"shape {array.shape}")
    array = np.require(array, dtype, ["C", "A"])
    return array.copy() if copy and (array is value or not array.flags.owndata) else array


def _fits(array: np.ndarray, dtype: np.dtype[Any], downcast: bool | None, *, is_python: bool) -> bool:
    if array.dtype.kind not in "biuf":
        return False
    if np.can_cast(array.dtype, dtype, "safe") or downcast:
        return True
    if array.dtype.kind in "iub" and dtype.kind in "iu":  # whole numbers fit when they survive
        return array.size == 0 or bool(np.all(array.astype(dtype) == array))
    # What Python says without a dtype means the one that is wanted: a number, or a list of nothing.
    return is_python and (array.size == 0 or (dtype.kind == "f" and downcast is None))


def _shape_text(kind: TensorType) -> str:
    return "(" + ", ".join("any" if extent is None else str(extent) for extent in kind.shape) + ")"
