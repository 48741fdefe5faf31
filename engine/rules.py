"""The rewrite rules, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from arignote.engine.algebra import ALGEBRA
from arignote.engine.graph import Apply, Constant, Op, Variable, known_integer
from arignote.engine.ops import elementwise as e
from arignote.engine.ops.checkpoint import After, Checkpoint
from arignote.engine.ops.fromgraph import FromGraph
from arignote.engine.ops.gradient import DisconnectedGrad, GradClip, GradScale, UndefinedGrad, ZeroGrad
from arignote.engine.ops.index import Entry, IncSubtensor, Subtensor, element_of_vector
from arignote.engine.ops.reduce import BroadcastTo, Sum, max, sum
from arignote.engine.ops.shape import Alloc, DimShuffle, Reshape, ShapeOf, SpecifyShape, dimshuffle
from arignote.engine.ops.softmax import (
    LogSoftmax,
    LogSoftmaxAt,
    LogSoftmaxAtGradient,
    Softmax,
    SoftmaxGradient,
)
from arignote.engine.origin import inherit
from arignote.engine.patterns import counts, inputs_of, is_filled_with, is_zeros, shuffled_from, stands_for
from arignote.engine.pooling import POOLING
from arignote.engine.rewrite import Rule, rule


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
    assert isinstance(node.op, ShapeOf)
    while x.owner is not None and isinstance(x.owner.op, e.Elementwise):
        source = next((y for y in x.owner.inputs if not y.broadcastable[node.op.axis]), None)
        if source is None:
            break
        x = source
    return None if x is node.inputs[0] else node.op(x)


@rule(Subtensor, keeps="exact")
def element_of_join(node: Apply) -> Variable | None:
    """join(a, stack(b, c))[-1] = c, and so through slices of vectors."""
    element = element_of_vector(node.outputs[0])
    return None if element is None else stands_for(element, node)


@rule(Subtensor, keeps="exact")
def whole_part(node: Apply) -> Variable | None:
    """x[:] = x."""
    assert isinstance(node.op, Subtensor)
    return node.inputs[0] if not node.op.pattern else None


@rule(IncSubtensor, keeps="exact")
def whole_part_that_is_set(node: Apply) -> Variable | None:
    """set_subtensor(x[:], y) = y."""
    assert isinstance(node.op, IncSubtensor)
    return None if node.op.pattern or not node.op.set_instead_of_inc else stands_for(node.inputs[1], node)


@rule(Subtensor, keeps="rounding")
def part_that_was_set(node: Apply) -> Variable | None:
    """set_subtensor(x[i], y)[i] = y and inc_subtensor(zeros[i], y)[i] = y, where no array is in i."""
    assert isinstance(node.op, Subtensor)
    array, *index = node.inputs
    if array.owner is None or Entry.ARRAY in node.op.pattern:
        return None
    match array.owner.op:
        case IncSubtensor(pattern=pattern, set_instead_of_inc=is_set) if pattern == node.op.pattern:
            base, values, *same = array.owner.inputs
            if same == index and (is_set or is_zeros(base)):
                return stands_for(values, node)
    return None


@rule(e.Add, keeps="rounding")
def sum_with_scattered(node: Apply) -> Variable | None:
    """X + inc_subtensor(zeros[i], y) = inc_subtensor(x[i], y): what is added to need not be made of zeros."""
    for x, scattered in (node.inputs, node.inputs[::-1]):
        match scattered.owner:
            case Apply(op=IncSubtensor(set_instead_of_inc=False)) as owner if is_zeros(owner.inputs[0]):
                if stands_for(x, node) is not None:
                    return owner.op(x, *owner.inputs[1:])
    return None


@rule(DimShuffle, keeps="exact")
def dimshuffle_of_dimshuffle(node: Apply) -> Variable | None:
    """dimshuffle(dimshuffle(x, p), q) = dimshuffle(x, p after q); none where the order is as it was."""
    assert isinstance(node.op, DimShuffle)
    (x,) = node.inputs
    if node.op.pattern == tuple(range(x.ndim)):
        return x
    inner = inputs_of(x, DimShuffle)
    if inner is None:
        return None
    assert x.owner is not None
    assert isinstance(x.owner.op, DimShuffle)
    first = x.owner.op.pattern
    return dimshuffle(inner[0], *("x" if axis == "x" else first[int(axis)] for axis in node.op.pattern))


@rule(Reshape, keeps="exact")
def reshape_of_reshape(node: Apply) -> Variable | None:
    """reshape(reshape(x, s), t) = reshape(x, t)."""
    inner = inputs_of(node.inputs[0], Reshape)
    return None if inner is None else Reshape()(inner[0], *node.inputs[1:])


@rule(Reshape, SpecifyShape, BroadcastTo, keeps="exact")
def same_shape(node: Apply) -> Variable | None:
    """reshape(x, shape(x)) = x, where all extents are known; so for promised shapes and broadcasts."""
    x, *asked = node.inputs
    if None in x.static_shape or any(known_integer(extent) is None for extent in asked):
        return None
    return stands_for(x, node)


#: What only moves elements: f(view(x)) = view(f(x)) for every elementwise f.
VIEWS = (Subtensor, DimShuffle, Reshape)


def _under_views(x: Variable, views: tuple[type[Op], ...] = VIEWS) -> tuple[Variable, list[Apply]]:
    """Return what a variable is a view of, and the nodes of the views from the inside to the outside."""
    nodes: list[Apply] = []
    while x.owner is not None and isinstance(x.owner.op, views):
        nodes.append(x.owner)
        x = x.owner.inputs[0]
    return x, nodes[::-1]


def _again(nodes: Sequence[Apply], x: Variable) -> Variable:
    """Apply the ops of nodes to another first input."""
    for node in nodes:
        x = node.op(x, *node.inputs[1:])
    return x


@rule(e.Log, keeps="poles")
def log_of_softmax(node: Apply) -> Variable | None:
    """log(view(softmax(x))) = view(logsoftmax(x)), which is finite where softmax(x) rounds to 0."""
    y, views = _under_views(node.inputs[0])
    inner = inputs_of(y, Softmax)
    return None if inner is None else _again(views, LogSoftmax()(inner[0]))


@rule(SoftmaxGradient, keeps="poles")
def gradient_of_log_of_softmax(node: Apply) -> Variable | None:
    """softmax_gradient(f(g / view(y)), y) = f(g) - y * sum(f(g)), where f puts back what the view takes.

    The division by a probability that rounds to 0 is gone.
    """
    scattered, y = node.inputs
    adjoints: list[Apply] = []  # from the outside to the inside: the last of them belongs to the last view
    while scattered.owner is not None and isinstance(scattered.owner.op, IncSubtensor | DimShuffle | Reshape):
        adjoints.append(scattered.owner)
        scattered = scattered.owner.inputs[1 if isinstance(scattered.owner.op, IncSubtensor) else 0]
    quotient = inputs_of(scattered, e.TrueDiv)
    if quotient is None:
        return None
    source, views = _under_views(quotient[1])
    if source is not y or len(views) != len(adjoints) or not all(map(_puts_back, adjoints, views)):
        return None
    g = quotient[0]
    for adjoint in reversed(adjoints):
        if isinstance(adjoint.op, IncSubtensor):
            g = adjoint.op(adjoint.inputs[0], g, *adjoint.inputs[2:])
        else:
            g = _again([adjoint], g)
    return g - y * sum(g, axis=1, keepdims=True)


def _puts_back(adjoint: Apply, view: Apply) -> bool:
    """Tell whether a node puts the elements that a view takes where they were, and zeros elsewhere."""
    match adjoint.op, view.op:
        case IncSubtensor(pattern=places, set_instead_of_inc=False), Subtensor(pattern=taken):
            return places == taken and adjoint.inputs[2:] == view.inputs[1:] and is_zeros(adjoint.inputs[0])
        case DimShuffle(pattern=back), DimShuffle(pattern=there):
            return [axis if axis == "x" else there[int(axis)] for axis in back] == list(range(len(back)))
        case Reshape(), Reshape():
            return True
    return False


@rule(Subtensor, keeps="exact")
def element_of_log_softmax(node: Apply) -> Variable | None:
    """logsoftmax(x)[arange(n), y] = logsoftmaxat(x, y), where x has n rows."""
    inner = inputs_of(node.inputs[0], LogSoftmax)
    if inner is None or not _picks_of_each_row(node, node.inputs[1:], inner[0]):
        return None
    return stands_for(LogSoftmaxAt()(inner[0], node.inputs[2]), node)


@rule(e.Sub, keeps="poles")
def gradient_of_element_of_log_softmax(node: Apply) -> Variable | None:
    """(s - softmax(x) * sum(s)) = logsoftmaxatgradient(g, x, y), where s is 0 but for s[arange(n), y] = g."""
    scattered, product = node.inputs
    parts, factors = inputs_of(scattered, IncSubtensor), inputs_of(product, e.Mul)
    if parts is None or factors is None or not is_zeros(parts[0]):
        return None
    assert scattered.owner is not None
    for probabilities, total in (factors, factors[::-1]):
        inner, added = inputs_of(probabilities, Softmax), shuffled_from(total, (0, "x"))
        if inner is None or added is None or not _picks_of_each_row(scattered.owner, parts[2:], inner[0]):
            continue
        if added.owner is not None and added.owner.op == Sum((1,)) and added.owner.inputs == (scattered,):
            with inherit(scattered.owner.origin):  # the line of the labels, which may be out of range
                return stands_for(LogSoftmaxAtGradient()(parts[1], inner[0], parts[3]), node)
    return None


def _picks_of_each_row(node: Apply, index: Sequence[Variable], rows: Variable) -> bool:
    """Tell whether a node's index stands for one place of each row of a matrix, the rows in their order."""
    match node.op:
        case Subtensor(pattern=pattern) | IncSubtensor(pattern=pattern, set_instead_of_inc=False):
            cases = rows.static_shape[0]
            return (
                pattern == (Entry.ARRAY, Entry.ARRAY)
                and counts(index[0])
                and cases is not None
                and all(x.static_shape == (cases,) for x in index)
            )
    return False


@rule(e.Log, keeps="poles")
def log_of_sum_of_exp(node: Apply) -> Variable | None:
    """log(sum(exp(x))) = m + log(sum(exp(x - m))) with m = max(x), which does not overflow.

    Only where there are elements: of none the sum is 0, but they have no maximum.
    """
    x = node.inputs[0]
    found = _summed_exponents(x)
    return None if found is None else stands_for(_log_sum_exp(found, keepdims=x.ndim == found[1].ndim), node)


@rule(e.Mul, keeps="poles")
def gradient_of_log_of_sum_of_exp(node: Apply) -> Variable | None:
    """(g / sum(exp(x))) * exp(x) = g * exp(x - log(sum(exp(x)))), neither of which overflows."""
    for quotient, exponential in (node.inputs, node.inputs[::-1]):
        inner = inputs_of(exponential, e.Exp)
        parts = _spread_quotient(quotient)
        if inner is None or parts is None:
            continue
        g, divisor, spread = parts
        found = _summed_exponents(divisor)
        if found is None or found[1] is not inner[0]:
            continue
        return stands_for(spread(g) * e.exp(inner[0] - _log_sum_exp(found, keepdims=True)), node)
    return None


def _spread_quotient(x: Variable) -> tuple[Variable, Variable, Callable[[Variable], Variable]] | None:
    """Return the two sides of a quotient that is dimshuffled and broadcast, and what does that."""
    around: list[Apply] = []
    while x.owner is not None and isinstance(x.owner.op, DimShuffle | BroadcastTo):
        around.append(x.owner)
        x = x.owner.inputs[0]
    quotient = inputs_of(x, e.TrueDiv)
    if quotient is None:
        return None

    def spread(y: Variable) -> Variable:
        for each in reversed(around):
            y = each.op(y, *each.inputs[1:])
        return y

    return quotient[0], quotient[1], spread


def _summed_exponents(x: Variable) -> tuple[Sum, Variable] | None:
    """Return the sum and x of sum(exp(x)), with or without its reduced axes, if there is something to add."""
    if x.owner is not None and isinstance(x.owner.op, DimShuffle):
        reduced = x.owner.inputs[0]
        found = _summed_exponents(reduced)
        return found if found is not None and x.owner.op == _spread_op(found) else None
    if x.owner is None or not isinstance(x.owner.op, Sum):
        return None
    exponent = inputs_of(x.owner.inputs[0], e.Exp)
    if exponent is None or not all(exponent[0].static_shape[axis] for axis in x.owner.op.axes):
        return None
    shifted = inputs_of(exponent[0], e.Sub)
    choice = inputs_of(shifted[1], e.Switch) if shifted is not None else None
    is_done = choice is not None and inputs_of(choice[0], e.IsInf) is not None
    return None if is_done else (x.owner.op, exponent[0])


def _spread_op(found: tuple[Sum, Variable]) -> Op:
    op, x = found
    kept = iter(range(x.ndim - len(op.axes)))
    return DimShuffle(tuple("x" if axis in op.axes else next(kept) for axis in range(x.ndim)))


def _log_sum_exp(found: tuple[Sum, Variable], *, keepdims: bool) -> Variable:
    op, x = found
    largest = max(x, op.axes, keepdims=True)
    shift = e.switch(e.isinf(largest), 0, largest)  # inf - inf would be not a number
    total = shift + e.log(sum(e.exp(x - shift), op.axes, keepdims=True))
    return total if keepdims else dimshuffle(total, *(axis for axis in range(x.ndim) if axis not in op.axes))


@rule(e.Log, keeps="rounding")
def log_of_sigmoid(node: Apply) -> Variable | None:
    """log(sigmoid(x)) = -softplus(-x), which does not round to log(0)."""
    inner = inputs_of(node.inputs[0], e.Sigmoid)
    return None if inner is None else stands_for(-e.softplus(-inner[0]), node)


@rule(e.Mul, keeps="poles")
def gradient_of_log_of_sigmoid(node: Apply) -> Variable | None:
    """(g / y + h / sigmoid(-x)) * (y - y ** 2) = g * sigmoid(-x) + h * y, where y = sigmoid(x)."""
    gradient, slope = node.inputs
    factors = inputs_of(slope, e.Sub)
    if factors is None or inputs_of(factors[1], e.Sqr) != (factors[0],):
        return None
    y = factors[0]
    inner = inputs_of(y, e.Sigmoid)
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
    return stands_for(total, node)


def _terms(total: Variable) -> list[tuple[int, Variable]]:
    """Return the terms that a variable is the sum of, each with its sign."""
    terms = []
    pending = [(1, total)]
    while pending:
        sign, x = pending.pop()
        negated, added, taken = (inputs_of(x, op) for op in (e.Neg, e.Add, e.Sub))
        if negated is not None:
            pending.append((-sign, negated[0]))
        elif added is not None:
            pending.extend((sign, term) for term in reversed(added))
        elif taken is not None:
            pending.extend(((-sign, taken[1]), (sign, taken[0])))
        else:
            terms.append((sign, x))
    return terms


def _times_slope(term: Variable, y: Variable, x: Variable) -> Variable | None:
    """Return ``term * (y - y ** 2)`` for a term that is divided by y = sigmoid(x) or by sigmoid(-x)."""
    quotient = inputs_of(term, e.TrueDiv)
    if quotient is None:
        return None
    numerator, denominator = quotient
    if denominator is y:
        return numerator * e.sigmoid(-x)
    other = inputs_of(denominator, e.Sigmoid)
    # Where x is -w, sigmoid(-x) is met as sigmoid(w).
    if other is None or (inputs_of(other[0], e.Neg) != (x,) and inputs_of(x, e.Neg) != tuple(other)):
        return None
    return numerator * y


@rule(e.Log, keeps="rounding")
def log_of_one_plus(node: Apply) -> Variable | None:
    """log(1 + exp(x)) = softplus(x); log(1 + x) = log1p(x)."""
    terms = inputs_of(node.inputs[0], e.Add)
    if terms is None:
        return None
    one, x = terms if is_filled_with(terms[0], 1) else (terms[1], terms[0])
    if not is_filled_with(one, 1):
        return None
    exponent = inputs_of(x, e.Exp)
    return stands_for(e.log1p(x) if exponent is None else e.softplus(exponent[0]), node)


@rule(e.Sub, keeps="rounding")
def one_minus_sigmoid(node: Apply) -> Variable | None:
    """1 - sigmoid(x) = sigmoid(-x), which does not round to 0."""
    one, y = node.inputs
    inner = inputs_of(y, e.Sigmoid)
    return None if inner is None or not is_filled_with(one, 1) else stands_for(e.sigmoid(-inner[0]), node)


@rule(e.Log1p, keeps="rounding")
def log1p_of_minus_sigmoid(node: Apply) -> Variable | None:
    """log1p(-sigmoid(x)) = -softplus(x), which does not round to log(0)."""
    negated = inputs_of(node.inputs[0], e.Neg)
    inner = None if negated is None else inputs_of(negated[0], e.Sigmoid)
    return None if inner is None else stands_for(-e.softplus(inner[0]), node)


@rule(FromGraph, keeps="exact")
def written_out(node: Apply) -> Sequence[Variable]:
    """OpFromGraph([a, b], [f(a, b)])(x, y) = f(x, y)."""
    assert isinstance(node.op, FromGraph)
    return node.op.inner.on(node.inputs)


@rule(GradClip, GradScale, DisconnectedGrad, ZeroGrad, UndefinedGrad, keeps="exact")
def identity(node: Apply) -> Variable | None:
    """grad_clip(x) = x, and so for its kin: what they say of the gradient is said."""
    return node.inputs[0]


@rule(Checkpoint, keeps="exact")
def checkpoint(node: Apply) -> Sequence[Variable]:
    """checkpoint(y, x) = y: its gradient is there, and says what is computed anew."""
    assert isinstance(node.op, Checkpoint)
    return node.inputs[: node.op.values]


@rule(After, keeps="exact")
def after_what_is_there(node: Apply) -> Variable | None:
    """after(x, c) = x, where c is filled with a number."""
    x, *others = node.inputs
    is_there = all(isinstance(y, Constant) or inputs_of(y, Alloc) is not None for y in others)
    return stands_for(x, node) if is_there else None


SHAPES: tuple[Rule, ...] = (
    written_out,
    identity,
    checkpoint,
    after_what_is_there,
    extent_of_known_shape,
    extent_of_elementwise,
    element_of_join,
    whole_part,
    whole_part_that_is_set,
    part_that_was_set,
    dimshuffle_of_dimshuffle,
    reshape_of_reshape,
    same_shape,
    sum_with_scattered,
)
STABILITY: tuple[Rule, ...] = (
    log_of_softmax,
    gradient_of_log_of_softmax,
    log_of_sigmoid,
    gradient_of_log_of_sigmoid,
    log_of_one_plus,
    one_minus_sigmoid,
    log1p_of_minus_sigmoid,
)
#: Rules for graphs all of whose extents are known.
SIZED: tuple[Rule, ...] = (
    log_of_sum_of_exp,
    gradient_of_log_of_sum_of_exp,
    element_of_log_softmax,
    gradient_of_element_of_log_softmax,
)
ALL: tuple[Rule, ...] = SHAPES + STABILITY + ALGEBRA + POOLING + SIZED
