"""The rewrite rules, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.engine.graph import Apply, Constant, Op, Variable
from arignote.engine.ops import elementwise as e
from arignote.engine.ops.fromgraph import FromGraph
from arignote.engine.ops.gradient import DisconnectedGrad, GradClip, GradScale, UndefinedGrad, ZeroGrad
from arignote.engine.ops.index import Subtensor, element_of_vector
from arignote.engine.ops.reduce import BroadcastTo, sum
from arignote.engine.ops.shape import DimShuffle, Reshape, ShapeOf, SpecifyShape, dimshuffle
from arignote.engine.ops.softmax import LogSoftmax, Softmax, SoftmaxGradient
from arignote.engine.rewrite import Rule, rule


def _inputs_of(x: Variable, op: type[Op]) -> Sequence[Variable] | None:
    """Return the inputs of the node that made `x`, if its op is of the class."""
    return x.owner.inputs if x.owner is not None and isinstance(x.owner.op, op) else None


def _is_filled_with(x: Variable, number: float) -> bool:
    return isinstance(x, Constant) and x.value.size > 0 and bool(np.all(x.value == number))


def _stands_for(x: Variable, node: Apply) -> Variable | None:
    """Return `x` if it may replace the node's output: the same dtype, and no broadcasting lost."""
    out = node.outputs[0]
    return x if x.dtype == out.dtype and x.static_shape == out.static_shape else None


@rule(ShapeOf, keeps="exact")
def extent_of_known_shape(node: Apply) -> Variable | None:
    """shape(x)[i] = n, where n is known."""
    assert isinstance(node.op, ShapeOf)
    extent = node.inputs[0].static_shape[node.op.axis]
    return None if extent is None else Constant(np.asarray(extent, "int64"))


@rule(ShapeOf, keeps="exact")
def extent_of_elementwise(node: Apply) -> Variable | None:
    """shape(f(x, y))[i] = shape(x)[i], where x does not broadcast along i."""
    (x,) = node.inputs
    if x.owner is None or not isinstance(x.owner.op, e.Elementwise):
        return None
    assert isinstance(node.op, ShapeOf)
    axis = node.op.axis
    source = next((y for y in x.owner.inputs if not y.broadcastable[axis]), None)
    return None if source is None else node.op(source)


@rule(Subtensor, keeps="exact")
def element_of_join(node: Apply) -> Variable | None:
    """join(a, stack(b, c))[-1] = c, and so through slices of vectors."""
    element = element_of_vector(node.outputs[0])
    return None if element is None else _stands_for(element, node)


@rule(DimShuffle, keeps="exact")
def dimshuffle_of_dimshuffle(node: Apply) -> Variable | None:
    """dimshuffle(dimshuffle(x, p), q) = dimshuffle(x, p after q); none where the order is as it was."""
    assert isinstance(node.op, DimShuffle)
    (x,) = node.inputs
    if node.op.pattern == tuple(range(x.ndim)):
        return x
    inner = _inputs_of(x, DimShuffle)
    if inner is None:
        return None
    assert x.owner is not None
    assert isinstance(x.owner.op, DimShuffle)
    first = x.owner.op.pattern
    return dimshuffle(inner[0], *("x" if axis == "x" else first[int(axis)] for axis in node.op.pattern))


@rule(Reshape, keeps="exact")
def reshape_of_reshape(node: Apply) -> Variable | None:
    """reshape(reshape(x, s), t) = reshape(x, t)."""
    inner = _inputs_of(node.inputs[0], Reshape)
    return None if inner is None else Reshape()(inner[0], *node.inputs[1:])


@rule(Reshape, SpecifyShape, BroadcastTo, keeps="exact")
def same_shape(node: Apply) -> Variable | None:
    """reshape(x, shape(x)) = x, where all extents are known; so for promised shapes and broadcasts."""
    x = node.inputs[0]
    return None if None in x.static_shape else _stands_for(x, node)


@rule(e.Cast, keeps="exact")
def cast_to_same(node: Apply) -> Variable | None:
    """cast(x, dtype of x) = x."""
    return _stands_for(node.inputs[0], node)


@rule(e.Mul, e.Add, keeps="rounding")
def neutral_operand(node: Apply) -> Variable | None:
    """X * 1 = x and x + 0 = x (but for the sign of a zero)."""
    x, y = node.inputs
    neutral = 1 if isinstance(node.op, e.Mul) else 0
    if _is_filled_with(y, neutral):
        return _stands_for(x, node)
    return _stands_for(y, node) if _is_filled_with(x, neutral) else None


@rule(e.TrueDiv, e.Sub, e.Pow, e.IntPow, keeps="rounding")
def neutral_second_operand(node: Apply) -> Variable | None:
    """X / 1 = x, x - 0 = x, x ** 1 = x."""
    x, y = node.inputs
    return _stands_for(x, node) if _is_filled_with(y, 0 if isinstance(node.op, e.Sub) else 1) else None


@rule(e.Pow, e.IntPow, keeps="rounding")
def square(node: Apply) -> Variable | None:
    """X ** 2 = sqr(x)."""
    x, y = node.inputs
    if not _is_filled_with(y, 2) or x.dtype != node.outputs[0].dtype:
        return None
    return _stands_for(e.sqr(x), node)


@rule(e.Neg, keeps="exact")
def double_negation(node: Apply) -> Variable | None:
    """-(-x) = x."""
    inner = _inputs_of(node.inputs[0], e.Neg)
    return None if inner is None else _stands_for(inner[0], node)


@rule(e.Log, keeps="poles")
def log_of_softmax(node: Apply) -> Variable | None:
    """log(softmax(x)) = logsoftmax(x), which is finite where softmax(x) rounds to 0."""
    inner = _inputs_of(node.inputs[0], Softmax)
    return None if inner is None else LogSoftmax()(inner[0])


@rule(SoftmaxGradient, keeps="poles")
def gradient_of_log_of_softmax(node: Apply) -> Variable | None:
    """softmax_gradient(g / y, y) = g - y * sum(g): the division by a probability that rounds to 0 is gone."""
    g, y = node.inputs
    quotient = _inputs_of(g, e.TrueDiv)
    if quotient is None or quotient[1] is not y:
        return None
    return quotient[0] - y * sum(quotient[0], axis=1, keepdims=True)


@rule(e.Log, keeps="rounding")
def log_of_sigmoid(node: Apply) -> Variable | None:
    """log(sigmoid(x)) = -softplus(-x), which does not round to log(0)."""
    inner = _inputs_of(node.inputs[0], e.Sigmoid)
    return None if inner is None else _stands_for(-e.softplus(-inner[0]), node)


@rule(e.Mul, keeps="poles")
def gradient_of_log_of_sigmoid(node: Apply) -> Variable | None:
    """(g / y + h / sigmoid(-x)) * (y - y ** 2) = g * sigmoid(-x) + h * y, where y = sigmoid(x)."""
    gradient, slope = node.inputs
    factors = _inputs_of(slope, e.Sub)
    if factors is None or _inputs_of(factors[1], e.Sqr) != (factors[0],):
        return None
    y = factors[0]
    inner = _inputs_of(y, e.Sigmoid)
    if inner is None:
        return None
    terms = _terms(gradient)
    products = [_times_slope(term, y, inner[0]) for _, term in terms]
    if all(product is None for product in products):
        return None
    total: Variable | None = None
    for (sign, term), product in zip(terms, products, strict=True):
        part = product if product is not None else term * slope
        signed = part if sign > 0 else -part
        total = signed if total is None else total + signed
    assert total is not None
    return _stands_for(total, node)


def _terms(total: Variable) -> list[tuple[int, Variable]]:
    """Return the terms that a variable is the sum of, each with its sign."""
    terms = []
    pending = [(1, total)]
    while pending:
        sign, x = pending.pop()
        negated, added = _inputs_of(x, e.Neg), _inputs_of(x, e.Add)
        if negated is not None:
            pending.append((-sign, negated[0]))
        elif added is not None:
            pending.extend((sign, term) for term in reversed(added))
        else:
            terms.append((sign, x))
    return terms


def _times_slope(term: Variable, y: Variable, x: Variable) -> Variable | None:
    """Return ``term * (y - y ** 2)`` for a term that is divided by y = sigmoid(x) or by sigmoid(-x)."""
    quotient = _inputs_of(term, e.TrueDiv)
    if quotient is None:
        return None
    numerator, denominator = quotient
    if denominator is y:
        return numerator * e.sigmoid(-x)
    other = _inputs_of(denominator, e.Sigmoid)
    # Where x is -w, sigmoid(-x) is met as sigmoid(w).
    if other is None or (_inputs_of(other[0], e.Neg) != (x,) and _inputs_of(x, e.Neg) != tuple(other)):
        return None
    return numerator * y


@rule(e.Log, keeps="rounding")
def log_of_one_plus(node: Apply) -> Variable | None:
    """log(1 + exp(x)) = softplus(x); log(1 + x) = log1p(x)."""
    terms = _inputs_of(node.inputs[0], e.Add)
    if terms is None:
        return None
    one, x = terms if _is_filled_with(terms[0], 1) else (terms[1], terms[0])
    if not _is_filled_with(one, 1):
        return None
    exponent = _inputs_of(x, e.Exp)
    return _stands_for(e.log1p(x) if exponent is None else e.softplus(exponent[0]), node)


@rule(e.Sub, keeps="rounding")
def one_minus_sigmoid(node: Apply) -> Variable | None:
    """1 - sigmoid(x) = sigmoid(-x), which does not round to 0."""
    one, y = node.inputs
    inner = _inputs_of(y, e.Sigmoid)
    return None if inner is None or not _is_filled_with(one, 1) else _stands_for(e.sigmoid(-inner[0]), node)


@rule(FromGraph, keeps="exact")
def written_out(node: Apply) -> Sequence[Variable]:
    """OpFromGraph([a, b], [f(a, b)])(x, y) = f(x, y)."""
    assert isinstance(node.op, FromGraph)
    return node.op.inner.on(node.inputs)


@rule(GradClip, GradScale, DisconnectedGrad, ZeroGrad, UndefinedGrad, keeps="exact")
def identity(node: Apply) -> Variable | None:
    """grad_clip(x) = x, and so for its kin: what they say of the gradient is said."""
    return node.inputs[0]


SHAPES: tuple[Rule, ...] = (
    written_out,
    identity,
    extent_of_known_shape,
    extent_of_elementwise,
    element_of_join,
    dimshuffle_of_dimshuffle,
    reshape_of_reshape,
    same_shape,
)
ALGEBRA: tuple[Rule, ...] = (cast_to_same, neutral_operand, neutral_second_operand, square, double_negation)
STABILITY: tuple[Rule, ...] = (
    log_of_softmax,
    gradient_of_log_of_softmax,
    log_of_sigmoid,
    gradient_of_log_of_sigmoid,
    log_of_one_plus,
    one_minus_sigmoid,
)
ALL: tuple[Rule, ...] = SHAPES + ALGEBRA + STABILITY
