"""Loops: how dimensions are joined, and sums in every order of axes and strides."""

import itertools

import numpy as np
import pytest

from arignote import function
from arignote import tensor as T
from arignote.compile.kernels.elementwise import BLOCK, COLUMNS, collapse, expression
from arignote.compile.threads import get_num_threads, set_num_threads
from arignote.engine.ops.elementwise import Add, Cast, Sigmoid, Switch
from arignote.engine.types import TensorType


@pytest.fixture
def two_threads():
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


def test_contiguous_dimensions_join():
    assert collapse((2, 3, 4), [(12, 4, 1), (12, 4, 1)], (), ()) == [(24, (1, 1), False)]


def test_a_transposed_operand_keeps_dimensions_apart():
    assert collapse((3, 4), [(4, 1), (1, 3)], (), ()) == [(3, (4, 1), False), (4, (1, 3), False)]


def test_dimensions_of_extent_one_go():
    assert collapse((1, 5, 1), [(5, 1, 1), (0, 1, 0)], (), (0, 2)) == [(5, (1, 1), False)]
    assert collapse((1, 1), [(1, 1)], (), (0, 1)) == [(1, (0,), False)]


def test_broadcast_dimensions_join():
    assert collapse((2, 3, 4), [(12, 4, 1), (0, 0, 1)], (), ()) == [(6, (4, 0), False), (4, (1, 1), False)]


def test_reduced_dimensions_join_only_each_other():
    assert collapse((2, 3, 4), [(0, 0, 1), (12, 4, 1)], (0, 1), ()) == [(6, (0, 4), True), (4, (1, 1), False)]


def test_expressions_say_every_dtype():
    assert expression(Add(), ["a", "b"], ["int8", "float32"]) == "float32(float32(a) + float32(b))"
    assert expression(Cast("int8"), ["a"], ["float32"]) == "int8(int8(a))"
    assert expression(Sigmoid(), ["a"], ["int8"]).count("float32(1)") == 2
    assert expression(Switch(), ["c", "a", "b"], ["int8", "int8", "float32"]).startswith(
        "float32(where(bool(c)"
    )


ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_sums_of_views_in_every_order(axes):
    x = T.dtensor3("x")
    views = [x.dimshuffle(*order)[:, ::-1, 1:] for order in ORDERS]
    f = function([x], [view.sum(axes) for view in views] + [view.max(axes) for view in views])
    a = np.random.default_rng(0).integers(-99, 99, (3, 4, 5)).astype("float64")
    expected = [a.transpose(order)[:, ::-1, 1:] for order in ORDERS]
    for got, want in zip(
        f(a), [e.sum(axes) for e in expected] + [e.max(axes) for e in expected], strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_blocks_of_a_long_array(size):
    x = T.fvector("x")
    a = np.arange(size, dtype="float32")
    f = function([x], x * 2 + 1)
    np.testing.assert_array_equal(f(a), a * 2 + 1)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("columns", [1, COLUMNS - 1, COLUMNS, COLUMNS + 1, 3 * COLUMNS + 5])
def test_blocks_of_columns(columns):
    x = T.dmatrix("x")
    a = np.random.default_rng(0).integers(-99, 99, (7, columns)).astype("float64")
    f = function([x], [x.sum(0), x.max(0), x.sum(1), x.min(1)])
    for got, want in zip(f(a), [a.sum(0), a.max(0), a.sum(1), a.min(1)], strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_same_bits_at_any_number_of_threads():
    x = T.fmatrix("x")
    f = function([x], [T.tanh(x).sum(0), (x * x).sum(1), T.exp(x).sum(), x.mean()])
    a = np.random.default_rng(0).standard_normal((300, 500), "float32")
    before = get_num_threads()
    set_num_threads(1)
    one = f(a)
    set_num_threads(2)
    two = f(a)
    set_num_threads(before)
    for p, q in zip(one, two, strict=True):
        np.testing.assert_array_equal(p, q)


def test_bools_are_bytes_of_zero_and_one():
    x = TensorType("bool", (None,))("x")
    raw = np.array([0, 1, 1, 0], "uint8").view("bool")
    results = function([x], [~x, x & True, T.cast(x, "int8") * 3, x.max(), T.eq(x, False)])(raw)
    assert [r.tolist() for r in results] == [
        [True, False, False, True],
        [False, True, True, False],
        [0, 3, 3, 0],
        True,
        [True, False, False, True],
    ]
    assert all(set(r.view("uint8").ravel()) <= {0, 1} for r in results if r.dtype == bool)


def test_a_long_float32_sum_keeps_its_digits():
    x = T.fvector("x")
    a = np.full(10_000_000, 0.1, "float32")
    # Blocks of 4096 add up at least 16 numbers at once, then 2442 blocks: no more roundings than 256 + 2442.
    bound = (4096 / 16 + 10_000_000 / 4096) * float(np.finfo("float32").eps) / 2
    assert float(function([x], x.sum())(a)) == pytest.approx(float(a.sum(dtype="float64")), rel=bound)


def test_special_values_are_kept():
    x = T.fvector("x")
    a = np.array([np.nan, np.inf, -np.inf, -0.0], "float32")
    isnan, doubled, largest = function([x], [T.isnan(x), x * 1.0 + 0.0, x.max()])(a)
    assert isnan.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(doubled, a)
    assert np.isnan(largest)
