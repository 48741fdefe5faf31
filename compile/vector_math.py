"""Elementary functions that LLVM's loop vectoriser turns into vector code.

A loop that calls libm stays a scalar loop, at 4-20 ns an element. The functions here are short branch-free
sequences of additions, multiplications, integer operations on the bits of a number, comparisons and selects,
so that a numba loop over them becomes vector code on any machine.

Each function has two faces:

- in `NAMESPACE`, under its NumPy name, for the text of a kernel that numba compiles. It takes scalars
  (float32, float64, integers, bools) and is inlined where it is called. Where the result is no integer, bools
  and integers of up to 16 bits count as float32, wider integers as float64, as in Theano.
- ``emit_<name>(x: Real) -> Real`` for kernels that write LLVM vectors themselves: a `Real` holds an LLVM
  value of type float or double, or a vector of these.

**Rounding is under control.** Numba gives the flags of a kernel (``contract``, ``reassoc``) to every
floating-point instruction that carries none. Here each one carries ``contract`` from the start, so that
multiply-add pairs fuse and nothing is re-associated: ``(x - k*high) - k*low`` stays what it says.

Literals in a kernel's text are float64 or int64 for numba and widen all they touch: write ``float32(1)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan
from operator import floordiv, mod
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from arignote.compile import integer_math as integers
from arignote.compile import special_math as special

CONTRACT = ("contract",)
LN2 = Fraction("0.693147180559945309417232121458176568076")

# -------------------------------------------------------------------------- values that emit instructions


class Word:
    """The bits of a `Real` as an unsigned integer of the same width: an LLVM integer or a vector of them."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    def _operand(self, other: Word | int) -> ir.Value:
        return other.value if isinstance(other, Word) else constant(self.value.type, other)

    def __add__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.add(self.value, self._operand(other)))

    def __sub__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.sub(self.value, self._operand(other)))

    def __and__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.and_(self.value, self._operand(other)))

    def __lshift__(self, count: int) -> Word:
        return Word(self.builder, self.builder.shl(self.value, self._operand(count)))

    def __rshift__(self, count: int) -> Word:
        return Word(self.builder, self.builder.lshr(self.value, self._operand(count)))

    def as_real(self) -> Real:
        """Return the number that has these bits."""
        real = ir.FloatType() if scalar_type(self.value.type).width == 32 else ir.DoubleType()
        return Real(self.builder, self.builder.bitcast(self.value, like(self.value.type, real)))


class Real:
    """A float32 or float64, or a vector of them, whose arithmetic emits LLVM instructions.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where the instructions go.
    value : llvmlite.ir.Value
        Of type float, double, or a vector of these.
    """

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    def _operand(self, other: Real | float) -> ir.Value:
        return other.value if isinstance(other, Real) else constant(self.value.type, other)

    def _binary(self, instruction: str, left: ir.Value, right: ir.Value) -> Real:
        return Real(self.builder, getattr(self.builder, instruction)(left, right, flags=CONTRACT))

    def __add__(self, other: Real | float) -> Real:
        return self._binary("fadd", self.value, self._operand(other))

    def __sub__(self, other: Real | float) -> Real:
        return self._binary("fsub", self.value, self._operand(other))

    def __rsub__(self, other: float) -> Real:
        return self._binary("fsub", self._operand(other), self.value)

    def __mul__(self, other: Real | float) -> Real:
        return self._binary("fmul", self.value, self._operand(other))

    def __truediv__(self, other: Real | float) -> Real:
        return self._binary("fdiv", self.value, self._operand(other))

    def _compare(self, relation: str, other: Real | float) -> ir.Value:
        return self.builder.fcmp_ordered(relation, self.value, self._operand(other))

    def __lt__(self, other: Real | float) -> ir.Value:
        return self._compare("<", other)

    def __gt__(self, other: Real | float) -> ir.Value:
        return self._compare(">", other)

    def equals(self, other: Real | float) -> ir.Value:
        """Return the mask of equal elements; a NaN equals nothing."""
        return self._compare("==", other)

    def is_nan(self) -> ir.Value:
        """Return the mask of the NaNs."""
        return self.builder.fcmp_unordered("uno", self.value, self.value)

    def choose(self, mask: ir.Value, if_true: Real | float, if_false: Real | float) -> Real:
        """Return `if_true` where `mask`, else `if_false`, in the type of this value."""
        chosen = self.builder.select(mask, self._operand(if_true), self._operand(if_false))
        return Real(self.builder, chosen)

    def clamped(self, low: float, high: float) -> Real:
        """Return the nearest number of ``[low, high]``; a NaN stays a NaN."""
        raised = self.choose(self < low, low, self)
        return raised.choose(raised > high, high, raised)

    def call(self, function: str, *others: Real) -> Real:
        """Return the result of LLVM's own function, such as ``llvm.fabs``."""
        suffix = scalar_type(self.value.type).intrinsic_name
        if isinstance(self.value.type, ir.VectorType):
            suffix = f"v{self.value.type.count}{suffix}"
        return self._call(f"{function}.{suffix}", *others)

    def libm(self, function: str, *others: Real) -> Real:
        """Return the result of libm's `function` of this scalar."""
        return self._call(function if self.format is FLOAT64 else f"{function}f", *others)

    def _call(self, function: str, *others: Real) -> Real:
        kind = self.value.type
        operands = [self.value, *(other.value for other in others)]
        signature = ir.FunctionType(kind, [kind] * len(operands))
        declared = cgutils.get_or_insert_function(self.builder.module, signature, function)
        return Real(self.builder, self.builder.call(declared, operands))

    def bits(self) -> Word:
        """Return the bits of the number."""
        word = ir.IntType(self.format.bits)
        return Word(self.builder, self.builder.bitcast(self.value, like(self.value.type, word)))

    @property
    def format(self) -> Format:
        """What the algorithms need to know of this number's format."""
        return FLOAT32 if isinstance(scalar_type(self.value.type), ir.FloatType) else FLOAT64


def scalar_type(kind: ir.Type) -> ir.Type:
    """Return the type of one element."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def like(kind: ir.Type, element: ir.Type) -> ir.Type:
    """Return `element`, as a vector of as many if `kind` is a vector."""
    return ir.VectorType(element, kind.count) if isinstance(kind, ir.VectorType) else element


def constant(kind: ir.Type, number: float) -> ir.Constant:
    """Return a constant whose every element is `number`."""
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


# ---------------------------------------------------------------------------------- formats and their tables


@dataclass(frozen=True)
class Format:
    """An IEEE binary format and its tables of coefficients, in ascending powers.

    Attributes
    ----------
    bits, fraction_bits : int
        The widths of the whole number and of its fraction.
    sqrt_half : int
        The bits of ``sqrt(1/2)``.
    exp_series : tuple of float
        Of ``(e**r - 1 - r) / r**2`` on ``|r| <= ln(2)/2``, weight ``|r|``.
    log_series : tuple of float
        Of ``(log((1 + s)/(1 - s)) - 2*s) / s**3`` in ``z = s*s`` on ``|s| <= 3 - sqrt(8)``, weight ``z``.
    tanh_series : tuple of float
        Of ``(tanh(x) - x) / x**3`` in ``z = x*x`` on ``|x| <= 0.3``, weight ``z``.
    """

    bits: int
    fraction_bits: int
    sqrt_half: int
    exp_series: tuple[float, ...]
    log_series: tuple[float, ...]
    tanh_series: tuple[float, ...]

    @property
    def bias(self) -> int:
        """The exponent field of 1."""
        return (1 << (self.bits - self.fraction_bits - 2)) - 1

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.fraction_bits

    @property
    def smallest_normal(self) -> float:
        """The smallest number with a full fraction."""
        return 2.0 ** (1 - self.bias)

    @property
    def rounder(self) -> float:
        """``x + rounder`` rounds `x` to an integer and leaves that integer in the lowest bits."""
        return 1.5 * 2**self.fraction_bits

    @property
    def ln2_parts(self) -> tuple[float, float]:
        """A part of ln 2 so short that its product with any exponent is exact, and the remainder."""
        short = self.fraction_bits - (self.bits - self.fraction_bits)
        high = Fraction(int(LN2 * 2**short), 2**short)
        return float(high), float(LN2 - high)


FLOAT32 = Format(
    bits=32,
    fraction_bits=23,
    sqrt_half=0x3F3504F3,
    exp_series=(0.5, 0.1666654348373413, 0.04166628047823906, 0.008366593159735203, 0.0013946469407528639),
    log_series=(0.6666666269302368, 0.4000033736228943, 0.28537240624427795, 0.23583535850048065),
    tanh_series=(-0.3333306312561035, 0.13314872980117798, -0.05036896467208862),
)
FLOAT64 = Format(
    bits=64,
    fraction_bits=52,
    sqrt_half=0x3FE6A09E667F3BCD,
    exp_series=(
        0.5000000000000006,
        0.16666666666666685,
        0.04166666666657352,
        0.008333333333314579,
        0.0013888888932417347,
        0.0001984126990306598,
        2.4801504397091272e-05,
        2.7557227916158894e-06,
        2.762634684505947e-07,
        2.5114486687803358e-08,
    ),
    log_series=(
        0.6666666666666735,
        0.3999999999941118,
        0.28571428743242133,
        0.2222219847826732,
        0.1818356961281503,
        0.1531390670051659,
        0.14797471196683606,
    ),
    tanh_series=(
        -0.3333333333333326,
        0.13333333333306882,
        -0.05396825393557462,
        0.02186948658188773,
        -0.008863170769338014,
        0.0035908736549025867,
        -0.0014416518416326587,
        0.000502440913576693,
    ),
)


def polynomial(x: Real, coefficients: tuple[float, ...]) -> Real:
    """Return ``c0 + c1*x + c2*x**2 + ...`` by Horner's rule."""
    *lower, highest, last = coefficients
    result = x * last + highest
    for coefficient in reversed(lower):
        result = result * x + coefficient
    return result


# ------------------------------------------------------------------------------------ exp, expm1, tanh


def _reduced(x: Real) -> tuple[Word, Real]:
    """Return `k`, in the lowest bits of a word, and ``e**r - 1``: ``x = k*ln(2) + r``, ``|r| <= ln(2)/2``."""
    high, low = x.format.ln2_parts
    rounded = x * float(1 / LN2) + x.format.rounder
    k = rounded - x.format.rounder
    r_high = x - k * high
    r = r_high - k * low
    # r_high is exact: adding k*low to the small term keeps its rounding out of the large one.
    return rounded.bits(), r_high + (r * r * polynomial(r, x.format.exp_series) - k * low)


def _power_of_2(k: Word, form: Format) -> Real:
    """Return ``2**k`` for a `k` in the lowest bits of a word: the exponent of a normal number."""
    return ((k + form.bias) << form.fraction_bits).as_real()


def emit_exp(x: Real) -> Real:
    """``e**x``, at most 1 ulp from the truth; overflows to inf, underflows through the subnormals to 0."""
    form = x.format
    # Half of the smallest subnormal rounds to 0, and 2**(bias + 1) overflows: further out nothing changes.
    lowest, highest = -(form.bias + form.fraction_bits + 0.1), form.bias + 1.1
    k, expm1_r = _reduced(x.clamped(lowest * float(LN2), highest * float(LN2)))
    # 2**k may not be a normal number, but the powers of its halves are. A shift of k + 2*bias, which is
    # positive, halves it without a sign to care for, and leaves the exponent of the first power biased.
    half = (k + 2 * form.bias) >> 1
    return (expm1_r + 1.0) * (half << form.fraction_bits).as_real() * _power_of_2(k - half + form.bias, form)


def emit_expm1(x: Real) -> Real:
    """``e**x - 1``, at most 2 ulp from the truth."""
    form = x.format
    k, expm1_r = _reduced(x.clamped(-float(LN2) * (form.fraction_bits + 3), float(LN2) * (form.bias + 1.1)))
    # 2**k*(1 + q) - 1 = 2*(h*q + (h - 1/2)) where h = 2**(k-1), which unlike 2**k never overflows.
    h = _power_of_2(k - 1, form)
    result = (h * expm1_r + (h - 0.5)) * 2.0
    # e**x - 1 = x + x**2/2 + ..., which is x to half an ulp; keeps -0.0 and the subnormals.
    return x.choose(x.call("llvm.fabs") < 2.0 ** -(form.fraction_bits + 2), x, result)


def emit_tanh(x: Real) -> Real:
    """``tanh(x)``, at most 1.5 ulp from the truth: ``m/(m + 2)`` where ``m = e**(2|x|) - 1``.

    Where `m` and 2 differ much, three roundings add up; there it is ``x + x**3*P(x**2)``.
    """
    form = x.format
    size = x.call("llvm.fabs")
    # From 1 - tanh(x) < 2*e**(-2x) <= 2**-(fraction_bits + 2), the result is 1.
    k, expm1_r = _reduced(size.clamped(0.0, float(LN2) * (form.fraction_bits + 3) / 2) * 2.0)
    scale = _power_of_2(k, form)
    m = scale * expm1_r + (scale - 1.0)
    square = size * size
    near_0 = size + size * square * polynomial(square, form.tanh_series)
    return x.choose(size < 0.3, near_0, m / (m + 2.0)).call("llvm.copysign", x)


# ------------------------------------------------------------------------------------------ log, log1p


def _split(x: Real) -> tuple[Real, Real]:
    """Return ``m - 1`` and `k` where ``x = m * 2**k``, ``sqrt(1/2) <= m < sqrt(2)``, for a normal x > 0."""
    form = x.format
    shifted = x.bits() + (form.one - form.sqrt_half)
    mantissa = ((shifted & (2**form.fraction_bits - 1)) + form.sqrt_half).as_real()
    # The bits of 2**fraction_bits plus a small integer are those of the sum: a conversion that AVX2 has, too.
    unit = (form.bias + form.fraction_bits) << form.fraction_bits
    exponent = ((shifted >> form.fraction_bits) + unit).as_real() - (2.0**form.fraction_bits + form.bias)
    return mantissa - 1.0, exponent


def _log(x: Real, f: Real, k: Real, excess: Real | float = 0.0) -> Real:
    """Return ``k*ln(2) + log(1 + f) - excess``, the log of `x`; what is due where `x` is not finite and > 0.

    With ``s = f/(2 + f)`` and ``z = s*s``: ``log(1 + f) = log((1 + s)/(1 - s)) = 2*s + s*z*P(z)``. Since
    ``2*s = f - s*f`` and ``s*f = f*f/2 - s*f*f/2``, this is ``f - (f*f/2 - s*(f*f/2 + z*P(z)))``, which
    begins with an exact term (the arrangement of fdlibm's ``e_log.c``).
    """
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    high, low = x.format.ln2_parts
    small = s * (half_square + z * polynomial(z, x.format.log_series)) + (k * low - excess)
    result = k * high + (f - (half_square - small))
    positive = x.choose(x < inf, result, inf)
    return x.choose(x > 0.0, positive, x.choose(x.equals(0.0), -inf, nan))


def emit_log(x: Real) -> Real:
    """``log(x)``, at most 1 ulp from the truth; -inf at 0, NaN below."""
    form = x.format
    subnormal = x < form.smallest_normal
    f, k = _split(x.choose(subnormal, x * 2.0**form.fraction_bits, x))
    return _log(x, f, k - x.choose(subnormal, float(form.fraction_bits), 0.0))


def emit_log1p(x: Real) -> Real:
    """``log(1 + x)``, at most 1 ulp from the truth; -inf at -1, NaN below."""
    u = x + 1.0
    # The sum is rounded. To first order, log(1 + x) = log(u) - (u - (1 + x))/u; the difference is exact.
    excess = x.choose(x > 1.0, (u - x) - 1.0, (u - 1.0) - x) / u
    f, k = _split(u)
    near_0 = k.equals(0.0)
    result = _log(u, x.choose(near_0, x, f), k, x.choose(near_0, 0.0, excess))
    return result.call("llvm.copysign", x)


# ------------------------------------------------------------------------------------------------- erf


def emit_erf(x: Real) -> Real:
    """``erf(x)``: float32 at most 1.5 ulp from the truth, float64 from libm (a scalar call).

    Near 0 it is ``x + x*P(x*x)``; from 1 on it is ``1 - e**(-x*Q(x))``.
    """
    if x.format is FLOAT64:
        return x.libm("erf")
    # P: (erf(x) - x)/x on [0, 1] in z = x*x, relative to erf(x)/x.
    near = (
        0.12837916612625122,
        -0.3761262595653534,
        0.1128358393907547,
        -0.026853768154978752,
        0.0051882341504096985,
        -0.0008009290904738009,
        7.85061638453044e-05,
    )
    # Q: -log(1 - erf(x))/x on [1, 4], weight x*(1 - erf(x))/erf(x): the relative error of erf. At 4 erf is 1.
    far = (
        1.1286942958831787,
        0.6349695324897766,
        0.10653084516525269,
        -0.024010052904486656,
        0.0037574698217213154,
        -0.00035059030051343143,
        1.3962272532808129e-05,
    )
    size = x.call("llvm.fabs")
    bounded = size.clamped(0.0, 4.0)
    tail = (1.0 - emit_exp(bounded * polynomial(bounded, far) * -1.0)).call("llvm.copysign", x)
    return x.choose(size < 1.0, x + x * polynomial(x * x, near), tail)


# ------------------------------------------------------------------------------ without polynomials


def emit_sign(x: Real) -> Real:
    """-1, 0 or 1; NaN stays NaN."""
    return x.choose(x > 0.0, 1.0, x.choose(x < 0.0, -1.0, x.choose(x.equals(0.0), 0.0, x)))


def emit_isinf(x: Real) -> ir.Value:
    """Return the mask of the infinities."""
    return x.call("llvm.fabs").equals(inf)


def _llvm(name: str) -> Callable[..., Real]:
    """Return the emitter of LLVM's own function `name`: one instruction, or a call of libm."""
    return lambda x, *others: x.call(f"llvm.{name}", *others)


def _libm(name: str) -> Callable[..., Real]:
    """Return the emitter of a call of libm's `name`."""
    return lambda x, *others: x.libm(name, *others)


# ------------------------------------------------------------------- the functions of a kernel's text


def _typed(
    typing: Any, operands: tuple[types.Type, ...], emit: Callable[..., Any] | None, integer: Any, result: Any
) -> Any:
    """Return the signature of a function of `operands`, and its code.

    The operands are converted to the type that holds them all. `integer` is the emitter for integers and
    bools; without it these are computed as floats. Without `emit` floats are refused.
    """
    common = typing.unify_types(*operands)
    if integer is not None and isinstance(common, types.Integer | types.Boolean):
        signed = isinstance(common, types.Integer) and common.signed

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
            return integer(builder, signed, *values)

    else:
        if emit is None:
            raise TypingError(f"expected integers or bools, not {common}")
        common = _real(common)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
            computed = emit(*(Real(builder, value) for value in values))
            return computed.value if isinstance(computed, Real) else computed

    return (result or common)(*[common] * len(operands)), generate


def _real(kind: types.Type | None) -> types.Float:
    """Return the type in which a function of a `kind` is computed."""
    if isinstance(kind, types.Float):
        return kind
    if isinstance(kind, types.Boolean) or (isinstance(kind, types.Integer) and kind.bitwidth <= 16):
        return types.float32
    if isinstance(kind, types.Integer):
        return types.float64
    raise TypingError(f"expected real numbers, not {kind}")


def _unary(name: str, emit: Callable[..., Any] | None, integer: Any = None, result: Any = None) -> Any:
    """Return the numba function of one argument that `emit` and `integer` describe."""

    def function(typingctx: Any, x: types.Type) -> Any:
        return _typed(typingctx, (x,), emit, integer, result)

    function.__name__ = name
    return intrinsic(function)


def _binary(name: str, emit: Callable[..., Any], integer: Any = None) -> Any:
    """Return the numba function of two arguments that `emit` and `integer` describe."""

    def function(typingctx: Any, x: types.Type, y: types.Type) -> Any:
        return _typed(typingctx, (x, y), emit, integer, None)

    function.__name__ = name
    return intrinsic(function)


def _in_float64(name: str, compute: Callable[..., float]) -> Any:
    """Return the numba function that a Python function of float64 describes; a parameter may come first."""
    arity = compute.__code__.co_argcount
    called = (lambda x: compute(x)) if arity == 1 else (lambda x, y: compute(x, y))

    def call(kinds: tuple[types.Type, ...]) -> Any:
        common = _real(kinds[-1])

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
            wide = [context.cast(builder, value, common, types.float64) for value in values]
            signature = types.float64(*[types.float64] * arity)
            result = context.compile_internal(builder, called, signature, wide)
            return context.cast(builder, result, types.float64, common)

        return common(*[common] * arity), generate

    def unary(typingctx: Any, x: types.Type) -> Any:
        return call((x,))

    def binary(typingctx: Any, x: types.Type, y: types.Type) -> Any:
        return call((x, y))

    function = unary if arity == 1 else binary
    function.__name__ = name
    return intrinsic(function)


@intrinsic
def _where(typingctx: Any, condition: types.Type, x: types.Type, y: types.Type) -> Any:
    """Return `x` if `condition` is not zero, else `y`, in the type that holds both."""
    common = typingctx.unify_types(x, y)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
        return builder.select(*values)

    return common(types.boolean, common, common), generate


def _integers(name: str, integer: Callable[..., ir.Value]) -> Any:
    """Return the numba function of two integers that `integer` describes; of floats it is numba's own."""
    operator = {"floor_divide": floordiv, "remainder": mod}[name]

    def function(typingctx: Any, x: types.Type, y: types.Type) -> Any:
        common = typingctx.unify_types(x, y)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
            if isinstance(common, types.Integer):
                return integer(builder, common.signed, *values)
            return context.get_function(operator, signature)(builder, values)

        return common(common, common), generate

    function.__name__ = name
    return intrinsic(function)


@intrinsic
def _modular_power(typingctx: Any, x: types.Type, y: types.Type) -> Any:
    """Return ``x**y`` of integers modulo the range of their type, `y` read as unsigned."""
    common = typingctx.unify_types(x, y)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
        # The lowest bits of a product follow from the lowest bits of its factors, whatever their signs.
        wide = [context.cast(builder, value, common, types.uint64) for value in values]
        power = context.compile_internal(
            builder, integers.power, types.uint64(types.uint64, types.uint64), wide
        )
        return context.cast(builder, power, types.uint64, common)

    return common(common, common), generate


NAMESPACE: dict[str, Any] = {
    "abs": _unary("abs", _llvm("fabs"), integers.absolute),
    "arccos": _unary("arccos", _libm("acos")),
    "arccosh": _unary("arccosh", _libm("acosh")),
    "arcsin": _unary("arcsin", _libm("asin")),
    "arcsinh": _unary("arcsinh", _libm("asinh")),
    "arctan": _unary("arctan", _libm("atan")),
    "arctan2": _binary("arctan2", _libm("atan2")),
    "arctanh": _unary("arctanh", _libm("atanh")),
    "ceil": _unary("ceil", _llvm("ceil"), integers.same),
    "cos": _unary("cos", _llvm("cos")),
    "cosh": _unary("cosh", _libm("cosh")),
    "erf": _unary("erf", emit_erf),
    "erfc": _unary("erfc", _libm("erfc")),
    "exp": _unary("exp", emit_exp),
    "exp2": _unary("exp2", _llvm("exp2")),
    "expm1": _unary("expm1", emit_expm1),
    "floor": _unary("floor", _llvm("floor"), integers.same),
    "floor_divide": _integers("floor_divide", integers.floor_divide),
    "gamma": _unary("gamma", _libm("tgamma")),
    "gammaln": _unary("gammaln", _libm("lgamma")),
    "invert": _unary("invert", None, integers.complement),
    "isinf": _unary("isinf", emit_isinf, integers.never, types.boolean),
    "isnan": _unary("isnan", Real.is_nan, integers.never, types.boolean),
    "log": _unary("log", emit_log),
    "log10": _unary("log10", _llvm("log10")),
    "log1p": _unary("log1p", emit_log1p),
    "log2": _unary("log2", _llvm("log2")),
    "maximum": _binary("maximum", _llvm("maximum"), integers.choice(">")),
    "minimum": _binary("minimum", _llvm("minimum"), integers.choice("<")),
    "modular_power": _modular_power,
    "remainder": _integers("remainder", integers.remainder),
    "rint": _unary("rint", _llvm("rint")),
    "sign": _unary("sign", emit_sign, integers.sign),
    "sin": _unary("sin", _llvm("sin")),
    "sinh": _unary("sinh", _libm("sinh")),
    "sqrt": _unary("sqrt", _llvm("sqrt")),
    "tan": _unary("tan", _libm("tan")),
    "tanh": _unary("tanh", emit_tanh),
    "trunc": _unary("trunc", _llvm("trunc")),
    "where": _where,
    **{name: _in_float64(name, function) for name, function in special.FUNCTIONS.items()},
}
