"""Layers made of layers: one after the other, and around a shortcut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.origin import scope, user_line
from arignote.layers.layer import Layer, Rng, Shape, Training


class Sequential(Layer):
    """Layers one upon the other.

    Parameters
    ----------
    layers : sequence of Layer
        From the input to the output.
    input_shape : tuple of int, optional
        The shape of one example, for which all layers are built. Without it, they are built with the network
        that this one is put into, or by `build`.
    rng : numpy.random.Generator or int, optional
        As for `Layer.build`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one below gives.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, Flatten, MaxPool2D, relu
    >>> network = Sequential(
    ...     [Conv2D(20, 5, activation=relu), MaxPool2D(2), Flatten(), Dense(10)], input_shape=(1, 28, 28)
    ... )
    >>> network[1].output_shape, network.output_shape
    ((20, 12, 12), (10,))
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: Sequence[int] | None = None, rng: Rng = None
    ) -> None:
        self.layers = list(layers)
        for place, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise DTypeError(
                    "Sequential: argument `layers`",
                    expected="layers",
                    actual=f"{layer!r} at place {place}",
                    origin=user_line(),
                )
        if input_shape is not None:
            self.build(tuple(input_shape), rng=rng)

    def __repr__(self) -> str:
        return f"Sequential({self.layers})"

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, place: int) -> Layer:
        return self.layers[place]

    @property
    def parts(self) -> dict[str, Layer]:
        """The layers, by their places, counted from 0."""
        return {str(place): layer for place, layer in enumerate(self.layers)}

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of what the last layer gives."""
        (shape,) = shapes
        for place, layer in enumerate(self.layers):
            shape = inferred(f"layer {place}", layer, shape)
        return shape

    def create(self, rng: np.random.Generator) -> None:
        """Build the layers."""
        (shape,) = self.input_shapes
        for layer in self.layers:
            shape = layer.build(shape, rng=rng).output_shape

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the expression of the last layer's output; see `Layer.output`."""
        (x,) = inputs
        for place, layer in enumerate(self.layers):
            with scope(f"{place} {type(layer).__name__}"):
                x = layer.output(x, training=training)
        return x


@dataclass(eq=False)
class Add(Layer):
    """The sum of its inputs, which are of one shape."""

    def infer(self, *shapes: Shape) -> Shape:
        """Return the common shape."""
        if not shapes or len(set(shapes)) > 1:
            raise ShapeError(
                "Add", expected="inputs of one shape", actual=_listed(shapes), origin=user_line()
            )
        return shapes[0]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the sum; see `Layer.output`."""
        total = inputs[0]
        for each in inputs[1:]:
            total = total + each
        return total


@dataclass(eq=False)
class Residual(Layer):
    """A layer with a shortcut around it: ``body(x) + shortcut(x)``.

    Parameters
    ----------
    body : Layer
    shortcut : Layer, optional
        By default `x` itself, which asks for a body that keeps the shape of its input.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> from arignote.layers import Conv2D
    >>> Residual(Conv2D(8, 3, padding="half")).build((8, 5, 5)).output_shape
    (8, 5, 5)
    """

    body: Layer
    shortcut: Layer | None = None

    @property
    def parts(self) -> dict[str, Layer]:
        """The body and, if it has layers, the shortcut."""
        return {"body": self.body} | ({"shortcut": self.shortcut} if self.shortcut is not None else {})

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the body's output, which the shortcut's must equal."""
        (shape,) = shapes
        body = inferred("the body", self.body, shape)
        shortcut = shape if self.shortcut is None else inferred("the shortcut", self.shortcut, shape)
        if body != shortcut:
            raise ShapeError(
                "Residual: what the body gives cannot be added to the shortcut",
                expected=f"a body that gives {shortcut}, as the shortcut does",
                actual=f"{body}",
                fix="give a shortcut that changes the shape likewise, such as a Conv2D of size 1",
                origin=user_line(),
            )
        return body

    def create(self, rng: np.random.Generator) -> None:
        """Build the parts."""
        for part in self.parts.values():
            part.build(self.input_shape, rng=rng)

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the sum; see `Layer.output`."""
        (x,) = inputs
        shortcut = x if self.shortcut is None else self.shortcut.output(x, training=training)
        return self.body.output(x, training=training) + shortcut


def inferred(place: str, layer: Layer, *shapes: Shape) -> Shape:
    """Return ``layer.infer(*shapes)``; an error says at which place of the network it is."""
    try:
        return layer.infer(*shapes)
    except ShapeError as error:
        error.add_note(f"in {place}, {layer}, which is given {_listed(shapes)}")
        raise


def _listed(shapes: Sequence[Any]) -> str:
    return " and ".join(map(str, shapes)) or "nothing"
