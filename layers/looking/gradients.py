"""The pixels that a decision depends on: gradients with respect to the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import function
from arignote.engine.grad import grad
from arignote.engine.graph import Variable, rebuild, walk
from arignote.engine.ops.elementwise import Gt, Switch
from arignote.engine.ops.gradient import grad_clip
from arignote.engine.patterns import inputs_of, is_filled_with
from arignote.engine.types import TensorType
from arignote.layers.layer import Layer
from arignote.layers.looking.parts import classes_for, image_variable, images_for, part, total_score


def saliency(
    network: Layer, images: ArrayLike, classes: int | ArrayLike | None = None, layer: str = ""
) -> NDArray[Any]:
    """Return how strongly the score of a class depends on each pixel.

    Parameters
    ----------
    network : Layer
        Of one input, built.
    images : array_like, shape (n, *input_shape) or (*input_shape)
    classes : int or array_like of int, optional
        One for all images or one for each; by default what the network predicts.
    layer : str
        The part whose outputs are the scores. By default the network's; of probabilities, the layer before
        the softmax shows more.

    Returns
    -------
    ndarray, shape (n, rows, columns)
        The largest magnitude, over the channels, of the derivative of the score.

    Raises
    ------
    ShapeError, InputError
        For images, classes or a layer that the network does not have.

    References
    ----------
    K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising image
    classification models and saliency maps", arXiv:1312.6034, 2013.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, Sequential, relu
    >>> network = Sequential([Conv2D(4, 3, activation=relu), Dense(10)], input_shape=(1, 8, 8))
    >>> saliency(network, np.ones((2, 1, 8, 8))).shape
    (2, 8, 8)
    """
    gradient = np.abs(_score_gradient(network, images, classes, layer, by_guide=False))
    result: NDArray[Any] = gradient.max(axis=1)
    return result


def guided_backpropagation(
    network: Layer, images: ArrayLike, classes: int | ArrayLike | None = None, layer: str = ""
) -> NDArray[Any]:
    """Return the gradient of the score of a class, of which each relu lets only what is positive pass.

    So what speaks against the class is left out on the way down, and shapes appear.

    Parameters
    ----------
    network, images, classes, layer
        As for `saliency`.

    Returns
    -------
    ndarray, shape (n, *input_shape)

    Raises
    ------
    ShapeError, InputError
        As for `saliency`.

    References
    ----------
    J. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all convolutional
    net", arXiv:1412.6806, 2014.
    """
    return _score_gradient(network, images, classes, layer, by_guide=True)


def guided(expression: Variable) -> Variable:
    """Return the same expression, with every relu in it letting only positive gradients pass.

    Parameters
    ----------
    expression : Variable

    Returns
    -------
    Variable
        Of the same value.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x = T.dvector("x")
    >>> cost = -T.nnet.relu(x).sum()
    >>> grad(cost, x).eval({x: [-1.0, 2.0]}), grad(guided(cost), x).eval({x: [-1.0, 2.0]})
    (array([ 0., -1.]), array([0., 0.]))
    """
    return with_relus(expression, lambda _, y: grad_clip(y, 0.0, np.inf))


def with_relus(expression: Variable, change: Callable[[Variable, Variable], Variable]) -> Variable:
    """Return the expression with another in place of every relu: ``change(x, relu(x))``."""
    new: dict[Variable, Variable] = {}
    for node in walk([expression]):
        outputs = rebuild(node, [new.get(x, x) for x in node.inputs])
        new |= zip(node.outputs, outputs, strict=True)
        if _is_relu(node.outputs[0]):
            new[node.outputs[0]] = change(new.get(node.inputs[1], node.inputs[1]), outputs[0])
    return new.get(expression, expression)


def _is_relu(y: Variable) -> bool:
    """Tell whether `y` is ``switch(x > 0, x, 0)``."""
    operands = inputs_of(y, Switch)
    compared = inputs_of(operands[0], Gt) if operands is not None else None
    return (
        operands is not None
        and compared is not None
        and compared[0] is operands[1]
        and is_zero(compared[1])
        and is_zero(operands[2])
    )


def is_zero(x: Variable) -> bool:
    """Tell whether `x` is 0, also where it has been given the axes of what it is compared with."""
    while x.owner is not None and len(x.owner.inputs) == 1:
        x = x.owner.inputs[0]
    return is_filled_with(x, 0)


def _score_gradient(
    network: Layer, images: ArrayLike, classes: int | ArrayLike | None, layer: str, *, by_guide: bool
) -> NDArray[Any]:
    batch = images_for(network, images)
    x, labels = image_variable(network), TensorType("int64", (None,))("classes")
    score = total_score(part(network.outputs(x), layer), labels)
    slope = function([x, labels], grad(guided(score) if by_guide else score, x), name="score gradient")
    result: NDArray[Any] = slope(batch, classes_for(network, batch, classes))
    return result
