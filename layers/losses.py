"""Losses: what training lowers, as one number for each example, of which the trainer takes the mean.

A loss is a function from the predicted and the target to a vector with an entry for each example, so that
examples can be weighted. What is predicted has its examples along the first axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import (
    abs_,
    arange,
    cast,
    log,
    logsoftmax,
    lt,
    maximum,
    mean,
    minimum,
    sigmoid_binary_crossentropy,
    sqr,
    sum,
    switch,
    xlogx,
)
from arignote.engine.ops.shape import SpecifyShape, extents
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_number
from arignote.layers.scalars import scalar_like

Loss = Callable[[Any, Any], Variable]


def cross_entropy(logits: Any, labels: Any, label_smoothing: float = 0.0) -> Variable:
    """Return the cross-entropy of ``softmax(logits)`` for each example; finite at logits of any finite size.

    Parameters
    ----------
    logits : matrix, shape (examples, classes)
    labels : integer vector, shape (examples,), or matrix, shape (examples, classes)
        The class of each example, or a distribution over the classes.
    label_smoothing : float
        The share of each label, from 0 to less than 1, that is spread evenly over all classes.

    Returns
    -------
    vector, shape (examples,)

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arguments that do not fit; at a call, for a label that is out of range, negative ones included.

    Examples
    --------
    >>> import arignote.compile
    >>> cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [1, 1]).eval().round(4)
    array([6.931e-01, 1.000e+03])
    """
    check_number("cross_entropy: argument `label_smoothing`", label_smoothing, at_least=0, below=1)
    logits, labels = _classified("cross_entropy", logits, labels)
    loss = _of_logarithms(logsoftmax(logits), labels)
    if label_smoothing:
        spread = -mean(logsoftmax(logits), axis=1)
        loss = scalar_like(logits, 1 - label_smoothing) * loss + scalar_like(logits, label_smoothing) * spread
    return loss


def cross_entropy_of_probabilities(probabilities: Any, labels: Any) -> Variable:
    """Return ``-log`` of the probability of the right class for each example.

    Of a softmax it is computed from what the softmax is of, and so as exact as `cross_entropy`; of other
    probabilities that are 0 it is infinite.

    Parameters
    ----------
    probabilities : matrix, shape (examples, classes)
    labels : integer vector, shape (examples,), or matrix, shape (examples, classes)
        The class of each example, or a distribution over the classes.

    Returns
    -------
    vector, shape (examples,)

    Raises
    ------
    ShapeError, DTypeError, InputError
        As for `cross_entropy`.

    Examples
    --------
    >>> import arignote.compile
    >>> cross_entropy_of_probabilities([[0.25, 0.75], [0.5, 0.5]], [1, 0]).eval()
    array([0.28768207, 0.69314718])
    """
    probabilities, labels = _classified("cross_entropy_of_probabilities", probabilities, labels)
    return _of_logarithms(log(probabilities), labels)


def kl_divergence(logits: Any, distribution: Any) -> Variable:
    """Return the Kullback-Leibler divergence of ``softmax(logits)`` from a distribution, for each example.

    Parameters
    ----------
    logits : matrix, shape (examples, classes)
    distribution : matrix, shape (examples, classes)

    Returns
    -------
    vector, shape (examples,)
        ``sum(distribution * log(distribution / softmax(logits)), axis=1)``, with nothing for classes that the
        distribution gives a probability of 0.

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> kl_divergence([[0.0, 0.0], [0.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]).eval()
    array([0.        , 0.69314718])
    """
    logits, distribution = _classified("kl_divergence", logits, distribution)
    if distribution.ndim == 1:
        raise ShapeError(
            "kl_divergence: argument `distribution`",
            expected="a matrix (examples, classes)",
            actual=str(distribution.type),
            fix="cross_entropy, for the classes of examples",
            origin=user_line(),
        )
    return sum(xlogx(distribution) - distribution * logsoftmax(logits), axis=1)


def binary_cross_entropy(logits: Any, targets: Any) -> Variable:
    """Return the mean cross-entropy of ``sigmoid(logits)`` for each example; finite at logits of any size.

    Parameters
    ----------
    logits : Variable, shape (examples, ...)
    targets : Variable, of the same shape
        Probabilities: mostly 0 or 1.

    Returns
    -------
    vector, shape (examples,)
        The mean over all but the first axis.

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> binary_cross_entropy([0.0, 1000.0], [1, 0]).eval()
    array([6.93147181e-01, 1.00000000e+03])
    """
    return _mean(sigmoid_binary_crossentropy(*_paired("binary_cross_entropy", logits, targets)))


def mean_squared_error(predicted: Any, target: Any) -> Variable:
    """Return the mean of ``(predicted - target)**2`` for each example.

    Parameters
    ----------
    predicted : Variable, shape (examples, ...)
    target : Variable, of the same shape

    Returns
    -------
    vector, shape (examples,)
        The mean over all but the first axis.

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> mean_squared_error([[0.0, 3.0], [1.0, 1.0]], [[0, 0], [1, 1]]).eval()
    array([4.5, 0. ])
    """
    predicted, target = _paired("mean_squared_error", predicted, target)
    return _mean(sqr(predicted - target))


def mean_absolute_error(predicted: Any, target: Any) -> Variable:
    """Return the mean of ``|predicted - target|`` for each example; arguments as for `mean_squared_error`.

    Examples
    --------
    >>> import arignote.compile
    >>> mean_absolute_error([[0.0, 3.0], [1.0, 1.0]], [[0, 0], [1, 1]]).eval()
    array([1.5, 0. ])
    """
    predicted, target = _paired("mean_absolute_error", predicted, target)
    return _mean(abs_(predicted - target))


def huber(predicted: Any, target: Any, delta: float = 1.0) -> Variable:
    """Return the mean Huber loss for each example: squared near 0, straight far away.

    P. Huber, "Robust estimation of a location parameter", 1964; PyTorch's `huber_loss`.

    Parameters
    ----------
    predicted : Variable, shape (examples, ...)
    target : Variable, of the same shape
    delta : float
        The distance ``r = |predicted - target|`` up to which it is ``r**2 / 2``; from there on it is
        ``delta * (r - delta / 2)``.

    Returns
    -------
    vector, shape (examples,)
        The mean over all but the first axis.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> huber([0.5, 3.0], [0.0, 0.0]).eval()
    array([0.125, 2.5  ])
    """
    check_number("huber: argument `delta`", delta, above=0)
    predicted, target = _paired("huber", predicted, target)
    distance = abs_(predicted - target)
    near = minimum(distance, scalar_like(predicted, delta))
    return _mean(sqr(near) / 2 + scalar_like(predicted, delta) * (distance - near))


def hinge(scores: Any, labels: Any, margin: float = 1.0) -> Variable:
    """Return how far other classes' scores come within a margin of the right class's, for each example.

    J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition", 1999; PyTorch's
    `multi_margin_loss`.

    Parameters
    ----------
    scores : matrix, shape (examples, classes)
    labels : integer vector, shape (examples,)
        The class of each example.
    margin : float

    Returns
    -------
    vector, shape (examples,)
        The sum of ``max(0, margin - right score + score)`` over the other classes, divided by the number of
        all classes.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arguments that do not fit; at a call, for a label that is out of range.

    Examples
    --------
    >>> import arignote.compile
    >>> hinge([[3.0, 1.0], [3.0, 2.5]], [0, 0]).eval()
    array([0.  , 0.25])
    """
    check_number("hinge: argument `margin`", margin, above=0)
    scores, labels = _classified("hinge", scores, labels)
    if labels.ndim == 2:
        raise DTypeError(
            "hinge: argument `labels`",
            expected="a vector with the class of each example",
            actual=str(labels.type),
            fix="argmax(labels, axis=1)",
            origin=user_line(),
        )
    right = _picked(scores, labels).dimshuffle(0, "x")
    # The right class itself is as far within the margin as the margin is wide.
    within = maximum(scalar_like(scores, margin) - right + scores, 0)
    return (sum(within, axis=1) - scalar_like(scores, margin)) / cast(extents(scores)[1], scores.dtype)


def binary_hinge(scores: Any, targets: Any) -> Variable:
    """Return the mean of ``max(0, 1 - targets * scores)`` for each example.

    Parameters
    ----------
    scores : Variable, shape (examples, ...)
    targets : Variable, of the same shape
        -1 or 1.

    Returns
    -------
    vector, shape (examples,)
        The mean over all but the first axis.

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> binary_hinge([0.25, 2.0, 2.0], [1, 1, -1]).eval()
    array([0.75, 0.  , 3.  ])
    """
    scores, targets = _paired("binary_hinge", scores, targets)
    return _mean(maximum(1 - targets * scores, 0))


#: The losses that a saved state of training, or the command line, may name.
LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        binary_cross_entropy,
        binary_hinge,
        cross_entropy,
        cross_entropy_of_probabilities,
        hinge,
        huber,
        kl_divergence,
        mean_absolute_error,
        mean_squared_error,
    )
}


def _of_logarithms(logarithms: Variable, labels: Variable) -> Variable:
    """Return the cross-entropy of each example, from the logarithms of the probabilities of its classes."""
    return -(_picked(logarithms, labels) if labels.ndim == 1 else sum(labels * logarithms, axis=1))


def _mean(loss: Variable) -> Variable:
    """Return the mean over all but the first axis."""
    return mean(loss, axis=tuple(range(1, loss.ndim))) if loss.ndim > 1 else loss


def _picked(scores: Variable, labels: Variable) -> Variable:
    """Return the score of each example's class."""
    classes = extents(scores)[1]
    # NumPy counts negative indices from the end; a label below 0 is a mistake, and put where it is found.
    checked = switch(lt(labels, 0), labels - classes, labels)
    return scores[arange(extents(scores)[0]), checked]


def _classified(name: str, scores: Any, labels: Any) -> tuple[Variable, Variable]:
    """Return a matrix with a row of scores for each example; and a vector of classes, or a matrix like it."""
    scores, labels = as_variable(scores), as_variable(labels)
    if scores.ndim != 2 or labels.ndim not in (1, 2):
        raise ShapeError(
            f"{name}: the arguments",
            expected="a matrix (examples, classes), and a vector (examples,) or a matrix (examples, classes)",
            actual=f"{scores.type} and {labels.type}",
            origin=user_line(),
        )
    if labels.ndim == 2:
        return _paired(name, scores, labels)
    if not labels.type.is_integer:
        raise DTypeError(
            f"{name}: the classes of the examples",
            expected="integers",
            actual=str(labels.type),
            fix="cast(labels, 'int32'); distributions come as a matrix (examples, classes)",
            origin=user_line(),
        )
    _check_float(name, scores)
    promise = SpecifyShape(f"{name}: the vector of classes", "the number of examples", (None,))
    return scores, promise(labels, extents(scores)[0])


def _paired(name: str, predicted: Any, target: Any) -> tuple[Variable, Variable]:
    """Return two arrays of one shape, where extents of 1 do not broadcast, and of one dtype."""
    predicted, target = as_variable(predicted), as_variable(target)
    _check_float(name, predicted)
    known = list(zip(predicted.static_shape, target.static_shape, strict=False))
    differ = any(None not in (mine, theirs) and mine != theirs for mine, theirs in known)
    if predicted.ndim != target.ndim or predicted.ndim == 0 or differ:
        raise ShapeError(
            f"{name}: the predicted and the target",
            expected="one shape, the examples along the first axis",
            actual=f"{predicted.type} and {target.type}",
            fix="target.reshape(predicted.shape), if they are as many",
            origin=user_line(),
        )
    promise = SpecifyShape(f"{name}: the target", "what is predicted", (None,) * target.ndim)
    return predicted, cast(promise(target, *extents(predicted)), predicted.dtype)


def _check_float(name: str, predicted: Variable) -> None:
    if not predicted.type.is_float:
        raise DTypeError(
            f"{name}: what is predicted",
            expected="float32 or float64",
            actual=str(predicted.type),
            origin=user_line(),
        )
