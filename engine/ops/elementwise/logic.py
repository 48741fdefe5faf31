"""Comparisons, logical and bitwise operations, the choice between two, and casts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arignote.engine.errors import DTypeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise.base import Elementwise, elementwise_function
from arignote.engine.types import TensorType, float_dtype, upcast


class _Comparison(Elementwise):
    """A relation: its operands are converted to their common dtype, its result is bool."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return "bool"

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        return (upcast(*dtypes),) * len(dtypes)


class _Question(_Comparison):
    """What is asked of a float; of whole numbers it is false."""

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        return (float_dtype(dtypes[0]),)


class _Bits(Elementwise):
    """A logical operation of bools, bitwise of integers."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        result = upcast(*dtypes)
        if result.startswith("float"):  # which int64 and uint64 make together, too
            raise DTypeError(
                type(self).__name__.lower(),
                expected="bools, or integers that one integer dtype holds",
                actual=", ".join(dtypes),
            )
        return result


@dataclass(frozen=True)
class Eq(_Comparison):
    formula = "x == y"


@dataclass(frozen=True)
class Neq(_Comparison):
    formula = "x != y"


@dataclass(frozen=True)
class Lt(_Comparison):
    formula = "x < y"


@dataclass(frozen=True)
class Le(_Comparison):
    formula = "x <= y"


@dataclass(frozen=True)
class Gt(_Comparison):
    formula = "x > y"


@dataclass(frozen=True)
class Ge(_Comparison):
    formula = "x >= y"


@dataclass(frozen=True)
class IsNan(_Question):
    formula = "isnan(x)"


@dataclass(frozen=True)
class IsInf(_Question):
    formula = "isinf(x)"


@dataclass(frozen=True)
class And(_Bits):
    formula = "x & y"


@dataclass(frozen=True)
class Or(_Bits):
    formula = "x | y"


@dataclass(frozen=True)
class Xor(_Bits):
    formula = "x ^ y"


@dataclass(frozen=True)
class Invert(_Bits):
    """The logical not; of integers the complement, -x - 1."""

    formula = "~x"


@dataclass(frozen=True)
class Switch(Elementwise):
    """The second operand where the first is true, else the third."""

    formula = "where(x, y, z)"

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*dtypes[1:])

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        result = self.output_dtype(dtypes)
        return ("bool", result, result)

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        condition = operands[0]
        return None, switch(condition, g, 0), switch(condition, 0, g)


@dataclass(frozen=True)
class Cast(Elementwise):
    """The same value in another dtype."""

    dtype: str
    formula = "x"

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return self.dtype

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g,)


eq = elementwise_function(
    Eq(), "eq", "Return where the operands are equal.", "[1, 2], 1", "array([ True, False])"
)
neq = elementwise_function(
    Neq(), "neq", "Return where the operands differ.", "[1, 2], 1", "array([False,  True])"
)
lt = elementwise_function(
    Lt(), "lt", "Return where the first is less than the second.", "[1, 2], 2", "array([ True, False])"
)
le = elementwise_function(
    Le(), "le", "Return where the first is at most the second.", "[1, 2], 1", "array([ True, False])"
)
gt = elementwise_function(
    Gt(), "gt", "Return where the first is greater than the second.", "[1, 2], 1", "array([False,  True])"
)
ge = elementwise_function(
    Ge(), "ge", "Return where the first is at least the second.", "[1, 2], 2", "array([False,  True])"
)
isnan = elementwise_function(
    IsNan(), "isnan", "Return where x is not a number.", "[1.0, np.nan]", "array([False,  True])"
)
isinf = elementwise_function(
    IsInf(), "isinf", "Return where x is infinite.", "[1.0, -np.inf]", "array([False,  True])"
)
and_ = elementwise_function(
    And(), "and_", "Return the logical (bools) or bitwise (integers) and.", "[5, 6], 3", "array([1, 2])"
)
or_ = elementwise_function(
    Or(), "or_", "Return the logical (bools) or bitwise (integers) or.", "[5, 6], 3", "array([7, 7])"
)
xor = elementwise_function(
    Xor(),
    "xor",
    "Return the logical (bools) or bitwise (integers) exclusive or.",
    "[5, 6], 3",
    "array([6, 5])",
)
invert = elementwise_function(
    Invert(), "invert", "Return the logical not; of integers the complement.", "[5, -6]", "array([-6,  5])"
)
switch = elementwise_function(
    Switch(),
    "switch",
    "Return the second operand where the first is true, else the third.",
    "[True, False], [1, 2], 0",
    "array([1, 0])",
)
bitwise_and, bitwise_or, bitwise_xor, bitwise_not, where = and_, or_, xor, invert, switch


def cast(x: Any, dtype: str) -> Variable:
    """Return `x` in another dtype.

    A float becomes a whole number by dropping its fraction; one that the dtype cannot hold, or a NaN, becomes
    whatever the machine makes of it.

    Parameters
    ----------
    x : Variable or array_like
    dtype : str
        A dtype's name, or 'floatX'.

    Examples
    --------
    >>> cast(3, "float32").dtype
    'float32'
    """
    from arignote.engine.config import config

    x = as_variable(x)
    wanted = TensorType(config.floatX if dtype == "floatX" else dtype, ()).dtype
    return x if x.dtype == wanted else Cast(wanted)(x)


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Return where two arrays are equal to within a tolerance: ``abs(x - y) <= atol + rtol * abs(y)``.

    Parameters
    ----------
    x, y : Variable or array_like
        Infinities are close to themselves.
    rtol, atol : float
    equal_nan : bool
        Whether two NaNs are close.

    Examples
    --------
    >>> import arignote.compile
    >>> isclose([1.0, 1.1], 1.0).eval()
    array([ True, False])
    """
    x, y = as_variable(x), as_variable(y)
    both = upcast(float_dtype(x.dtype), float_dtype(y.dtype))
    x, y = cast(x, both), cast(y, both)
    infinite = isinf(x) | isinf(y)
    close: Variable = switch(infinite, eq(x, y), le(abs(x - y), atol + rtol * abs(y)))
    return close | (isnan(x) & isnan(y)) if equal_nan else close


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Return whether all elements are close: see `isclose`.

    Examples
    --------
    >>> import arignote.compile
    >>> allclose([1.0, 1.1], 1.0).eval()
    array(False)
    """
    from arignote.engine.ops.statistics import all

    return all(isclose(x, y, rtol, atol, equal_nan))
