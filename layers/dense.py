"""Layers of numbers without places: dense layers, dropout, and what stands between them and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from arignote.engine.errors import InputError
from arignote.engine.graph import Variable
from arignote.engine.ops import cast, dot
from arignote.engine.ops.shape import extents
from arignote.engine.origin import user_line
from arignote.layers.activations import Activation, linear
from arignote.layers.initialisers import Constant, Fans, Glorot, Initialiser
from arignote.layers.layer import Layer, Shape, Training, check_axes, checked_shape, checked_share
from arignote.layers.receptive import Field


@dataclass(eq=False)
class Dense(Layer):
    """A layer whose every output depends on every input: ``activation(dot(x, w) + b)``.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : callable
        From an expression to an expression.
    bias : bool
        Whether there is a `b`.
    initialiser, bias_initialiser : Initialiser
        See `arignote.layers.initialisers`.

    Attributes
    ----------
    w : SharedVariable, shape (inputs, units)
    b : SharedVariable, shape (units,)

    Notes
    -----
    An example of several axes is taken apart into its numbers.

    Examples
    --------
    >>> Dense(100).build((20, 12, 12)).w.get_value().shape
    (2880, 100)
    """

    units: int
    activation: Activation = linear
    bias: bool = True
    initialiser: Initialiser = field(default_factory=Glorot)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def __post_init__(self) -> None:
        (self.units,) = checked_shape(f"{type(self).__name__}: argument `units`", self.units, 1)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of units."""
        return (self.units,)

    def create(self, rng: np.random.Generator) -> None:
        """Make `w` and `b`."""
        inputs = prod(self.input_shape)
        fans = Fans(inputs, self.units)
        self.w = self.add_weight("w", (inputs, self.units), self.initialiser, rng, fans)
        if self.bias:
            self.b = self.add("b", self.bias_initialiser(rng, (self.units,), fans))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the activations; see `Layer.output`."""
        z = dot(inputs[0].flatten(2), self.w)
        return self.activation(z + self.b if self.bias else z)

    @property
    def multiply_adds(self) -> int:
        """``inputs * units``."""
        return prod(self.input_shape) * self.units

    def receptive_field(self, *fields: Field | None) -> None:
        """Return None, for all of the input."""


@dataclass(eq=False)
class Dropout(Layer):
    """In training each input is set to 0 with the probability `p`.

    Parameters
    ----------
    p : float
        From 0 to less than 1.
    inverted : bool
        Whether what is kept is divided by ``1 - p`` in training, so that prediction is as it would be without
        dropout. Otherwise prediction multiplies by ``1 - p``, as the paper does.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: a simple way to prevent
    neural networks from overfitting", Journal of Machine Learning Research 15, 2014.

    Examples
    --------
    >>> Dropout(0.5).build((100,)).output_shape
    (100,)
    """

    p: float = 0.5
    inverted: bool = True

    def __post_init__(self) -> None:
        self.p = checked_share("Dropout: argument `p`", self.p)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        return shapes[0]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the inputs, in training without those that are dropped; see `Layer.output`."""
        (x,) = inputs
        if self.p == 0:
            return x
        kept = cast(1 - self.p, x.dtype)
        if training is None:
            return x if self.inverted else x * kept
        mask = training.streams.binomial(size=extents(x), n=1, p=1 - self.p, dtype=x.dtype)
        return x * mask / kept if self.inverted else x * mask


@dataclass(eq=False)
class Bias(Layer):
    """A number added to each channel (the first axis of an example).

    Parameters
    ----------
    initialiser : Initialiser

    Attributes
    ----------
    b : SharedVariable, shape (channels,)
    """

    initialiser: Initialiser = field(default_factory=Constant)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        check_axes(self, shapes[0])
        return shapes[0]

    def create(self, rng: np.random.Generator) -> None:
        """Make `b`."""
        channels = self.input_shape[0]
        self.b = self.add("b", self.initialiser(rng, (channels,), Fans(channels, channels)))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the sum; see `Layer.output`."""
        return inputs[0] + self.b.dimshuffle("x", 0, *"x" * (len(self.input_shape) - 1))


@dataclass(eq=False)
class Activate(Layer):
    """An activation function as a layer of its own."""

    activation: Activation

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        return shapes[0]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the activations; see `Layer.output`."""
        return self.activation(inputs[0])


@dataclass(eq=False)
class Flatten(Layer):
    """All numbers of an example in one row."""

    def infer(self, *shapes: Shape) -> Shape:
        """Return how many numbers an example has."""
        return (prod(shapes[0]),)

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the rows; see `Layer.output`."""
        return inputs[0].flatten(2)


@dataclass(eq=False)
class Reshape(Layer):
    """The numbers of an example in another shape.

    Parameters
    ----------
    shape : tuple of int
        Of as many numbers as an example has.

    Examples
    --------
    >>> Reshape((1, 28, 28)).build((784,)).output_shape
    (1, 28, 28)
    """

    shape: Shape

    def __post_init__(self) -> None:
        self.shape = checked_shape("Reshape: argument `shape`", self.shape)

    def infer(self, *shapes: Shape) -> Shape:
        """Return `shape`."""
        if prod(shapes[0]) != prod(self.shape):
            raise InputError(
                "Reshape: argument `shape`",
                expected=f"a shape of {prod(shapes[0])} numbers, as an example of shape {shapes[0]} has",
                actual=f"{self.shape}, of {prod(self.shape)}",
                origin=user_line(),
            )
        return self.shape

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the examples in that shape; see `Layer.output`."""
        return inputs[0].reshape((extents(inputs[0])[0], *self.shape))

    def receptive_field(self, *fields: Field | None) -> Field | None:
        """Return that of a pixel of an image that was a row; otherwise None, for all of the input."""
        return Field.of(self.shape) if len(self.input_shape) == 1 and fields[0] == Field.of((1,)) else None
