"""Checkpoints: the same values and gradients, and less memory."""

import numpy as np
import pytest
from cases.table import normal

from arignote import checkpoint, function, grad, gradient, shared, vectorize
from arignote import tensor as T
from arignote.engine.errors import GraphError
from arignote.engine.graph import walk
from arignote.engine.ops.checkpoint import After, Checkpoint
from arignote.engine.ops.dot import Dot
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL

LAYERS, ROWS, WIDTH = 16, 1000, 8


def deep(every):
    """Return a deep network with a checkpoint behind every so many layers, or none."""
    x = T.dmatrix("x")
    weights = [shared(normal(WIDTH, WIDTH, seed=i) / np.sqrt(WIDTH), f"w{i}") for i in range(LAYERS)]
    h = start = x
    for number, w in enumerate(weights, 1):
        h = T.tanh(T.dot(h, w))
        if every and number % every == 0:
            h = start = checkpoint(h, start)
    return x, weights, (h**2).mean()


def test_memory_falls_and_gradients_stay():
    arenas, results = {}, {}
    for every in (0, 4):
        x, weights, cost = deep(every)
        f = function([x], [cost, *grad(cost, weights)], profile=True)
        results[every] = f(normal(ROWS, WIDTH, seed=99))
        arenas[every] = f.profile.arena
    for mine, theirs in zip(results[4], results[0], strict=True):
        # The rules of algebra may order a product otherwise where its factors are computed twice.
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-16)
    layer = ROWS * WIDTH * 8
    assert arenas[0] >= LAYERS * layer
    # Three checkpoints, the layers of one segment, and what a step needs besides.
    assert arenas[4] <= 0.7 * arenas[0]


def test_what_is_computed_anew_does_not_merge():
    _, weights, cost = deep(4)
    graph = rewrite([cost, *grad(cost, weights)], ALL)
    plain = rewrite([deep(0)[2]], ALL)
    products = [node for node in walk(graph) if isinstance(node.op, Dot)]
    # Forward, both gradients of each but that of the input, and the forward pass of every segment again.
    assert len([node for node in walk(plain) if isinstance(node.op, Dot)]) == LAYERS
    assert len(products) == LAYERS + 2 * LAYERS - 1 + LAYERS
    assert not [node for node in walk(graph) if isinstance(node.op, Checkpoint)]


@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_several_values_from_several_inputs(mode):
    x, y, w = T.dvector("x"), T.dvector("y"), shared(normal(3), "w")
    a, b = T.exp(x) * w, T.sin(x * y) + T.exp(x)
    first, second = checkpoint([a, b], [x, y])
    plain, checked = (grad((p * q).sum() + q.sum(), [x, y, w]) for p, q in ((a, b), (first, second)))
    arguments = normal(3, seed=1), normal(3, seed=2)
    expected = function([x, y], plain)(*arguments)
    for mine, theirs in zip(function([x, y], checked, mode=mode)(*arguments), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)
    alone = function([x, y], grad(first.sum(), [x]), mode=mode)(*arguments)
    np.testing.assert_allclose(alone[0], np.exp(arguments[0]) * w.get_value(), rtol=1e-14)


def test_higher_derivatives_and_batches():
    x, v, many = T.dvector("x"), T.dvector("v"), T.dmatrix("many")
    plain = T.tanh(x) * T.exp(x)
    checked = checkpoint(plain, x)
    outputs = []
    for y in (plain, checked):
        third = gradient.hessian(grad(y.sum(), x).sum(), x)
        outputs.append([gradient.jacobian(y, x), gradient.Rop(y, x, v), third, vectorize(y, {x: many})])
    f = [function([x, v, many], each) for each in outputs]
    arguments = normal(3), normal(3, seed=1), normal(2, 3, seed=2)
    for mine, theirs in zip(f[1](*arguments), f[0](*arguments), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-14)


def test_a_forward_derivative_computes_nothing_anew():
    x, v = T.dvector("x"), T.dvector("v")
    (slope,) = rewrite([gradient.Rop(checkpoint(T.tanh(T.exp(x)), x), x, v)], ALL)
    assert not [node for node in walk([slope]) if isinstance(node.op, After)]


def test_a_checkpoint_needs_its_inputs():
    x, y = T.dvectors("x", "y")
    with pytest.raises(GraphError, match="do not depend"):
        checkpoint(T.exp(x), y)
