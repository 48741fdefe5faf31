"""Rules of max-pooling: what is computed of pixels one by one is computed of the maxima alone.

An activation before a pooling becomes one behind it, of a quarter of the elements where windows are two by
two, and so does its derivative. What is left is a pooling of the convolution itself: of whose gradient a few
elements are known to be other than zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arignote.engine.graph import Apply, Variable
from arignote.engine.ops import elementwise as e
from arignote.engine.ops.pool import MaxPick, MaxPool, MaxUnpool
from arignote.engine.ops.reduce import Sum
from arignote.engine.patterns import inputs_of, is_filled_with
from arignote.engine.rewrite import Rule, rule

PLANE = (2, 3)  # the axes that are pooled

#: Functions that never decrease: those of one operand, and those that do not in either of two.
INCREASING = (e.Sigmoid, e.Tanh, e.Softplus, e.Exp, e.Expm1)
INCREASING_IN_BOTH = (e.Add, e.Maximum, e.Minimum)


def _is_plain(x: Variable) -> bool:
    """Tell whether a variable has one value for each plane."""
    return all(x.broadcastable[axis] for axis in PLANE)


def _increasing(x: Variable) -> tuple[Variable, Callable[[Variable], Variable]] | None:
    """Return what `x` is a function of that never decreases along a plane, and that function."""
    if x.owner is None or not isinstance(x.owner.op, e.Elementwise):
        return None
    op, inputs = x.owner.op, x.owner.inputs
    found: Variable | None = None
    if isinstance(op, INCREASING):
        (found,) = inputs
    elif isinstance(op, INCREASING_IN_BOTH):
        found = next((y for y, other in (inputs, inputs[::-1]) if _is_plain(other)), None)
    elif isinstance(op, e.Sub) and _is_plain(inputs[1]):
        found = inputs[0]
    elif isinstance(op, e.Switch):
        condition, positive, negative = inputs
        compared = inputs_of(condition, e.Gt)
        if compared is not None and compared[0] is positive and is_filled_with(negative, 0):
            found = positive if is_filled_with(compared[1], 0) else None
    if found is None or found.dtype != x.dtype or found.broadcastable != x.broadcastable:
        return None

    def of(y: Variable) -> Variable:
        mapping = {found: y}
        if isinstance(op, e.Switch):
            mapping[inputs[0]] = y > 0
        return op(*(mapping.get(z, z) for z in inputs))

    return found, of


@rule(MaxPool, keeps="poles")
def pool_of_increasing(node: Apply) -> Sequence[Variable] | None:
    """maxpool(f(x)) = f(maxpool(x)), where f does not decrease: relu(x), sigmoid(x), x + b."""
    parts = _increasing(node.inputs[0])
    if parts is None:
        return None
    maxima, places = Apply(node.op, [parts[0]]).outputs
    return parts[1](maxima), places


@rule(MaxPick, keeps="exact")
def picked_maxima(node: Apply) -> Variable | None:
    """pick(x, places of the maxima of x) = maxpool(x)."""
    image, places = node.inputs
    pool = places.owner
    if pool is None or not isinstance(pool.op, MaxPool) or pool.inputs[0] is not image:
        return None
    return pool.outputs[0]


def _picked(x: Variable, image: Variable, places: Variable, pick: MaxPick) -> Variable | None:
    """Return what lies at the places, of an operand of an elementwise op that makes an image."""
    if _is_plain(x):
        return x
    return pick(x, places) if x.broadcastable == image.broadcastable else None


@rule(MaxPick, keeps="exact")
def pick_of_elementwise(node: Apply) -> Variable | None:
    """pick(f(x, y)) = f(pick(x), pick(y))."""
    image, places = node.inputs
    assert isinstance(node.op, MaxPick)
    if image.owner is None or not isinstance(image.owner.op, e.Elementwise) or _is_plain(image):
        return None
    operands = [_picked(x, image, places, node.op) for x in image.owner.inputs]
    known = [x for x in operands if x is not None]
    return image.owner.op(*known) if len(known) == len(operands) else None


def _unpooled(node: Apply, unpooled: Variable) -> Variable | None:
    """Return an elementwise op that is 0 where one operand is, an unpooled one, as unpooled itself."""
    image, unpool = node.outputs[0], unpooled.owner
    assert unpool is not None
    assert isinstance(unpool.op, MaxUnpool)
    values, places, *extents = unpool.inputs
    pick = MaxPick(unpool.op.window, unpool.op.stride, unpool.op.pad, unpool.op.ignore_border)
    operands = [values if x is unpooled else _picked(x, image, places, pick) for x in node.inputs]
    known = [x for x in operands if x is not None]
    fits = len(known) == len(operands) and unpooled.broadcastable == image.broadcastable
    return unpool.op(node.op(*known), places, *extents) if fits else None


@rule(e.Mul, keeps="poles")
def product_with_unpooled(node: Apply) -> Variable | None:
    """unpool(g) * x = unpool(g * pick(x))."""
    unpooled = next((x for x in node.inputs if inputs_of(x, MaxUnpool) is not None), None)
    return None if unpooled is None else _unpooled(node, unpooled)


@rule(e.Switch, keeps="exact")
def switch_of_unpooled(node: Apply) -> Variable | None:
    """switch(c, unpool(g), 0) = unpool(switch(pick(c), g, 0)), and so with 0 first."""
    for unpooled, other in (node.inputs[1:], node.inputs[:0:-1]):
        if inputs_of(unpooled, MaxUnpool) is not None and is_filled_with(other, 0) and _is_plain(other):
            return _unpooled(node, unpooled)
    return None


@rule(Sum, keeps="rounding")
def sum_of_unpooled(node: Apply) -> Variable | None:
    """sum(unpool(g)) = sum(g), over whole planes."""
    parts = inputs_of(node.inputs[0], MaxUnpool)
    assert isinstance(node.op, Sum)
    return node.op(parts[0]) if parts is not None and {*PLANE} <= {*node.op.axes} else None


POOLING: tuple[Rule, ...] = (
    pool_of_increasing,
    picked_maxima,
    pick_of_elementwise,
    product_with_unpooled,
    switch_of_unpooled,
    sum_of_unpooled,
)
