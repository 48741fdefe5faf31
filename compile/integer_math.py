"""Functions of whole numbers in LLVM: they wrap, and a quotient by 0 is 0.

An emitter takes the builder, whether the integers are signed, and their values; bools are unsigned.
"""

# llvmlite and what is made with it have no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core.types import uint64


def sign(builder: ir.IRBuilder, signed: bool, x: ir.Value) -> ir.Value:
    """Emit -1, 0 or 1."""
    zero = x.type(0)
    positive = builder.zext(builder.icmp_unsigned("!=", x, zero), x.type)
    return builder.select(builder.icmp_signed("<", x, zero), x.type(-1), positive) if signed else positive


def absolute(builder: ir.IRBuilder, signed: bool, x: ir.Value) -> ir.Value:
    """Emit the absolute value; that of the smallest number is itself."""
    return builder.select(builder.icmp_signed("<", x, x.type(0)), builder.neg(x), x) if signed else x


def choice(relation: str) -> Callable[..., ir.Value]:
    """Return the emitter of ``x if x <relation> y else y``."""

    def emit(builder: ir.IRBuilder, signed: bool, x: ir.Value, y: ir.Value) -> ir.Value:
        compare = builder.icmp_signed if signed else builder.icmp_unsigned
        return builder.select(compare(relation, x, y), x, y)

    return emit


def same(builder: ir.IRBuilder, signed: bool, x: ir.Value) -> ir.Value:
    """Emit the number itself."""
    return x


def never(builder: ir.IRBuilder, signed: bool, x: ir.Value) -> ir.Value:
    """Emit false."""
    return ir.IntType(1)(0)


def complement(builder: ir.IRBuilder, signed: bool, x: ir.Value) -> ir.Value:
    """Emit the number with all bits turned; of a bool, not."""
    return builder.not_(x)


def floor_divide(builder: ir.IRBuilder, signed: bool, x: ir.Value, y: ir.Value) -> ir.Value:
    """Emit the quotient rounded down: 0 by 0; the smallest number by -1 is itself."""
    zero, one = x.type(0), x.type(1)
    by_zero = builder.icmp_unsigned("==", y, zero)
    if not signed:
        return builder.select(by_zero, zero, builder.udiv(x, builder.select(by_zero, one, y)))
    # The machine traps at a quotient that does not fit, as at one by 0.
    by_minus_one = builder.icmp_unsigned("==", y, x.type(-1))
    divisor = builder.select(builder.or_(by_zero, by_minus_one), one, y)
    rounded = builder.sdiv(x, divisor)
    is_above = builder.zext(_signs_differ(builder, builder.srem(x, divisor), divisor), x.type)
    quotient = builder.select(by_minus_one, builder.neg(x), builder.sub(rounded, is_above))
    return builder.select(by_zero, zero, quotient)


def remainder(builder: ir.IRBuilder, signed: bool, x: ir.Value, y: ir.Value) -> ir.Value:
    """Emit what is left of `x`, of the sign of `y`; 0 by 0."""
    zero, one = x.type(0), x.type(1)
    trivial = builder.icmp_unsigned("==", y, zero)
    if signed:
        trivial = builder.or_(trivial, builder.icmp_unsigned("==", y, x.type(-1)))
    divisor = builder.select(trivial, one, y)
    if not signed:
        return builder.urem(x, divisor)
    left = builder.srem(x, divisor)
    return builder.select(_signs_differ(builder, left, divisor), builder.add(left, divisor), left)


def _signs_differ(builder: ir.IRBuilder, left: ir.Value, divisor: ir.Value) -> ir.Value:
    """Return whether a remainder is on the wrong side of 0."""
    zero = left.type(0)
    opposite = builder.icmp_signed("<", builder.xor(left, divisor), zero)
    return builder.and_(builder.icmp_unsigned("!=", left, zero), opposite)


def power(x: int, y: int) -> int:
    """``x**y`` of uint64 by repeated squaring; text for numba."""
    result = one = uint64(1)
    while y > 0:
        if y & one:
            result *= x
        x *= x
        y >>= one
    return result
