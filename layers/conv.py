"""Convolutions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import conv1d, conv2d, conv2d_transpose, conv3d, conv3d_grad_wrt_inputs
from arignote.engine.ops.conv import Conv, ConvInputGradient
from arignote.engine.ops.conv_arguments import make
from arignote.engine.origin import user_line
from arignote.layers.activations import Activation, linear
from arignote.layers.containers import Composite, Step, chain
from arignote.layers.initialisers import Constant, Fans, Glorot, Initialiser, conv_fans
from arignote.layers.layer import Layer, Shape, Training, check_axes, checked_shape, shape_of
from arignote.layers.receptive import Field, Window


class Filters(Layer):
    """What all convolutions have in common: filters over one, two or three axes."""

    dimensions: ClassVar[int]
    convolve: ClassVar[Callable[..., Variable]]  # the function of the engine

    size: int | Shape
    stride: int | Shape
    padding: Any
    dilation: int | Shape
    activation: Activation
    bias: bool
    flip: bool
    initialiser: Initialiser
    bias_initialiser: Initialiser

    def __post_init__(self) -> None:
        for name in ("size", "stride", "dilation"):
            setattr(self, name, self._checked(name, self.dimensions))
        try:
            op = make(Conv, self.dimensions, self.padding, self.stride, self.flip, self.dilation, 1)
            self.padding = op.border_mode  # a word, or pairs
        except ShapeError as error:
            raise ShapeError(
                f"{type(self).__name__}: argument `padding`",
                expected=error.expected,
                actual=repr(self.padding),
                origin=user_line(),
            ) from None

    def _checked(self, name: str, ndim: int) -> Shape:
        return checked_shape(f"{type(self).__name__}: argument `{name}`", getattr(self, name), ndim)

    @abstractmethod
    def _counts(self, channels: int) -> tuple[int, int]:
        """Return the number of filters and of groups, for images of so many channels."""

    def _maps(self, x: Variable, w: Variable, shape: Shape) -> Variable:
        """Return what the filters make of images of which each is of a shape."""
        return type(self).convolve(
            x,
            w,
            filter_shape=self._filter_shape(shape),
            border_mode=self.padding,
            subsample=self.stride,
            filter_flip=self.flip,
            filter_dilation=self.dilation,
            num_groups=self._counts(shape[0])[1],
        )

    def _fans(self, filter_shape: Shape) -> Fans:
        filters, *rest = filter_shape
        _, groups = self._counts(self.input_shape[0])
        return conv_fans((filters // groups, *rest))

    def _filter_shape(self, shape: Shape) -> Shape:
        filters, channels, groups = self._checked_counts(shape)
        return (filters, channels // groups, *_tuple(self.size))

    def _checked_counts(self, shape: Shape) -> tuple[int, int, int]:
        """Return the number of filters, of channels and of groups, for images of a shape."""
        check_axes(self, shape, self.dimensions)
        channels = shape[0]
        filters, groups = self._counts(channels)
        if channels % groups or filters % groups:
            raise ShapeError(
                f"{type(self).__name__}: argument `groups`",
                expected=f"a divisor of the {channels} channels of the input and of the {filters} filters",
                actual=str(groups),
                origin=user_line(),
            )
        return filters, channels, groups

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of filters and the extents of the maps."""
        (shape,) = shapes
        maps = partial(self._maps, shape=shape)
        return shape_of(maps, (1, *shape), self._filter_shape(shape))[1:]

    def create(self, rng: np.random.Generator) -> None:
        """Make `w` and `b`."""
        shape = self._filter_shape(self.input_shape)
        fans = self._fans(shape)
        self.w = self.add_weight("w", shape, self.initialiser, rng, fans)
        if self.bias:
            self.b = self.add("b", self.bias_initialiser(rng, self.output_shape[:1], fans))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the activations; see `Layer.output`."""
        z = self._maps(inputs[0], self.w, self.input_shape)
        return self.activation(z + self.b.dimshuffle("x", 0, *"x" * self.dimensions) if self.bias else z)

    @property
    def window(self) -> Window | None:
        """See `Layer.window`."""
        return Window(_tuple(self.size), _tuple(self.stride), _tuple(self.dilation))

    @property
    def multiply_adds(self) -> int:
        """``outputs * channels / groups * taps of a filter``, those of the padding included."""
        filters = self._filter_shape(self.input_shape)
        return prod(self.output_shape) * prod(filters[1:])


@dataclass(eq=False)
class _Convolution(Filters):
    """What convolutions of one, two and three dimensions have in common."""

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
        super().__post_init__()
        (self.filters,) = self._checked("filters", 1)
        (self.groups,) = self._checked("groups", 1)

    def _counts(self, channels: int) -> tuple[int, int]:
        return self.filters, self.groups


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


@dataclass(eq=False)
class DepthwiseConv2D(Filters):
    """A convolution of each channel by filters of its own.

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns of a filter.
    multiplier : int
        How many maps it gives for a channel. Those of a channel stand side by side.
    stride, padding, dilation, activation, bias, flip, initialiser, bias_initialiser
        As for `Conv2D`.

    Attributes
    ----------
    w : SharedVariable, shape (channels * multiplier, 1, rows, columns)
    b : SharedVariable, shape (channels * multiplier,)

    Examples
    --------
    >>> DepthwiseConv2D(3, multiplier=2, padding="half").build((32, 28, 28)).w.get_value().shape
    (64, 1, 3, 3)
    """

    dimensions = 2
    convolve = staticmethod(conv2d)

    size: int | Shape
    multiplier: int = 1
    stride: int | Shape = 1
    padding: Any = "valid"
    dilation: int | Shape = 1
    activation: Activation = linear
    bias: bool = True
    flip: bool = False
    initialiser: Initialiser = field(default_factory=Glorot)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.multiplier,) = self._checked("multiplier", 1)

    def _counts(self, channels: int) -> tuple[int, int]:
        return channels * self.multiplier, channels


@dataclass(eq=False)
class SeparableConv2D(Composite):
    """A convolution in two parts: of each channel by itself, and then, by filters of 1 x 1, of all channels.

    Parameters
    ----------
    filters : int
        The number of maps it gives.
    size : int or (int, int)
        Rows and columns of a filter of the first part.
    multiplier : int
        How many maps the first part gives for a channel.
    stride, padding, dilation
        Of the first part, as for `Conv2D`.
    activation, bias
        Of the second part; the first has none.
    flip, initialiser, bias_initialiser
        As for `Conv2D`.

    References
    ----------
    F. Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017.

    Examples
    --------
    >>> layer = SeparableConv2D(64, 3, padding="half").build((32, 28, 28))
    >>> layer.output_shape, layer.params
    ((64, 28, 28), [w, w, b])
    """

    filters: int
    size: int | Shape
    multiplier: int = 1
    stride: int | Shape = 1
    padding: Any = "valid"
    dilation: int | Shape = 1
    activation: Activation = linear
    bias: bool = True
    flip: bool = False
    initialiser: Initialiser = field(default_factory=Glorot)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def __post_init__(self) -> None:
        self._depthwise = DepthwiseConv2D(
            self.size,
            self.multiplier,
            self.stride,
            self.padding,
            self.dilation,
            bias=False,
            flip=self.flip,
            initialiser=self.initialiser,
        )
        self._pointwise = Conv2D(
            self.filters,
            1,
            activation=self.activation,
            bias=self.bias,
            initialiser=self.initialiser,
            bias_initialiser=self.bias_initialiser,
        )

    @property
    def steps(self) -> list[Step]:
        """The two parts."""
        return chain({"depthwise": self._depthwise, "pointwise": self._pointwise})


@dataclass(eq=False)
class _Transposed(_Convolution):
    """What transposed convolutions of one, two and three dimensions have in common."""

    output_padding: int | Shape = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        argument = f"{type(self).__name__}: argument `output_padding`"
        self.output_padding = checked_shape(argument, self.output_padding, self.dimensions, 0)
        strides = _tuple(self.stride)
        if not all(more < stride for more, stride in zip(self.output_padding, strides, strict=True)):
            raise ShapeError(
                argument,
                expected=f"less than the stride, {strides}",
                actual=repr(self.output_padding),
                origin=user_line(),
            )

    def _filter_shape(self, shape: Shape) -> Shape:
        filters, channels, groups = self._checked_counts(shape)
        return (channels, filters // groups, *_tuple(self.size))

    def _fans(self, filter_shape: Shape) -> Fans:
        channels, *rest = filter_shape
        return Fans(*reversed(conv_fans((channels // self.groups, *rest))))

    def _maps(self, x: Variable, w: Variable, shape: Shape) -> Variable:
        size, stride, dilation = map(_tuple, (self.size, self.stride, self.dilation))
        op = make(ConvInputGradient, self.dimensions, self.padding, stride, self.flip, dilation, self.groups)
        pads = op.padding(size)
        reach = Window(size, stride, dilation).reach
        extents = [
            (extent - 1) * step + span - sum(pad) + more
            for extent, step, span, pad, more in zip(
                shape[1:], stride, reach, pads, _tuple(self.output_padding), strict=True
            )
        ]
        if min(extents) < 1:
            raise ShapeError(
                f"{type(self).__name__}: argument `padding`",
                expected=f"less: an output of 1 or more, of examples of shape {shape}",
                actual=f"{self.padding!r}, which leaves {tuple(extents)}",
                origin=user_line(),
            )
        return type(self).convolve(
            x,
            w,
            (None, self.filters, *extents),
            self._filter_shape(shape),
            pads,
            stride,
            filter_flip=self.flip,
            filter_dilation=dilation,
            num_groups=self.groups,
        )

    @property
    def window(self) -> None:
        """None: the numbers that one depends on differ from place to place; see `receptive_field`."""

    def receptive_field(self, *fields: Field | None) -> Field | None:
        """Return that of as many inputs as at most have a tap on one output."""
        size, stride, dilation = map(_tuple, (self.size, self.stride, self.dilation))
        (field,) = fields
        if field is None or len(field.size) != self.dimensions:
            return None
        seen = tuple(
            1 + max(gap * n // step for n in range(taps) if gap * n % step == 0)
            for taps, step, gap in zip(size, stride, dilation, strict=True)
        )
        return field.through(Window(seen, tuple(Fraction(1, step) for step in stride)))

    @property
    def multiply_adds(self) -> int:
        """``inputs * filters / groups * taps of a filter``, those outside of the output included."""
        filters = self._filter_shape(self.input_shape)
        return prod(self.input_shape) * prod(filters[1:])


class ConvTranspose2D(_Transposed):
    """The transpose of a convolution, which enlarges images by its stride: for decoders.

    It is to a `Conv2D` of the same size, stride, padding and dilation what that one's gradient is: each input
    adds the filter, times itself, to the output.

    Parameters
    ----------
    filters : int
        The number of maps it gives.
    size, stride, dilation : int or (int, int)
        Of that convolution: its stride is the distance of the inputs in the output.
    padding : {'valid', 'half', 'full'}, int, (int, int) or ((int, int), (int, int))
        Of that convolution: what is cut off from each side of the output.
    groups, activation, bias, flip, initialiser, bias_initialiser
        As for `Conv2D`.
    output_padding : int or (int, int)
        Rows and columns added at the bottom and the right, fewer than the stride: images of as many extents
        have maps of the same.

    Attributes
    ----------
    w : SharedVariable, shape (channels, filters / groups, rows, columns)
    b : SharedVariable, shape (filters,)

    Raises
    ------
    ShapeError, DTypeError
        If the arguments do not fit each other, or, when it is built, the images.

    Examples
    --------
    >>> ConvTranspose2D(8, 4, stride=2, padding=1).build((16, 14, 14)).output_shape
    (8, 28, 28)
    """

    dimensions = 2
    convolve = staticmethod(conv2d_transpose)


class ConvTranspose1D(_Transposed):
    """The transpose of a `Conv1D`; the arguments are those of `ConvTranspose2D`, for one axis.

    Examples
    --------
    >>> ConvTranspose1D(8, 4, stride=2, padding=1).build((16, 50)).output_shape
    (8, 100)
    """

    dimensions = 1

    @staticmethod
    def convolve(
        x: Variable, w: Variable, shape: Any, filter_shape: Any, pads: Any, stride: Any, **arguments: Any
    ) -> Variable:
        """Return the transposed convolution of sequences, as one of images of one row."""
        arguments["filter_dilation"] = (1, *arguments["filter_dilation"])
        images, filters = x.dimshuffle(0, 1, "x", 2), w.dimshuffle(0, 1, "x", 2)
        shape, filter_shape = ((*each[:2], 1, each[2]) for each in (shape, filter_shape))
        maps = conv2d_transpose(
            images, filters, shape, filter_shape, ((0, 0), *pads), (1, *stride), **arguments
        )
        return maps.dimshuffle(0, 1, 3)


class ConvTranspose3D(_Transposed):
    """The transpose of a `Conv3D`; the arguments are those of `ConvTranspose2D`, for three axes.

    Examples
    --------
    >>> ConvTranspose3D(8, 2, stride=2).build((16, 4, 7, 7)).output_shape
    (8, 8, 14, 14)
    """

    dimensions = 3
    convolve = staticmethod(conv3d_grad_wrt_inputs)


def _tuple(value: Any) -> Any:
    """Return what `__post_init__` has made a tuple, for the types' sake."""
    assert isinstance(value, tuple)
    return value
