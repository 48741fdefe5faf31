"""Neighbourhoods: the patches of an image as rows of a matrix, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Op, Variable, as_variable
from arignote.engine.ops.shape import as_extents, extents
from arignote.engine.types import TensorType

Pair = tuple[int, int]
MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


@dataclass(frozen=True)
class Neighbourhoods(Op):
    """The parameters of the two ops.

    Parameters
    ----------
    window, step : (int, int)
        Rows and columns of a patch, and from one patch to the next.
    mode : str
        One of `MODES`: whether patches lie in the image ('valid': all of it, 'ignore_borders': as much as
        there are whole patches), in the image with zeros around ('half', 'full'), or have their centres in
        the image, which goes on at its other side ('wrap_centered').
    """

    window: Pair
    step: Pair
    mode: str

    @property
    def low(self) -> Pair:
        """Rows and columns from the first patch's corner to the image's."""
        rows, columns = self.window
        if self.mode == "full":
            return rows - 1, columns - 1
        return (rows // 2, columns // 2) if self.mode in ("half", "wrap_centered") else (0, 0)

    def grid(self, image: Sequence[int | None]) -> list[int | None]:
        """Return how many patches there are along rows and columns, None where that is not known.

        Raises
        ------
        ShapeError
            If the image is too small, or the patches do not end where it does.
        """
        return [None if extent is None else self._count(axis, extent) for axis, extent in enumerate(image)]

    def _count(self, axis: int, extent: int) -> int:
        window, step, low = self.window[axis], self.step[axis], self.low[axis]
        wraps = self.mode == "wrap_centered"
        room = extent - window if wraps else extent + 2 * low - window
        ends = self.mode in ("wrap_centered", "ignore_borders") or room % step == 0
        if room < 0 or not ends:
            what = ("rows", "columns")[axis]
            wanted = f"at least {window - 2 * low * (not wraps)} {what}"
            raise ShapeError(
                f"images2neibs: patches do not fit into the image's {what}",
                expected=wanted if ends else f"{wanted}, and a multiple of {step} more",
                actual=f"{extent} {what} (patch {window}, step {step}, mode {self.mode!r})",
                fix="use other patches, or mode='ignore_borders'",
            )
        return -(-extent // step) if wraps else room // step + 1

    def places(self, axis: int, extent: int) -> np.ndarray:
        """Return the rows or columns of each patch (patches, window), `extent` for those outside."""
        first = np.arange(self._count(axis, extent)) * self.step[axis] - self.low[axis]
        places = first[:, None] + np.arange(self.window[axis])
        if self.mode == "wrap_centered":
            return places % extent
        return np.where((places >= 0) & (places < extent), places, extent)

    def _parameters(self) -> tuple[Pair, Pair, str]:
        return self.window, self.step, self.mode


@dataclass(frozen=True)
class ImagesToNeighbours(Neighbourhoods):
    """Images (n, c, h, w) to their patches, one a row, in row-major order of image, channel and place."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (image,) = types
        counts = [*image.shape[:2], *self.grid(image.shape[2:])]
        known = [count for count in counts if count is not None]
        rows = int(np.prod(known)) if len(known) == 4 else None
        return [image.with_shape([rows, self.window[0] * self.window[1]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        (image,) = arrays
        rows, columns = (self.places(axis, extent) for axis, extent in enumerate(image.shape[2:]))
        padded = np.pad(image, ((0, 0), (0, 0), (0, 1), (0, 1)))
        patches = padded[:, :, rows[:, None, :, None], columns[None, :, None, :]]
        return (patches.reshape(int(np.prod(patches.shape[:4])), self.window[0] * self.window[1]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [NeighboursToImages(*self._parameters())(gradients[0], *extents(inputs[0]))]


@dataclass(frozen=True)
class NeighboursToImages(Neighbourhoods):
    """The transpose of `ImagesToNeighbours`: patches added up; inputs: patches, and the images' extents."""

    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        patches, shape = types[0], values[1:]
        counts = [*shape[:2], *self.grid(shape[2:])]
        rows = None if None in counts else int(np.prod([count for count in counts if count is not None]))
        wanted = (rows, self.window[0] * self.window[1])
        if any(None not in pair and pair[0] != pair[1] for pair in zip(patches.shape, wanted, strict=True)):
            raise ShapeError(
                "neibs2images: the patches are not those of images of this shape",
                expected=f"shape ({'?' if rows is None else rows}, {wanted[1]})",
                actual=str(patches),
                fix="give the shape of the images that the patches were cut from",
            )
        return [patches.with_shape(shape)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        patches, *given = arrays
        n, c, height, width = (int(extent) for extent in given)
        rows, columns = self.places(0, height), self.places(1, width)
        padded = np.zeros((n, c, height + 1, width + 1), patches.dtype)
        split = patches.reshape(n, c, len(rows), len(columns), *self.window)
        places: Any = (..., rows[:, None, :, None], columns[None, :, None, :])
        np.add.at(padded, places, split)
        return (np.ascontiguousarray(padded[:, :, :height, :width]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [ImagesToNeighbours(*self._parameters())(gradients[0]), *(None for _ in inputs[1:])]


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Variable:
    """Cut images into patches, one a row (`theano.tensor.nnet.neighbours.images2neibs`).

    Parameters
    ----------
    ten4 : tensor4
        Images, (batch, channels, rows, columns).
    neib_shape : (int, int)
        Rows and columns of a patch.
    neib_step : (int, int), optional
        Rows and columns from one patch to the next; by default the patch's.
    mode : {'valid', 'ignore_borders', 'wrap_centered', 'half', 'full'}
        'valid' wants patches to fill the image, 'ignore_borders' leaves out what they do not. 'half' and
        'full' are 'valid' with zeros around the image: ``neib_shape // 2``, or ``neib_shape - 1``, on each
        side. 'wrap_centered' centres patches, of odd extents, on pixels; the image goes on at its other side.

    Returns
    -------
    matrix
        (batch * channels * patches, rows * columns of a patch), in row-major order.

    Raises
    ------
    ShapeError, DTypeError
        If the patches do not fit, or an argument is none of those above.

    Examples
    --------
    >>> import arignote.compile
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> images2neibs(image, (2, 2)).eval()
    array([[ 0.,  1.,  4.,  5.],
           [ 2.,  3.,  6.,  7.],
           [ 8.,  9., 12., 13.],
           [10., 11., 14., 15.]])
    """
    name, x = "images2neibs", as_variable(ten4)
    if x.ndim != 4 or x.dtype == "bool":
        raise ShapeError(
            f"{name}: argument `ten4`",
            expected="numbers of 4 dimensions: (batch, channels, rows, columns)",
            actual=f"{x!r} of type {x.type}",
        )
    window = _pair(name, "neib_shape", neib_shape)
    step = window if neib_step is None else _pair(name, "neib_step", neib_step)
    if mode not in MODES:
        raise DTypeError(f"{name}: argument `mode`", expected="one of " + ", ".join(MODES), actual=repr(mode))
    if mode == "wrap_centered" and not all(extent % 2 for extent in window):
        raise ShapeError(
            f"{name}: argument `neib_shape`",
            expected="odd extents in mode 'wrap_centered'",
            actual=str(window),
        )
    return ImagesToNeighbours(window, step, mode)(x)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Variable:
    """Put patches together to images (`theano.tensor.nnet.neighbours.neibs2images`).

    Parameters
    ----------
    neibs : matrix
        Patches that do not overlap, as :func:`images2neibs` cuts them.
    neib_shape : (int, int)
        Rows and columns of a patch.
    original_shape : tuple of int and integer scalars, or vector
        The images' shape, (batch, channels, rows, columns).
    mode : {'valid', 'ignore_borders'}
        That of :func:`images2neibs`; what it left out is 0.

    Returns
    -------
    tensor4

    Raises
    ------
    ShapeError, DTypeError
        If the patches are not those of images of that shape, or an argument is none of those above.

    Examples
    --------
    >>> import arignote.compile
    >>> neibs2images([[0.0, 1, 4, 5], [2, 3, 6, 7]], (2, 2), (1, 1, 2, 4)).eval()
    array([[[[0., 1., 2., 3.],
             [4., 5., 6., 7.]]]])
    """
    name, patches = "neibs2images", as_variable(neibs)
    window, shape = _pair(name, "neib_shape", neib_shape), as_extents(original_shape, name)
    if patches.ndim != 2 or patches.dtype == "bool":
        raise ShapeError(
            f"{name}: argument `neibs`",
            expected="a matrix of numbers: a patch a row",
            actual=f"{patches!r} of type {patches.type}",
        )
    if mode not in MODES[:2]:
        raise DTypeError(
            f"{name}: argument `mode`", expected="'valid' or 'ignore_borders'", actual=repr(mode)
        )
    if len(shape) != 4:
        raise ShapeError(
            f"{name}: argument `original_shape`", expected="4 extents", actual=f"{len(shape)} extents"
        )
    return NeighboursToImages(window, window, mode)(patches, *shape)


def _pair(name: str, argument: str, value: Any) -> Pair:
    value = value.value if isinstance(value, Constant) else value
    try:
        rows, columns = (int(entry) for entry in value)
    except (TypeError, ValueError):
        rows = columns = 0
    if min(rows, columns) < 1:
        raise ShapeError(
            f"{name}: argument `{argument}`", expected="two numbers of at least 1", actual=repr(value)
        )
    return rows, columns
