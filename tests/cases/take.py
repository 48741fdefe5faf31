"""Rows of elements that arrays of integers pick."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row

PLACES = np.array([[1, 0], [-1, 1]])
for axis in (None, 0, 1, -1):
    row(
        f"take along {axis}",
        lambda x, i, a=axis: T.take(x, i, axis=a),
        [normal(2, 3), PLACES],
        lambda x, i, a=axis: np.take(x, i, a),
        order=1,
    )
for mode in ("clip", "wrap"):
    row(
        f"take with {mode}",
        lambda x, i, m=mode: x.take(i, axis=0, mode=m),
        [normal(3, 2), np.array([-4, 0, 7, 3])],
        lambda x, i, m=mode: np.take(x, i, 0, mode=m),
        order=1,
    )
row("take one", lambda x, i: x.take(i, 1), [normal(2, 3), np.array(-1)], lambda x, i: x[:, -1], order=1)
row(
    "choose",
    lambda a, x, y: T.choose(a, [x, y]),
    [np.array([[1], [0]]), normal(2, 3), normal(2, 3, seed=1)],
    lambda a, x, y: np.choose(a, [x, y]),
    order=1,
    shapes=((None, 1), (None, None), (None, None)),
)
row(
    "choose of an array",
    lambda a, x: a.choose(x, mode="wrap"),
    [np.array([5, -1, 0]), normal(2, 3)],
    lambda a, x: np.choose(a, x, mode="wrap"),
    order=1,
)
ZEROS = integers(3, 4, low=-1, high=1)
row("nonzero as a matrix", lambda x: x.nonzero(return_matrix=True), [ZEROS], lambda x: np.array(x.nonzero()))
row("flatnonzero", T.flatnonzero, [ZEROS], np.flatnonzero)
row("nonzero_values", lambda x: T.nonzero_values(x * (x > 0.0)), [normal(3, 4)], lambda x: x[x > 0], order=1)
row(
    "compress",
    lambda c, x: c.compress(x, axis=1),
    [np.array([0, 1, 1]), normal(2, 4)],
    lambda c, x: np.compress(c, x, 1),
    order=1,
)
row(
    "to_one_hot",
    lambda y: T.extra_ops.to_one_hot(y, 4, dtype="float32"),
    [np.array([3, 0, -1], "int8")],
    lambda y: np.eye(4, dtype="float32")[y],
)
for shape in [(4,), (3, 4)]:
    orders = np.argsort(normal(*shape), -1)
    row(
        f"inverse_permutation of {shape}",
        T.inverse_permutation,
        [orders.astype("int32")],
        lambda p: np.argsort(p, -1).astype("int32"),
    )
    row(
        f"permute_row_elements by {shape}",
        T.permute_row_elements,
        [normal(3, 4), orders],
        lambda x, p: np.take_along_axis(x, np.broadcast_to(p, x.shape), 1),
        order=1,
    )
    row(
        f"permute_row_elements by the inverse of {shape}",
        lambda x, p: T.permute_row_elements(x, p, inverse=True),
        [normal(3, 4), orders],
        lambda x, p: np.take_along_axis(x, np.broadcast_to(np.argsort(p, -1), x.shape), 1),
        order=1,
    )
