"""The rules of algebra: what makes expressions shorter without changing what they mean."""

from __future__ import annotations

import numpy as np

from arignote.engine.graph import Apply, Constant, Op, Variable
from arignote.engine.ops import elementwise as e
from arignote.engine.ops.dot import Dot
from arignote.engine.ops.reduce import BroadcastTo, Max, Min, Prod, Reduction, Sum
from arignote.engine.ops.shape import dimshuffle, product, transpose
from arignote.engine.patterns import (
    filled_like,
    inputs_of,
    is_filled_with,
    shuffled_from,
    single,
    stands_for,
)
from arignote.engine.rewrite import Rule, rule

# ------------------------------------------------------------------------------------- neutral elements, zero


@rule(e.Cast, keeps="exact")
def cast_to_same(node: Apply) -> Variable | None:
    """cast(x, dtype of x) = x."""
    return stands_for(node.inputs[0], node)


@rule(e.Mul, e.Add, keeps="rounding")
def neutral_operand(node: Apply) -> Variable | None:
    """X * 1 = x and x + 0 = x (but for the sign of a zero)."""
    x, y = node.inputs
    neutral = 1 if isinstance(node.op, e.Mul) else 0
    if is_filled_with(y, neutral):
        return stands_for(x, node)
    return stands_for(y, node) if is_filled_with(x, neutral) else None


@rule(e.TrueDiv, e.Sub, e.Pow, e.IntPow, keeps="rounding")
def neutral_second_operand(node: Apply) -> Variable | None:
    """X / 1 = x, x - 0 = x, x ** 1 = x."""
    x, y = node.inputs
    return stands_for(x, node) if is_filled_with(y, 0 if isinstance(node.op, e.Sub) else 1) else None


@rule(e.Mul, keeps="poles")
def zero_factor(node: Apply) -> Variable | None:
    """X * 0 = 0, also where x is infinite or not a number."""
    x, y = node.inputs
    if single(x) == 0:
        x, y = y, x
    return filled_like(0, x, node) if single(y) == 0 else None


@rule(e.TrueDiv, keeps="poles")
def quotient_of_same(node: Apply) -> Variable | None:
    """X / x = 1 and (x * y) / y = x, also where the divisor is 0."""
    x, y = node.inputs
    if x is y:
        return filled_like(1, x, node)
    factors = inputs_of(x, e.Mul)
    if factors is None or not any(factor is y for factor in factors):
        return None
    return stands_for(factors[0] if factors[1] is y else factors[1], node)


@rule(e.Sub, keeps="poles")
def difference_of_same(node: Apply) -> Variable | None:
    """X - x = 0, also where x is infinite or not a number."""
    x, y = node.inputs
    return filled_like(0, x, node) if x is y else None


# ------------------------------------------------------------------------------------------ powers


@rule(e.Pow, e.IntPow, keeps="exact")
def power_of_zero(node: Apply) -> Variable | None:
    """X ** 0 = 1."""
    x, y = node.inputs
    return filled_like(1, x, node) if single(y) == 0 else None


@rule(e.Pow, e.IntPow, keeps="rounding")
def square(node: Apply) -> Variable | None:
    """X ** 2 = sqr(x)."""
    x, y = node.inputs
    if not is_filled_with(y, 2) or x.dtype != node.outputs[0].dtype:
        return None
    return stands_for(e.sqr(x), node)


@rule(e.Pow, keeps="rounding")
def small_power(node: Apply) -> Variable | None:
    """X ** 3 = sqr(x) * x, x ** 4 = sqr(sqr(x)), x ** -1 = 1 / x, x ** -2 = 1 / sqr(x)."""
    x, y = node.inputs
    power = single(y)
    is_float = x.type.is_float and x.dtype == node.outputs[0].dtype
    if power == 3 and is_float:
        return stands_for(e.sqr(x) * x, node)
    if power == 4 and is_float:
        return stands_for(e.sqr(e.sqr(x)), node)
    if power in (-1, -2) and is_float:
        return stands_for(_one(x) / (x if power == -1 else e.sqr(x)), node)
    return None


@rule(e.Pow, keeps="poles")
def root(node: Apply) -> Variable | None:
    """X ** 0.5 = sqrt(x) and x ** -0.5 = 1 / sqrt(x), but for x = -inf and the sign of a zero."""
    x, y = node.inputs
    power = single(y)
    if power not in (0.5, -0.5) or x.dtype != node.outputs[0].dtype or not x.type.is_float:
        return None
    return stands_for(e.sqrt(x) if power == 0.5 else _one(x) / e.sqrt(x), node)


@rule(e.Mul, keeps="exact")
def product_with_itself(node: Apply) -> Variable | None:
    """X * x = sqr(x)."""
    x, y = node.inputs
    return stands_for(e.sqr(x), node) if x is y else None


@rule(e.Mul, keeps="poles")
def product_of_powers(node: Apply) -> Variable | None:
    """(x ** a) * (x ** b) = x ** (a + b) and x * (x ** a) = x ** (1 + a), also where x is 0."""
    powers = [_as_power(x) for x in node.inputs]
    (x, a), (y, b) = powers
    if x is not y or not x.type.is_float or (a == 1 and b == 1):
        return None
    return stands_for(e.pow(x, np.asarray(a + b, x.dtype)), node)


def _as_power(x: Variable) -> tuple[Variable, float]:
    """Return base and exponent, where that is a number; otherwise the variable and 1."""
    power = inputs_of(x, e.Pow)
    exponent = single(power[1]) if power is not None else None
    return (power[0], exponent) if power is not None and exponent is not None else (x, 1.0)


def _one(x: Variable) -> Constant:
    return Constant(np.asarray(1, x.dtype))


# ------------------------------------------------------------------------------------------ inverses


@rule(e.Neg, keeps="exact")
def double_negation(node: Apply) -> Variable | None:
    """-(-x) = x."""
    inner = inputs_of(node.inputs[0], e.Neg)
    return None if inner is None else stands_for(inner[0], node)


@rule(e.Neg, keeps="rounding")
def negated_difference(node: Apply) -> Variable | None:
    """-(x - y) = y - x (but for the sign of a zero)."""
    inner = inputs_of(node.inputs[0], e.Sub)
    return None if inner is None else stands_for(inner[1] - inner[0], node)


@rule(e.Add, e.Sub, keeps="exact")
def negated_term(node: Apply) -> Variable | None:
    """X + (-y) = x - y and x - (-y) = x + y."""
    x, y = node.inputs
    negative = _negated(y)
    if negative is not None:
        return stands_for(x - negative if isinstance(node.op, e.Add) else x + negative, node)
    negative = _negated(x)
    if negative is not None and isinstance(node.op, e.Add):
        return stands_for(y - negative, node)
    return None


def _negated(x: Variable) -> Variable | None:
    """Return what `x` is the negative of; not of whole numbers, which may wrap before they are converted."""
    inner = inputs_of(x, e.Neg)
    return inner[0] if inner is not None and inner[0].type.is_float else None


@rule(e.Mul, e.TrueDiv, keeps="exact")
def negated_factors(node: Apply) -> Variable | None:
    """(-x) * (-y) = x * y and (-x) / (-y) = x / y."""
    x, y = (_negated(x) for x in node.inputs)
    return None if x is None or y is None else stands_for(node.op(x, y), node)


@rule(e.Abs, e.Sqr, keeps="exact")
def even_function_of_negative(node: Apply) -> Variable | None:
    """Abs(-x) = abs(x) = abs(abs(x)); so for sqr."""
    (x,) = node.inputs
    inner = inputs_of(x, e.Neg) or inputs_of(x, e.Abs)
    is_signed = not node.outputs[0].dtype.startswith("uint")
    return stands_for(node.op(inner[0]), node) if inner is not None and is_signed else None


_INVERSES: dict[type[Op], type[Op]] = {
    e.Exp: e.Log, e.Log: e.Exp, e.Expm1: e.Log1p, e.Log1p: e.Expm1, e.Sqr: e.Sqrt,
}  # fmt: skip


@rule(*_INVERSES, keeps="poles")
def inverse_functions(node: Apply) -> Variable | None:
    """exp(log(x)) = x = log(exp(x)), sqr(sqrt(x)) = x, expm1(log1p(x)) = x, even where log x is no number."""
    inner = inputs_of(node.inputs[0], _INVERSES[type(node.op)])
    return None if inner is None else stands_for(inner[0], node)


@rule(e.Sqrt, keeps="poles")
def root_of_square(node: Apply) -> Variable | None:
    """sqrt(sqr(x)) = abs(x), also where the square overflows."""
    inner = inputs_of(node.inputs[0], e.Sqr)
    return None if inner is None else stands_for(e.abs_(inner[0]), node)


@rule(e.TrueDiv, keeps="rounding")
def reciprocal_of_reciprocal(node: Apply) -> Variable | None:
    """1 / (1 / x) = x and 1 / (x / y) = y / x."""
    one, y = node.inputs
    inner = inputs_of(y, e.TrueDiv)
    if inner is None or not is_filled_with(one, 1):
        return None
    return stands_for(inner[1] / inner[0], node)


# ------------------------------------------------------------------------------------------ constants


@rule(e.Add, e.Mul, keeps="rounding")
def constants_together(node: Apply) -> Variable | None:
    """(x * 2) * 3 = x * (2 * 3) and (x + 2) + 3 = x + (2 + 3)."""
    found = _with_constant(node, node.outputs[0].dtype)
    if found is None:
        return None
    (outer, rest), op = found, type(node.op)
    if rest.owner is None or not isinstance(rest.owner.op, op):
        return None
    inner = _with_constant(rest.owner, node.outputs[0].dtype)
    if inner is None or rest.dtype != node.outputs[0].dtype:
        return None
    return stands_for(node.op(inner[1], node.op(inner[0], outer)), node)


def _with_constant(node: Apply, dtype: str) -> tuple[Variable, Variable] | None:
    """Return the constant of two operands, in the dtype, and the other one, if there is one."""
    x, y = node.inputs
    if isinstance(x, Constant):
        x, y = y, x
    if isinstance(x, Constant) or single(y) is None or not isinstance(y, Constant):
        return None
    return Constant(y.value.astype(dtype)), x


# ------------------------------------------------------------------------------------------ sums


@rule(Sum, Prod, Max, Min, keeps="rounding")
def reduction_of_reduction(node: Apply) -> Variable | None:
    """sum(sum(x, a), b) = sum(x, a and b); so for prod, max and min."""
    assert isinstance(node.op, Reduction)
    inner = node.inputs[0].owner
    if inner is None or type(inner.op) is not type(node.op):
        return None
    assert isinstance(inner.op, Reduction)
    (x,) = inner.inputs
    kept = [axis for axis in range(x.ndim) if axis not in inner.op.axes]
    axes = sorted([*inner.op.axes, *(kept[axis] for axis in node.op.axes)])
    return stands_for(type(node.op)(tuple(axes))(x), node)


@rule(Sum, keeps="rounding")
def sum_of_broadcast(node: Apply) -> Variable | None:
    """sum(x repeated n times) = x * n."""
    assert isinstance(node.op, Sum)
    inner = inputs_of(node.inputs[0], BroadcastTo)
    if inner is None:
        return None
    x, *extents = inner
    repeated = [axis for axis in node.op.axes if x.broadcastable[axis]]
    if not repeated:
        return None
    times = e.cast(product([extents[axis] for axis in repeated]), x.dtype)
    summed = [axis for axis in node.op.axes if axis not in repeated]
    total = Sum(tuple(summed))(x) if summed else x
    kept = [axis for axis in range(x.ndim) if axis not in summed]
    rest = dimshuffle(total, *(place for place, axis in enumerate(kept) if axis not in repeated))
    kept_extents = [extents[axis] for axis in range(x.ndim) if axis not in node.op.axes]
    product_ = rest * times
    if product_.ndim and any(product_.broadcastable[i] for i in range(product_.ndim)):
        product_ = BroadcastTo()(product_, *kept_extents)
    return stands_for(product_, node)


@rule(Sum, keeps="rounding")
def sum_of_negative(node: Apply) -> Variable | None:
    """sum(-x) = -sum(x) (but for the sign of a zero)."""
    inner = inputs_of(node.inputs[0], e.Neg)
    return None if inner is None else stands_for(-node.op(inner[0]), node)


@rule(Dot, keeps="rounding")
def product_of_transposes(node: Apply) -> Variable | None:
    """dot(x.T, y.T) = dot(y, x).T."""
    x, y = (shuffled_from(each, (1, 0)) for each in node.inputs)
    return None if x is None or y is None else stands_for(transpose(Dot()(y, x)), node)


ALGEBRA: tuple[Rule, ...] = (
    cast_to_same,
    neutral_operand,
    neutral_second_operand,
    zero_factor,
    quotient_of_same,
    difference_of_same,
    power_of_zero,
    square,
    small_power,
    root,
    product_with_itself,
    product_of_powers,
    double_negation,
    negated_difference,
    negated_term,
    negated_factors,
    even_function_of_negative,
    inverse_functions,
    root_of_square,
    reciprocal_of_reciprocal,
    constants_together,
    reduction_of_reduction,
    sum_of_broadcast,
    sum_of_negative,
    product_of_transposes,
)
