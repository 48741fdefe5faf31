"""Rows of expressions as ops."""

from __future__ import annotations

import numpy as np

from arignote import OpFromGraph, shared
from arignote import tensor as T
from cases.table import normal, row

X, Y = T.dmatrix("x"), T.dvector("y")
W = shared(np.arange(3.0), "w")
TWICE = OpFromGraph([X, Y], [T.tanh(X) * Y + W, X.sum(0)])

row(
    "an expression as an op",
    lambda x, y: TWICE(x, y)[0] * TWICE(x * 2, y)[1],
    [normal(2, 3), normal(3)],
    lambda x, y: (np.tanh(x) * y + np.arange(3.0)) * (2 * x).sum(0),
    ulps=64,
    order=2,
)
row(
    "an expression as an op in another",
    lambda x, y: OpFromGraph([X, Y], [TWICE(X, Y)[0] ** 2])(x, y),
    [normal(2, 3), normal(3)],
    lambda x, y: (np.tanh(x) * y + np.arange(3.0)) ** 2,
    ulps=64,
    order=2,
)
row(
    "an expression as an op of nothing",
    lambda x, y: TWICE(x, y)[0],
    [normal(0, 3), normal(3)],
    lambda x, y: np.zeros((0, 3)),
    order=1,
)
