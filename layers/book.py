"""The layers of the book, which are made of the others.

The layers and their initialisation are those of ``network3.py`` in M. Nielsen, "Neural Networks and Deep
Learning", chapter 6, 2015. They state the shapes of what they take, and are built at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import prod, sqrt
from typing import Any, Self

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import softmax
from arignote.engine.origin import user_line
from arignote.layers.activations import Activation, sigmoid
from arignote.layers.containers import Sequential
from arignote.layers.conv import Conv2D
from arignote.layers.dense import Activate, Bias, Dense, Dropout
from arignote.layers.initialisers import Constant, Initialiser, Nielsen, Normal
from arignote.layers.layer import (
    Layer,
    Parameter,
    Rng,
    Shape,
    Training,
    as_examples,
    checked_shape,
    checked_share,
)
from arignote.layers.pool import MaxPool2D


class _BookLayer(Sequential):
    """A layer of the book: a sequence of others, built at once, whose parameters are `w` and `b`.

    Attributes
    ----------
    mini_batch_size : int or None
        The number of examples that it is made for, if its arguments state one.
    """

    mini_batch_size: int | None = None

    def _made_of(self, layers: list[Layer], input_shape: Shape, rng: Rng) -> None:
        self.layers = layers
        self.build(input_shape, rng=rng)
        self.w, self.b = self.params

    @property
    def parameters(self) -> dict[str, Parameter]:
        """`w` and `b`."""
        return {str(parameter.variable.name): parameter for parameter in super().parameters.values()}

    def build(self, *shapes: Shape, rng: Rng = None) -> Self:
        """Make the parameters; a layer that has them takes examples of any shape of as many numbers."""
        return self if self._takes(shapes) else super().build(*shapes, rng=rng)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the body's output."""
        return self.output_shape if self._takes(shapes) else super().infer(*shapes)

    def _takes(self, shapes: Sequence[Shape]) -> bool:
        return self.is_built and [prod(shape) for shape in shapes] == [prod(self.input_shape)]

    def outputs(self, *inputs: Variable, training: Training | None = None) -> dict[str, Variable]:
        """Return the activations of examples, in any shape of as many numbers; see `Layer.outputs`."""
        return super().outputs(as_examples(inputs[0], self.input_shape), training=training)


@dataclass(eq=False)
class ConvPoolLayer(_BookLayer):
    """A convolution, the maxima of windows of it, a bias for each filter, and an activation.

    What comes out is ``activation_fn(pool(conv(x, w)) + b)``. The convolution is a true one, without padding.
    Windows of the pooling that reach over the border are left out.

    Parameters
    ----------
    filter_shape : (int, int, int, int)
        Number of filters, input channels, rows and columns of a filter.
    image_shape : (int, int, int, int)
        Mini-batch size, input channels, rows and columns of an image.
    poolsize : (int, int)
        Rows and columns of a pooling window.
    activation_fn : callable
        From an expression to an expression, elementwise.
    rng : numpy.random.Generator or int, optional
        Where the initial parameters come from, or the seed for it. By default every layer of a program gets
        numbers of its own, the same in each run.

    Attributes
    ----------
    w : SharedVariable, shape `filter_shape`
        Of dtype `config.floatX`. Initially normal, with mean 0 and variance 1 / n_out, where
        ``n_out = filter_shape[0] * prod(filter_shape[2:]) / prod(poolsize)``.
    b : SharedVariable, shape (filters,)
        Initially normal, with mean 0 and variance 1.

    Raises
    ------
    ShapeError
        If the channels of image and filters differ, or a filter or pooling window does not fit.

    Examples
    --------
    >>> layer = ConvPoolLayer(filter_shape=(20, 1, 5, 5), image_shape=(10, 1, 28, 28), poolsize=(2, 2))
    >>> layer.output_shape
    (20, 12, 12)
    """

    filter_shape: tuple[int, int, int, int]
    image_shape: tuple[int, int, int, int]
    poolsize: tuple[int, int] = (2, 2)
    activation_fn: Activation = sigmoid
    rng: InitVar[Rng] = None

    def __post_init__(self, rng: Rng) -> None:
        self.filter_shape = _checked("filter_shape", self.filter_shape, 4)
        self.image_shape = _checked("image_shape", self.image_shape, 4)
        self.poolsize = _checked("poolsize", self.poolsize, 2)
        filters, channels, *filter_extents = self.filter_shape
        self.mini_batch_size, image_channels, *image_extents = self.image_shape
        if channels != image_channels:
            raise ShapeError(
                "ConvPoolLayer: image_shape and filter_shape differ in their number of channels",
                expected=f"filter_shape=({filters}, {image_channels}, rows, columns)",
                actual=f"filter_shape={self.filter_shape}, image_shape={self.image_shape}",
                origin=user_line(),
            )
        reach = (f + p - 1 for f, p in zip(filter_extents, self.poolsize, strict=True))
        if any(have < needed for have, needed in zip(image_extents, reach, strict=True)):
            raise ShapeError(
                "ConvPoolLayer: the windows do not fit into the image",
                expected="an image of at least filter + pool - 1 rows and columns",
                actual=f"image {image_extents}, filter {filter_extents}, poolsize {self.poolsize}",
                origin=user_line(),
            )
        initialiser = Nielsen(gain=sqrt(prod(self.poolsize)))  # pooling passes on one of so many outputs
        convolution = Conv2D(filters, tuple(filter_extents), bias=False, flip=True, initialiser=initialiser)
        layers = [convolution, MaxPool2D(self.poolsize), Bias(Normal()), Activate(self.activation_fn)]
        self._made_of(layers, self.image_shape[1:], rng)


@dataclass(eq=False)
class FullyConnectedLayer(_BookLayer):
    """A layer whose every output depends on every input: ``activation_fn((1 - p_dropout) * dot(x, w) + b)``.

    In training each input is set to 0 with the probability `p_dropout`, instead of being scaled.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of outputs.
    activation_fn : callable
        From an expression to an expression, elementwise.
    p_dropout : float
        From 0 to less than 1.
    rng : numpy.random.Generator or int, optional
        As for `ConvPoolLayer`.

    Attributes
    ----------
    w : SharedVariable, shape (n_in, n_out)
        Of dtype `config.floatX`. Initially normal, with mean 0 and variance 1 / n_out.
    b : SharedVariable, shape (n_out,)
        Initially normal, with mean 0 and variance 1.

    Raises
    ------
    ShapeError, InputError
        For numbers that are out of range.

    Examples
    --------
    >>> FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100).w.get_value().shape
    (2880, 100)
    """

    n_in: int
    n_out: int
    activation_fn: Activation = sigmoid
    p_dropout: float = 0.0
    rng: InitVar[Rng] = None

    def __post_init__(self, rng: Rng) -> None:
        self._made_of(_dense(self, self.activation_fn, Nielsen(), Normal()), (self.n_in,), rng)


@dataclass(eq=False)
class SoftmaxLayer(_BookLayer):
    """The probability of each class: ``softmax((1 - p_dropout) * dot(x, w) + b)``.

    In training each input is set to 0 with the probability `p_dropout`, instead of being scaled.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of classes.
    p_dropout : float
        From 0 to less than 1.
    rng : numpy.random.Generator or int, optional
        Taken as the other layers take it, and not used: the parameters begin as zeros.

    Attributes
    ----------
    w : SharedVariable, shape (n_in, n_out)
        Of dtype `config.floatX`. Initially 0.
    b : SharedVariable, shape (n_out,)
        Initially 0.

    Raises
    ------
    ShapeError, InputError
        For numbers that are out of range.

    Examples
    --------
    >>> SoftmaxLayer(n_in=100, n_out=10).output_shape
    (10,)
    """

    n_in: int
    n_out: int
    p_dropout: float = 0.0
    rng: InitVar[Rng] = None

    def __post_init__(self, rng: Rng) -> None:
        self._made_of(_dense(self, softmax, Constant(), Constant()), (self.n_in,), rng)


def _dense(
    layer: FullyConnectedLayer | SoftmaxLayer, activation: Activation, w: Initialiser, b: Initialiser
) -> list[Layer]:
    name = type(layer).__name__
    for argument in ("n_in", "n_out"):
        (size,) = checked_shape(f"{name}: argument `{argument}`", getattr(layer, argument), 1)
        setattr(layer, argument, size)
    layer.p_dropout = checked_share(f"{name}: argument `p_dropout`", layer.p_dropout)
    dropout = Dropout(layer.p_dropout, inverted=False)
    return [dropout, Dense(layer.n_out, activation, initialiser=w, bias_initialiser=b)]


def _checked(argument: str, value: Any, ndim: int) -> Any:
    return checked_shape(f"ConvPoolLayer: argument `{argument}`", value, ndim)
