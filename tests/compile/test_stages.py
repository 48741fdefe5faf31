"""The program tree: hosts and branches between native programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import arignote
from arignote import tensor as T
from arignote.compile.objects import cache_statistics
from arignote.engine.errors import GraphError, InputError, ShapeError
from arignote.engine.graph import Op
from arignote.ifelse import ifelse
from arignote.printing import Print

X = np.arange(12.0).reshape(4, 3) / 7


@dataclass(frozen=True)
class SingularValues(Op):
    """A user's op without a kernel."""

    def infer(self, types, values):
        return [types[0].with_shape([None])]

    def perform(self, *arrays):
        return (np.linalg.svd(arrays[0], compute_uv=False),)


@dataclass(frozen=True)
class Refuse(Op):
    """A user's op that fails."""

    def infer(self, types, values):
        return types

    def perform(self, *arrays):
        raise InputError("refused")


def test_a_host_leaves_the_rest_native():
    x = T.dmatrix("x")
    values = SingularValues()(T.exp(x) * 2)
    f = arignote.function([x], [T.sum(values * 3), x + 1], profile=True)
    total, shifted = f(X)
    np.testing.assert_allclose(total, 3 * np.linalg.svd(2 * np.exp(X), compute_uv=False).sum(), rtol=1e-13)
    np.testing.assert_array_equal(shifted, X + 1)
    assert f.profile.native_calls == 2  # one before, one behind the host


def test_a_print_in_the_middle_prints_what_is_there():
    x, seen = T.dmatrix("x"), []
    printed = Print("h =", seen.append)(x * 2)
    f = arignote.function([x], T.sum(printed**2))
    np.testing.assert_allclose(f(X), (4 * X**2).sum(), rtol=1e-13)
    assert seen == [f"h = {X * 2}"]


def test_hosts_in_a_row_and_a_result_that_is_an_argument():
    x = T.dvector("x")
    y = SingularValues()(SingularValues()(x.dimshuffle(0, "x")).dimshuffle("x", 0))
    f = arignote.function([x], [y, x, y])
    a, b, c = f(np.array([3.0, 4.0]))
    np.testing.assert_allclose([a, c], [[5.0], [5.0]])
    assert b.tolist() == [3.0, 4.0]
    assert not np.shares_memory(a, c)


@pytest.mark.parametrize("condition", [0.0, 1.0])
def test_an_ifelse_computes_one_side(condition):
    x, c = T.dmatrix("x"), T.dscalar("c")
    seen = []
    common = T.exp(x)
    then = T.sum(Print("then", seen.append)(common * 2))
    otherwise = T.sum(Print("else", seen.append)(common - 1)) * c
    f = arignote.function([x, c], [ifelse(c > 0, then, otherwise), common])
    value, shared = f(X, condition)
    assert [text.split()[0] for text in seen] == ["then" if condition else "else"]
    np.testing.assert_allclose(value, (2 * np.exp(X)).sum() if condition else 0.0, rtol=1e-13)
    np.testing.assert_allclose(shared, np.exp(X), rtol=1e-13)


def test_nested_choices_and_their_gradient():
    x, c = T.dscalar("x"), T.dscalar("c")
    y = ifelse(c > 0, ifelse(c > 1, x**3, x**2), -x)
    f = arignote.function([x, c], [y, arignote.grad(y, x)])
    for value, expected in ((2.0, (8.0, 12.0)), (0.5, (4.0, 4.0)), (-1.0, (-2.0, -1.0))):
        np.testing.assert_allclose(f(2.0, value), expected)


def test_an_integer_from_data_decides_a_shape():
    x = T.dmatrix("x")
    first = T.argmax(T.sum(x, axis=1))
    f = arignote.function([x], x[first:] * 2)
    np.testing.assert_array_equal(f(X[::-1].copy()), X[::-1] * 2)
    np.testing.assert_array_equal(f(X), X[3:] * 2)


def test_masks_of_all_lengths_compile_once():
    x = T.dmatrix("x")
    picked = T.exp(x[x[:, 0] > 0]) * 2
    f = arignote.function([x], [picked, arignote.grad(T.sum(picked), x)])
    rng = np.random.default_rng(0)
    known = None
    for _ in range(20):
        value = rng.normal(size=(9, 3))
        mask = value[:, 0] > 0
        result, gradient = f(value)
        np.testing.assert_allclose(result, 2 * np.exp(value[mask]), rtol=1e-13)
        np.testing.assert_allclose(gradient, 2 * np.exp(value) * mask[:, None], rtol=1e-13)
        statistics = cache_statistics()
        known = known or (statistics.compiled, statistics.loaded)
        assert (statistics.compiled, statistics.loaded) == known


def test_a_mask_of_another_length_is_refused():
    x = T.TensorType("float64", (4, 3))("x")
    with pytest.raises(ShapeError, match=r"a mask over the axes of x"):
        x[T.TensorType("bool", (5,))("m")]


def test_a_failing_host_leaves_shared_variables_alone():
    x, w = T.dvector("x"), arignote.shared(np.ones(3), "w")
    f = arignote.function([x], Refuse()(x * 2), updates=[(w, w + 1)])
    with pytest.raises(GraphError, match=r"refused\n  at: .*test_stages.py"):
        f(np.ones(3))
    assert w.get_value().tolist() == [1, 1, 1]


def test_updates_come_behind_the_last_host():
    x, w = T.dvector("x"), arignote.shared(np.ones(3), "w")
    seen = Print("w", lambda text: values.append(w.get_value()))(x + w)
    values = []
    f = arignote.function([x], T.sum(seen), updates=[(w, w * 2)])
    assert f(np.zeros(3)) == 3
    assert f(np.zeros(3)) == 6
    assert [value.tolist() for value in values] == [[1, 1, 1], [2, 2, 2]]
