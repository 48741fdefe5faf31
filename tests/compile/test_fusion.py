"""Which elementwise nodes share a loop, and that sharing it changes nothing."""

import re

import networkx
import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.compile.fusion import MOST_OPERANDS, MOST_OPS, fuse
from arignote.engine.evaluate import evaluate
from arignote.engine.graph import op_name, walk
from arignote.engine.types import TensorType

x = TensorType("float64", (4, 5))("x")
y = TensorType("float64", (4, 5))("y")
row = TensorType("float64", (1, 5))("row")
scalar = TensorType("float64", (1, 1))("scalar")


def groups(*outputs, kept=None):
    """Return the names of the ops of each group, by their roots in order."""
    fused = fuse(walk(outputs), set(outputs if kept is None else kept))
    return [" ".join(op_name(node.op) for node in group) for group in fused.values()][::-1]


def test_a_chain_is_one_loop():
    assert groups(T.exp(T.tanh(x * y) + 1.0)) == ["Mul Tanh Add Exp"]


def test_a_reduction_ends_its_loop():
    assert groups(T.exp((x * y).sum(0))) == ["Mul Sum", "Exp"]


def test_a_value_that_is_returned_ends_a_loop():
    middle = T.exp(x)
    assert groups(middle, middle * 2.0) == ["Exp", "Mul"]


def test_a_value_of_two_loops_is_computed_once():
    middle = T.exp(x)
    assert sorted(groups((middle * y).sum(0), (middle + y).sum(1))) == ["Add Sum", "Exp", "Mul Sum"]


def test_simple_arithmetic_of_a_large_array_is_done_in_each_loop():
    centred = x - row
    assert sorted(groups((centred * centred).sum(0), (centred * T.exp(y)).sum(1))) == [
        "Sub Exp Mul Sum",
        "Sub Mul Sum",
    ]


def test_what_a_caller_gets_is_computed_once():
    centred = x - row
    assert sorted(groups((centred * 2.0).sum(0), centred, (centred * y).sum(1))) == [
        "Mul Sum",
        "Mul Sum",
        "Sub",
    ]


def test_nothing_is_kept_longer_than_a_smaller_value_instead_of_it():
    """A mask of bytes takes less memory than what it says of, which nobody needs any more."""
    large = TensorType("float64", (50, 50))("large")
    maps = T.dot(large, large)
    mask = T.gt(maps, 0)
    rectified = T.switch(mask, maps, 0)
    slope = T.switch(mask, T.dot(rectified, large), 0)
    assert "Gt" in groups(slope.sum())
    # Where it is needed until then anyway, the mask is not.
    assert "Gt" not in groups((slope * maps).sum())


def test_a_rectified_batch_normalisation_keeps_neither_what_is_centred_nor_a_mask():
    maps = TensorType("float32", (8, 3, 9, 9))("maps")
    parameters = [T.fvector("scale"), T.fvector("shift")]
    out = T.nnet.relu(T.nnet.bn.batch_normalization_train(T.tanh(maps), *parameters, "spatial")[0])
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(8, 3, 9, 9)).astype("float32")
    inputs = [maps, *parameters]
    slopes = grad((T.tanh(out) * weights).sum(), inputs)
    f = function(inputs, slopes)
    arrays = [rng.normal(size=x.shape).astype("float32") for x in (weights, np.ones(3), np.ones(3))]
    exact = evaluate(slopes, dict(zip(inputs, arrays, strict=True)))
    for mine, theirs in zip(f(*arrays), exact, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    large = re.findall(r"^ +\d+  (\w+) \w+ 8x3x9x9 ", f.explain(), re.MULTILINE)
    assert "Tanh" in large
    assert not {"Gt", "Sub"} & set(large)


def test_copies_of_chains_with_many_uses_are_few():
    out = x
    for _ in range(60):
        out = (out + y) * (out - y)
    total = sum(T.exp(part).sum() for part in (out, out + 1, out + 2))
    sizes = [len(group.split()) for group in groups(total)]
    assert max(sizes) <= MOST_OPS
    assert sum(sizes) < 8 * len(walk([total]))


def test_a_value_used_twice_in_one_loop_joins_it():
    middle = T.exp(x)
    assert groups(middle * middle + middle) == ["Exp Mul Add"]


def test_a_row_is_not_computed_for_every_element():
    assert groups(T.exp(row) * x) == ["Exp", "Mul"]


def test_a_single_value_joins():
    assert groups(T.exp(scalar) * x) == ["Exp Mul"]


def test_a_loop_never_needs_its_own_result():
    middle = T.exp(x)
    out = T.dot(middle, middle.T).sum() + middle.sum()
    nodes = walk([out])
    group_of = {node: root for root, group in fuse(nodes, {out}).items() for node in group}
    quotient = networkx.DiGraph()
    for node in nodes:
        for given in node.inputs:
            before, after = group_of.get(given.owner, given.owner), group_of.get(node, node)
            if before is not None and before is not after:
                quotient.add_edge(before, after)
    assert networkx.is_directed_acyclic_graph(quotient)


@pytest.mark.parametrize("count", [MOST_OPS - 1, MOST_OPS, MOST_OPS + 1, 3 * MOST_OPS])
def test_loops_have_a_largest_size(count):
    out = x
    for _ in range(count):
        out = T.tanh(out)
    sizes = [len(group.split()) for group in groups(out)]
    assert sum(sizes) == count
    assert max(sizes) <= MOST_OPS
    assert len(sizes) == -(-count // MOST_OPS)


def test_loops_have_a_largest_number_of_operands():
    variables = [TensorType("float64", (3,))(f"v{i}") for i in range(3 * MOST_OPERANDS)]
    total = variables[0]
    for v in variables[1:]:
        total = total + v
    for group in fuse(walk([total]), {total}).values():
        inside = {out for node in group for out in node.outputs}
        assert len({given for node in group for given in node.inputs} - inside) <= MOST_OPERANDS


def test_a_long_chain_has_the_value_of_its_parts():
    v = T.dvector("v")
    out = v
    for k in range(2 * MOST_OPS):
        out = T.tanh(out) + (k % 3) * v
    a = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(function([v], out)(a), evaluate([out], {v: a})[0], rtol=1e-13)


def test_many_operands_have_the_value_of_their_parts():
    variables = [T.dvector(f"v{i}") for i in range(60)]
    arrays = [np.full(3, float(i)) for i in range(60)]
    assert function(variables, sum(variables[1:], variables[0]))(*arrays).tolist() == [1770.0] * 3


def test_fused_updates_and_outputs():
    w, v = shared(np.ones((3, 4))), T.dmatrix("v")
    cost = ((T.tanh(v * w) - 1) ** 2).mean()
    slope = grad(cost, w)
    f = function([v], [cost, slope], updates=[(w, w - 0.1 * slope)])
    a = np.linspace(-1, 1, 12).reshape(3, 4)
    expected, expected_slope = evaluate([cost, slope], {v: a})
    actual, actual_slope = f(a)
    np.testing.assert_allclose(actual, expected, rtol=1e-14)
    np.testing.assert_allclose(actual_slope, expected_slope, rtol=1e-13)
    np.testing.assert_allclose(w.get_value(), 1 - 0.1 * expected_slope, rtol=1e-15)
