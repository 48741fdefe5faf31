"""The compiled mode against the reference at the limits of every dtype: overflow, zeros, NaN and infinity."""

import numpy as np
import pytest

from arignote import function
from arignote import tensor as T
from arignote.engine.errors import DTypeError

UNARY = [
    "neg", "abs_", "sgn", "sqr", "inv", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
    "arctanh", "erf", "erfc", "erfinv", "erfcinv", "gamma", "gammaln", "psi", "tri_gamma", "floor",
    "ceil", "trunc", "round", "isnan", "isinf", "invert", "cumsum", "cumprod", "sort", "argsort", "sum",
    "prod", "max", "min", "argmax", "argmin", "any", "all",
]  # fmt: skip
BINARY = [
    "add", "sub", "mul", "true_div", "int_div", "mod", "pow", "maximum", "minimum", "arctan2", "eq",
    "lt", "ge", "and_", "xor", "isclose",
]  # fmt: skip
#: What bools or floats do not have.
REFUSED = {"sub", "neg", "invert", "and_", "xor"}
PAIRS = [
    ("int8", "int8"),
    *(
        pytest.param(*pair, marks=pytest.mark.slow)
        for pair in [
            ("bool", "bool"), ("uint8", "int8"), ("uint8", "uint8"), ("int64", "int64"), ("int64", "uint64"),
            ("uint64", "uint64"), ("int8", "float32"), ("float32", "float32"), ("float64", "float64"),
            ("bool", "int64"), ("bool", "float64"),
        ]
    ),
]  # fmt: skip


def limits(dtype):
    generator = np.random.default_rng(0)
    if dtype == "bool":
        return np.array([False, True])
    if dtype.startswith("float"):
        most = np.finfo(dtype)
        special = [np.nan, np.inf, -np.inf, 0, -0.0, most.tiny, most.max, most.min, 1, -1, 2, 0.5, -0.5, 1e-3]
        return np.concatenate([special, generator.normal(0, 2, 9), generator.normal(0, 50, 9)]).astype(dtype)
    most = np.iinfo(dtype)
    spread = generator.integers(most.min, most.max, 9, dtype, endpoint=True)
    return np.concatenate([np.array([most.min, most.max, 0, 1, most.max - 1], dtype), spread])


def agrees(actual, expected):
    assert actual.dtype == expected.dtype
    if actual.dtype.kind != "f":
        return np.testing.assert_array_equal(actual, expected)
    # The functions err by a few units, and the gamma functions near their poles by more.
    rtol = 64 * np.finfo(actual.dtype).eps
    return np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0)


def compare(names, variables, arrays):
    expressions = []
    for name in names:
        try:
            expressions.append(getattr(T, name)(*variables))
        except DTypeError:
            assert name in REFUSED
    for expression in expressions:
        with np.errstate(all="ignore"):
            compiled, reference = (
                function(variables, expression, mode=mode)(*arrays) for mode in ("compiled", "reference")
            )
        agrees(compiled, reference)


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_two_operands(left, right):
    arrays = [each.ravel() for each in np.meshgrid(limits(left), limits(right))]
    compare(BINARY, [T.TensorType(dtype, (None,))() for dtype in (left, right)], arrays)


@pytest.mark.parametrize(
    "dtype",
    [
        "uint8",
        *(pytest.param(d, marks=pytest.mark.slow) for d in ("bool", "int8", "int64", "float32", "float64")),
    ],
)
def test_one_operand(dtype):
    compare(UNARY, [T.TensorType(dtype, (None,))()], [limits(dtype)])
