"""What examples count: by themselves, or by their class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.origin import user_line


def class_weights(labels: ArrayLike) -> NDArray[np.float64]:
    """Return a weight for each class, under which all classes count the same.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        From 0.

    Returns
    -------
    ndarray of float64, shape (labels.max() + 1,)
        ``n / (k * count)``, with `k` the number of classes that occur; 0 for a class that does not. The mean
        over the examples is 1. ``class_weights(labels)[labels]`` are the examples' weights, which `Batches`
        takes.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For labels that are no vector of whole numbers from 0.

    References
    ----------
    G. King, L. Zeng, "Logistic regression in rare events data", Political Analysis 9(2), 2001.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 2])
    >>> class_weights(labels)
    array([0.66666667, 0.        , 2.        ])
    >>> class_weights(labels)[labels].mean()
    np.float64(1.0)
    """
    array = np.asarray(labels)
    argument = "class_weights: argument `labels`"
    if array.ndim != 1 or array.size == 0:
        expected = "one label for each example: shape (n,), n at least 1"
        raise ShapeError(argument, expected=expected, actual=f"shape {array.shape}", origin=user_line())
    if array.dtype.kind not in "iu":
        raise DTypeError(argument, expected="integers", actual=f"dtype {array.dtype}", origin=user_line())
    if array.min() < 0:
        actual = f"{array.min()} at position {array.argmin()}"
        raise InputError(argument, expected="integers from 0", actual=actual, origin=user_line())
    counts = np.bincount(array)
    return array.size / (np.count_nonzero(counts) * np.where(counts, counts, np.inf))


def checked_weights(weights: ArrayLike, count: int, argument: str = "weights") -> NDArray[np.floating[Any]]:
    """Return weights of examples as a vector of floats.

    Parameters
    ----------
    weights : array_like of float, shape (count,)
        At least 0, and finite.
    count : int
        The number of examples.
    argument : str
        What the user calls them, for errors.

    Returns
    -------
    ndarray of float, shape (count,)

    Raises
    ------
    ShapeError, InputError
        For weights that do not fit.
    """
    array = np.asarray(weights)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.shape != (count,):
        raise ShapeError(
            argument,
            expected=f"one for each example: shape ({count},)",
            actual=f"shape {array.shape}",
            origin=user_line(),
        )
    wrong = ~(array >= 0) | np.isinf(array)
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(
            argument,
            expected="finite numbers of at least 0",
            actual=f"{array[place]} at position {place}",
            origin=user_line(),
        )
    return array
