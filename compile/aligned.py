"""Memory that begins at a cache line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector register."""


def aligned_empty(size: int) -> NDArray[np.uint8]:
    """Allocate bytes of undefined content.

    Parameters
    ----------
    size : int
        In bytes.

    Returns
    -------
    ndarray of uint8, shape (size,)
        Its address is a multiple of 64.
    """
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start : start + size]


def aligned_words(count: int) -> NDArray[np.int64]:
    """Allocate 64-bit words that are zero.

    Parameters
    ----------
    count : int
        Number of words.

    Returns
    -------
    ndarray of int64, shape (count,)
        Its address is a multiple of 64.
    """
    words = aligned_empty(8 * count).view(np.int64)
    words[:] = 0
    return words
