"""Rows of pooling."""

from __future__ import annotations

import numpy as np
import pytest

from arignote import tensor as T
from cases.table import integers, normal, numbers, row


def torch_pooling(mode, window, stride, pad):
    """Return the meaning of pooling over the axes behind the first two."""

    def meaning(x):
        torch = pytest.importorskip("torch", reason="PyTorch's pooling is what is compared with")
        functional, image, rank = torch.nn.functional, torch.from_numpy(x), x.ndim - 2
        if mode == "max":
            return getattr(functional, f"max_pool{rank}d")(image, window, stride, pad).numpy()
        average, counts = getattr(functional, f"avg_pool{rank}d"), mode != "average_exc_pad"
        scale = int(np.prod(np.broadcast_to(window, rank))) if mode == "sum" else 1
        return average(image, window, stride, pad, count_include_pad=counts).numpy() * scale

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
for mode in ("max", "sum", "average_inc_pad", "average_exc_pad"):
    window, stride, pad = (
        ((2, 2, 2), (2, 2, 2), (0, 0, 0)) if mode == "sum" else ((2, 3, 3), (1, 2, 2), (1, 1, 0))
    )
    row(
        f"pool_3d {mode}",
        lambda x, o=(window, True, stride, pad, mode): T.signal.pool.pool_3d(x, *o),
        [numbers(2, 3, 5, 6, 7)],
        torch_pooling(mode, window, stride, pad),
        terms=int(np.prod(window)) + 2,
        order=2,
    )
row(
    "pool_3d of volumes, windows clipped",
    lambda x: T.signal.pool.pool_3d(x, ds=2),
    [numbers(3, 5, 4)],
    lambda x: np.stack(
        [clipped_pooling("max", (2, 2), (2, 2))(x[None, i : i + 2])[0].max(0) for i in (0, 2)]
    ),
    order=1,
)
row(
    "pool_1d",
    lambda x: T.signal.pool.pool_1d(x, 3, True, 2, 1, "average_exc_pad"),
    [numbers(2, 3, 8)],
    torch_pooling("average_exc_pad", 3, 2, 1),
    terms=3,
    order=1,
)
row(
    "maxima of integers",
    lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True),
    [integers(2, 3, 6, 6, dtype="int16")],
    lambda x: x.reshape(2, 3, 3, 2, 3, 2).max((3, 5)),
)
row(
    "the pool of whole images",
    lambda x: T.signal.pool.pool_2d(x, (6, 5), mode="average_exc_pad"),
    [numbers(2, 3, 6, 5)],
    lambda x: x.mean((2, 3), keepdims=True),
    terms=30,
    order=1,
)


def torch_unpooling(window, stride, pad):
    def meaning(values, images):
        torch = pytest.importorskip("torch", reason="PyTorch's unpooling is what is compared with")
        functional, shape = torch.nn.functional, images.shape
        _, places = functional.max_pool2d(torch.from_numpy(images), window, stride, pad, return_indices=True)
        return functional.max_unpool2d(torch.from_numpy(values), places, window, stride, pad, shape).numpy()

    return meaning


row(
    "max_unpool_2d",
    lambda y, x: T.signal.pool.max_unpool_2d(y, x, (2, 3), True, stride=(2, 3)),
    [normal(2, 3, 3, 2), numbers(2, 3, 7, 8)],
    torch_unpooling((2, 3), (2, 3), 0),
    order=2,
)
row(
    "max_pool_2d_same_size",
    lambda x: T.signal.pool.max_pool_2d_same_size(x, (2, 2)),
    [numbers(2, 3, 6, 4)],
    lambda x: torch_unpooling((2, 2), (2, 2), 0)(torch_pooling("max", 2, 2, 0)(x), x),
    order=1,
)
