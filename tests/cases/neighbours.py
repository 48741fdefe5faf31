"""Rows of patches of images."""

from __future__ import annotations

import numpy as np

from arignote import tensor as T
from cases.table import integers, normal, row


def patches(window, step, low, wraps=False):
    """Return the meaning of cutting padded, or wrapped, images into patches."""

    def meaning(x):
        pad = [(0, 0), (0, 0), *((each, each) for each in low)]
        padded = np.pad(x, pad, mode="wrap" if wraps else "constant")
        windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(2, 3))
        windows = windows[:, :, :: step[0], :: step[1]]
        return windows.reshape(-1, window[0] * window[1])

    return meaning


# images, patch, step, mode, padding
CUTS = [
    ((2, 3, 4, 6), (2, 3), (2, 3), "valid", (0, 0)),
    ((2, 3, 5, 7), (3, 3), (2, 1), "valid", (0, 0)),
    ((2, 3, 5, 7), (2, 2), (2, 2), "ignore_borders", (0, 0)),
    ((2, 3, 5, 7), (3, 4), (2, 1), "half", (1, 2)),
    ((2, 3, 4, 4), (3, 2), (1, 2), "full", (2, 1)),
    ((2, 1, 5, 6), (3, 5), (2, 1), "wrap_centered", (1, 2)),
]
for images, patch, step, mode, low in CUTS:
    row(
        f"images2neibs {mode} {patch} {step}",
        lambda x, o=(patch, step, mode): T.nnet.neighbours.images2neibs(x, *o),
        [normal(*images)],
        patches(patch, step, low, mode == "wrap_centered"),
        order=2,
    )
row(
    "images2neibs of integers",
    lambda x: T.nnet.neighbours.images2neibs(x, (2, 2)),
    [integers(2, 1, 4, 4, dtype="uint8")],
    patches((2, 2), (2, 2), (0, 0)),
)
row(
    "neibs2images",
    lambda x: T.nnet.neighbours.neibs2images(x, (2, 3), (2, 3, 4, 6)),
    [normal(24, 6)],
    lambda x: x.reshape(2, 3, 2, 2, 2, 3).swapaxes(3, 4).reshape(2, 3, 4, 6),
    order=2,
)
row(
    "neibs2images with a border",
    lambda x: T.nnet.neighbours.neibs2images(x, (2, 2), T.as_tensor_variable([1, 1, 3, 5]), "ignore_borders"),
    [normal(2, 4)],
    lambda x: np.pad(x.reshape(2, 2, 2).swapaxes(0, 1).reshape(1, 1, 2, 4), [(0, 0), (0, 0), (0, 1), (0, 1)]),
    order=1,
)
