"""Rows of scan."""

from __future__ import annotations

import itertools

import numpy as np

from arignote import foldl, foldr, map, scan
from arignote import tensor as T
from cases.table import integers, normal, row


def recurrence(x, h, w):
    values = []
    for row_ in x:
        h = row_ + h @ w
        values.append(h)
    return np.array(values).reshape(len(x), *h.shape)


def second_order(x, first):
    values = list(first)
    for before, now in itertools.pairwise(x):
        values.append(before * now + values[-1] * 0.5 - values[-3] ** 2)
    return np.array(values[len(first) :])


def horner(x):
    total = np.zeros(len(x))
    for column in x.T:
        total = total * column + 1
    return total


for steps in (0, 1, 4):
    row(
        f"scan of {steps} steps",
        lambda x, h, w: scan(lambda row_, h: row_ + T.dot(h, w), x, h)[0],
        [normal(steps, 2, 3), normal(2, 3, seed=1), normal(3, 3, seed=2)],
        recurrence,
        terms=40,
        order=2,
    )
row(
    "scan with taps",
    lambda x, first: scan(
        lambda before, now, last, third: before * now + last * 0.5 - T.sqr(third),
        {"input": x, "taps": [-1, 0]},
        {"initial": first, "taps": [-1, -3]},
    )[0],
    [normal(6), normal(3, seed=1)],
    second_order,
    terms=40,
    order=2,
)
row("scan of integers", lambda x: foldl(lambda i, s: s + i, x, T.cast(0, "int64"))[0], [integers(5)], np.sum)
row(
    "map",
    lambda x: map(lambda x: x * T.sum(x), x)[0],
    [normal(3, 2)],
    lambda x: x * x.sum(1)[:, None],
    terms=9,
    order=2,
)
row(
    "foldr",
    lambda x: foldr(lambda x, y: x + y / 2, x, 0.0)[0],
    [normal(4)],
    lambda x: x @ 0.5 ** np.arange(4),
    terms=9,
    order=1,
)
row(
    "scan in a scan",
    lambda x: map(lambda r: scan(lambda e, s: s * e + 1, r, T.zeros(()))[0][-1], x)[0],
    [normal(3, 4)],
    horner,
    terms=40,
    order=2,
)
