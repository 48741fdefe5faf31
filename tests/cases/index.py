"""Rows of indexing."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, numbers, row

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
