"""Further functions of arrays, under Theano's module name."""

from arignote.engine.ops import (
    compress,
    fill_diagonal,
    fill_diagonal_offset,
    repeat,
    squeeze,
    to_one_hot,
)

__all__ = ["compress", "fill_diagonal", "fill_diagonal_offset", "repeat", "squeeze", "to_one_hot"]
