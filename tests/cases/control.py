"""Rows of control."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from arignote.engine.ops.control import Print, ifelse
from cases.table import normal, row

for condition in (True, False):
    row(
        f"ifelse {condition}",
        lambda c, x, y: ifelse(c, T.sqr(x), y * 3),
        [np.array(condition), normal(3, 4), normal(2, 5)],
        lambda c, x, y: x * x if c else y * 3,
        order=2,
    )
row("print", lambda x: T.sqr(Print("x =", show=len)(x)), [normal(3)], lambda x: x * x, order=2)
