"""Pooling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import mean, pool_2d
from arignote.engine.origin import user_line
from arignote.layers.layer import Layer, Shape, Training, checked_shape, shape_of


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

    def infer(self, *shapes: Shape) -> Shape:
        """Return the channels and the extents of what the windows give."""
        (shape,) = shapes
        if len(shape) != 1 + self.dimensions:
            raise ShapeError(
                f"{type(self).__name__}: the input",
                expected=f"examples of {1 + self.dimensions} axes, channels first",
                actual=f"examples of shape {shape}",
                origin=user_line(),
            )
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


class AveragePool2D(_Pooling):
    """The means of windows; the arguments are those of `MaxPool2D`. Padding is not counted.

    Examples
    --------
    >>> AveragePool2D(2).build((64, 7, 7)).output_shape
    (64, 3, 3)
    """

    dimensions, pool, mode = 2, staticmethod(pool_2d), "average_exc_pad"


@dataclass(eq=False)
class GlobalAveragePool(Layer):
    """The mean of each channel, whatever its extents.

    Examples
    --------
    >>> GlobalAveragePool().build((64, 7, 7)).output_shape
    (64,)
    """

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of channels."""
        return shapes[0][:1]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the means; see `Layer.output`."""
        return mean(inputs[0], axis=tuple(range(2, inputs[0].ndim)))
