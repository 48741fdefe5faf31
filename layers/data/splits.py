"""What a data set is: images with their labels, in three parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Split(NamedTuple):
    """Images with their labels; unpacks as ``images, labels``.

    Attributes
    ----------
    images : ndarray of float32, shape (n, pixels) or (n, channels, rows, columns)
        From 0 to 1, C-contiguous: of MNIST and its like one flattened image a row, from 0 (background) to 1
        (full ink); of an `ImageFolder` images with their channels, from 0 (black) to 1.
    labels : ndarray of int32, shape (n,)
        The class of each image, from 0.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The three parts of a data set; unpacks as ``training, validation, test``.

    Attributes
    ----------
    training : Split
        What to learn from.
    validation : Split
        What to choose settings by.
    test : Split
        What to report.
    classes : tuple of str
        The name of each class.
    """

    training: Split
    validation: Split
    test: Split
    classes: tuple[str, ...] = tuple("0123456789")

    def __iter__(self) -> Iterator[Split]:
        """Return the three parts, one after the other."""
        return iter((self.training, self.validation, self.test))
