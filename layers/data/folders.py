"""Images in folders, one folder a class."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_choice
from arignote.layers.data.datafiles import DatasetError, StrPath
from arignote.layers.data.imagefiles import ImageError, opened_image
from arignote.layers.data.splits import Dataset, Split

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["L", "RGB"]
Fit = Literal["pad", "crop", "resize"]

_SUFFIXES = (
    ".bmp",
    ".gif",
    ".j2k",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
#: By the number of channels.
MODES: dict[int, Mode] = {1: "L", 3: "RGB"}

_MOST_NAMED = 20  # of the files that an error lists


class ImageFolder:
    """Images in the subfolders of a folder, read when they are needed; each subfolder is a class.

    `Batches` takes it, for sets that do not fit into memory.

    Parameters
    ----------
    folder : path
        Its subfolders are the classes, sorted by name; images lie in them at any depth, and other files are
        passed over.
    size : int or (int, int), optional
        Rows and columns that every image is made to have; a number stands for both. By default those of the
        first image, which all others must have then.
    mode : {'L', 'RGB'}
        Whether images have one channel, grey, or three.
    fit : {'pad', 'crop', 'resize'}
        How an image is made to have `size`: scaled until it just fits in, with black borders; scaled until it
        just covers it, with the middle cut out; or stretched, without regard to its proportions.

    Attributes
    ----------
    classes : tuple of str
        The names of the subfolders.
    paths : list of Path
        The images, sorted by class and name.
    labels : ndarray of int32
        The class of each.

    Raises
    ------
    DatasetError
        If the folder, its subfolders, or images in one of these are missing.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, shade in (("day", 255), ("night", 0)):
    ...         (Path(folder) / name).mkdir()
    ...         Image.new("L", (30, 20), shade).save(Path(folder) / name / "1.png")
    ...     images = ImageFolder(folder, size=8, fit="crop")
    ...     inputs, labels = images.read(np.arange(2))
    >>> images.classes, inputs.shape, inputs.mean(axis=(1, 2, 3)), labels
    (('day', 'night'), (2, 1, 8, 8), array([1., 0.], dtype=float32), array([0, 1], dtype=int32))
    """

    def __init__(
        self, folder: StrPath, size: int | tuple[int, int] | None = None, mode: Mode = "L", fit: Fit = "pad"
    ) -> None:
        self.mode, self.fit = mode, fit
        check_choice(self, "mode", ("L", "RGB"))
        check_choice(self, "fit", ("pad", "crop", "resize"))
        files = _files(Path(folder))
        self.classes = tuple(files)
        self.paths = [path for paths in files.values() for path in paths]
        self.labels = np.repeat(
            np.arange(len(files), dtype=np.int32), [len(paths) for paths in files.values()]
        )
        self._all_alike = size is None
        self._size = _size_of(self.paths[0]) if size is None else _checked_size(size)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return some of the images and their labels.

        Parameters
        ----------
        places : array of int, shape (n,)
            Which ones, counted in `paths`.

        Returns
        -------
        images : ndarray of float32, shape (n, channels, rows, columns)
            From 0 (black) to 1.
        labels : ndarray of int32, shape (n,)

        Raises
        ------
        DatasetError
            If images cannot be read; it names them all.
        """
        images = np.empty((len(places), len(self.mode), *self._size), np.float32)
        errors: list[ImageError] = []
        for place, out in zip(places, images, strict=True):
            try:
                np.true_divide(self._pixels(self.paths[place]), np.float32(255), out=out)
            except ImageError as error:
                errors.append(error)
        if errors:
            summary = f"{len(errors)} of {len(places)} images cannot be used; repair or remove them:"
            named = [summary, *map(str, errors[:_MOST_NAMED])]
            if len(errors) > _MOST_NAMED:
                named.append(f"and {len(errors) - _MOST_NAMED} more")
            raise DatasetError("\n  ".join(named)) from errors[0]
        return images, self.labels[places]

    def load(self) -> Split:
        """Return all images and their labels, as `read` does."""
        return Split(*self.read(np.arange(len(self))))

    def split(
        self, validation: float = 0.0, test: float = 0.0, seed: int = 0
    ) -> tuple[ImageFolder, ImageFolder, ImageFolder]:
        """Divide the images at random, each class in the same proportions.

        Parameters
        ----------
        validation, test : float
            The shares of the images that are kept for it, together less than 1.
        seed : int
            The same images are in the same part as long as it and the files stay the same.

        Returns
        -------
        training, validation, test : ImageFolder
            The training images are in a random order, the others sorted as before.

        Raises
        ------
        InputError
            For shares below 0 or that leave nothing to train with.
        """
        if not (validation >= 0 and test >= 0 and validation + test < 1):
            raise InputError(
                "ImageFolder.split: arguments `validation` and `test`",
                expected="shares of at least 0, together less than 1",
                actual=f"{validation} and {test}",
                origin=user_line(),
            )
        random = np.random.default_rng(seed)
        part = np.empty(len(self), int)
        for label in range(len(self.classes)):
            drawn = random.permutation(np.flatnonzero(self.labels == label))
            first, second = round(test * len(drawn)), round((test + validation) * len(drawn))
            part[drawn[:first]], part[drawn[first:second]], part[drawn[second:]] = 2, 1, 0
        training = random.permutation(np.flatnonzero(part == 0))
        return (
            self._only(training),
            self._only(np.flatnonzero(part == 1)),
            self._only(np.flatnonzero(part == 2)),
        )

    def _only(self, places: NDArray[np.intp]) -> ImageFolder:
        part = copy.copy(self)
        part.paths, part.labels = [self.paths[place] for place in places], self.labels[places]
        return part

    def _pixels(self, path: Path) -> NDArray[np.uint8]:
        """Return one image, of shape (channels, rows, columns)."""
        # An image that is scaled down twice is no worse if the first time leaves twice of what is needed.
        enough = None if self._all_alike else 2 * max(self._size)
        with opened_image(path, enough) as image:
            if self._all_alike and image.size[::-1] != self._size:
                raise ImageError(
                    f"{path}: {image.height} x {image.width} pixels, the first image has "
                    f"{self._size[0]} x {self._size[1]}; pass `size`, which all are made to have"
                )
            return _pixels_of(image, self._size, self.mode, self.fit)


def read_image(
    path: StrPath | IO[bytes], size: tuple[int, int], mode: Mode = "L", fit: Fit = "pad"
) -> NDArray[np.float32]:
    """Read one image as `ImageFolder` does.

    Parameters
    ----------
    path : path or binary file
    size, mode, fit
        As of `ImageFolder`.

    Returns
    -------
    ndarray of float32, shape (channels, rows, columns)
        From 0 (black) to 1.

    Raises
    ------
    ImageError
        If the file is missing or no image.
    """
    with opened_image(path, 2 * max(size)) as image:
        return np.true_divide(_pixels_of(image, size, mode, fit), np.float32(255))


def _pixels_of(image: Image, size: tuple[int, int], mode: Mode, fit: Fit) -> NDArray[np.uint8]:
    """Return an image in a size and mode, of shape (channels, rows, columns)."""
    array = np.asarray(_fitted(_eight_bits(image).convert(mode), size[::-1], fit))
    return array.reshape(*size, len(mode)).transpose(2, 0, 1)


def _fitted(image: Image, size: tuple[int, int], fit: Fit) -> Image:
    from PIL import ImageOps

    if image.size == size:
        return image
    match fit:
        case "pad":
            return ImageOps.pad(image, size)
        case "crop":
            return ImageOps.fit(image, size)
        case _:
            return image.resize(size)


def load_image_folder(
    folder: StrPath,
    size: int | tuple[int, int] | None = None,
    mode: Mode = "L",
    fit: Fit = "pad",
    *,
    validation: float = 0.0,
    test: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Load all images of a folder, in whose subfolders are the classes.

    Parameters
    ----------
    folder, size, mode, fit
        As of `ImageFolder`, which reads sets that are too large for memory.
    validation, test, seed
        As of `ImageFolder.split`.

    Returns
    -------
    Dataset
        Images of shape (n, channels, rows, columns), from 0 (black) to 1. Parts that get no share are empty.

    Raises
    ------
    DatasetError
        If the folder or its images are missing, or images cannot be read; it names them all.
    InputError
        For settings that do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cats", "dogs"):
    ...         (Path(folder) / name).mkdir()
    ...         for number in range(4):
    ...             Image.new("RGB", (30, 20)).save(Path(folder) / name / f"{number}.png")
    ...     dataset = load_image_folder(folder, size=(16, 16), mode="RGB", test=0.25)
    >>> dataset.classes, dataset.training.images.shape, dataset.test.labels
    (('cats', 'dogs'), (6, 3, 16, 16), array([0, 1], dtype=int32))
    """
    images = ImageFolder(folder, size, mode, fit)
    parts, errors = [], []
    for part in images.split(validation, test, seed):
        try:
            parts.append(part.load())
        except DatasetError as error:
            errors.append(str(error))
    if errors:
        raise DatasetError("\n".join(errors))
    training, validated, tested = parts
    return Dataset(training, validated, tested, images.classes)


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    shown = (each for each in folder.iterdir() if not each.name.startswith("."))
    classes = sorted(each for each in shown if each.is_dir())
    if not classes:
        raise DatasetError(f"{folder}: no subfolders; put the images of each class into one named after it")
    files = {each.name: image_files(each) for each in classes}
    if empty := [name for name, paths in files.items() if not paths]:
        raise DatasetError(
            f"{folder}: no images in the subfolders {', '.join(empty)}; "
            f"images are files that end in {' '.join(_SUFFIXES)}"
        )
    return files


def image_files(folder: Path) -> list[Path]:
    """Return the images that lie in a folder at any depth, sorted by name."""
    return sorted(filter(_is_image, folder.rglob("*")))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def _eight_bits(image: Image) -> Image:
    """Return an image of 8 bits a channel or fewer; Pillow cuts 16 bits off where it converts them."""
    from PIL import Image

    if image.mode.startswith("I"):
        scaled = np.clip(np.asarray(image, np.float32) / np.float32(257), 0, 255)
        return Image.fromarray(np.rint(scaled).astype(np.uint8))
    return image


def _size_of(path: Path) -> tuple[int, int]:
    with opened_image(path) as image:
        return image.height, image.width


def _checked_size(size: Any) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int | np.integer) else size
    pair = isinstance(sides, tuple | list) and len(sides) == 2
    if not pair or not all(isinstance(side, int | np.integer) and side >= 1 for side in sides):
        raise InputError(
            "ImageFolder: argument `size`",
            expected="(rows, columns), or a number for both; at least 1",
            actual=repr(size),
            origin=user_line(),
        )
    return int(sides[0]), int(sides[1])
