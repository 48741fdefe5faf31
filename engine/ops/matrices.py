"""Functions of matrices that are made of products, inverses and decompositions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.decompositions import svd
from arignote.engine.ops.diagonal import diag, identity_like
from arignote.engine.ops.dot import dot
from arignote.engine.ops.elementwise import abs_, cast, neq, sqr, sqrt
from arignote.engine.ops.linalg import matrix_inverse, solve, square
from arignote.engine.ops.reduce import max, min, sum
from arignote.engine.ops.shape import dimshuffle, extents, product, reshape
from arignote.engine.types import float_dtype


def matrix_dot(*matrices: Any) -> Variable:
    """Return the product of matrices, from left to right (`theano.tensor.nlinalg.matrix_dot`)."""
    result = as_variable(matrices[0])
    for each in matrices[1:]:
        result = dot(result, each)
    return result


def matrix_power(x: Any, n: int) -> Variable:
    """Return a square matrix to a whole power; of a negative one, the power of the inverse.

    Raises
    ------
    DTypeError
        If the power is no integer.

    Examples
    --------
    >>> import arignote.compile
    >>> matrix_power(np.array([[1.0, 1.0], [0.0, 1.0]]), 5).eval()
    array([[1., 5.],
           [0., 1.]])
    """
    if not isinstance(n, int | np.integer):
        raise DTypeError("matrix_power: n", expected="an integer", actual=repr(n))
    base = as_variable(x)
    if n < 0:
        base, n = matrix_inverse(base), -n
    square("matrix_power", base.type)
    result = None
    while n:  # by its binary digits
        if n % 2:
            result = base if result is None else dot(result, base)
        n //= 2
        base = dot(base, base) if n else base
    return identity_like(base) if result is None else result


def trace(x: Any) -> Variable:
    """Return the sum of the diagonal of a matrix (`theano.tensor.nlinalg.trace`)."""
    x = as_variable(x)
    if x.ndim != 2:
        raise ShapeError("trace", expected="a matrix", actual=f"{x!r} of type {x.type}")
    return sum(diag(x))


def tensorinv(a: Any, ind: int = 2) -> Variable:
    """Return the inverse of an array with respect to `tensordot` (`theano.tensor.nlinalg.tensorinv`).

    Parameters
    ----------
    a : Variable or array_like
        The product of its first `ind` extents is the product of the others.
    ind : int

    Returns
    -------
    Variable
        Its first axes are the last ones of `a`.
    """
    a = as_variable(a)
    shape = extents(a)
    rows = product(shape[:ind])
    inverse = matrix_inverse(reshape(a, [rows, product(shape[ind:])]))
    return reshape(inverse, [*shape[ind:], *shape[:ind]])


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Variable:
    """Return the x with ``tensordot(a, x, x.ndim) = b`` (`theano.tensor.nlinalg.tensorsolve`).

    Parameters
    ----------
    a, b : Variable or array_like
    axes : sequence of int, optional
        Axes of `a` to move behind the others first.
    """
    a, b = as_variable(a), as_variable(b)
    if axes is not None:
        moved = [axis % a.ndim for axis in axes]
        a = dimshuffle(a, *(axis for axis in range(a.ndim) if axis not in moved), *moved)
    wanted = extents(a)[b.ndim :]
    count = product(wanted)
    return reshape(solve(reshape(a, [product(extents(a)[: b.ndim]), count]), b.flatten()), wanted)


def norm(x: Any, ord: int | float | str | None = None) -> Variable:
    """Return the norm of a vector or a matrix (`theano.tensor.nlinalg.norm`).

    Parameters
    ----------
    x : vector or matrix
    ord : number, 'inf', '-inf' or 'fro', optional
        As of `numpy.linalg.norm`. By default the root of the sum of squares.

    Raises
    ------
    ShapeError
        For another rank, or an `ord` that arrays of this rank do not have.

    Examples
    --------
    >>> import arignote.compile
    >>> float(norm(np.array([3.0, -4.0])).eval()), float(norm(np.array([3.0, -4.0]), "inf").eval())
    (5.0, 4.0)
    """
    x = as_variable(x)
    x = cast(x, float_dtype(x.dtype))
    order: Any = {"inf": math.inf, "-inf": -math.inf}.get(ord, ord) if isinstance(ord, str) else ord
    if x.ndim in (1, 2) and (order is None or (order == "fro" and x.ndim == 2)):
        return sqrt(sum(sqr(x)))
    if x.ndim == 1 and not isinstance(order, str):
        if order in (math.inf, -math.inf):
            return max(abs_(x)) if order == math.inf else min(abs_(x))
        return sum(cast(neq(x, 0), x.dtype)) if order == 0 else sum(abs_(x) ** order) ** (1 / order)
    if x.ndim == 2 and order in (1, -1, math.inf, -math.inf):
        sums = sum(abs_(x), axis=0 if order in (1, -1) else 1)
        return max(sums) if order in (1, math.inf) else min(sums)
    if x.ndim == 2 and order in (2, -2, "nuc"):
        values = svd(x, compute_uv=False)
        return max(values) if order == 2 else min(values) if order == -2 else sum(values)
    raise ShapeError(
        "norm", expected="a vector or a matrix, and an `ord` of numpy.linalg.norm",
        actual=f"{x!r} of type {x.type}, ord={ord!r}",
    )  # fmt: skip
