"""Thousands of damaged files of every kind: a clear error each or a right result, no crash, little memory."""

import gzip
import hashlib
import io
import pickle
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mutants import mutants, read_each, survey
from PIL import Image

from arignote.layers.data import datasets, published
from arignote.layers.data.datafiles import DatasetError, idx_bytes
from arignote.layers.data.folders import ImageFolder
from arignote.layers.data.images import read_digit_image
from arignote.layers.data.published import Part

RANDOM = np.random.default_rng(0)
X, Y, TEST_X, TEST_Y = (
    RANDOM.integers(0, 256, (60, 28, 28), np.uint8),
    RANDOM.integers(0, 10, 60, np.uint8),
    RANDOM.integers(0, 256, (10, 28, 28), np.uint8),
    RANDOM.integers(0, 10, 10, np.uint8),
)
ARRAYS = dict(zip((part.name for part in published.MNIST.parts), (X, Y, TEST_X, TEST_Y), strict=True))


def npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x_train=X, y_train=Y, x_test=TEST_X, y_test=TEST_Y)
    return file.getvalue()


def pickled() -> bytes:
    def pair(images, labels):
        return images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)

    return pickle.dumps((pair(X[:50], Y[:50]), pair(X[50:], Y[50:]), pair(TEST_X, TEST_Y)), protocol=4)


def idx_headers(content: bytes, count: int, seed: int):
    """Yield IDX files whose headers promise other types and absurd shapes."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        sizes = 2 ** random.integers(0, 33, random.choice([0, 1, 2, 3, 4, 70, 255])) - random.integers(2)
        kind = int(random.choice([8, 9, 11, 12, 13, 14]))
        yield bytes([0, 0, kind, len(sizes)]) + np.maximum(sizes, 0).astype(">u4").tobytes() + content[16:]


def png_headers(content: bytes, count: int, seed: int):
    """Yield PNG files that promise absurd sizes, under the right sum."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        width, height = (2 ** random.integers(0, 32, 2) - random.integers(2)).tolist()
        depth, colour = int(random.choice([1, 2, 4, 8, 16])), int(random.choice([0, 2, 3, 4, 6]))
        header = b"IHDR" + struct.pack(">IIBBBBB", max(width, 0), max(height, 0), depth, colour, 0, 0, 0)
        yield content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def nested(inside: bytes, count: int, seed: int, hostile=mutants):
    """Yield gzip files of damaged content, which their sums do not show, and damaged gzip files."""
    for content in hostile(inside, count // 2, seed):
        yield gzip.compress(content, 1)
    yield from mutants(gzip.compress(inside), count - count // 2, seed + 1)


def data_files(kind: str, count: int, seed: int) -> dict[str, int]:
    """Let `load_mnist` read damaged copies of one of its files, as a thousandth of MNIST's size has them."""
    parts = tuple(
        Part(name, array.shape, hashlib.md5(idx_bytes(array)).hexdigest()) for name, array in ARRAYS.items()
    )
    datasets.MNIST = replace(published.MNIST, parts=parts)
    images, *others = ARRAYS
    name, whole, damaged = {
        "idx": (images, idx_bytes(X), mutants(idx_bytes(X), count, seed)),
        "idx header": (images, idx_bytes(X), idx_headers(idx_bytes(X), count, seed)),
        "idx.gz": (images + ".gz", gzip.compress(idx_bytes(X)), nested(idx_bytes(X), count, seed)),
        "idx.gz header": (
            images + ".gz", gzip.compress(idx_bytes(X)), nested(idx_bytes(X), count, seed, idx_headers),
        ),
        "npz": ("mnist.npz", npz(), mutants(npz(), count, seed)),
        "pkl.gz": ("mnist.pkl.gz", gzip.compress(pickled()), nested(pickled(), count, seed)),
    }[kind]  # fmt: skip

    def read(path: Path) -> None:
        if kind.startswith("idx"):
            for other in others:
                (path.parent / other).write_bytes(idx_bytes(ARRAYS[other]))
        dataset = datasets.load_mnist(path.parent)
        assert np.array_equal(dataset.training.images, X[:50].reshape(50, 784) / np.float32(255))
        assert np.array_equal(dataset.validation.labels, Y[50:])
        assert np.array_equal(dataset.test.labels, TEST_Y)

    return read_each(read, [whole, *damaged], name, DatasetError, most_bytes=64 << 20)


def picture(kind: str) -> bytes:
    """A drawing in colours, of 40 x 40 pixels."""
    image = Image.fromarray(np.tile(np.arange(0, 240, 6, np.uint8), (40, 1))).convert("RGB")
    image.paste((200, 30, 60), (10, 8, 14, 32))
    image.paste((0, 0, 255), (14, 26, 30, 32))
    file = io.BytesIO()
    match kind:
        case "TIFF packed":
            image.save(file, "TIFF", compression="tiff_lzw")
        case "PNG palette":
            palette = image.quantize(16)
            palette.info["transparency"] = bytes(range(255, 95, -10))
            palette.save(file, "PNG")
        case "JPEG progressive":
            image.save(file, "JPEG", progressive=True, exif=Image.Exif())
        case _:
            image.save(file, kind.removesuffix(" header"))
    return file.getvalue()


def read_digit(path: Path) -> None:
    digit = read_digit_image(path)
    assert digit.shape == (784,)
    assert np.all((digit >= 0) & (digit <= 1))


def read_folder(path: Path) -> None:
    images, _ = ImageFolder(path.parents[1], size=(24, 32), mode="RGB").load()
    assert images.shape == (1, 3, 24, 32)
    assert np.all((images >= 0) & (images <= 1))


def image_files(kind: str, reader: str, count: int, seed: int) -> dict[str, int]:
    """Let damaged copies of an image be read."""
    content = picture(kind)
    damaged = png_headers(content, count, seed) if kind == "PNG header" else mutants(content, count, seed)
    return read_each(globals()[reader], [content, *damaged], "image.png", DatasetError, most_bytes=1 << 30)


DATA_FILES = ["idx", "idx header", "idx.gz", "idx.gz header", "npz", "pkl.gz"]
IMAGE_FILES = ["PNG", "PNG header", "PNG palette", "JPEG", "JPEG progressive", "GIF", "BMP", "PPM", "WEBP"]
IMAGE_FILES += ["TIFF", "TIFF packed", "JPEG2000"]


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")


def check(outcomes: dict[str, int], count: int, least_refused: int, most_bytes: int) -> None:
    used = outcomes.pop("bytes")
    assert set(outcomes) <= {"read", "refused"}, outcomes
    assert sum(outcomes.values()) == count + 1
    assert outcomes["refused"] >= least_refused
    assert used < most_bytes


@linux
@pytest.mark.parametrize("count", [48, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", DATA_FILES)
def test_data_files(kind, count):
    check(survey(__file__, "data_files", kind, count, 1), count, count * 3 // 4, 32 << 20)


@linux
@pytest.mark.parametrize("count", [24, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("reader", ["read_digit", "read_folder"])
@pytest.mark.parametrize("kind", IMAGE_FILES)
def test_image_files(kind, reader, count):
    # The library behind Pillow that unpacks TIFF writes its remarks on a file to the terminal.
    outcomes = survey(__file__, "image_files", kind, reader, count, 2, silent=kind != "TIFF packed")
    check(outcomes, count, count // 10, 512 << 20)
