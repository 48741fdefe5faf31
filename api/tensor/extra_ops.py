"""Further functions of arrays, under Theano's module name."""

from arignote.engine.ops import (
    bincount,
    compress,
    cumprod,
    cumsum,
    diff,
    fill_diagonal,
    fill_diagonal_offset,
    repeat,
    searchsorted,
    squeeze,
    to_one_hot,
    unique,
)

__all__ = [
    "bincount",
    "compress",
    "cumprod",
    "cumsum",
    "diff",
    "fill_diagonal",
    "fill_diagonal_offset",
    "repeat",
    "searchsorted",
    "squeeze",
    "to_one_hot",
    "unique",
]
