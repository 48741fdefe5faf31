"""Convolutions under Theano's names, of one to three axes: what users call, made of the op `Conv`."""

from __future__ import annotations

from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops.conv import Conv
from arignote.engine.ops.conv_arguments import apply, make, operand
from arignote.engine.ops.shape import dimshuffle


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    image_shape: Any = None,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Convolve images with filters (`theano.tensor.nnet.conv2d`).

    Parameters
    ----------
    input : tensor4
        Images, (batch, channels, rows, columns), float32 or float64.
    filters : tensor4
        (filters, channels / num_groups, rows, columns); if `unshared`, of six axes: (filters, output rows,
        output columns, channels / num_groups, rows, columns).
    input_shape, filter_shape : tuple of int or None, optional
        What is known of the shapes; checked when there are values. `image_shape` is the older word for
        `input_shape`.
    border_mode : {'valid', 'full', 'half'}, int, (int, int) or ((int, int), (int, int))
        Zero padding: none; filter size - 1; filter size // 2 (both dilated); or a number of pixels: for all
        sides, for (rows, columns), or for ((top, bottom), (left, right)).
    subsample : int or (int, int)
        Strides in rows and columns.
    filter_flip : bool
        True turns the filters (convolution, the default); False does not (cross-correlation, which other
        libraries call convolution).
    filter_dilation : int or (int, int)
        Distance between the filter's taps.
    num_groups : int
        Channels and filters come in so many groups, and the filters of each see its channels only. As many
        groups as channels make a depthwise convolution.
    unshared : bool
        Whether every place of the output has filters of its own ("locally connected").

    Returns
    -------
    Variable
        Maps, (batch, filters, output rows, output columns), where an output extent is
        ``(extent + padding - dilation * (filter - 1) - 1) // stride + 1``.

    Raises
    ------
    ShapeError
        If ranks, channels or groups do not fit, or the filter is larger than the padded image.
    DTypeError
        If an operand is not floating.

    Notes
    -----
    The definition is that of Theano 1.0's ``conv2d``.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> image = T.TensorType("float32", (None, 3, 32, 32))("image")
    >>> filters = T.TensorType("float32", (10, 3, 5, 5))("filters")
    >>> conv2d(image, filters).static_shape
    (None, 10, 28, 28)
    """
    if input_shape is not None and image_shape is not None:
        raise DTypeError(
            "conv2d", expected="input_shape or image_shape", actual="both", fix="leave out image_shape"
        )
    op = make(Conv, 2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    source = "image_shape" if image_shape is not None else "input_shape"
    given = image_shape if image_shape is not None else input_shape
    return _convolve(op, input, filters, given, filter_shape, source)


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """Convolve images that have a depth (`theano.tensor.nnet.conv3d`).

    Parameters
    ----------
    input : tensor5
        Images, (batch, channels, planes, rows, columns), float32 or float64.
    filters : tensor5
        (filters, channels / num_groups, planes, rows, columns).
    input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups
        As for :func:`conv2d`, for three axes.

    Returns
    -------
    Variable
        Maps, (batch, filters, output planes, output rows, output columns).

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> image = T.TensorType("float32", (None, 1, 16, 32, 32))("image")
    >>> filters = T.TensorType("float32", (8, 1, 3, 3, 3))("filters")
    >>> conv3d(image, filters, border_mode="half").static_shape
    (None, 8, 16, 32, 32)
    """
    op = make(Conv, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _convolve(op, input, filters, input_shape, filter_shape)


def conv1d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
) -> Variable:
    """Convolve sequences: images of one row.

    Parameters
    ----------
    input : tensor3
        (batch, channels, length), float32 or float64.
    filters : tensor3
        (filters, channels / num_groups, length).
    border_mode : {'valid', 'full', 'half'}, int or (int, int)
        A pair is the padding in front of the sequence and behind it.
    input_shape, filter_shape, subsample, filter_flip, filter_dilation, num_groups
        As for :func:`conv2d`, for one axis.

    Returns
    -------
    Variable
        (batch, filters, output length).

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x = T.TensorType("float32", (None, 4, 100))("x")
    >>> w = T.TensorType("float32", (8, 4, 5))("w")
    >>> conv1d(x, w, border_mode=(4, 0)).static_shape
    (None, 8, 100)
    """
    op = make(Conv, 1, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    sequence = operand(op, input, "input", "input_shape", input_shape)
    kernel = operand(op, filters, "filters", "filter_shape", filter_shape)
    padding = op.border_mode if isinstance(op.border_mode, str) else ((0, 0), *op.border_mode)
    of_rows = Conv(padding, (1, *op.subsample), (1, *op.dilation), op.flip, op.groups)
    rows = (dimshuffle(x, 0, 1, "x", 2) for x in (sequence, kernel))
    return dimshuffle(apply(of_rows, *rows), 0, 1, 3)


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Any = None,
    input_shape: Any = None,
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
) -> Variable:
    """Convolve sequences so that an output sees no later input (`abstract_conv.causal_conv1d`).

    Parameters
    ----------
    input : tensor3
        (batch, channels, length), float32 or float64.
    filters : tensor3
        (filters, channels / num_groups, length), whose length must be known: by its type or `filter_shape`.
    filter_shape, input_shape, subsample, filter_flip, filter_dilation, num_groups
        As for :func:`conv1d`. The order is Theano's.

    Returns
    -------
    Variable
        (batch, filters, output length): with a stride of 1, as long as the input.

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`, or if the filters' length is not known.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x, w = T.TensorType("float64", (1, 1, 4))("x"), T.TensorType("float64", (1, 1, 2))("w")
    >>> causal_conv1d(x, w).eval({x: [[[1, 2, 3, 4.0]]], w: [[[1, 10.0]]]})
    array([[[ 1., 12., 23., 34.]]])
    """
    op = make(Conv, 1, 0, subsample, filter_flip, filter_dilation, num_groups)
    kernel = operand(op, filters, "filters", "filter_shape", filter_shape)
    length = kernel.static_shape[2]
    if length is None:
        raise ShapeError(
            "causal_conv1d: the filters' length decides the padding",
            expected="a known length",
            actual=f"{kernel!r} of type {kernel.type}",
            fix="say it: filter_shape=(None, None, length)",
        )
    return conv1d(
        input, kernel, input_shape, None, ((length - 1) * op.dilation[0], 0), subsample, filter_flip,
        filter_dilation, num_groups,
    )  # fmt: skip


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> Variable:
    """Convolve every channel by itself, then mix the channels (`abstract_conv.separable_conv2d`).

    Parameters
    ----------
    input : tensor4
        Images, (batch, channels, rows, columns).
    depthwise_filters : tensor4
        (channels * multiplier, 1, rows, columns).
    pointwise_filters : tensor4
        (filters, channels * multiplier, 1, 1).
    num_channels : int
        Channels of the images.
    input_shape, depthwise_filter_shape, pointwise_filter_shape : tuple of int or None, optional
        What is known of the shapes.
    border_mode, subsample, filter_flip, filter_dilation
        Of the depthwise convolution: see :func:`conv2d`.

    Returns
    -------
    Variable
        Maps, (batch, filters, output rows, output columns).

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> image = T.TensorType("float32", (None, 3, 32, 32))("image")
    >>> depthwise = T.TensorType("float32", (6, 1, 3, 3))("depthwise")
    >>> pointwise = T.TensorType("float32", (10, 6, 1, 1))("pointwise")
    >>> separable_conv2d(image, depthwise, pointwise, num_channels=3).static_shape
    (None, 10, 30, 30)
    """
    maps = conv2d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
        None, filter_dilation, num_channels,
    )  # fmt: skip
    return conv2d(maps, pointwise_filters, filter_shape=pointwise_filter_shape)


def separable_conv3d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
) -> Variable:
    """Do as :func:`separable_conv2d`, for images that have a depth (`abstract_conv.separable_conv3d`)."""
    maps = conv3d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_channels,
    )  # fmt: skip
    return conv3d(maps, pointwise_filters, filter_shape=pointwise_filter_shape)


def _convolve(
    op: Conv, input: Any, filters: Any, input_shape: Any, filter_shape: Any, source: str = "input_shape"
) -> Variable:
    image = operand(op, input, "input", source, input_shape)
    kernel = operand(op, filters, "filters", "filter_shape", filter_shape)
    return apply(op, image, kernel)
