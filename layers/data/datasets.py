"""Labelled images to learn from: the packaged digits, MNIST and Fashion-MNIST.

Whatever kind of file an array comes in, its content is compared with the sum of the published one before it
is used: a damaged download is refused, not learnt.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
from numpy.typing import NDArray

from arignote.layers.data.datafiles import (
    DatasetError,
    StrPath,
    idx_bytes,
    read_idx,
    read_npz,
    read_pickled_pairs,
)

__all__ = [
    "Dataset",
    "DatasetError",
    "Split",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "read_idx",
]


class Split(NamedTuple):
    """Images with their labels; unpacks as ``images, labels``.

    Attributes
    ----------
    images : ndarray of float32, shape (n, pixels)
        One flattened image a row, from 0 (background) to 1 (full ink), C-contiguous.
    labels : ndarray of int32, shape (n,)
        The class of each image, 0 to 9.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]


class Dataset(NamedTuple):
    """The three parts of a data set; unpacks as ``training, validation, test``.

    Attributes
    ----------
    training : Split
        What to learn from.
    validation : Split
        What to choose settings by.
    test : Split
        What to report.
    """

    training: Split
    validation: Split
    test: Split


def load_digits() -> Dataset:
    """Load the digits that come with arignote.

    They are digits of MNIST, equally many of each class: enough to learn from without a download. The
    ``README.md`` beside them tells how they were drawn.

    Returns
    -------
    Dataset
        8,000 training, 1,000 validation and 1,000 test digits of 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If an installed file is missing or damaged.

    Examples
    --------
    >>> training, validation, test = load_digits()
    >>> training.images.shape, training.labels.shape
    ((8000, 784), (8000,))
    """
    folder = Path(__file__).with_name("digits")
    training, validation, test = (
        _split(*(_read_checked(folder / f"{part.name}.gz", part) for part in pair)) for pair in _PACKAGED
    )
    return Dataset(training, validation, test)


def load_mnist(folder: StrPath | None = None) -> Dataset:
    """Load the full MNIST from files on this machine.

    They may be the four published IDX files (gzipped or not), Keras' ``mnist.npz``, or the ``mnist.pkl.gz``
    of deeplearning.net and of Nielsen's network3. All give the same arrays.

    Parameters
    ----------
    folder : path, optional
        Where the files are, directly or in a subfolder ``mnist``. By default the folder that the environment
        variable ``ARIGNOTE_DATA`` names is searched, then ``data`` in the user's cache folder of arignote.

    Returns
    -------
    Dataset
        50,000 training, 10,000 validation (the last of the 60,000 training images, as in network3) and
        10,000 test digits of 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If no complete set of files is found, or a file is damaged.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> load_mnist("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    arignote.layers.data.datafiles.DatasetError: MNIST was not found. Looked for its files in:
      /no/such/folder/mnist: no such folder
    ...
    """
    return _load(_MNIST, folder)


def load_fashion_mnist(folder: StrPath | None = None) -> Dataset:
    """Load Fashion-MNIST from files on this machine.

    Parameters
    ----------
    folder : path, optional
        Where the four published IDX files (gzipped or not) are, directly or in a subfolder ``fashion-mnist``.
        By default the same folders are searched as by `load_mnist`.

    Returns
    -------
    Dataset
        50,000 training, 10,000 validation (the last of the 60,000 training images) and 10,000 test pictures
        of clothes, 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If no complete set of files is found, or a file is damaged.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv:1708.07747, 2017.

    Examples
    --------
    >>> load_fashion_mnist("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    arignote.layers.data.datafiles.DatasetError: Fashion-MNIST was not found. Looked for its files in:
      /no/such/folder/fashion-mnist: no such folder
    ...
    """
    return _load(_FASHION_MNIST, folder)


@dataclass(frozen=True)
class _Part:
    """One array of a data set: the name of its IDX file, its shape, and the md5 of that file's content."""

    name: str
    shape: tuple[int, ...]
    md5: str


_Reader = Callable[[Path, tuple[_Part, ...]], list[NDArray[Any]]]


@dataclass(frozen=True)
class _Published:
    """A data set as its authors published it, in four gzipped IDX files."""

    title: str
    folder: str
    address: str
    parts: tuple[_Part, ...]  # images and labels for training, images and labels for testing
    gzipped_md5: tuple[str, ...]  # of the files at that address
    other_files: dict[str, _Reader]  # by name, files that hold all four arrays


def _load(published: _Published, folder: StrPath | None) -> Dataset:
    places = _places(published, folder)
    for place in places:
        files = [file for part in published.parts if (file := _idx_file(place, part))]
        if len(files) == len(published.parts):
            return _dataset([_read_checked(*each) for each in zip(files, published.parts, strict=True)])
        for name, read in published.other_files.items():
            if (path := place / name).is_file():
                arrays = read(path, published.parts)
                return _dataset(
                    [_checked(path, array, part) for array, part in zip(arrays, published.parts, strict=True)]
                )
    raise DatasetError(_how_to_get(published, places))


def _places(published: _Published, folder: StrPath | None) -> list[Path]:
    if folder is not None:  # a folder that the caller names is not passed over for another
        roots = [Path(folder)]
    else:
        roots = [Path(platformdirs.user_cache_dir("arignote")) / "data"]
        if variable := os.environ.get("ARIGNOTE_DATA"):
            roots.insert(0, Path(variable))
    # The subfolder first, because MNIST and Fashion-MNIST give their files the same names.
    return [place for root in roots for place in (root / published.folder, root)]


def _idx_file(place: Path, part: _Part) -> Path | None:
    candidates = (place / part.name, place / f"{part.name}.gz")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _how_to_get(published: _Published, places: list[Path]) -> str:
    def state(place: Path) -> str:
        missing = [part.name for part in published.parts if _idx_file(place, part) is None]
        if not place.is_dir():
            return "no such folder"
        return "none of them" if len(missing) == len(published.parts) else f"not {', '.join(missing)}"

    return "\n".join(
        [
            f"{published.title} was not found. Looked for its files in:",
            *(f"  {place}: {state(place)}" for place in places),
            f"To get it, put these files from {published.address} into {places[0]}, gzipped or unpacked:",
            *(
                f"  {part.name}.gz (md5 {md5})"
                for part, md5 in zip(published.parts, published.gzipped_md5, strict=True)
            ),
            *(f"or, instead of these, {name}" for name in published.other_files),
        ]
    )


def _read_checked(path: Path, part: _Part) -> NDArray[np.uint8]:
    return _checked(path, read_idx(path, part.shape), part)


def _checked(path: Path, array: NDArray[Any], part: _Part) -> NDArray[np.uint8]:
    """Return `array` if it is what the published IDX file holds."""
    pixels = array.astype(np.uint8, copy=False)
    found = hashlib.md5(idx_bytes(pixels), usedforsecurity=False).hexdigest()
    if found != part.md5 or not np.array_equal(pixels, array):
        raise DatasetError(
            f"{path}: damaged, or another file: as the IDX file {part.name} its content should have "
            f"the md5 {part.md5}, found {found}"
        )
    return pixels


def _dataset(arrays: list[NDArray[np.uint8]]) -> Dataset:
    """Set the last of the training images apart for validation, as many as there are for testing."""
    images, labels, test_images, test_labels = arrays
    cut = len(images) - len(test_images)
    return Dataset(
        _split(images[:cut], labels[:cut]),
        _split(images[cut:], labels[cut:]),
        _split(test_images, test_labels),
    )


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    rows = images.reshape(len(images), -1)
    return Split(np.true_divide(rows, np.float32(255), dtype=np.float32), labels.astype(np.int32))


def _read_keras(path: Path, parts: tuple[_Part, ...]) -> list[NDArray[Any]]:
    names = ("x_train", "y_train", "x_test", "y_test")
    return read_npz(path, {name: part.shape for name, part in zip(names, parts, strict=True)})


def _read_network3(path: Path, parts: tuple[_Part, ...]) -> list[NDArray[Any]]:
    """Read ``((train_x, train_y), (valid_x, valid_y), (test_x, test_y))`` into the published four arrays."""
    # The arrays take 4 bytes a pixel and 8 a label; as float64, or in a pickle of text, up to 4 times that.
    pairs = read_pickled_pairs(path, most_bytes=16 * sum(prod(part.shape) for part in parts) + 10_000)
    try:
        (images, labels), (more_images, more_labels), (test_images, test_labels) = pairs
        arrays = [
            np.concatenate([_pixels(images), _pixels(more_images)]),
            np.concatenate([labels, more_labels]),
            _pixels(test_images),
            test_labels,
        ]
        return [array.reshape(part.shape) for array, part in zip(arrays, parts, strict=True)]
    except ValueError as error:
        raise DatasetError(f"{path}: not three pairs of images and labels, as expected: {error}") from error


def _pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Undo the division of pixels by 256, as in deeplearning.net's file, or by 255, as in others like it.

    Which of the two need not be known: the brightest pixel of MNIST, in every part of it, is 255.
    """
    brightest = images.max(initial=0)
    if not brightest > 0 or not np.all((images >= 0) & (images <= 1)):
        raise ValueError("pixels outside 0 to 1")
    pixels: NDArray[np.uint8] = np.rint(images * (255 / brightest)).astype(np.uint8)
    return pixels


def _idx_parts(*md5: str) -> tuple[_Part, ...]:
    """Return the four files that MNIST and the sets made in its likeness consist of."""
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    return tuple(_Part(*each) for each in zip(names, shapes, md5, strict=True))


_MNIST = _Published(
    title="MNIST",
    folder="mnist",
    address="https://ossci-datasets.s3.amazonaws.com/mnist/",
    parts=_idx_parts(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    gzipped_md5=(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    other_files={"mnist.npz": _read_keras, "mnist.pkl.gz": _read_network3},
)

_FASHION_MNIST = _Published(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    parts=_idx_parts(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    gzipped_md5=(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    other_files={},
)

_PACKAGED = (
    (
        _Part("training-images-idx3-ubyte", (8_000, 28, 28), "5761607a29acd7a5daba8cb79bb6eb50"),
        _Part("training-labels-idx1-ubyte", (8_000,), "c24a1b493f22c1af0e2fbeb9cd5db7aa"),
    ),
    (
        _Part("validation-images-idx3-ubyte", (1_000, 28, 28), "f8a6307bb122a3392344ebe82c855514"),
        _Part("validation-labels-idx1-ubyte", (1_000,), "43e7996de983b5cfb6365778ce41cfde"),
    ),
    (
        _Part("test-images-idx3-ubyte", (1_000, 28, 28), "f574d780fe4ac0260150ec3423c00f3b"),
        _Part("test-labels-idx1-ubyte", (1_000,), "777d3b094b93fc009d45c93e0ed5e19b"),
    ),
)
