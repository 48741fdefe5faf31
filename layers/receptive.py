"""Receptive fields: how much of the input a number within a network depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

Step = int | Fraction


class Window(NamedTuple):
    """What a layer sees of its input for one number of its output, along each axis of an image.

    Padding has no part in it: it moves a field, and neither widens it nor changes the steps between fields.

    Attributes
    ----------
    size : tuple of int
    stride : tuple of int or Fraction
        From window to window.
    dilation : tuple of int, optional
        From tap to tap of a window; by default 1 along each axis.
    """

    size: tuple[int, ...]
    stride: tuple[Step, ...]
    dilation: tuple[int, ...] | None = None

    @property
    def reach(self) -> tuple[int, ...]:
        """From the first to the last number that is seen."""
        gaps = self.dilation or (1,) * len(self.size)
        return tuple((size - 1) * gap + 1 for size, gap in zip(self.size, gaps, strict=True))


@dataclass(frozen=True)
class Field:
    """The part of the input that a number depends on, as extents along each axis of an image.

    Attributes
    ----------
    size : tuple of int
        Pixels of the input, with those of the padding that the windows reach into.
    step : tuple of int or Fraction
        The distance, in pixels of the input, between the fields of neighbours.

    Examples
    --------
    >>> Field.of((3, 224, 224)).through(Window((7, 7), (2, 2))).through(Window((3, 3), (2, 2)))
    Field(size=(11, 11), step=(4, 4))
    """

    size: tuple[int, ...]
    step: tuple[Step, ...]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Field:
        """Return that of the input itself, for examples of a shape with channels first: one pixel."""
        return cls((1,) * (len(shape) - 1), (1,) * (len(shape) - 1))

    def through(self, window: Window) -> Field | None:
        """Return that of what windows over numbers with this one give."""
        if len(window.size) != len(self.size):
            return None
        axes = list(zip(self.size, self.step, window.reach, window.stride, strict=True))
        return Field(
            tuple(int(size + (reach - 1) * step) for size, step, reach, _ in axes),
            tuple(step * stride for _, step, _, stride in axes),
        )

    def __str__(self) -> str:
        return " x ".join(map(str, self.size))


def largest(fields: Sequence[Field | None]) -> Field | None:
    """Return the field of a number that depends on others, one of each field and all in one place."""
    known = [each for each in fields if each is not None]
    if len(known) < len(fields) or len({len(each.size) for each in known}) != 1:
        return None
    return Field(
        tuple(map(max, zip(*(each.size for each in known), strict=True))),
        tuple(map(max, zip(*(each.step for each in known), strict=True))),
    )
