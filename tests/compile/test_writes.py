"""What a call writes to, and what nobody may notice."""

import numpy as np
import pytest

from arignote import function, shared
from arignote import tensor as T
from arignote.engine.errors import InputError, ShapeError

MODES = pytest.mark.parametrize("mode", ["compiled", "reference"])
pytestmark = MODES


def values(*variables):
    return [x.get_value().tolist() for x in variables]


def test_swap(mode):
    a, b = shared(np.array([1.0, 2.0])), shared(np.array([3.0, 4.0]))
    f = function([], updates=[(a, b), (b, a)], mode=mode)
    f()
    assert values(a, b) == [[3, 4], [1, 2]]
    a.set_value([9.0, 9.0])
    assert values(a, b) == [[9, 9], [1, 2]]
    f()
    assert values(a, b) == [[1, 2], [9, 9]]


def test_rotation_of_three_with_arithmetic(mode):
    a, b, c = (shared(np.full(3, value)) for value in (1.0, 10.0, 100.0))
    function([], updates=[(a, b + c), (b, c * 2), (c, a - b)], mode=mode)()
    assert values(a, b, c) == [[110] * 3, [200] * 3, [-9] * 3]


def test_updates_all_read_the_old_values(mode):
    w, v, rate = shared(np.array([1.0, 2.0])), shared(np.zeros(2)), 0.5
    new_v = 0.9 * v - rate * w
    f = function([], [w.sum(), new_v], updates={w: w + new_v, v: new_v}, mode=mode)
    total, velocity = f()
    assert (total, velocity.tolist()) == (3.0, [-0.5, -1.0])
    assert values(w, v) == [[0.5, 1.0], [-0.5, -1.0]]


def test_outputs_are_the_old_values(mode):
    w = shared(np.array([1.0, 2.0, 3.0]))
    f = function([], [w, w[1:], w[::-1], w.sum(), w.reshape((3, 1))], updates=[(w, w * 10)], mode=mode)
    results = f()
    assert [x.ravel().tolist() for x in results] == [[1, 2, 3], [2, 3], [3, 2, 1], [6], [1, 2, 3]]
    assert values(w) == [[10, 20, 30]]


def test_an_output_is_the_new_value(mode):
    w = shared(np.array([1.0, 2.0]))
    new = w * 2
    result, again = function([], [new, new + 0], updates=[(w, new)], mode=mode)()
    result[0] = -1
    assert (values(w), again.tolist()) == ([[2, 4]], [2, 4])


def test_two_variables_get_one_new_value(mode):
    a, b = shared(np.zeros(2)), shared(np.ones(2))
    new = a + b * 5
    function([], updates=[(a, new), (b, new)], mode=mode)()
    assert values(a, b) == [[5, 5], [5, 5]]
    function([], updates=[(a, a + 1)], mode=mode)()
    assert values(a, b) == [[6, 6], [5, 5]]
    new = a + 1
    function([], updates=[(a, new), (b, new)], mode=mode)()
    assert values(a, b) == [[7, 7], [7, 7]]


def test_a_new_value_that_others_need(mode):
    w, v = shared(np.array([1.0, 2.0])), shared(np.zeros(2))
    new = w + 1
    f = function([], T.dot(new, np.ones(2)), updates=[(w, new), (v, new[::-1])], mode=mode)
    assert f() == 5
    assert values(w, v) == [[2, 3], [3, 2]]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda w: w[::-1], [3, 2, 1]),
        (lambda w: w + w[::-1], [4, 4, 4]),
        (lambda w: w[T.as_tensor_variable(np.array([2, 0, 0]))], [3, 1, 1]),
        (lambda w: w + w.sum(), [7, 8, 9]),
        (lambda w: w * w[0], [1, 2, 3]),
        (lambda w: w, [1, 2, 3]),
        (lambda w: T.dot(w, np.eye(3)[::-1]), [3, 2, 1]),
        (lambda w: w.max() - w, [2, 1, 0]),
        (lambda w: w[T.as_tensor_variable(np.array([1, 2, 0]))] * w, [2, 6, 3]),
        (lambda w: T.zeros_like(w), [0, 0, 0]),
        (lambda w: w.dimshuffle("x", 0).T[:, 0][::-1] - w, [2, 0, -2]),
    ],
)
def test_a_new_value_that_reads_the_old_one_in_another_order(mode, make, expected):
    w = shared(np.array([1.0, 2.0, 3.0]))
    function([], updates=[(w, make(w))], mode=mode)()
    assert values(w) == [expected]


def test_a_transposed_update(mode):
    w = shared(np.arange(9.0).reshape(3, 3))
    function([], updates=[(w, w.T + w)], mode=mode)()
    np.testing.assert_array_equal(
        w.get_value(), np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T
    )


def test_a_value_that_was_borrowed_stays(mode):
    w = shared(np.array([1.0, 2.0]))
    f = function([], updates=[(w, w + 1)], mode=mode)
    held = w.get_value(borrow=True)
    f()
    assert (held.tolist(), values(w)) == ([1, 2], [[2, 3]])
    later = w.get_value(borrow=True)
    f()
    f()
    assert (held.tolist(), later.tolist(), values(w)) == ([1, 2], [2, 3], [[4, 5]])


def test_a_value_that_was_copied_is_apart(mode):
    array = np.array([1.0, 2.0])
    w = shared(array)
    array[0] = 9
    w.get_value()[1] = 9
    assert values(w) == [[1, 2]]
    w.set_value(array)
    array[0] = 7
    assert values(w) == [[9, 2]]
    function([], updates=[(w, w + 1)], mode=mode)()
    assert array.tolist() == [7, 2]


def test_two_variables_over_one_buffer(mode):
    array = np.array([1.0, 2.0])
    a, b = shared(array, borrow=True), shared(array, borrow=True)
    f = function([], updates=[(a, a + 10)], mode=mode)
    f()
    f()
    assert (values(a, b), array.tolist()) == ([[21, 22], [1, 2]], [1, 2])


def test_a_value_that_was_set_by_reference_stays(mode):
    array, w = np.array([1.0, 2.0]), shared(np.zeros(2))
    w.set_value(array, borrow=True)
    function([], updates=[(w, w + 1)], mode=mode)()
    assert (array.tolist(), values(w)) == ([1, 2], [[2, 3]])


def test_an_argument_that_is_the_state(mode):
    x, w = T.dvector("x"), shared(np.array([1.0, 2.0, 3.0]))
    f = function([x], x[::-1] * 1, updates=[(w, w + x[::-1])], mode=mode)
    held = w.get_value(borrow=True)
    assert f(held).tolist() == [3, 2, 1]
    assert (held.tolist(), values(w)) == ([1, 2, 3], [[4, 4, 4]])


def test_a_new_value_that_reads_no_old_one(mode):
    x, w, v = T.dvector("x"), shared(np.zeros(2)), shared(np.zeros(2))
    function([x], updates=[(w, T.exp(x)), (v, x * 2 + 1)], mode=mode)([0.0, 1.0])
    assert values(w, v) == [[1, np.e], [1, 3]]


def test_arguments_are_never_written_to(mode):
    x, w = T.dvector("x"), shared(np.zeros(3))
    f = function([x], [x, T.exp(x)], updates=[(w, x)], mode=mode)
    a = np.array([1.0, 2.0, 3.0])
    a.flags.writeable = False
    f(a)
    function([], updates=[(w, w + 1)], mode=mode)()
    assert (a.tolist(), values(w)) == ([1, 2, 3], [[2, 3, 4]])


def test_an_update_may_change_the_shape(mode):
    w, x = shared(np.ones((2, 3))), T.dmatrix("x")
    f = function([x], w.sum(), updates=[(w, T.dot(x, w))], mode=mode)
    assert f(np.ones((4, 2))) == 6.0
    assert values(w) == [np.full((4, 3), 2.0).tolist()]
    held = w.get_value(borrow=True)
    assert f(np.ones((1, 4))) == 24.0
    assert held.shape == (4, 3)
    assert f(np.zeros((0, 1))) == 24.0
    assert w.get_value().shape == (0, 3)
    assert f(np.ones((2, 0))) == 0.0
    assert values(w) == [[[0, 0, 0], [0, 0, 0]]]


def test_an_elementwise_update_may_change_the_shape(mode):
    w, x = shared(np.zeros(2)), T.dvector("x")
    f = function([x], w.sum(), updates=[(w, x * 2)], mode=mode)
    assert f(np.ones(1000)) == 0
    assert f(np.ones(3)) == 2000
    assert values(w) == [[2, 2, 2]]


def test_a_state_that_grows_and_one_that_stays(mode):
    a, b = shared(np.ones(2)), shared(np.full(3, 5.0))
    f = function([], [a, b], updates=[(a, b), (b, a)], mode=mode)
    assert [x.tolist() for x in f()] == [[1, 1], [5, 5, 5]]
    assert values(a, b) == [[5, 5, 5], [1, 1]]
    assert [x.tolist() for x in f()] == [[5, 5, 5], [1, 1]]


def test_a_counter_that_selects_the_batch(mode):
    data, i = shared(np.arange(10.0)), shared(0)
    f = function([], data[i * 2 : (i + 1) * 2].sum(), updates=[(i, (i + 1) % 5)], mode=mode)
    assert [float(f()) for _ in range(7)] == [1, 5, 9, 13, 17, 1, 5]


def test_a_call_that_fails_changes_nothing(mode):
    x, y = T.dmatrix("x"), T.lvector("y")
    w, b, n = shared(np.ones((4, 3))), shared(np.zeros(3)), shared(0)
    picked = T.dot(x, w)[T.arange(y.shape[0]), y]
    f = function(
        [x, y], picked.sum(), updates=[(n, n + 1), (w, w * 2), (b, b[y[:3]] + picked.sum())], mode=mode
    )
    before = values(w, b, n)
    for bad in ([0, 1, 2, 0, 3], [0, 1, 2, 0, -4], [5, 0, 0, 0, 0]):
        with pytest.raises(InputError):
            f(np.ones((5, 4)), bad)
        assert values(w, b, n) == before
    with pytest.raises(ShapeError):
        f(np.ones((5, 3)), [0] * 5)
    assert values(w, b, n) == before
    assert f(np.ones((5, 4)), [0, 1, 2, 0, 1]) == 20.0
    assert values(n) == [1]


def test_an_update_that_breaks_its_type_changes_nothing(mode):
    row, n = shared(np.ones((1, 2)), broadcastable=(True, False)), shared(0)
    x = T.dmatrix("x")
    f = function([x], updates=[(n, n + 1), (row, x)], mode=mode)
    with pytest.raises(ShapeError, match="update of"):
        f(np.ones((2, 2)))
    assert values(n, row) == [0, [[1, 1]]]
    f(np.zeros((1, 2)))
    assert values(n, row) == [1, [[0, 0]]]


def test_two_functions_take_turns_on_one_state(mode):
    w = shared(np.zeros(2))
    up, double = (function([], w, updates=[(w, new)], mode=mode) for new in (w + 1, w * 2))
    assert [f().tolist() for f in (up, double, up, double)] == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert values(w) == [[6, 6]]


def test_an_update_by_another_dtype(mode):
    w = shared(np.zeros(2))
    function([], updates=[(w, T.arange(2) + 1)], mode=mode)()
    assert values(w) == [[1, 2]]
    assert w.get_value().dtype == "float64"
