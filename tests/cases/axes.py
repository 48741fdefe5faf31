"""Rows of axes moved, dropped, inserted and repeated."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row

CUBE = normal(2, 3, 4)
row("swapaxes", lambda x: x.swapaxes(0, -1), [CUBE], lambda x: x.swapaxes(0, -1), order=1)
row("moveaxis", lambda x: T.moveaxis(x, [0, 2], [-1, 0]), [CUBE], lambda x: np.moveaxis(x, [0, 2], [-1, 0]))
for start in (0, 1, 3):
    row(
        f"rollaxis to {start}",
        lambda x, s=start: T.rollaxis(x, 1, s),
        [CUBE],
        lambda x, s=start: np.rollaxis(x, 1, s),
    )
ONES = {"shapes": ((None, 1, None, 1),)}
row("squeeze", lambda x: x.squeeze(), [normal(2, 1, 3, 1)], lambda x: x[:, 0, :, 0], order=1, **ONES)
row("squeeze an axis", lambda x: T.squeeze(x, 1), [normal(2, 1, 3, 1)], lambda x: x[:, 0], **ONES)
row(
    "shape_pad",
    lambda x: T.shape_padleft(T.shape_padright(T.shape_padaxis(x, 1), 2)),
    [normal(2, 3)],
    lambda x: x[None, :, None, :, None, None],
    order=1,
)
row(
    "specify_shape",
    lambda x, n: T.specify_shape(x, (n, None)) * 2.0,
    [normal(2, 3), np.array(2)],
    lambda x, n: x * 2,
    order=1,
)
row(
    "addbroadcast",
    lambda x, y: T.addbroadcast(x, 0) * y,
    [normal(1, 3), normal(2, 3)],
    lambda x, y: x * y,
    order=1,
)
row(
    "patternbroadcast",
    lambda x, y: T.patternbroadcast(x, (False, True)) + y,
    [normal(2, 1), normal(2, 3)],
    lambda x, y: x + y,
    order=1,
    shapes=((None, None), (None, None)),
)
row(
    "unbroadcast",
    lambda x: T.unbroadcast(x, 0) * 2.0,
    [normal(1, 3)],
    lambda x: x * 2,
    order=1,
    shapes=((1, None),),
)
row(
    "broadcast_to",
    lambda x, n: T.broadcast_to(x, (n, 2, 3)),
    [normal(1, 3), np.array(2)],
    lambda x, n: np.broadcast_to(x, (2, 2, 3)),
    order=1,
    shapes=((1, None), ()),
)
row("flip", lambda x: T.flip(x, (0, -1)), [CUBE], lambda x: np.flip(x, (0, 2)), order=1)
row("flip all", lambda x: T.flip(x), [integers(2, 3, dtype="int16")], np.flip)
for reps in [3, (2,), (2, 1, 3), (1, 2, 1, 2)]:
    row(f"tile by {reps}", lambda x, r=reps: T.tile(x, r), [CUBE], lambda x, r=reps: np.tile(x, r), order=1)
row(
    "tile by symbols",
    lambda x, n: T.tile(x, (n, 2), ndim=3),
    [normal(2, 3), np.array(2)],
    lambda x, n: np.tile(x, (1, 2, 2)),
    order=1,
)
row("tile to nothing", lambda x, n: T.tile(x, (n,)), [normal(3), np.array(0)], lambda x, n: np.tile(x, 0))
for axis in (None, 0, -1):
    row(
        f"repeat along {axis}",
        lambda x, a=axis: T.repeat(x, 3, a),
        [normal(2, 3)],
        lambda x, a=axis: np.repeat(x, 3, a),
        order=1,
    )
row(
    "repeat by a vector",
    lambda x, n: x.repeat(n, axis=1),
    [normal(2, 3), np.array([2, 0, 1])],
    lambda x, n: np.repeat(x, [2, 0, 1], 1),
    order=1,
)
row("repeat nothing", lambda x, n: x.repeat(n), [normal(0), np.zeros(0, "int64")], lambda x, n: x)
