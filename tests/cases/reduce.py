"""Rows of the reductions."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import FLOATS, integers, normal, numbers, row

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
