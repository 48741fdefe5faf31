"""The expressions of a network's parts, for images that are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import arange, sum
from arignote.engine.origin import user_line
from arignote.engine.types import TensorType
from arignote.layers.layer import Layer


def image_variable(network: Layer) -> Variable:
    """Return a variable for any number of images that the network takes."""
    return TensorType(network.dtype, (None, *network.input_shape))("images")


def part(outputs: Mapping[str, Variable], name: str, argument: str = "layer") -> Variable:
    """Return the output of the part of that name; refuse a name that there is not."""
    if name not in outputs:
        raise InputError(
            f"argument `{argument}`",
            expected="the name of a part: " + ", ".join(map(repr, outputs)),
            actual=repr(name),
            origin=user_line(),
        )
    return outputs[name]


def images_for(network: Layer, images: ArrayLike) -> NDArray[Any]:
    """Return one image or several as a batch in the shape and dtype that the network takes.

    Raises
    ------
    ShapeError
        If the images have another size.
    """
    array = np.asarray(images)
    shape = network.input_shape
    single = array.shape == shape
    if not single and array.shape[1:] != shape:
        raise ShapeError(
            "argument `images`",
            expected=f"shape {shape}, or (n, {', '.join(map(str, shape))})",
            actual=f"shape {array.shape}",
            fix=f".reshape(-1, {', '.join(map(str, shape))})",
            origin=user_line(),
        )
    return (array[np.newaxis] if single else array).astype(network.dtype)


def total_score(outputs: Variable, classes: Variable) -> Variable:
    """Return the sum over the images of the output that belongs to the class asked for."""
    return sum(outputs[arange(classes.shape[0]), classes])


def classes_for(network: Layer, images: NDArray[Any], classes: int | ArrayLike | None) -> NDArray[np.int64]:
    """Return a class for each image: the given one, or the one that the network finds most likely."""
    count = network.output_shape[0]
    if classes is None:
        likeliest: NDArray[np.int64] = network.predict(images).argmax(axis=1)
        return likeliest
    found = np.broadcast_to(np.asarray(classes), len(images))
    if found.dtype.kind not in "iu" or ((found < 0) | (found >= count)).any():
        raise InputError(
            "argument `classes`",
            expected=f"whole numbers from 0 to {count - 1}, one for all images or one for each",
            actual=repr(classes),
            origin=user_line(),
        )
    return found.astype(np.int64)
