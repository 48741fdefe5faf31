"""Rows of convolution and pooling."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.special

from arignote import tensor as T
from cases.table import FLOATS, normal, numbers, row


def torch_convolution(mode, stride, dilation, flip):
    def meaning(x, w):
        torch = pytest.importorskip("torch", reason="PyTorch's convolution is what is compared with")
        spans = [(extent - 1) * step for extent, step in zip(w.shape[2:], dilation, strict=True)]
        sides = {"valid": (0, 0), "full": spans, "half": [span // 2 for span in spans]}.get(mode, mode)
        sides = [sides, sides] if isinstance(sides, int) else sides
        (top, bottom), (left, right) = (each if isinstance(each, tuple) else (each, each) for each in sides)
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        filters = w[:, :, ::-1, ::-1].copy() if flip else w
        return torch.nn.functional.conv2d(
            torch.from_numpy(padded), torch.from_numpy(filters), stride=stride, dilation=dilation
        ).numpy()

    return meaning


# images, filters, border_mode, subsample, dilation, flip
CONVOLUTIONS = [
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 2), "full", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 5), "half", (1, 1), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 4, 4), "half", (1, 1), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), 1, (2, 2), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 3), (1, 2), (2, 3), (1, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), ((0, 2), (1, 3)), (1, 2), (1, 1), True),
    ((2, 3, 8, 9), (4, 3, 3, 2), "valid", (1, 1), (2, 3), True),
    ((2, 3, 8, 9), (4, 3, 3, 3), "full", (3, 2), (2, 1), False),
    ((2, 3, 8, 9), (4, 3, 3, 3), "half", (2, 2), (2, 2), True),
    ((3, 1, 7, 7), (5, 1, 3, 3), "valid", (1, 1), (1, 1), True),
    ((2, 3, 5, 6), (4, 3, 5, 6), "valid", (1, 1), (1, 1), True),
    ((2, 3, 5, 6), (1, 3, 1, 1), "valid", (1, 1), (1, 1), True),
    ((0, 3, 8, 9), (4, 3, 3, 3), "valid", (1, 1), (1, 1), True),
    ((2, 20, 12, 12), (40, 20, 5, 5), "valid", (1, 1), (1, 1), True),
]
for images, filters, mode, stride, dilation, flip in CONVOLUTIONS:
    for dtype in FLOATS:
        x, w = normal(*images, dtype=dtype), normal(*filters, dtype=dtype, seed=1)
        options = {"border_mode": mode, "subsample": stride, "filter_dilation": dilation, "filter_flip": flip}
        row(
            f"conv2d {images} {filters} {mode} {stride} {dilation} {flip} {dtype}",
            lambda x, w, o=options: T.nnet.conv2d(x, w, **o),
            [x, w],
            torch_convolution(mode, stride, dilation, flip),
            terms=int(np.prod(filters[1:])),
            order=2 if dtype == "float64" and images[1] < 20 else 0,
        )
for mode in ("valid", "full"):
    row(
        f"conv2d {mode} against SciPy",
        lambda x, w, m=mode: T.nnet.conv2d(x[None, None], w[None, None], border_mode=m)[0, 0],
        [normal(9, 8), normal(4, 3, seed=1)],
        lambda x, w, m=mode: scipy.signal.convolve2d(x, w, m),
        terms=12,
    )
row(
    "conv2d against SciPy's correlation",
    lambda x, w: T.nnet.conv2d(x[None, None], w[None, None], filter_flip=False)[0, 0],
    [normal(9, 8), normal(4, 3, seed=1)],
    lambda x, w: scipy.signal.correlate2d(x, w, "valid"),
    terms=12,
)
row(
    "the older conv2d",
    lambda x, w: T.nnet.conv.conv2d(input=x, filters=w, filter_shape=(4, 1, 3, 3), image_shape=(2, 1, 6, 6)),
    [normal(2, 1, 6, 6), normal(4, 1, 3, 3)],
    torch_convolution("valid", (1, 1), (1, 1), True),
    terms=9,
    order=1,
)


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
