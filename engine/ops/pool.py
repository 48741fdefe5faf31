"""Pooling: the largest, or the sum or mean, of each window of an image.

Ties in max-pooling go to the first maximum in row-major order: a true subgradient, and what PyTorch does.
Theano credited every tie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from arignote.engine.batching import folded
from arignote.engine.errors import ShapeError
from arignote.engine.graph import Op, Variable
from arignote.engine.ops.shape import extents
from arignote.engine.types import TensorType

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pooling(Op):
    """The parameters that all pooling ops share.

    Parameters
    ----------
    window, stride, pad : (int, int)
        In rows and columns.
    ignore_border : bool
        Whether windows that reach over the border are left out, or clipped.
    """

    window: Pair
    stride: Pair
    pad: Pair
    ignore_border: bool

    def output_extents(self, image: Sequence[int | None]) -> list[int | None]:
        """Return the output's (rows, columns), by Theano's rule."""
        result: list[int | None] = []
        for extent, window, stride, pad in zip(image, self.window, self.stride, self.pad, strict=True):
            if extent is None:
                result.append(None)
            elif self.ignore_border:
                result.append(max(0, (extent + 2 * pad - window) // stride + 1))
            elif extent == 0:
                result.append(0)
            elif stride >= window:
                result.append((extent - 1) // stride + 1)
            else:
                result.append(max(0, (extent - 1 - window + stride) // stride) + 1)
        return result

    def windows(self, rows: int, columns: int) -> Iterator[tuple[int, int, slice, slice]]:
        """Yield each output's place and the rows and columns of the image that its window covers."""
        out_rows, out_columns = (int(extent or 0) for extent in self.output_extents([rows, columns]))
        for p, q in np.ndindex(out_rows, out_columns):
            top, left = p * self.stride[0] - self.pad[0], q * self.stride[1] - self.pad[1]
            bottom, right = min(top + self.window[0], rows), min(left + self.window[1], columns)
            yield p, q, slice(max(top, 0), bottom), slice(max(left, 0), right)

    #: How many of the inputs are arrays over the images, before those that are extents.
    arrays: ClassVar[int] = 1

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return folded(self, inputs, is_batched, self.arrays)

    def _parameters(self) -> tuple[Pair, Pair, Pair, bool]:
        return self.window, self.stride, self.pad, self.ignore_border


@dataclass(frozen=True)
class MaxPool(Pooling):
    """The maximum of each window, and its place in the plane (row * columns + column) as int32."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (image,) = types
        shape = [*image.shape[:2], *self.output_extents(image.shape[2:])]
        return [image.with_shape(shape), TensorType("int32", tuple(shape))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        (image,) = arrays
        n, c, rows, columns = image.shape
        shape = (n, c, *(int(extent or 0) for extent in self.output_extents((rows, columns))))
        maxima, positions = np.empty(shape, image.dtype), np.empty(shape, "int32")
        for p, q, window_rows, window_columns in self.windows(rows, columns):
            window = image[:, :, window_rows, window_columns]
            place = window.reshape(n, c, -1).argmax(-1) if window.size else np.zeros((n, c), "int64")
            row, column = np.divmod(place, window.shape[3])
            row, column = row + window_rows.start, column + window_columns.start
            positions[:, :, p, q] = row * columns + column
            maxima[:, :, p, q] = image[np.arange(n)[:, None], np.arange(c), row, column]
        return maxima, positions

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image,) = inputs
        unpool = MaxUnpool(*self._parameters())
        return [unpool(gradients[0], outputs[1], *extents(image)[2:])]


@dataclass(frozen=True)
class MaxUnpool(Pooling):
    """Each value added at its place, 0 elsewhere; inputs: values, places of maxima, rows, columns."""

    arrays = 2
    shape_inputs = slice(2, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        pooled, positions = types[:2]
        if any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(pooled.shape, positions.shape, strict=True)
        ):
            raise ShapeError(
                "max-unpooling: there is not one value for each window",
                expected=str(positions.with_dtype(pooled.dtype)),
                actual=str(pooled),
                fix="give values of the shape that pooling the images gives",
            )
        return [pooled.with_shape([*pooled.shape[:2], *values[2:]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        pooled, positions, rows, columns = arrays
        n, c = pooled.shape[:2]
        image = np.zeros((n, c, int(rows), int(columns)), pooled.dtype)
        places = (np.arange(n)[:, None, None], np.arange(c)[:, None], _planes(positions))
        np.add.at(_planes(image), places, _planes(pooled))
        return (image,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [MaxPick(*self._parameters())(gradients[0], inputs[1]), None, None, None]


@dataclass(frozen=True)
class MaxPick(Pooling):
    """Images, and the places of maxima: the values at those places."""

    arrays = 2

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        image, positions = types
        return [positions.with_dtype(image.dtype)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        image, positions = arrays
        picked = np.take_along_axis(_planes(image), _planes(positions).astype("int64"), axis=2)
        return (picked.reshape(positions.shape),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        image, positions = inputs
        unpool = MaxUnpool(*self._parameters())
        return [unpool(gradients[0], positions, *extents(image)[2:]), None]


def _planes(x: np.ndarray) -> np.ndarray:
    """Return a view (n, c, h * w); its extent is spelt out because -1 fails where there are no images."""
    n, c, rows, columns = x.shape
    return x.reshape(n, c, rows * columns)


@dataclass(frozen=True)
class SumPool(Pooling):
    """Images (n, c, h, w) to the sum, or the mean, of each window.

    Parameters
    ----------
    mode : {'sum', 'average_inc_pad', 'average_exc_pad'}
        A mean divides by the pixels of the window that lie in the padded image, or in the image itself.
    """

    mode: str

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (image,) = types
        return [image.with_shape([*image.shape[:2], *self.output_extents(image.shape[2:])])]

    def weights(self, rows: int, columns: int) -> np.ndarray:
        """Return, for each window of an image, what its sum is multiplied by (float64)."""
        out = [int(extent or 0) for extent in self.output_extents((rows, columns))]
        if self.mode == "sum":
            return np.ones(out)
        counts: list[np.ndarray] = []
        for axis, extent in enumerate((rows, columns)):
            pad = self.pad[axis]
            start = np.arange(out[axis]) * self.stride[axis] - pad
            stop = start + self.window[axis]
            low, high = (-pad, extent + pad) if self.mode == "average_inc_pad" else (0, extent)
            counts.append(np.minimum(stop, high) - np.maximum(start, low))
        rows_counted, columns_counted = counts
        return np.asarray(1.0 / (rows_counted[:, None] * columns_counted))

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        (image,) = arrays
        rows, columns = image.shape[2:]
        weights = self.weights(rows, columns)
        result = np.empty((*image.shape[:2], *weights.shape), image.dtype)
        for p, q, window_rows, window_columns in self.windows(rows, columns):
            result[:, :, p, q] = image[:, :, window_rows, window_columns].sum((2, 3)) * weights[p, q]
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (image,) = inputs
        spread = SumUnpool(*self._parameters(), self.mode)
        return [spread(gradients[0], *extents(image)[2:])]


@dataclass(frozen=True)
class SumUnpool(Pooling):
    """The transpose of `SumPool`: each value spread over its window; inputs: values, rows, columns."""

    mode: str
    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0].with_shape([*types[0].shape[:2], *values[1:]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        pooled, rows, columns = arrays
        pool = SumPool(*self._parameters(), self.mode)
        weights = pool.weights(int(rows), int(columns))
        result = np.zeros((*pooled.shape[:2], int(rows), int(columns)), pooled.dtype)
        for p, q, window_rows, window_columns in self.windows(int(rows), int(columns)):
            result[:, :, window_rows, window_columns] += (pooled[:, :, p, q] * weights[p, q])[
                :, :, None, None
            ]
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [SumPool(*self._parameters(), self.mode)(gradients[0]), None, None]
