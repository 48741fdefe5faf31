"""Rows of the products."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import FLOATS, normal, row

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
