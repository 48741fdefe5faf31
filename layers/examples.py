"""Images and labels as they are given, made into arrays that a network can use, or refused."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.origin import user_line

#: Examples of one call when there may be any number: enough to fill the machine, few enough for caches.
CHUNK = 100


def in_chunks(call: Callable[..., NDArray[Any]], *examples: NDArray[Any]) -> NDArray[Any]:
    """Return what a function gives for examples, of which it is given so many at a time; also for none."""
    starts = range(0, max(len(examples[0]), 1), CHUNK)
    return np.concatenate([call(*(each[start : start + CHUNK] for each in examples)) for start in starts])


def checked_images(
    images: Any, shape: tuple[int, ...], dtype: str, argument: str = "images"
) -> NDArray[np.floating[Any]]:
    """Return images as a matrix.

    Parameters
    ----------
    images : array_like, shape (n, pixels) or (n, *shape)
    shape : tuple of int
        The shape of one image.
    dtype : str
        Of the result: floating, or an integer dtype for whole numbers.
    argument : str
        What the user calls them, for errors.

    Returns
    -------
    ndarray, shape (n, pixels)
        C-contiguous; the array itself where it is that already.

    Raises
    ------
    DTypeError
        If they are no numbers, or no whole ones where those are wanted.
    ShapeError
        If they are of another size.
    InputError
        If a pixel is not finite.
    """
    array = np.asarray(images)
    pixels = prod(shape)
    if array.dtype.kind not in "biuf":
        raise DTypeError(
            argument, expected="an array of numbers", actual=f"dtype {array.dtype}", origin=user_line()
        )
    check_whole_dtype(array, dtype, argument)
    if array.ndim < 1 or array.shape[1:] not in ((pixels,), shape):
        of_images = f": the network takes images of {'*'.join(map(str, shape))}" if len(shape) > 1 else ""
        raise ShapeError(
            argument,
            expected=f"shape (n, {pixels}){of_images}",
            actual=f"shape {array.shape}",
            origin=user_line(),
        )
    rows = np.ascontiguousarray(array.reshape(len(array), pixels), dtype)
    if not np.isfinite(rows).all():
        broken = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise InputError(
            argument,
            expected="finite pixels",
            actual=f"NaN or infinity in image {broken}",
            origin=user_line(),
        )
    return rows


def check_whole_dtype(array: NDArray[Any], dtype: str, argument: str) -> None:
    """Refuse floats where whole numbers are wanted: they would lose their fractions silently."""
    if np.dtype(dtype).kind == "i" and array.dtype.kind not in "biu":
        raise DTypeError(
            argument,
            expected="whole numbers, of an integer dtype",
            actual=f"dtype {array.dtype}",
            fix="convert whole numbers with .astype('int64')",
            origin=user_line(),
        )


def checked_labels(labels: Any, count: int, classes: int, argument: str = "labels") -> NDArray[np.int32]:
    """Return labels as a vector of int32.

    Parameters
    ----------
    labels : array_like of int, shape (count,)
        From 0 to ``classes - 1``.
    count : int
        The number of images that they belong to.
    classes : int
    argument : str
        What the user calls them, for errors.

    Returns
    -------
    ndarray of int32, shape (count,)
        C-contiguous; the array itself where it is that already.

    Raises
    ------
    DTypeError
        If they are no integers.
    ShapeError
        If they are not as many as the images.
    InputError
        If a label is out of range.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(
            argument,
            expected="an array of integers",
            actual=f"dtype {array.dtype}",
            fix="convert whole numbers with .astype('int32')",
            origin=user_line(),
        )
    if array.shape != (count,):
        raise ShapeError(
            argument,
            expected=f"one for each image: shape ({count},)",
            actual=f"shape {array.shape}",
            origin=user_line(),
        )
    outside = (array < 0) | (array >= classes)
    if outside.any():
        place = int(np.argmax(outside))
        raise InputError(
            argument,
            expected=f"integers from 0 to {classes - 1}",
            actual=f"{array[place]} at position {place}",
            fix="classes count from 0",
            origin=user_line(),
        )
    return np.ascontiguousarray(array, "int32")
