"""Convolution and its two gradients, of images with rows and columns or with a depth besides.

The three ops share their parameters. With cross-correlation written as

    y[n, k, p, q] = sum over c, r, s of  x[n, c, p*sh + r*dh - top, q*sw + s*dw - left] * w[k, c, r, s]

(x is 0 outside of the image) each of them is linear in each of its two operands, and the derivatives of any
one are the other two. A true convolution reads w[k, c, R-1-r, S-1-s] instead. Channels and filters may come
in groups: the filters of a group see its channels only. Filters that are not shared are other ones at every
place of the output: w[k, p, q, c, r, s].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import fold, unfold
from arignote.engine.errors import ShapeError
from arignote.engine.graph import Op, Variable
from arignote.engine.ops.shape import extents
from arignote.engine.types import TensorType

Pair = tuple[int, int]
Padding = tuple[Pair, ...]
AXES = ("planes", "rows", "columns")


@dataclass(frozen=True)
class Convolution(Op):
    """The parameters that the three ops share.

    Parameters
    ----------
    border_mode : {'valid', 'full', 'half'} or pairs of int
        Zeros before and behind each axis of an image: ((top, bottom), (left, right)).
    subsample, dilation : tuple of int
        Strides of the output, and of the filter, along each axis of an image.
    flip : bool
        Whether filters are turned around in all axes (convolution) or not (cross-correlation).
    groups : int
        How many parts channels and filters come in.
    unshared : bool
        Whether every place of the output has filters of its own.
    """

    border_mode: str | Padding
    subsample: tuple[int, ...]
    dilation: tuple[int, ...]
    flip: bool
    groups: int = 1
    unshared: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """What people call the axes of an image."""
        return AXES[-len(self.subsample) :]

    @property
    def name(self) -> str:
        """What people call the function that makes it."""
        return f"conv{len(self.subsample)}d"

    def padding(self, filter_shape: Sequence[int]) -> Padding:
        """Return the zeros before and behind each axis, for filters of these extents."""
        if not isinstance(self.border_mode, str):
            return self.border_mode
        spans = [(extent - 1) * step + 1 for extent, step in zip(filter_shape, self.dilation, strict=True)]
        sides = {
            "valid": [0 for _ in spans],
            "half": [span // 2 for span in spans],
            "full": [span - 1 for span in spans],
        }
        return tuple((side, side) for side in sides[self.border_mode])

    def output_extents(self, image: Sequence[int | None], filters: Sequence[int | None]) -> list[int | None]:
        """Return the output's extents behind batch and channels, None where they are not known.

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
            before, after = self.padding([span] * len(self.subsample))[axis]
            room = extent + before + after - (span - 1) * self.dilation[axis] - 1
            if room < 0 or span == 0:
                raise ShapeError(
                    f"{self.name}: the filter's {self.axes[axis]} do not fit into the image's",
                    expected=f"1 to {extent + before + after} (image {extent}, padding {before} + {after})",
                    actual=f"{span}" + f", dilated by {self.dilation[axis]}" * (self.dilation[axis] > 1),
                    fix="use smaller filters, or pad: border_mode='half' or 'full'",
                )
            result.append(room // self.subsample[axis] + 1)
        return result

    def siblings(self) -> tuple[Conv, ConvInputGradient, ConvFilterGradient]:
        """Return the three ops with these parameters."""
        parameters = astuple(self)
        return Conv(*parameters), ConvInputGradient(*parameters), ConvFilterGradient(*parameters)

    def check_gradient(
        self,
        gradient: TensorType,
        image: Sequence[int | None],
        filters: Sequence[int | None],
        maps: int | None,
    ) -> None:
        """Refuse a gradient that is not of the shape of the maps."""
        wanted = [maps, *self.output_extents(image, filters)]
        for mine, theirs in zip(gradient.shape[1:], wanted, strict=True):
            if mine is not None and theirs is not None and mine != theirs:
                raise ShapeError(
                    f"{self.name}: the gradient does not have the maps' shape",
                    expected=f"(batch, {_listed(wanted)})",
                    actual=str(gradient),
                    fix="it has the shape of the convolution's result for images and filters of these shapes",
                )

    def check_groups(self, what: str, count: int | None) -> None:
        """Refuse a number of channels or filters that the groups do not divide."""
        if count is not None and count % self.groups:
            raise ShapeError(
                f"{self.name}: argument `num_groups` does not divide the number of {what}",
                expected=f"a multiple of {self.groups}",
                actual=f"{count} {what}",
                fix=f"choose num_groups among the divisors of {count}, or another number of {what}",
            )

    def _check_places(self, filters: TensorType, places: Sequence[int | None]) -> None:
        """Refuse unshared filters that are not as many as the places of the output."""
        mine = filters.shape[1 : -len(self.subsample) - 1]
        pairs = zip(mine, places, strict=True) if self.unshared else ()
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise ShapeError(
                f"{self.name}: unshared filters for other places than the output has",
                expected=f"filters of shape (filters, {_listed(places)}, channels, {', '.join(self.axes)})",
                actual=str(filters),
                fix="give every place of the output its filters: the output's extents follow the first one",
            )

    def taps(self, filters: Sequence[Any]) -> Sequence[Any]:
        """Return the extents of a filter along the axes of an image, from all extents of the filters."""
        return filters[-len(self.subsample) :]

    def filter_channels(self, filters: Sequence[int | None]) -> int | None:
        """Return how many channels a filter sees, from all extents of the filters."""
        return filters[-len(self.subsample) - 1]

    def channels(self, filters: Sequence[int | None]) -> int | None:
        """Return the images' channels, from all extents of the filters."""
        channels = self.filter_channels(filters)
        return None if channels is None else channels * self.groups

    def filter_shape(
        self, maps: Sequence[int | None], channels: int | None, taps: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        """Return the shape of the filters of maps (batch, filters, ...), for images of so many channels."""
        channels = None if channels is None else channels // self.groups
        return (maps[1], *(maps[2:] if self.unshared else ()), channels, *taps)

    def _windows(self, image: np.ndarray, filter_shape: Sequence[int]) -> np.ndarray:
        """Return the view (n, g, c, output extents, taps) of the padded image's windows."""
        padded = np.pad(image, ((0, 0), (0, 0), *self.padding(filter_shape)))
        spans = tuple(
            (extent - 1) * step + 1 for extent, step in zip(filter_shape, self.dilation, strict=True)
        )
        axes = tuple(range(2, image.ndim))
        windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)
        steps = (slice(None, None, step) for step in (*self.subsample, *self.dilation))
        return self._grouped(windows[:, :, *steps], 1)

    def _grouped(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Split an axis into groups and their elements."""
        shape = list(x.shape)
        shape[axis : axis + 1] = self.groups, shape[axis] // self.groups
        return x.reshape(shape)

    @property
    def _channel_axis(self) -> int:
        """Which axis of filters their channels are."""
        return 1 + len(self.subsample) * self.unshared

    def _folded(
        self, inputs: Sequence[Variable], is_batched: Sequence[bool], first: Pair, second: Pair
    ) -> Sequence[Variable] | None:
        """Apply the op to a batch of one of its operands, as more images, filters or channels.

        `first` and `second` tell, for each operand, the axis that the batch joins, and the result's where
        it comes out. Between filters or channels in groups there is no place for a batch.
        """
        if all(is_batched[:2]) or any(is_batched[2:]):
            return None
        place = is_batched.index(True)
        joined, out = (first, second)[place]
        if self.groups > 1 and (joined, out) != (0, 0):
            return None
        arguments, operand = [*inputs], extents(inputs[place])
        arguments[place] = fold(inputs[place], joined)
        return [unfold(self(*arguments), out, [operand[0], operand[joined + 1]])]

    @property
    def _letters(self) -> tuple[str, str, str]:
        """Letters, as `einsum` wants them, for the places of an output, those of a filter, and filters."""
        rank = len(self.subsample)
        out, taps = "xyz"[:rank], "rst"[:rank]
        return out, taps, f"gk{out}c" if self.unshared else "gkc"

    def _oriented(self, filters: np.ndarray) -> np.ndarray:
        return np.flip(filters, tuple(range(-len(self.subsample), 0))) if self.flip else filters


def _listed(shape: Sequence[int | None]) -> str:
    return ", ".join("?" if extent is None else str(extent) for extent in shape)


@dataclass(frozen=True)
class Conv(Convolution):
    """Images (n, c, h, w) with filters (k, c / groups, r, s) to maps (n, k, p, q), or all with a depth."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        image, filters = types
        self.check_groups("channels", image.shape[1])
        self.check_groups("filters", filters.shape[0])
        spatial, axes = self.output_extents(image.shape[2:], self.taps(filters.shape)), ", ".join(self.axes)
        maps = [image.shape[0], filters.shape[0], *spatial]
        channels = self.channels(filters.shape)
        if None not in (channels, image.shape[1]) and channels != image.shape[1]:
            assert image.shape[1] is not None
            raise ShapeError(
                f"{self.name}: input and filters differ in their number of channels",
                expected=f"filters of shape (filters, {'output places, ' * self.unshared}"
                f"{image.shape[1] // self.groups}, {axes}){f', in {self.groups} groups' * (self.groups > 1)}",
                actual=f"input {image}, filters {filters}",
                fix=f"channels are the second extent of both; images are (batch, channels, {axes})",
            )
        self._check_places(filters, spatial)
        return [image.with_shape(maps)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        image, filters = arrays
        windows, (out, taps, kernel) = self._windows(image, self.taps(filters.shape)), self._letters
        kernels = self._grouped(self._oriented(filters), 0)
        maps = np.einsum(f"ngc{out}{taps},{kernel}{taps}->ngk{out}", windows, kernels, optimize=True)
        return (maps.reshape(len(image), len(filters), *maps.shape[3:]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image, filters), (gradient,) = inputs, gradients
        _, input_gradient, filter_gradient = self.siblings()
        return [
            input_gradient(filters, gradient, *extents(image)[2:]),
            filter_gradient(image, gradient, *self.taps(extents(filters))),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self._folded(inputs, is_batched, (0, 0), (0, 1))


@dataclass(frozen=True)
class ConvInputGradient(Convolution):
    """The images' gradient, from filters, the maps' gradient, and the images' extents."""

    shape_inputs = slice(2, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        filters, gradient = types[:2]
        self.check_groups("filters", filters.shape[0])
        self.check_gradient(gradient, values[2:], self.taps(filters.shape), filters.shape[0])
        self._check_places(filters, gradient.shape[2:])
        return [gradient.with_shape([gradient.shape[0], self.channels(filters.shape), *values[2:]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        filters, gradient, *given = arrays
        image = [int(extent) for extent in given]
        taps, (out, _, kernel) = self.taps(filters.shape), self._letters
        padding, channels = self.padding(taps), self.filter_channels(filters.shape)
        kernels, maps = self._grouped(self._oriented(filters), 0), self._grouped(gradient, 1)
        whole = [extent + before + after for extent, (before, after) in zip(image, padding, strict=True)]
        padded = np.zeros((len(gradient), self.groups, channels or 0, *whole), gradient.dtype)
        for tap in np.ndindex(*taps):
            part = np.einsum(f"ngk{out},{kernel}->ngc{out}", maps, kernels[..., *tap], optimize=True)
            seen: Any = tuple(
                slice(index * dilation, index * dilation + (count - 1) * stride + 1, stride)
                for index, dilation, stride, count in zip(
                    tap, self.dilation, self.subsample, gradient.shape[2:], strict=True
                )
            )
            padded[..., *seen] += part
        inside: Any = tuple(
            slice(before, before + extent) for extent, (before, _) in zip(image, padding, strict=True)
        )
        result = padded[..., *inside].reshape(len(gradient), self.channels(filters.shape) or 0, *image)
        return (np.ascontiguousarray(result),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (filters, maps, *image), (gradient,) = inputs, gradients
        convolve, _, filter_gradient = self.siblings()
        return [
            filter_gradient(gradient, maps, *self.taps(extents(filters))),
            convolve(gradient, filters),
            *(None for _ in image),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self._folded(inputs, is_batched, (self._channel_axis, 1), (0, 0))


@dataclass(frozen=True)
class ConvFilterGradient(Convolution):
    """The filters' gradient, from images, the maps' gradient, and the filters' extents."""

    shape_inputs = slice(2, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        image, gradient = types[:2]
        self.check_groups("channels", image.shape[1])
        self.check_groups("filters", gradient.shape[1])
        self.check_gradient(gradient, image.shape[2:], values[2:], gradient.shape[1])
        if len({image.shape[0], gradient.shape[0]} - {None}) > 1:
            raise ShapeError(
                f"{self.name}'s filter gradient", expected="one batch size", actual=f"{image} and {gradient}"
            )
        return [gradient.with_shape(self.filter_shape(gradient.shape, image.shape[1], values[2:]))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        image, gradient, *given = arrays
        spans = [int(extent) for extent in given]
        windows, maps = self._windows(image, spans), self._grouped(gradient, 1)
        out, taps, kernel = self._letters
        result = np.einsum(f"ngc{out}{taps},ngk{out}->{kernel}{taps}", windows, maps, optimize=True)
        result = result.reshape(self.filter_shape(gradient.shape, image.shape[1], spans))
        return (np.ascontiguousarray(self._oriented(result)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image, maps, *filters), (gradient,) = inputs, gradients
        convolve, input_gradient, _ = self.siblings()
        return [
            input_gradient(gradient, maps, *extents(image)[2:]),
            convolve(image, gradient),
            *(None for _ in filters),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self._folded(inputs, is_batched, (1, self._channel_axis), (1, 0))
