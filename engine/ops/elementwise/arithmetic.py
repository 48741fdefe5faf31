"""Arithmetic: sums, products, quotients, signs, extrema of two, and rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise.base import (
    Arithmetic,
    Elementwise,
    FloatFunction,
    NoBools,
    Step,
    elementwise_function,
)
from arignote.engine.ops.elementwise.logic import cast, switch
from arignote.engine.types import float_dtype, upcast


@dataclass(frozen=True)
class Add(Elementwise):
    """The sum; that of bools is the logical or."""

    formula = "x + y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return g, g


@dataclass(frozen=True)
class Sub(NoBools):
    formula = "x - y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return g, -g


@dataclass(frozen=True)
class Mul(Elementwise):
    """The product; that of bools is the logical and."""

    formula = "x * y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        return g * y, g * x


@dataclass(frozen=True)
class TrueDiv(Elementwise):
    """The quotient; whole numbers divide as float64, and `apply` gives the result Theano's `floatX`."""

    formula = "x / y"

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*dtypes) if any(dtype.startswith("float") for dtype in dtypes) else "float64"

    def apply(self, *inputs: Any) -> tuple[Variable, ...]:
        operands = [as_variable(x) for x in inputs]
        (quotient,) = super().apply(*operands)
        return (quotient if any(x.type.is_float for x in operands) else cast(quotient, "floatX"),)

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        _, y = operands
        return g / y, -g * out / y


@dataclass(frozen=True)
class IntDiv(Arithmetic, Step):
    """The quotient rounded down; of whole numbers 0 where `y` is 0."""

    formula = "x // y"


@dataclass(frozen=True)
class Mod(Arithmetic):
    """What is left of `x` after ``x // y`` times `y`; of whole numbers 0 where `y` is 0."""

    formula = "x % y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        return g, -g * (x // y)


@dataclass(frozen=True)
class Inv(FloatFunction):
    formula = "1 / x"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g * sqr(out),)


@dataclass(frozen=True)
class Neg(NoBools):
    formula = "-x"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g,)


@dataclass(frozen=True)
class Abs(Elementwise):
    """The absolute value; its derivative at 0 is 0."""

    formula = "abs(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * sgn(operands[0]),)


@dataclass(frozen=True)
class Sign(Arithmetic, Step):
    formula = "sign(x)"


@dataclass(frozen=True)
class Sqr(Elementwise):
    formula = "x * x"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * 2 * operands[0],)


@dataclass(frozen=True)
class Maximum(Elementwise):
    """The larger operand, NaN if one is; where they are equal the derivative is the first one's."""

    formula = "maximum(x, y)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        first = x >= y
        return switch(first, g, 0), switch(first, 0, g)


@dataclass(frozen=True)
class Minimum(Elementwise):
    """The smaller operand, NaN if one is; where they are equal the derivative is the first one's."""

    formula = "minimum(x, y)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        first = x <= y
        return switch(first, g, 0), switch(first, 0, g)


@dataclass(frozen=True)
class Clip(Elementwise):
    """`x` between two bounds; at a bound the derivative is that of `x`, as in Theano."""

    formula = "where(x < y, y, where(x > z, z, x))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, low, high = operands
        below, above = x < low, x > high
        return (
            switch(below, 0, switch(above, 0, g)),
            switch(below, g, 0),
            switch(below, 0, switch(above, g, 0)),
        )


class _Rounding(Step):
    """A function that rounds: whole numbers stay as they are."""

    def apply(self, *inputs: Any) -> tuple[Variable, ...]:
        (x,) = (as_variable(each) for each in inputs)
        return super().apply(x) if x.type.is_float else (x,)


@dataclass(frozen=True)
class Floor(_Rounding):
    formula = "floor(x)"


@dataclass(frozen=True)
class Ceil(_Rounding):
    formula = "ceil(x)"


@dataclass(frozen=True)
class Trunc(_Rounding):
    formula = "trunc(x)"


@dataclass(frozen=True)
class RoundHalfToEven(_Rounding):
    formula = "rint(x)"


@dataclass(frozen=True)
class RoundHalfAwayFromZero(_Rounding):
    formula = "trunc(x) + where(abs(x - trunc(x)) >= 0.5, sign(x), 0)"


add = elementwise_function(
    Add(),
    "add",
    "Return the sum of two operands or more.",
    "[1, 2], [10, 20], 1",
    "array([12, 23])",
    folds=True,
)
sub = elementwise_function(Sub(), "sub", "Return the difference.", "[1, 2], [10, 20]", "array([ -9, -18])")
mul = elementwise_function(
    Mul(),
    "mul",
    "Return the product of two operands or more.",
    "[1, 2], [10, 20]",
    "array([10, 40])",
    folds=True,
)
true_div = elementwise_function(
    TrueDiv(),
    "true_div",
    "Return the quotient; that of integers is a float.",
    "[1, 3], [2, 2]",
    "array([0.5, 1.5])",
)
int_div = elementwise_function(
    IntDiv(), "int_div", "Return the quotient rounded down.", "[7, -7], [2, 2]", "array([ 3, -4])"
)
mod = elementwise_function(
    Mod(), "mod", "Return the remainder, of the divisor's sign.", "[7, -7], [3, 3]", "array([1, 2])"
)
inv = elementwise_function(Inv(), "inv", "Return 1 / x.", "[2.0, 4.0]", "array([0.5 , 0.25])")
neg = elementwise_function(Neg(), "neg", "Return the negative.", "[1, -2]", "array([-1,  2])")
abs_ = elementwise_function(Abs(), "abs_", "Return the absolute value.", "[1, -2]", "array([1, 2])")
sgn = elementwise_function(Sign(), "sgn", "Return -1, 0 or 1.", "[-3, 0, 5]", "array([-1,  0,  1])")
sqr = elementwise_function(Sqr(), "sqr", "Return the square.", "[1, -2]", "array([1, 4])")
maximum = elementwise_function(
    Maximum(), "maximum", "Return the larger operand, NaN if one is.", "[1, 5], [3, 2]", "array([3, 5])"
)
minimum = elementwise_function(
    Minimum(), "minimum", "Return the smaller operand, NaN if one is.", "[1, 5], [3, 2]", "array([1, 2])"
)
clip = elementwise_function(
    Clip(),
    "clip",
    "Return `x` between the bounds `y` and `z`; a NaN stays one, and a bound that is NaN bounds nothing.",
    "[-2, 0, 7], -1, 1",
    "array([-1,  0,  1])",
)
floor = elementwise_function(
    Floor(), "floor", "Return the largest whole number not above x.", "[1.5, -1.5]", "array([ 1., -2.])"
)
ceil = elementwise_function(
    Ceil(), "ceil", "Return the smallest whole number not below x.", "[1.5, -1.5]", "array([ 2., -1.])"
)
trunc = elementwise_function(
    Trunc(), "trunc", "Return x without its fraction.", "[1.5, -1.5]", "array([ 1., -1.])"
)
_ROUNDING = {
    None: RoundHalfToEven,
    "half_to_even": RoundHalfToEven,
    "half_away_from_zero": RoundHalfAwayFromZero,
}


def round(x: Any, mode: str | None = None) -> Variable:
    """Return the nearest whole number, in the dtype of `x`.

    Parameters
    ----------
    x : Variable or array_like
    mode : {'half_to_even', 'half_away_from_zero'}, optional
        Which of two that are equally near; by default the even one, as in NumPy.

    Raises
    ------
    DTypeError
        For another mode.

    Examples
    --------
    >>> import arignote.compile
    >>> round([0.5, 1.5, -0.5]).eval()
    array([ 0.,  2., -0.])
    >>> round([0.5, 1.5, -0.5], "half_away_from_zero").eval()
    array([ 1.,  2., -1.])
    """
    if mode not in _ROUNDING:
        raise DTypeError(
            "round: argument `mode`", expected="'half_to_even' or 'half_away_from_zero'", actual=repr(mode)
        )
    return _ROUNDING[mode]()(x)


def iround(x: Any, mode: str | None = None) -> Variable:
    """Return the nearest whole number as int64; see `round`.

    Examples
    --------
    >>> import arignote.compile
    >>> iround([0.6, 1.5]).eval()
    array([1, 2])
    """
    return cast(round(x, mode), "int64")


def divmod(x: Any, y: Any) -> tuple[Variable, Variable]:
    """Return the quotient rounded down, and the remainder.

    Examples
    --------
    >>> import arignote.compile
    >>> [part.eval() for part in divmod([7, -7], [3, 3])]
    [array([ 2, -3]), array([1, 2])]
    """
    return int_div(x, y), mod(x, y)


def ceil_intdiv(x: Any, y: Any) -> Variable:
    """Return the quotient of whole numbers rounded up.

    Examples
    --------
    >>> import arignote.compile
    >>> ceil_intdiv([7, 6], [3, 3]).eval()
    array([3, 2])
    """
    return neg(int_div(neg(x), y))


def deg2rad(x: Any) -> Variable:
    """Return radians for degrees.

    Examples
    --------
    >>> import arignote.compile
    >>> deg2rad([180.0]).eval()
    array([3.14159265])
    """
    return scaled(as_variable(x), math.pi / 180)


def rad2deg(x: Any) -> Variable:
    """Return degrees for radians.

    Examples
    --------
    >>> import arignote.compile
    >>> rad2deg([np.pi]).eval()
    array([180.])
    """
    return scaled(as_variable(x), 180 / math.pi)


def scaled(x: Variable, factor: float) -> Variable:
    """Multiply by a factor in the dtype of `x`, or in the one that functions of whole numbers have."""
    return x * np.asarray(factor, float_dtype(x.dtype))


def real(x: Any) -> Variable:
    """Return the real part: `x` itself, since there are no complex numbers.

    Examples
    --------
    >>> import arignote.compile
    >>> real([1, 2]).eval()
    array([1, 2])
    """
    return as_variable(x)


def imag(x: Any) -> Variable:
    """Return the imaginary part: zeros, since there are no complex numbers.

    Examples
    --------
    >>> import arignote.compile
    >>> imag([1, 2]).eval()
    array([0, 0])
    """
    from arignote.engine.ops.shape import zeros_like

    return zeros_like(x)


conj = real
floor_div = int_div
square = sqr
