"""Draw the packaged digits from MNIST: ``python draw.py MNIST_FOLDER [OUTPUT_FOLDER]``.

Always the same digits, because the generator is ``RandomState``, whose numbers NumPy has frozen (NEP 19).
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arignote.layers.data.datafiles import idx_bytes, read_idx

SEED = 1998  # the year in which MNIST was published


def draw(mnist: Path, output: Path) -> None:
    """Write the six files of the packaged digits.

    Parameters
    ----------
    mnist : Path
        The folder of MNIST's four gzipped IDX files.
    output : Path
        Where the files go; one of the same name is replaced.
    """
    random = np.random.RandomState(SEED)
    for source, parts in (("train", {"training": 800, "validation": 100}), ("t10k", {"test": 100})):
        images = read_idx(mnist / f"{source}-images-idx3-ubyte.gz")
        labels = read_idx(mnist / f"{source}-labels-idx1-ubyte.gz")
        order = random.permutation(len(labels))
        turn = _turns(labels[order])
        first = 0
        for part, of_each_class in parts.items():
            chosen = order[(first <= turn) & (turn < first + of_each_class)]
            if part == "training":
                # MNIST's rarest class would be all that is left at the end of the order; and a program may
                # well train on the digits as they come.
                chosen = np.random.RandomState(SEED).permutation(chosen)
            first += of_each_class
            _write(output / f"{part}-images-idx3-ubyte.gz", images[chosen])
            _write(output / f"{part}-labels-idx1-ubyte.gz", labels[chosen])


def _turns(labels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return for each label how many of its class stand before it."""
    turns = np.empty(len(labels), np.intp)
    for digit in range(10):
        of_class = labels == digit
        turns[of_class] = np.arange(of_class.sum())
    return turns


def _write(path: Path, array: NDArray[np.uint8]) -> None:
    # Without name and time in the header of gzip, the same digits give the same bytes.
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(idx_bytes(array))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent)
