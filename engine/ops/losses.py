"""Cross-entropies, and layers that end in a softmax (`theano.tensor.nnet`)."""

from __future__ import annotations

from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.dot import batched_dot, dot, tensordot
from arignote.engine.ops.elementwise import cast, eq, gt, log, mul, softplus, switch
from arignote.engine.ops.getitem import getitem
from arignote.engine.ops.join import concatenate
from arignote.engine.ops.order import unique
from arignote.engine.ops.reduce import argmax, max, sum
from arignote.engine.ops.shape import arange, dimshuffle, extents, flatten, reshape
from arignote.engine.ops.softmax import logsoftmax, softmax


def _picked(rows: Variable, classes: Variable, name: str) -> Variable:
    """Return from each row the element of its class."""
    if rows.ndim != 2 or classes.ndim != 1:
        raise ShapeError(
            name,
            expected="a matrix of one case a row, and a vector of their classes",
            actual=f"{rows.type} and {classes.type}",
        )
    if not classes.type.is_integer:
        raise DTypeError(
            f"{name}: the classes",
            expected="integers",
            actual=str(classes.type),
            fix="cast them: cast(y, 'int32')",
        )
    return getitem(rows, (arange(extents(classes)[0]), classes))


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Variable:
    """Return the cross-entropy of each case (`theano.tensor.nnet.categorical_crossentropy`).

    Of a softmax it is computed from what the softmax is of, with its gradient: both are finite where
    probabilities round to 0.

    Parameters
    ----------
    coding_dist : matrix
        Predicted probabilities, (cases, classes).
    true_dist : integer vector or matrix
        The class of each case; or a distribution for each case, then of any rank, the classes being the last
        axis.

    Returns
    -------
    Variable
        ``-log(coding_dist[i, true_dist[i]])``, or ``-sum(true_dist * log(coding_dist), axis=-1)``.

    Raises
    ------
    ShapeError
        If the ranks do not fit.
    DTypeError
        If the classes are no integers.

    Examples
    --------
    >>> import arignote.compile
    >>> categorical_crossentropy([[0.25, 0.75], [0.5, 0.5]], [1, 0]).eval()
    array([0.28768207, 0.69314718])
    """
    p, y = as_variable(coding_dist), as_variable(true_dist)
    if y.ndim == p.ndim > 0:
        return -sum(y * log(p), axis=p.ndim - 1)
    return crossentropy_categorical_1hot(p, y)


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Variable:
    """Return ``-log(coding_dist[i, true_one_of_n[i]])`` for each case i.

    Examples
    --------
    >>> import arignote.compile
    >>> crossentropy_categorical_1hot([[0.25, 0.75], [0.5, 0.5]], [1, 0]).eval()
    array([0.28768207, 0.69314718])
    """
    p, y = as_variable(coding_dist), as_variable(true_one_of_n)
    return -_picked(log(p), y, "categorical_crossentropy")


def binary_crossentropy(output: Any, target: Any) -> Variable:
    """Return ``-(target * log(output) + (1 - target) * log(1 - output))``, elementwise.

    Examples
    --------
    >>> import arignote.compile
    >>> binary_crossentropy([0.25, 0.75], [0, 1]).eval()
    array([0.28768207, 0.28768207])
    """
    p, t = as_variable(output), as_variable(target)
    return -(t * log(p) + (1 - t) * log(1 - p))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Variable:
    """Return the binary cross-entropy of ``sigmoid(output)``, elementwise, exact at any size of `output`.

    Examples
    --------
    >>> import arignote.compile
    >>> sigmoid_binary_crossentropy([0.0, 1000.0], [1, 0]).eval()
    array([6.93147181e-01, 1.00000000e+03])
    """
    x, t = as_variable(output), as_variable(target)
    positive = gt(x, 0)
    # softplus(x) - t x, of which neither term is larger than the result is away from 0.
    return softplus(switch(positive, -x, x)) + mul(x, cast(positive, x.dtype) - t)


def softmax_with_bias(x: Any, b: Any) -> Variable:
    """Return ``softmax(x + b)`` for a matrix and a vector that is added to each of its rows.

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> softmax_with_bias([[0.0, 0.0]], [0.0, np.log(3)]).eval()
    array([[0.25, 0.75]])
    """
    return softmax(as_variable(x) + as_variable(b))


def crossentropy_softmax_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any
) -> tuple[Variable, Variable, Variable]:
    """Return the cross-entropy of each row of ``softmax(x + b)``, this softmax, and its largest class.

    Parameters
    ----------
    x : matrix
        (cases, classes).
    b : vector
        (classes,).
    y_idx : integer vector
        The class of each case.

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> nll, p, best = crossentropy_softmax_argmax_1hot_with_bias([[0.0, 0.0]], [0.0, np.log(3)], [1])
    >>> nll.eval(), p.eval(), best.eval()
    (array([0.28768207]), array([[0.25, 0.75]]), array([1]))
    """
    biased, y = as_variable(x) + as_variable(b), as_variable(y_idx)
    nll = -_picked(logsoftmax(biased), y, "crossentropy_softmax_1hot")
    return nll, softmax(biased), argmax(biased, axis=1)


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Variable, Variable]:
    """Return the cross-entropy of each row of ``softmax(x + b)``, and this softmax.

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> crossentropy_softmax_1hot_with_bias([[0.0, 0.0]], [0.0, np.log(3)], [1])[0].eval()
    array([0.28768207])
    """
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> tuple[Variable, Variable]:
    """Return the cross-entropy of each row of ``softmax(x)``, and this softmax.

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> crossentropy_softmax_1hot([[0.0, np.log(3)]], [1])[0].eval()
    array([0.28768207])
    """
    rows = as_variable(x)
    return -_picked(logsoftmax(rows), as_variable(y_idx), "crossentropy_softmax_1hot"), softmax(rows)


def crossentropy_softmax_max_and_argmax_1hot(
    x: Any, y_idx: Any
) -> tuple[Variable, Variable, Variable, Variable]:
    """Return the cross-entropy of each row of ``softmax(x)``, this softmax, its largest value and its place.

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> [each.eval() for each in crossentropy_softmax_max_and_argmax_1hot([[0.0, np.log(3)]], [1])[2:]]
    [array([0.75]), array([1])]
    """
    nll, p = crossentropy_softmax_1hot(x, y_idx)
    return nll, p, max(p, axis=1), argmax(as_variable(x), axis=1)


def h_softmax(
    x: Any,
    batch_size: Any,
    n_outputs: Any,
    n_classes: Any,
    n_outputs_per_class: Any,
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    target: Any = None,
) -> Variable:
    """Return a softmax in two steps: over classes of outputs, and over the outputs of a class.

    As `theano.tensor.nnet.h_softmax`: with targets it computes the outputs of their classes only.

    Parameters
    ----------
    x : matrix
        (cases, features).
    batch_size, n_outputs, n_classes, n_outputs_per_class : int
        How many there are; ``n_classes * n_outputs_per_class`` is at least `n_outputs`.
    W1, b1 : matrix and vector
        (features, classes) and (classes,).
    W2, b2 : 3-D tensor and matrix
        (classes, features, outputs of a class) and (classes, outputs of a class).
    target : integer vector, optional
        The output of each case.

    Returns
    -------
    matrix or vector
        The probability of each output, (cases, n_outputs); or of the targets, (cases,).

    Examples
    --------
    >>> import arignote.compile
    >>> import numpy as np
    >>> x, zeros = np.ones((1, 2)), np.zeros
    >>> h_softmax(x, 1, 4, 2, 2, zeros((2, 2)), zeros(2), zeros((2, 2, 2)), zeros((2, 2))).eval()
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    x, weights, biases = as_variable(x), as_variable(W2), as_variable(b2)
    class_probabilities = softmax(dot(x, W1) + as_variable(b1))
    if target is None:
        scores = tensordot(x, weights, (1, 1)) + dimshuffle(biases, "x", 0, 1)
        within = softmax(scores, axis=2)
        whole = dimshuffle(class_probabilities, 0, 1, "x") * within
        return getitem(reshape(whole, (batch_size, -1), ndim=2), (slice(None), slice(None, n_outputs)))
    target = flatten(target)
    classes, place = target // n_outputs_per_class, target % n_outputs_per_class
    scores = batched_dot(x, getitem(weights, classes)) + getitem(biases, classes)
    of_class = _picked(class_probabilities, classes, "h_softmax")
    return of_class * _picked(softmax(scores), place, "h_softmax")


def confusion_matrix(actual: Any, pred: Any) -> list[Variable]:
    """Return how often each class was taken for each other, and the classes (`theano.tensor.nnet`).

    Parameters
    ----------
    actual, pred : integer vector
        The class of each case, and the predicted one.

    Returns
    -------
    list of Variable
        The matrix, a row for each actual class and a column for each predicted one; and the classes in
        ascending order.

    Examples
    --------
    >>> import arignote.compile
    >>> [each.eval() for each in confusion_matrix([2, 0, 2], [0, 0, 2])]
    [array([[1, 0],
           [1, 1]]), array([0, 2])]
    """
    actual, pred = as_variable(actual), as_variable(pred)
    if actual.ndim != 1 or pred.ndim != 1:
        raise ShapeError("confusion_matrix", expected="two vectors", actual=f"{actual.type} and {pred.type}")
    order = unique(concatenate([actual, pred]))
    is_actual, is_pred = (cast(eq(dimshuffle(each, 0, "x"), order), "int64") for each in (actual, pred))
    return [dot(is_actual.T, is_pred), order]
