"""Rows of running sums, sorting, and what is found by it."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import FLOATS, integers, normal, numbers, row

UNSORTED = np.array([[np.nan, 2, -np.inf, 2, 0], [3, np.inf, -0.0, 0.0, 3]])


def places(x, k, axis):
    """The largest first, NaN before all; of equal ones the first first."""
    flipped = np.flip(x, axis)
    order = x.shape[axis] - 1 - np.flip(flipped.argsort(axis, kind="stable"), axis)
    return np.take(order if k > 0 else x.argsort(axis, kind="stable"), range(abs(k)), axis)


for name in ("cumsum", "cumprod"):
    for axis in (None, 0, 1, -1):
        row(
            f"{name} {axis}",
            lambda x, n=name, a=axis: getattr(x, n)(a),
            [numbers(3, 4, 5)],
            lambda x, n=name, a=axis: getattr(x, n)(a),
            ulps=64 if name == "cumprod" else 0,
            terms=60,
            order=2,
        )
    for dtype in ("bool", "int8", "uint8", "float32"):
        row(
            f"{name} {dtype}",
            lambda x, n=name: getattr(x, n)(1),
            [integers(3, 4, dtype=dtype)],
            lambda x, n=name: getattr(x, n)(1),
        )
    for shape in [(0, 3), (3, 0), (1, 1)]:
        row(
            f"{name} of {shape}",
            lambda x, n=name: getattr(T, n)(x, 1),
            [normal(*shape)],
            lambda x: x,
            order=1,
        )
row(
    "cumprod with zeros",
    lambda x: x.cumprod(1),
    [np.array([[2.0, 0, 3, 4], [0, 2, 0, 3], [0, 0, 0, 2], [1, 2, 3, 0]])],
    lambda x: x.cumprod(1),
    order=2,
)
for n in (0, 1, 3):
    for axis in (0, -1):
        row(
            f"diff {n} {axis}",
            lambda x, n=n, a=axis: T.diff(x, n, a),
            [normal(5, 4)],
            lambda x, n=n, a=axis: np.diff(x, n, a),
            terms=8,
            order=1,
        )
for dtype in ("bool", "uint8"):
    row(f"diff {dtype}", T.diff, [integers(3, 5, dtype=dtype)], np.diff)
row("diff of one", T.diff, [normal(3, 1)], lambda x: x[:, :0])
for axis in (None, 0, 1, -1):
    row(
        f"sort {axis}", lambda x, a=axis: x.sort(a), [numbers(4, 5)], lambda x, a=axis: np.sort(x, a), order=2
    )
    row(
        f"argsort {axis}",
        lambda x, a=axis: x.argsort(a),
        [integers(6, 7, low=-2, high=2)],
        lambda x, a=axis: x.argsort(a, kind="stable"),
    )
for dtype in ("bool", "int8", "uint64", "float32"):
    row(
        f"sort {dtype}",
        lambda x: T.sort(x, 0, "mergesort"),
        [integers(5, 4, dtype=dtype)],
        lambda x: np.sort(x, 0),
    )
row("sort special", T.sort, [UNSORTED], np.sort)
row("argsort special", T.argsort, [UNSORTED], lambda x: x.argsort(kind="stable"))
for shape in [(0, 3), (3, 0), (1, 1)]:
    row(f"sort of {shape}", T.sort, [normal(*shape)], np.sort, order=1)
for k in (1, 3, -2):
    for axis in (0, 1):
        row(
            f"topk {k} {axis}",
            lambda x, k=k, a=axis: T.topk(x, k, a),
            [numbers(4, 5)],
            lambda x, k=k, a=axis: np.take_along_axis(x, places(x, k, a), a),
            order=2,
        )
    row(
        f"argtopk {k}",
        lambda x, k=k: T.argtopk(x, k),
        [integers(4, 9, low=0, high=3)],
        lambda x, k=k: places(x, k, 1),
    )
    row(f"argtopk special {k}", lambda x, k=k: T.argtopk(x, k), [UNSORTED], lambda x, k=k: places(x, k, 1))
row(
    "topk of a flat array, of a symbolic number",
    lambda x, k: T.topk(x, k, axis=None),
    [numbers(4, 5), np.array(3)],
    lambda x, k: np.sort(x.ravel())[::-1][:3],
)
row(
    "places as int32",
    lambda x: T.topk_and_argtopk(x, 2, idx_dtype="int32")[1],
    [numbers(3, 5)],
    lambda x: places(x, 2, 1).astype("int32"),
)
for name in ("return_index", "return_inverse", "return_counts"):
    row(
        f"unique {name}",
        lambda x, n=name: T.unique(x, **{n: True})[1],
        [integers(3, 5, low=-2, high=2)],
        lambda x, n=name: np.unique(x.ravel(), **{n: True})[1],
    )
for dtype in ("bool", "int8", *FLOATS):
    row(f"unique {dtype}", T.unique, [integers(3, 5, low=-2, high=2).astype(dtype)], np.unique)
row("unique has a gradient", lambda x: T.unique(x)[:2], [normal(5)], lambda x: np.unique(x)[:2], order=1)
row("unique of nothing", T.unique, [normal(0)], np.unique)
for dtype in ("bool", "int8", "uint64"):
    row(
        f"bincount {dtype}",
        T.bincount,
        [integers(20, low=0, dtype=dtype)],
        lambda x: np.bincount(x.astype("int64")),
    )
row(
    "bincount of weights",
    T.bincount,
    [integers(20, low=0), normal(20)],
    np.bincount,
    terms=20,
    order=1,
)
row(
    "bincount of a length",
    lambda x: T.bincount(x, minlength=15),
    [integers(9, low=0)],
    lambda x: np.bincount(x, minlength=15),
)
row(
    "bincount of nothing",
    lambda x: T.bincount(x, minlength=3),
    [np.zeros(0, "int8")],
    lambda x: np.zeros(3, "int64"),
)
for side in ("left", "right"):
    row(
        f"searchsorted {side}",
        lambda x, v, s=side: x.searchsorted(v, s),
        [np.array([1.0, 2, 2, 5, np.nan]), np.array([[2, 0, 9], [np.nan, 5, 1.5]])],
        lambda x, v, s=side: x.searchsorted(v, s),
    )
row(
    "searchsorted by a sorter",
    lambda x: T.searchsorted(x, 3, sorter=T.argsort(x)),
    [np.array([5, 1, 3])],
    lambda x: np.asarray(1),
)

for name in ("argsort", "cumsum", "argmax"):  # an inserted axis has no stride of its own
    row(
        f"{name} along an inserted axis",
        lambda x, n=name: getattr(x.dimshuffle(0, "x", 1), n)(axis=1),
        [normal(4, 3)],
        lambda x, n=name: getattr(x[:, None], n)(axis=1),
    )
