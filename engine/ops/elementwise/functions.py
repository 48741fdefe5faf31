"""Functions of real numbers: powers, exponentials, circles and hyperbolas, the error and gamma functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise.arithmetic import scaled, sqr
from arignote.engine.ops.elementwise.base import Arithmetic, FloatFunction, elementwise_function
from arignote.engine.ops.elementwise.logic import eq, switch

LN2, LN10 = math.log(2), math.log(10)


@dataclass(frozen=True)
class Pow(Arithmetic):
    formula = "x ** y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        # x ** 0 is constant, at 0 too. The logarithm is taken only where the base has one: 0 ** y does not
        # change with y > 0.
        slope = y * pow(x, switch(eq(y, 0), 1, y - 1))
        return g * slope, g * switch(x > 0, out * log(switch(x > 0, x, 1)), 0)


@dataclass(frozen=True)
class IntPow(Arithmetic):
    """The power of whole numbers, modulo the dtype's range; ``1 / x ** -y`` without its fraction for y < 0.

    That is 0 but for a base of 1 or -1; 0 is the quotient by 0, as everywhere.
    """

    formula = "where((y >= 0) | (x == 1) | (x == -1), modular_power(x, y), 0)"


@dataclass(frozen=True)
class Sqrt(FloatFunction):
    formula = "sqrt(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * 0.5 / out,)


@dataclass(frozen=True)
class Exp(FloatFunction):
    formula = "exp(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * out,)


@dataclass(frozen=True)
class Exp2(FloatFunction):
    formula = "exp2(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * scaled(out, LN2),)


@dataclass(frozen=True)
class Expm1(FloatFunction):
    formula = "expm1(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (out + 1),)


@dataclass(frozen=True)
class Log(FloatFunction):
    formula = "log(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / operands[0],)


@dataclass(frozen=True)
class Log1p(FloatFunction):
    formula = "log1p(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / (operands[0] + 1),)


@dataclass(frozen=True)
class Log2(FloatFunction):
    formula = "log2(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / scaled(operands[0], LN2),)


@dataclass(frozen=True)
class Log10(FloatFunction):
    formula = "log10(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / scaled(operands[0], LN10),)


@dataclass(frozen=True)
class Sin(FloatFunction):
    formula = "sin(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * cos(operands[0]),)


@dataclass(frozen=True)
class Cos(FloatFunction):
    formula = "cos(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g * sin(operands[0]),)


@dataclass(frozen=True)
class Tan(FloatFunction):
    formula = "tan(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (1 + sqr(out)),)


@dataclass(frozen=True)
class ArcSin(FloatFunction):
    formula = "arcsin(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / sqrt(1 - sqr(operands[0])),)


@dataclass(frozen=True)
class ArcCos(FloatFunction):
    formula = "arccos(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g / sqrt(1 - sqr(operands[0])),)


@dataclass(frozen=True)
class ArcTan(FloatFunction):
    formula = "arctan(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / (1 + sqr(operands[0])),)


@dataclass(frozen=True)
class ArcTan2(FloatFunction):
    """The angle of the point (y, x) in its own quadrant: the first operand is the ordinate."""

    formula = "arctan2(x, y)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        ordinate, abscissa = operands
        square = sqr(ordinate) + sqr(abscissa)
        return g * abscissa / square, -g * ordinate / square


@dataclass(frozen=True)
class Sinh(FloatFunction):
    formula = "sinh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * cosh(operands[0]),)


@dataclass(frozen=True)
class Cosh(FloatFunction):
    formula = "cosh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * sinh(operands[0]),)


@dataclass(frozen=True)
class Tanh(FloatFunction):
    formula = "tanh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (1 - out * out),)


@dataclass(frozen=True)
class ArcSinh(FloatFunction):
    formula = "arcsinh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / sqrt(sqr(operands[0]) + 1),)


@dataclass(frozen=True)
class ArcCosh(FloatFunction):
    formula = "arccosh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / sqrt(sqr(operands[0]) - 1),)


@dataclass(frozen=True)
class ArcTanh(FloatFunction):
    formula = "arctanh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / (1 - sqr(operands[0])),)


@dataclass(frozen=True)
class Erf(FloatFunction):
    formula = "erf(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * _bell(operands[0]),)


@dataclass(frozen=True)
class Erfc(FloatFunction):
    formula = "erfc(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g * _bell(operands[0]),)


@dataclass(frozen=True)
class ErfInv(FloatFunction):
    formula = "erfinv(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / _bell(out),)


@dataclass(frozen=True)
class ErfcInv(FloatFunction):
    formula = "erfcinv(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g / _bell(out),)


def _bell(x: Variable) -> Variable:
    """Return the derivative of erf."""
    return scaled(exp(-sqr(x)), 2 / math.sqrt(math.pi))


@dataclass(frozen=True)
class Gamma(FloatFunction):
    formula = "gamma(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * out * psi(operands[0]),)


@dataclass(frozen=True)
class GammaLn(FloatFunction):
    formula = "gammaln(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * psi(operands[0]),)


@dataclass(frozen=True)
class PolyGamma(FloatFunction):
    """The derivative of order `order + 1` of log(gamma(x)), as in DLMF 5.15."""

    order: int

    @property
    def formula(self) -> str:  # type: ignore[override]  # one formula for each order
        return f"polygamma({self.order}, x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * PolyGamma(self.order + 1)(operands[0]),)


@dataclass(frozen=True)
class XLogX(FloatFunction):
    """The product ``x * log(x)``, and its limit at 0."""

    formula = "where(x == 0, 0, x * log(x))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (1 + log(operands[0])),)


@dataclass(frozen=True)
class XLogY0(FloatFunction):
    """The product ``x * log(y)``, and 0 where `x` is."""

    formula = "where(x == 0, 0, x * log(y))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        is_zero = eq(x, 0)
        return g * log(y), g * switch(is_zero, 0, x / switch(is_zero, 1, y))


def pow(x: Any, y: Any) -> Variable:
    """Return the first operand to the power of the second; of whole numbers a whole number.

    Parameters
    ----------
    x, y : Variable or array_like
        Where both are whole numbers, the power wraps as their products do; with a negative exponent it is
        ``1 / x ** -y`` without its fraction: 0 but for a base of 1 or -1.

    Examples
    --------
    >>> import arignote.compile
    >>> pow([2, 3], 2).eval()
    array([4, 9])
    >>> pow([2.0, 4.0], -0.5).eval()
    array([0.70710678, 0.5       ])
    """
    x, y = as_variable(x), as_variable(y)
    power = Pow()
    return (power if power.output_dtype([x.dtype, y.dtype]).startswith("float") else IntPow())(x, y)


sqrt = elementwise_function(Sqrt(), "sqrt", "Return the square root.", "[1.0, 4.0]", "array([1., 2.])")
exp = elementwise_function(
    Exp(), "exp", "Return e to the power of x.", "[0.0, 1.0]", "array([1.        , 2.71828183])"
)
exp2 = elementwise_function(Exp2(), "exp2", "Return 2 to the power of x.", "[0.0, 3.0]", "array([1., 8.])")
expm1 = elementwise_function(
    Expm1(), "expm1", "Return exp(x) - 1, accurate near 0.", "[0.0, 1e-20]", "array([0.e+00, 1.e-20])"
)
log = elementwise_function(Log(), "log", "Return the natural logarithm.", "[1.0, np.e]", "array([0., 1.])")
log1p = elementwise_function(
    Log1p(), "log1p", "Return log(1 + x), accurate near 0.", "[0.0, 1e-20]", "array([0.e+00, 1.e-20])"
)
log2 = elementwise_function(
    Log2(), "log2", "Return the logarithm to base 2.", "[1.0, 8.0]", "array([0., 3.])"
)
log10 = elementwise_function(
    Log10(), "log10", "Return the logarithm to base 10.", "[1.0, 100.0]", "array([0., 2.])"
)
sin = elementwise_function(
    Sin(), "sin", "Return the sine of an angle in radians.", "[0.0, np.pi / 2]", "array([0., 1.])"
)
cos = elementwise_function(
    Cos(), "cos", "Return the cosine of an angle in radians.", "[0.0, np.pi]", "array([ 1., -1.])"
)
tan = elementwise_function(
    Tan(), "tan", "Return the tangent of an angle in radians.", "[0.0, np.pi / 4]", "array([0., 1.])"
)
arcsin = elementwise_function(
    ArcSin(), "arcsin", "Return the angle whose sine is x.", "[0.0, 1.0]", "array([0.        , 1.57079633])"
)
arccos = elementwise_function(
    ArcCos(),
    "arccos",
    "Return the angle whose cosine is x.",
    "[1.0, -1.0]",
    "array([0.        , 3.14159265])",
)
arctan = elementwise_function(
    ArcTan(),
    "arctan",
    "Return the angle whose tangent is x.",
    "[0.0, 1.0]",
    "array([0.        , 0.78539816])",
)
arctan2 = elementwise_function(
    ArcTan2(),
    "arctan2",
    "Return the angle of the point with ordinate `x` and abscissa `y`, from -pi to pi.",
    "[0.0, 1.0], [-1.0, 0.0]",
    "array([3.14159265, 1.57079633])",
)
sinh = elementwise_function(
    Sinh(), "sinh", "Return the hyperbolic sine.", "[0.0, 1.0]", "array([0.        , 1.17520119])"
)
cosh = elementwise_function(
    Cosh(), "cosh", "Return the hyperbolic cosine.", "[0.0, 1.0]", "array([1.        , 1.54308063])"
)
tanh = elementwise_function(
    Tanh(), "tanh", "Return the hyperbolic tangent.", "[0.0, 1.0]", "array([0.        , 0.76159416])"
)
arcsinh = elementwise_function(
    ArcSinh(), "arcsinh", "Return the inverse of sinh.", "[0.0, 1.0]", "array([0.        , 0.88137359])"
)
arccosh = elementwise_function(
    ArcCosh(), "arccosh", "Return the inverse of cosh.", "[1.0, 2.0]", "array([0.       , 1.3169579])"
)
arctanh = elementwise_function(
    ArcTanh(), "arctanh", "Return the inverse of tanh.", "[0.0, 0.5]", "array([0.        , 0.54930614])"
)
erf = elementwise_function(
    Erf(), "erf", "Return the error function.", "[0.0, 1.0]", "array([0.        , 0.84270079])"
)
erfc = elementwise_function(
    Erfc(), "erfc", "Return 1 - erf(x), accurate where that is small.", "[0.0, 5.0]",
    "array([1.00000000e+00, 1.53745979e-12])",
)  # fmt: skip
erfinv = elementwise_function(
    ErfInv(), "erfinv", "Return the inverse of erf.", "[0.0, 0.5]", "array([0.        , 0.47693628])"
)
erfcinv = elementwise_function(
    ErfcInv(), "erfcinv", "Return the inverse of erfc.", "[0.5, 1.5]", "array([ 0.47693628, -0.47693628])"
)
gamma = elementwise_function(
    Gamma(), "gamma", "Return the gamma function.", "[1.0, 5.0]", "array([ 1., 24.])"
)
gammaln = elementwise_function(
    GammaLn(), "gammaln", "Return log(abs(gamma(x))).", "[1.0, 5.0]", "array([0.        , 3.17805383])"
)
psi = elementwise_function(
    PolyGamma(0),
    "psi",
    "Return the derivative of gammaln.",
    "[1.0, 2.0]",
    "array([-0.57721566,  0.42278434])",
)
tri_gamma = elementwise_function(
    PolyGamma(1),
    "tri_gamma",
    "Return the derivative of psi.",
    "[1.0, 2.0]",
    "array([1.64493407, 0.64493407])",
)
xlogx = elementwise_function(
    XLogX(), "xlogx", "Return x * log(x), 0 where x is.", "[0.0, 1.0]", "array([0., 0.])"
)
xlogy0 = elementwise_function(
    XLogY0(), "xlogy0", "Return x * log(y), 0 where x is.", "[0.0, 1.0], 0.0", "array([  0., -inf])"
)
