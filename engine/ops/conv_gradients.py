"""The gradients of convolutions, and transposed convolutions, under Theano's names."""

from __future__ import annotations

from typing import Any

from arignote.engine.graph import Variable
from arignote.engine.ops.conv import ConvFilterGradient, ConvInputGradient
from arignote.engine.ops.conv_arguments import apply, entries, make, operand, promised, rank_of


def conv2d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Return the gradient of :func:`conv2d` with respect to its images (`abstract_conv`).

    Parameters
    ----------
    output_grad : tensor4
        The gradient with respect to the maps, (batch, filters, output rows, output columns).
    filters : tensor4
        As for :func:`conv2d`.
    input_shape : tuple
        The images' shape, of which rows and columns must be numbers or integer scalars. A stride leaves
        several possible.
    filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
        Of the convolution.

    Returns
    -------
    Variable
        (batch, channels, rows, columns).

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`, or if the gradient is not of the shape of the convolution's maps.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> maps, filters = (T.TensorType("float32", shape)() for shape in [(2, 8, 5, 5), (8, 3, 3, 3)])
    >>> conv2d_grad_wrt_inputs(maps, filters, (None, None, 11, 11), subsample=2).static_shape
    (2, 3, 11, 11)
    """
    op = make(
        ConvInputGradient, 2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
    )
    return _input_gradient(op, output_grad, filters, input_shape, filter_shape)


def conv3d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """Return the gradient of :func:`conv3d` with respect to its images: see `conv2d_grad_wrt_inputs`."""
    op = make(ConvInputGradient, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _input_gradient(op, output_grad, filters, input_shape, filter_shape)


def conv2d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Any,
    input_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Return the gradient of :func:`conv2d` with respect to its filters (`abstract_conv`).

    Parameters
    ----------
    input : tensor4
        Images, (batch, channels, rows, columns).
    output_grad : tensor4
        The gradient with respect to the maps, (batch, filters, output rows, output columns).
    filter_shape : tuple
        The filters' shape, of which rows and columns must be numbers or integer scalars.
    input_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
        Of the convolution.

    Returns
    -------
    Variable
        Of the filters' shape.

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d`, or if the gradient is not of the shape of the convolution's maps.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x, maps = (T.TensorType("float32", shape)() for shape in [(2, 3, 11, 11), (2, 8, 5, 5)])
    >>> conv2d_grad_wrt_weights(x, maps, (None, None, 3, 3), subsample=2).static_shape
    (8, 3, 3, 3)
    """
    op = make(
        ConvFilterGradient, 2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
    )
    return _filter_gradient(op, input, output_grad, filter_shape, input_shape)


def conv3d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Any,
    input_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """Return the gradient of :func:`conv3d` with respect to its filters: see `conv2d_grad_wrt_weights`."""
    op = make(ConvFilterGradient, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _filter_gradient(op, input, output_grad, filter_shape, input_shape)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    input_dilation: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Transpose a convolution (`abstract_conv.conv2d_transpose`): its gradient with respect to the images.

    Parameters
    ----------
    input : tensor4
        (batch, channels, rows, columns): what would be the convolution's maps.
    filters : tensor4
        (channels, output channels / num_groups, rows, columns).
    output_shape : tuple
        The result's shape, of which rows and columns must be numbers or integer scalars.
    filter_shape : tuple of int or None, optional
        What is known of the filters' shape.
    border_mode, filter_flip, filter_dilation, num_groups, unshared
        Of the convolution that is transposed.
    input_dilation : int or (int, int)
        That convolution's stride: the distance of the inputs in the output.

    Returns
    -------
    Variable
        (batch, output channels, rows, columns).

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`conv2d_grad_wrt_inputs`.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> x, w = T.TensorType("float32", (2, 8, 5, 5))("x"), T.TensorType("float32", (8, 3, 3, 3))("w")
    >>> conv2d_transpose(x, w, (None, None, 11, 11), input_dilation=(2, 2)).static_shape
    (2, 3, 11, 11)
    """
    return conv2d_grad_wrt_inputs(
        input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip, filter_dilation,
        num_groups, unshared,
    )  # fmt: skip


def _input_gradient(
    op: ConvInputGradient, output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any
) -> Variable:
    kernel = operand(op, filters, "filters", "filter_shape", filter_shape)
    maps = operand(op, output_grad, "output_grad")
    batch, channels, *image = entries(op, input_shape, "input_shape", len(op.axes) + 2)
    result = apply(op, kernel, maps, *image)
    return promised(op, result, "the result", "input_shape", [batch, channels, *image])


def _filter_gradient(
    op: ConvFilterGradient, input: Any, output_grad: Any, filter_shape: Any, input_shape: Any
) -> Variable:
    image = operand(op, input, "input", "input_shape", input_shape)
    maps = operand(op, output_grad, "output_grad")
    shape = entries(op, filter_shape, "filter_shape", rank_of(op, "filters"))
    result = apply(op, image, maps, *op.taps(shape))
    return promised(op, result, "the result", "filter_shape", shape)
