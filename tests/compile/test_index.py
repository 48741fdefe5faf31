"""Slices are views; vectors of integers gather and scatter."""

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.errors import InputError


def kernels(f, *arguments):
    """Return the names of the kernels of a call."""
    f(*arguments)
    return [name.split()[1] for name in f.profile.steps]


def test_a_slice_of_rows_is_a_view():
    x, i = T.dmatrix("x"), T.lscalar("i")
    f = function([x, i], T.dot(x[i * 2 : (i + 1) * 2], x[:3].T), profile=True)
    assert kernels(f, np.ones((6, 3)), 1) == ["Dot"]


def test_a_slice_fuses_into_the_loop_that_reads_it():
    x = T.dmatrix("x")
    f = function([x], x[1:, ::-1] * 2 - x[:-1], profile=True)
    a = np.arange(12.0).reshape(4, 3)
    assert kernels(f, a) == ["Sub"]
    np.testing.assert_array_equal(f(a), a[1:, ::-1] * 2 - a[:-1])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64"])
def test_indices_of_any_width(dtype):
    x, i = T.dmatrix("x"), T.TensorType(dtype, (None,))("i")
    a = np.arange(300.0).reshape(100, 3)
    indices = np.array([0, 99, 50, 99], dtype)
    picked, slope = function([x, i], [x[i], grad((x[i] ** 2).sum(), x)])(a, indices)
    np.testing.assert_array_equal(picked, a[indices])
    expected = np.zeros_like(a)
    np.add.at(expected, indices, 2 * a[indices])
    np.testing.assert_array_equal(slope, expected)


@pytest.mark.parametrize("index", [100, -101, 2**31, -(2**40)])
def test_an_index_out_of_range_is_never_read(index):
    x, i = T.dvector("x"), T.lvector("i")
    f = function([x, i], x[i])
    with pytest.raises(InputError, match=rf"index {index} \(element 1 "):
        f(np.zeros(100), [0, index])
    assert f(np.zeros(100), [99, -100]).tolist() == [0, 0]


def test_the_first_bad_index_is_named():
    x, i = T.dmatrix("x"), T.lvector("i")
    f = function([x, i], x[i, i])
    with pytest.raises(InputError, match=r"index 3 \(element 2 .* axis 1"):
        f(np.zeros((4, 3)), [0, 2, 3, 7])
    with pytest.raises(InputError, match=r"index 7 \(element 0 .* axis 0"):
        f(np.zeros((4, 3)), [7, 3])


def test_an_index_into_nothing():
    x, i = T.dmatrix("x"), T.lvector("i")
    f = function([x, i], x[i])
    with pytest.raises(InputError, match="index 0"):
        f(np.zeros((0, 3)), [0])
    assert f(np.zeros((0, 3)), []).shape == (0, 3)
    assert f(np.zeros((3, 0)), [1, 1]).shape == (2, 0)


def test_gradients_of_rows_that_repeat_add_up_in_order():
    table, i = shared(np.zeros((5, 2), "float32")), T.ivector("i")
    values = T.fmatrix("values")
    slope = grad((table[i] * values).sum(), table)
    f = function([i, values], updates=[(table, table + slope)])
    v = np.array([[1e8, 1], [1, 1], [-1e8, 1]], "float32")
    f([3, 3, 3], v)
    expected = np.zeros((5, 2), "float32")
    np.add.at(expected, [3, 3, 3], v)
    np.testing.assert_array_equal(table.get_value(), expected)


def test_views_of_views_with_symbolic_bounds():
    x, i, j = T.dmatrix("x"), T.lscalar("i"), T.lscalar("j")
    a = np.arange(30.0).reshape(6, 5)
    makes = [
        lambda x, i, j: x[i:][j] * 1,
        lambda x, i, j: x[i:][:, j:] * 1,
        lambda x, i, j: x.T[i:][::-1] * 1,
        lambda x, i, j: x.T[j, i:] * 1,
        lambda x, i, j: x[i:].reshape((-1,))[j:] * 1,
        lambda x, i, j: x[::-1][i, ::-1][j] * 1,
        lambda x, i, j: x[i : i + 2].flatten()[::2][j] * 1,
    ]
    f = function([x, i, j], [make(x, i, j) for make in makes])
    for p, q in [(0, 0), (1, 2), (3, 1)]:
        for make, got in zip(makes, f(a, p, q), strict=True):
            np.testing.assert_array_equal(got, make(a, p, q))
