"""Rows of grids."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import normal, row

for number in (0, 1):
    row(
        f"mgrid {number}",
        lambda n, k=number: T.mgrid[0:n, 1:9:3][k],
        [np.array(2)],
        lambda n, k=number: np.mgrid[0:2, 1:9:3][k],
    )
    row(
        f"ogrid {number}",
        lambda n, k=number: T.ogrid[:n, 2:5][k],
        [np.array(2)],
        lambda n, k=number: np.ogrid[:2, 2:5][k],
    )
    for indexing in ("xy", "ij"):
        row(
            f"meshgrid {number} {indexing}",
            lambda x, y, k=number, i=indexing: T.meshgrid(x, y, indexing=i)[k],
            [normal(2), normal(3)],
            lambda x, y, k=number, i=indexing: np.meshgrid(x, y, indexing=i)[k],
            order=1,
        )
