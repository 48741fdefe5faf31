"""Every op against a meaning from elsewhere: one table of cases, and what must hold for each row.

A row says how an expression is made, of which arrays, what NumPy, SciPy or PyTorch makes of them, how far
rounding may lead away from that, and how often the expression can be differentiated.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
import scipy.special

from arignote import function
from arignote import tensor as T
from arignote.engine import ops
from arignote.engine.evaluate import evaluate, infer_concrete
from arignote.engine.grad import grad
from arignote.engine.graph import Constant, Op, walk
from arignote.engine.ops.control import IfElse, Print, ifelse
from arignote.engine.ops.index import Nonzero
from arignote.engine.types import DTYPES, TensorType

EXACT = 0
INTEGERS = tuple(dtype for dtype in DTYPES if "int" in dtype)
FLOATS = ("float32", "float64")


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes
    ----------
    make, meaning : callable
        The expression of variables, and its value of arrays.
    inputs : tuple of ndarray
    ulps : float
        How far the value may be from the meaning, in units of the last place: 0 for what moves or counts.
    terms : int
        Of each sum in it. Adding n terms in any order errs by at most n units of the sum of their magnitudes
        (Higham, "Accuracy and Stability of Numerical Algorithms", 4.2).
    order : int
        How often it can be differentiated with respect to its floating inputs.
    shapes : tuple, optional
        The static shapes of the inputs' types; by default all extents are open.
    """

    name: str
    make: Callable
    inputs: tuple
    meaning: Callable
    ulps: float = EXACT
    terms: int = 0
    order: int = 0
    shapes: tuple | None = None

    def variables(self):
        shapes = self.shapes or [(None,) * x.ndim for x in self.inputs]
        return [TensorType(str(x.dtype), s)() for x, s in zip(self.inputs, shapes, strict=True)]


TABLE: list[Case] = []


def row(name, make, inputs, meaning, *args, **options):
    TABLE.append(Case(name, make, tuple(np.asarray(x) for x in inputs), meaning, *args, **options))


def numbers(*shape, low=-2.0, high=2.0, dtype="float64", seed=0):
    """Numbers far from each other and from the kinks of the ops at whole numbers."""
    size = int(np.prod(shape))
    spread = np.random.default_rng(seed).permutation(size) + 0.37 + seed / 5
    return (low + (high - low) * spread / max(size, 1)).reshape(shape).astype(dtype)


def normal(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def integers(*shape, low=-9, high=9, dtype="int64", seed=0):
    low = 0 if dtype.startswith("u") else low
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True).astype(dtype)


# ------------------------------------------------------------------------------------------ elementwise

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

# ------------------------------------------------------------------------------------------ reductions

AXES = [None, 0, 1, 2, (0, 1), (0, 2), (1, 2), (-1,)]
for axis in AXES:
    count = 60 if axis is None else int(np.prod(np.array((3, 4, 5))[np.atleast_1d(axis)]))
    for dtype in FLOATS:
        x, order = normal(3, 4, 5, dtype=dtype), 2 if dtype == "float64" else 0
        row(
            f"sum {axis} {dtype}",
            lambda x, a=axis: x.sum(a),
            [x],
            lambda x, a=axis: x.sum(a),
            terms=count,
            order=order,
        )
    row(f"max {axis}", lambda x, a=axis: x.max(a), [normal(3, 4, 5)], lambda x, a=axis: x.max(a), order=1)
    row(
        f"mean {axis}",
        lambda x, a=axis: x.mean(a),
        [normal(3, 4, 5)],
        lambda x, a=axis: x.mean(a),
        terms=count,
        order=2,
    )
    row(
        f"prod {axis}",
        lambda x, a=axis: x.prod(a),
        [numbers(3, 4, 5)],
        lambda x, a=axis: x.prod(a),
        120,
        order=1,
    )
for keepdims in (True, False):
    options = {"axis": 1, "keepdims": keepdims}
    for name in ("sum", "prod", "mean", "max", "min", "argmax"):
        row(
            f"{name} keepdims={keepdims}",
            lambda x, n=name, o=options: getattr(x, n)(**o),
            [integers(4, 5)],
            lambda x, n=name, o=options: getattr(x, n)(**o),
        )
for dtype in ("bool", "int8", "uint8", "int32", "uint64"):
    x = integers(5, 6, dtype=dtype)
    wide = "uint64" if dtype.startswith("u") else "int64"
    row(f"sum {dtype}", lambda x: x.sum(0), [x], lambda x, w=wide: x.sum(0, dtype=w))
    row(f"prod {dtype}", lambda x: x.prod(1), [x], lambda x, w=wide: x.prod(1, dtype=w))
    row(f"max {dtype}", lambda x: x.max(0), [x], lambda x: x.max(0))
    row(f"min {dtype}", lambda x: x.min(), [x], lambda x: x.min())
    row(f"mean {dtype}", lambda x: x.mean(1), [x], lambda x: x.mean(1), 1)
    row(f"argmax {dtype}", lambda x: x.argmax(1), [x], lambda x: x.argmax(1))
row(
    "sum in float64",
    lambda x: T.sum(x, dtype="float64"),
    [normal(50, dtype="float32")],
    lambda x: x.sum(dtype="float64"),
    terms=50,
)
for name in ("max", "min", "argmax"):
    for value in (np.nan, np.inf, -np.inf):
        x = normal(4, 5, dtype="float32")
        x[1, 2] = x[2, :] = value
        for axis in (0, 1):
            row(
                f"{name} with {value} along {axis}",
                lambda x, n=name, a=axis: getattr(x, n)(a),
                [x],
                lambda x, n=name, a=axis: getattr(x, n)(a),
            )
row("argmax flat", lambda x: x.argmax(), [normal(3, 4)], lambda x: x.argmax())
row("argmax of ties", lambda x: x.argmax(0), [integers(9, 7, high=-7)], lambda x: x.argmax(0))
row(
    "prod with zeros",
    lambda x: x.prod(1),
    [np.array([[2.0, 0, 3], [0, 0, 4], [1, 2, 3]])],
    lambda x: x.prod(1),
    order=1,
)
for shape, axis in [((0, 3), 0), ((0, 3), 1), ((3, 0), None), ((1, 1), 0)]:
    row(
        f"sum of {shape} over {axis}",
        lambda x, a=axis: x.sum(a),
        [normal(*shape)],
        lambda x, a=axis: x.sum(a),
        order=1,
    )
    row(
        f"prod of {shape} over {axis}",
        lambda x, a=axis: x.prod(a),
        [normal(*shape)],
        lambda x, a=axis: x.prod(a),
    )
row("max of no rows", lambda x: x.max(1), [normal(0, 3)], lambda x: x.max(1))
row(
    "a long sum",
    lambda x: x.sum(),
    [normal(10_000, dtype="float32")],
    lambda x: x.sum(dtype="float64").astype("f4"),
    terms=10_000,
)
row("a tall sum", lambda x: x.sum(0), [normal(50, 700)], lambda x: x.sum(0), terms=50)

# ------------------------------------------------------------------------------------------ shapes and moves

for pattern in [(1, 0, 2), (2, 0, 1), ("x", 0, 1, 2), (2, "x", 1, 0, "x")]:

    def shuffled(x, p=pattern):
        kept = x.transpose([axis for axis in p if axis != "x"])
        return np.expand_dims(kept, [i for i, axis in enumerate(p) if axis == "x"])

    row(f"dimshuffle {pattern}", lambda x, p=pattern: x.dimshuffle(*p), [normal(2, 3, 4)], shuffled, order=1)
row(
    "dimshuffle drops",
    lambda x: x.dimshuffle(1),
    [normal(1, 5)],
    lambda x: x[0],
    order=1,
    shapes=((1, None),),
)
row("transpose", lambda x: x.T * 1.5, [normal(3, 4)], lambda x: x.T * 1.5, order=1)
row(
    "transpose with an order",
    lambda x: x.transpose(1, 2, 0),
    [normal(2, 3, 4)],
    lambda x: x.transpose(1, 2, 0),
)
row("reshape", lambda x: x.reshape((4, -1)), [normal(2, 6)], lambda x: x.reshape(4, -1), order=1)
row(
    "reshape by a shape",
    lambda x, y: x.reshape(y.shape),
    [normal(2, 6), normal(3, 4)],
    lambda x, y: x.reshape(3, 4),
)
row("reshape a view", lambda x: x.T.reshape((12,)), [normal(3, 4)], lambda x: x.T.reshape(12), order=1)
row("reshape one to none", lambda x: x.reshape(()), [normal(1)], lambda x: x.reshape(()), order=1)
row("reshape nothing", lambda x: x.reshape((3, 0)), [normal(0, 7)], lambda x: x.reshape(3, 0), order=1)
for ndim in (1, 2, 3):
    row(
        f"flatten to {ndim}",
        lambda x, n=ndim: x.flatten(n),
        [normal(2, 3, 4)],
        lambda x, n=ndim: x.reshape(*x.shape[: n - 1], -1),
        order=1,
    )
row("flatten a scalar", lambda x: x.flatten(), [normal()], lambda x: x.reshape(1), order=1)
row("flatten no rows", lambda x: x.flatten(2), [normal(0, 3, 4)], lambda x: x.reshape(0, 12))
row("shape", lambda x: x.shape, [normal(2, 3)], lambda x: np.array(x.shape))
row("size", lambda x: x.size, [normal(2, 3)], lambda x: np.array(x.size))
row("shape as numbers", lambda x: x / x.shape[0], [normal(4, 3)], lambda x: x / 4, order=1)
row(
    "stack",
    lambda x, y: T.stack([x, y, 3.0]),
    [normal(), normal(seed=1)],
    lambda x, y: np.array([x, y, 3.0]),
    order=1,
)
row("alloc", lambda x, n: T.alloc(x, n, 3), [normal(), np.array(4)], lambda x, n: np.full((n, 3), x), order=1)
row("zeros and ones", lambda n: T.zeros((n, 2)) + T.ones((1, 2)), [np.array(3)], lambda n: np.ones((n, 2)))
row("zeros_like", lambda x: T.zeros_like(x) + T.ones_like(x), [normal(2, 3)], np.ones_like)
for bounds in [(7,), (2, 9), (2, 9, 3), (9, 2, -2), (5, 2), (0,)]:
    row(f"arange{bounds}", lambda *b: T.arange(*b), [np.array(b) for b in bounds], lambda *b: np.arange(*b))
row(
    "arange in int8",
    lambda n: T.arange(n, dtype="int8"),
    [np.array(9, "int32")],
    lambda n: np.arange(n, dtype="int8"),
)
row(
    "a promised shape",
    lambda x, w: T.nnet.conv2d(x, w, input_shape=(None, 1, 4, None)),
    [normal(2, 1, 4, 4), normal(1, 1, 1, 1)],
    lambda x, w: x * w,
    order=1,
)
row(
    "broadcast by a gradient",
    lambda x: T.grad((x.sum(1) ** 3).sum(), x),
    [normal(3, 4)],
    lambda x: np.repeat(3 * x.sum(1, keepdims=True) ** 2, 4, 1),
    terms=8,
    order=1,
)

# ------------------------------------------------------------------------------------------ indexing

SLICES = {
    "x[2]": lambda x, *_: x[2],
    "x[-1, 1]": lambda x, *_: x[-1, 1],
    "x[1:3]": lambda x, *_: x[1:3],
    "x[::-1]": lambda x, *_: x[::-1],
    "x[:, 1]": lambda x, *_: x[:, 1],
    "x[..., -2:]": lambda x, *_: x[..., -2:],
    "x[None, 1:, ::2]": lambda x, *_: x[None, 1:, ::2],
    "x[5:1:-2, 1:3]": lambda x, *_: x[5:1:-2, 1:3],
    "x[3:1]": lambda x, *_: x[3:1],
    "x[i]": lambda x, i, j: x[i],
    "x[i:j]": lambda x, i, j: x[i:j],
    "x[i * 2 : (i + 1) * 2]": lambda x, i, j: x[i * 2 : (i + 1) * 2],
    "x[-j:, i]": lambda x, i, j: x[-j:, i],
    "x[:j:-1]": lambda x, i, j: x[:j:-1],
    "x[j:i]": lambda x, i, j: x[j:i],
    "x[i:j].T[1]": lambda x, i, j: x[i:j].T[1],
}
for text, index in SLICES.items():
    bounds = [np.array(1), np.array(3)] if "i" in text or "j" in text else []
    row(text, index, [normal(6, 4), *bounds], index, order=1)
    row(f"{text} of int16", index, [integers(6, 4, dtype="int16"), *bounds], index)
row("a slice of a slice", lambda x: x[1:][::2] * 2.0, [normal(7)], lambda x: x[1:][::2] * 2.0, order=1)
row(
    "a slice beyond the end",
    lambda x, i: x[i : i + 100],
    [normal(7), np.array(4)],
    lambda x, i: x[i : i + 100],
    order=1,
)
row("rows", lambda x, i: x[i], [normal(5, 3), np.array([4, 0, -1, 4], "int32")], lambda x, i: x[i], order=1)
row(
    "elements",
    lambda x, i, j: x[i, j],
    [normal(5, 3), np.array([4, 0, 4]), np.array([0, -1, 0], "int8")],
    lambda x, i, j: x[i, j],
    order=1,
)
row(
    "log likelihood",
    lambda x, y: T.log(x)[T.arange(y.shape[0]), y],
    [numbers(4, 3, low=0.1), np.array([2, 0, 0, 1])],
    lambda x, y: np.log(x)[np.arange(4), y],
    2,
    order=2,
)
row("no rows", lambda x, i: x[i], [normal(5, 3), np.zeros(0, "int64")], lambda x, i: x[i], order=1)
MASK = np.array([True, False, True, True, False])
row("nonzero", lambda x: x.nonzero()[1], [integers(3, 4, low=-1, high=1)], lambda x: x.nonzero()[1])
row("rows by a mask", lambda x, m: x[m], [normal(5, 3), MASK], lambda x, m: x[m], order=1)
row(
    "elements by a mask",
    lambda x, m: x[m],
    [normal(3, 4), integers(3, 4, low=0, high=1) > 0],
    lambda x, m: x[m],
    order=1,
)
row("no rows by a mask", lambda x, m: x[m], [normal(5, 3), ~MASK & MASK], lambda x, m: x[m], order=1)
row("rows of bools", lambda x, i: x[i], [integers(5, 3, dtype="bool"), np.array([1, 4])], lambda x, i: x[i])

# ------------------------------------------------------------------------------------------ products

for dtype in FLOATS:
    order = 2 if dtype == "float64" else 0
    for a, b in [
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((), (4, 5)),
        ((3, 1), (1, 5)),
        ((33, 70), (70, 40)),
        ((1, 4), (4, 1)),
        ((0, 4), (4, 5)),
        ((3, 0), (0, 5)),
        ((3, 4), (4, 0)),
    ]:
        row(
            f"dot {a} {b} {dtype}",
            T.dot,
            [normal(*a, dtype=dtype), normal(*b, dtype=dtype, seed=1)],
            np.dot,
            terms=a[-1] if a else 1,
            order=order,
        )
row(
    "dot of views",
    lambda x, y: T.dot(x.T, y[::2]),
    [normal(3, 4), normal(6, 5)],
    lambda x, y: x.T @ y[::2],
    terms=3,
    order=2,
)

# ------------------------------------------------------------------------------------------ windows


def torch_convolution(mode, stride, dilation, flip):
    def meaning(x, w):
        torch = pytest.importorskip("torch", reason="PyTorch's convolution is what is compared with")
        spans = [(extent - 1) * step for extent, step in zip(w.shape[2:], dilation, strict=True)]
        sides = {"valid": (0, 0), "full": spans, "half": [span // 2 for span in spans]}.get(mode, mode)
        sides = [sides, sides] if isinstance(sides, int) else sides
        (top, bottom), (left, right) = (each if isinstance(each, tuple) else (each, each) for each in sides)
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        filters = w[:, :, ::-1, ::-1].copy() if flip else w
        return torch.nn.functional.conv2d(
            torch.from_numpy(padded), torch.from_numpy(filters), stride=stride, dilation=dilation
        ).numpy()

    return meaning


# images, filters, border_mode, subsample, dilation, flip
CONVOLUTIONS = [
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 2), "full", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 5), "half", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 4, 4), "half", (1, 1), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), 1, (2, 2), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 3), (1, 2), (2, 3), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), ((0, 2), (1, 3)), (1, 2), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (2, 3), True),
    ((2, 3, 8, 9), (4, 3, 3, 3), "full", (3, 2), (2, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), "half", (2, 2), (2, 2), True),
    ((3, 1, 7, 7), (5, 1, 3, 3), "valid", (1, 1), (1, 1), True),
    ((2, 3, 5, 6), (4, 3, 5, 6), "valid", (1, 1), (1, 1), True),
    ((2, 3, 5, 6), (1, 3, 1, 1), "valid", (1, 1), (1, 1), True),
    ((0, 3, 8, 9), (4, 3, 3, 3), "valid", (1, 1), (1, 1), True),
    ((2, 20, 12, 12), (40, 20, 5, 5), "valid", (1, 1), (1, 1), True),
]
for images, filters, mode, stride, dilation, flip in CONVOLUTIONS:
    for dtype in FLOATS:
        x, w = normal(*images, dtype=dtype), normal(*filters, dtype=dtype, seed=1)
        options = {"border_mode": mode, "subsample": stride, "filter_dilation": dilation, "filter_flip": flip}
        row(
            f"conv2d {images} {filters} {mode} {stride} {dilation} {flip} {dtype}",
            lambda x, w, o=options: T.nnet.conv2d(x, w, **o),
            [x, w],
            torch_convolution(mode, stride, dilation, flip),
            terms=int(np.prod(filters[1:])),
            order=2 if dtype == "float64" and images[1] < 20 else 0,
        )
for mode in ("valid", "full"):
    row(
        f"conv2d {mode} against SciPy",
        lambda x, w, m=mode: T.nnet.conv2d(x[None, None], w[None, None], border_mode=m)[0, 0],
        [normal(9, 8), normal(4, 3, seed=1)],
        lambda x, w, m=mode: scipy.signal.convolve2d(x, w, m),
        terms=12,
    )
row(
    "conv2d against SciPy's correlation",
    lambda x, w: T.nnet.conv2d(x[None, None], w[None, None], filter_flip=False)[0, 0],
    [normal(9, 8), normal(4, 3, seed=1)],
    lambda x, w: scipy.signal.correlate2d(x, w, "valid"),
    terms=12,
)
row(
    "the older conv2d",
    lambda x, w: T.nnet.conv.conv2d(input=x, filters=w, filter_shape=(4, 1, 3, 3), image_shape=(2, 1, 6, 6)),
    [normal(2, 1, 6, 6), normal(4, 1, 3, 3)],
    torch_convolution("valid", (1, 1), (1, 1), True),
    terms=9,
    order=1,
)


def torch_pooling(mode, window, stride, pad):
    def meaning(x):
        torch = pytest.importorskip("torch", reason="PyTorch's pooling is what is compared with")
        functional, image = torch.nn.functional, torch.from_numpy(x)
        if mode == "max":
            return functional.max_pool2d(image, window, stride, pad).numpy()
        divisor = 1 if mode == "sum" else None
        return functional.avg_pool2d(
            image, window, stride, pad, count_include_pad=mode != "average_exc_pad", divisor_override=divisor
        ).numpy()

    return meaning


def clipped_pooling(mode, window, stride):
    """Theano's pooling with ``ignore_border=False``: windows that reach over the border are clipped."""

    def extent(size, window, stride):
        return (
            (size - 1) // stride + 1
            if stride >= window
            else max(0, (size - 1 - window + stride) // stride) + 1
        )

    def meaning(x):
        rows, columns = (extent(*each) for each in zip(x.shape[2:], window, stride, strict=True))
        result = np.empty((*x.shape[:2], rows, columns), x.dtype)
        for p, q in np.ndindex(rows, columns):
            top, left = p * stride[0], q * stride[1]
            part = x[:, :, top : top + window[0], left : left + window[1]]
            result[:, :, p, q] = {"max": part.max, "sum": part.sum}.get(mode, part.mean)((2, 3))
        return result

    return meaning


POOLINGS = [
    ((2, 2), (2, 2), (0, 0)),
    ((3, 2), (1, 2), (0, 0)),
    ((2, 3), (3, 3), (0, 0)),
    ((3, 3), (2, 2), (1, 1)),
    ((2, 4), (2, 3), (1, 0)),
]
for mode in ("max", "sum", "average_inc_pad", "average_exc_pad"):
    for window, stride, pad in POOLINGS:
        options = {"ws": window, "stride": stride, "pad": pad, "mode": mode, "ignore_border": True}
        row(
            f"pool {mode} {window} {stride} {pad}",
            lambda x, o=options: T.signal.pool.pool_2d(x, **o),
            [numbers(2, 3, 7, 9)],
            torch_pooling(mode, window, stride, pad),
            terms=int(np.prod(window)),
            order=2,
        )
        if pad == (0, 0):
            options = {**options, "ignore_border": False}
            row(
                f"clipped pool {mode} {window} {stride}",
                lambda x, o=options: T.signal.pool.pool_2d(x, **o),
                [numbers(2, 3, 7, 9)],
                clipped_pooling(mode, window, stride),
                terms=int(np.prod(window)),
                order=2,
            )
row(
    "squared maxima",
    lambda x: T.signal.pool.pool_2d(x, 3, stride=2) ** 2,
    [numbers(2, 3, 7, 9)],
    lambda x: clipped_pooling("max", (3, 3), (2, 2))(x) ** 2,
    order=2,
)
row(
    "pool by the older words",
    lambda x: T.signal.pool.pool_2d(input=x, ds=(2, 2), ignore_border=True),
    [numbers(2, 3, 6, 6, dtype="float32")],
    torch_pooling("max", (2, 2), (2, 2), 0),
)
row(
    "downsample",
    lambda x: T.signal.downsample.max_pool_2d(x, (2, 2), ignore_border=True),
    [numbers(2, 3, 6, 6)],
    torch_pooling("max", (2, 2), (2, 2), 0),
    order=1,
)
row(
    "pool a matrix",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [numbers(6, 5)],
    lambda x: x[:, :4].reshape(3, 2, 2, 2).max((1, 3)),
    order=1,
)
row(
    "pool five axes",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [numbers(2, 1, 3, 4, 4)],
    lambda x: x.reshape(2, 1, 3, 2, 2, 2, 2).max((4, 6)),
    order=1,
)
row(
    "pool no images",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [normal(0, 3, 4, 4)],
    lambda x: np.zeros((0, 3, 2, 2)),
    order=1,
)
row(
    "pool too small an image",
    lambda x: T.signal.pool.pool_2d(x, (4, 1), ignore_border=True),
    [normal(2, 3, 3, 4)],
    lambda x: np.zeros((2, 3, 0, 4)),
    order=1,
)

# ------------------------------------------------------------------------------------------ softmax

EXTREME = np.array([[1000.0, 0, -1000], [-1e30, 0, 1e30], [80, 90, 100], [0, 0, 0], [-3e38, 3e38, 3e38]])
for dtype in FLOATS:
    order = 2 if dtype == "float64" else 0
    # The exponent of e**x carries an error of |x| units; the rest are sums of a row's length, and a quotient.
    row(
        f"softmax {dtype}",
        T.nnet.softmax,
        [normal(5, 7, dtype=dtype)],
        lambda x: scipy.special.softmax(x, 1),
        16,
        order=order,
    )
    row(
        f"logsoftmax {dtype}",
        T.nnet.logsoftmax,
        [normal(5, 7, dtype=dtype)],
        lambda x: scipy.special.log_softmax(x, 1),
        16,
        order=order,
    )
    row(
        f"softmax at extremes {dtype}",
        T.nnet.softmax,
        [EXTREME.astype(dtype)],
        lambda x: scipy.special.softmax(x, 1),
        16,
    )
    row(
        f"logsoftmax at extremes {dtype}",
        T.nnet.logsoftmax,
        [EXTREME.astype(dtype)],
        lambda x: scipy.special.log_softmax(x, 1),
        16,
    )
row("softmax of a vector", T.nnet.softmax, [normal(7)], lambda x: scipy.special.softmax(x)[None], 16, order=1)
row("softmax of one class", T.nnet.softmax, [normal(3, 1)], np.ones_like, order=1)
row("softmax of no rows", T.nnet.softmax, [normal(0, 3)], lambda x: x, order=1)
row(
    "crossentropy of classes",
    lambda x, y: T.nnet.categorical_crossentropy(T.nnet.softmax(x), y),
    [normal(4, 5), np.array([1, 4, 0, 1])],
    lambda x, y: -scipy.special.log_softmax(x, 1)[np.arange(4), y],
    16,
    order=2,
)
row(
    "crossentropy of distributions",
    lambda x, y: T.nnet.categorical_crossentropy(T.nnet.softmax(x), y),
    [normal(4, 5), numbers(4, 5, low=0, high=1)],
    lambda x, y: -(y * scipy.special.log_softmax(x, 1)).sum(1),
    terms=20,
    order=2,
)
row(
    "binary crossentropy",
    T.nnet.binary_crossentropy,
    [numbers(9, low=0.1, high=0.9), numbers(9, low=0, high=1, seed=1)],
    lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
    8,
    order=2,
)

# ------------------------------------------------------------------------------------------ control

for condition in (True, False):
    row(
        f"ifelse {condition}",
        lambda c, x, y: ifelse(c, T.sqr(x), y * 3),
        [np.array(condition), normal(3, 4), normal(2, 5)],
        lambda c, x, y: x * x if c else y * 3,
        order=2,
    )
row("print", lambda x: T.sqr(Print("x =", show=len)(x)), [normal(3)], lambda x: x * x, order=2)

# ------------------------------------------------------------------------------------------ what must hold

all_cases = pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)


def computed(case):
    variables = case.variables()
    expression = case.make(*variables)
    return variables, expression, dict(zip(variables, case.inputs, strict=True))


def assert_close(actual, expected, case):
    """Compare with what the row allows: nothing, units of the last place, or units of a sum's magnitude."""
    expected = np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if not (case.ulps or case.terms):
        return np.testing.assert_array_equal(actual, expected, strict=True)
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    allowed = case.ulps * np.spacing(np.abs(expected[finite]))
    if case.terms:
        with np.errstate(all="ignore"):
            magnitude = np.abs(case.meaning(*(np.abs(x) if x.dtype.kind == "f" else x for x in case.inputs)))
        allowed = allowed + case.terms * np.finfo(expected.dtype).eps * magnitude[finite]
    error = np.abs(actual[finite].astype("float64") - expected[finite])
    assert (error <= allowed).all(), f"{(error / allowed).max()} times what is allowed"
    return None


def meaning_of(case):
    with np.errstate(all="ignore"):
        return case.meaning(*case.inputs)


@all_cases
def test_reference_is_the_meaning(case):
    _, expression, values = computed(case)
    assert_close(evaluate([expression], values)[0], meaning_of(case), case)


@all_cases
def test_inferred_types_are_the_real_ones(case):
    variables, expression, values = computed(case)
    outputs = [expression, *gradients(case, variables, expression)]
    known = dict(values)
    for node in walk(outputs):
        arrays = [x.value if isinstance(x, Constant) else known[x] for x in node.inputs]
        types = [TensorType(str(array.dtype), array.shape) for array in arrays]
        numbers_ = [
            int(a) if a.ndim == 0 and t.is_integer else None for a, t in zip(arrays, types, strict=True)
        ]
        inferred = infer_concrete(node, types, numbers_)
        results = node.op.perform(*arrays)
        for out, concrete, result in zip(node.outputs, inferred, results, strict=True):
            assert (str(result.dtype), concrete.admits(result.shape)) == (concrete.dtype, True), node
            # Of these two a value decides the shape.
            assert None not in concrete.shape or isinstance(node.op, IfElse | Nonzero), node
            assert out.dtype == concrete.dtype, node
            assert out.type.admits(result.shape), node
            known[out] = result


def gradients(case, variables, expression):
    """Return the gradients of a random projection, for rows that have any."""
    if not case.order:
        return []
    wrt = [x for x in variables if x.type.is_float]
    projection = normal(*meaning_of(case).shape, seed=7)
    return grad((expression * projection).sum(), wrt, disconnected_inputs="ignore")


@all_cases
def test_compiled_is_the_reference(case):
    variables, expression, values = computed(case)
    outputs = [expression, *gradients(case, variables, expression)]
    actual, *slopes = function(variables, outputs, on_unused_input="ignore")(*case.inputs)
    assert_close(actual, meaning_of(case), case)
    for actual, expected in zip(slopes, evaluate(outputs[1:], values), strict=True):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        # Sums of at most a few hundred terms, none larger than ten times the largest result.
        allowed = 1e3 * np.finfo("float64").eps * np.abs(expected).max(initial=1)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("case", [case for case in TABLE if case.order], ids=lambda case: case.name)
def test_gradient_is_the_slope(case):
    """Compare directional derivatives with central differences, twice where there is a second derivative.

    With steps of 1e-5 the difference errs by about 1e-10 times the third derivative, and 1e-11 of rounding.
    """
    variables, expression, values = computed(case)
    projection = normal(*meaning_of(case).shape, seed=7)
    cost = (expression * projection).sum()
    wrt = [x for x in variables if x.type.is_float]
    directions = [normal(*values[x].shape, seed=20 + i) for i, x in enumerate(wrt)]
    for _ in range(case.order):
        slopes = grad(cost, wrt, disconnected_inputs="ignore")
        slope = sum((each * d).sum() for each, d in zip(slopes, directions, strict=True))
        step = 1e-5
        ends = [
            {**values, **{x: values[x] + sign * step * d for x, d in zip(wrt, directions, strict=True)}}
            for sign in (1, -1)
        ]
        above, below = (float(evaluate([cost], end)[0]) for end in ends)
        (actual,) = evaluate([slope], values)
        assert float(actual) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-6), case.name
        cost = slope


def test_the_table_is_complete():
    """Every op stands in the expression of a row, or in its first or second derivative."""
    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)

    def leaves(kind):
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind}

    every = {kind for kind in leaves(Op) if kind.__module__.startswith(ops.__name__)}
    seen = set()
    for case in TABLE:
        variables, expression, _ = computed(case)
        first = gradients(case, variables, expression)
        second = []
        if case.order > 1:
            wrt = [x for x in variables if x.type.is_float]
            second = grad(sum((g * g).sum() for g in first), wrt, disconnected_inputs="ignore")
        seen.update(type(node.op) for node in walk([expression, *first, *second]))
    drawn = {ops.random.Uniform}  # its values have no meaning elsewhere: see tests/compile/test_random.py
    assert every - drawn == seen


# ------------------------------------------------------------------------------------------ layouts

LAYOUTS = {
    "as it is": lambda x: x,
    "column-major": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "negative strides": lambda x: x[..., ::-1].copy()[..., ::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "unaligned": lambda x: np.frombuffer(b" " + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    "swapped bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}
LAID_OUT = {
    "elementwise": (lambda x: x * 2 + 1, normal(5, 6, dtype="float32")),
    "reduction": (lambda x: x.sum(0), integers(5, 6, dtype="int16")),
    "product": (lambda x: T.dot(x, x.T), normal(5, 6)),
    "convolution": (
        lambda x: T.nnet.conv2d(x, np.ones((2, 3, 2, 2), "float32")),
        normal(2, 3, 5, 5, dtype="float32"),
    ),
    "gather": (lambda x: x[np.array([3, 0])], integers(5, 6, dtype="bool")),
    "softmax": (T.nnet.softmax, normal(5, 6)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAID_OUT)
def test_any_memory_layout(name, layout):
    make, array = LAID_OUT[name]
    x = TensorType(str(array.dtype), (None,) * array.ndim)("x")
    f = function([x], make(x))
    laid_out = LAYOUTS[layout](array)
    before = laid_out.copy()
    np.testing.assert_array_equal(f(laid_out), f(np.ascontiguousarray(laid_out, array.dtype)))
    np.testing.assert_array_equal(laid_out, before)
