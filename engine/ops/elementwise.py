"""Elementwise ops: one scalar formula each, broadcasting as Theano does.

A formula is a Python expression over the operands `x`, `y`, `z` and the functions of `FUNCTIONS`. NumPy
evaluates it on whole arrays in the reference mode; the compiler inlines it into loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.types import TensorType, constant_array, float_dtype, upcast

OPERANDS = ("x", "y", "z")

#: What formulas may call, with its meaning in NumPy.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "abs", "ceil", "cos", "exp", "expm1", "floor", "isinf", "isnan", "log", "log1p", "maximum", "minimum",
        "sign", "sin", "sqrt", "tanh", "where",
    )
}  # fmt: skip


@cache
def _compiled(formula: str) -> CodeType:
    return compile(formula, f"<formula {formula}>", "eval")


def broadcast_shape(types: Sequence[TensorType], name: str) -> tuple[int | None, ...]:
    """Return the shape that operands of one rank broadcast to.

    Raises
    ------
    ShapeError
        If two extents differ and neither is 1.
    """
    result: list[int | None] = []
    for axis in range(types[0].ndim):
        extents = {kind.shape[axis] for kind in types} - {1}
        known = sorted(extent for extent in extents if extent is not None)
        if len(known) > 1:
            raise ShapeError(
                f"{name}: the operands' shapes do not fit together",
                expected=f"equal extents, or 1, in dimension {axis}",
                actual=" and ".join(str(kind) for kind in types),
            )
        result.append(known[0] if known else None if extents else 1)
    return tuple(result)


class Elementwise(Op):
    """An op that computes each element of its output from the elements at the same place of its inputs."""

    formula: ClassVar[str]

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        """Return the dtype of the result; by default that which holds all operands."""
        return upcast(*dtypes)

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        """Return the dtype each operand is converted to before the formula; by default the result's."""
        return (self.output_dtype(dtypes),) * len(dtypes)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        """Broadcast the shapes, upcast the dtypes."""
        shape = broadcast_shape(types, type(self).__name__.lower())
        return [TensorType(self.output_dtype([kind.dtype for kind in types]), shape)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Evaluate the formula with NumPy."""
        dtypes = [str(array.dtype) for array in arrays]
        operands = {
            name: array.astype(dtype)
            for name, array, dtype in zip(OPERANDS, arrays, self.operand_dtypes(dtypes), strict=False)
        }
        with np.errstate(all="ignore"):  # infinities and NaN are results like others
            result = eval(_compiled(self.formula), {"__builtins__": {}, **FUNCTIONS}, operands)
        return (np.asarray(result).astype(self.output_dtype(dtypes)),)

    def of_integers(self, values: Sequence[int], dtype: str) -> int:
        """Evaluate the formula on whole numbers: for extents and indices, which are needed before any array.

        Parameters
        ----------
        values : sequence of int
        dtype : str
            The result's, to which it wraps.

        Raises
        ------
        ZeroDivisionError
            Where NumPy's arrays would hold 0.
        """
        operands = dict(zip(OPERANDS, values, strict=False))
        result = int(eval(_compiled(self.formula), {"__builtins__": {}, **FUNCTIONS}, operands))
        bits = 8 * np.dtype(dtype).itemsize
        sign = 0 if dtype.startswith("uint") else 1 << (bits - 1)
        return (result + sign) % (1 << bits) - sign

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        """Multiply by the partial derivatives; sum over the dimensions that were broadcast."""
        (gradient,) = gradients
        assert gradient is not None
        terms = self.pull_back(gradient, outputs[0], *inputs)
        return [None if term is None else sum_to(term, x) for term, x in zip(terms, inputs, strict=True)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        """Broadcast over the batch, since operands of lower rank get axes in front."""
        return self.apply(*inputs)

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        """Return `g` times the partial derivative by each operand; None where there is none."""
        return (None,) * len(operands)

    def apply(self, *inputs: Any) -> tuple[Variable, ...]:
        """Give all operands one rank, with broadcasting dimensions in front, and make the node."""
        from arignote.engine.ops.shape import dimshuffle

        operands = [as_variable(x) for x in inputs]
        rank = max(x.ndim for x in operands)
        return super().apply(
            *(
                x if x.ndim == rank else dimshuffle(x, *("x",) * (rank - x.ndim), *range(x.ndim))
                for x in operands
            )
        )


def sum_to(term: Variable, x: Variable) -> Variable:
    """Sum a gradient over the dimensions in which `x` was broadcast, and give it the dtype of `x`."""
    from arignote.engine.ops.reduce import sum

    axes = [
        axis
        for axis, (mine, theirs) in enumerate(zip(x.broadcastable, term.broadcastable, strict=True))
        if mine and not theirs
    ]
    if axes:
        term = sum(term, axis=axes, keepdims=True)
    return cast(term, x.dtype) if x.type.is_float else term


class _Float(Elementwise):
    """A function of real numbers: integers are converted to floats."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*(float_dtype(dtype) for dtype in dtypes))


class _Comparison(Elementwise):
    """A relation: its operands are converted to their common dtype, its result is bool."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return "bool"

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        return (upcast(*dtypes),) * len(dtypes)


class _Bits(Elementwise):
    """A logical operation of bools, bitwise of integers."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        if any(dtype.startswith("float") for dtype in dtypes):
            raise DTypeError(
                type(self).__name__.lower(), expected="bools or integers", actual=", ".join(dtypes)
            )
        return upcast(*dtypes)


class _Arithmetic(Elementwise):
    """Arithmetic: bools count as int8."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*("int8" if dtype == "bool" else dtype for dtype in dtypes))


@dataclass(frozen=True)
class Add(_Arithmetic):
    formula = "x + y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return g, g


@dataclass(frozen=True)
class Sub(_Arithmetic):
    formula = "x - y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return g, -g


@dataclass(frozen=True)
class Mul(_Arithmetic):
    formula = "x * y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        return g * y, g * x


@dataclass(frozen=True)
class TrueDiv(_Arithmetic):
    formula = "x / y"

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        """Return a float: whole numbers divide as reals, in `floatX` (Theano's rule)."""
        from arignote.engine.config import config

        if not any(dtype.startswith("float") for dtype in dtypes):
            return config.floatX
        return upcast(*dtypes)

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        _, y = operands
        return g / y, -g * out / y


@dataclass(frozen=True)
class IntDiv(_Arithmetic):
    formula = "x // y"


@dataclass(frozen=True)
class Mod(_Arithmetic):
    formula = "x % y"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        return g, -g * (x // y)


@dataclass(frozen=True)
class Pow(_Arithmetic):
    """The power; that of whole numbers is one, modulo its dtype's range, for exponents of at least 0."""

    formula = "x ** y"

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        """Multiply whole numbers modulo 2**64, which is right for any sign of the base."""
        result = self.output_dtype(dtypes)
        return (result if result.startswith("float") else "uint64",) * 2

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        # x ** 0 is constant, at 0 too. The logarithm is taken only where the base has one: 0 ** y does not
        # change with y > 0.
        slope = y * x ** switch(eq(y, 0), 1, y - 1)
        return g * slope, g * switch(x > 0, out * log(switch(x > 0, x, 1)), 0)


@dataclass(frozen=True)
class Neg(_Arithmetic):
    formula = "-x"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g,)


@dataclass(frozen=True)
class Abs(_Arithmetic):
    formula = "abs(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * sgn(operands[0]),)


@dataclass(frozen=True)
class Sign(_Arithmetic):
    formula = "sign(x)"


@dataclass(frozen=True)
class Sqr(_Arithmetic):
    formula = "x * x"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * 2 * operands[0],)


@dataclass(frozen=True)
class Maximum(Elementwise):
    """The larger operand; where they are equal the derivative is the first one's."""

    formula = "maximum(x, y)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        first = x >= y
        return switch(first, g, 0), switch(first, 0, g)


@dataclass(frozen=True)
class Minimum(Elementwise):
    """The smaller operand; where they are equal the derivative is the first one's."""

    formula = "minimum(x, y)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        x, y = operands
        first = x <= y
        return switch(first, g, 0), switch(first, 0, g)


@dataclass(frozen=True)
class Exp(_Float):
    formula = "exp(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * out,)


@dataclass(frozen=True)
class Expm1(_Float):
    formula = "expm1(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (out + 1),)


@dataclass(frozen=True)
class Log(_Float):
    formula = "log(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / operands[0],)


@dataclass(frozen=True)
class Log1p(_Float):
    formula = "log1p(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g / (operands[0] + 1),)


@dataclass(frozen=True)
class Sqrt(_Float):
    formula = "sqrt(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * 0.5 / out,)


@dataclass(frozen=True)
class Sin(_Float):
    formula = "sin(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * cos(operands[0]),)


@dataclass(frozen=True)
class Cos(_Float):
    formula = "cos(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (-g * sin(operands[0]),)


@dataclass(frozen=True)
class Tanh(_Float):
    formula = "tanh(x)"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (1 - out * out),)


@dataclass(frozen=True)
class Sigmoid(_Float):
    """1 / (1 + exp(-x)): right at both ends, where exp(-x) is 0 or infinite."""

    formula = "1 / (1 + exp(-x))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * (out - sqr(out)),)


@dataclass(frozen=True)
class Softplus(_Float):
    """log(1 + exp(x)), written so that exp never overflows."""

    formula = "maximum(x, 0) + log1p(exp(-abs(x)))"

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        return (g * sigmoid(operands[0]),)


@dataclass(frozen=True)
class Floor(_Float):
    formula = "floor(x)"


@dataclass(frozen=True)
class Ceil(_Float):
    formula = "ceil(x)"


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
class IsNan(_Comparison):
    formula = "isnan(x)"

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        return (float_dtype(dtypes[0]),)


@dataclass(frozen=True)
class IsInf(_Comparison):
    formula = "isinf(x)"

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        return (float_dtype(dtypes[0]),)


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
    """The logical not; of integers, -x - 1 is the complement."""

    formula = "x ^ True"

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        if dtypes[0] != "bool":
            raise DTypeError(
                "invert", expected="a bool", actual=dtypes[0], fix="write -x - 1 for the complement"
            )
        return "bool"


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


def _function(op: Elementwise, name: str, summary: str) -> Callable[..., Variable]:
    """Make the function of an op: `name(*operands)`."""
    arity = sum(operand in _compiled(op.formula).co_names for operand in OPERANDS)

    def function(*operands: Any) -> Variable:
        if len(operands) != arity:
            raise TypeError(f"{name} takes {arity} operand(s), {len(operands)} given")
        return op(*operands)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{summary}

    The operands are variables, numbers or arrays; they broadcast in dimensions that are statically 1.
    Elementwise: `{op.formula}`.
    """
    return function


add = _function(Add(), "add", "Return the sum.")
sub = _function(Sub(), "sub", "Return the difference.")
mul = _function(Mul(), "mul", "Return the product.")
true_div = _function(TrueDiv(), "true_div", "Return the quotient; that of integers is a float.")
int_div = _function(IntDiv(), "int_div", "Return the quotient rounded down.")
mod = _function(Mod(), "mod", "Return the remainder, of the divisor's sign.")
pow = _function(Pow(), "pow", "Return the first operand to the power of the second.")
neg = _function(Neg(), "neg", "Return the negative.")
abs_ = _function(Abs(), "abs_", "Return the absolute value.")
sgn = _function(Sign(), "sgn", "Return -1, 0 or 1.")
sqr = _function(Sqr(), "sqr", "Return the square.")
maximum = _function(Maximum(), "maximum", "Return the larger operand, NaN if one is.")
minimum = _function(Minimum(), "minimum", "Return the smaller operand, NaN if one is.")
exp = _function(Exp(), "exp", "Return e to the power of x.")
expm1 = _function(Expm1(), "expm1", "Return exp(x) - 1, accurate near 0.")
log = _function(Log(), "log", "Return the natural logarithm.")
log1p = _function(Log1p(), "log1p", "Return log(1 + x), accurate near 0.")
sqrt = _function(Sqrt(), "sqrt", "Return the square root.")
sin = _function(Sin(), "sin", "Return the sine of an angle in radians.")
cos = _function(Cos(), "cos", "Return the cosine of an angle in radians.")
tanh = _function(Tanh(), "tanh", "Return the hyperbolic tangent.")
sigmoid = _function(Sigmoid(), "sigmoid", "Return the logistic function.")
softplus = _function(Softplus(), "softplus", "Return log(1 + exp(x)).")
floor = _function(Floor(), "floor", "Return the largest whole number not above x.")
ceil = _function(Ceil(), "ceil", "Return the smallest whole number not below x.")
eq = _function(Eq(), "eq", "Return where the operands are equal.")
neq = _function(Neq(), "neq", "Return where the operands differ.")
lt = _function(Lt(), "lt", "Return where the first is less than the second.")
le = _function(Le(), "le", "Return where the first is at most the second.")
gt = _function(Gt(), "gt", "Return where the first is greater than the second.")
ge = _function(Ge(), "ge", "Return where the first is at least the second.")
isnan = _function(IsNan(), "isnan", "Return where x is not a number.")
isinf = _function(IsInf(), "isinf", "Return where x is infinite.")
and_ = _function(And(), "and_", "Return the logical (bools) or bitwise (integers) and.")
or_ = _function(Or(), "or_", "Return the logical (bools) or bitwise (integers) or.")
xor = _function(Xor(), "xor", "Return the logical (bools) or bitwise (integers) exclusive or.")
invert = _function(Invert(), "invert", "Return the logical not.")
switch = _function(Switch(), "switch", "Return the second operand where the first is true, else the third.")


def cast(x: Any, dtype: str) -> Variable:
    """Return `x` in another dtype.

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


def relu(x: Any, alpha: Any = 0) -> Variable:
    """Return max(x, 0), with slope `alpha` below 0 and at 0 (`theano.tensor.nnet.relu`).

    Examples
    --------
    >>> import arignote.compile
    >>> relu(np.array([-2.0, 3.0])).eval()
    array([0., 3.])
    """
    x = as_variable(x)
    below = x * alpha if isinstance(alpha, Variable) or constant_array(alpha).any() else 0
    return switch(x > 0, x, below)
