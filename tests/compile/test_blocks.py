"""Products that the loop reading them computes a few rows at a time: of integers, exactly NumPy's."""

import numpy as np
import pytest

from arignote import function, shared
from arignote import tensor as T
from arignote.compile.kernels.blocks import LEAST_BYTES, MOST_TERMS

pytestmark = pytest.mark.usefixtures("own_cache")

# The last block of rows has as many as the others, fewer, one.
SHAPES = [(700, 500), (643, 512), (301, 999)]


def integers(*shape):
    return np.random.default_rng(0).integers(-3, 4, shape).astype("float64")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("terms", [1, 10, MOST_TERMS])
def test_an_update_by_a_product(shape, terms):
    rows, columns = shape
    assert rows * columns * 8 >= LEAST_BYTES
    before, a, b = integers(rows, columns), integers(terms, rows), integers(terms, columns)
    w, x, y = shared(before.copy()), T.dmatrix(), T.dmatrix()
    f = function([x, y], [], updates=[(w, w - 0.5 * T.dot(x.T, y))], profile=True)
    f(a, b)
    assert "Sub blocks" in f.profile.summary()
    assert np.array_equal(w.get_value(), before - 0.5 * (a.T @ b))


def test_rows_and_columns_that_the_loop_reads_beside_the_product():
    a, b, row, column = integers(10, 643), integers(10, 512), integers(512), integers(643, 1)
    x, y, r, c = T.dmatrix(), T.dmatrix(), T.dvector(), T.dcol()
    out = abs(T.dot(x.T, y) + r) * c
    assert np.array_equal(function([x, y, r, c], out)(a, b, row, column), abs(a.T @ b + row) * column)


def test_momentum():
    a, b, start = integers(10, 643), integers(10, 512), integers(643, 512)
    w, v, x, y = shared(start.copy()), shared(2 * start), T.dmatrix(), T.dmatrix()
    new = 0.5 * v - (T.dot(x.T, y) + w)
    f = function([x, y], [], updates=[(v, new), (w, w + new)])
    weights, velocity = start, 2 * start
    for _ in range(2):
        f(a, b)
        velocity = 0.5 * velocity - (a.T @ b + weights)
        weights = weights + velocity
        assert np.array_equal(v.get_value(), velocity)
        assert np.array_equal(w.get_value(), weights)


def test_a_product_of_a_variable_that_is_updated_too_sees_its_old_value():
    a, start = integers(10, 600), integers(600, 600)
    w, v = shared(start.copy()), shared(a.copy())
    function([], [], updates=[(v, v + 1.0), (w, w - T.dot(v.T, v))])()
    assert np.array_equal(w.get_value(), start - a.T @ a)
    assert np.array_equal(v.get_value(), a + 1)


def test_a_product_that_is_read_twice_is_computed_once():
    a, b = integers(10, 643), integers(10, 512)
    x, y = T.dmatrix(), T.dmatrix()
    product = T.dot(x.T, y)
    doubled, total = function([x, y], [product * 2.0, product.sum()])(a, b)
    assert np.array_equal(doubled, 2 * (a.T @ b))
    assert total == (a.T @ b).sum()
