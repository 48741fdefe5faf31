"""Pooling."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import concatenate, max, mean, pool_1d, pool_2d, pool_3d
from arignote.engine.origin import user_line
from arignote.layers.layer import Layer, Shape, Training, check_axes, checked_shape, shape_of
from arignote.layers.receptive import Field, Window


@dataclass(eq=False)
class _Pooling(Layer):
    """What poolings of one, two and three dimensions have in common."""

    dimensions: ClassVar[int]
    pool: ClassVar[Callable[..., Variable]]  # the function of the engine
    mode: ClassVar[str]

    size: int | Shape
    stride: int | Shape | None = None
    padding: int | Shape = 0
    ignore_border: bool = True

    def __post_init__(self) -> None:
        name = type(self).__name__
        self.size = checked_shape(f"{name}: argument `size`", self.size, self.dimensions)
        if self.stride is not None:
            self.stride = checked_shape(f"{name}: argument `stride`", self.stride, self.dimensions)
        self.padding = checked_shape(f"{name}: argument `padding`", self.padding, self.dimensions, 0)
        if not all(pad < extent for pad, extent in zip(self.padding, self.size, strict=True)):
            raise ShapeError(
                f"{name}: argument `padding`",
                expected=f"less than the window, {self.size}: else no pixel would be in some windows",
                actual=repr(self.padding),
                origin=user_line(),
            )

    @property
    def window(self) -> Window:
        """See `Layer.window`."""
        assert isinstance(self.size, tuple)
        stride = self.size if self.stride is None else self.stride
        assert isinstance(stride, tuple)
        return Window(self.size, stride)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the channels and the extents of what the windows give."""
        (shape,) = shapes
        check_axes(self, shape, self.dimensions)
        return shape_of(self.output, (1, *shape))[1:]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return what the windows give; see `Layer.output`."""
        return type(self).pool(
            inputs[0],
            self.size,
            stride=self.stride,
            pad=self.padding,
            ignore_border=self.ignore_border,
            mode=self.mode,
        )


class MaxPool2D(_Pooling):
    """The maxima of windows.

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns of a window.
    stride : int or (int, int), optional
        By default the window's size, so that windows lie side by side.
    padding : int or (int, int)
        Rows and columns added at each side, which never are a maximum.
    ignore_border : bool
        Whether windows that reach over the border are left out, or clipped.

    Raises
    ------
    ShapeError, DTypeError
        If the arguments do not fit each other, or, when it is built, the images.

    Examples
    --------
    >>> MaxPool2D(3, stride=2, padding=1).build((64, 112, 112)).output_shape
    (64, 56, 56)
    """

    dimensions, pool, mode = 2, staticmethod(pool_2d), "max"


class MaxPool1D(_Pooling):
    """The maxima of windows of sequences; the arguments are those of `MaxPool2D`, for one axis.

    Examples
    --------
    >>> MaxPool1D(2).build((4, 100)).output_shape
    (4, 50)
    """

    dimensions, pool, mode = 1, staticmethod(pool_1d), "max"


class MaxPool3D(_Pooling):
    """The maxima of windows of images that have a depth; see `MaxPool2D`.

    Examples
    --------
    >>> MaxPool3D(2).build((4, 16, 32, 32)).output_shape
    (4, 8, 16, 16)
    """

    dimensions, pool, mode = 3, staticmethod(pool_3d), "max"


class AveragePool2D(_Pooling):
    """The means of windows; the arguments are those of `MaxPool2D`. Padding is not counted.

    Examples
    --------
    >>> AveragePool2D(2).build((64, 7, 7)).output_shape
    (64, 3, 3)
    """

    dimensions, pool, mode = 2, staticmethod(pool_2d), "average_exc_pad"


class AveragePool1D(_Pooling):
    """The means of windows of sequences; the arguments are those of `AveragePool2D`, for one axis.

    Examples
    --------
    >>> AveragePool1D(5, stride=1, padding=2).build((4, 100)).output_shape
    (4, 100)
    """

    dimensions, pool, mode = 1, staticmethod(pool_1d), "average_exc_pad"


class AveragePool3D(_Pooling):
    """The means of windows of images that have a depth; see `AveragePool2D`.

    Examples
    --------
    >>> AveragePool3D(2).build((4, 16, 32, 32)).output_shape
    (4, 8, 16, 16)
    """

    dimensions, pool, mode = 3, staticmethod(pool_3d), "average_exc_pad"


@dataclass(eq=False)
class _GlobalPool(Layer):
    """One number for each channel, whatever its extents."""

    reduce: ClassVar[Callable[..., Variable]]  # the function of the engine

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of channels."""
        return shapes[0][:1]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return a row of numbers for each example; see `Layer.output`."""
        return type(self).reduce(inputs[0], axis=tuple(range(2, inputs[0].ndim)))

    def receptive_field(self, *fields: Field | None) -> None:
        """Return None, for all of the input."""


class GlobalAveragePool(_GlobalPool):
    """The mean of each channel, whatever its extents.

    Examples
    --------
    >>> GlobalAveragePool().build((64, 7, 7)).output_shape
    (64,)
    """

    reduce = staticmethod(mean)


class GlobalMaxPool(_GlobalPool):
    """The maximum of each channel, whatever its extents.

    Examples
    --------
    >>> GlobalMaxPool().build((64, 7, 7)).output_shape
    (64,)
    """

    reduce = staticmethod(max)


@dataclass(eq=False)
class _AdaptivePool(Layer):
    """Bins of an image, as many as the output has pixels: they cover it, and are as equal as can be."""

    reduce: ClassVar[Callable[..., Variable]]  # the function of the engine
    mode: ClassVar[str]  # the same in words of the engine's poolings

    size: int | Shape

    def __post_init__(self) -> None:
        self.size = checked_shape(f"{type(self).__name__}: argument `size`", self.size, 2)

    @property
    def window(self) -> Window:
        """The largest bin, and the mean distance between bins."""
        axes = list(zip(self.input_shape[1:], self.output_shape[1:], strict=True))
        return Window(
            tuple(builtins.max(b - a for a, b in bins(extent, count)) for extent, count in axes),
            tuple(Fraction(extent, count) for extent, count in axes),
        )

    def infer(self, *shapes: Shape) -> Shape:
        """Return the channels and `size`."""
        check_axes(self, shapes[0], 2)
        assert isinstance(self.size, tuple)
        return (shapes[0][0], *self.size)

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return what the bins give; see `Layer.output`."""
        (x,) = inputs
        extents, counts = self.input_shape[1:], self.output_shape[1:]
        if not any(extent % count for extent, count in zip(extents, counts, strict=True)):
            window = tuple(extent // count for extent, count in zip(extents, counts, strict=True))
            return pool_2d(x, window, ignore_border=True, mode=self.mode)
        # A mean of means of equally many numbers is the mean, and so the axes can be reduced one by one.
        columns = [
            type(self).reduce(x[..., a:b], axis=3, keepdims=True) for a, b in bins(extents[1], counts[1])
        ]
        y = concatenate(columns, axis=3)
        rows = [
            type(self).reduce(y[:, :, a:b], axis=2, keepdims=True) for a, b in bins(extents[0], counts[0])
        ]
        return concatenate(rows, axis=2)


class AdaptiveAveragePool2D(_AdaptivePool):
    """The means of as many bins as the output is to have rows and columns, whatever the image's extents.

    Bin `i` of `n` reaches from ``floor(i * extent / n)`` to ``ceil((i + 1) * extent / n)``, as in PyTorch,
    and they overlap where the extent is no multiple of `n`.

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns of the output.

    Examples
    --------
    >>> AdaptiveAveragePool2D(7).build((512, 10, 13)).output_shape
    (512, 7, 7)
    """

    reduce, mode = staticmethod(mean), "average_exc_pad"


class AdaptiveMaxPool2D(_AdaptivePool):
    """The maxima of as many bins as the output is to have rows and columns: see `AdaptiveAveragePool2D`.

    Examples
    --------
    >>> AdaptiveMaxPool2D((1, 2)).build((512, 10, 13)).output_shape
    (512, 1, 2)
    """

    reduce, mode = staticmethod(max), "max"


def bins(extent: int, count: int) -> list[tuple[int, int]]:
    """Return where each bin of an adaptive pooling begins and ends.

    Examples
    --------
    >>> bins(10, 4)
    [(0, 3), (2, 5), (5, 8), (7, 10)]
    """
    return [(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]
