"""Published sets of labelled images: their files, where these are looked for or fetched, and their sums.

Whatever kind of file an array comes in, its content is compared with the sum of the published one before it
is used: a damaged download is refused, not learnt.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

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
from arignote.layers.data.download import fetch
from arignote.layers.data.splits import Dataset, Split


@dataclass(frozen=True)
class Part:
    """One array of a data set: the name of its IDX file, its shape, and the md5 of that file's content."""

    name: str
    shape: tuple[int, ...]
    md5: str


_Reader = Callable[[Path, tuple[Part, ...]], list[NDArray[Any]]]


@dataclass(frozen=True)
class Published:
    """A data set as its authors published it, in four gzipped IDX files."""

    title: str
    folder: str
    mirrors: tuple[str, ...]
    parts: tuple[Part, ...]  # images and labels for training, images and labels for testing
    gzipped_md5: tuple[str, ...]  # of the files that the mirrors have
    other_files: dict[str, _Reader]  # by name, files that hold all four arrays
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """A part of a published set that comes with arignote, in six gzipped IDX files."""

    folder: str
    parts: tuple[tuple[Part, Part], ...]  # images and labels, for training, validation and testing
    classes: tuple[str, ...]


def load_sample(sample: Sample) -> Dataset:
    """Return a packaged sample."""
    folder = Path(__file__).with_name(sample.folder)
    training, validation, test = (
        _split(*(_read_checked(folder / f"{part.name}.gz", part) for part in pair)) for pair in sample.parts
    )
    return Dataset(training, validation, test, sample.classes)


def load_published(published: Published, folder: StrPath | None, download: bool) -> Dataset:
    """Return a published set from files on this machine, which are fetched before if that is wanted."""
    places = _places(published, folder)
    if download and not any(_is_complete(published, place) for place in places):
        files = zip(published.parts, published.gzipped_md5, strict=True)
        md5 = {f"{part.name}.gz": sum_of_file for part, sum_of_file in files}
        fetch(published.title, md5, published.mirrors, places[0])
    for place in places:
        found = [file for part in published.parts if (file := _idx_file(place, part))]
        if len(found) == len(published.parts):
            arrays = [_read_checked(*each) for each in zip(found, published.parts, strict=True)]
            return _dataset(arrays, published.classes)
        for name, read in published.other_files.items():
            if (path := place / name).is_file():
                parts = zip(read(path, published.parts), published.parts, strict=True)
                return _dataset([_checked(path, array, part) for array, part in parts], published.classes)
    raise DatasetError(_how_to_get(published, places))


def _is_complete(published: Published, place: Path) -> bool:
    idx = all(_idx_file(place, part) for part in published.parts)
    return idx or any((place / name).is_file() for name in published.other_files)


def _places(published: Published, folder: StrPath | None) -> list[Path]:
    if folder is not None:  # a folder that the caller names is not passed over for another
        roots = [Path(folder)]
    else:
        roots = [Path(platformdirs.user_cache_dir("arignote")) / "data"]
        if variable := os.environ.get("ARIGNOTE_DATA"):
            roots.insert(0, Path(variable))
    # The subfolder first, because MNIST and Fashion-MNIST give their files the same names.
    return [place for root in roots for place in (root / published.folder, root)]


def _idx_file(place: Path, part: Part) -> Path | None:
    candidates = (place / part.name, place / f"{part.name}.gz")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _how_to_get(published: Published, places: list[Path]) -> str:
    def state(place: Path) -> str:
        missing = [part.name for part in published.parts if _idx_file(place, part) is None]
        if not place.is_dir():
            return "no such folder"
        return "none of them" if len(missing) == len(published.parts) else f"not {', '.join(missing)}"

    return "\n".join(
        [
            f"{published.title} was not found. Looked for its files in:",
            *(f"  {place}: {state(place)}" for place in places),
            f"To get it, pass download=True, or put these files from {published.mirrors[0]} "
            f"into {places[0]}, gzipped or unpacked:",
            *(
                f"  {part.name}.gz (md5 {md5})"
                for part, md5 in zip(published.parts, published.gzipped_md5, strict=True)
            ),
            *(f"or, instead of these, {name}" for name in published.other_files),
        ]
    )


def _read_checked(path: Path, part: Part) -> NDArray[np.uint8]:
    return _checked(path, read_idx(path, part.shape), part)


def _checked(path: Path, array: NDArray[Any], part: Part) -> NDArray[np.uint8]:
    """Return `array` if it is what the published IDX file holds."""
    pixels = array.astype(np.uint8, copy=False)
    found = hashlib.md5(idx_bytes(pixels), usedforsecurity=False).hexdigest()
    if found != part.md5 or not np.array_equal(pixels, array):
        raise DatasetError(
            f"{path}: damaged, or another file: as the IDX file {part.name} its content should have "
            f"the md5 {part.md5}, found {found}"
        )
    return pixels


def _dataset(arrays: list[NDArray[np.uint8]], classes: tuple[str, ...]) -> Dataset:
    """Set the last of the training images apart for validation, as many as there are for testing."""
    images, labels, test_images, test_labels = arrays
    cut = len(images) - len(test_images)
    return Dataset(
        _split(images[:cut], labels[:cut]),
        _split(images[cut:], labels[cut:]),
        _split(test_images, test_labels),
        classes,
    )


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    rows = images.reshape(len(images), -1)
    return Split(np.true_divide(rows, np.float32(255), dtype=np.float32), labels.astype(np.int32))


def _read_keras(path: Path, parts: tuple[Part, ...]) -> list[NDArray[Any]]:
    names = ("x_train", "y_train", "x_test", "y_test")
    return read_npz(path, {name: part.shape for name, part in zip(names, parts, strict=True)})


def _read_network3(path: Path, parts: tuple[Part, ...]) -> list[NDArray[Any]]:
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


def _idx_parts(*md5: str) -> tuple[Part, ...]:
    """Return the four files that MNIST and the sets made in its likeness consist of."""
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    return tuple(Part(*each) for each in zip(names, shapes, md5, strict=True))


_FIGURES = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

MNIST = Published(
    title="MNIST",
    folder="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
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
    classes=_FIGURES,
)

FASHION_MNIST = Published(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
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
    classes=_CLOTHES,
)


def _sample_parts(training: int, *md5: str) -> tuple[tuple[Part, Part], ...]:
    """Return the six files of a sample, of which the training images are that many."""
    names, counts = ("training", "validation", "test"), (training, 1_000, 1_000)
    parts = zip(names, counts, md5[::2], md5[1::2], strict=True)
    return tuple(
        (
            Part(f"{name}-images-idx3-ubyte", (count, 28, 28), of_images),
            Part(f"{name}-labels-idx1-ubyte", (count,), of_labels),
        )
        for name, count, of_images, of_labels in parts
    )


DIGITS = Sample(
    folder="digits",
    parts=_sample_parts(
        8_000,
        "5761607a29acd7a5daba8cb79bb6eb50",
        "c24a1b493f22c1af0e2fbeb9cd5db7aa",
        "f8a6307bb122a3392344ebe82c855514",
        "43e7996de983b5cfb6365778ce41cfde",
        "f574d780fe4ac0260150ec3423c00f3b",
        "777d3b094b93fc009d45c93e0ed5e19b",
    ),
    classes=_FIGURES,
)

CLOTHES = Sample(
    folder="clothes",
    parts=_sample_parts(
        6_000,
        "64b48de5749a0b807535be5181e057cf",
        "4821099ca7d142f47e7d2b3e219e6521",
        "ffc7c74633988835b97ec04c9b732250",
        "97c243d93a86f93bdb2c40f99a731183",
        "6ec6c0a955e4ff74c5da590a103d5281",
        "800b16e207115d521c062cd756ea5363",
    ),
    classes=_CLOTHES,
)
