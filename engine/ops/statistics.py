"""What is composed of reductions: whether any or all elements are true, mean and spread."""

from __future__ import annotations

import functools
import math
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.dot import dot
from arignote.engine.ops.elementwise import (
    abs_,
    cast,
    eq,
    maximum,
    minimum,
    neq,
    pow,
    sqr,
    sqrt,
    sub,
    true_div,
)
from arignote.engine.ops.join import concatenate
from arignote.engine.ops.reduce import Axis, max, min, normalize_axes, sum
from arignote.engine.ops.shape import dimshuffle, extents, product, transpose


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return whether any element over axes (by default all) is not 0; of no elements none is.

    Examples
    --------
    >>> import arignote.compile
    >>> any([[0, 2], [0, 0]], axis=1).eval()
    array([ True, False])
    """
    return neq(sum(neq(x, 0), axis, keepdims=keepdims), 0)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return whether all elements over axes (by default all) are not 0; of no elements all are.

    Examples
    --------
    >>> import arignote.compile
    >>> all([[1, 2], [0, 2]], axis=1).eval()
    array([ True, False])
    """
    return eq(sum(eq(x, 0), axis, keepdims=keepdims), 0)


def mean(
    input: Any,
    axis: Axis = None,
    dtype: str | None = None,
    op: bool = False,
    keepdims: bool = False,
    acc_dtype: str | None = None,
) -> Variable:
    """Return the mean over axes; that of integers is float64, of no elements NaN.

    Parameters
    ----------
    input : Variable or array_like
    axis, dtype, keepdims, acc_dtype
        As of `sum`.
    op : bool
        Of no meaning here, as of none in Theano.

    Examples
    --------
    >>> import arignote.compile
    >>> float(mean([1, 2]).eval())
    1.5
    """
    x = as_variable(input)
    total = sum(x, axis, dtype, keepdims, acc_dtype)
    return true_div(total, _count(x, axis, total.dtype))


def _count(x: Variable, axis: Axis, dtype: str) -> Variable:
    """Return how many elements are reduced to one, as a float that `dtype` divides by."""
    shape = extents(x)
    count = product([shape[i] for i in normalize_axes(axis, x.ndim, "mean")])
    return cast(count, "float32" if dtype == "float32" else "float64")


def var(
    input: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Variable:
    """Return the variance over axes: the mean square of what differs from the mean.

    Parameters
    ----------
    input : Variable or array_like
    axis : int or sequence of int, optional
    ddof : int
        What the number of elements is lowered by in the mean of the squares.
    keepdims : bool
    corrected : bool
        Whether to take away what rounding has left of the mean: the corrected two-pass algorithm of Chan,
        Golub and LeVeque, "Algorithms for computing the sample variance" (1983).

    Examples
    --------
    >>> import arignote.compile
    >>> float(var([1.0, 2.0, 3.0], ddof=1).eval())
    1.0
    """
    x = as_variable(input)
    centred = x - mean(x, axis, keepdims=True)
    squares = sum(sqr(centred), axis, keepdims=keepdims)
    count = _count(x, axis, centred.dtype)
    if corrected:
        squares -= true_div(sqr(sum(centred, axis, keepdims=keepdims)), count)
    return true_div(squares, count - ddof if ddof else count)


def std(
    input: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Variable:
    """Return the standard deviation over axes, the root of `var`.

    Examples
    --------
    >>> import arignote.compile
    >>> float(std([1.0, 2.0, 3.0], ddof=1).eval())
    1.0
    """
    return sqrt(var(input, axis, ddof, keepdims, corrected))


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: None = None,
    aweights: None = None,
) -> Variable:
    """Return the covariances of variables.

    Parameters
    ----------
    m : vector or matrix
        A variable a row, an observation a column.
    y : vector or matrix, optional
        More variables.
    rowvar : bool
        False if variables are columns.
    bias : bool
        Whether to divide by the number of observations, not by one less.
    ddof : int, optional
        What the number of observations is lowered by, whatever `bias` says.
    fweights, aweights : None
        Weights are not supported, as in Theano.

    Raises
    ------
    DTypeError
        For weights.
    ShapeError
        For more than two dimensions.

    Examples
    --------
    >>> import arignote.compile
    >>> cov([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).eval()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    if fweights is not None or aweights is not None:
        raise DTypeError("cov: arguments `fweights` and `aweights`", expected="None")
    rows = [_variables_in_rows(each, rowvar) for each in (m, y) if each is not None]
    x = concatenate(rows) if y is not None else rows[0]
    centred = x - mean(x, 1, keepdims=True)
    lowered = int(not bias) if ddof is None else ddof
    return true_div(dot(centred, transpose(centred)), _count(x, 1, centred.dtype) - lowered)


def _variables_in_rows(x: Any, rowvar: bool) -> Variable:
    variable = as_variable(x)
    if variable.ndim not in (1, 2):
        raise ShapeError("cov", expected="vectors or matrices", actual=str(variable.type))
    if variable.ndim == 1:
        return dimshuffle(variable, "x", 0)
    return variable if rowvar else transpose(variable)


def ptp(a: Any, axis: Axis = None) -> Variable:
    """Return the range of values over axes: the maximum less the minimum.

    Examples
    --------
    >>> import arignote.compile
    >>> ptp([[1, 4], [3, 2]], axis=1).eval()
    array([3, 1])
    """
    return sub(max(a, axis), min(a, axis))


def lp_norm(x: Any, L: float, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the L-norm over axes: ``sum(abs(x) ** L) ** (1 / L)``.

    Parameters
    ----------
    x : Variable or array_like
    L : float
        Infinite for the largest magnitude; 0 for the number of elements that are not 0.
    axis : int or sequence of int, optional
    keepdims : bool

    Examples
    --------
    >>> import arignote.compile
    >>> float(lp_norm([3.0, 4.0], 2).eval())
    5.0
    """
    x = as_variable(x)
    if L == 0:
        return sum(neq(x, 0), axis, x.dtype, keepdims)
    size = abs_(x)
    if L in (math.inf, -math.inf):
        return max(size, axis, keepdims) if L > 0 else min(size, axis, keepdims)
    if L == 1:
        return sum(size, axis, keepdims=keepdims)
    if L == 2:
        return sqrt(sum(sqr(x), axis, keepdims=keepdims))
    return pow(sum(pow(size, L), axis, keepdims=keepdims), 1 / L)


def largest(*args: Any) -> Variable:
    """Return the elementwise maximum of arrays.

    Examples
    --------
    >>> import arignote.compile
    >>> largest([1, 5], [3, 2], [2, 2]).eval()
    array([3, 5])
    """
    return functools.reduce(maximum, map(as_variable, args))


def smallest(*args: Any) -> Variable:
    """Return the elementwise minimum of arrays.

    Examples
    --------
    >>> import arignote.compile
    >>> smallest([1, 5], [3, 2], [2, 2]).eval()
    array([1, 2])
    """
    return functools.reduce(minimum, map(as_variable, args))
