"""Elements picked by arrays of integers: expressions of indexing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.axes import broadcast_to, shape_padleft
from arignote.engine.ops.elementwise import cast, maximum, minimum, mod
from arignote.engine.ops.getitem import set_subtensor
from arignote.engine.ops.index import nonzero
from arignote.engine.ops.join import stack
from arignote.engine.ops.shape import arange, extents, flatten, one_axis, reshape, zeros, zeros_like


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Variable:
    """Return elements along an axis (`theano.tensor.take`).

    Parameters
    ----------
    a : Variable or array_like
    indices : integer scalar or array
        Of any rank; its axes stand in the place of `axis`.
    axis : int, optional
        By default `a` is flattened.
    mode : {'raise', 'clip', 'wrap'}
        What becomes of indices out of range: an error; the nearest that is in range, 0 for negative ones; the
        index modulo the extent.

    Raises
    ------
    DTypeError
        For another mode, or indices that are no integers.
    InputError
        At the call, for an index out of range.

    Examples
    --------
    >>> import arignote.compile
    >>> take([[1, 2, 3], [4, 5, 6]], [2, 0], axis=1).eval()
    array([[3, 1],
           [6, 4]])
    """
    array = flatten(a) if axis is None else as_variable(a)
    place = one_axis(axis or 0, array.ndim, "take")
    picked = _in_range(as_variable(indices), extents(array)[place], mode, "take")
    return array[(slice(None),) * place + (picked,)]


def _in_range(indices: Variable, extent: Variable, mode: str, name: str) -> Variable:
    if mode == "raise":
        return indices
    if mode == "clip":
        return maximum(minimum(indices, extent - 1), 0)
    if mode == "wrap":
        return mod(indices, extent)
    raise DTypeError(f"{name}: mode", expected="'raise', 'clip' or 'wrap'", actual=repr(mode))


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Variable:
    """Return, for each element of `a`, that of the array it names (`theano.tensor.choose`).

    Parameters
    ----------
    a : Variable or array_like
        Integers from 0 to before the number of choices.
    choices : sequence of arrays, or array
        They broadcast with `a`; of an array, each entry of its first axis is a choice.
    out : None
    mode : {'raise', 'clip', 'wrap'}
        As for `take`.

    Raises
    ------
    DTypeError
        If `out` is given.

    Examples
    --------
    >>> import arignote.compile
    >>> choose([1, 0, 1], [[1, 2, 3], [10, 20, 30]]).eval()
    array([10,  2, 30])
    """
    if out is not None:
        raise DTypeError("choose: out", expected="None: arrays are never written to", actual=repr(out))
    picks = as_variable(a)
    if isinstance(choices, Variable) or not isinstance(choices, Sequence):
        whole = as_variable(choices)
        rank = max(picks.ndim, whole.ndim - 1)
        whole = whole.dimshuffle(0, *("x",) * (rank + 1 - whole.ndim), *range(1, whole.ndim))
        picks, *_ = _broadcast(picks, whole[0])
        whole = broadcast_to(whole, [extents(whole)[0], *extents(picks)])
    else:
        picks, *options = _broadcast(picks, *map(as_variable, choices))
        whole = stack(options)
    count, *shape = extents(whole)
    picks = flatten(_in_range(picks, count, mode, "choose"))
    return reshape(reshape(whole, [count, extents(picks)[0]])[picks, arange(extents(picks)[0])], shape)


def _broadcast(*arrays: Variable) -> list[Variable]:
    """Give arrays one shape, repeating them where they are 1 in the type."""
    rank = max(x.ndim for x in arrays)
    padded = [shape_padleft(x, rank - x.ndim) for x in arrays]
    shape = [
        next((extents(x)[axis] for x in padded if not x.broadcastable[axis]), as_variable(1))
        for axis in range(rank)
    ]
    return [broadcast_to(x, shape) for x in padded]


def flatnonzero(a: Any) -> Variable:
    """Return where the flattened array is not zero (`theano.tensor.flatnonzero`)."""
    return nonzero(flatten(a))[0]  # type: ignore[no-any-return]  # a tuple of variables


def nonzero_values(a: Any) -> Variable:
    """Return the elements that are not zero, in row-major order (`theano.tensor.nonzero_values`)."""
    a = as_variable(a)
    return flatten(a)[flatnonzero(a)]


def compress(condition: Any, x: Any, axis: int | None = None) -> Variable:
    """Return what of an axis stands where a vector is true (`theano.tensor.extra_ops.compress`).

    Parameters
    ----------
    condition : vector
        Where it is shorter than the axis, the rest is left out.
    x : Variable or array_like
    axis : int, optional
        By default `x` is flattened.

    Examples
    --------
    >>> import arignote.compile
    >>> compress([False, True], [[1, 2], [3, 4]], axis=1).eval()
    array([[2],
           [4]])
    """
    return take(x, flatnonzero(condition), axis)


def to_one_hot(y: Any, nb_class: Any, dtype: str | None = None) -> Variable:
    """Return a row for each label, 1 in its column and 0 elsewhere (`theano.tensor.extra_ops.to_one_hot`).

    Parameters
    ----------
    y : integer vector
    nb_class : int or integer scalar
    dtype : str, optional
        By default `floatX`.

    Raises
    ------
    InputError
        At the call, for a label out of range.

    Examples
    --------
    >>> import arignote.compile
    >>> to_one_hot([0, 2], 3).eval()
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    y = as_variable(y)
    if y.ndim != 1:
        raise ShapeError("to_one_hot: y", expected="a vector of labels", actual=f"{y!r} of type {y.type}")
    count = extents(y)[0]
    return set_subtensor(zeros((count, nb_class), dtype or config.floatX)[arange(count), y], 1)


def inverse_permutation(perm: Any) -> Variable:
    """Return the permutation that undoes one, or each row of several (`theano.tensor.inverse_permutation`).

    Examples
    --------
    >>> import arignote.compile
    >>> inverse_permutation([2, 0, 1]).eval()
    array([1, 2, 0])
    """
    perm = as_variable(perm)
    places = cast(arange(extents(perm)[-1]), perm.dtype)
    return set_subtensor(zeros_like(perm)[(*_grid(extents(perm)[:-1], perm.ndim), perm)], places)


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Variable:
    """Reorder the elements of each row (`theano.tensor.permute_row_elements`).

    Parameters
    ----------
    x : Variable or array_like
    y : integer vector or array
        A permutation for all rows, or one for each: the leading axes of both broadcast.
    inverse : bool
        Whether to undo them instead.

    Examples
    --------
    >>> import arignote.compile
    >>> permute_row_elements([[1, 2, 3], [4, 5, 6]], [2, 0, 1]).eval()
    array([[3, 1, 2],
           [6, 4, 5]])
    """
    order = as_variable(y)
    rows, order = _broadcast(as_variable(x), inverse_permutation(order) if inverse else order)
    return rows[(*_grid(extents(rows)[:-1], rows.ndim), order)]


def _grid(shape: Sequence[Variable], rank: int) -> list[Variable]:
    """Return the indices along each of the leading axes, for index arrays of a rank."""
    return [
        arange(extent).dimshuffle(*("x",) * axis, 0, *("x",) * (rank - axis - 1))
        for axis, extent in enumerate(shape)
    ]
