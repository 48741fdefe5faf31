import ctypes

import numpy as np
import pytest
import scipy.special

from arignote import function, grad
from arignote import tensor as T
from arignote.compile.kernels.softmax import tasks
from arignote.compile.objects import kernel_address
from arignote.compile.spec import KernelSpec
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import op_name
from arignote.engine.ops.softmax import LogSoftmaxAt, LogSoftmaxAtGradient

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


@pytest.mark.parametrize("loss", [LogSoftmaxAt(), LogSoftmaxAtGradient()], ids=op_name)
def test_a_class_out_of_range_is_named(loss):
    x, y = T.dmatrix("x"), T.ivector("y")
    inputs = [x, y] if isinstance(loss, LogSoftmaxAt) else [x[:, 0], x, y]
    f = function([x, y], loss(*inputs))
    for classes, bad in (([0, 2, 3], 2), ([-4, 0, 0], 0)):
        with pytest.raises(
            InputError, match=rf"element {bad} of the index array\) is out of range for axis 1"
        ):
            f(np.zeros((3, 3)), np.array(classes, "int32"))


def test_the_classes_are_as_many_as_the_rows():
    x, y = T.dmatrix("x"), T.ivector("y")
    f = function([x, y], LogSoftmaxAt()(x, y))
    with pytest.raises(ShapeError, match="the classes"):
        f(np.zeros((3, 3)), np.zeros(2, "int32"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_takes_two_kernels_for_loss_and_gradient(dtype):
    """As everybody writes it, whatever the number of cases; the values are SciPy's."""
    x, y = T.TensorType(dtype, (None, None))("x"), T.ivector("y")
    cost = -T.log(T.nnet.softmax(x))[T.arange(y.shape[0]), y].sum()
    f = function([x, y], [cost, grad(cost, x)])
    for cases in (3, 9000):
        logits, classes = matrix((cases, 4), dtype), np.arange(cases, dtype="int32") % 4
        value, slope = f(logits, classes)
        logarithms = scipy.special.log_softmax(logits.astype("float64"), axis=1)
        np.testing.assert_allclose(value, -logarithms[np.arange(cases), classes].sum(), rtol=1e-5)
        np.testing.assert_allclose(slope, np.exp(logarithms) - np.eye(4)[classes], rtol=1e-5, atol=1e-6)
    assert f.explain().count("softmax:log_softmax_at") == 4
    assert "index:move" not in f.explain()
