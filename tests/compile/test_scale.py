"""Large graphs, from the expression to the compiled function and through pickle: depth and size are no limit.

How the time grows is measured by `benchmarks/scale.py`.
"""

import pickle

import numpy as np
import pytest

from arignote import function, grad
from arignote import tensor as T
from arignote.engine.graph import walk
from arignote.engine.printing import pprint
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL


def sizes(small, large):
    return pytest.mark.parametrize("size", [small, pytest.param(large, marks=pytest.mark.slow)])


def passed_on(inputs, outputs, arguments):
    """Return the values of the outputs, after they were rewritten, printed, compiled and pickled."""
    copies = pickle.loads(pickle.dumps(outputs))
    assert pprint(*copies) == pprint(*outputs)
    assert len(pprint(*rewrite(outputs, ALL))) < 100 * len(walk(outputs))
    f = function(inputs, outputs)
    values = f(*arguments)
    for mine, theirs in zip(pickle.loads(pickle.dumps(f))(*arguments), values, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    return values


@sizes(2_400, 100_000)
def test_a_chain(size):
    x = T.dvector("x")
    y = x
    for _ in range(size // 2):
        y = T.sin(y) + x
    at = np.linspace(-0.5, 0.5, 3)
    value, slope = passed_on([x], [y, grad(y.sum(), x)], [at])
    expected, by_x = at, np.ones(3)
    for _ in range(size // 2):
        expected, by_x = np.sin(expected) + at, np.cos(expected) * by_x + 1
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(slope, by_x, rtol=1e-9)


@sizes(2**9, 2**16)
def test_a_balanced_tree(size):
    x = T.dscalar("x")
    factors = np.random.default_rng(0).uniform(-1, 1, size)
    level = [x * factor for factor in factors]
    while len(level) > 1:
        level = [a * b + a for a, b in zip(level[::2], level[1::2], strict=True)]
    value, slope = passed_on([x], [level[0], grad(level[0], x)], [np.array(0.5)])
    expected, by_x = factors * 0.5, factors
    while len(expected) > 1:
        a, b, by_a, by_b = expected[::2], expected[1::2], by_x[::2], by_x[1::2]
        expected, by_x = a * b + a, by_a * b + a * by_b + by_a
    np.testing.assert_allclose(value, expected[0], rtol=1e-10)
    np.testing.assert_allclose(slope, by_x[0], rtol=1e-9)


@sizes(120, 1_000)
def test_an_unrolled_recurrence(size):
    x, w, u = T.dmatrix("x"), T.dmatrix("w"), T.dmatrix("u")
    h = T.zeros((4,), "float64")
    for step in range(size):
        h = T.tanh(T.dot(x[step], w) + T.dot(h, u))
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(size, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 4)) / 2]
    value, *slopes = passed_on([x, w, u], [h, *grad(h.sum(), [x, w, u])], arrays)
    torch = pytest.importorskip("torch", reason="PyTorch's gradients are what is compared with")
    tensors = [torch.from_numpy(array).requires_grad_() for array in arrays]
    peer = torch.zeros(4, dtype=torch.float64)
    for row in tensors[0]:
        peer = torch.tanh(row @ tensors[1] + peer @ tensors[2])
    peer.sum().backward()
    np.testing.assert_allclose(value, peer.detach(), rtol=1e-10)
    for mine, tensor in zip(slopes, tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad, rtol=1e-9, atol=1e-12)
