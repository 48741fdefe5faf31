"""Rows of the ops that move, view or make elements."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row

for pattern in [(1, 0, 2), (2, 0, 1), ("x", 0, 1, 2), (2, "x", 1, 0, "x")]:

    def shuffled(x, p=pattern):
        kept = x.transpose([axis for axis in p if axis != "x"])
        return np.expand_dims(kept, [i for i, axis in enumerate(p) if axis == "x"])

    row(f"dimshuffle {pattern}", lambda x, p=pattern: x.dimshuffle(*p), [normal(2, 3, 4)], shuffled, order=1)
row(
    "dimshuffle drops",
    lambda x: x.dimshuffle(1),
    [normal(1, 5)],
    lambda x: x[0],
    order=1,
    shapes=((1, None),),
)
row("transpose", lambda x: x.T * 1.5, [normal(3, 4)], lambda x: x.T * 1.5, order=1)
row(
    "transpose with an order",
    lambda x: x.transpose(1, 2, 0),
    [normal(2, 3, 4)],
    lambda x: x.transpose(1, 2, 0),
)
row("reshape", lambda x: x.reshape((4, -1)), [normal(2, 6)], lambda x: x.reshape(4, -1), order=1)
row(
    "reshape by a shape",
    lambda x, y: x.reshape(y.shape),
    [normal(2, 6), normal(3, 4)],
    lambda x, y: x.reshape(3, 4),
)
row("reshape a view", lambda x: x.T.reshape((12,)), [normal(3, 4)], lambda x: x.T.reshape(12), order=1)
row("reshape one to none", lambda x: x.reshape(()), [normal(1)], lambda x: x.reshape(()), order=1)
row("reshape nothing", lambda x: x.reshape((3, 0)), [normal(0, 7)], lambda x: x.reshape(3, 0), order=1)
for ndim in (1, 2, 3):
    row(
        f"flatten to {ndim}",
        lambda x, n=ndim: x.flatten(n),
        [normal(2, 3, 4)],
        lambda x, n=ndim: x.reshape(*x.shape[: n - 1], -1),
        order=1,
    )
row("flatten a scalar", lambda x: x.flatten(), [normal()], lambda x: x.reshape(1), order=1)
row("flatten no rows", lambda x: x.flatten(2), [normal(0, 3, 4)], lambda x: x.reshape(0, 12))
row("shape", lambda x: x.shape, [normal(2, 3)], lambda x: np.array(x.shape))
SHAPE_VECTORS = {
    "x.shape[1:]": lambda x, y: x.shape[1:],
    "x.shape[::-1]": lambda x, y: x.shape[::-1],
    "x.shape[-2:]": lambda x, y: x.shape[-2:],
    "join with a number": lambda x, y: T.concatenate([x.shape[:2], [5]]),
    "product of a part": lambda x, y: T.stack([x.shape[0], T.prod(x.shape[1:])]),
    "arithmetic": lambda x, y: x.shape - y.shape + 1,
    "extremum": lambda x, y: T.maximum(x.shape, y.shape)[:2],
    "reordered": lambda x, y: x.shape[[2, 0]],
    "by a choice": lambda x, y: T.switch(x.shape > 2, y.shape, 7),
    "doubled": lambda x, y: T.set_subtensor(x.shape[1], x.shape[1] * 2),
    "a half": lambda x, y: T.cast(T.ceil(x.shape[:1] / 2), "int64"),
}
VALUES_OF_SHAPES = [
    (3, 4),
    (4, 3, 2),
    (3, 4),
    (2, 3, 5),
    (2, 12),
    (2, 2, 3),
    (2, 3),
    (4, 2),
    (7, 2, 2),
    (2, 6, 4),
    (1,),
]
for (text, make), extents in zip(SHAPE_VECTORS.items(), VALUES_OF_SHAPES, strict=True):
    row(
        f"zeros of a shape: {text}",
        lambda x, y, m=make: T.zeros(m(x, y)) + x[0, 0, 0],
        [normal(2, 3, 4), normal(1, 2, 2)],
        lambda x, y, e=extents: np.zeros(e) + x[0, 0, 0],
        order=1,
    )
row(
    "a shape unpacked", lambda x: T.ones((x.shape[1], *x.shape)), [normal(2, 3)], lambda x: np.ones((3, 2, 3))
)
row(
    "reshape by a vector",
    lambda x, s: x.reshape(s, ndim=2) * 1.5,
    [normal(2, 6), np.array([4, -1])],
    lambda x, s: x.reshape(4, 3) * 1.5,
    order=1,
)
row("size", lambda x: x.size, [normal(2, 3)], lambda x: np.array(x.size))
row("shape as numbers", lambda x: x / x.shape[0], [normal(4, 3)], lambda x: x / 4, order=1)
row("alloc", lambda x, n: T.alloc(x, n, 3), [normal(), np.array(4)], lambda x, n: np.full((n, 3), x), order=1)
row(
    "alloc of an array",
    lambda x, n: T.alloc(x, 2, n, 3),
    [normal(3), np.array(4)],
    lambda x, n: np.broadcast_to(x, (2, 4, 3)),
    order=1,
)
row(
    "full",
    lambda x, n: T.full((n, 2), x, "float32"),
    [normal(), np.array(3)],
    lambda x, n: np.full((3, 2), x, "float32"),
)
row("full_like", lambda x: T.full_like(x, 7), [integers(2, 3, dtype="uint8")], lambda x: np.full_like(x, 7))
row(
    "fill",
    lambda x, y: T.fill(x, y),
    [normal(2, 3), normal(seed=1)],
    lambda x, y: np.full((2, 3), y),
    order=1,
)
row("empty", lambda n: T.empty((n, 0)), [np.array(3)], lambda n: np.zeros((3, 0)))
row("copy", lambda x: x.copy(), [normal(2)], lambda x: x, order=1)
row("zeros and ones", lambda n: T.zeros((n, 2)) + T.ones((1, 2)), [np.array(3)], lambda n: np.ones((n, 2)))
row("zeros_like", lambda x: T.zeros_like(x) + T.ones_like(x), [normal(2, 3)], np.ones_like)
for bounds in [(7,), (2, 9), (2, 9, 3), (9, 2, -2), (5, 2), (0,)]:
    row(f"arange{bounds}", lambda *b: T.arange(*b), [np.array(b) for b in bounds], lambda *b: np.arange(*b))
for bounds in [(0.0, 1.0, 0.25), (2.5, -1.0, -0.5), (1.0, 0.0, 0.1)]:
    row(
        f"arange{bounds}",
        lambda *b: T.arange(*b),
        [np.array(b) for b in bounds],
        lambda *b: np.arange(*b),
        2,
    )
row("arange of float constants", lambda: T.arange(0.5, 3, dtype="float64"), [], lambda: np.arange(0.5, 3))
row(
    "arange in int8",
    lambda n: T.arange(n, dtype="int8"),
    [np.array(9, "int32")],
    lambda n: np.arange(n, dtype="int8"),
)
row(
    "a promised shape",
    lambda x, w: T.nnet.conv2d(x, w, input_shape=(None, 1, 4, None)),
    [normal(2, 1, 4, 4), normal(1, 1, 1, 1)],
    lambda x, w: x * w,
    order=1,
)
row(
    "broadcast by a gradient",
    lambda x: T.grad((x.sum(1) ** 3).sum(), x),
    [normal(3, 4)],
    lambda x: np.repeat(3 * x.sum(1, keepdims=True) ** 2, 4, 1),
    terms=8,
    order=1,
)
