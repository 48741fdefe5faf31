"""Grids of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.axes import broadcast_to
from arignote.engine.ops.shape import arange, extents


@dataclass(frozen=True)
class _Grid:
    """Indexed by slices, returns the coordinates along each."""

    is_open: bool

    def __getitem__(self, index: slice | tuple[slice, ...]) -> list[Variable]:
        axes = []
        for each in index if isinstance(index, tuple) else (index,):
            if not isinstance(each, slice) or isinstance(each.step, complex) or each.stop is None:
                raise DTypeError(
                    "mgrid",
                    expected="slices with a stop, and a step that is no complex number",
                    actual=repr(each),
                )
            axes.append(
                arange(
                    0 if each.start is None else each.start, each.stop, 1 if each.step is None else each.step
                )
            )
        return _spread(axes, self.is_open)


#: Coordinates of a grid: ``mgrid[0:2, 0:3]`` is a list of two matrices (`theano.tensor.mgrid`).
mgrid = _Grid(is_open=False)

#: The same with extents of 1 along the other axes, which broadcast (`theano.tensor.ogrid`).
ogrid = _Grid(is_open=True)


def _spread(axes: Sequence[Variable], is_open: bool) -> list[Variable]:
    rank = len(axes)
    result = [x.dimshuffle(*("x",) * axis, 0, *("x",) * (rank - axis - 1)) for axis, x in enumerate(axes)]
    shape = [extents(x)[0] for x in axes]
    return result if is_open else [broadcast_to(x, shape) for x in result]


def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> list[Variable]:
    """Return the coordinates of a grid from those along its axes (`numpy.meshgrid`).

    Parameters
    ----------
    *xi : vector
    indexing : {'xy', 'ij'}
        With 'xy' the first two axes of the results are exchanged: rows are y.
    sparse : bool
        Whether extents are 1 along the other axes.

    Examples
    --------
    >>> import arignote.compile
    >>> x, y = meshgrid([1, 2, 3], [10, 20])
    >>> y.eval()
    array([[10, 10, 10],
           [20, 20, 20]])
    """
    axes = [as_variable(x) for x in xi]
    if any(x.ndim != 1 for x in axes):
        raise ShapeError("meshgrid", expected="vectors", actual=", ".join(str(x.type) for x in axes))
    if indexing not in ("xy", "ij"):
        raise DTypeError("meshgrid: indexing", expected="'xy' or 'ij'", actual=repr(indexing))
    result = _spread(axes, sparse)
    if indexing == "ij" or len(axes) < 2:
        return result
    return [x.dimshuffle(1, 0, *range(2, len(axes))) for x in result]
