"""What is composed of reductions: whether any or all elements are true, mean and spread."""

from __future__ import annotations

from typing import Any

from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise import cast, eq, neq, true_div
from arignote.engine.ops.reduce import Axis, normalize_axes, sum
from arignote.engine.ops.shape import extents


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


def mean(x: Any, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Variable:
    """Return the mean over axes (by default all); that of integers is float64, of no elements NaN.

    Examples
    --------
    >>> import arignote.compile
    >>> float(mean([1, 2]).eval())
    1.5
    """
    x = as_variable(x)
    axes = normalize_axes(axis, x.ndim, "mean")
    total = sum(x, axes, dtype, keepdims)
    count: Variable = as_variable(1)
    for axis_ in axes:
        count = count * extents(x)[axis_]
    return true_div(total, cast(count, "float32" if total.dtype == "float32" else "float64"))
