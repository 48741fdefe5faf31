"""The image that a unit likes best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import function
from arignote.engine.errors import InputError
from arignote.engine.grad import grad
from arignote.engine.ops import abs_, cast, maximum, mean, minimum, sqr, sqrt, sum
from arignote.engine.origin import user_line
from arignote.engine.shared import shared
from arignote.layers.layer import Layer
from arignote.layers.looking.parts import image_variable, images_for, part


def maximise(
    network: Layer,
    layer: str,
    units: int | ArrayLike,
    steps: int = 100,
    rate: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    start: ArrayLike | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
) -> NDArray[Any]:
    """Return images that units of a layer answer to most strongly, found by gradient ascent.

    What rises is the unit's output, for a filter the mean over its map, minus ``l1 * sum(abs_(image))`` and
    ``l2 * sum(image**2)``. Each step is of the same length: the gradient is divided by its root mean square.

    Parameters
    ----------
    network : Layer
        Of one input, built.
    layer : str
        A part of the network: a convolution, a dense layer, or ``""`` for the network's own outputs. Better
        without an activation, which gives no way up where it is flat; an `Activate` may follow.
    units : int or array_like of int
        Filters (channels) of a convolution, outputs of a dense layer; an image is found for each.
    steps : int
    rate : float
        The root mean square of the pixels' change in one step.
    l1, l2 : float
        The strength of the penalties. The first makes most pixels exactly as dark as the background.
    start : array_like, shape input_shape, optional
        By default noise around the middle of the `limits`, or around 0.
    limits : (float, float), optional
        What pixels are held between.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray, shape (units, *input_shape)

    Raises
    ------
    InputError, ShapeError
        If there is no such layer or unit, or the start has another size.

    References
    ----------
    D. Erhan, Y. Bengio, A. Courville, P. Vincent, "Visualizing higher-layer features of a deep network",
    Technical report 1341, University of Montreal, 2009.

    Examples
    --------
    >>> from arignote.layers import Dense, Sequential
    >>> network = Sequential([Dense(2)], input_shape=(1, 2, 2))
    >>> network[0].w.set_value(np.array([[1, -1], [1, -1], [-1, 1], [-1, 1.0]]))
    >>> maximise(network, "", 0).round(2)
    array([[[[1., 1.],
             [0., 0.]]]])
    """
    chosen = np.atleast_1d(np.asarray(units))
    x = image_variable(network)
    middle = 0.0 if limits is None else float(np.mean(limits))
    if start is None:
        noise = np.random.default_rng(seed).normal(middle, 0.1, (len(chosen), *network.input_shape))
        first = noise.astype(x.dtype)
    else:
        first = np.repeat(images_for(network, start), len(chosen), axis=0)
    image = shared(first, name="image", borrow=False)
    answers = part(network.outputs(image), layer)
    width = int(function([], answers.shape[1], name="units")())
    if chosen.dtype.kind not in "iu" or chosen.size == 0 or chosen.min() < 0 or chosen.max() >= width:
        raise InputError(
            "maximise: argument `units`",
            expected=f"whole numbers from 0 to {width - 1}",
            actual=repr(units),
            origin=user_line(),
        )
    own = answers[np.arange(len(chosen)), chosen]
    liking = sum(own if own.ndim == 1 else mean(own, axis=tuple(range(1, own.ndim))))
    penalty = l1 * sum(abs_(image)) + l2 * sum(sqr(image))
    slope = grad(liking - cast(penalty, x.dtype), image)
    length = sqrt(mean(sqr(slope), axis=tuple(range(1, slope.ndim)), keepdims=True))
    moved = image + cast(rate, x.dtype) * slope / (length + cast(1e-12, x.dtype))
    if limits is not None:
        low, high = (cast(limit, x.dtype) for limit in limits)
        moved = minimum(maximum(moved, low), high)
    step = function([], updates=[(image, moved)], name="ascent")
    for _ in range(steps):
        step()
    return image.get_value()
