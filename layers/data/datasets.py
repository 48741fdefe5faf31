"""Labelled images to learn from: packaged samples, MNIST and Fashion-MNIST, whole."""

from arignote.layers.data.datafiles import DatasetError, StrPath, read_idx
from arignote.layers.data.published import (
    CLOTHES,
    DIGITS,
    FASHION_MNIST,
    MNIST,
    load_published,
    load_sample,
)
from arignote.layers.data.splits import Dataset, Split

__all__ = [
    "Dataset",
    "DatasetError",
    "Split",
    "load_clothes",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "read_idx",
]


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
    return load_sample(DIGITS)


def load_clothes() -> Dataset:
    """Load the pictures of clothes that come with arignote.

    They are pictures of Fashion-MNIST, equally many of each class. The ``README.md`` beside them tells how
    they were drawn.

    Returns
    -------
    Dataset
        6,000 training, 1,000 validation and 1,000 test pictures of 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If an installed file is missing or damaged.

    Examples
    --------
    >>> clothes = load_clothes()
    >>> clothes.training.images.shape, clothes.classes[clothes.test.labels[0]]
    ((6000, 784), 'Shirt')
    """
    return load_sample(CLOTHES)


def load_mnist(folder: StrPath | None = None, *, download: bool = False) -> Dataset:
    """Load the full MNIST, from files on this machine or from the web.

    They may be the four published IDX files (gzipped or not), Keras' ``mnist.npz``, or the ``mnist.pkl.gz``
    of deeplearning.net and of Nielsen's network3. All give the same arrays.

    Parameters
    ----------
    folder : path, optional
        Where the files are, directly or in a subfolder ``mnist``. By default the folder that the environment
        variable ``ARIGNOTE_DATA`` names is searched, then ``data`` in the user's cache folder of arignote.
    download : bool
        Whether to fetch the published files, 11 MB, into the first of these folders if none has a complete
        set. Two mirrors are tried, and a file whose sum differs is refused.

    Returns
    -------
    Dataset
        50,000 training, 10,000 validation (the last of the 60,000 training images, as in network3) and
        10,000 test digits of 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If no complete set of files is found or can be fetched, or a file is damaged.

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
    return load_published(MNIST, folder, download)


def load_fashion_mnist(folder: StrPath | None = None, *, download: bool = False) -> Dataset:
    """Load Fashion-MNIST, from files on this machine or from the web.

    Parameters
    ----------
    folder : path, optional
        Where the four published IDX files (gzipped or not) are, directly or in a subfolder ``fashion-mnist``.
        By default the same folders are searched as by `load_mnist`.
    download : bool
        Whether to fetch the published files, 30 MB, if there is no complete set; see `load_mnist`.

    Returns
    -------
    Dataset
        50,000 training, 10,000 validation (the last of the 60,000 training images) and 10,000 test pictures
        of clothes, 28 x 28 pixels.

    Raises
    ------
    DatasetError
        If no complete set of files is found or can be fetched, or a file is damaged.

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
    return load_published(FASHION_MNIST, folder, download)
