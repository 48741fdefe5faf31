"""Metrics: how good predictions are, from all those for a set of data and its labels, as NumPy arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.origin import user_line


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of examples that are classified as their labels say.

    Parameters
    ----------
    predicted : array_like, shape (n, classes) or (n,)
        Scores, such as probabilities, of which the first largest decides; or the classes themselves.
    labels : array_like of int, shape (n,)

    Returns
    -------
    float
        From 0 to 1; NaN for no examples.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arrays that do not fit.

    Examples
    --------
    >>> accuracy([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    0.5
    """
    classes, labels = _classes("accuracy", predicted, labels)
    return float(np.mean(classes == labels)) if len(labels) else float("nan")


def top_k_accuracy(scores: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
    """Return the share of examples whose label is among the `k` classes with the largest scores.

    Parameters
    ----------
    scores : array_like, shape (n, classes)
        Of equal ones, the first counts as larger.
    labels : array_like of int, shape (n,)
    k : int

    Returns
    -------
    float
        From 0 to 1; NaN for no examples.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arrays that do not fit, or fewer classes than `k`.

    Examples
    --------
    >>> top_k_accuracy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2], k=2)
    0.5
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise ShapeError(
            "top_k_accuracy: argument `scores`",
            expected="shape (n, classes)",
            actual=f"shape {scores.shape}",
            origin=user_line(),
        )
    _, labels = _classes("top_k_accuracy", scores, labels)
    if not isinstance(k, int | np.integer) or not 1 <= k <= scores.shape[1]:
        raise InputError(
            "top_k_accuracy: argument `k`",
            expected=f"a whole number from 1 to {scores.shape[1]}, the number of classes",
            actual=repr(k),
            origin=user_line(),
        )
    best = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]
    return float(np.mean((best == labels[:, None]).any(axis=1))) if len(labels) else float("nan")


def confusion_matrix(
    predicted: ArrayLike, labels: ArrayLike, classes: int | None = None
) -> NDArray[np.int64]:
    """Return how often each class was taken for each other.

    Parameters
    ----------
    predicted : array_like, shape (n, classes) or (n,)
        Scores of which the first largest decides, or the classes themselves.
    labels : array_like of int, shape (n,)
    classes : int, optional
        How many there are; by default as many as there are scores, or as the largest class asks for.

    Returns
    -------
    ndarray of int64, shape (classes, classes)
        At ``[i, j]`` the number of examples of class i that were taken for class j.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arrays that do not fit.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1])
    array([[1, 0],
           [1, 1]])
    """
    taken, labels = _classes("confusion_matrix", predicted, labels, classes)
    scores = np.asarray(predicted)
    if classes is None:
        largest = max(labels.max(initial=-1), taken.max(initial=-1)) + 1
        classes = scores.shape[1] if scores.ndim == 2 else int(largest)
    return np.bincount(labels * classes + taken, minlength=classes**2).reshape(classes, classes)


class PerClass(NamedTuple):
    """Measures of each class, arrays of shape (classes,).

    Attributes
    ----------
    precision : ndarray of float64
        The share of the examples taken for the class that are of it; 0 if none was.
    recall : ndarray of float64
        The share of the examples of the class that were taken for it; 0 if there are none.
    f1 : ndarray of float64
        The harmonic mean of both; 0 if both are.
    support : ndarray of int64
        The number of examples of the class.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def precision_recall(predicted: ArrayLike, labels: ArrayLike, classes: int | None = None) -> PerClass:
    """Return precision, recall and F1 of each class.

    Parameters
    ----------
    predicted, labels, classes
        As for `confusion_matrix`.

    Returns
    -------
    PerClass

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arrays that do not fit.

    Examples
    --------
    >>> precision_recall([0, 0, 1], [0, 1, 1]).recall
    array([1. , 0.5])
    """
    counts = confusion_matrix(predicted, labels, classes)
    right, taken, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    return PerClass(_share(right, taken), _share(right, support), _share(2 * right, taken + support), support)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _classes(
    name: str, predicted: ArrayLike, labels: ArrayLike, classes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the predicted classes and the labels, two vectors of one length."""
    scores, given = np.asarray(predicted), np.asarray(labels)
    if scores.ndim not in (1, 2) or given.shape != scores.shape[:1]:
        raise ShapeError(
            f"{name}: the predictions and labels",
            expected="shapes (n, classes) or (n,), and (n,)",
            actual=f"{scores.shape} and {given.shape}",
            origin=user_line(),
        )
    if scores.ndim == 2:
        classes = scores.shape[1] if classes is None else classes
    if scores.ndim == 1:
        taken = scores
    else:  # of no examples, there may be no classes either
        taken = scores.argmax(axis=1) if scores.size else np.zeros(len(scores), np.int64)
    for argument, array in (("predicted", taken), ("labels", given)):
        if array.dtype.kind not in "iu" and array.size:
            raise DTypeError(
                f"{name}: argument `{argument}`",
                expected="integers",
                actual=f"dtype {array.dtype}",
                origin=user_line(),
            )
        outside = (array < 0) | (array >= (np.inf if classes is None else classes))
        if outside.any():
            place = int(outside.argmax())
            bound = "of at least 0" if classes is None else f"from 0 to {classes - 1}"
            raise InputError(
                f"{name}: argument `{argument}`",
                expected=f"integers {bound}",
                actual=f"{array[place]} at position {place}",
                fix="classes count from 0",
                origin=user_line(),
            )
    return taken.astype(np.int64), given.astype(np.int64)
