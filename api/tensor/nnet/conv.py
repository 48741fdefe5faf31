"""The older home of `conv2d` (`theano.tensor.nnet.conv`)."""

from __future__ import annotations

from typing import Any

from arignote.engine.graph import Variable
from arignote.engine.ops import conv2d as _conv2d

__all__ = ["conv2d"]


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: str = "valid",
    subsample: Any = (1, 1),
) -> Variable:
    """Convolve images with filters, with the older order of arguments: see `arignote.tensor.nnet.conv2d`.

    Parameters
    ----------
    input, filters : tensor4
        (batch, channels, rows, columns), and (filters, channels, rows, columns).
    image_shape, filter_shape : tuple of int or None, optional
        What is known of the shapes of `input` and `filters`.
    border_mode : {'valid', 'full'}
        No padding, or by the filter's size less one.
    subsample : (int, int)
        Strides in rows and columns.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> images, filters = T.tensor4("images"), T.tensor4("filters")
    >>> conv2d(images, filters, image_shape=(10, 1, 28, 28), filter_shape=(20, 1, 5, 5)).static_shape
    (10, 20, 24, 24)
    """
    return _conv2d(
        input,
        filters,
        filter_shape=filter_shape,
        border_mode=border_mode,
        subsample=subsample,
        image_shape=image_shape,
    )
