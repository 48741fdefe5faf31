"""Indexing as NumPy does it: one op that picks a part, one that sets or increments it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.graph import Constant, Op, Variable, as_variable, known_integer
from arignote.engine.ops.elementwise import cast, eq, switch
from arignote.engine.ops.join import Join
from arignote.engine.ops.shape import (
    DimShuffle,
    SpecifyShape,
    arange,
    dimshuffle,
    extents,
    product,
    reshape,
    scalar_integer,
    zeros,
    zeros_like,
)
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class Bounds:
    """A slice in a pattern; each part tells whether an input gives it."""

    start: bool
    stop: bool
    step: bool


class Entry(Enum):
    """What else stands in a pattern: what an input gives, a new axis, or an ellipsis that is no axis.

    Such an ellipsis separates index arrays all the same (NumPy's rule).
    """

    INTEGER = "integer"
    ARRAY = "array"
    NEWAXIS = "newaxis"
    ELLIPSIS = "ellipsis"

    @property
    def is_picked(self) -> bool:
        """Whether it stands for an axis of the indexed array, and an input says which place of it."""
        return self in (Entry.INTEGER, Entry.ARRAY)


#: The index without its numbers: they are inputs, in this order. Trailing axes are kept whole.
Pattern = tuple[Bounds | Entry, ...]

ALL = Bounds(False, False, False)


def roles(pattern: Pattern) -> list[str]:
    """Return what each input of a pattern is: an integer, an array, or a slice's start, stop or step."""
    result: list[str] = []
    for entry in pattern:
        if isinstance(entry, Bounds):
            result += [part for part in ("start", "stop", "step") if getattr(entry, part)]
        elif entry.is_picked:
            result.append(entry.value)
    return result


def index_of(pattern: Pattern, inputs: Iterable[Any]) -> list[Any]:
    """Return the index that a pattern makes of its inputs: slices, inputs, and None for new axes."""
    rest = iter(inputs)
    result: list[Any] = []
    for entry in pattern:
        if isinstance(entry, Bounds):
            parts = (entry.start, entry.stop, entry.step)
            result.append(slice(*(next(rest) if given else None for given in parts)))
        else:
            result.append(next(rest) if entry.is_picked else None if entry is Entry.NEWAXIS else Ellipsis)
    return result


def array_axes(pattern: Pattern) -> list[int]:
    """Return the axes of the indexed array that index arrays stand for."""
    indexed = [entry for entry in pattern if isinstance(entry, Bounds) or entry.is_picked]
    return [axis for axis, entry in enumerate(indexed) if entry is Entry.ARRAY]


def place_of_arrays(pattern: Pattern) -> int:
    """Return where the axes of index arrays stand in the result: in front if a slice separates them.

    Integers beside arrays count as such (NumPy's rule).
    """
    picked = [i for i, entry in enumerate(pattern) if isinstance(entry, Entry) and entry.is_picked]
    if picked[-1] - picked[0] + 1 > len(picked):
        return 0
    return sum(entry is not Entry.ELLIPSIS for entry in pattern[: picked[0]])


class Indexing(Op):
    """What ops with a pattern have in common; the pattern's inputs come last."""

    pattern: Pattern
    first: ClassVar[int]  # the place of the pattern's first input

    @property
    def shape_inputs(self) -> tuple[int, ...]:  # type: ignore[override]  # the base has a constant
        """The integers, and the bounds of slices."""
        return tuple(self.first + i for i, role in enumerate(roles(self.pattern)) if role != "array")

    @property
    def step_places(self) -> tuple[int, ...]:
        """The places of the inputs that are steps of slices."""
        return tuple(self.first + i for i, role in enumerate(roles(self.pattern)) if role == "step")

    def part(self, types: Sequence[TensorType], values: Sequence[int | None]) -> TensorType:
        """Return the type of the part that the pattern picks of an array."""
        kind = types[0]
        indices = iter(zip(types[self.first :], values[self.first :], strict=True))
        shape: list[int | None] = []
        arrays: list[TensorType] = []
        axis = 0
        for entry in self.pattern:
            if entry in (Entry.NEWAXIS, Entry.ELLIPSIS):
                shape.extend([1] * (entry is Entry.NEWAXIS))
                continue
            extent = kind.shape[axis]
            if isinstance(entry, Bounds):
                given = [next(indices)[1] if g else None for g in (entry.start, entry.stop, entry.step)]
                shape.append(_length(entry, given, extent, axis))
            else:
                index, value = next(indices)
                if entry is Entry.ARRAY:
                    arrays.append(index)
                elif value is not None and extent is not None and not -extent <= value < extent:
                    raise ShapeError(
                        f"index {value} in dimension {axis}",
                        expected=f"an integer from {-extent} to {extent - 1}",
                        actual=f"an array of type {kind}",
                    )
            axis += 1
        shape.extend(kind.shape[axis:])
        if arrays:
            place = place_of_arrays(self.pattern)
            shape[place:place] = _common_shape(arrays)
        return kind.with_shape(shape)

    def index(self, arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
        """Return NumPy's index, every element of its arrays checked."""
        given = arrays[self.first :]
        axes = iter(array_axes(self.pattern))
        checked: list[Any] = []
        for array, role in zip(given, roles(self.pattern), strict=True):
            if role == "array":
                axis = next(axes)
                _check_index(array, axis, arrays[0].shape[axis])
                checked.append(array.astype("int64"))
            else:
                checked.append(int(array))
        return tuple(index_of(self.pattern, checked))


def _length(entry: Bounds, given: Sequence[int | None], extent: int | None, axis: int) -> int | None:
    """Return the number of places in a slice, None where it is not known."""
    if given[2] == 0:
        raise ShapeError(f"slice of dimension {axis}: step", expected="an integer other than 0", actual="0")
    if entry == ALL:
        return extent
    known = zip((entry.start, entry.stop, entry.step), given, strict=True)
    if extent is None or any(is_given and value is None for is_given, value in known):
        return None
    return len(range(*slice(*given).indices(extent)))


def _common_shape(arrays: Sequence[TensorType]) -> list[int | None]:
    """Return the shape of index arrays, which is one where it is known."""
    shape: list[int | None] = []
    for extents_ in zip(*(kind.shape for kind in arrays), strict=True):
        known = {extent for extent in extents_ if extent is not None}
        if len(known) > 1:
            raise ShapeError(
                "indexing: the shapes of the index arrays do not fit together",
                expected="equal extents: a dimension broadcasts only when it is 1 in the type",
                actual=", ".join(map(str, arrays)),
            )
        shape.append(next(iter(known), None))
    return shape


def _check_index(index: np.ndarray, axis: int, extent: int) -> None:
    """Refuse the first element of an index array that lies outside, as `index_error` words it."""
    bad = (index < -extent) | (index >= extent)
    if bad.any():
        raise index_error(axis, extent, index, int(np.flatnonzero(bad)[0]))


def index_error(axis: int, extent: int, index: np.ndarray, position: int) -> InputError:
    """Return the error for an element of an index array, counted in row-major order, that lies outside."""
    value = int(index.ravel()[position])
    place = position if index.ndim == 1 else tuple(map(int, np.unravel_index(position, index.shape)))
    return InputError(
        f"index {value} (element {place} of the index array) is out of range for axis {axis}",
        expected=f"integers from {-extent} to {extent - 1}",
        actual=str(value),
        fix="check the labels: classes count from 0",
    )


@dataclass(frozen=True)
class Subtensor(Indexing):
    """A part of an array; inputs: the array, then what the pattern asks for."""

    pattern: Pattern
    first = 1

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [self.part(types, values)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(arrays[0][self.index(arrays)]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        array, *index = inputs
        scattered = IncSubtensor(self.pattern, set_instead_of_inc=False)(zeros_like(array), gradient, *index)
        return [scattered, *(None for _ in index)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        from arignote.engine.batching import batch_extent, spread
        from arignote.engine.ops.index_batch import over_batch

        x, *index = inputs
        count = batch_extent(inputs, is_batched)
        x = x if is_batched[0] else spread(x, count)
        entries = [
            each.type.with_shape(each.static_shape[1:]) if one else each.type
            for each, one in zip([x, *index], [True, *is_batched[1:]], strict=True)
        ]
        rank = self.part(entries, [None] * len(entries)).ndim
        over = over_batch(self.pattern, index, is_batched[1:], count, rank)
        return None if over is None else [over.part(Subtensor(over.pattern)(x, *over.inputs))]


@dataclass(frozen=True)
class IncSubtensor(Indexing):
    """An array, a part of which is set or incremented.

    Inputs: the array, the values, of the part's shape and the array's dtype, then what the pattern asks for.
    Where an index array names a place twice, the last value is what it is set to, and all increments count.
    """

    pattern: Pattern
    set_instead_of_inc: bool
    first = 2

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        part = self.part(types, values)
        if types[1].ndim != part.ndim or any(
            mine is not None and theirs is not None and mine != theirs
            for mine, theirs in zip(types[1].shape, part.shape, strict=True)
        ):
            raise ShapeError(
                f"{'set' if self.set_instead_of_inc else 'inc'}_subtensor: argument `y`",
                expected=f"{part}, as the part: a dimension broadcasts only when it is 1 in the type",
                actual=str(types[1]),
            )
        return [types[0]]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        result, index = arrays[0].copy(), self.index(arrays)
        if self.set_instead_of_inc:
            result[index] = arrays[1]
        elif Entry.ARRAY in self.pattern:
            np.add.at(result, index, arrays[1])
        else:
            result[index] += arrays[1]
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        array, values, *index = inputs
        of_values = Subtensor(self.pattern)(gradient, *index)
        if not self.set_instead_of_inc:
            return [gradient, of_values, *(None for _ in index)]
        if Entry.ARRAY in self.pattern:
            of_values = switch(self._stays(array, values, index), of_values, zeros((), gradient.dtype))
        return [self(gradient, zeros_like(values), *index), of_values, *(None for _ in index)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        from arignote.engine.batching import batch_extent, spread
        from arignote.engine.ops.index_batch import over_batch

        count = batch_extent(inputs, is_batched)
        array, values = (
            x if one else spread(x, count) for x, one in zip(inputs[:2], is_batched[:2], strict=True)
        )
        over = over_batch(self.pattern, inputs[2:], is_batched[2:], count, values.ndim - 1)
        if over is None:
            return None
        op = IncSubtensor(over.pattern, self.set_instead_of_inc)
        return op.apply(array, over.values(values), *over.inputs)

    def _stays(self, array: Variable, values: Variable, index: Sequence[Variable]) -> Variable:
        """Return which of the values are not overwritten by a later one."""
        shape = extents(values)
        numbers = reshape(arange(product(shape)), shape)
        kept = self(zeros(extents(array), "int64"), numbers, *index)
        return eq(Subtensor(self.pattern)(kept, *index), numbers)


@dataclass(frozen=True)
class Nonzero(Op):
    """Where an array is not zero: one vector of indices for each axis, in row-major order."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        if not types[0].ndim:
            raise ShapeError("nonzero", expected="an array of at least one dimension", actual=str(types[0]))
        return [TensorType("int64", (None,))] * types[0].ndim

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return np.nonzero(arrays[0])

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """Return where an array is not zero (`theano.tensor.nonzero`).

    Parameters
    ----------
    a : Variable or array_like
    return_matrix : bool
        Whether to return one matrix, a row for each axis, instead of a tuple.

    Returns
    -------
    tuple of Variable, or Variable
        A vector of indices for each axis, in row-major order.

    Examples
    --------
    >>> import arignote.compile
    >>> nonzero(np.array([0, 3, 0, 4]))[0].eval()
    array([1, 3])
    """
    from arignote.engine.ops.join import stack

    places = Nonzero().apply(a)
    return stack(list(places)) if return_matrix else places


def element_of_vector(x: Variable) -> Variable | None:
    """Follow an element through the vectors it was put in: ``join(a, stack(b, c))[-1]`` is c.

    Returns
    -------
    Variable or None
        A scalar or a constant, None where the element of no other vector is known to be it.
    """
    found: Variable | None = None
    while x.owner is not None and isinstance(x.owner.op, Subtensor):
        place = known_integer(x.owner.inputs[-1])
        if x.owner.op.pattern != (Entry.INTEGER,) or x.owner.inputs[0].ndim != 1 or place is None:
            break
        element = _element(x.owner.inputs[0], place)
        if element is None:
            break
        found = x = element
    return found


def _element(vector: Variable, place: int) -> Variable | None:
    moved = False
    while place >= 0 or vector.static_shape[0] is not None:
        place += vector.static_shape[0] or 0 if place < 0 else 0
        if isinstance(vector, Constant):
            return Constant(vector.value[place])
        op = vector.owner.op if vector.owner is not None else None
        inputs = vector.owner.inputs if vector.owner is not None else ()
        if isinstance(op, DimShuffle) and not inputs[0].ndim:
            return inputs[0]
        if isinstance(op, Join):
            for part in inputs:
                extent = part.static_shape[0]
                if extent is None:
                    return None
                if place < extent:
                    vector = part
                    break
                place -= extent
        elif isinstance(op, Subtensor) and len(op.pattern) == 1 and isinstance(op.pattern[0], Bounds):
            bounds, extent = [known_integer(bound) for bound in inputs[1:]], inputs[0].static_shape[0]
            if None in bounds or extent is None:
                break
            place = range(extent)[index_of(op.pattern, bounds)[0]][place]
            vector = inputs[0]
        else:
            break
        moved = True
    return Subtensor((Entry.INTEGER,))(vector, place) if moved else None


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
    from arignote.engine.ops.reduce import BroadcastTo

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
    from arignote.engine.ops.reduce import BroadcastTo

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
        fits = upcast(values.dtype, part.dtype) == part.dtype or (isinstance(y, int) and part.type.is_float)
    if not fits:
        raise DTypeError(
            f"{name}: argument `y`",
            expected=f"a dtype that fits into {part.dtype}",
            actual=f"{values!r} of type {values.type}",
            fix=f"cast it: cast(y, {part.dtype!r})",
        )
    return cast(values, part.dtype)
