"""Rows of pooling."""

from __future__ import annotations

import numpy as np
import pytest

from arignote import tensor as T
from cases.table import normal, numbers, row


def torch_pooling(mode, window, stride, pad):
    def meaning(x):
        torch = pytest.importorskip("torch", reason="PyTorch's pooling is what is compared with")
        functional, image = torch.nn.functional, torch.from_numpy(x)
        if mode == "max":
            return functional.max_pool2d(image, window, stride, pad).numpy()
        divisor = 1 if mode == "sum" else None
        return functional.avg_pool2d(
            image, window, stride, pad, count_include_pad=mode != "average_exc_pad", divisor_override=divisor
        ).numpy()

    return meaning


def clipped_pooling(mode, window, stride):
    """Theano's pooling with ``ignore_border=False``: windows that reach over the border are clipped."""

    def extent(size, window, stride):
        return (
            (size - 1) // stride + 1
            if stride >= window
            else max(0, (size - 1 - window + stride) // stride) + 1
        )

    def meaning(x):
        rows, columns = (extent(*each) for each in zip(x.shape[2:], window, stride, strict=True))
        result = np.empty((*x.shape[:2], rows, columns), x.dtype)
        for p, q in np.ndindex(rows, columns):
            top, left = p * stride[0], q * stride[1]
            part = x[:, :, top : top + window[0], left : left + window[1]]
            result[:, :, p, q] = {"max": part.max, "sum": part.sum}.get(mode, part.mean)((2, 3))
        return result

    return meaning


POOLINGS = [
    ((2, 2), (2, 2), (0, 0)),
    ((3, 2), (1, 2), (0, 0)),
    ((2, 3), (3, 3), (0, 0)),
    ((3, 3), (2, 2), (1, 1)),
    ((2, 4), (2, 3), (1, 0)),
]
for mode in ("max", "sum", "average_inc_pad", "average_exc_pad"):
    for window, stride, pad in POOLINGS:
        options = {"ws": window, "stride": stride, "pad": pad, "mode": mode, "ignore_border": True}
        row(
            f"pool {mode} {window} {stride} {pad}",
            lambda x, o=options: T.signal.pool.pool_2d(x, **o),
            [numbers(2, 3, 7, 9)],
            torch_pooling(mode, window, stride, pad),
            terms=int(np.prod(window)),
            order=2,
        )
        if pad == (0, 0):
            options = {**options, "ignore_border": False}
            row(
                f"clipped pool {mode} {window} {stride}",
                lambda x, o=options: T.signal.pool.pool_2d(x, **o),
                [numbers(2, 3, 7, 9)],
                clipped_pooling(mode, window, stride),
                terms=int(np.prod(window)),
                order=2,
            )
row(
    "squared maxima",
    lambda x: T.signal.pool.pool_2d(x, 3, stride=2) ** 2,
    [numbers(2, 3, 7, 9)],
    lambda x: clipped_pooling("max", (3, 3), (2, 2))(x) ** 2,
    order=2,
)
row(
    "pool by the older words",
    lambda x: T.signal.pool.pool_2d(input=x, ds=(2, 2), ignore_border=True),
    [numbers(2, 3, 6, 6, dtype="float32")],
    torch_pooling("max", (2, 2), (2, 2), 0),
)
row(
    "downsample",
    lambda x: T.signal.downsample.max_pool_2d(x, (2, 2), ignore_border=True),
    [numbers(2, 3, 6, 6)],
    torch_pooling("max", (2, 2), (2, 2), 0),
    order=1,
)
row(
    "pool a matrix",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [numbers(6, 5)],
    lambda x: x[:, :4].reshape(3, 2, 2, 2).max((1, 3)),
    order=1,
)
row(
    "pool five axes",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [numbers(2, 1, 3, 4, 4)],
    lambda x: x.reshape(2, 1, 3, 2, 2, 2, 2).max((4, 6)),
    order=1,
)
row(
    "pool no images",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [normal(0, 3, 4, 4)],
    lambda x: np.zeros((0, 3, 2, 2)),
    order=1,
)
row(
    "pool too small an image",
    lambda x: T.signal.pool.pool_2d(x, (4, 1), ignore_border=True),
    [normal(2, 3, 3, 4)],
    lambda x: np.zeros((2, 3, 0, 4)),
    order=1,
)
