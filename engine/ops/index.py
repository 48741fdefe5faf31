"""Indexing: slices and integers with symbolic bounds, and vectors of integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable, known_integer
from arignote.engine.ops.shape import dimshuffle, extents, zeros_like
from arignote.engine.types import TensorType


@dataclass(frozen=True)
class Bounds:
    """A slice in a pattern; each part tells whether an input gives it."""

    start: bool
    stop: bool
    step: bool


#: One entry for each leading axis: a slice, or None for an integer that an input gives.
Pattern = tuple[Bounds | None, ...]


def resolve(pattern: Pattern, values: Sequence[int | None]) -> list[int | slice | None]:
    """Return the index that a pattern and the values of its inputs make; None where a value is unknown."""
    rest = iter(values)
    result: list[int | slice | None] = []
    for entry in pattern:
        if entry is None:
            result.append(next(rest))
            continue
        given = (entry.start, entry.stop, entry.step)
        parts = [next(rest) if is_given else None for is_given in given]
        unknown = any(is_given and part is None for is_given, part in zip(given, parts, strict=True))
        result.append(None if unknown else slice(*parts))
    return result


@dataclass(frozen=True)
class Subtensor(Op):
    """A view of an array; inputs: the array, then the integers of the pattern in order."""

    pattern: Pattern
    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        kind = types[0]
        extents_: list[int | None] = []
        for axis, (entry, index) in enumerate(
            zip(self.pattern, resolve(self.pattern, values[1:]), strict=True)
        ):
            extent = kind.shape[axis]
            if entry is None:
                if isinstance(index, int) and extent is not None and not -extent <= index < extent:
                    raise ShapeError(
                        f"index {index} in dimension {axis}",
                        expected=f"an integer from {-extent} to {extent - 1}",
                        actual=f"an array of type {kind}",
                    )
            elif isinstance(index, slice) and extent is not None:
                extents_.append(len(range(*index.indices(extent))))
            elif index == slice(None):
                extents_.append(extent)
            else:
                extents_.append(None)
        return [kind.with_shape([*extents_, *kind.shape[len(self.pattern) :]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        index = resolve(self.pattern, [int(value) for value in arrays[1:]])
        return (np.asarray(arrays[0][tuple(index)]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        scattered = SubtensorGradient(self.pattern, inputs[0].ndim)(
            gradient, *extents(inputs[0]), *inputs[1:]
        )
        return [scattered, *(None for _ in inputs[1:])]


@dataclass(frozen=True)
class SubtensorGradient(Op):
    """Zeros but for a view; inputs: the view's values, the array's extents, the pattern's integers."""

    pattern: Pattern
    ndim: int
    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0].with_shape(values[1 : 1 + self.ndim])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        result = np.zeros([int(extent) for extent in arrays[1 : 1 + self.ndim]], arrays[0].dtype)
        index = resolve(self.pattern, [int(value) for value in arrays[1 + self.ndim :]])
        result[tuple(index)] = arrays[0]
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        return [Subtensor(self.pattern)(gradient, *inputs[1 + self.ndim :]), *(None for _ in inputs[1:])]


def _check_indices(indices: Sequence[np.ndarray], shape: Sequence[int]) -> None:
    """Refuse the first index that lies outside, as `index_error` words it."""
    for axis, (index, extent) in enumerate(zip(indices, shape, strict=False)):
        bad = (index < -extent) | (index >= extent)
        if bad.any():
            position = int(np.flatnonzero(bad)[0])
            raise index_error(axis, extent, position, int(index.ravel()[position]))


def index_error(axis: int, extent: int, position: int, value: int) -> InputError:
    """Return the error for an index vector's element that lies outside of its axis."""
    return InputError(
        f"index {value} (element {position} of the index vector) is out of range for axis {axis}",
        expected=f"integers from {-extent} to {extent - 1}",
        actual=str(value),
        fix="check the labels: classes count from 0",
    )


@dataclass(frozen=True)
class Gather(Op):
    """Elements picked by vectors of integers; inputs: the array, and a vector for each leading axis."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        array, *indices = types
        lengths = {kind.shape[0] for kind in indices} - {None}
        if len(lengths) > 1:
            raise ShapeError(
                "indexing: the index vectors differ in length",
                expected="vectors of one length",
                actual=", ".join(map(str, indices)),
            )
        length = next(iter(lengths), None)
        return [array.with_shape([length, *array.shape[len(indices) :]])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        array, *indices = arrays
        _check_indices(indices, array.shape)
        return (np.asarray(array[tuple(indices)]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        array, *indices = inputs
        (gradient,) = gradients
        return [ScatterAdd()(zeros_like(array), gradient, *indices), *(None for _ in indices)]


@dataclass(frozen=True)
class ScatterAdd(Op):
    """An array with values added at places; inputs: the array, the values, vectors of integers."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0]]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        array, values, *indices = arrays
        _check_indices(indices, array.shape)
        result = array.copy()
        np.add.at(result, tuple(indices), values)
        return (result,)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        _, _, *indices = inputs
        return [gradient, Gather()(gradient, *indices), *(None for _ in indices)]


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


def nonzero(x: Any) -> tuple[Variable, ...]:
    """Return where an array is not zero: one vector of indices for each axis (`theano.tensor.nonzero`).

    Examples
    --------
    >>> import arignote.compile
    >>> nonzero(np.array([0, 3, 0, 4]))[0].eval()
    array([1, 3])
    """
    return Nonzero().apply(x)


def _integer(bound: Any, axis: int) -> Variable:
    variable = as_variable(bound)
    if variable.ndim or not variable.type.is_integer:
        raise DTypeError(
            f"index of dimension {axis}",
            expected="an integer",
            actual=f"{variable!r} of type {variable.type}",
            fix="cast it: cast(i, 'int64')",
        )
    return variable


def _expand_ellipsis(index: tuple[Any, ...], ndim: int) -> Iterator[Any]:
    taken = len([entry for entry in index if entry is not None and entry is not Ellipsis])
    for entry in index:
        if entry is Ellipsis:
            yield from [slice(None)] * (ndim - taken)
        else:
            yield entry


def getitem(x: Any, index: Any) -> Variable:
    """Index an array as NumPy does.

    Parameters
    ----------
    x : Variable
    index : integer, slice, None, Ellipsis, integer vector, or a tuple of these; or a boolean mask
        Integers and the bounds of slices may be symbolic. Vectors of integers must stand for the leading
        axes, one each, as in ``p[arange(n), y]``. A mask picks the elements, or rows, where it is true.

    Raises
    ------
    DTypeError
        For a floating index, or a mask together with other indices.
    ShapeError
        For more indices than dimensions.

    Examples
    --------
    >>> import arignote.compile
    >>> x = as_variable(np.arange(6).reshape(2, 3))
    >>> x[1, ::-1].eval()
    array([5, 4, 3])
    >>> x[np.array([0, 1]), np.array([2, 0])].eval()
    array([2, 3])
    """
    x = as_variable(x)
    if _is_vector(index) and as_variable(index).dtype == "bool":
        return Gather()(x, *_places_of(as_variable(index), x))
    entries = index if isinstance(index, tuple) else (index,)
    if sum(entry is not None and entry is not Ellipsis for entry in entries) > x.ndim:
        raise ShapeError(
            f"indexing {x!r}",
            expected=f"at most {x.ndim} indices",
            actual=f"{len(entries)} of them: {entries}",
        )
    entries = tuple(_expand_ellipsis(entries, x.ndim))
    if any(_is_vector(entry) for entry in entries):
        return _pick(x, entries)
    pattern: list[Bounds | None] = []
    bounds: list[Variable] = []
    for axis, entry in enumerate(entry for entry in entries if entry is not None):
        if isinstance(entry, slice):
            parts = (entry.start, entry.stop, entry.step)
            pattern.append(Bounds(*(part is not None for part in parts)))
            bounds.extend(_integer(part, axis) for part in parts if part is not None)
            if entry.step is not None and known_integer(bounds[-1]) in (0, None):
                raise DTypeError(
                    f"slice of dimension {axis}: step",
                    expected="a constant other than 0",
                    actual=repr(entry.step),
                )
        else:
            pattern.append(None)
            bounds.append(_integer(entry, axis))
    while pattern and pattern[-1] == Bounds(False, False, False):
        pattern.pop()
    result = Subtensor(tuple(pattern))(x, *bounds) if pattern else x
    return _insert_axes(result, entries)


def _insert_axes(x: Variable, entries: tuple[Any, ...]) -> Variable:
    """Insert the axes that None asks for."""
    if None not in [entry if entry is None else 0 for entry in entries]:
        return x
    axes: list[int | str] = []
    following = iter(range(x.ndim))
    for entry in entries:
        if entry is None:
            axes.append("x")
        elif isinstance(entry, slice):
            axes.append(next(following))
    return dimshuffle(x, *axes, *following)


def _is_vector(entry: Any) -> bool:
    return isinstance(entry, list | np.ndarray | Variable) and as_variable(entry).ndim > 0


def _places_of(mask: Variable, x: Variable) -> tuple[Variable, ...]:
    """Return the indices that a mask over the leading axes stands for."""
    extents_ = zip(mask.static_shape, x.static_shape, strict=False)
    if mask.ndim > x.ndim or any(
        mine != theirs for mine, theirs in extents_ if mine is not None and theirs is not None
    ):
        raise ShapeError(
            "indexing by a mask",
            expected=f"a mask over leading axes of {x!r} ({x.type})",
            actual=str(mask.type),
        )
    return nonzero(mask)


def _pick(x: Variable, entries: tuple[Any, ...]) -> Variable:
    while entries and isinstance(entries[-1], slice) and entries[-1] == slice(None):
        entries = entries[:-1]
    vectors = []
    for axis, entry in enumerate(entries):
        if not _is_vector(entry):
            raise DTypeError(
                f"index of dimension {axis}",
                expected="vectors of integers for all leading axes, as in p[arange(n), y]",
                actual=repr(entry),
                fix="write arange(...) for a slice that is mixed with vectors",
            )
        vector = as_variable(entry)
        if vector.ndim != 1 or not vector.type.is_integer:
            raise DTypeError(
                f"index of dimension {axis}",
                expected="a vector of integers",
                actual=f"{vector!r} of type {vector.type}",
                fix="cast labels with cast(y, 'int32'), or declare them as ivector or lvector",
            )
        vectors.append(vector)
    return Gather()(x, *vectors)
