"""Slices are views; vectors of integers gather and scatter."""

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.compile.objects import cache_statistics
from arignote.compile.stages import split
from arignote.engine.errors import InputError, ShapeError


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


def test_a_part_is_written_to_a_copy():
    x, y, i = T.dmatrix("x"), T.dvector("y"), T.lscalar("i")
    a = np.arange(12.0).reshape(4, 3)
    f = function([x, y, i], [T.set_subtensor(x[i], y), T.inc_subtensor(x[i:, 1], 1.0), x * 1])
    for k in (0, 2, -1):
        was_set, incremented, same = f(a, [7, 8, 9], k)
        expected = a.copy()
        expected[k] = [7, 8, 9]
        np.testing.assert_array_equal(was_set, expected)
        expected = a.copy()
        expected[k:, 1] += 1
        np.testing.assert_array_equal(incremented, expected)
        np.testing.assert_array_equal(same, np.arange(12.0).reshape(4, 3))


def test_rows_of_a_shared_variable_are_updated():
    table, i = shared(np.zeros((4, 2)), "table"), T.lvector("i")
    f = function([i], updates=[(table, T.inc_subtensor(table[i], 1.0))])
    f([1, 1, 3])
    np.testing.assert_array_equal(table.get_value(), [[0, 0], [2, 2], [0, 0], [1, 1]])
    with pytest.raises(InputError, match="index 4 "):
        f([0, 4])
    np.testing.assert_array_equal(table.get_value(), [[0, 0], [2, 2], [0, 0], [1, 1]])


def test_another_number_of_indices_compiles_nothing():
    x, i, y = T.dtensor3("x"), T.lvector("i"), T.dscalar("y")
    part = x[:, i, 1:]
    f = function([x, i, y], [part, T.inc_subtensor(part, y), grad((part**2).sum(), x)])
    f(np.ones((2, 5, 3)), [1, 2, 3], 1)
    before = cache_statistics()
    for shape, indices in [((3, 4, 4), [0, 1]), ((2, 9, 5), [8, 8, 1, 0]), ((2, 5, 3), [])]:
        a = np.random.default_rng(0).standard_normal(shape)
        np.testing.assert_array_equal(f(a, indices, 0)[0], a[:, np.array(indices, int), 1:])
    after = cache_statistics()
    assert (after.compiled, after.loaded) == (before.compiled, before.loaded)


def test_steps_of_slices_are_in_the_key():
    x, i, s = T.dvector("x"), T.lscalar("i"), T.lscalar("s")
    f = function([x, i, s], [x[i::s] * 1, T.set_subtensor(x[i::s], 0.0)])
    a = np.arange(9.0)
    for start, step in [(0, 2), (1, 2), (8, -2), (7, -2), (0, 3), (4, -1), (0, 1)]:
        part, rest = f(a, start, step)
        np.testing.assert_array_equal(part, a[start::step])
        np.testing.assert_array_equal(rest, np.where(np.isin(a, a[start::step]), 0, a))
    with pytest.raises(ShapeError, match="an integer other than 0"):
        f(a, 0, 0)


def test_an_index_that_data_decides():
    x = T.dmatrix("x")
    f = function([x], [x[x[:, 0].argmax()], T.set_subtensor(x[x[:, 0].argmax()], 0.0)])
    a = np.array([[1.0, 2], [5, 3], [4, 4]])
    row, rest = f(a)
    np.testing.assert_array_equal(row, [5, 3])
    np.testing.assert_array_equal(rest, [[1, 2], [0, 0], [4, 4]])


@pytest.mark.parametrize("dtype", ["uint64", "uint8", "int16"])
def test_the_largest_index_of_a_width_is_out_of_range(dtype):
    x, i = T.dvector("x"), T.TensorType(dtype, (None,))("i")
    f = function([x, i], x[i])
    with pytest.raises(InputError, match="out of range"):
        f(np.zeros(100), np.array([0, np.iinfo(dtype).max], dtype))


def test_the_bad_element_of_a_matrix_of_indices_is_named():
    x, i = T.dmatrix("x"), T.lmatrix("i")
    for mode in ("reference", None):
        f = function([x, i], x[:, i], mode=mode)
        with pytest.raises(InputError, match=r"index 3 \(element \(1, 0\) .* axis 1"):
            f(np.zeros((9, 3)), [[0, 2], [3, 7]])


def test_vectors_of_extents_do_not_cut_the_program():
    x, w, n = T.dtensor3("x"), T.dmatrix("w"), T.lscalar("n")
    outputs = [
        T.zeros(x.shape[1:]) + w,
        T.zeros(T.concatenate([x.shape[:2], [n]])),
        x.reshape((x.shape[0], T.prod(x.shape[1:]))),
        T.ones(x.shape[1:] - w.shape + 1) * T.max(x.shape),
        T.tile(w, (n, 1)),
    ]
    f = function([x, w, n], outputs, profile=True)
    a, b = np.ones((2, 3, 4)), np.ones((3, 4))
    for count in (1, 3):
        results = f(a, b, count)
        assert [r.shape for r in results] == [(3, 4), (2, 3, count), (2, 12), (1, 1), (3 * count, 4)]
        assert results[3].tolist() == [[4]]
    assert not split(outputs, [], None)  # into stages


def test_increments_of_one_sum_are_made_in_place():
    x, w = T.dmatrix("x"), T.dmatrix("w")
    cost = sum((T.tanh(x[i]) * w[i]).sum() for i in range(6)) + (x * w).sum()
    f = function([x, w], grad(cost, x), profile=True)
    a, b = np.random.default_rng(0).standard_normal((2, 6, 3))
    np.testing.assert_allclose(f(a, b), b * (1 - np.tanh(a) ** 2) + b, rtol=1e-13)
    # Each row is computed by a loop and added by another; only the sum is copied, to be returned.
    assert sorted(kernels(f, a, b)) == ["IncSubtensor"] * 7 + ["Mul"] * 7


def test_what_is_needed_elsewhere_is_not_written_over():
    x, i = T.dvector("x"), T.lvector("i")
    y = T.exp(x)
    outputs = [
        T.set_subtensor(y[i], 0.0) + 1,
        T.inc_subtensor(y[1:], y[:-1]),
        y * 2,
        T.inc_subtensor(x[1:], x[:-1]),
    ]
    f = function([x, i], outputs)
    a = np.array([0.0, 1, 2])
    e = np.exp(a)
    for _ in range(2):
        results = f(a, [1])
        shifted = np.add(e, [0, *e[:-1]])
        expected = [e * [1, 0, 1] + 1, shifted, e * 2, np.add(a, [0, 0, 1])]
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, wanted, rtol=1e-15)
    alone = function([x], T.inc_subtensor(T.exp(x)[1:], T.exp(x)[:-1]))
    np.testing.assert_allclose(alone(a), shifted, rtol=1e-15)
