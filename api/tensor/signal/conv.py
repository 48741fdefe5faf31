"""Convolution of images without channels (`theano.tensor.signal.conv`)."""

from __future__ import annotations

from typing import Any

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import conv2d as _conv2d
from arignote.engine.ops import dimshuffle

__all__ = ["conv2d"]


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
) -> Variable:
    """Convolve each image with each filter, as `scipy.signal.convolve2d` does.

    Parameters
    ----------
    input : matrix or tensor3
        One image, (rows, columns), or several, (images, rows, columns).
    filters : matrix or tensor3
        One filter, or several.
    image_shape, filter_shape : tuple of int or None, optional
        What is known of the shapes.
    border_mode : {'valid', 'full'}
        Whether the filter lies in the image, or meets it; other modes of `tensor.nnet.conv2d` work too.
    subsample : int or (int, int)
        Strides in rows and columns.

    Returns
    -------
    Variable
        (images, filters, output rows, output columns), without the first two where there is one of them.

    Raises
    ------
    ShapeError, DTypeError
        If ranks do not fit, the filter is larger than the image, or an operand is not floating.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> conv2d(T.TensorType("float64", (5, 9, 8))(), T.TensorType("float64", (3, 2))()).static_shape
    (5, 7, 7)
    """
    image, kernel = as_variable(input), as_variable(filters)
    for name, x in (("input", image), ("filters", kernel)):
        if x.ndim not in (2, 3):
            raise ShapeError(
                f"signal.conv2d: argument `{name}`",
                expected="2 or 3 dimensions: (rows, columns), or several of them",
                actual=f"{x!r} of type {x.type}",
                fix="for images with channels use tensor.nnet.conv2d",
            )

    def with_channel(x: Variable, shape: Any) -> tuple[Variable, Any]:
        leading = ("x",) if x.ndim == 2 else (0,)
        known = None if shape is None else (*shape[: x.ndim - 2], *(1,) * (4 - x.ndim), *shape[-2:])
        return dimshuffle(x, *leading, "x", x.ndim - 2, x.ndim - 1), known

    (images, image_known), (kernels, filter_known) = (
        with_channel(image, image_shape),
        with_channel(kernel, filter_shape),
    )
    maps = _conv2d(images, kernels, image_known, filter_known, border_mode, subsample)
    several = [axis for axis, x in enumerate((image, kernel)) if x.ndim == 3]
    return dimshuffle(maps, *several, 2, 3)
