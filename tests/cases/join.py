"""Rows of joining and splitting."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row

for axis in (0, 1, -1):
    row(
        f"join along {axis}",
        lambda x, y, a=axis: T.concatenate([x, y * 2.0, x], a),
        [normal(2, 3, 4), normal(2, 3, 4, seed=1)],
        lambda x, y, a=axis: np.concatenate([x, y * 2, x], a),
        order=1,
    )
row(
    "join with nothing",
    lambda x, y, z: T.join(0, x, y, z),
    [normal(3, 2), normal(0, 2), normal(1, 2, seed=1)],
    lambda x, y, z: np.concatenate([x, y, z]),
    order=2,
)
row(
    "join of other dtypes",
    lambda x, y: T.concatenate([x, y, [1, 2]]),
    [integers(3, dtype="int8"), normal(2, dtype="float32")],
    lambda x, y: np.concatenate([x.astype("float64"), y, [1.0, 2.0]]),
)
row(
    "join of views of bools",
    lambda x: T.concatenate([x.T, x[::-1].T], axis=1),
    [integers(2, 3, low=0, high=1) > 0],
    lambda x: np.concatenate([x.T, x[::-1].T], axis=1),
)
row(
    "stack of scalars",
    lambda x, y: T.stack([x, y, 3.0]),
    [normal(), normal(seed=1)],
    lambda x, y: np.array([x, y, 3.0]),
    order=1,
)
for axis in (0, 1, -1):
    row(
        f"stack along {axis}",
        lambda x, y, a=axis: T.stack([x, y], axis=a),
        [normal(2, 3), normal(2, 3, seed=1)],
        lambda x, y, a=axis: np.stack([x, y], a),
        order=1,
    )
row(
    "stack in its older form",
    lambda x, y: T.stack(x, y),
    [normal(2), normal(2, seed=1)],
    lambda x, y: np.stack([x, y]),
)
row(
    "stacklists",
    lambda x, y: T.stacklists([[x, y], [y, 1.0]]),
    [normal(), normal(seed=1)],
    lambda x, y: np.array([[x, y], [y, 1.0]]),
    order=1,
)
row(
    "horizontal and vertical stack",
    lambda x, y: T.vertical_stack(T.horizontal_stack(x, y), T.horizontal_stack(y, x)),
    [normal(2, 2), normal(2, 2, seed=1)],
    lambda x, y: np.block([[x, y], [y, x]]),
    order=1,
)
row(
    "split",
    lambda x: T.split(x, [1, 0, 3], 3, axis=1)[2],
    [normal(2, 4)],
    lambda x: x[:, 1:],
    order=1,
)
row(
    "split by a vector",
    lambda x, s: T.concatenate(T.split(x, s, 2)[::-1]),
    [normal(5, 2), np.array([3, 2])],
    lambda x, s: np.concatenate([x[3:], x[:3]]),
    order=1,
)
for shift in (2, -1, 7, 0):
    row(
        f"roll by {shift}",
        lambda x, n: T.roll(x, n, 1),
        [normal(2, 5), np.array(shift)],
        lambda x, n: np.roll(x, n, 1),
        order=1,
    )
row("roll in row-major order", lambda x: T.roll(x, 4), [normal(2, 3)], lambda x: np.roll(x, 4), order=1)
row("roll nothing", lambda x, n: T.roll(x, n, 0), [normal(0, 2), np.array(3)], lambda x, n: x)
