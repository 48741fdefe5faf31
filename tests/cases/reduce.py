"""Rows of the reductions."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import FLOATS, integers, normal, numbers, row


def joined(x, axis):
    """Return an array whose axes are joined to one where NumPy takes no more, and that axis."""
    if not isinstance(axis, tuple):
        return x, axis
    axes = sorted(i % x.ndim for i in axis)
    last = np.moveaxis(x, axes, range(-len(axes), 0))
    return last.reshape(*last.shape[: -len(axes)], -1), -1


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
for axis in (None, 1, (0, 2), (-1, 0)):
    for ddof in (0, 1):
        options = {"axis": axis, "ddof": ddof}
        # Rounding of the mean enters by its square alone.
        x = normal(3, 4, 5, seed=3)
        row(
            f"var {options}",
            lambda x, o=options: x.var(**o),
            [x],
            lambda x, o=options: x.var(**o),
            terms=60,
            order=2,
        )
    for name in ("ptp", "argmax", "argmin"):
        row(
            f"{name} {axis}",
            lambda x, n=name, a=axis: getattr(x, n)(a),
            [normal(3, 4, 5, seed=4)],
            lambda x, n=name, a=axis: getattr(np, n)(*joined(x, a)),
            order=1 if name == "ptp" else 0,
        )
    for name in ("any", "all"):
        for dtype in ("bool", "int8", "float64"):
            x = integers(3, 4, 5, low=0, high=1).astype(dtype)
            row(
                f"{name} {axis} {dtype}",
                lambda x, n=name, a=axis: getattr(x, n)(a),
                [x],
                lambda x, n=name, a=axis: np.asarray(getattr(x, n)(a)),
            )
for dtype in ("bool", "int8", "float32"):
    x = integers(4, 5, dtype=dtype)
    wide = "float32" if dtype == "float32" else "float64"
    row(f"std {dtype}", lambda x: x.std(1), [x], lambda x, w=wide: x.std(1, dtype=w), 4)
row(
    "std has a gradient",
    lambda x: x.std(1, ddof=1, keepdims=True),
    [normal(3, 5)],
    lambda x: x.std(1, ddof=1, keepdims=True),
    terms=10,
    order=2,
)
LARGE = normal(3, 50, dtype="float32") + np.float32(1e4)
row(
    "corrected var",
    lambda x: x.var(1, corrected=True),
    [LARGE],
    lambda x: x.var(1, dtype="float64").astype("f4"),
    64,
)
row(
    "corrected var of a sample",
    lambda x: x.var(1, 1, True, True),
    [LARGE],
    lambda x: x.var(1, ddof=1, dtype="float64", keepdims=True).astype("f4"),
    64,
)
for order in (0.5, 1, 2, 3, np.inf, -np.inf, 0):
    for axis in (None, 1):
        row(
            f"{order}-norm {axis}",
            lambda x, o=order, a=axis: x.norm(o, a),
            [normal(4, 5)],
            lambda x, o=order, a=axis: np.asarray(np.linalg.norm(x.ravel() if a is None else x, o, a)),
            16,
            order=0 if order == 0 else 2 if np.isfinite(order) else 1,
        )
row(
    "norm keepdims",
    lambda x: x.norm(2, 0, keepdims=True),
    [normal(4, 5)],
    lambda x: np.sqrt((x * x).sum(0)[None]),
    4,
)
row(
    "max_and_argmax",
    lambda x: sum(T.max_and_argmax(x, (0, 1), keepdims=True)),
    [integers(3, 4, 2)],
    lambda x: (x.max((0, 1)) + x.reshape(12, 2).argmax(0))[None, None],
)
row(
    "largest and smallest",
    lambda x, y, z: T.largest(x, y, z) - T.smallest(x, y, z),
    [normal(5, seed=i) for i in range(3)],
    lambda *x: np.max(x, 0) - np.min(x, 0),
    order=1,
)
AXIS = T.constant(np.array([0, -1]))
row(
    "an axis that is a constant",
    lambda x: x.sum(AXIS) + x.max([0, T.constant(2)]),
    [integers(3, 4, 5)],
    lambda x: x.sum((0, 2)) + x.max((0, 2)),
)
row(
    "no axes",
    lambda x: x.sum(()) + x.max(axis=[]),
    [integers(3, dtype="int8")],
    lambda x: x.astype("int64") + x,
)
row(
    "of a scalar",
    lambda x: x.sum() + x.max() + x.argmax() + x.mean() + x.var(),
    [np.array(2.5)],
    lambda x: x * 3,
)
row(
    "sum in float64",
    lambda x: T.sum(x, dtype="float64"),
    [normal(50, dtype="float32")],
    lambda x: x.sum(dtype="float64"),
    terms=50,
)
for name in ("sum", "prod", "mean"):
    row(
        f"{name} computed in float64",
        lambda x, n=name: getattr(T, n)(x, axis=1, acc_dtype="float64"),
        [normal(3, 50, dtype="float32")],
        # A float64 result would be rounded twice; the sum is a float32 before the mean divides it.
        lambda x, n=name: getattr(x, n)(1, dtype="float64").astype("float32"),
        1,
    )
row(
    "sum of int8 in int8",
    lambda x: x.sum(dtype="int8"),
    [np.full(9, 100, "int8")],
    lambda x: x.sum(dtype="int8"),
)
row(
    "a promise of no zeros",
    lambda x: T.prod(x, 1, no_zeros_in_input=True),
    [numbers(3, 5)],
    lambda x: x.prod(1),
    5,
    order=2,
)
for name in ("max", "min", "argmax", "argmin"):
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
for name in ("argmax", "argmin"):
    row(
        f"{name} of ties",
        lambda x, n=name: getattr(x, n)(0),
        [integers(9, 7, high=-7)],
        lambda x, n=name: getattr(x, n)(0),
    )
    for dtype in ("bool", "uint64", "int8"):
        row(
            f"{name} of {dtype}",
            lambda x, n=name: getattr(x, n)(0, keepdims=True),
            [integers(9, 7, dtype=dtype)],
            lambda x, n=name: getattr(x, n)(0, keepdims=True),
        )
row(
    "prod with zeros",
    lambda x: x.prod(1),
    [np.array([[2.0, 0, 3], [0, 0, 4], [1, 2, 3], [0, 0, 0]])],
    lambda x: x.prod(1),
    order=2,
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
    for name in ("any", "all"):
        row(
            f"{name} of {shape} over {axis}",
            lambda x, n=name, a=axis: getattr(x, n)(a),
            [normal(*shape)],
            lambda x, n=name, a=axis: np.asarray(getattr(x, n)(a)),
        )
row("mean of nothing", lambda x: x.mean(0) + x.var(0), [normal(0, 3)], lambda x: np.full(3, np.nan))
row("argmin of no rows", lambda x: x.argmin(1), [normal(0, 3)], lambda x: x.argmin(1))
row("max of no rows", lambda x: x.max(1), [normal(0, 3)], lambda x: x.max(1))
row(
    "a long sum",
    lambda x: x.sum(),
    [normal(10_000, dtype="float32")],
    lambda x: x.sum(dtype="float64").astype("f4"),
    terms=10_000,
)
row("a tall sum", lambda x: x.sum(0), [normal(50, 700)], lambda x: x.sum(0), terms=50)
for options in ({}, {"bias": True}, {"ddof": 2}, {"rowvar": False}):
    row(
        f"cov {options}",
        lambda x, o=options: T.cov(x, **o),
        [normal(3, 5)],
        lambda x, o=options: np.cov(x, **o),
        terms=30,
        order=2,
    )
row(
    "cov of two",
    lambda x, y: T.cov(x, y),
    [normal(4), normal(2, 4, seed=1)],
    np.cov,
    terms=30,
)
