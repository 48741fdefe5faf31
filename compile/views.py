"""Where values lie: buffers, and strided views of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arignote.engine.errors import GraphError
from arignote.engine.graph import Variable

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

#: Returns the bytes from a window's parent to it, from the values of the call's integers.
OffsetOf = Callable[[Mapping[Variable, int]], int]


class Buffer:
    """A piece of memory, known by where its address comes from."""


@dataclass(eq=False)
class Temporary(Buffer):
    """A part of the arena, of `size` bytes; its `offset` is known once all lifetimes are."""

    size: int
    offset: int = -1


@dataclass(frozen=True)
class Argument(Buffer):
    """The value of an input or of a shared variable, wherever it lies at the call; one a variable."""

    variable: Variable


@dataclass(eq=False)
class Literal(Buffer):
    """The value of a constant."""

    value: np.ndarray


@dataclass(eq=False)
class Result(Buffer):
    """An array that a call returns, or keeps as the new value of a shared variable; new in every call."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(eq=False)
class Window(Buffer):
    """A part of another buffer, at an offset that integers of the call decide."""

    parent: Buffer
    offset_of: OffsetOf


@dataclass(eq=False)
class Row(Buffer):
    """What an iteration of a loop sees of a view: the same in each, or one row after another.

    Parameters
    ----------
    base : View
        What the first iteration sees.
    stride : int
        Elements from there to what the next one sees.
    """

    base: View
    stride: int

    @classmethod
    def of(cls, rows: View) -> Row:
        """Take the rows of a view."""
        return cls(rows.sliced([0]), rows.strides[0])


def root(buffer: Buffer) -> Buffer:
    """Return the buffer whose memory this is."""
    while isinstance(buffer, Window):
        buffer = buffer.parent
    return buffer


@dataclass(frozen=True)
class View:
    """An array in a buffer.

    Parameters
    ----------
    buffer : Buffer
    dtype : str
    shape, strides : tuple of int
        Strides in elements; 0 along dimensions that are broadcast.
    offset : int
        Of the first element, in elements.
    """

    buffer: Buffer
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def contiguous(cls, buffer: Buffer, dtype: str, shape: Sequence[int]) -> View:
        """Return the view of a whole buffer in row-major order."""
        return cls(buffer, dtype, tuple(shape), row_major_strides(shape))

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def distinct_bytes(self) -> int:
        """Bytes of the elements, each once however often it is repeated."""
        extents = (
            extent for extent, stride in zip(self.shape, self.strides, strict=True) if stride or not extent
        )
        return math.prod(extents) * self.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        wanted = row_major_strides(self.shape)
        return self.size == 0 or all(
            extent == 1 or mine == theirs
            for extent, mine, theirs in zip(self.shape, self.strides, wanted, strict=True)
        )

    def shuffled(self, pattern: Sequence[int | str]) -> View:
        """Reorder, drop and insert axes, as `DimShuffle` does."""
        return View(
            self.buffer,
            self.dtype,
            tuple(1 if axis == "x" else self.shape[int(axis)] for axis in pattern),
            tuple(0 if axis == "x" else self.strides[int(axis)] for axis in pattern),
            self.offset,
        )

    def reshaped(self, shape: Sequence[int]) -> View:
        """Return the view of contiguous elements in another shape."""
        return View(self.buffer, self.dtype, tuple(shape), row_major_strides(shape), self.offset)

    def broadcast(self, shape: Sequence[int]) -> View:
        """Repeat along axes of extent 1."""
        strides = tuple(
            0 if mine != theirs else stride
            for mine, theirs, stride in zip(self.shape, shape, self.strides, strict=True)
        )
        return View(self.buffer, self.dtype, tuple(shape), strides, self.offset)

    def sliced(self, index: Sequence[int | slice]) -> View:
        """Index the leading axes."""
        shape: list[int] = []
        strides: list[int] = []
        for entry, extent, stride in zip(index, self.shape, self.strides, strict=False):
            if isinstance(entry, slice):
                places = range(*entry.indices(extent))
                shape.append(len(places))
                strides.append(stride * places.step)
        taken = len(index)
        return View(
            self.buffer,
            self.dtype,
            (*shape, *self.shape[taken:]),
            (*strides, *self.strides[taken:]),
            self.offset + self.shift(index),
        )

    def shift(self, index: Sequence[int | slice]) -> int:
        """Return the elements from the first of the view to the first of an index of its leading axes.

        Raises
        ------
        GraphError
            If an integer lies outside.
        """
        total = 0
        for entry, extent, stride in zip(index, self.shape, self.strides, strict=False):
            if isinstance(entry, slice):
                start = entry.indices(extent)[0]
                total += start * stride if len(range(*entry.indices(extent))) else 0
            else:
                if not -extent <= entry < extent:
                    raise GraphError(f"index {entry} is out of range for extent {extent}")
                total += (entry % extent) * stride
        return total


def row_major_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, in elements, of a contiguous array."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
