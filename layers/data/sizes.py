"""Images of different sizes, made into one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.origin import user_line


def pad_to_one_size(
    images: Sequence[ArrayLike],
    size: tuple[int, int] | None = None,
    fill: float = 0,
    position: Literal["centre", "corner"] = "centre",
) -> NDArray[Any]:
    """Return images of different sizes as one array, with a border around each.

    Parameters
    ----------
    images : sequence of array_like, each of shape (..., rows, columns)
        All with the same shape but for rows and columns.
    size : (int, int), optional
        Rows and columns of the result; by default the most rows and the most columns of any image.
    fill : float
        What the border is.
    position : {'centre', 'corner'}
        Where in the result the image is: in the middle, or at the upper left corner.

    Returns
    -------
    ndarray, shape (n, ..., *size)
        Of the dtype that all the images' dtypes are promoted to.

    Raises
    ------
    ShapeError, InputError
        If there are no images, one is larger than `size`, or they differ in more than rows and columns.

    Examples
    --------
    >>> pad_to_one_size([[[1, 2]], [[3], [4], [5]]])
    array([[[0, 0],
            [1, 2],
            [0, 0]],
    <BLANKLINE>
           [[3, 0],
            [4, 0],
            [5, 0]]])
    """
    if position not in ("centre", "corner"):
        expected = "'centre' or 'corner'"
        raise InputError(_POSITION, expected=expected, actual=repr(position), origin=user_line())
    arrays = [np.asarray(image) for image in images]
    for place, array in enumerate(arrays):
        if array.ndim < 2 or array.shape[:-2] != arrays[0].shape[:-2]:
            raise ShapeError(
                f"{_IMAGES}: image {place}",
                expected="rows and columns as the last two extents, and the others alike",
                actual=f"shape {array.shape}, that of image 0 is {arrays[0].shape}",
                origin=user_line(),
            )
    if not arrays:
        raise ShapeError(_IMAGES, expected="at least one image", actual="none", origin=user_line())
    shapes = [array.shape[-2:] for array in arrays]
    rows, columns = size or (max(shape[0] for shape in shapes), max(shape[1] for shape in shapes))
    result = np.full((len(arrays), *arrays[0].shape[:-2], rows, columns), fill, np.result_type(*arrays))
    for place, (array, out, (height, width)) in enumerate(zip(arrays, result, shapes, strict=True)):
        if height > rows or width > columns:
            raise ShapeError(
                f"{_IMAGES}: image {place}",
                expected=f"at most {rows} rows and {columns} columns",
                actual=f"shape {array.shape}",
                fix="a larger `size`, or none, for that of the largest image",
                origin=user_line(),
            )
        top, left = ((rows - height) // 2, (columns - width) // 2) if position == "centre" else (0, 0)
        out[..., top : top + height, left : left + width] = array
    return result


_IMAGES, _POSITION = "pad_to_one_size: argument `images`", "pad_to_one_size: argument `position`"
