"""Rows of indexing."""

from __future__ import annotations

import functools

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
for step in (2, -1, -3):
    row(
        f"a symbolic step of {step}",
        lambda x, i, s: x[i::s],
        [normal(7, 2), np.array(5), np.array(step)],
        lambda x, i, s: x[i::s],
        order=1,
    )
ROW, COLUMN = np.array([[2, 0, -1]]), np.array([[1], [-2]], "int16")
VECTOR = np.array([3, 0], "uint8")
OPEN = {"shapes": ((None,) * 4, (1, None), (None, 1), (None,))}
MIXTURES = {
    "x[:, i]": lambda x, i, j, k: x[:, i],
    "x[i, j]": lambda x, i, j, k: x[i, j],
    "x[:, i, j]": lambda x, i, j, k: x[:, i, j],
    "x[i, :, j]": lambda x, i, j, k: x[i, :, j],
    "x[0, :, k]": lambda x, i, j, k: x[0, :, k],
    "x[..., k, 1]": lambda x, i, j, k: x[..., k, 1],
    "x[i, None, j]": lambda x, i, j, k: x[i, None, j],
    "x[1:, k, ::-1, None]": lambda x, i, j, k: x[1:, k, ::-1, None],
    "x[:, i, ..., 0, 1]": lambda x, i, j, k: x[:, i, ..., 0, 1],
    "x[:, [1, 0], 1:, [0, 2]]": lambda x, i, j, k: x[:, [1, 0], 1:, [0, 2]],
}
for text, index in MIXTURES.items():
    row(text, index, [normal(3, 4, 4, 3), ROW, COLUMN, VECTOR], index, order=1, **OPEN)
MASK2 = np.array([[True, False, True], [False, True, True]])
MASKED = {
    "x[:, m]": lambda x, m: x[:, m],
    "x[:, m, 1:]": lambda x, m: x[:, m, 1:],
    "x[0, m]": lambda x, m: x[0, m],
    "x[1:, None, m, ::2]": lambda x, m: x[1:, None, m, ::2],
}
for text, index in MASKED.items():
    row(text, index, [normal(3, 2, 3, 4), MASK2], index, order=1)
row("a list of bools", lambda x: x[[True, False, True]], [normal(3, 2)], lambda x: x[[True, False, True]])
row("an empty list", lambda x: x[:, []], [normal(3, 2)], lambda x: x[:, []], order=1)
row(
    "a mask of one's own",
    lambda x: x[x > 0].sum(),
    [normal(3, 4)],
    lambda x: x[x > 0].sum(),
    terms=12,
    order=1,
)

# For each part, the inputs of its index, and the shape of what it is set to or incremented by.
PARTS = {
    "x[1]": (lambda x: x[1], [], (4,)),
    "x[1:3, 2] by one": (lambda x: x[1:3, 2], [], ()),
    "x[::-2, 1:]": (lambda x: x[::-2, 1:], [], (1, 3)),
    "x[i:, :j]": (lambda x, i, j: x[i:, :j], [np.array(1), np.array(3)], ()),
    "x[None, 2:]": (lambda x: x[None, 2:], [], (1, 2, 4)),
    "x[::i]": (lambda x, i: x[::i], [np.array(2)], (4,)),
    "x[i] twice": (lambda x, i: x[i], [np.array([3, 0, 3])], (3, 4)),
    "x[:, i]": (lambda x, i: x[:, i], [np.array([3, 0, 3], "int32")], (4, 3)),
    "x[i, j]": (lambda x, i, j: x[i, j], [np.array([0, 1, 0]), np.array([2, -1, 2], "int8")], (3,)),
    "x[i, 1]": (lambda x, i: x[i, 1], [np.array([[0, 1], [3, 3]])], (2, 1)),
    "x[m]": (lambda x, m: x[m], [np.array([True, False, True, True])], (3, 4)),
}


def incremented(x, y, *index, part):
    """Add each value where the part has its place."""
    places = part(np.arange(x.size).reshape(x.shape), *index)
    result = x.copy()
    np.add.at(result.reshape(-1), places, np.broadcast_to(y, places.shape))
    return result


def assigned(x, y, *index, part):
    """Assign the values one by one."""
    places = part(np.arange(x.size).reshape(x.shape), *index)
    result = x.copy()
    for place, value in zip(places.flat, np.broadcast_to(y, places.shape).flat, strict=True):
        result.flat[place] = value
    return result


for text, (part, index, shape) in PARTS.items():
    ones = tuple(extent if extent == 1 else None for extent in shape)
    for name, change, meaning in [("set", T.set_subtensor, assigned), ("inc", T.inc_subtensor, incremented)]:
        row(
            f"{name} {text}",
            lambda x, y, *index, part=part, change=change: change(part(x, *index), y),
            [normal(4, 4), normal(*shape, seed=1), *index],
            functools.partial(meaning, part=part),
            order=2,
            shapes=((None, None), ones, *((None,) * i.ndim for i in index)),
        )
row(
    "set a part of a part",
    lambda x, i: T.set_subtensor(x[1:][i], 0.0),
    [normal(4, 2), np.array([2, 1])],
    lambda x, i: x[1:] * [[1], [0], [0]],
    order=1,
)
row(
    "set elements to a number",
    lambda x, i: T.set_subtensor(x[i], 7),
    [integers(5, dtype="uint8"), np.array([1, -1])],
    lambda x, i: np.array([v if k not in (1, 4) else 7 for k, v in enumerate(x)], "uint8"),
)
row(
    "set where",
    lambda x: T.set_subtensor(x[x < 0], 0.1),
    [normal(3, 4, dtype="float32")],
    lambda x: np.where(x < 0, np.float32(0.1), x),
)
row(
    "set bools",
    lambda x: T.set_subtensor(x[::2], True),
    [integers(5, low=0, high=1) > 0],
    lambda x: np.array([True, x[1], True, x[3], True]),
)
row(
    "increments of another dtype",
    lambda x, y: T.inc_subtensor(x[1:], y),
    [normal(3), integers(2, dtype="int8")],
    lambda x, y: x + np.array([0, *y]),
)
