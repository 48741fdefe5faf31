"""Rows of the products."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import FLOATS, INTEGERS, integers, normal, row

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
for dtype in INTEGERS:
    row(
        f"dot {dtype}",
        T.dot,
        [integers(3, 4, dtype=dtype, high=100), integers(4, 5, dtype=dtype, high=100, seed=1)],
        np.dot,
    )
row("dot of one integer column", T.dot, [integers(6, 4), integers(4, seed=1)], np.dot)
row(
    "dot of two dtypes",
    T.dot,
    [integers(3, 4, dtype="int8"), normal(4, 5)],
    lambda x, y: np.dot(x.astype("float64"), y),
    terms=4,
)
for a, b in [((2, 3, 4), (4,)), ((4,), (3, 4, 2)), ((2, 3, 4), (5, 4, 2)), ((2, 0, 4), (3, 4, 2))]:
    row(f"dot {a} {b}", T.dot, [normal(*a), normal(*b, seed=1)], np.dot, terms=4, order=2)
row("outer", T.outer, [normal(2, 3), normal(4, seed=1)], np.outer, order=2)
row("outer of integers", T.outer, [integers(3, dtype="int8"), integers(0, dtype="int16")], np.outer)
for a, b, axes in [
    ((2, 3, 4), (3, 4, 5), 2),
    ((2, 3), (4, 5), 0),
    ((2, 3, 4), (4, 3, 5), [[2, 1], [0, 1]]),
    ((2, 3, 4), (5, 3), [1, -1]),
    ((2, 3), (3, 2), [[0, 1], [1, 0]]),
    ((2, 0, 4), (4, 0, 5), [[2, 1], [0, 1]]),
    ((1, 3), (3, 1), 1),
]:
    for open_ in (True, False):
        row(
            f"tensordot {a} {b} {axes} {'open' if open_ else 'known'}",
            lambda x, y, axes=axes: T.tensordot(x, y, axes),
            [normal(*a), normal(*b, seed=1)],
            lambda x, y, axes=axes: np.tensordot(x, y, axes),
            terms=12,
            order=2,
            shapes=None if open_ else (a, b),
        )
for dtype in ("float32", "float64", "int32"):
    for a, b, meaning in [
        ((5, 3, 4), (5, 4, 2), "bij,bjk->bik"),
        ((70, 9, 40), (70, 40, 66), "bij,bjk->bik"),
        ((5, 3, 4), (5, 4), "bij,bj->bi"),
        ((5, 4), (5, 4, 2), "bj,bjk->bk"),
        ((5, 4), (5, 4), "bj,bj->b"),
        ((5,), (5, 4, 2), "b,bjk->bjk"),
        ((5, 4), (5,), "bj,b->bj"),
        ((5, 2, 3, 4), (5, 4, 2), "bxij,bjk->bxik"),
        ((5, 3, 4), (5, 2, 4, 3), "bij,bxjk->bixk"),
        ((0, 3, 4), (0, 4, 2), "bij,bjk->bik"),
        ((5, 3, 0), (5, 0, 2), "bij,bjk->bik"),
        ((1, 1, 1), (1, 1, 1), "bij,bjk->bik"),
    ]:
        if a[0] == 70 or dtype == "float64" or a == b or len(a) == len(b) == 3:
            values = integers if dtype == "int32" else normal
            row(
                f"batched_dot {a} {b} {dtype}",
                T.batched_dot,
                [values(*a, dtype=dtype), values(*b, dtype=dtype, seed=1)],
                lambda x, y, meaning=meaning: np.einsum(meaning, x, y, dtype=x.dtype),
                terms=0 if dtype == "int32" else 40,
                order=2 if dtype == "float64" and a[0] < 70 else 0,
            )
row(
    "batched_dot of views",
    lambda x, y: T.batched_dot(x.dimshuffle(1, 2, 0), y[::2]),
    [normal(3, 5, 4), normal(10, 3, 2)],
    lambda x, y: np.einsum("ibj,bik->bjk", x, y[::2]),
    terms=3,
    order=2,
)
row(
    "batched_tensordot",
    lambda x, y: T.batched_tensordot(x, y, [[2, 3], [1, 2]]),
    [normal(5, 2, 3, 4), normal(5, 3, 4, seed=1)],
    lambda x, y: np.einsum("bijk,bjk->bi", x, y),
    terms=12,
    order=2,
)
row(
    "batched_tensordot of a number of axes",
    lambda x, y: T.batched_tensordot(x, y, 1),
    [normal(5, 2, 3), normal(5, 3, 4, seed=1)],
    lambda x, y: np.einsum("bij,bjk->bik", x, y),
    terms=3,
    order=2,
)
for a, b in [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((6, 5, 2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((0, 2, 3), (0, 3, 4)),
]:
    row(
        f"matmul {a} {b}",
        lambda x, y: x @ y,
        [normal(*a), normal(*b, seed=1)],
        np.matmul,
        terms=4,
        order=2,
        shapes=tuple(tuple(1 if extent == 1 else None for extent in shape) for shape in (a, b)),
    )
row("array @ variable", lambda x: np.eye(3)[:2] @ x, [normal(3, 4)], lambda x: x[:2], terms=4, order=2)
