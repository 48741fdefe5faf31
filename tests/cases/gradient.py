"""Rows of what changes gradients and keeps values; `tests/engine/test_grad.py` tells how it changes them."""

from __future__ import annotations

from arignote import gradient
from cases.table import normal, row

row("grad_clip", lambda x: gradient.grad_clip(x, -100, 100) ** 2, [normal(3)], lambda x: x * x, order=2)
row("grad_scale", lambda x: gradient.grad_scale(x, 1) ** 2, [normal(3)], lambda x: x * x, order=2)
for change in (gradient.disconnected_grad, gradient.zero_grad, gradient.undefined_grad):
    row(change.__name__, change, [normal(3)], lambda x: x)
