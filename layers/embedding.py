"""Vectors for words, and whatever else comes as whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arignote.engine.errors import DTypeError
from arignote.engine.graph import Variable
from arignote.engine.ops import take
from arignote.engine.origin import user_line
from arignote.layers.initialisers import Fans, Initialiser, Normal
from arignote.layers.layer import Layer, Shape, Training, checked_shape
from arignote.layers.receptive import Field


@dataclass(eq=False)
class Embedding(Layer):
    """A vector for each whole number of an example: row `i` of `w` for the number `i`.

    Parameters
    ----------
    vocabulary : int
        How many numbers there are: 0 to ``vocabulary - 1``. (Negative ones count from the end, as in NumPy.)
    units : int
        The length of a vector.
    initialiser : Initialiser

    Attributes
    ----------
    w : SharedVariable, shape (vocabulary, units)

    Raises
    ------
    DTypeError
        In `output`, for numbers that are not of an integer dtype.

    Examples
    --------
    >>> Embedding(1000, 16).build((28,)).output_shape
    (28, 16)
    """

    vocabulary: int
    units: int
    initialiser: Initialiser = field(default_factory=Normal)

    def __post_init__(self) -> None:
        for name in ("vocabulary", "units"):
            (size,) = checked_shape(f"Embedding: argument `{name}`", getattr(self, name), 1)
            setattr(self, name, size)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input, with the units behind it."""
        return (*shapes[0], self.units)

    @property
    def takes_whole_numbers(self) -> tuple[bool, ...]:
        """Yes."""
        return (True,)

    def create(self, rng: np.random.Generator) -> None:
        """Make `w`."""
        shape = (self.vocabulary, self.units)
        self.w = self.add_weight("w", shape, self.initialiser, rng, Fans(*shape))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the vectors; see `Layer.output`."""
        (x,) = inputs
        if not np.issubdtype(np.dtype(x.dtype), np.integer):
            raise DTypeError(
                "Embedding: the input",
                expected="whole numbers, of an integer dtype",
                actual=f"{x!r} of type {x.type}",
                fix="cast them: cast(x, 'int64')",
                origin=user_line(),
            )
        return take(self.w, x, axis=0)

    def receptive_field(self, *fields: Field | None) -> None:
        """Return None: numbers are no pixels."""
