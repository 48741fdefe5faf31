"""What parts of a network answer to an image, and where in the image that comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import function
from arignote.engine.errors import InputError
from arignote.engine.grad import grad
from arignote.engine.ops import mean, relu, sum
from arignote.engine.origin import user_line
from arignote.engine.types import TensorType
from arignote.layers.layer import Layer, checked_shape
from arignote.layers.looking.gradients import with_relus
from arignote.layers.looking.parts import classes_for, image_variable, images_for, part, total_score


def feature_maps(network: Layer, images: ArrayLike, layer: str) -> NDArray[Any]:
    """Return what a part of the network answers to images.

    Parameters
    ----------
    network : Layer
        Of one input, built.
    images : array_like, shape (n, *input_shape) or (*input_shape)
    layer : str
        The name of the part, such as ``"0"`` for the first layer of a sequence.

    Returns
    -------
    ndarray, shape (n, *output shape of the part)

    Raises
    ------
    ShapeError, InputError
        For images or a layer that the network does not have.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, Sequential
    >>> network = Sequential([Conv2D(4, 3), Dense(10)], input_shape=(1, 8, 8))
    >>> feature_maps(network, np.ones((1, 8, 8)), "0").shape
    (1, 4, 6, 6)
    """
    x = image_variable(network)
    maps: NDArray[Any] = function([x], part(network.outputs(x), layer), name="feature maps")(
        images_for(network, images)
    )
    return maps


def grad_cam(
    network: Layer, images: ArrayLike, layer: str, classes: int | ArrayLike | None = None, scores: str = ""
) -> NDArray[Any]:
    """Return where in the maps of a convolution the evidence for a class lies.

    Each map is weighted by the mean derivative of the score with respect to it; what is positive in the sum
    of the maps speaks for the class.

    Parameters
    ----------
    network, images, classes
        As for `saliency`.
    layer : str
        A part that gives maps, usually the last convolution.
    scores : str
        The part whose outputs are the scores; by default the network's.

    Returns
    -------
    ndarray, shape (n, rows, columns)
        Of the size of the maps.

    Raises
    ------
    ShapeError, InputError
        For images, classes or a layer that the network does not have, or a layer that gives no maps.

    References
    ----------
    R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization",
    ICCV 2017.
    """
    batch = images_for(network, images)
    x, labels = image_variable(network), TensorType("int64", (None,))("classes")
    outputs = network.outputs(x)
    maps = part(outputs, layer)
    if maps.ndim != 4:
        raise InputError(
            "argument `layer`",
            expected="a part that gives maps: outputs of shape (n, channels, rows, columns)",
            actual=f"{layer!r}, which gives {maps.type}",
            origin=user_line(),
        )
    slope = grad(total_score(part(outputs, scores, "scores"), labels), maps)
    weights = mean(slope, axis=(2, 3), keepdims=True)
    evidence = function([x, labels], relu(sum(weights * maps, axis=1)), name="Grad-CAM")
    result: NDArray[Any] = evidence(batch, classes_for(network, batch, classes))
    return result


def occlusion(
    network: Layer,
    image: ArrayLike,
    size: int | tuple[int, int] = 4,
    stride: int | tuple[int, int] = 1,
    fill: float = 0.0,
    classes: int | None = None,
) -> NDArray[Any]:
    """Return how much the score of a class falls when a patch of the image is covered.

    Parameters
    ----------
    network : Layer
        Of one input, built.
    image : array_like, shape input_shape
    size, stride : int or (int, int)
        Rows and columns of the patch, and of the steps in which it moves.
    fill : float
        The value of the covered pixels.
    classes : int, optional
        By default what the network predicts.

    Returns
    -------
    ndarray, shape (rows, columns)
        For each place of the patch, the score of the whole image minus that of the covered one.

    Raises
    ------
    ShapeError, InputError
        For an image or a class that the network does not have, or a patch that is larger than the image.

    References
    ----------
    M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
    """
    whole = images_for(network, image)
    high, wide = checked_shape("occlusion: argument `size`", size, 2)
    down, across = checked_shape("occlusion: argument `stride`", stride, 2)
    rows, columns = whole.shape[2:]
    if len(whole) != 1 or high > rows or wide > columns:
        raise InputError(
            "occlusion: arguments `image` and `size`",
            expected="one image, and a patch that fits into it",
            actual=f"{len(whole)} images of {rows} x {columns} and a patch of {high} x {wide}",
            origin=user_line(),
        )
    (label,) = classes_for(network, whole, classes)
    tops, lefts = range(0, rows - high + 1, down), range(0, columns - wide + 1, across)
    covered = np.repeat(whole, len(tops) * len(lefts), axis=0)
    for place, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        covered[place, :, top : top + high, left : left + wide] = fill
    falls = network.predict(whole)[0, label] - network.predict(covered)[:, label]
    result: NDArray[Any] = falls.reshape(len(tops), len(lefts))
    return result


def receptive_field(network: Layer, layer: str, unit: tuple[int, ...] | None = None) -> tuple[slice, slice]:
    """Return the rows and columns of the image that a unit can see.

    They are where the derivative of the unit is not zero, for random images, and with every relu open: what
    the unit depends on is found out, not computed from the sizes of windows.

    Parameters
    ----------
    network : Layer
        Of one input, built.
    layer : str
        The part that the unit belongs to.
    unit : tuple of int, optional
        Its place in the part's output, such as (channel, row, column); by default the middle one.

    Returns
    -------
    rows, columns : slice

    Raises
    ------
    InputError
        If there is no such layer or unit.

    Examples
    --------
    >>> from arignote.layers import Conv2D, MaxPool2D, Sequential
    >>> network = Sequential([Conv2D(4, 5), MaxPool2D(2), Conv2D(4, 3)], input_shape=(1, 28, 28))
    >>> receptive_field(network, "2", (0, 0, 0))
    (slice(0, 10, None), slice(0, 10, None))
    """
    x = image_variable(network)
    output = with_relus(part(network.outputs(x), layer), lambda before, _: before)
    rng = np.random.default_rng(0)
    trials = rng.normal(size=(_TRIALS, *network.input_shape)).astype(x.dtype)
    shape = function([x], output.shape, name="shape")(trials)[1:]
    place = tuple(int(extent) // 2 for extent in shape) if unit is None else tuple(unit)
    inside = len(place) == len(shape) and all(0 <= p < e for p, e in zip(place, shape, strict=True))
    if not inside:
        raise InputError(
            "receptive_field: argument `unit`",
            expected=f"a place in an output of shape {tuple(map(int, shape))}",
            actual=repr(unit),
            origin=user_line(),
        )
    slope = function([x], grad(sum(output[(slice(None), *place)]), x), name="slope of a unit")
    seen = np.abs(slope(trials)).max(axis=(0, 1)) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


#: Of random images: what a maximum leaves out for one of them, it lets pass for another.
_TRIALS = 100
