"""Indexing as NumPy does it: one op that picks a part, one that sets or increments it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import Constant, Op, Variable, known_integer
from arignote.engine.ops.elementwise import eq, switch
from arignote.engine.ops.join import Join
from arignote.engine.ops.shape import (
    DimShuffle,
    arange,
    extents,
    product,
    reshape,
    zeros,
    zeros_like,
)
from arignote.engine.types import TensorType


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
                check_index(array, axis, arrays[0].shape[axis])
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


def check_index(index: np.ndarray, axis: int, extent: int) -> None:
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
        from arignote.engine.batching import batch_extent
        from arignote.engine.ops.index_batch import over_batch

        x, *index = inputs
        count = batch_extent(inputs, is_batched)
        entries = [
            each.type.with_shape(each.static_shape[1:]) if one else each.type
            for each, one in zip(inputs, is_batched, strict=True)
        ]
        rank = self.part(entries, [None] * len(entries)).ndim
        over = over_batch(self.pattern, index, is_batched[1:], count, rank, array_has_batch=is_batched[0])
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
        from arignote.engine.batching import all_batched, batch_extent
        from arignote.engine.ops.index_batch import over_batch

        count = batch_extent(inputs, is_batched)
        array, values = all_batched(inputs[:2], is_batched[:2], count)
        over = over_batch(
            self.pattern, inputs[2:], is_batched[2:], count, values.ndim - 1, array_has_batch=True
        )
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
    while True:
        length = vector.static_shape[0]
        if place < 0:
            if length is None:
                break
            place += length
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
