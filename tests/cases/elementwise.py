"""Rows of the elementwise ops."""

from __future__ import annotations

import numpy as np
import scipy.signal
import scipy.special

from arignote import tensor as T
from cases.table import EXACT, FLOATS, INTEGERS, integers, normal, numbers, row

WIDE, POSITIVE, UNIT = (-2.0, 2.0), (0.1, 3.0), (-0.9, 2.0)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 3e38, -1e-3)

# name, op, meaning, range, ulps, order. The bounds are those of `vector_math`, half an ulp for NumPy's own
# rounding, and one for each further operation of the formula.
UNARY = [
    ("neg", T.neg, np.negative, WIDE, EXACT, 2),
    ("abs", abs, np.abs, WIDE, EXACT, 2),
    ("sgn", T.sgn, np.sign, WIDE, EXACT, 0),
    ("sqr", T.sqr, np.square, WIDE, EXACT, 2),
    ("exp", T.exp, np.exp, WIDE, 2, 2),
    ("expm1", T.expm1, np.expm1, WIDE, 3, 2),
    ("log", T.log, np.log, POSITIVE, 2, 2),
    ("log1p", T.log1p, np.log1p, UNIT, 2, 2),
    ("sqrt", T.sqrt, np.sqrt, POSITIVE, EXACT, 2),
    ("sin", T.sin, np.sin, WIDE, 2, 2),
    ("cos", T.cos, np.cos, WIDE, 2, 2),
    ("tanh", T.tanh, np.tanh, WIDE, 3, 2),
    ("sigmoid", T.nnet.sigmoid, scipy.special.expit, WIDE, 4, 2),
    ("softplus", T.nnet.softplus, lambda x: np.logaddexp(x, 0), WIDE, 4, 2),
    ("floor", T.floor, np.floor, WIDE, EXACT, 0),
    ("ceil", T.ceil, np.ceil, WIDE, EXACT, 0),
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
        as_number = "int8" if dtype == "bool" else dtype
        value = (
            (lambda x, y, m=meaning, d=as_number: m(x.astype(d), y.astype(d))) if dtype == "bool" else meaning
        )
        if name == "true_div":
            value = lambda x, y: x.astype("float64") / y.astype("float64")  # noqa: E731 - a cell of the table
        elif name in ("maximum", "minimum"):
            value = meaning
        row(f"{name} {dtype}", op, [x, y], value)
for dtype in INTEGERS:
    limits = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 1], dtype)
    x, y = (each.ravel() for each in np.meshgrid(limits, limits))
    row(f"add wraps {dtype}", lambda x, y: x + y, [x, y], np.add)
    row(f"sub wraps {dtype}", lambda x, y: x - y, [x, y], np.subtract)
    row(f"mul wraps {dtype}", lambda x, y: x * y, [x, y], np.multiply)
    row(f"comparison of {dtype}", lambda x, y: x < y, [x, y], np.less)
    row(
        f"int_div {dtype}",
        lambda x, y: x // y,
        [x, np.where(y == limits[0], 3, y).astype(dtype)],
        np.floor_divide,
    )
    row(
        f"sqr, abs, sgn {dtype}",
        lambda x: T.sqr(x) + abs(x) + T.sgn(x),
        [limits],
        lambda x: x * x + np.abs(x) + np.sign(x),
    )
for dtype in ("int32", "int64", "uint8"):
    row(
        f"int_div and mod by zero {dtype}",
        lambda x, y: x // y + x % y,
        [integers(5, dtype=dtype), np.zeros(5, dtype)],
        lambda x, y: np.zeros_like(x),
    )
    row(
        f"pow {dtype}",
        lambda x, y: x**y,
        [integers(20, dtype=dtype), integers(20, low=0, high=5, dtype=dtype)],
        np.power,
    )
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
row("invert", lambda x: ~x, [integers(9, dtype="bool")], np.logical_not)
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
