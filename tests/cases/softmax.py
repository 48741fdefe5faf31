"""Rows of softmax and the cross-entropies."""

from __future__ import annotations

import numpy as np
import scipy.signal
import scipy.special

from arignote import tensor as T
from arignote.engine.ops.softmax import LogSoftmaxAt, LogSoftmaxAtGradient
from cases.table import FLOATS, normal, row

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

CLASSES = np.array([0, 6, 3, 3, 1, 2, 5, 4, 6])
for dtype in FLOATS:
    order = 2 if dtype == "float64" else 0
    kind = "int32" if dtype == "float32" else "uint64"
    row(
        f"log_softmax_at {dtype}",
        LogSoftmaxAt(),
        [normal(9, 7, dtype=dtype), CLASSES.astype(kind)],
        lambda x, y: scipy.special.log_softmax(x, 1)[np.arange(9), y],
        16,
        order=order,
    )
    row(
        f"log_softmax_at_gradient {dtype}",
        LogSoftmaxAtGradient(),
        [
            normal(9, dtype=dtype, seed=1),
            normal(9, 7, dtype=dtype),
            CLASSES.astype(kind),
        ],
        lambda g, x, y: g[:, None] * (np.eye(7, dtype=g.dtype)[y] - scipy.special.softmax(x, 1)),
        16,
        terms=2,
        order=order,
    )
    row(
        f"log_softmax_at at extremes {dtype}",
        LogSoftmaxAt(),
        [EXTREME.astype(dtype), np.array([1, 0, -1, -3, 1], "int8")],
        lambda x, y: scipy.special.log_softmax(x, 1)[np.arange(5), y],
        16,
    )
row(
    "log_softmax_at of no rows",
    LogSoftmaxAt(),
    [normal(0, 3), np.zeros(0, "int64")],
    lambda x, y: x[:, 0],
    order=1,
)
row("softmax of a vector", T.nnet.softmax, [normal(7)], lambda x: scipy.special.softmax(x)[None], 16, order=1)
row("softmax of one class", T.nnet.softmax, [normal(3, 1)], np.ones_like, order=1)
row("softmax of no rows", T.nnet.softmax, [normal(0, 3)], lambda x: x, order=1)
