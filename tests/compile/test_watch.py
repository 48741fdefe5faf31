"""Modes that look at every node: 'debug' and 'nan_guard'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import arignote
from arignote import tensor as T
from arignote.engine.errors import DebugError, NotFiniteError
from arignote.engine.ops.elementwise import Elementwise

X = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Broken(Elementwise):
    """An op whose kernel and whose meaning differ, on purpose."""

    formula = "x + 1"

    def perform(self, *arrays):
        return (np.where(arrays[0] > 2, arrays[0] + 1.001, arrays[0] + 1),)


@pytest.mark.parametrize("mode", ["debug", "DebugMode", "nan_guard", "NanGuardMode", "reference"])
def test_modes_compute_the_same(mode):
    x, w = T.dmatrix("x"), arignote.shared(np.ones((3, 2)), "w")
    cost = T.mean(T.log(T.nnet.softmax(T.dot(x, w)))[T.arange(2), T.cast(x[:, 2] > 1, "int64")])
    updates = [(w, w - 0.5 * arignote.grad(cost, w))]
    f = arignote.function([x], cost, updates=updates, mode=mode)
    values = [f(X), f(X)]
    weights = w.get_value()
    w.set_value(np.ones((3, 2)))
    g = arignote.function([x], cost, updates=updates)
    np.testing.assert_allclose(values, [g(X), g(X)], rtol=1e-12)
    np.testing.assert_allclose(weights, w.get_value(), rtol=1e-12)


def test_debug_names_the_first_op_that_differs():
    x = T.dmatrix("x")
    f = arignote.function([x], T.sum(T.exp(Broken()(x * 2))), mode="debug")
    with pytest.raises(DebugError, match=r"the kernel of Broken differs .* at \(0, 2\)") as caught:
        f(X)
    assert "test_watch.py" in str(caught.value)
    assert "Broken()(x * 2)" in str(caught.value)


def test_the_nan_guard_names_op_line_and_place():
    x = T.dmatrix("x")
    y = T.log(x + 1)
    f = arignote.function([x], y * 2, mode="nan_guard")
    with pytest.raises(
        NotFiniteError, match=r"its result is not finite\n  at: .*y = T.log\(x \+ 1\)"
    ) as caught:
        f(X)
    assert "-inf at (0, 1)" in str(caught.value)


def test_the_nan_guard_names_an_input():
    x = T.dmatrix("x")
    with pytest.raises(NotFiniteError, match="its input x is not finite"):
        arignote.function([x], x * 2, mode="nan_guard")(X * np.nan)


def test_a_failing_watch_leaves_shared_variables_alone():
    x, w = T.dmatrix("x"), arignote.shared(1.0, "w")
    f = arignote.function([x], T.log(x), updates=[(w, w + 1)], mode="nan_guard")
    with pytest.raises(NotFiniteError):
        f(X)
    assert w.get_value() == 1
