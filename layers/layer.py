"""Layers: parameters, the shape of what they give, and the expressions that compute it.

The layers and their initialisation are those of ``network3.py`` in M. Nielsen, "Neural Networks and Deep
Learning", chapter 6, 2015.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import InitVar, dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arignote.engine.config import config
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import RandomStreams, cast, conv2d, dot, pool_2d, softmax
from arignote.engine.ops.shape import extents
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable, shared
from arignote.layers.activations import Activation, sigmoid

Rng = np.random.Generator | int | None

#: The numbers of layers that are given no `rng`: each such layer takes the next stream of this series. So no
#: two of them start alike, and a program that is run again starts as it did before.
_default_streams = np.random.SeedSequence(0)


class Layer(ABC):
    """Parameters, and an expression of them and of what the layer before gives.

    Attributes
    ----------
    w, b : SharedVariable
        Weights and biases.
    mini_batch_size : int or None
        The number of examples that the layer is made for, if its arguments state one.
    """

    w: SharedVariable
    b: SharedVariable
    mini_batch_size: int | None = None

    @property
    def params(self) -> list[SharedVariable]:
        """The parameters that training changes."""
        return [self.w, self.b]

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example that the layer takes."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """The shape of what the layer makes of one example."""

    @abstractmethod
    def output(self, x: Variable) -> Variable:
        """Return what the layer predicts with.

        Parameters
        ----------
        x : Variable, shape (examples, ...)
            Any number of examples, in any shape of as many numbers as `input_shape` has.

        Returns
        -------
        Variable, shape (examples, *output_shape)
        """

    def training_output(self, x: Variable, streams: RandomStreams) -> Variable:
        """Return what the layer learns with: as `output`, but with dropout.

        Parameters
        ----------
        x : Variable, shape (examples, ...)
        streams : RandomStreams
            Where the masks of dropout come from.

        Returns
        -------
        Variable, shape (examples, *output_shape)
        """
        return self.output(x)


@dataclass(eq=False)
class ConvPoolLayer(Layer):
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
        filters, channels, *filter_extents = self.filter_shape = _shape("filter_shape", self.filter_shape, 4)
        batch, image_channels, *image_extents = self.image_shape = _shape("image_shape", self.image_shape, 4)
        self.poolsize = _shape("poolsize", self.poolsize, 2)
        if channels != image_channels:
            raise ShapeError(
                "ConvPoolLayer: image_shape and filter_shape differ in their number of channels",
                expected=f"filter_shape=({filters}, {image_channels}, rows, columns)",
                actual=f"filter_shape={self.filter_shape}, image_shape={self.image_shape}",
                origin=user_line(),
            )
        self.mini_batch_size = batch
        self._maps = tuple(i - f + 1 for i, f in zip(image_extents, filter_extents, strict=True))
        if any(have < pool for have, pool in zip(self._maps, self.poolsize, strict=True)):
            raise ShapeError(
                "ConvPoolLayer: the windows do not fit into the image",
                expected="an image of at least filter + pool - 1 rows and columns",
                actual=f"image {image_extents}, filter {filter_extents}, poolsize {self.poolsize}",
                origin=user_line(),
            )
        n_out = filters * prod(filter_extents) / prod(self.poolsize)
        random = _generator(rng)
        self.w = _parameter("w", random.normal(scale=sqrt(1 / n_out), size=self.filter_shape))
        self.b = _parameter("b", random.normal(size=filters))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of an image."""
        return self.image_shape[1:]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Number of filters, rows and columns after pooling."""
        pooled = (have // pool for have, pool in zip(self._maps, self.poolsize, strict=True))
        return (self.filter_shape[0], *pooled)

    def output(self, x: Variable) -> Variable:
        """Return the activations; see `Layer.output`."""
        images = x.reshape((extents(x)[0], *self.input_shape))
        maps = conv2d(images, self.w, filter_shape=self.filter_shape)
        pooled = pool_2d(maps, self.poolsize, ignore_border=True)
        return self.activation_fn(pooled + self.b.dimshuffle("x", 0, "x", "x"))


class _Dense(Layer):
    """What layers have in common whose every output depends on every input."""

    n_in: int
    n_out: int
    p_dropout: float

    @abstractmethod
    def _activation(self, z: Variable) -> Variable:
        """Return the output for weighted inputs `z`."""

    def _check(self) -> None:
        for name, size in (("n_in", self.n_in), ("n_out", self.n_out)):
            _shape(name, (size,), 1)
        if not 0 <= self.p_dropout < 1:
            raise InputError(
                f"{type(self).__name__}: argument `p_dropout`",
                expected="the share of inputs to drop, from 0 to less than 1",
                actual=repr(self.p_dropout),
                origin=user_line(),
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The number of inputs."""
        return (self.n_in,)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The number of outputs."""
        return (self.n_out,)

    def output(self, x: Variable) -> Variable:
        """Return the activations, all inputs scaled to the share that was there in training."""
        share = cast(1 - self.p_dropout, self.w.dtype)
        return self._activation(share * dot(x.flatten(2), self.w) + self.b)

    def training_output(self, x: Variable, streams: RandomStreams) -> Variable:
        """Return the activations with each input set to 0 with the probability `p_dropout`."""
        if self.p_dropout == 0:
            return self.output(x)
        kept = streams.binomial(size=extents(x), n=1, p=1 - self.p_dropout, dtype=x.dtype)
        return self._activation(dot((x * kept).flatten(2), self.w) + self.b)


@dataclass(eq=False)
class FullyConnectedLayer(_Dense):
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
        self._check()
        random = _generator(rng)
        self.w = _parameter("w", random.normal(scale=sqrt(1 / self.n_out), size=(self.n_in, self.n_out)))
        self.b = _parameter("b", random.normal(size=self.n_out))

    def _activation(self, z: Variable) -> Variable:
        return self.activation_fn(z)


@dataclass(eq=False)
class SoftmaxLayer(_Dense):
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
        self._check()
        self.w = _parameter("w", np.zeros((self.n_in, self.n_out)))
        self.b = _parameter("b", np.zeros(self.n_out))

    def _activation(self, z: Variable) -> Variable:
        return softmax(z)


def _generator(rng: Rng) -> np.random.Generator:
    return np.random.default_rng(_default_streams.spawn(1)[0] if rng is None else rng)


def _parameter(name: str, initial: NDArray[np.float64]) -> SharedVariable:
    return shared(initial.astype(config.floatX), name=name, borrow=False)


def _shape(name: str, value: Any, ndim: int) -> Any:
    """Return a shape as a tuple of plain integers."""
    extents = tuple(value) if isinstance(value, list | tuple | np.ndarray) else (value,)
    if len(extents) != ndim or not all(isinstance(e, int | np.integer) and e > 0 for e in extents):
        raise ShapeError(
            f"layer: argument `{name}`",
            expected=f"{ndim} whole numbers of at least 1" if ndim > 1 else "a whole number of at least 1",
            actual=repr(value),
            origin=user_line(),
        )
    return tuple(int(e) for e in extents)
