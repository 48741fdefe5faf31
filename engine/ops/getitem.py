"""Indexing: what is picked, set and incremented, from an index as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.index import ALL, Bounds, Entry, IncSubtensor, Subtensor, nonzero, roles
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import SpecifyShape, dimshuffle, extents, scalar_integer
from arignote.engine.types import upcast


def getitem(x: Any, index: Any) -> Variable:
    """Index an array as NumPy does.

    Parameters
    ----------
    x : Variable
    index : integer, slice, None, Ellipsis, array of integers, boolean mask, list, or a tuple of these
        All of them may be symbolic, as may the bounds and the steps of slices. Index arrays broadcast
        together, where they are 1 in the type, and integers beside them count as such; their axes stand where
        they are in the index, or in front if a slice separates them. A mask stands for the indices of its
        true elements.

    Raises
    ------
    DTypeError
        For a floating index.
    ShapeError
        For more indices than dimensions, a mask of another shape than the axes it stands for, a step of 0, or
        index arrays that do not fit together.
    InputError
        At the call, for an element of an index array that is out of range.

    Examples
    --------
    >>> import arignote.compile
    >>> x = as_variable(np.arange(6).reshape(2, 3))
    >>> x[1, ::-1].eval()
    array([5, 4, 3])
    >>> x[np.array([0, 1]), np.array([2, 0])].eval()
    array([2, 3])
    >>> x[:, [True, False, True]].eval()
    array([[0, 2],
           [3, 5]])
    """
    x = as_variable(x)
    entries: list[Any] = []
    taken = 0
    for entry in index if isinstance(index, tuple) else (index,):
        is_plain = entry is None or entry is Ellipsis or isinstance(entry, slice)
        entries.append(entry if is_plain else _as_index(entry, taken))
        taken += _axes_taken(entries[-1])
    if taken > x.ndim or sum(entry is Ellipsis for entry in entries) > 1:
        raise ShapeError(
            f"indexing {x!r} of type {x.type}",
            expected=f"at most {x.ndim} indices, and one ellipsis",
            actual=f"{taken} indices: {index}",
        )
    pattern: list[Bounds | Entry] = []
    inputs: list[Variable] = []
    axis = 0
    for entry in _spelt_out(entries, x.ndim - taken):
        if entry is None or entry is Ellipsis:
            pattern.append(Entry.NEWAXIS if entry is None else Entry.ELLIPSIS)
        elif isinstance(entry, slice):
            parts = (entry.start, entry.stop, entry.step)
            pattern.append(Bounds(*(part is not None for part in parts)))
            name = f"index of dimension {axis}: slice"
            inputs.extend(scalar_integer(part, name) for part in parts if part is not None)
        elif entry.dtype == "bool":
            places = nonzero(_masking(entry, x, axis))
            pattern.extend([Entry.ARRAY] * len(places))
            inputs.extend(places)
        elif entry.ndim:
            pattern.append(Entry.ARRAY)
            inputs.append(entry)
        else:
            pattern.append(Entry.INTEGER)
            inputs.append(scalar_integer(entry, f"index of dimension {axis}"))
        axis += _axes_taken(entry)
    picked = [i for i, entry in enumerate(pattern) if isinstance(entry, Entry) and entry.is_picked]
    if Entry.ELLIPSIS in pattern and not (
        Entry.ARRAY in pattern and picked[0] < pattern.index(Entry.ELLIPSIS) < picked[-1]
    ):
        pattern.remove(Entry.ELLIPSIS)
    # Beside an ellipsis all axes are spelt out, so that it is none.
    while Entry.ELLIPSIS not in pattern and pattern and pattern[-1] == ALL:
        pattern.pop()
    return Subtensor(tuple(pattern))(x, *_broadcast_arrays(pattern, inputs))


def _as_index(entry: Any, axis: int) -> Variable:
    """Return an entry of an index that is no slice as a variable."""
    if isinstance(entry, list) and not entry:
        entry = np.zeros(0, "int64")
    variable = as_variable(entry)
    if variable.type.is_float or (variable.dtype == "bool" and not variable.ndim):
        raise DTypeError(
            f"index of dimension {axis}",
            expected="an integer, an array of integers, or a mask of bools",
            actual=f"{variable!r} of type {variable.type}",
            fix="cast labels with cast(y, 'int32'), or declare them as ivector or lvector",
        )
    return variable


def _axes_taken(entry: Any) -> int:
    """Return how many axes an entry of an index stands for."""
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if isinstance(entry, Variable) and entry.dtype == "bool" else 1


def _spelt_out(entries: Sequence[Any], left: int) -> Iterator[Any]:
    for entry in entries:
        if entry is Ellipsis and left:
            yield from [slice(None)] * left
        else:
            yield entry


def _masking(mask: Variable, x: Variable, axis: int) -> Variable:
    """Return a mask that is promised to have the shape of the axes it stands for."""
    shape = x.static_shape[axis : axis + mask.ndim]
    pairs = zip(mask.static_shape, shape, strict=True)
    if any(mine != theirs for mine, theirs in pairs if mine is not None and theirs is not None):
        raise ShapeError(
            "indexing by a mask",
            expected=f"a mask over the axes of {x!r} ({x.type}) from dimension {axis} on",
            actual=str(mask.type),
        )
    return SpecifyShape("indexing: the mask", "the array", (None,) * mask.ndim)(
        mask, *extents(x)[axis : axis + mask.ndim]
    )


def _broadcast_arrays(pattern: Sequence[Bounds | Entry], inputs: Sequence[Variable]) -> list[Variable]:
    """Give the arrays among a pattern's inputs one rank, and one shape where some are 1 in the type."""
    places = [i for i, role in enumerate(roles(tuple(pattern))) if role == "array"]
    result = list(inputs)
    if len(places) < 2:
        return result
    rank = max(inputs[i].ndim for i in places)
    for i in places:
        result[i] = dimshuffle(result[i], *("x",) * (rank - result[i].ndim), *range(result[i].ndim))
    arrays = [result[i] for i in places]
    full = [
        next((array for array in arrays if not array.broadcastable[axis]), arrays[0]) for axis in range(rank)
    ]
    for i in places:
        if any(result[i].broadcastable[axis] and not full[axis].broadcastable[axis] for axis in range(rank)):
            result[i] = BroadcastTo()(result[i], *(extents(full[axis])[axis] for axis in range(rank)))
    return result


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Variable:
    """Return an array a part of which is set (`theano.tensor.set_subtensor`).

    Parameters
    ----------
    x : Variable
        An indexed array, ``a[index]``, of any index. The result is of the shape and dtype of ``a``, which
        stays as it is. Of ``a[i][j]``, that is ``a[i]`` with its part ``[j]`` set.
    y : Variable or array_like
        What it is set to; it broadcasts to the part. Where the index names a place twice, the last value
        stays.
    inplace, tolerate_inplace_aliasing : bool
        Accepted, as in Theano; the compiler decides what is computed in place.

    Raises
    ------
    DTypeError
        If `x` is not indexed, or `y` is of a dtype that does not fit into that of `x`.
    ShapeError
        If `y` does not fit the part.

    Examples
    --------
    >>> import arignote.compile
    >>> a = as_variable(np.zeros(4))
    >>> set_subtensor(a[1:3], 5.0).eval()
    array([0., 5., 5., 0.])
    """
    return _changed(x, y, True, "set_subtensor")


def inc_subtensor(
    x: Any,
    y: Any,
    inplace: bool = False,
    set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
) -> Variable:
    """Return an array a part of which is incremented (`theano.tensor.inc_subtensor`).

    Parameters
    ----------
    x, y, inplace, tolerate_inplace_aliasing
        As for `set_subtensor`. Where the index names a place twice, both values are added.
    set_instead_of_inc : bool
        Whether to set instead.

    Examples
    --------
    >>> import arignote.compile
    >>> a = as_variable(np.zeros(4))
    >>> inc_subtensor(a[[0, 2, 2]], [1.0, 2.0, 3.0]).eval()
    array([1., 0., 5., 0.])
    """
    return _changed(x, y, set_instead_of_inc, "inc_subtensor")


def _changed(part: Any, y: Any, is_set: bool, name: str) -> Variable:
    if not isinstance(part, Variable) or part.owner is None or not isinstance(part.owner.op, Subtensor):
        raise DTypeError(
            f"{name}: argument `x`",
            expected="an indexed array",
            actual=repr(part),
            fix=f"write {name}(a[index], y): the result is a new array",
        )
    values = _fitting(y, part, name)
    if part.dtype == "bool" and not is_set:
        raise DTypeError(name, expected="numbers", actual=str(part.type), fix="use set_subtensor for bools")
    if values.ndim > part.ndim:
        raise ShapeError(
            f"{name}: argument `y`",
            expected=f"at most {part.ndim} dimensions, as the part has",
            actual=str(values.type),
        )
    values = dimshuffle(values, *("x",) * (part.ndim - values.ndim), *range(values.ndim))
    if values.broadcastable != part.broadcastable and any(values.broadcastable):
        shape = zip(extents(values), extents(part), values.broadcastable, strict=True)
        values = BroadcastTo()(values, *(theirs if one else mine for mine, theirs, one in shape))
    array, *index = part.owner.inputs
    return IncSubtensor(part.owner.op.pattern, is_set)(array, values, *index)


def _fitting(y: Any, part: Variable, name: str) -> Variable:
    """Return what a part is set to in the part's dtype; a Python number takes it as it does in NumPy."""
    if isinstance(y, float) and part.type.is_float:
        y = np.asarray(y, part.dtype)
    values = as_variable(y)
    if isinstance(y, int) and not isinstance(y, bool) and part.type.is_integer:
        info = np.iinfo(part.dtype)
        fits = info.min <= y <= info.max
    else:
        # A wider float is rounded, as in Theano and NumPy: what `alloc(0.0, ...)` makes may be float32.
        to_float = part.type.is_float and (isinstance(y, int) or values.type.is_float)
        fits = to_float or upcast(values.dtype, part.dtype) == part.dtype
    if not fits:
        raise DTypeError(
            f"{name}: argument `y`",
            expected=f"a dtype that fits into {part.dtype}",
            actual=f"{values!r} of type {values.type}",
            fix=f"cast it: cast(y, {part.dtype!r})",
        )
    return cast(values, part.dtype)
