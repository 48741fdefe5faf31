import ctypes

import numpy as np
import pytest
import scipy.special

from arignote.compile.kernels.softmax import tasks
from arignote.compile.objects import kernel_address
from arignote.compile.spec import KernelSpec

pytestmark = pytest.mark.usefixtures("own_cache")
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
SHAPES = [(1, 1), (10, 10), (128, 10), (3, 100), (33, 17), (8, 1000), (0, 5), (5, 0)]
DTYPES = ["float32", "float64"]


def run(builder, *arrays, place=np.copy):
    rows, columns = arrays[0].shape
    arrays = [place(array) for array in (*arrays, np.full_like(arrays[0], 77))]
    address = kernel_address(KernelSpec.of(f"softmax:{builder}", dtype=str(arrays[0].dtype)))
    words = (ctypes.c_int64 * (len(arrays) + 2))(*(array.ctypes.data for array in arrays), rows, columns)
    count = tasks(rows)
    for begin, end in ((0, count // 2), (count // 2, count)):
        assert SIGNATURE(address)(words, None, begin, end) == 0
    return arrays[-1]


def matrix(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(0, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(shape, dtype):
    x = matrix(shape, dtype)
    expected = scipy.special.softmax(x.astype("longdouble"), axis=1) if x.size else x
    np.testing.assert_allclose(run("softmax", x), expected.astype(dtype), rtol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_log_softmax(shape, dtype):
    x = matrix(shape, dtype)
    expected = scipy.special.log_softmax(x.astype("longdouble"), axis=1) if x.size else x
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        run("log_softmax", x), expected.astype(dtype), rtol=tolerance, atol=8 * tolerance
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_gradient(shape, dtype):
    g, y = matrix(shape, dtype), np.abs(matrix(shape, dtype, seed=1))
    y /= y.sum(1, keepdims=True)
    expected = (g - (g.astype("float64") * y).sum(1, keepdims=True)) * y
    np.testing.assert_allclose(run("softmax_gradient", g, y), expected, rtol=0, atol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_any_size_neither_overflow_nor_vanish(dtype):
    huge = np.finfo(dtype).max / 4
    x = np.array([[huge, huge, -huge], [-huge, -huge, -huge], [1000, 999, 0]], dtype)
    np.testing.assert_allclose(run("softmax", x), scipy.special.softmax(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(run("log_softmax", x), scipy.special.log_softmax(x, axis=1), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [5, 40])
def test_infinities_and_nan_follow_the_formula(dtype, columns):
    x = matrix((5, columns), dtype)
    x[0] = -np.inf
    x[1, 3] = np.nan
    x[2, 2] = np.inf
    x[3, 1] = -np.inf
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = x - x.max(1, keepdims=True)
        expected = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
        np.testing.assert_allclose(run("softmax", x), expected, rtol=1e-5)
        np.testing.assert_allclose(run("log_softmax", x), np.log(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("end", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shape", [(3, 10), (9, 77)])
def test_nothing_beside_the_arrays_is_touched(shape, end, dtype):
    from guarded import guarded

    x = matrix(shape, dtype)
    for builder, operands in (("softmax", (x,)), ("log_softmax", (x,)), ("softmax_gradient", (x, x))):
        found = run(builder, *operands, place=lambda array: guarded(array, end))
        np.testing.assert_array_equal(found, run(builder, *operands))
