"""A digit in any image file, made into what MNIST's digits look like."""

from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arignote.layers.data.datafiles import StrPath
from arignote.layers.data.imagefiles import ImageError, opened_image

__all__ = ["ImageError", "read_digit_image"]

_FIELD = 28  # the side of MNIST's images
_BOX = 20  # the side of the box in them that a digit is scaled to fill
_ENOUGH = 1000  # pixels a side; what a larger image has more is smoothed away at once
_LEAST_CONTRAST = 0.1  # of ink against its background, where black against white is 1; noise stays below
_LEAST_DRAWN = 0.4  # of the strongest ink: the crop is to the pixels above it, in spite of noise and shadows
_LEAST_INK = 0.2  # of the strongest ink; what is fainter, in the crop, is paper, shadow or compression


def read_digit_image(path: StrPath | IO[bytes]) -> NDArray[np.float32]:
    """Read a handwritten digit from an image file of any size, as MNIST shows its digits.

    The digit may be dark on light or light on dark, in grey or colours, on paper or on transparency. It is
    cropped, scaled to fit a box of 20 x 20 pixels, its proportions kept and its edges smoothed, and placed in
    a field of 28 x 28 pixels with its centre of mass at the centre of the field. That is how MNIST was made.
    An image of exactly 28 x 28 pixels is taken as one of MNIST's: only its polarity is set.

    Parameters
    ----------
    path : path or binary file
        An image file of a usual kind: PNG, JPEG, TIFF, GIF, BMP, WebP and others that Pillow reads by itself.

    Returns
    -------
    ndarray of float32, shape (784,)
        The 28 x 28 pixels, row by row, from 0 (background) to 1 (full ink).

    Raises
    ------
    ImageError
        If the file is missing or no image, the image is too large to be one of a digit (more than
        ``PIL.Image.MAX_IMAGE_PIXELS``), or nothing is drawn on it.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
    http://yann.lecun.com/exdb/mnist: the images were "size normalized to fit in a 20x20 pixel box while
    preserving their aspect ratio" and "centered in a 28x28 image by computing the center of mass of the
    pixels, and translating the image so as to position this point at the center of the 28x28 field".

    Examples
    --------
    >>> import tempfile
    >>> bar = np.full((100, 60), 255, np.uint8)
    >>> bar[10:90, 25:35] = 0
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.fromarray(bar).save(file.name)
    ...     digit = read_digit_image(file.name).reshape(28, 28)
    >>> digit.max(), (digit.max(axis=1) > 0).sum()
    (np.float32(1.0), np.int64(20))
    """
    brightness, opacity = _read_brightness(path)
    for paper in (1, 0):  # what is drawn on transparency is seen on white paper, unless it is white itself
        ink = _ink(brightness * opacity + paper * (1 - opacity))
        if ink.max() >= _LEAST_CONTRAST:
            return (ink if ink.shape == (_FIELD, _FIELD) else _normalised(ink)).reshape(-1)
    raise ImageError(f"{path}: the image is blank: nothing on it stands out from its background")


def _read_brightness(path: StrPath | IO[bytes]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the brightness and the opacity of each pixel, from 0 to 1."""
    with opened_image(path) as image:
        if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow does not scale when it converts
            grey = np.clip(np.asarray(image, np.float32) / np.float32(65535), 0, 1)
            return grey, np.ones_like(grey)
        image = image.convert("RGBA").convert("LA")
        image.thumbnail((_ENOUGH, _ENOUGH), Image.Resampling.BOX)
        channels = np.asarray(image, np.float32) / np.float32(255)
        return channels[..., 0], channels[..., 1]


def _ink(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each pixel is from the background, towards the ink.

    A digit seldom covers half of the border, so the median of the border is the background. Ink is what
    differs from it most: if the darkest pixel does so more than the brightest, the digit is dark on light.
    """
    border = np.concatenate([brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]])
    contrast = brightness - np.float32(np.median(border))
    dark_on_light = -contrast.min() > contrast.max()
    ink: NDArray[np.float32] = np.maximum(-contrast if dark_on_light else contrast, 0)
    return ink


def _normalised(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Crop to the ink, scale it into the box, and centre its mass in the field."""
    drawn = ink > _LEAST_DRAWN * ink.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink = np.where(ink < _LEAST_INK * ink.max(), np.float32(0), ink)
    scale = _BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    # Pillow's filters widen as an image shrinks, so that every pixel of the original counts.
    digit = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.HAMMING))
    digit = np.clip(digit / digit.max(), 0, 1)  # a thin stroke fades when it shrinks; MNIST's are full ink
    field = np.zeros((_FIELD, _FIELD), np.float32)
    top, left = _offset(digit.sum(axis=1)), _offset(digit.sum(axis=0))
    field[top : top + height, left : left + width] = digit
    return field


def _offset(mass: NDArray[np.float32]) -> int:
    """Return where in the field `mass` starts when its centre is nearest to pixel 14, where MNIST has it."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return min(max(0, round(_FIELD / 2 - centre)), _FIELD - len(mass))
