"""Calls with bound arrays."""

from dataclasses import dataclass

import numpy as np
import pytest

from arignote import function, shared
from arignote import tensor as T
from arignote.compile.stages import Native
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.graph import Op

MODES = pytest.mark.parametrize("mode", [None, "reference", "debug", "nan_guard"])


@dataclass(frozen=True)
class Doubled(Op):
    """Has no kernel, and so cuts the function into stages."""

    def infer(self, types, values):
        return types

    def perform(self, *arrays):
        return (2 * arrays[0],)


@MODES
def test_a_bound_call_reads_its_arrays_and_writes_the_same_ones(mode):
    x, y = T.vector("x"), T.vector("y")
    a, b = np.arange(3.0), np.ones(3)
    call = function([x, y], [x + y, (x * y).sum()], mode=mode).bind(a, y=b)
    first = call()
    np.testing.assert_array_equal(first[0], [1, 2, 3])
    assert first[1] == 3
    a[:] = [5, 6, 7]
    second = call()
    assert all(old is new for old, new in zip(first, second, strict=True))
    np.testing.assert_array_equal(first[0], [6, 7, 8])
    assert first[1] == 18


@MODES
def test_updates_are_applied_and_values_may_be_set(mode):
    x, total = T.vector("x"), shared(np.zeros(2), "total")
    a = np.array([1.0, 2.0])
    call = function([x], total * 1, updates=[(total, total + x)], mode=mode).bind(a)
    np.testing.assert_array_equal(call(), [0, 0])
    np.testing.assert_array_equal(call(), [1, 2])
    lent = total.get_value(borrow=True)
    np.testing.assert_array_equal(call(), [2, 4])
    np.testing.assert_array_equal(lent, [2, 4])
    total.set_value(np.array([10.0, 20.0]))
    np.testing.assert_array_equal(call(), [10, 20])
    np.testing.assert_array_equal(total.get_value(), [11, 22])


@MODES
def test_a_shared_variable_may_get_another_shape(mode):
    w = shared(np.ones(3))
    call = function([], w * 2, mode=mode).bind()
    first = call()
    w.set_value(np.arange(5.0))
    np.testing.assert_array_equal(call(), [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(first, [2, 2, 2])


def test_an_update_may_change_the_shape():
    w = shared(np.ones((1, 1)))
    a = np.ones((2, 1))
    call = function([x := T.matrix("x")], w.sum(), updates=[(w, T.dot(w, x.T))]).bind(a)
    assert call() == 1
    np.testing.assert_array_equal(w.get_value(), [[1, 1]])


def test_integers_may_decide_shapes():
    data, i = shared(np.arange(10.0)), T.lscalar("i")
    index = np.array(0)
    call = function([i], data[i * 2 : (i + 1) * 2] * 1).bind(index)
    for index[...] in range(5):
        np.testing.assert_array_equal(call(), [2 * index, 2 * index + 1])


def test_functions_of_several_stages():
    x = T.vector("x")
    a = np.ones(2)
    call = function([x], Doubled()(x + 1) + 1).bind(a)
    first = call()
    np.testing.assert_array_equal(first, [5, 5])
    a[:] = 2
    assert call() is first
    np.testing.assert_array_equal(first, [7, 7])


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [(lambda x: None, None), (lambda x: [x], [np.ones(2)]), (lambda x: {"one": x}, {"one": np.ones(2)})],
)
def test_forms_of_outputs(outputs, expected):
    x, w = T.vector("x"), shared(0.0)
    call = function([x], outputs(x * 1), updates=[(w, w + x.sum())]).bind(np.ones(2))
    for _ in range(2):
        np.testing.assert_equal(call(), expected)


def test_scalars_and_lists_become_arrays():
    x, y = T.vector("x"), T.scalar("y")
    call = function([x, y], x * y).bind([1.0, 2.0], 3)
    np.testing.assert_array_equal(call(), [3, 6])
    call.arguments[1][...] = 4
    np.testing.assert_array_equal(call(), [4, 8])


@pytest.mark.parametrize(
    "array", [np.arange(3), np.arange(6.0)[::2], np.zeros(25, np.uint8)[1:].view("float64")], ids=str
)
def test_an_array_that_would_have_to_be_copied_is_refused(array):
    x = T.vector("x")
    with pytest.raises(DTypeError, match=r"bind: argument 0 .*\n.*C-contiguous"):
        function([x], x + 1).bind(array)


def test_arguments_are_checked():
    x = T.TensorType("float64", (3,))("x")
    f = function([x], x + 1)
    with pytest.raises(TypeError, match="takes 1 arguments, 0 given"):
        f.bind()
    with pytest.raises(TypeError, match="no input of that name"):
        f.bind(z=1)
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        f.bind(np.zeros(2))


def test_a_call_that_fails_changes_nothing():
    i, w = T.ivector("i"), shared(np.zeros(3))
    index = np.array([0, 1], "int32")
    call = function([i], updates=[(w, w + w[i].sum() + 1)]).bind(index)
    call()
    index[1] = 7
    with pytest.raises(GraphError, match="7"):
        call()
    np.testing.assert_array_equal(w.get_value(), [1, 1, 1])
    index[1] = 2
    call()
    np.testing.assert_array_equal(w.get_value(), [4, 4, 4])


def test_function_and_bound_calls_may_alternate():
    x = T.vector("x")
    f = function([x], x * 2)
    first, second = f.bind(np.ones(3)), f.bind(np.full(3, 2.0))
    expected = [f(np.ones(3)), f(np.full(3, 2.0))]
    for _ in range(2):
        np.testing.assert_array_equal(first(), expected[0])
        np.testing.assert_array_equal(f(np.full(3, 2.0)), expected[1])
        np.testing.assert_array_equal(second(), expected[1])
    f.free()
    np.testing.assert_array_equal(first(), expected[0])


def test_one_native_program_is_called_directly(monkeypatch):
    x = T.vector("x")
    call = function([x], x * 2).bind(np.ones(3))
    call()
    monkeypatch.setattr(Native, "call", None)  # what a call would go through
    np.testing.assert_array_equal(call(), [2, 2, 2])


def test_profiled_calls_are_measured():
    x = T.vector("x")
    f = function([x], x * 2, profile=True)
    call = f.bind(np.ones(3))
    for _ in range(3):
        call()
    assert f.profile.runs == 3
