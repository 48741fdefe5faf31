"""Running sums and products, sorting, and what is found by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable, known_integer
from arignote.engine.ops.elementwise import cast, eq, maximum, sub, switch
from arignote.engine.ops.getitem import getitem, inc_subtensor
from arignote.engine.ops.join import concatenate
from arignote.engine.ops.reduce import accumulator_dtype, max
from arignote.engine.ops.shape import SpecifyShape, arange, dimshuffle, extents, flatten, one_axis, zeros
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class Cumulative(Op):
    """A reduction of the elements up to each, along an axis."""

    axis: int

    ufunc: ClassVar[np.ufunc]
    #: The same step as a formula of the total `x` and an element `y`, for the compiler.
    step: ClassVar[str]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0]]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            return (self.ufunc.accumulate(arrays[0], self.axis, arrays[0].dtype),)

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return type(self)(self.axis + 1).apply(*inputs)


@dataclass(frozen=True)
class CumSum(Cumulative):
    ufunc = np.add
    step = "x + y"

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        return [_sum_from(gradient, self.axis)]


@dataclass(frozen=True)
class CumProd(Cumulative):
    """The product; its gradient is right at zeros to second order."""

    ufunc = np.multiply
    step = "x * y"

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (out,), (g,) = inputs, outputs, gradients
        assert g is not None
        # At a zero the quotient of the products by it is those of the others. With more than two zeros before
        # it, these have no second derivatives either.
        is_zero = eq(x, 0)
        count = CumSum(self.axis)(cast(is_zero, "int64"))
        slope = _sum_from(g * out, self.axis) / switch(is_zero, 1, x)
        at_zeros: Variable | int = 0
        for number in (2, 1):
            place = is_zero & eq(count, number)
            others = CumProd(self.axis)(switch(place, 1, x))
            at_zeros = switch(place, _sum_from(g * others, self.axis), at_zeros)
        return [switch(is_zero, at_zeros, slope)]


@dataclass(frozen=True)
class ArgSort(Op):
    """Where the elements stand that come first, second ... along an axis; NaN last, ties in their order."""

    axis: int

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0].with_dtype("int64")]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (arrays[0].argsort(self.axis, kind="stable"),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return ArgSort(self.axis + 1).apply(*inputs)


@dataclass(frozen=True)
class Unique(Op):
    """Of a vector's different values in ascending order: first places, which each element is, how many."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        found = TensorType("int64", (None,))
        return [found, types[0].with_dtype("int64"), found]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        _, index, inverse, counts = np.unique(
            arrays[0], return_index=True, return_inverse=True, return_counts=True
        )
        return index, inverse, counts

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]


@dataclass(frozen=True)
class SearchSorted(Op):
    """Where values would be inserted into a sorted vector; inputs: the vector, the values, of one dtype."""

    side: Literal["left", "right"]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[1].with_dtype("int64")]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        line, values = arrays
        return (np.asarray(np.searchsorted(line, values, self.side)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None, None]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return None if is_batched[0] else self.apply(*inputs)


def _along(axis: int, entry: Any) -> tuple[Any, ...]:
    """Return the index that is `entry` in one axis and all of those before."""
    return (*(slice(None),) * axis, entry)


def _flipped(x: Variable, axis: int) -> Variable:
    return getitem(x, _along(axis, slice(None, None, -1)))


def _sum_from(x: Variable, axis: int) -> Variable:
    """Return for each element the sum of it and those behind it."""
    return _flipped(CumSum(axis)(_flipped(x, axis)), axis)


def _taken(x: Variable, places: Variable, axis: int) -> Variable:
    """Return the elements at the places along an axis, line by line."""
    index = [
        dimshuffle(arange(extent), *("x",) * i, 0, *("x",) * (x.ndim - 1 - i))
        for i, extent in enumerate(extents(x))
    ]
    index[axis] = places
    return getitem(x, tuple(index))


def _line(x: Any, axis: Any, name: str) -> tuple[Variable, int]:
    """Return an array and an axis of it; None flattens it."""
    variable = as_variable(x)
    if axis is None or (variable.ndim == 0 and axis == -1):
        return flatten(variable), 0
    return variable, one_axis(axis, variable.ndim, name)


def cumsum(x: Any, axis: int | None = None) -> Variable:
    """Return the sum of the elements up to each, along an axis (by default of the flattened array).

    That of whole numbers has 64 bits, as `sum` has.

    Examples
    --------
    >>> import arignote.compile
    >>> cumsum([1, 2, 3]).eval()
    array([1, 3, 6])
    """
    line, place = _line(x, axis, "cumsum")
    return CumSum(place)(cast(line, accumulator_dtype(line.dtype)))


def cumprod(x: Any, axis: int | None = None) -> Variable:
    """Return the product of the elements up to each, along an axis (by default of the flattened array).

    Examples
    --------
    >>> import arignote.compile
    >>> cumprod([2, 3, 4]).eval()
    array([ 2,  6, 24])
    """
    line, place = _line(x, axis, "cumprod")
    return CumProd(place)(cast(line, accumulator_dtype(line.dtype)))


def diff(x: Any, n: int = 1, axis: int = -1) -> Variable:
    """Return the differences of neighbours along an axis, `n` times over.

    Examples
    --------
    >>> import arignote.compile
    >>> diff([1, 4, 9, 16]).eval()
    array([3, 5, 7])
    >>> diff([1, 4, 9, 16], n=2).eval()
    array([2, 2])
    """
    if not isinstance(n, int) or n < 0:
        raise InputError("diff: argument `n`", expected="a number of at least 0", actual=repr(n))
    result = as_variable(x)
    place = one_axis(axis, result.ndim, "diff")
    for _ in range(n):
        behind, before = (getitem(result, _along(place, slice(*ends))) for ends in ((1, None), (None, -1)))
        result = behind ^ before if result.dtype == "bool" else sub(behind, before)
    return result


def argsort(a: Any, axis: int | None = -1, kind: str = "stable", order: None = None) -> Variable:
    """Return the places of the elements in ascending order, as int64.

    Parameters
    ----------
    a : Variable or array_like
    axis : int or None
        None flattens the array.
    kind : str
        Whatever it says, elements that are equal stay in their order. NaN come last.
    order : None
        There are no arrays with fields.

    Examples
    --------
    >>> import arignote.compile
    >>> argsort([3, 1, 2]).eval()
    array([1, 2, 0])
    """
    line, place = _line(a, axis, "argsort")
    _check_kind(kind, order, "argsort")
    return ArgSort(place)(line)


def sort(a: Any, axis: int | None = -1, kind: str = "stable", order: None = None) -> Variable:
    """Return the elements in ascending order along an axis, NaN last: see `argsort`.

    Examples
    --------
    >>> import arignote.compile
    >>> sort([3, 1, 2]).eval()
    array([1, 2, 3])
    """
    line, place = _line(a, axis, "sort")
    _check_kind(kind, order, "sort")
    return _taken(line, ArgSort(place)(line), place)


def _check_kind(kind: str, order: None, name: str) -> None:
    kinds = ("quicksort", "mergesort", "heapsort", "stable")
    if kind not in kinds or order is not None:
        raise InputError(
            f"{name}: arguments `kind` and `order`",
            expected=f"one of {', '.join(kinds)}, and no order of fields",
            actual=f"{kind!r} and {order!r}",
        )


def topk_and_argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> list[Variable]:
    """Return the largest elements along an axis, and their places.

    Parameters
    ----------
    x : Variable or array_like
    kth : int or integer scalar
        How many; a negative number asks for the smallest ones. A symbolic one is taken to be positive.
    axis : int or None
        None flattens the array.
    sorted : bool
        They always come in order: from the largest down, or from the smallest up. NaN count as the largest,
        and of equal elements the first come first.
    idx_dtype : str
        Of the places.

    Raises
    ------
    InputError
        For 0 of them.
    ShapeError
        For more than there are.

    Examples
    --------
    >>> import arignote.compile
    >>> [each.eval() for each in topk_and_argtopk([3, 1, 2], 2)]
    [array([3, 2]), array([0, 2])]
    """
    line, place = _line(x, axis, "topk")
    places = _first_places(line, kth, place)
    return [_taken(line, places, place), cast(places, idx_dtype)]


def topk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> Variable:
    """Return the largest elements along an axis: see `topk_and_argtopk`.

    Examples
    --------
    >>> import arignote.compile
    >>> topk([3, 1, 2], 2).eval(), topk([3, 1, 2], -2).eval()
    (array([3, 2]), array([1, 2]))
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Variable:
    """Return the places of the largest elements along an axis: see `topk_and_argtopk`.

    Examples
    --------
    >>> import arignote.compile
    >>> argtopk([3, 1, 2], 2).eval()
    array([0, 2])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


def _first_places(x: Variable, kth: Any, axis: int) -> Variable:
    count = as_variable(kth)
    number = known_integer(count)
    if count.ndim or not count.type.is_integer or number == 0:
        raise InputError("topk: argument `kth`", expected="an integer other than 0", actual=repr(kth))
    if number is not None and number < 0:
        count, order = as_variable(-number), ArgSort(axis)(x)
    else:  # from the back, and backwards once more, equal elements come in their order
        last = extents(x)[axis] - 1
        order = last - _flipped(ArgSort(axis)(_flipped(x, axis)), axis)
    shape = extents(x)
    shape[axis] = cast(count, "int64")
    found = getitem(order, _along(axis, slice(None, count)))
    return SpecifyShape("topk: what is found", "argument `kth`", (None,) * x.ndim)(found, *shape)


def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """Return the different elements of an array in ascending order.

    Parameters
    ----------
    ar : Variable or array_like
        Flattened.
    return_index, return_inverse, return_counts : bool
        What comes with them: the place of the first of each, the place among them of each element, and how
        many there are of each.

    Returns
    -------
    Variable, or list of Variable
        The elements, and in this order what was asked for. Their number is known when they are.

    Examples
    --------
    >>> import arignote.compile
    >>> unique([3, 1, 3]).eval()
    array([1, 3])
    """
    x = flatten(as_variable(ar))
    index, inverse, counts = Unique().apply(x)
    extras = [(return_index, index), (return_inverse, inverse), (return_counts, counts)]
    asked = [extra for is_asked, extra in extras if is_asked]
    found = getitem(x, index)
    return [found, *asked] if asked else found


def bincount(x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False) -> Variable:
    """Return how often each number from 0 on occurs, or the sums of their weights.

    Parameters
    ----------
    x : integer vector
        Of no negative numbers: these are refused as indices out of range.
    weights : vector, optional
        What each counts.
    minlength : int, optional
        The least length of the result, which otherwise ends with the largest number.
    assert_nonneg : bool
        Of no meaning here: negative numbers are always refused.

    Raises
    ------
    DTypeError
        If `x` is no vector of integers.

    Examples
    --------
    >>> import arignote.compile
    >>> bincount([1, 1, 3]).eval()
    array([0, 2, 0, 1])
    """
    places = as_variable(x)
    if places.ndim != 1 or not (places.type.is_integer or places.dtype == "bool"):
        raise DTypeError("bincount: argument `x`", expected="a vector of integers", actual=str(places.type))
    places = cast(places, "int64")
    length = max(concatenate([places, np.array([-1])])) + 1
    if minlength is not None:
        length = maximum(length, minlength)
    each = as_variable(np.int64(1) if weights is None else weights)
    # A negative number is no index from the end.
    index = switch(places < 0, length, places)
    return inc_subtensor(getitem(zeros((cast(length, "int64"),), each.dtype), index), each)


def searchsorted(x: Any, v: Any, side: Literal["left", "right"] = "left", sorter: Any = None) -> Variable:
    """Return where values would be inserted into a sorted vector, as int64.

    Parameters
    ----------
    x : vector
        In ascending order.
    v : Variable or array_like
        The values.
    side : {'left', 'right'}
        Before or behind those that are equal.
    sorter : integer vector, optional
        The places of `x` in ascending order, where it is not sorted: see `argsort`.

    Raises
    ------
    ShapeError
        If `x` is no vector.

    Examples
    --------
    >>> import arignote.compile
    >>> searchsorted([1, 3, 5], [3, 4]).eval()
    array([1, 2])
    """
    line = as_variable(x)
    if line.ndim != 1:
        raise ShapeError("searchsorted: argument `x`", expected="a vector", actual=str(line.type))
    if side not in ("left", "right"):
        raise InputError("searchsorted: argument `side`", expected="'left' or 'right'", actual=repr(side))
    if sorter is not None:
        line = getitem(line, as_variable(sorter))
    values = as_variable(v)
    common = upcast(line.dtype, values.dtype)
    return SearchSorted(side)(cast(line, common), cast(values, common))
