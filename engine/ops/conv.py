"""Two-dimensional convolution and its two gradients.

The three ops share their parameters. With cross-correlation written as

    y[n, k, p, q] = sum over c, r, s of  x[n, c, p*sh + r*dh - top, q*sw + s*dw - left] * w[k, c, r, s]

(x is 0 outside of the image) each of them is linear in each of its two operands, and the derivatives of any
one are the other two. A true convolution reads w[k, c, R-1-r, S-1-s] instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import fold, unfold
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import SpecifyShape, extents
from arignote.engine.types import TensorType, upcast

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


@dataclass(frozen=True)
class Convolution(Op):
    """The parameters that the three ops share.

    Parameters
    ----------
    border_mode : {'valid', 'full', 'half'} or ((top, bottom), (left, right))
    subsample, dilation : (int, int)
        Strides of the output, and of the filter, in rows and columns.
    flip : bool
        Whether filters are turned by 180 degrees (convolution) or not (cross-correlation).
    """

    border_mode: str | Padding
    subsample: Pair
    dilation: Pair
    flip: bool

    def padding(self, filter_shape: Sequence[int]) -> Padding:
        """Return ((top, bottom), (left, right)) for filters of (rows, columns)."""
        if not isinstance(self.border_mode, str):
            return self.border_mode
        spans = [(extent - 1) * step for extent, step in zip(filter_shape, self.dilation, strict=True)]
        divisor = {"full": 1, "half": 2}.get(self.border_mode)
        rows, columns = (span // divisor if divisor else 0 for span in spans)
        return ((rows, rows), (columns, columns))

    def output_extents(self, image: Sequence[int | None], filters: Sequence[int | None]) -> list[int | None]:
        """Return the output's (rows, columns), None where they are not known.

        Raises
        ------
        ShapeError
            If the filter is larger than the padded image.
        """
        result: list[int | None] = []
        for axis, (extent, span) in enumerate(zip(image, filters, strict=True)):
            if extent is None or span is None:
                result.append(None)
                continue
            before, after = self.padding([span, span])[axis]
            room = extent + before + after - (span - 1) * self.dilation[axis] - 1
            if room < 0 or span == 0:
                raise ShapeError(
                    f"conv2d: the filter's {('rows', 'columns')[axis]} do not fit into the image's",
                    expected=f"1 to {extent + before + after} (image {extent}, padding {before} + {after})",
                    actual=f"{span}" + f", dilated by {self.dilation[axis]}" * (self.dilation[axis] > 1),
                    fix="use smaller filters, or pad: border_mode='half' or 'full'",
                )
            result.append(room // self.subsample[axis] + 1)
        return result

    def siblings(self) -> tuple[Conv2d, Conv2dInputGradient, Conv2dFilterGradient]:
        """Return the three ops with these parameters."""
        parameters = (self.border_mode, self.subsample, self.dilation, self.flip)
        return Conv2d(*parameters), Conv2dInputGradient(*parameters), Conv2dFilterGradient(*parameters)

    def _windows(self, image: np.ndarray, filter_shape: Sequence[int]) -> np.ndarray:
        """Return the view (n, c, p, q, r, s) of the padded image's windows, strided and dilated."""
        (top, bottom), (left, right) = self.padding(filter_shape)
        padded = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)))
        (dh, dw), (sh, sw) = self.dilation, self.subsample
        spans = tuple((extent - 1) * step + 1 for extent, step in zip(filter_shape, (dh, dw), strict=True))
        windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
        return windows[:, :, ::sh, ::sw, ::dh, ::dw]

    def _oriented(self, filters: np.ndarray) -> np.ndarray:
        return filters[:, :, ::-1, ::-1] if self.flip else filters


@dataclass(frozen=True)
class Conv2d(Convolution):
    """Images (n, c, h, w) with filters (k, c, r, s) to maps (n, k, p, q)."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        image, filters = types
        channels = {image.shape[1], filters.shape[1]} - {None}
        if len(channels) > 1:
            raise ShapeError(
                "conv2d: input and filters differ in their number of channels",
                expected=f"filters of shape (filters, {image.shape[1]}, rows, columns)",
                actual=f"input {image}, filters {filters}",
                fix="channels are the second extent of both; images are (batch, channels, rows, columns)",
            )
        spatial = self.output_extents(image.shape[2:], filters.shape[2:])
        return [image.with_shape([image.shape[0], filters.shape[0], *spatial])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        image, filters = arrays
        windows = self._windows(image, filters.shape[2:])
        return (np.einsum("ncpqrs,kcrs->nkpq", windows, self._oriented(filters), optimize=True),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image, filters), (gradient,) = inputs, gradients
        _, input_gradient, filter_gradient = self.siblings()
        return [
            input_gradient(filters, gradient, *extents(image)[2:]),
            filter_gradient(image, gradient, *extents(filters)[2:]),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return _folded(self, inputs, is_batched, (0, 0), (0, 1))


@dataclass(frozen=True)
class Conv2dInputGradient(Convolution):
    """The images' gradient, from filters, the maps' gradient, and the images' rows and columns."""

    shape_inputs = slice(2, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        filters, gradient = types[:2]
        _check_gradient(self, gradient, values[2:], filters.shape[2:], filters.shape[0])
        return [gradient.with_shape([gradient.shape[0], filters.shape[1], *values[2:]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        filters, gradient, rows, columns = arrays
        filters = self._oriented(filters)
        (top, bottom), (left, right) = self.padding(filters.shape[2:])
        height, width = int(rows) + top + bottom, int(columns) + left + right
        padded = np.zeros((gradient.shape[0], filters.shape[1], height, width), gradient.dtype)
        (sh, sw), (dh, dw) = self.subsample, self.dilation
        p, q = gradient.shape[2:]
        for r, s in np.ndindex(filters.shape[2:]):
            part = np.einsum("nkpq,kc->ncpq", gradient, filters[:, :, r, s], optimize=True)
            y, x = r * dh, s * dw
            padded[:, :, y : y + p * sh : sh, x : x + q * sw : sw][:, :, :p, :q] += part
        return (np.ascontiguousarray(padded[:, :, top : top + int(rows), left : left + int(columns)]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (filters, maps, *_), (gradient,) = inputs, gradients
        convolve, _, filter_gradient = self.siblings()
        return [
            filter_gradient(gradient, maps, *extents(filters)[2:]),
            convolve(gradient, filters),
            None,
            None,
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return _folded(self, inputs, is_batched, (1, 1), (0, 0))


@dataclass(frozen=True)
class Conv2dFilterGradient(Convolution):
    """The filters' gradient, from images, the maps' gradient, and the filters' rows and columns."""

    shape_inputs = slice(2, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        image, gradient = types[:2]
        _check_gradient(self, gradient, image.shape[2:], values[2:], gradient.shape[1])
        if len({image.shape[0], gradient.shape[0]} - {None}) > 1:
            raise ShapeError(
                "conv2d's filter gradient", expected="one batch size", actual=f"{image} and {gradient}"
            )
        return [gradient.with_shape([gradient.shape[1], image.shape[1], *values[2:]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        image, gradient, rows, columns = arrays
        windows = self._windows(image, (int(rows), int(columns)))
        p, q = gradient.shape[2:]
        result = np.einsum("ncpqrs,nkpq->kcrs", windows[:, :, :p, :q], gradient, optimize=True)
        return (np.ascontiguousarray(self._oriented(result)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image, maps, *_), (gradient,) = inputs, gradients
        convolve, input_gradient, _ = self.siblings()
        return [
            input_gradient(gradient, maps, *extents(image)[2:]),
            convolve(image, gradient),
            None,
            None,
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return _folded(self, inputs, is_batched, (1, 1), (1, 0))


def _folded(
    op: Convolution,
    inputs: Sequence[Variable],
    is_batched: Sequence[bool],
    first: Pair,
    second: Pair,
) -> Sequence[Variable] | None:
    """Apply an op to a batch of one of its operands, as more images, filters or channels.

    `first` and `second` tell, for each operand, the axis that the batch joins, and the result's axis where it
    comes out.
    """
    if all(is_batched[:2]) or any(is_batched[2:]):
        return None
    place = is_batched.index(True)
    joined, out = (first, second)[place]
    operand = inputs[place]
    arguments = [*inputs]
    arguments[place] = fold(operand, joined)
    extents_ = extents(operand)
    return [unfold(op(*arguments), out, [extents_[0], extents_[joined + 1]])]


def _check_gradient(
    op: Convolution,
    gradient: TensorType,
    image: Sequence[int | None],
    filters: Sequence[int | None],
    maps: int | None,
) -> None:
    """Refuse a gradient that is not of the shape of the maps."""
    wanted = [maps, *op.output_extents(image, filters)]
    for mine, theirs in zip(gradient.shape[1:], wanted, strict=True):
        if mine is not None and theirs is not None and mine != theirs:
            raise ShapeError(
                "conv2d: the gradient does not have the maps' shape",
                expected=f"(batch, {', '.join('?' if extent is None else str(extent) for extent in wanted)})",
                actual=str(gradient),
            )


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
) -> Variable:
    """Convolve images with filters (`theano.tensor.nnet.conv2d`).

    Parameters
    ----------
    input : tensor4
        Images, (batch, channels, rows, columns), float32 or float64.
    filters : tensor4
        (filters, channels, rows, columns).
    input_shape, filter_shape : tuple of int or None, optional
        What is known of the shapes; checked when there are values. `image_shape` is the older word for
        `input_shape`.
    border_mode : {'valid', 'full', 'half'}, int, (int, int) or ((int, int), (int, int))
        Zero padding: none; filter size - 1; filter size // 2; or a number of pixels: for all sides, for
        (rows, columns), or for ((top, bottom), (left, right)).
    subsample : int or (int, int)
        Strides in rows and columns.
    filter_flip : bool
        True turns the filters (convolution, the default); False does not (cross-correlation, which other
        libraries call convolution).
    filter_dilation : int or (int, int)
        Distance between the filter's taps.

    Returns
    -------
    Variable
        Maps, (batch, filters, output rows, output columns), where an output extent is
        ``(extent + padding - dilation * (filter - 1) - 1) // stride + 1``.

    Raises
    ------
    ShapeError
        If ranks or channels do not fit, or the filter is larger than the padded image.
    DTypeError
        If an operand is not floating.

    Notes
    -----
    The definition is that of Theano 1.0's ``conv2d``.

    Examples
    --------
    >>> image = TensorType("float32", (None, 3, 32, 32))("image")
    >>> filters = TensorType("float32", (10, 3, 5, 5))("filters")
    >>> conv2d(image, filters).static_shape
    (None, 10, 28, 28)
    """
    if input_shape is not None and image_shape is not None:
        raise DTypeError(
            "conv2d", expected="input_shape or image_shape", actual="both", fix="leave out image_shape"
        )
    source = "image_shape" if image_shape is not None else "input_shape"
    image = _operand(input, "input", source, image_shape if image_shape is not None else input_shape)
    kernel = _operand(filters, "filters", "filter_shape", filter_shape)
    dtype = upcast(image.dtype, kernel.dtype)
    op = Conv2d(
        _border_mode(border_mode),
        _pair(subsample, "subsample"),
        _pair(filter_dilation, "filter_dilation"),
        bool(filter_flip),
    )
    return op(cast(image, dtype), cast(kernel, dtype))


def _operand(value: Any, name: str, source: str, shape: Any) -> Variable:
    x = as_variable(value)
    if x.ndim != 4:
        raise ShapeError(
            f"conv2d: argument `{name}`",
            expected="4 dimensions: "
            + (
                "(batch, channels, rows, columns)"
                if name == "input"
                else "(filters, channels, rows, columns)"
            ),
            actual=f"{x!r} of type {x.type}",
            fix=f"insert axes: dimshuffle({'0, ' if x.ndim > 2 else ''}'x', ...), or reshape",
        )
    if not x.type.is_float:
        raise DTypeError(
            f"conv2d: argument `{name}`", expected="float32 or float64", actual=f"{x!r} of type {x.type}",
            fix="cast it: cast(x, 'floatX')",
        )  # fmt: skip
    if shape is None:
        return x
    entries = tuple(None if entry is None else int(_constant(entry, source)) for entry in shape)
    if len(entries) != 4:
        raise ShapeError(f"conv2d: argument `{source}`", expected="4 entries", actual=str(tuple(shape)))
    return SpecifyShape(f"conv2d: argument `{name}`", source, entries)(x)


def _constant(entry: Any, source: str) -> Any:
    if isinstance(entry, Constant):
        return entry.value
    if isinstance(entry, Variable):
        raise DTypeError(
            f"conv2d: argument `{source}`", expected="numbers or None", actual=repr(entry),
            fix="write None where the extent is symbolic",
        )  # fmt: skip
    return entry


def _pair(value: Any, name: str) -> Pair:
    pair = tuple(
        int(_constant(entry, name)) for entry in (value if isinstance(value, list | tuple) else (value,) * 2)
    )
    if len(pair) != 2 or min(pair) < 1:
        raise ShapeError(
            f"conv2d: argument `{name}`", expected="one or two numbers of at least 1", actual=repr(value)
        )
    return pair[0], pair[1]


def _border_mode(mode: Any) -> str | Padding:
    if mode in ("valid", "full", "half"):
        return str(mode)
    sides = mode if isinstance(mode, list | tuple) else (mode, mode)
    try:
        (top, bottom), (left, right) = (
            side if isinstance(side, list | tuple) else (side, side) for side in sides
        )
        padding = ((int(top), int(bottom)), (int(left), int(right)))
    except (TypeError, ValueError):
        padding = ((-1, -1), (-1, -1))
    if min(*padding[0], *padding[1]) < 0:
        raise ShapeError(
            "conv2d: argument `border_mode`",
            expected="'valid', 'full', 'half', or numbers of at least 0: n, (rows, columns), "
            "((top, bottom), (left, right))",
            actual=repr(mode),
        )
    return padding
