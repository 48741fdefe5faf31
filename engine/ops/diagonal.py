"""Matrices by their diagonals: those that are made, taken, filled, and what lies above and below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.engine.config import config
from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.axes import moveaxis
from arignote.engine.ops.elementwise import abs_, cast, eq, ge, le, maximum, minimum, switch
from arignote.engine.ops.getitem import set_subtensor
from arignote.engine.ops.shape import (
    arange,
    extents,
    flatten,
    one_axis,
    reshape,
    scalar_integer,
    zeros,
)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: str | None = None) -> Variable:
    """Return a matrix with ones on a diagonal and zeros elsewhere (`theano.tensor.eye`).

    Parameters
    ----------
    n, m : int or integer scalar
        Rows and columns; by default as many columns as rows.
    k : int or integer scalar
        Which diagonal: above 0 one above the main diagonal.
    dtype : str, optional
        By default `floatX`.

    Examples
    --------
    >>> import arignote.compile
    >>> eye(2, 3, k=1).eval()
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    rows, columns = _places(n, m)
    return cast(eq(rows + scalar_integer(k, "eye: k"), columns), dtype or config.floatX)


def identity_like(x: Any) -> Variable:
    """Return a matrix of the shape and dtype of `x`, with ones on its main diagonal."""
    x = _matrix(x, "identity_like")
    rows, columns = extents(x)
    return eye(rows, columns, dtype=x.dtype)


def tri(N: Any, M: Any = None, k: Any = 0, dtype: str | None = None) -> Variable:
    """Return a matrix with ones on and below a diagonal, zeros above it (`theano.tensor.tri`).

    Parameters
    ----------
    N, M, k, dtype
        As for `eye`.

    Examples
    --------
    >>> import arignote.compile
    >>> tri(2, 3, dtype="int8").eval()
    array([[1, 0, 0],
           [1, 1, 0]], dtype=int8)
    """
    rows, columns = _places(N, M)
    return cast(ge(rows + scalar_integer(k, "tri: k"), columns), dtype or config.floatX)


def tril(m: Any, k: Any = 0) -> Variable:
    """Return the array with zeros above a diagonal of its last two axes (`theano.tensor.tril`)."""
    m = as_variable(m)
    rows, columns = _places_of(m, "tril")
    return switch(ge(rows + k, columns), m, zeros((), m.dtype))


def triu(m: Any, k: Any = 0) -> Variable:
    """Return the array with zeros below a diagonal of its last two axes (`theano.tensor.triu`)."""
    m = as_variable(m)
    rows, columns = _places_of(m, "triu")
    return switch(le(rows + k, columns), m, zeros((), m.dtype))


def _places(rows: Any, columns: Any) -> tuple[Variable, Variable]:
    """Return the numbers of the rows as a column, and of the columns as a row."""
    return arange(rows).dimshuffle(0, "x"), arange(rows if columns is None else columns).dimshuffle("x", 0)


def _places_of(m: Variable, name: str) -> tuple[Variable, Variable]:
    if m.ndim < 2:
        raise ShapeError(name, expected="an array of at least two dimensions", actual=str(m.type))
    return _places(*extents(m)[-2:])


def _matrix(x: Any, name: str) -> Variable:
    matrix = as_variable(x)
    if matrix.ndim != 2:
        raise ShapeError(name, expected="a matrix", actual=f"{matrix!r} of type {matrix.type}")
    return matrix


def _along(rows: Variable, columns: Variable, offset: Any) -> slice:
    """Return the slice of a flattened matrix that is one of its diagonals."""
    offset = scalar_integer(offset, "diagonal: offset")
    length = maximum(minimum(rows + minimum(offset, 0), columns - maximum(offset, 0)), 0)
    start = maximum(offset, 0) + maximum(-offset, 0) * columns
    return slice(start, start + length * (columns + 1), columns + 1)


def diagonal(a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """Return the diagonals over two axes, as a last axis (`theano.tensor.diagonal`).

    Parameters
    ----------
    a : Variable or array_like
        Of at least two dimensions.
    offset : int or integer scalar
        Above 0: so many columns to the right of the main diagonal.
    axis1, axis2 : int
        Rows and columns.

    Raises
    ------
    ShapeError
        If the axes are not two different ones of `a`.

    Examples
    --------
    >>> import arignote.compile
    >>> diagonal([[1, 2, 3], [4, 5, 6]], 1).eval()
    array([2, 6])
    """
    a = as_variable(a)
    first, second = one_axis(axis1, a.ndim, "diagonal"), one_axis(axis2, a.ndim, "diagonal")
    if first == second:
        raise ShapeError("diagonal", expected="two different axes", actual=f"{axis1} and {axis2}")
    last = moveaxis(a, [first, second], [-2, -1])
    *outer, rows, columns = extents(last)
    places = _along(rows, columns, offset)
    return reshape(last, [*outer, rows * columns])[..., places]


def diag(v: Any, k: Any = 0) -> Variable:
    """Return a diagonal of a matrix, or the matrix that has a vector on a diagonal (`theano.tensor.diag`).

    Examples
    --------
    >>> import arignote.compile
    >>> diag([1, 2]).eval()
    array([[1, 0],
           [0, 2]])
    """
    v = as_variable(v)
    if v.ndim not in (1, 2):
        raise ShapeError("diag", expected="a vector or a matrix", actual=f"{v!r} of type {v.type}")
    return AllocDiag(k)(v) if v.ndim == 1 else diagonal(v, k)


def AllocDiag(offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Callable[[Any], Variable]:  # noqa: N802 - Theano's name
    """Make a function that puts the last axis of an array on diagonals (`theano.tensor.AllocDiag`).

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> AllocDiag(axis1=1, axis2=2)(TensorType("float32", (5, 3))("x")).static_shape
    (5, 3, 3)
    """

    def alloc_diag(diag: Any) -> Variable:
        values = as_variable(diag)
        if not values.ndim:
            raise ShapeError(
                "AllocDiag", expected="an array of at least one dimension", actual=str(values.type)
            )
        *outer, length = extents(values)
        side = length + abs_(scalar_integer(offset, "AllocDiag: offset"))
        places = _along(side, side, offset)
        flat = set_subtensor(zeros([*outer, side * side], values.dtype)[..., places], values)
        return moveaxis(reshape(flat, [*outer, side, side]), [-2, -1], [axis1, axis2])

    return alloc_diag


def ExtractDiag(  # noqa: N802 - Theano's name
    offset: Any = 0, axis1: int = 0, axis2: int = 1, view: bool = False
) -> Callable[[Any], Variable]:
    """Make a function that returns diagonals (`theano.tensor.ExtractDiag`); see `diagonal`."""
    return lambda x: diagonal(x, offset, axis1, axis2)


#: The main diagonal (`theano.tensor.extract_diag`).
extract_diag = ExtractDiag()


def fill_diagonal(a: Any, val: Any) -> Variable:
    """Return the array with the elements ``[i, i, ...]`` set to a scalar (`theano.tensor.fill_diagonal`).

    Parameters
    ----------
    a : Variable or array_like
        A matrix, or an array of more dimensions that are all equal.
    val : scalar

    Raises
    ------
    ShapeError
        If `a` is a vector or scalar, or of three unequal dimensions or more; if `val` is no scalar.
    """
    a = as_variable(a)
    if a.ndim < 2 or as_variable(val).ndim:
        raise ShapeError(
            "fill_diagonal",
            expected="an array of at least two dimensions, and a scalar",
            actual=f"{a.type} and {as_variable(val).type}",
        )
    if a.ndim == 2:
        return fill_diagonal_offset(a, val, 0)
    index = arange(extents(a)[0])
    cube = reshape(a, [extents(a)[0]] * a.ndim)
    return set_subtensor(cube[(index,) * a.ndim], val)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Variable:
    """Return a matrix with one of its diagonals set to a scalar (`theano.tensor.fill_diagonal_offset`).

    Examples
    --------
    >>> import arignote.compile
    >>> fill_diagonal_offset([[1, 2], [3, 4]], 0, -1).eval()
    array([[1, 2],
           [0, 4]])
    """
    a = _matrix(a, "fill_diagonal_offset")
    rows, columns = extents(a)
    places = _along(rows, columns, offset)
    return reshape(set_subtensor(flatten(a)[places], val), [rows, columns])
