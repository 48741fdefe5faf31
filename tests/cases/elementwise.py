"""Rows of the elementwise ops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.special

from arignote import tensor as T
from cases.table import EXACT, FLOATS, INTEGERS, integers, normal, numbers, row

WIDE, POSITIVE, UNIT, INSIDE, ABOVE = (-2.0, 2.0), (0.1, 3.0), (-0.9, 2.0), (-0.9, 0.9), (1.1, 4.0)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 3e38, -1e-3)


def pieces_of_sigmoid(x):
    """`theano.tensor.nnet.ultra_fast_sigmoid`, as its documentation draws it."""
    half = abs(x) / 2
    line = 0.935409070603099 + 0.0458812946797165 * (half - 1.7)
    size = np.select([half < 1.7, half < 3], [1.5 * half / (1 + half), line], 0.99505475368673)
    return (1 + np.sign(x) * size) / 2


def reflected_bits(x):
    return (5 & x) + (3 ^ x) * (8 | x)


def gammaln(x):
    """SciPy's, but at -inf, where log(abs(gamma(x))) has grown without bound, as the C standard has it."""
    return np.where(np.isneginf(x), np.inf, scipy.special.gammaln(x))


def scipy_xlogx(x):
    return scipy.special.xlogy(x, x)


# name, op, meaning, range, ulps, order. The bounds are those of `vector_math`, half an ulp for NumPy's own
# rounding, and one for each further operation of the formula.
UNARY = [
    ("neg", T.neg, np.negative, WIDE, EXACT, 2),
    ("abs", abs, np.abs, WIDE, EXACT, 2),
    ("sgn", T.sgn, np.sign, WIDE, EXACT, 0),
    ("sqr", T.sqr, np.square, WIDE, EXACT, 2),
    ("inv", T.inv, np.reciprocal, POSITIVE, EXACT, 2),
    ("exp", T.exp, np.exp, WIDE, 2, 2),
    ("exp2", T.exp2, np.exp2, WIDE, 2, 2),
    ("expm1", T.expm1, np.expm1, WIDE, 3, 2),
    ("log", T.log, np.log, POSITIVE, 2, 2),
    ("log1p", T.log1p, np.log1p, UNIT, 2, 2),
    ("log2", T.log2, np.log2, POSITIVE, 2, 2),
    ("log10", T.log10, np.log10, POSITIVE, 3, 2),
    ("sqrt", T.sqrt, np.sqrt, POSITIVE, EXACT, 2),
    ("sin", T.sin, np.sin, WIDE, 2, 2),
    ("cos", T.cos, np.cos, WIDE, 2, 2),
    ("tan", T.tan, np.tan, INSIDE, 2, 2),
    ("arcsin", T.arcsin, np.arcsin, INSIDE, 3, 2),
    ("arccos", T.arccos, np.arccos, INSIDE, 3, 2),
    ("arctan", T.arctan, np.arctan, WIDE, 3, 2),
    ("sinh", T.sinh, np.sinh, WIDE, 4, 2),
    ("cosh", T.cosh, np.cosh, WIDE, 4, 2),
    ("tanh", T.tanh, np.tanh, WIDE, 3, 2),
    ("arcsinh", T.arcsinh, np.arcsinh, WIDE, 4, 2),
    ("arccosh", T.arccosh, np.arccosh, ABOVE, 4, 2),
    ("arctanh", T.arctanh, np.arctanh, INSIDE, 4, 2),
    # SciPy's own functions err by a few units.
    ("erf", T.erf, scipy.special.erf, WIDE, 3, 2),
    ("erfc", T.erfc, scipy.special.erfc, WIDE, 8, 2),
    ("erfinv", T.erfinv, scipy.special.erfinv, INSIDE, 8, 2),
    ("erfcinv", T.erfcinv, scipy.special.erfcinv, (0.1, 1.9), 8, 2),
    ("gamma", T.gamma, scipy.special.gamma, (-2.9, 6.0), 16, 2),
    # Near its zeros at 1 and 2, and near that of psi at 1.46, what counts is the error of the terms.
    ("gammaln", T.gammaln, gammaln, (2.5, 20.0), 8, 2),
    ("psi", T.psi, scipy.special.psi, (2.5, 20.0), 8, 2),
    ("psi below 0", T.psi, scipy.special.psi, (-1.45, -1.1), 32, 2),
    ("tri_gamma", T.tri_gamma, lambda x: scipy.special.polygamma(1, x).astype(x.dtype), (-2.9, 6.0), 32, 2),
    ("xlogx", T.xlogx.xlogx, scipy_xlogx, POSITIVE, 4, 2),
    ("sigmoid", T.nnet.sigmoid, scipy.special.expit, WIDE, 4, 2),
    ("softplus", T.nnet.softplus, lambda x: np.logaddexp(x, 0), WIDE, 4, 2),
    ("floor", T.floor, np.floor, WIDE, EXACT, 0),
    ("ceil", T.ceil, np.ceil, WIDE, EXACT, 0),
    ("trunc", T.trunc, np.trunc, WIDE, EXACT, 0),
    ("round", T.round, np.round, WIDE, EXACT, 0),
    ("deg2rad", T.deg2rad, np.deg2rad, WIDE, 1, 2),
    ("rad2deg", T.rad2deg, np.rad2deg, WIDE, 1, 2),
    ("real", T.real, np.real, WIDE, EXACT, 2),
    ("imag", T.imag, np.imag, WIDE, EXACT, 0),
    ("conj", T.conj, np.conj, WIDE, EXACT, 2),
    ("isnan", T.isnan, np.isnan, WIDE, EXACT, 0),
    ("isinf", T.isinf, np.isinf, WIDE, EXACT, 0),
    (
        "relu",
        T.nnet.relu,
        lambda x: np.where(np.isnan(x), 0, np.maximum(x, 0)).astype(x.dtype),
        WIDE,
        EXACT,
        2,
    ),
    (
        "relu with a slope",
        lambda x: T.nnet.relu(x, 0.25),
        lambda x: np.where(x > 0, x, x * x.dtype.type(0.25)),
        WIDE,
        EXACT,
        2,
    ),
]
for name, op, meaning, (low, high), ulps, order in UNARY:
    for dtype in FLOATS:
        x = numbers(3, 7, low=low, high=high, dtype=dtype)
        row(f"{name} {dtype}", op, [x], meaning, ulps, order=order if dtype == "float64" else 0)
    row(f"{name} special", op, [np.array(SPECIAL, "float32")], meaning, ulps)

# name, op, meaning, range of the second operand, ulps, order
BINARY = [
    ("add", lambda x, y: x + y, np.add, WIDE, EXACT, 2),
    ("sub", lambda x, y: x - y, np.subtract, WIDE, EXACT, 2),
    ("mul", lambda x, y: x * y, np.multiply, WIDE, EXACT, 2),
    ("true_div", lambda x, y: x / y, np.divide, POSITIVE, EXACT, 2),
    ("int_div", lambda x, y: x // y, np.floor_divide, POSITIVE, EXACT, 0),
    ("mod", lambda x, y: x % y, np.mod, POSITIVE, EXACT, 1),
    ("arctan2", T.arctan2, np.arctan2, POSITIVE, 3, 2),
    ("xlogy0", T.xlogx.xlogy0, lambda x, y: np.where(x == 0, 0, x * np.log(y)), POSITIVE, 4, 2),
    ("maximum", T.maximum, np.maximum, WIDE, EXACT, 2),
    ("minimum", T.minimum, np.minimum, WIDE, EXACT, 2),
    ("eq", T.eq, np.equal, WIDE, EXACT, 0),
    ("neq", T.neq, np.not_equal, WIDE, EXACT, 0),
    ("lt", lambda x, y: x < y, np.less, WIDE, EXACT, 0),
    ("le", lambda x, y: x <= y, np.less_equal, WIDE, EXACT, 0),
    ("gt", lambda x, y: x > y, np.greater, WIDE, EXACT, 0),
    ("ge", lambda x, y: x >= y, np.greater_equal, WIDE, EXACT, 0),
]
for name, op, meaning, (low, high), ulps, order in BINARY:
    for dtype in FLOATS:
        x, y = numbers(3, 7, dtype=dtype), numbers(3, 7, low=low, high=high, dtype=dtype, seed=1)
        row(f"{name} {dtype}", op, [x, y], meaning, ulps, order=order if dtype == "float64" else 0)
    pairs = np.array(np.meshgrid(SPECIAL, SPECIAL), "float32").reshape(2, -1)
    row(f"{name} special", op, pairs, meaning, ulps)
    for dtype in ("bool", "int8", "uint8", "int64", "uint64"):
        x, y = integers(40, dtype=dtype), integers(40, low=1, dtype=dtype, seed=1)
        y[y == 0] = 1
        value = meaning
        if name == "true_div":
            value = lambda x, y: x.astype("float64") / y.astype("float64")  # noqa: E731 - a cell of the table
        elif name in ("arctan2", "xlogy0"):
            wide = "float64" if "64" in dtype else "float32"
            value = lambda x, y, m=meaning, w=wide: m(x.astype(w), y.astype(w))  # noqa: E731 - a cell
        if (name, dtype) != ("sub", "bool"):  # which is refused: see tests/engine/test_errors.py
            row(f"{name} {dtype}", op, [x, y], value, ulps)
for dtype in INTEGERS:
    limits = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 1, 0, 7], dtype)
    if dtype.startswith("int"):
        limits = np.append(limits, np.array([-1, -7], dtype))
    x, y = (each.ravel() for each in np.meshgrid(limits, limits))
    row(f"add wraps {dtype}", lambda x, y: x + y, [x, y], np.add)
    row(f"sub wraps {dtype}", lambda x, y: x - y, [x, y], np.subtract)
    row(f"mul wraps {dtype}", lambda x, y: x * y, [x, y], np.multiply)
    row(f"comparison of {dtype}", lambda x, y: x < y, [x, y], np.less)
    row(f"int_div {dtype}", lambda x, y: x // y, [x, y], np.floor_divide)
    row(f"mod {dtype}", lambda x, y: x % y, [x, y], np.mod)
    row(f"invert {dtype}", lambda x: ~x, [x], np.invert)
    row(
        f"sqr, abs, sgn {dtype}",
        lambda x: T.sqr(x) + abs(x) + T.sgn(x),
        [limits],
        lambda x: x * x + np.abs(x) + np.sign(x),
    )
    row(f"pow {dtype}", lambda x, y: x**y, [x, y.clip(0, 99)], np.power)
for dtype in ("int8", "int64"):
    base, exponent = (each.ravel() for each in np.meshgrid([-3, -1, 0, 1, 2], [-1, -2, -99]))
    row(
        f"negative pow {dtype}",
        lambda x, y: x**y,
        [base.astype(dtype), exponent.astype(dtype)],
        lambda x, y: np.trunc(x.astype("float64") ** y, where=x != 0, out=np.zeros(x.shape)).astype(x.dtype),
    )
row(
    "pow of int64 by uint64",  # no integer dtype holds both
    lambda x, y: x**y,
    [integers(9), integers(9, low=0, high=5, dtype="uint64")],
    lambda x, y: x.astype("float64") ** y,
    2,
)
row("pow of bools", lambda x, y: x**y, [np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)], np.power)
for dtype in ("int8", "uint16", "int32", "bool"):
    wide = "float32" if dtype in ("int8", "uint16", "bool") else "float64"
    row(
        f"exp of {dtype}",
        T.exp,
        [integers(9, low=0, high=3, dtype=dtype)],
        lambda x, w=wide: np.exp(x.astype(w)),
        2,
    )
for dtypes in [
    ("int8", "uint8"),
    ("int64", "uint64"),
    ("int32", "float32"),
    ("int16", "float32"),
    ("bool", "float32"),
    ("uint8", "float64"),
    ("float32", "float64"),
]:
    x, y = (integers(20, dtype=dtype, seed=i) for i, dtype in enumerate(dtypes))
    row(f"upcast {dtypes}", lambda x, y: x + y, [x, y], np.add)
for dtype in FLOATS:
    x, y = numbers(3, 7, low=0.1, high=3, dtype=dtype), numbers(3, 7, low=-2.5, high=3, dtype=dtype, seed=1)
    row(f"pow {dtype}", lambda x, y: x**y, [x, y], np.power, 2, order=2 if dtype == "float64" else 0)
row(
    "pow by a constant",
    lambda x: x**3 + x**-1.5,
    [numbers(9, low=0.5, high=2)],
    lambda x: x**3 + x**-1.5,
    4,
    order=2,
)
row("pow of a negative", lambda x: x**3, [numbers(9)], lambda x: x**3, 2, order=2)
for dtype in ("bool", "int32", "uint64"):
    x, y = integers(20, dtype=dtype), integers(20, dtype=dtype, seed=1)
    row(f"and, or, xor {dtype}", lambda x, y: (x & y) | (x ^ y), [x, y], lambda x, y: (x & y) | (x ^ y))
row("invert bool", lambda x: ~x, [integers(9, dtype="bool")], np.logical_not)
row("abs and sqr of bools", lambda x: abs(x) & T.sqr(x), [integers(9, dtype="bool")], lambda x: x)
row("sgn of bools", T.sgn, [integers(9, dtype="bool")], lambda x: x.astype("int8"))
for name, op in [("floor", T.floor), ("ceil", T.ceil), ("trunc", T.trunc), ("round", T.round)]:
    for dtype in ("bool", "int64", "uint8"):
        x = integers(9, dtype=dtype) if dtype == "bool" else np.full(3, np.iinfo(dtype).max, dtype)
        row(f"{name} of {dtype}", op, [x], lambda x: x)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994, -7.2, 1e300, np.inf, np.nan, -0.0])
row(
    "round half away from zero",
    lambda x: T.round(x, "half_away_from_zero"),
    [HALVES],
    lambda x: np.array([-3, -2, -1, 1, 2, 3, 0, -7, 1e300, np.inf, np.nan, 0]),
)
row("round half to even", lambda x: x.round(), [HALVES], np.round)
row("iround", T.iround, [HALVES[:8]], lambda x: np.round(x).astype("int64"))
row("ceil_intdiv", T.ceil_intdiv, [integers(20), integers(20, low=1)], lambda x, y: -(-x // y))
row(
    "divmod",
    lambda x, y: sum(divmod(x, y)) + sum(divmod(7, y)),
    [numbers(9), numbers(9, low=0.1, seed=1)],
    lambda x, y: x // y + x % y + (7 // y + 7 % y),
)
row(
    "sums and products of three",
    lambda x: T.add(x, [1, 2, 3], 4) * T.mul(x, x, x),
    [integers(3)],
    lambda x: (x + np.array([5, 6, 7])) * x**3,
)
for dtype in ("int8", "float64"):
    row(
        f"clip {dtype}",
        lambda x, a, b: x.clip(a, b),
        [integers(20, low=low, high=high, dtype=dtype) for low, high in ((-9, 9), (-5, -1), (1, 5))],
        np.clip,
    )
row(
    "clip has gradients",
    T.clip,
    [numbers(3, 7), numbers(3, 7, low=-1.5, high=-0.5, seed=1), numbers(3, 7, low=0.5, high=1.5, seed=2)],
    np.clip,
    order=2,
)
row(
    "clip between crossed bounds and NaN",  # as Theano: the lower bound first, and a NaN bounds nothing
    T.clip,
    [np.array([0, 5, np.nan, 0]), np.array([2, 2, 0, np.nan]), np.array([1, 1, 1, np.nan])],
    lambda x, a, b: np.array([2, 1, np.nan, 0]),
)
row("reflected bits", reflected_bits, [integers(9)], reflected_bits)
row(
    "bitwise names",
    lambda x: T.bitwise_and(x, 5) + T.bitwise_or(x, 5) + T.bitwise_xor(x, 5) + T.bitwise_not(x),
    [integers(9)],
    lambda x: (x & 5) + (x | 5) + (x ^ 5) + ~x,
)
NEAR = np.array([1, 1 + 1e-6, 1 + 1e-4, np.inf, np.inf, np.nan, np.nan, 0, -np.inf])
TO = np.array([1, 1, 1, np.inf, -np.inf, np.nan, 1, 1e-9, 3])
for equal_nan in (False, True):
    row(
        f"isclose, equal_nan={equal_nan}",
        lambda x, y, e=equal_nan: T.isclose(x, y, equal_nan=e),
        [NEAR, TO],
        lambda x, y, e=equal_nan: np.isclose(x, y, equal_nan=e),
    )
row(
    "isclose of integers",
    lambda x, y: T.isclose(x, y, 0.5),
    [integers(9), integers(9, seed=1)],
    lambda x, y: np.isclose(x, y, 0.5),
)
for to in (NEAR[:2], TO[1:3]):
    row("allclose", T.allclose, [NEAR[:2], to], lambda x, y: np.array(np.allclose(x, y)))


def of_torch(name, *options):
    def meaning(x):
        torch = pytest.importorskip("torch", reason="PyTorch's activations are what is compared with")
        return getattr(torch.nn.functional, name)(torch.from_numpy(x), *options).numpy()

    return meaning


ACTIVATIONS = [
    ("elu", T.nnet.elu, of_torch("elu"), 4),
    ("elu of slope 0.25", lambda x: T.nnet.elu(x, 0.25), of_torch("elu", 0.25), 4),
    ("selu", T.nnet.selu, of_torch("selu"), 8),
    ("softsign", T.nnet.softsign, of_torch("softsign"), 2),
    # The units are those of the sum's terms, which are up to 40 times as large as it is.
    ("hard_sigmoid", T.nnet.hard_sigmoid, lambda x: np.clip(x / 5 + x.dtype.type(0.5), 0, 1), 40),
]
for name, op, meaning, ulps in ACTIVATIONS:
    for dtype in FLOATS:
        x, order = numbers(40, low=-6, high=6, dtype=dtype), 2 if dtype == "float64" else 0
        row(f"{name} {dtype}", op, [x], meaning, ulps, order=order)
    row(f"{name} far out", op, [np.array([-1e4, 1e4], "float32")], meaning, 1)
for dtype in FLOATS:
    row(
        f"ultra_fast_sigmoid {dtype}",
        T.nnet.ultra_fast_sigmoid,
        [numbers(20, low=-9, high=9, dtype=dtype)],
        lambda x: pieces_of_sigmoid(x).astype(x.dtype),
        terms=4,  # of 1 and what is taken from it
        order=2 if dtype == "float64" else 0,
    )
row(
    "switch",
    T.switch,
    [integers(3, 7, dtype="bool"), numbers(3, 7), numbers(3, 7, seed=1)],
    np.where,
    order=2,
)
row(
    "switch on numbers",
    T.switch,
    [integers(7, low=-1, high=1), integers(7, dtype="int8"), numbers(7, dtype="float32")],
    lambda c, x, y: np.where(c != 0, x, y),
)
for source in ("bool", "int8", "uint8", "int64", "uint64", "float32", "float64"):
    for target in ("bool", "uint8", "int32", "int64", "float32", "float64"):
        x = integers(20, low=0, high=1 if source == "bool" else 120).astype(source) + np.array(0.5).astype(
            source
        )
        row(
            f"cast {source} to {target}",
            lambda x, t=target: T.cast(x, t),
            [x.astype(source)],
            lambda x, t=target: x.astype(t),
        )
row(
    "cast has a gradient",
    lambda x: T.cast(T.cast(x, "float64"), "float64") * x,
    [numbers(5)],
    np.square,
    order=2,
)
row(
    "broadcasting",
    lambda x, y, z: x * y + z,
    [numbers(3, 1), numbers(1, 4, seed=1), numbers(4, seed=2)],
    lambda x, y, z: x * y + z,
    terms=2,
    order=2,
    shapes=((None, 1), (1, None), (None,)),
)
row(
    "broadcasting one element",
    lambda x, y: x * y,
    [numbers(1, 1), numbers(3, 4, seed=1)],
    np.multiply,
    order=2,
    shapes=((1, 1), (None, None)),
)
for shape in [(0,), (1,), (3, 0), (0, 3), (1, 1), ()]:
    row(f"formula on {shape}", lambda x: x * x + 1, [normal(*shape)], lambda x: x * x + 1, 1, order=1)
