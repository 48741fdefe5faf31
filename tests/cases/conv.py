"""Rows of convolution."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.special

from arignote import tensor as T
from cases.table import FLOATS, normal, row


def torch_convolution(mode, stride, dilation, flip, groups=1):
    """Return the meaning of a convolution along as many axes as there are strides."""

    def meaning(x, w):
        torch = pytest.importorskip("torch", reason="PyTorch's convolution is what is compared with")
        rank = len(stride)
        spans = [(extent - 1) * step + 1 for extent, step in zip(w.shape[2:], dilation, strict=True)]
        named = {"valid": [0] * rank, "half": [s // 2 for s in spans], "full": [s - 1 for s in spans]}
        sides = named[mode] if isinstance(mode, str) else mode
        sides = [sides] * rank if isinstance(sides, int) else sides
        padded = np.pad(
            x, [(0, 0)] * 2 + [each if isinstance(each, tuple) else (each,) * 2 for each in sides]
        )
        filters = np.flip(w, range(2, w.ndim)).copy() if flip else w
        convolve = getattr(torch.nn.functional, f"conv{rank}d")
        operands = torch.from_numpy(padded), torch.from_numpy(filters)
        return convolve(*operands, stride=stride, dilation=dilation, groups=groups).numpy()

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


# images, filters, border_mode, subsample, dilation, flip, groups
IN_GROUPS = [
    ((2, 6, 7, 8), (4, 3, 3, 2), "half", (1, 1), (1, 1), True, 2),
    ((2, 3, 7, 8), (6, 1, 3, 3), "valid", (2, 1), (1, 2), False, 3),
    ((0, 4, 7, 8), (4, 1, 3, 3), "full", (1, 1), (1, 1), True, 4),
]
for images, filters, mode, stride, dilation, flip, groups in IN_GROUPS:
    row(
        f"conv2d {images} {filters} in {groups} groups",
        lambda x, w, o=(mode, stride, flip, None, dilation, groups): T.nnet.conv2d(x, w, None, None, *o),
        [normal(*images), normal(*filters, seed=1)],
        torch_convolution(mode, stride, dilation, flip, groups),
        terms=int(np.prod(filters[1:])),
        order=2,
    )
# images, filters, border_mode, subsample, dilation, flip, groups
DEEP = [
    ((2, 3, 5, 6, 7), (4, 3, 2, 3, 3), "valid", (1, 1, 1), (1, 1, 1), True, 1),
    ((2, 2, 5, 6, 7), (4, 1, 3, 3, 2), "half", (1, 1, 1), (1, 1, 1), False, 2),
    ((1, 2, 7, 5, 6), (3, 2, 3, 2, 3), (1, (0, 2), 1), (2, 1, 2), (2, 1, 1), True, 1),
    ((0, 2, 4, 5, 6), (3, 2, 2, 2, 2), "full", (1, 1, 1), (1, 1, 1), True, 1),
]
for images, filters, mode, stride, dilation, flip, groups in DEEP:
    row(
        f"conv3d {images} {filters} {mode} {stride} {dilation} {flip} {groups}",
        lambda x, w, o=(mode, stride, flip, dilation, groups): T.nnet.conv3d(x, w, None, None, *o),
        [normal(*images), normal(*filters, seed=1)],
        torch_convolution(mode, stride, dilation, flip, groups),
        terms=int(np.prod(filters[1:])),
        order=2,
    )
row(
    "conv1d",
    lambda x, w: T.nnet.conv1d(x, w, (2, 4, 20), (6, 2, 3), (2, 1), 2, False, 3, 2),
    [normal(2, 4, 20), normal(6, 2, 3, seed=1)],
    torch_convolution(((2, 1),), (2,), (3,), False, 2),
    terms=6,
    order=2,
)
row(
    "causal conv1d",
    lambda x, w: T.nnet.causal_conv1d(x, w, (4, 3, 3), filter_dilation=2),
    [normal(2, 3, 9), normal(4, 3, 3, seed=1)],
    torch_convolution(((4, 0),), (1,), (2,), True),
    terms=9,
    order=1,
)
row(
    "separable conv2d",
    lambda x, d, p: T.nnet.separable_conv2d(x, d, p, 3, border_mode="half", subsample=(2, 1)),
    [normal(2, 3, 7, 8), normal(6, 1, 3, 3, seed=1), normal(4, 6, 1, 1, seed=2)],
    lambda x, d, p: torch_convolution("valid", (1, 1), (1, 1), True)(
        torch_convolution("half", (2, 1), (1, 1), True, 3)(x, d), p
    ),
    terms=15,
    order=1,
)
row(
    "separable conv3d",
    lambda x, d, p: T.nnet.separable_conv3d(x, d, p, 2),
    [normal(2, 2, 4, 5, 6), normal(2, 1, 2, 3, 3, seed=1), normal(3, 2, 1, 1, 1, seed=2)],
    lambda x, d, p: torch_convolution("valid", (1, 1, 1), (1, 1, 1), True)(
        torch_convolution("valid", (1, 1, 1), (1, 1, 1), True, 2)(x, d), p
    ),
    terms=20,
    order=1,
)


def torch_transpose(stride, pad, extra, groups):
    def meaning(x, w):
        torch = pytest.importorskip("torch", reason="PyTorch's convolution is what is compared with")
        transpose = getattr(torch.nn.functional, f"conv_transpose{w.ndim - 2}d")
        operands = torch.from_numpy(x), torch.from_numpy(w)
        return transpose(*operands, stride=stride, padding=pad, output_padding=extra, groups=groups).numpy()

    return meaning


row(
    "conv2d_transpose",
    lambda x, w: T.nnet.conv2d_transpose(
        x, w, (2, 6, 8, x.shape[3] * 2 - 1), None, (1, 1), (2, 2), False, num_groups=2
    ),
    [normal(2, 4, 4, 5), normal(4, 3, 3, 3, seed=1)],
    torch_transpose(2, 1, (1, 0), 2),
    terms=9 * 2,
    order=2,
)
row(
    "gradInputs",
    lambda w, y: T.nnet.abstract_conv.AbstractConv2d_gradInputs(
        imshp=(None, 3, None, None), subsample=(2, 2), filter_flip=False
    )(w, y, (8, 9)),
    [normal(4, 3, 2, 3, seed=1), normal(2, 4, 4, 4)],
    lambda w, y: torch_transpose(2, 0, 0, 1)(y, w),
    terms=24,
    order=1,
)
row(
    "gradInputs in 3-D",
    lambda w, y: T.nnet.abstract_conv.AbstractConv3d_gradInputs(subsample=(1, 2, 1), filter_flip=False)(
        w, y, T.as_tensor_variable([5, 8, 6])
    ),
    [normal(4, 3, 2, 2, 3, seed=1), normal(2, 4, 4, 4, 4)],
    lambda w, y: torch_transpose((1, 2, 1), 0, 0, 1)(y, w),
    terms=48,
    order=1,
)


def numpy_filter_gradient(x, y):
    """Return the gradient of filters of two pixels along each axis, from the definition."""
    places = [slice(0, extent - 1) for extent in x.shape[2:]]
    axes = "dpq"[: x.ndim - 2]
    result = np.empty((y.shape[1], x.shape[1], *(2,) * len(places)))
    for tap in np.ndindex(result.shape[2:]):
        seen = x[:, :, *(slice(i, i + place.stop) for i, place in zip(tap, places, strict=True))]
        result[:, :, *tap] = np.einsum(f"nk{axes},nc{axes}->kc", y, seen)
    return result


row(
    "gradWeights",
    lambda x, y: T.nnet.abstract_conv.AbstractConv2d_gradWeights(filter_flip=False)(x, y, (2, 2)),
    [normal(2, 3, 5, 6), normal(2, 4, 4, 5, seed=1)],
    numpy_filter_gradient,
    terms=40,
    order=1,
)
row(
    "gradWeights in 3-D",
    lambda x, y: T.nnet.abstract_conv.AbstractConv3d_gradWeights(filter_flip=False)(x, y, (2, 2, 2)),
    [normal(2, 3, 3, 5, 4), normal(2, 4, 2, 4, 3, seed=1)],
    numpy_filter_gradient,
    terms=48,
    order=1,
)
row(
    "AbstractConv2d",
    lambda x, w: T.nnet.abstract_conv.AbstractConv2d((2, 3, 5, 6), (4, 3, 2, 2), border_mode="full")(x, w),
    [normal(2, 3, 5, 6), normal(4, 3, 2, 2, seed=1)],
    torch_convolution("full", (1, 1), (1, 1), True),
    terms=12,
)


def numpy_unshared(pad, stride, dilation, flip, groups):
    """Return the meaning of a convolution whose every place has filters of its own."""

    def meaning(x, w):
        padded = np.pad(x, [(0, 0), (0, 0), *pad])
        k, rows, columns, c, r, s = w.shape
        result = np.zeros((len(x), k, rows, columns), x.dtype)
        for f, p, q in np.ndindex(k, rows, columns):
            first = f // (k // groups) * c
            top, left = p * stride[0], q * stride[1]
            seen = padded[:, first : first + c, top : top + (r - 1) * dilation[0] + 1 : dilation[0]]
            seen = seen[..., left : left + (s - 1) * dilation[1] + 1 : dilation[1]]
            kernel = w[f, p, q, :, ::-1, ::-1] if flip else w[f, p, q]
            result[:, f, p, q] = (seen * kernel).sum((1, 2, 3))
        return result

    return meaning


# images, filters, padding, subsample, dilation, flip, groups
UNSHARED = [
    ((3, 2, 5, 6), (4, 3, 4, 2, 3, 3), ((0, 0), (0, 0)), (1, 1), (1, 1), True, 1),
    ((10, 4, 7, 6), (6, 3, 5, 2, 3, 2), ((1, 0), (0, 1)), (2, 1), (1, 2), False, 2),
    ((0, 2, 5, 6), (4, 3, 4, 2, 3, 3), ((0, 0), (0, 0)), (1, 1), (1, 1), True, 1),
]
for images, filters, pad, stride, dilation, flip, groups in UNSHARED:
    row(
        f"unshared conv2d {images} {filters}",
        lambda x, w, o=(pad, stride, flip, None, dilation, groups, True): T.nnet.conv2d(x, w, None, None, *o),
        [normal(*images), normal(*filters, seed=1)],
        numpy_unshared(pad, stride, dilation, flip, groups),
        terms=int(np.prod(filters[3:])),
        order=2,
    )


def unshared_input_gradient(w, y):
    """Return the gradient of images, of unshared filters of two rows and two columns, from the definition."""
    result = np.zeros((len(y), w.shape[3], y.shape[2] + 1, y.shape[3] + 1))
    for p, q in np.ndindex(*y.shape[2:]):
        result[:, :, p : p + 2, q : q + 2] += np.einsum("nk,kcrs->ncrs", y[:, :, p, q], w[:, p, q])
    return result


row(
    "gradInputs of unshared filters",
    lambda w, y: T.nnet.abstract_conv.AbstractConv2d_gradInputs(unshared=True, filter_flip=False)(
        w, y, (5, 4)
    ),
    [normal(3, 4, 3, 2, 2, 2), normal(2, 3, 4, 3, seed=1)],
    unshared_input_gradient,
    terms=12,
    order=1,
)
row(
    "gradWeights of unshared filters",
    lambda x, y: T.nnet.abstract_conv.AbstractConv2d_gradWeights(unshared=True, filter_flip=False)(
        x, y, (2, 2)
    ),
    [normal(2, 2, 5, 4), normal(2, 3, 4, 3, seed=1)],
    lambda x, y: np.einsum(
        "nkpq,ncpqrs->kpqcrs", y, np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(2, 3))
    ),
    terms=2,
    order=1,
)
# Channels last: read in place where images are packed.
row(
    "conv2d of images with their channels last",
    lambda x, w: T.nnet.conv2d(x.dimshuffle(0, 3, 1, 2), w, num_groups=2).dimshuffle(0, 2, 3, 1),
    [normal(2, 7, 8, 4), normal(6, 2, 3, 3, seed=1)],
    lambda x, w: torch_convolution("valid", (1, 1), (1, 1), True, 2)(x.transpose(0, 3, 1, 2), w).transpose(
        0, 2, 3, 1
    ),
    terms=18,
    order=2,
)


def interpolated(rows, columns):
    """Return the meaning of upsampling by fractions (numerator, denominator), by `np.interp`."""

    def along(x, axis, up, down):
        knots = np.arange(x.shape[axis]) * up + (up - 1) // 2
        places = np.arange(0, x.shape[axis] * up, down)
        return np.apply_along_axis(lambda line: np.interp(places, knots, line), axis, x)

    return lambda x: along(along(x, 2, *rows), 3, *columns)


UPSAMPLED = [
    ({"ratio": 3}, (3, 1), (3, 1)),
    ({"ratio": (1, 4), "use_1D_kernel": False}, (1, 1), (4, 1)),
    ({"frac_ratio": ((4, 6), (5, 3)), "use_1D_kernel": False}, (2, 3), (5, 3)),
]
for options, rows, columns in UPSAMPLED:
    row(
        f"bilinear_upsampling {options}",
        lambda x, o=options: T.nnet.abstract_conv.bilinear_upsampling(x, **o),
        [normal(2, 3, 4, 5)],
        interpolated(rows, columns),
        ulps=4,
        terms=8,
        order=1,
    )
# One image or several, with one filter or several, as SciPy convolves each with each.
for images, filters in [((9, 8), (4, 3)), ((2, 9, 8), (4, 3)), ((9, 8), (3, 4, 3)), ((2, 9, 8), (3, 4, 3))]:
    for mode in ("valid", "full"):
        row(
            f"signal.conv.conv2d {images} {filters} {mode}",
            lambda x, w, m=mode: T.signal.conv.conv2d(x, w, border_mode=m),
            [normal(*images), normal(*filters, seed=1)],
            lambda x, w, m=mode: np.array(
                [
                    [scipy.signal.convolve2d(a, b, m) for b in w.reshape(-1, *w.shape[-2:])]
                    for a in x.reshape(-1, *x.shape[-2:])
                ]
            )[(slice(None) if x.ndim == 3 else 0), (slice(None) if w.ndim == 3 else 0)],
            terms=12,
            order=1,
        )
