"""Convolutions under Theano's names, of one to three axes: what users call, made of the ops in `conv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.ops.conv import (
    AXES,
    Conv,
    ConvFilterGradient,
    ConvInputGradient,
    Convolution,
    Padding,
)
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import SpecifyShape, as_extents, dimshuffle
from arignote.engine.types import upcast

OpType = TypeVar("OpType", bound=Convolution)


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
    op = _op(Conv, 2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
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
    op = _op(Conv, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
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
    op = _op(Conv, 1, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _convolve(op, input, filters, input_shape, filter_shape)


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
    op = _op(Conv, 1, 0, subsample, filter_flip, filter_dilation, num_groups)
    kernel = _operand(op, filters, "filters", "filter_shape", filter_shape)
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
    op = _op(ConvInputGradient, 2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
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
    op = _op(ConvInputGradient, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
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
    op = _op(
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
    op = _op(ConvFilterGradient, 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
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


# ------------------------------------------------------------------------------ what they are made with


def _convolve(
    op: Conv, input: Any, filters: Any, input_shape: Any, filter_shape: Any, source: str = "input_shape"
) -> Variable:
    image = _operand(op, input, "input", source, input_shape)
    kernel = _operand(op, filters, "filters", "filter_shape", filter_shape)
    return _apply(op, image, kernel)


def _input_gradient(
    op: ConvInputGradient, output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any
) -> Variable:
    kernel = _operand(op, filters, "filters", "filter_shape", filter_shape)
    maps = _operand(op, output_grad, "output_grad")
    batch, channels, *image = _entries(op, input_shape, "input_shape", len(op.axes) + 2)
    result = _apply(op, kernel, maps, *image)
    return _promised(op, result, "the result", "input_shape", [batch, channels, *image])


def _filter_gradient(
    op: ConvFilterGradient, input: Any, output_grad: Any, filter_shape: Any, input_shape: Any
) -> Variable:
    image = _operand(op, input, "input", "input_shape", input_shape)
    maps = _operand(op, output_grad, "output_grad")
    entries = _entries(op, filter_shape, "filter_shape", _rank(op, "filters"))
    result = _apply(op, image, maps, *op.taps(entries))
    return _promised(op, result, "the result", "filter_shape", entries)


def _apply(op: Convolution, left: Variable, right: Variable, *given: Any) -> Variable:
    """Apply an op to operands of one dtype, and to extents; one of sequences goes by way of one row."""
    dtype = upcast(left.dtype, right.dtype)
    shape = as_extents(given, op.name) if given else []
    if len(op.axes) > 1:
        return op(cast(left, dtype), cast(right, dtype), *shape)
    (stride,), (dilation,), mode = op.subsample, op.dilation, op.border_mode
    padding = mode if isinstance(mode, str) else ((0, 0), *mode)
    wide = type(op)(padding, (1, stride), (1, dilation), op.flip, op.groups)
    rows = (dimshuffle(cast(x, dtype), 0, 1, "x", 2) for x in (left, right))
    return dimshuffle(wide(*rows, *(as_extents([1], op.name) if shape else []), *shape), 0, 1, 3)


def _op(
    kind: type[OpType],
    rank: int,
    border_mode: Any,
    subsample: Any,
    filter_flip: bool,
    filter_dilation: Any,
    num_groups: Any,
    unshared: bool = False,
) -> OpType:
    """Make an op from a user's arguments."""
    name = f"conv{rank}d"
    groups = int(_constant(num_groups, "num_groups", name))
    if groups < 1:
        raise ShapeError(
            f"{name}: argument `num_groups`", expected="a number of at least 1", actual=repr(num_groups)
        )
    return kind(
        _border_mode(border_mode, rank),
        _numbers(subsample, "subsample", rank),
        _numbers(filter_dilation, "filter_dilation", rank),
        bool(filter_flip),
        groups,
        bool(unshared),
    )


def _rank(op: Convolution, argument: str) -> int:
    return len(op.axes) * (2 if op.unshared and argument == "filters" else 1) + 2


def _operand(op: Convolution, value: Any, argument: str, source: str = "", shape: Any = None) -> Variable:
    """Return an operand as a variable of the right rank and kind, with what is stated of its shape."""
    x, rank, axes = as_variable(value), _rank(op, argument), ", ".join(op.axes)
    if x.ndim != rank:
        leading = {
            "input": "batch, channels",
            "filters": "filters, channels",
            "output_grad": "batch, filters",
        }[argument]
        if rank > len(op.axes) + 2:
            leading = "filters, output rows, output columns, channels"
        raise ShapeError(
            f"{op.name}: argument `{argument}`",
            expected=f"{rank} dimensions: ({leading}, {axes})",
            actual=f"{x!r} of type {x.type}",
            fix=f"insert axes: dimshuffle({'0, ' if x.ndim > 2 else ''}'x', ...), or reshape",
        )
    if not x.type.is_float:
        raise DTypeError(
            f"{op.name}: argument `{argument}`",
            expected="float32 or float64",
            actual=f"{x!r} of type {x.type}",
            fix="cast it: cast(x, 'floatX')",
        )
    if shape is None:
        return x
    return _promised(op, x, f"argument `{argument}`", source, _entries(op, shape, source, rank))


def _entries(op: Convolution, shape: Any, source: str, count: int) -> list[Any]:
    """Return the entries of a shape: numbers, None, and integer scalars."""
    if isinstance(shape, Variable) and shape.ndim == 1:
        return list(as_extents(shape, f"{op.name}: {source}"))
    if not isinstance(shape, list | tuple) or len(shape) != count:
        raise ShapeError(
            f"{op.name}: argument `{source}`",
            expected=f"{count} entries",
            actual=repr(shape),
            fix="write None where an extent is not known",
        )
    return [entry.value.item() if isinstance(entry, Constant) else entry for entry in shape]


def _promised(op: Convolution, x: Variable, what: str, source: str, entries: Sequence[Any]) -> Variable:
    """Promise the entries of a shape that are numbers."""
    if source in ("input_shape", "image_shape", "filter_shape") and what.startswith("argument"):
        entries = [None if entry is None else int(_constant(entry, source, op.name)) for entry in entries]
    known = tuple(None if isinstance(entry, Variable | None) else int(entry) for entry in entries)
    return SpecifyShape(f"{op.name}: {what}", source, known)(x)


def _constant(entry: Any, argument: str, name: str) -> Any:
    if isinstance(entry, Constant):
        return entry.value
    if isinstance(entry, Variable):
        raise DTypeError(
            f"{name}: argument `{argument}`",
            expected="numbers or None",
            actual=repr(entry),
            fix="write None where the extent is symbolic",
        )
    return entry


def _numbers(value: Any, argument: str, rank: int) -> tuple[int, ...]:
    """Return a number for each axis, given as one for all or as a tuple."""
    name = f"conv{rank}d"
    entries = value if isinstance(value, list | tuple) else (value,) * rank
    numbers = tuple(int(_constant(entry, argument, name)) for entry in entries)
    if len(numbers) != rank or min(numbers) < 1:
        raise ShapeError(
            f"{name}: argument `{argument}`",
            expected=f"one or {('one', 'two', 'three')[rank - 1]} numbers of at least 1",
            actual=repr(value),
        )
    return numbers


def _border_mode(mode: Any, rank: int) -> str | Padding:
    if isinstance(mode, str) and mode in ("valid", "full", "half"):
        return mode
    sides = mode if isinstance(mode, list | tuple) else (mode,) * rank
    if rank == 1 and len(sides) == 2:
        sides = (sides,)
    pairs = [side if isinstance(side, list | tuple | np.ndarray) else (side, side) for side in sides]
    try:
        padding = tuple((int(before), int(after)) for before, after in pairs)
    except (TypeError, ValueError):
        padding = ((-1, -1),)
    if len(padding) != rank or min(min(pair) for pair in padding) < 0:
        axes = ", ".join(AXES[-rank:])
        raise ShapeError(
            f"conv{rank}d: argument `border_mode`",
            expected=f"'valid', 'full', 'half', or numbers of at least 0: n, ({axes}), "
            "or a pair (before, behind) for each axis",
            actual=repr(mode),
        )
    return padding
