"""The dtype rules of Theano 1.0: `upcast`, `upgrade_to_float`, and the autocasts of Python numbers."""

import numpy as np
import pytest

from arignote import config, function, shared
from arignote import tensor as T
from arignote.engine.errors import ConfigError, DTypeError, ShapeError
from arignote.engine.types import DTYPES, TensorType, constant_array, float_dtype, upcast


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("int8", "int16"), "int16"),
        (("int8", "uint8"), "int16"),
        (("int32", "uint32"), "int64"),
        (("int64", "uint64"), "float64"),
        (("int16", "float32"), "float32"),
        (("int32", "float32"), "float64"),
        (("int64", "float32"), "float64"),
        (("float32", "float64"), "float64"),
        (("bool", "int8"), "int8"),
        (("bool", "bool"), "bool"),
        (("uint8", "float32", "int8"), "float32"),
    ],
)
def test_upcast_holds_all_values(dtypes, expected):
    assert upcast(*dtypes) == upcast(*reversed(dtypes)) == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_reals_make_small_integers_float32_and_others_float64(dtype):
    expected = {
        "bool": "float32",
        "int8": "float32",
        "uint8": "float32",
        "int16": "float32",
        "uint16": "float32",
        "float32": "float32",
    }.get(dtype, "float64")
    assert float_dtype(dtype) == T.exp(TensorType(dtype, ())()).dtype == expected


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (0, "int8"),
        (127, "int8"),
        (-128, "int8"),
        (128, "int16"),
        (-129, "int16"),
        (40_000, "int32"),
        (1 << 40, "int64"),
        (True, "bool"),
        (0.5, "float32"),
        (0.1, "float64"),
        (float("inf"), "float32"),
        (float("nan"), "float32"),
        (1e300, "float64"),
        (16777217.0, "float64"),
        (-0.0, "float32"),
    ],
)
def test_python_numbers_take_the_smallest_dtype_that_holds_them(number, dtype):
    array = constant_array(number)
    assert str(array.dtype) == dtype
    np.testing.assert_array_equal(array, number)
    assert str(np.signbit(array)) == str(np.signbit(number))


@pytest.mark.usefixtures("float32")
def test_floats_are_float32_under_floatx_float32():
    assert str(constant_array(0.1).dtype) == "float32"
    assert T.matrix().dtype == (T.fmatrix() * 0.1).dtype == (T.ivector() / 3).dtype == "float32"
    assert (T.dmatrix() * 0.1).dtype == "float64"
    assert T.zeros((2,)).dtype == "float32"


def test_floatx_is_float64_unless_assigned():
    assert T.matrix().dtype == (T.ivector() / 3).dtype == T.ones((2,)).dtype == "float64"
    with pytest.raises(ConfigError, match="one of 'float32', 'float64'"):
        config.floatX = "float16"


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1])
def test_integers_of_more_than_64_bits_are_refused(value):
    with pytest.raises(DTypeError, match="64 bits"):
        constant_array(value)


@pytest.mark.parametrize("value", ["text", None, 1j, object()])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(DTypeError, match="constant"):
        T.as_tensor_variable(value)


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda x: x * 0.5, "float32"),
        (lambda x: x + 1, "float32"),
        (lambda x: x + np.float64(1), "float64"),
        (lambda x: x**2, "float32"),
        (lambda x: x + np.zeros(1), "float64"),
        (lambda x: x > 0.1, "bool"),
        (lambda x: T.eq(x, 1).sum(), "int64"),
        (lambda x: x.mean(), "float32"),
        (lambda x: T.switch(x > 0, x, 0), "float32"),
        (lambda x: x.argmax(), "int64"),
        (lambda x: x.shape[0] * x, "float64"),
    ],
)
def test_dtypes_of_expressions_of_float32(make, dtype):
    assert make(T.fvector()).dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "total"), [("bool", "int64"), ("int8", "int64"), ("uint8", "uint64"), ("float32", "float32")]
)
def test_sums_of_whole_numbers_have_64_bits(dtype, total):
    x = TensorType(dtype, (None,))()
    assert x.sum().dtype == x.prod().dtype == total
    assert x.max().dtype == dtype


def test_shared_values_keep_numpys_dtypes():
    assert (shared(1).dtype, shared(1.0).dtype, shared(np.float32(1)).dtype) == (
        "int64",
        "float64",
        "float32",
    )


def test_types_of_the_makers():
    assert T.fmatrix().type == TensorType("float32", (None, None))
    assert T.row().broadcastable == (True, False)
    assert T.col("c", dtype="float32").type == TensorType("float32", (None, 1))
    assert [x.name for x in T.matrices("x", "y")] == [x.name for x in T.dmatrices("xy")] == ["x", "y"]
    assert [x.name for x in T.matrices(["first", "second"])] == ["first", "second"]
    assert T.scalars("x").name == "x"
    assert T.TensorType("float32", (False,), "name") == T.fvector
    assert len(T.lscalars(3)) == 3
    assert T.ltensor4().type == T.ltensor4 == TensorType("int64", (None,) * 4)
    assert T.TensorType(dtype="float32", broadcastable=(False, True)).shape == (None, 1)
    assert T.dmatrix("x").type("y").name == T.dmatrix.make_variable("y").name == "y"
    for wrong in ({}, {"shape": (1,), "broadcastable": (True,)}):
        with pytest.raises(ShapeError, match="a shape or a broadcastable pattern"):
            TensorType("float32", **wrong)


def test_types_filter_values():
    assert T.fvector.filter([0.1]).dtype == "float32"
    assert T.fvector.filter(np.ones(2), allow_downcast=True).dtype == "float32"
    with pytest.raises(DTypeError, match=r"float32\(\?\): filter"):
        T.fvector.filter(np.ones(2))
    with pytest.raises(DTypeError, match="an array of float32"):
        T.fvector.filter([0.1], strict=True)
    assert T.fvector.values_eq(np.ones(2), np.ones(2))
    assert not T.fvector.values_eq(np.ones(2), np.zeros(2))


def test_extents_of_types():
    kind = TensorType("float32", (None, 3, True, False))
    assert kind.shape == (None, 3, 1, None)
    assert kind.admits((7, 3, 1, 0))
    assert not kind.admits((7, 4, 1, 0))
    assert not kind.admits((7, 3, 1))
    assert str(kind) == "float32(?, 3, 1, ?)"
    with pytest.raises(ShapeError, match="at least 0"):
        TensorType("float32", (-1,))
    with pytest.raises(DTypeError, match="complex128"):
        TensorType("complex128", ())


def test_whole_numbers_divide_in_the_floatx_of_the_line(float32):
    out = T.lscalar("i") / 2
    config.floatX = "float64"  # what was written stays what it was
    assert out.dtype == "float32"
    assert function(list(out.owner.inputs[0].owner.inputs[:1]), out)(1).dtype == "float32"
    assert (T.lscalar("i") / 2).dtype == "float64"
    assert (T.iscalar() / T.fscalar()).dtype == "float64"
    assert (T.bscalar() / T.fscalar()).dtype == "float32"


def test_makers_of_constants_and_variables():
    assert T.constant(3).type == TensorType("int8", ())
    assert T.constant([[1, 2]], "c", ndim=3, dtype="float32").type == TensorType("float32", (1, 1, 2))
    assert T.constant(1, "c").name == "c"
    with pytest.raises(ShapeError, match="at most 1 dimensions"):
        T.constant([[1]], ndim=1)
    x = T.row("x")
    assert T.as_tensor_variable(x) is x
    assert T.as_tensor_variable(x, ndim=1).type == TensorType("float64", (None,))
    assert T.as_tensor_variable(x, ndim=4).type == TensorType("float64", (1, 1, 1, None))
    assert T.as_tensor_variable([T.scalar(), 1.0]).type == TensorType("float64", (2,))
    assert T.as_tensor_variable(np.zeros(2), name="z").name == "z"
    with pytest.raises(ShapeError, match="at most 1 dimensions"):
        T.as_tensor_variable(T.matrix(), ndim=1)
    assert T.tensor("int8", (True, False), name="t").type == TensorType("int8", (1, None))
