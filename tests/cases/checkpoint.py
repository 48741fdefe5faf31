"""Rows of checkpoints; `tests/engine/test_checkpoint.py` tells what they are for."""

from __future__ import annotations

import numpy as np

from arignote import checkpoint
from arignote import tensor as T
from cases.table import normal, row

row(
    "checkpoint",
    lambda x, w: checkpoint(T.exp(T.sin(x * w)), x) * w,
    [normal(3, 4), normal(3, 4, seed=1)],
    lambda x, w: np.exp(np.sin(x * w)) * w,
    16,
    order=2,
)
