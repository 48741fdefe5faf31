"""Draw a packaged sample from the whole set: ``python -m arignote.layers.data.draw digits MNIST_FOLDER``.

``clothes FASHION_MNIST_FOLDER`` draws the other one; a third argument names the folder to write to. Always
the same images, because the generator is ``RandomState``, whose numbers NumPy has frozen (NEP 19).
"""

import gzip
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arignote.layers.data.datafiles import idx_bytes, read_idx


class Sample(NamedTuple):
    """How a sample is drawn.

    Attributes
    ----------
    seed : int
        The year in which the whole set was published.
    training, validation, test : int
        The number of images of each class.
    """

    seed: int
    training: int
    validation: int
    test: int


SAMPLES = {"digits": Sample(1998, 800, 100, 100), "clothes": Sample(2017, 600, 100, 100)}


def draw(sample: Sample, whole: Path, output: Path) -> None:
    """Write the six files of a packaged sample.

    Parameters
    ----------
    sample : Sample
    whole : Path
        The folder of the whole set's four gzipped IDX files.
    output : Path
        Where the files go; one of the same name is replaced.
    """
    random = np.random.RandomState(sample.seed)
    training = {"training": sample.training, "validation": sample.validation}
    for source, parts in (("train", training), ("t10k", {"test": sample.test})):
        images = read_idx(whole / f"{source}-images-idx3-ubyte.gz")
        labels = read_idx(whole / f"{source}-labels-idx1-ubyte.gz")
        order = random.permutation(len(labels))
        turn = _turns(labels[order])
        first = 0
        for part, of_each_class in parts.items():
            chosen = order[(first <= turn) & (turn < first + of_each_class)]
            if part == "training":
                # The rarest class would be all that is left at the end of the order; and a program may well
                # train on the images as they come.
                chosen = np.random.RandomState(sample.seed).permutation(chosen)
            first += of_each_class
            _write(output / f"{part}-images-idx3-ubyte.gz", images[chosen])
            _write(output / f"{part}-labels-idx1-ubyte.gz", labels[chosen])


def _turns(labels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return for each label how many of its class stand before it."""
    turns = np.empty(len(labels), np.intp)
    for each in range(10):
        of_class = labels == each
        turns[of_class] = np.arange(of_class.sum())
    return turns


def _write(path: Path, array: NDArray[np.uint8]) -> None:
    # Without name and time in the header of gzip, the same images give the same bytes.
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(idx_bytes(array))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in SAMPLES:
        sys.exit(__doc__)
    name, folder, *rest = sys.argv[1:]
    draw(SAMPLES[name], Path(folder), Path(rest[0]) if rest else Path(__file__).parent / name)
