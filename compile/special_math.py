"""Functions that libm lacks, as Python text for numba: of float64, whatever the kernel's precision.

They stop at the same special values as SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import copysign, erf, erfc, exp, inf, log, nan, pi, sqrt, tan
from typing import Any

from numba.extending import register_jitable

#: Division by 0 gives infinities and NaN: numba's own would raise.
_compiled: Any = register_jitable(error_model="numpy")


@_compiled
def _floor(x: float) -> float:
    """Return the largest whole number up to x: `math.floor` makes integers; from 2**52 on all are whole."""
    return float(math.floor(x)) if abs(x) < 2.0**52 else x


@_compiled
def polygamma(order: float, x: float) -> float:
    """Return the derivative of order `order + 1` of log(gamma(x)): psi for order 0.

    By DLMF 5.15.1, ``(-1)**(n + 1) * n! * zeta(n + 1, x)`` for n > 0.
    """
    if order == 0:
        return _digamma(x)
    factorial, sign = 1.0, -1.0
    for i in range(int(order)):
        factorial *= i + 1
        sign = -sign
    if x <= 0 and x == _floor(x):
        return sign * inf
    if x > 0 or x != x:
        return sign * factorial * _hurwitz_zeta(order + 1, x)
    # The sum over all whole numbers k of 1/(x + k)**s repeats with period 1; take the terms of k < 0 away.
    r = x - _floor(x)
    beyond = _hurwitz_zeta(order + 1, 1 - r) - _hurwitz_zeta(order + 1, 1 - x)
    return sign * factorial * (_hurwitz_zeta(order + 1, r) + sign * beyond)


@_compiled
def _digamma(x: float) -> float:
    """Return psi(x): recurrence, reflection and asymptotic series (DLMF 5.5.2, 5.5.4, 5.11.2)."""
    if x == inf:
        return x
    if x == 0:
        return copysign(inf, -x)
    result = 0.0
    if x < 0:
        r = x - _floor(x + 0.5)
        if r == 0 or r != r:  # a pole from both sides; or no number
            return nan
        result = -pi / tan(pi * r)
        x = 1 - x
    while x < 10:
        result -= 1 / x
        x += 1
    z = 1 / (x * x)
    series = z * (
        1 / 12
        - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z * (1 / 12))))))
    )
    return result + log(x) - 0.5 / x - series


@_compiled
def _hurwitz_zeta(s: float, x: float) -> float:
    """Return the sum of 1/(x + k)**s over k >= 0, for x > 0: Euler and Maclaurin (DLMF 25.11.28)."""
    total = 0.0
    while x < 10 + s:
        total += x**-s
        x += 1
    total += x ** (1 - s) / (s - 1) + 0.5 * x**-s
    # The terms B(2k)/(2k)! * s (s + 1) ... (s + 2k - 2) / x**(s + 2k - 1)
    z = 1 / (x * x)
    series = 1 / 47900160 - z * (s + 9) * (s + 10) * 691 / 1307674368000
    series = -1 / 1209600 + z * (s + 7) * (s + 8) * series
    series = 1 / 30240 + z * (s + 5) * (s + 6) * series
    series = 1 / 12 + z * (s + 1) * (s + 2) * (-1 / 720 + z * (s + 3) * (s + 4) * series)
    return total + s * x ** (-s - 1) * series


@_compiled
def erfinv(y: float) -> float:
    """Return the x for which erf(x) = y."""
    size = abs(y)
    if not size <= 1:
        return nan
    if size == 1:
        return copysign(inf, y)
    if size > 0.5:  # the difference is exact
        return copysign(_inverse_tail(1 - size), y)
    x = y * (sqrt(pi) / 2) * (1 + pi / 12 * y * y)
    for _ in range(2):
        step = (erf(x) - y) * (sqrt(pi) / 2) * exp(x * x)
        x -= step / (1 + x * step)
    return x


@_compiled
def erfcinv(p: float) -> float:
    """Return the x for which erfc(x) = p."""
    if not 0 <= p <= 2:
        return nan
    if p == 0 or p == 2:
        return inf if p == 0 else -inf
    if 0.5 < p < 1.5:  # the difference is exact
        return erfinv(1 - p)
    return _inverse_tail(p) if p < 1 else -_inverse_tail(2 - p)


@_compiled
def _inverse_tail(p: float) -> float:
    """Return the x >= 0 for which erfc(x) = p, for 0 < p <= 1/2.

    From formula 26.2.23 of Abramowitz and Stegun, within 4.5e-4, Halley's iteration triples the digits.
    """
    t = sqrt(-2 * log(p / 2))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    x = (t - above / below) / sqrt(2.0)
    for _ in range(3):
        step = (erfc(x) - p) * (sqrt(pi) / -2) * exp(x * x)
        x -= step / (1 + x * step)
    return x


FUNCTIONS: dict[str, Callable[..., float]] = {
    "erfcinv": erfcinv,
    "erfinv": erfinv,
    "polygamma": polygamma,
}
