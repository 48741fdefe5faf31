"""Rows of softmax and the cross-entropies."""

from __future__ import annotations

import numpy as np
import scipy.signal
import scipy.special

from arignote import tensor as T
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
row("softmax of a vector", T.nnet.softmax, [normal(7)], lambda x: scipy.special.softmax(x)[None], 16, order=1)
row("softmax of one class", T.nnet.softmax, [normal(3, 1)], np.ones_like, order=1)
row("softmax of no rows", T.nnet.softmax, [normal(0, 3)], lambda x: x, order=1)
