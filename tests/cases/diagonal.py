"""Rows of matrices made, taken apart and filled by diagonals."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row

row("eye", lambda n: T.eye(n, n + 1, -1), [np.array(3)], lambda n: np.eye(3, 4, -1))
row(
    "eye of int8", lambda n: T.eye(n, dtype="int8"), [np.array(2, "int32")], lambda n: np.eye(2, dtype="int8")
)
row("identity_like", lambda x: T.identity_like(x) * x, [normal(2, 3)], lambda x: np.eye(2, 3) * x, order=1)
row(
    "tri",
    lambda n, k: T.tri(n, 4, k, dtype="float32"),
    [np.array(3), np.array(1)],
    lambda n, k: np.tri(3, 4, 1, "float32"),
)
for k in (0, -1, 2):
    row(f"tril {k}", lambda x, k=k: T.tril(x, k), [normal(3, 4)], lambda x, k=k: np.tril(x, k), order=1)
    row(f"triu {k}", lambda x, k=k: T.triu(x, k), [integers(2, 4, 3)], lambda x, k=k: np.triu(x, k))
row("tril of what is not finite", T.tril, [np.full((2, 2), np.inf)], np.tril)
for offset in (0, 1, -1, 3, -4, 9):
    row(
        f"diagonal {offset}",
        lambda x, o=offset: x.diagonal(o),
        [normal(3, 4)],
        lambda x, o=offset: x.diagonal(o),
        order=1,
    )
row(
    "diagonal of other axes",
    lambda x, o: T.diagonal(x, o, 2, 0),
    [normal(3, 2, 4), np.array(-1)],
    lambda x, o: np.diagonal(x, -1, 2, 0),
    order=1,
)
row("extract_diag", T.extract_diag, [normal(3, 3)], np.diagonal)
row(
    "diag of a vector",
    lambda v, k: T.diag(v, k),
    [normal(3), np.array(-2)],
    lambda v, k: np.diag(v, -2),
    order=1,
)
row("diag of a matrix", lambda x: T.diag(x, 1), [normal(3, 4)], lambda x: np.diag(x, 1))
row("diag of nothing", T.diag, [normal(0)], np.diag)


def stacked_diagonals(x):
    return np.moveaxis(np.stack([np.diag(v, 1) for v in x]), 0, 1)


row("AllocDiag", lambda x: T.AllocDiag(1, 0, 2)(x), [normal(2, 3)], stacked_diagonals, order=1)


def filled(x, value, offset):
    rows, columns = np.indices(x.shape)
    return np.where(columns - rows == offset, value, x)


for shape in [(3, 3), (4, 2), (2, 4)]:
    row(
        f"fill_diagonal of {shape}",
        lambda x, v: T.fill_diagonal(x, v),
        [normal(*shape), normal(seed=1)],
        lambda x, v: filled(x, v, 0),
        order=1,
    )
    for offset in (1, -1, 5):
        row(
            f"fill_diagonal_offset of {shape} at {offset}",
            lambda x, v, o: T.fill_diagonal_offset(x, v, o),
            [normal(*shape), normal(seed=1), np.array(offset)],
            filled,
            order=1,
        )


def filled_cube(x, value):
    result = x.copy()
    np.fill_diagonal(result, value)
    return result


row("fill_diagonal of a cube", T.fill_diagonal, [normal(2, 2, 2), normal(seed=1)], filled_cube, order=1)
