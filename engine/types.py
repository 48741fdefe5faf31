"""Types of variables, and the dtype rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, ShapeError

if TYPE_CHECKING:
    from arignote.engine.graph import Variable

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
)  # fmt: skip

Shape = tuple[int | None, ...]


@dataclass(frozen=True, init=False)
class TensorType:
    """The type of an array: its dtype and what is known of its shape.

    Parameters
    ----------
    dtype : str
        A name in `DTYPES`.
    shape : sequence of int, None or bool
        One entry a dimension: its extent, or None where it is not known before a value is there. A dimension
        broadcasts when its extent is statically 1. True stands for 1 and False for None.
    name : str, optional
        Without effect.
    broadcastable : sequence of bool
        Theano's name of a shape that says no more than that.

    Raises
    ------
    DTypeError
        For a dtype that is not supported.

    Examples
    --------
    >>> TensorType("float32", (None, 3)).ndim
    2
    """

    dtype: str
    shape: Shape

    def __init__(
        self,
        dtype: Any,
        shape: Iterable[Any] | None = None,
        name: str | None = None,
        *,
        broadcastable: Iterable[bool] | None = None,
    ) -> None:
        pattern = broadcastable if shape is None else shape
        if pattern is None or (shape is not None and broadcastable is not None):
            raise ShapeError("TensorType", expected="a shape or a broadcastable pattern")
        name = dtype if dtype in DTYPES else str(np.dtype(dtype))
        if name not in DTYPES:
            raise DTypeError("TensorType: dtype", expected="one of " + ", ".join(DTYPES), actual=name)
        object.__setattr__(self, "dtype", name)
        object.__setattr__(self, "shape", tuple(_extent(entry) for entry in pattern))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each dimension, whether it is statically 1."""
        return tuple(extent == 1 for extent in self.shape)

    @property
    def is_float(self) -> bool:
        """Whether values have derivatives."""
        return self.dtype.startswith("float")

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers (bool is not)."""
        return "int" in self.dtype

    def with_shape(self, shape: Iterable[int | None]) -> TensorType:
        """Return the type of the same dtype and another shape."""
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: str) -> TensorType:
        """Return the type of the same shape and another dtype."""
        return TensorType(dtype, self.shape)

    def admits(self, shape: Sequence[int]) -> bool:
        """Tell whether a value of this shape belongs to the type."""
        return len(shape) == self.ndim and all(
            known is None or known == extent for known, extent in zip(self.shape, shape, strict=True)
        )

    def __call__(self, name: str | None = None) -> Variable:
        """Make a variable of this type."""
        from arignote.engine.graph import Variable

        return Variable(self, name=name)

    make_variable = __call__

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> np.ndarray:
        """Return a value as an array of the type.

        Raises
        ------
        DTypeError, ShapeError
            If it does not fit without loss, or, with `strict`, is no array of the very dtype.
        """
        from arignote.engine.shared import conform

        if strict and not (isinstance(data, np.ndarray) and data.dtype == self.dtype):
            raise DTypeError(f"{self}: filter", expected=f"an array of {self.dtype}", actual=repr(data))
        return conform(data, self, f"{self}: filter", downcast=allow_downcast)

    def values_eq(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Tell whether two values of the type are equal."""
        return bool(np.array_equal(a, b))

    def __str__(self) -> str:
        return f"{self.dtype}({', '.join('?' if extent is None else str(extent) for extent in self.shape)})"


def _extent(entry: Any) -> int | None:
    if entry is None or entry is False:
        return None
    extent = 1 if entry is True else int(entry)
    if extent < 0:
        raise ShapeError("TensorType: shape", expected="extents of at least 0", actual=str(extent))
    return extent


@cache
def upcast(*dtypes: str) -> str:
    """Return the dtype that holds the values of all the dtypes (NumPy's rule, as in `theano.scalar.upcast`).

    >>> upcast("int8", "float32")
    'float32'
    """
    result = str(np.result_type(*dtypes))
    return result if result in DTYPES else "float64"


def float_dtype(dtype: str) -> str:
    """Return the dtype in which a function such as exp is computed.

    Floats stay, bools and integers of up to 16 bits become float32, wider ones float64, as by
    `theano.scalar.upgrade_to_float`.
    """
    if dtype.startswith("float"):
        return dtype
    return "float32" if dtype in ("bool", "int8", "uint8", "int16", "uint16") else "float64"


def constant_array(value: Any) -> np.ndarray:
    """Return the array of a constant, Python numbers getting the dtype that Theano's autocast gives.

    Python integers take the smallest signed dtype that holds them; Python floats take float32 where
    `floatX` is 'float32' or where float32 holds them exactly, so that ``x * 0.5`` keeps a float32 `x` in
    float32.
    """
    if isinstance(value, bool | np.generic | np.ndarray):
        array = np.asarray(value)
    elif isinstance(value, int):
        small = next((d for d in ("int8", "int16", "int32", "int64") if _holds(d, value)), None)
        if small is None:
            raise DTypeError("constant", expected="an integer of at most 64 bits", actual=str(value))
        array = np.asarray(value, small)
    elif isinstance(value, float):
        exact = (
            value != value or float(np.float32(np.clip(value, -3e38, 3e38))) == value or abs(value) == np.inf
        )
        array = np.asarray(value, "float32" if config.floatX == "float32" or exact else "float64")
    else:
        array = np.asarray(value)
    if str(array.dtype) not in DTYPES:
        raise DTypeError(
            "constant",
            expected="numbers of a dtype in " + ", ".join(DTYPES),
            actual=f"{array.dtype}: {value!r:.60}",
        )
    return array


def _holds(dtype: str, value: int) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= value <= info.max)
