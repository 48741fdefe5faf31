"""Image files, opened with care: a file may be damaged, absurdly large, or no image at all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, TYPE_CHECKING

from arignote.layers.data.datafiles import DatasetError, StrPath

if TYPE_CHECKING:
    from PIL.Image import Image

# Kinds that Pillow knows by their first bytes and decodes by itself; others, such as PostScript, it gives to
# other programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000")

_LONGEST = 65_535  # pixels a side, as in JPEG: Pillow keeps addresses of rows, however short these are

# What is done about warnings is done for the whole process: of two threads that overlap, the second to end
# would bring back what the first one set.
_one_at_a_time = Lock()


class ImageError(DatasetError):
    """An image file is missing, unreadable, or shows nothing."""


@contextmanager
def opened_image(path: StrPath | IO[bytes], enough: int | None = None) -> Iterator[Image]:
    """Give an image, upright if the file says how; what the block cannot do with it is an error of the file.

    Parameters
    ----------
    path : path or binary file
        A file of a kind of `_FORMATS`, whatever its name.
    enough : int, optional
        How many pixels a side are enough: an image with more may come with fewer, but at least that many,
        where its kind of file lets it be decoded so.

    Raises
    ------
    ImageError
        If the file is missing or no image, or the image has more than ``PIL.Image.MAX_IMAGE_PIXELS`` in all
        or 65,535 in a row or column.
    """
    from PIL import Image, ImageOps

    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files that it reads all the same
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as file:
                if max(file.size) > _LONGEST:
                    raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")
                if file.mode == "F":
                    raise ValueError("its pixels are floats, which do not tell what is white")
                if enough is not None:
                    file.draft(None, (enough, enough))  # None: in the file's mode
                file.load()
                ImageOps.exif_transpose(file, in_place=True)
            yield file
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: too large: {error}") from error
    except Exception as error:  # a damaged image makes Pillow's readers raise almost anything
        raise ImageError(f"{path}: cannot be read as an image: {error}") from error
