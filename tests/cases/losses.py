"""Rows of the cross-entropies, and of softmax along an axis."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from arignote import tensor as T
from cases.table import FLOATS, integers, normal, numbers, row

NLL = np.array([1, 4, 0, 1])


def log_softmax(x, axis=1):
    return scipy.special.log_softmax(x, axis)


def two_steps(x, W1, b1, W2, b2):
    """The probabilities of all outputs: those of their classes times those within."""
    classes = scipy.special.softmax(x @ W1 + b1, 1)
    within = scipy.special.softmax(np.einsum("nf,cfo->nco", x, W2) + b2, 2)
    return (classes[:, :, None] * within).reshape(len(x), -1)


for axis in (0, 1, 2, -2):
    for name, op, meaning in [
        ("softmax", T.nnet.softmax, scipy.special.softmax),
        ("logsoftmax", T.nnet.logsoftmax, scipy.special.log_softmax),
    ]:
        row(
            f"{name} along {axis}",
            lambda x, o=op, a=axis: o(x, axis=a),
            [normal(3, 4, 2)],
            lambda x, m=meaning, a=axis: m(x, a),
            16,
            order=2,
        )
row(
    "softmax of a vector along it",
    lambda x: T.nnet.softmax(x, axis=0),
    [normal(7)],
    scipy.special.softmax,
    16,
)
row("softmax along no cases", lambda x: T.nnet.softmax(x, axis=1), [normal(0, 3, 2)], lambda x: x)
row(
    "crossentropy of classes",
    lambda x, y: T.nnet.categorical_crossentropy(T.nnet.softmax(x), y),
    [normal(4, 5), NLL],
    lambda x, y: -log_softmax(x)[np.arange(4), y],
    16,
    order=2,
)
row(
    "crossentropy of distributions",
    lambda x, y: T.nnet.categorical_crossentropy(T.nnet.softmax(x), y),
    [normal(4, 5), numbers(4, 5, low=0, high=1)],
    lambda x, y: -(y * log_softmax(x)).sum(1),
    terms=20,
    order=2,
)
row(
    "crossentropy of distributions of any rank",
    T.nnet.categorical_crossentropy,
    [numbers(3, 4, 5, low=0.1, high=1), numbers(3, 4, 5, low=0, high=1, seed=1)],
    lambda p, y: -(y * np.log(p)).sum(-1),
    terms=20,
    order=2,
)
row(
    "crossentropy of no cases",
    T.nnet.categorical_crossentropy,
    [normal(0, 3), np.zeros(0, "int64")],
    lambda p, y: p[:, 0],
)
row(
    "binary crossentropy",
    T.nnet.binary_crossentropy,
    [numbers(9, low=0.1, high=0.9), numbers(9, low=0, high=1, seed=1)],
    lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
    8,
    order=2,
)
for dtype in FLOATS:

    def of_torch(x, t):
        torch = pytest.importorskip("torch", reason="PyTorch's loss is what is compared with")
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        return loss(torch.from_numpy(x), torch.from_numpy(t), reduction="none").numpy()

    row(
        f"sigmoid_binary_crossentropy {dtype}",
        T.nnet.sigmoid_binary_crossentropy,
        [numbers(21, low=-9, high=9, dtype=dtype), numbers(21, low=0, high=1, seed=1, dtype=dtype)],
        of_torch,
        16,
        order=2 if dtype == "float64" else 0,
    )
row(
    "sigmoid_binary_crossentropy of bools, at 0",
    T.nnet.sigmoid_binary_crossentropy,
    [np.array([0.0, -0.0, 3.0, -3.0]), integers(4, dtype="bool")],
    lambda x, t: np.logaddexp(0, x) - x * t,
    8,
    order=2,
)
row(
    "softmax_with_bias",
    T.nnet.softmax_with_bias,
    [normal(4, 5), normal(5, seed=1)],
    lambda x, b: scipy.special.softmax(x + b, 1),
    16,
    order=2,
)
row(
    "crossentropy_softmax_argmax_1hot_with_bias",
    lambda x, b, y: sum(T.nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)[::2]),
    [normal(4, 5), normal(5, seed=1), NLL],
    lambda x, b, y: (x + b).argmax(1) - log_softmax(x + b)[np.arange(4), y],
    16,
    order=2,
)
row(
    "crossentropy_softmax_1hot_with_bias",
    lambda x, b, y: T.nnet.crossentropy_softmax_1hot_with_bias(x, b, y)[1],
    [normal(4, 5), normal(5, seed=1), NLL],
    lambda x, b, y: scipy.special.softmax(x + b, 1),
    16,
)
row(
    "crossentropy_softmax_max_and_argmax_1hot",
    lambda x, y: sum(T.nnet.crossentropy_softmax_max_and_argmax_1hot(x, y)[::2]),
    [normal(4, 5), NLL],
    lambda x, y: scipy.special.softmax(x, 1).max(1) - log_softmax(x)[np.arange(4), y],
    16,
)
LAYER = [normal(4, 3), normal(3, 2, seed=1), normal(2, seed=2), normal(2, 3, 3, seed=3), normal(2, 3, seed=4)]
row(
    "h_softmax",
    lambda x, *w: T.nnet.h_softmax(x, 4, 5, 2, 3, *w),
    LAYER,
    lambda *x: two_steps(*x)[:, :5],
    64,
    order=2,
)
row(
    "h_softmax of targets",
    lambda x, *w: T.nnet.h_softmax(x, x.shape[0], 5, 2, 3, *w[:-1], target=w[-1]),
    [*LAYER, NLL],
    lambda *x: two_steps(*x[:-1])[np.arange(4), NLL],
    64,
    order=2,
)
row(
    "confusion_matrix",
    lambda x, y: T.nnet.confusion_matrix(x, y)[0],
    [np.array([3, 0, 3, 5, 0]), np.array([3, 3, 3, 0, 0])],
    lambda x, y: np.array([[1, 1, 0], [0, 2, 0], [1, 0, 0]]),  # rows and columns for 0, 3 and 5
)
