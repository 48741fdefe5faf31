"""Training images, varied as they could have been taken: moved, cropped, mirrored, turned.

A transform is any function from images, of shape (n, channels, rows, columns), and a random generator to
images. Those here draw for each image anew, and keep the dtype. `Batches` applies them to each batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import ShapeError
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_choice, check_count, check_field, check_whole

Transform = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


@dataclass(frozen=True)
class Shift:
    """Move each image by up to `pixels` in either direction, along rows and columns; what comes in is `fill`.

    Parameters
    ----------
    pixels : int
        Each of the two distances is drawn from ``-pixels`` to ``pixels``.
    fill : float
        The background.

    Examples
    --------
    >>> images = np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> Shift(1)(images, np.random.default_rng(0))[0, 0]
    array([[0., 1., 0.],
           [0., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    """

    pixels: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_count(self, "pixels", 0)

    def __call__(self, images: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """Return the images, each moved."""
        _check_images("Shift", images)
        return Crop((images.shape[2], images.shape[3]), self.pixels, self.fill)(images, random)


@dataclass(frozen=True)
class Crop:
    """Cut a part of one size out of each image, at a random place, after padding.

    Parameters
    ----------
    size : (int, int)
        Rows and columns of the part.
    padding : int
        Added on all sides first.
    fill : float
        What the padding is.

    Examples
    --------
    >>> images = np.arange(2 * 25).reshape(2, 1, 5, 5)
    >>> Crop((2, 2))(images, np.random.default_rng(0)).tolist()
    [[[[17, 18], [22, 23]]], [[[36, 37], [41, 42]]]]
    """

    size: tuple[int, int]
    padding: int = 0
    fill: float = 0.0

    def __post_init__(self) -> None:
        for side in self.size:
            check_whole("Crop: argument `size`: a side", side, 1)
        check_count(self, "padding", 0)

    def __call__(self, images: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """Return a part of each image."""
        _check_images("Crop", images)
        count, channels, height, width = images.shape
        around = self.padding
        padded = np.full((count, channels, height + 2 * around, width + 2 * around), self.fill, images.dtype)
        padded[:, :, around : around + height, around : around + width] = images
        rows, columns = (have - want + 1 for have, want in zip(padded.shape[2:], self.size, strict=True))
        if rows < 1 or columns < 1:
            raise ShapeError(
                "Crop: images smaller than the part to cut out",
                expected=f"at least {self.size[0]} rows and {self.size[1]} columns, padding included",
                actual=f"shape {images.shape}, padded by {self.padding}",
                fix="a larger `padding`",
                origin=user_line(),
            )
        places = sliding_window_view(padded, self.size, (2, 3))
        return places[
            np.arange(count), :, random.integers(rows, size=count), random.integers(columns, size=count)
        ]


@dataclass(frozen=True)
class Flip:
    """Mirror each image, or leave it, with equal chances.

    Parameters
    ----------
    direction : {'horizontal', 'vertical'}
        Whether left and right are exchanged, or top and bottom.

    Examples
    --------
    >>> images = np.arange(6).reshape(3, 1, 1, 2)
    >>> Flip()(images, np.random.default_rng(0)).reshape(3, 2)
    array([[0, 1],
           [3, 2],
           [5, 4]])
    """

    direction: Literal["horizontal", "vertical"] = "horizontal"

    def __post_init__(self) -> None:
        check_choice(self, "direction", ("horizontal", "vertical"))

    def __call__(self, images: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """Return the images, some of them mirrored."""
        _check_images("Flip", images)
        flipped = np.flip(images, 3 if self.direction == "horizontal" else 2)
        chosen = random.random(len(images)) < 0.5
        return np.where(chosen[:, np.newaxis, np.newaxis, np.newaxis], flipped, images)


@dataclass(frozen=True)
class Rotate:
    """Turn each image about its centre by up to `degrees` either way, interpolating between pixels.

    Parameters
    ----------
    degrees : float
        The angle is drawn from ``-degrees`` to ``degrees``; a positive one turns counterclockwise.
    fill : float
        What comes in at the corners.

    Notes
    -----
    Pixels are interpolated linearly, by `scipy.ndimage.rotate`.

    Examples
    --------
    >>> image = np.zeros((1, 1, 28, 28), np.float32)
    >>> image[0, 0, 4:24, 13:15] = 1
    >>> turned = Rotate(20)(image, np.random.default_rng(0))
    >>> turned.shape, turned.dtype, bool(abs(turned.sum() - 40) < 1)
    ((1, 1, 28, 28), dtype('float32'), True)
    """

    degrees: float
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_field(self, "degrees", at_least=0)

    def __call__(self, images: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """Return the images, each turned."""
        from scipy import ndimage

        _check_images("Rotate", images)
        turned = np.empty_like(images)
        for image, angle, out in zip(
            images, random.uniform(-self.degrees, self.degrees, len(images)), turned, strict=True
        ):
            ndimage.rotate(image, angle, axes=(2, 1), reshape=False, output=out, order=1, cval=self.fill)
        return turned


def expand_one_pixel(
    images: ArrayLike, labels: ArrayLike, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Add to each image its copies moved by one pixel up, down, left and right, and mix them all.

    What comes in at the border is 0.

    Parameters
    ----------
    images : array_like, shape (n, pixels) of square images, or (n, ..., rows, columns)
    labels : array_like, shape (n, ...)
    seed : int
        Of the order of the result.

    Returns
    -------
    images : ndarray, shape (5 * n, ...)
        In a random order, of the same dtype.
    labels : ndarray, shape (5 * n, ...)

    Raises
    ------
    ShapeError
        If flat images are not square, or labels are not as many as images.

    References
    ----------
    M. Nielsen, "Neural Networks and Deep Learning", chapter 6, 2015, and its program ``expand_mnist.py``.

    Examples
    --------
    >>> images, labels = expand_one_pixel([[[1, 2], [3, 4]]], [7])
    >>> sorted(map(tuple, images.reshape(5, 4).tolist()))
    [(0, 0, 1, 2), (0, 1, 0, 3), (1, 2, 3, 4), (2, 0, 4, 0), (3, 4, 0, 0)]
    >>> labels
    array([7, 7, 7, 7, 7])
    """
    images, labels = np.asarray(images), np.asarray(labels)
    shape = _rows_and_columns(images)
    count = len(images)
    if labels.shape[:1] != (count,):
        raise ShapeError(
            "expand_one_pixel: argument `labels`",
            expected=f"one for each image: {count}",
            actual=f"shape {labels.shape}",
            origin=user_line(),
        )
    planes = images.reshape(count, *shape)
    places = np.random.default_rng(seed).permutation(5 * count)
    expanded = np.zeros((5 * count, *shape), images.dtype)
    relabelled = np.empty((5 * count, *labels.shape[1:]), labels.dtype)
    for number, (of_target, of_source) in enumerate(_ONE_PIXEL):
        where = places[number * count : (number + 1) * count]
        expanded[where, *of_target] = planes[:, *of_source]
        relabelled[where] = labels
    return expanded.reshape(5 * count, *images.shape[1:]), relabelled


_ALL, _FIRSTS, _LASTS = slice(None), slice(None, -1), slice(1, None)
#: Which part of the result is which part of the image: the image itself, then moved down, up, right and left.
_ONE_PIXEL = (
    ((..., _ALL, _ALL), (..., _ALL, _ALL)),
    ((..., _LASTS, _ALL), (..., _FIRSTS, _ALL)),
    ((..., _FIRSTS, _ALL), (..., _LASTS, _ALL)),
    ((..., _ALL, _LASTS), (..., _ALL, _FIRSTS)),
    ((..., _ALL, _FIRSTS), (..., _ALL, _LASTS)),
)


def _rows_and_columns(images: NDArray[Any]) -> tuple[int, ...]:
    """Return the shape of one image, that of a square for flat ones."""
    if images.ndim >= 3:
        return images.shape[1:]
    side = isqrt(images.shape[1]) if images.ndim == 2 else 0
    if images.ndim < 2 or side * side != images.shape[1]:
        raise ShapeError(
            "expand_one_pixel: argument `images`",
            expected="shape (n, pixels) of square images, or (n, ..., rows, columns)",
            actual=f"shape {images.shape}",
            fix="images.reshape(n, rows, columns)",
            origin=user_line(),
        )
    return (side, side)


def _check_images(transform: str, images: NDArray[Any]) -> None:
    if images.ndim != 4:
        raise ShapeError(
            f"{transform}: the images",
            expected="shape (n, channels, rows, columns)",
            actual=f"shape {images.shape}",
            fix="for grey images: images.reshape(n, 1, rows, columns)",
            origin=user_line(),
        )
