"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import conv1d, conv2d, conv3d
from arignote.engine.origin import user_line
from arignote.layers.activations import Activation, linear
from arignote.layers.initialisers import Constant, Glorot, Initialiser, conv_fans
from arignote.layers.layer import Layer, Shape, Training, checked_shape, shape_of


@dataclass(eq=False)
class _Convolution(Layer):
    """What convolutions of one, two and three dimensions have in common."""

    dimensions: ClassVar[int]
    convolve: ClassVar[Callable[..., Variable]]  # the function of the engine

    filters: int
    size: int | Shape
    stride: int | Shape = 1
    padding: Any = "valid"
    dilation: int | Shape = 1
    groups: int = 1
    activation: Activation = linear
    bias: bool = True
    flip: bool = False
    initialiser: Initialiser = field(default_factory=Glorot)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def __post_init__(self) -> None:
        for name in ("filters", "groups"):
            (number,) = checked_shape(self._argument(name), getattr(self, name), 1)
            setattr(self, name, number)
        for name in ("size", "stride", "dilation"):
            setattr(self, name, checked_shape(self._argument(name), getattr(self, name), self.dimensions))

    def _argument(self, name: str) -> str:
        return f"{type(self).__name__}: argument `{name}`"

    def _filter_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 + self.dimensions or shape[0] % self.groups:
            raise ShapeError(
                f"{type(self).__name__}: the input",
                expected=f"examples of {1 + self.dimensions} axes, channels first"
                + (f", of a multiple of {self.groups} channels" if self.groups > 1 else ""),
                actual=f"examples of shape {shape}",
                fix="put a Reshape((channels, ...)) in front" if len(shape) == 1 else "",
                origin=user_line(),
            )
        assert isinstance(self.size, tuple)
        return (self.filters, shape[0] // self.groups, *self.size)

    def _maps(self, x: Variable, w: Variable, shape: Shape) -> Variable:
        return type(self).convolve(
            x,
            w,
            filter_shape=self._filter_shape(shape),
            border_mode=self.padding,
            subsample=self.stride,
            filter_flip=self.flip,
            filter_dilation=self.dilation,
            num_groups=self.groups,
        )

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of filters and the extents of the maps."""
        (shape,) = shapes
        maps = partial(self._maps, shape=shape)
        return shape_of(maps, (1, *shape), self._filter_shape(shape))[1:]

    def create(self, rng: np.random.Generator) -> None:
        """Make `w` and `b`."""
        shape = self._filter_shape(self.input_shape)
        fans = conv_fans(shape)
        self.w = self.add_weight("w", shape, self.initialiser, rng, fans)
        if self.bias:
            self.b = self.add("b", self.bias_initialiser(rng, (self.filters,), fans))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the activations; see `Layer.output`."""
        z = self._maps(inputs[0], self.w, self.input_shape)
        return self.activation(z + self.b.dimshuffle("x", 0, *"x" * self.dimensions) if self.bias else z)


class Conv2D(_Convolution):
    """A convolution of images: ``activation(conv(x, w) + b)``.

    Parameters
    ----------
    filters : int
        The number of maps it gives.
    size : int or (int, int)
        Rows and columns of a filter.
    stride, dilation : int or (int, int)
        See `arignote.tensor.nnet.conv2d`.
    padding : {'valid', 'half', 'full'}, int, (int, int) or ((int, int), (int, int))
        None; as much as keeps the extents of the image, for a filter of odd size; as much as lets the filter
        touch every pixel with each of its weights; or pixels: for all sides, for (rows, columns), or for
        ((top, bottom), (left, right)).
    groups : int
        Channels and filters come in so many groups, and the filters of each see its channels only.
    activation : callable
        From an expression to an expression.
    bias : bool
        Whether there is a `b`.
    flip : bool
        Whether the filters are turned, as the convolution of mathematics (and Theano) turns them. By default
        they are not, as in most libraries.
    initialiser, bias_initialiser : Initialiser
        See `arignote.layers.initialisers`.

    Attributes
    ----------
    w : SharedVariable, shape (filters, channels / groups, rows, columns)
    b : SharedVariable, shape (filters,)

    Raises
    ------
    ShapeError, DTypeError
        If the arguments do not fit each other, or, when it is built, the images.

    Examples
    --------
    >>> Conv2D(64, 7, stride=2, padding=3).build((3, 224, 224)).output_shape
    (64, 112, 112)
    """

    dimensions = 2
    convolve = staticmethod(conv2d)


class Conv1D(_Convolution):
    """A convolution of sequences; the arguments are those of `Conv2D`, for one axis.

    Examples
    --------
    >>> Conv1D(8, 5).build((4, 100)).output_shape
    (8, 96)
    """

    dimensions = 1
    convolve = staticmethod(conv1d)


class Conv3D(_Convolution):
    """A convolution of images that have a depth; the arguments are those of `Conv2D`, for three axes.

    Examples
    --------
    >>> Conv3D(8, 3, padding="half").build((1, 16, 32, 32)).output_shape
    (8, 16, 32, 32)
    """

    dimensions = 3
    convolve = staticmethod(conv3d)
