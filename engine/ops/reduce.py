"""Reductions: sums, products, extrema and their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast, eq, switch
from arignote.engine.ops.shape import dimshuffle, extents, flatten
from arignote.engine.types import TensorType

Axis = int | Sequence[int] | None


@dataclass(frozen=True)
class Reduction(Op):
    """A reduction over axes, which disappear; an empty one gives the neutral element."""

    axes: tuple[int, ...]

    ufunc: ClassVar[np.ufunc]
    #: The same step as a formula of the accumulator `x` and an element `y`, for the compiler.
    step: ClassVar[str]
    #: What the accumulator starts from, by dtype.
    has_neutral: ClassVar[bool] = True

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        if not self.has_neutral and any(kind.shape[axis] == 0 for axis in self.axes):
            raise ShapeError(
                f"{type(self).__name__.lower()} over an axis without elements",
                expected="elements",
                actual=str(kind),
            )
        return [kind.with_shape(extent for axis, extent in enumerate(kind.shape) if axis not in self.axes)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            return (np.asarray(self.ufunc.reduce(arrays[0], axis=self.axes, dtype=arrays[0].dtype)),)

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return replace(self, axes=tuple(axis + 1 for axis in self.axes)).apply(*inputs)

    def spread(self, reduced: Variable, like: Variable) -> Variable:
        """Give what was reduced its axes back, with extent 1."""
        kept = iter(range(reduced.ndim))
        return dimshuffle(reduced, *("x" if axis in self.axes else next(kept) for axis in range(like.ndim)))


@dataclass(frozen=True)
class Sum(Reduction):
    ufunc = np.add
    step = "x + y"

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (gradient,) = inputs, gradients
        assert gradient is not None
        return [broadcast_like(self.spread(gradient, x), x)]


@dataclass(frozen=True)
class Prod(Reduction):
    """The product, whose gradient is right at zeros to second order; none may be there if so is promised."""

    no_zeros_in_input: bool = False

    ufunc = np.multiply
    step = "x * y"

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (out,), (gradient,) = inputs, outputs, gradients
        assert gradient is not None
        g = self.spread(gradient, x)
        if self.no_zeros_in_input:
            return [g * self.spread(out, x) / x]
        # With P the product of what is not 0 and s the sum of the zeros, the product is P if there are none,
        # s P with one, z (s - z) P with two of which z is one; with more its second derivatives are 0.
        is_zero = eq(x, 0)
        others = switch(is_zero, 1, x)
        zeros = self.spread(sum(cast(is_zero, "int64"), self.axes), x)
        s = self.spread(sum(switch(is_zero, x, 0), self.axes), x)
        p = self.spread(Prod(self.axes, no_zeros_in_input=True)(others), x)
        with_one = switch(is_zero, p, s * p / others)
        with_two = switch(eq(zeros, 2) & is_zero, (s - x) * p, 0)
        return [g * switch(eq(zeros, 0), p / others, switch(eq(zeros, 1), with_one, with_two))]


@dataclass(frozen=True)
class _Extremum(Reduction):
    has_neutral = False

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (out,), (gradient,) = inputs, outputs, gradients
        assert gradient is not None
        # Elements that tie share the gradient, as in PyTorch's amax.
        at = cast(eq(x, self.spread(out, x)), x.dtype)
        return [self.spread(gradient, x) * at / self.spread(sum(at, self.axes), x)]


@dataclass(frozen=True)
class Max(_Extremum):
    ufunc = np.maximum
    step = "maximum(x, y)"


@dataclass(frozen=True)
class Min(_Extremum):
    ufunc = np.minimum
    step = "minimum(x, y)"


@dataclass(frozen=True)
class ArgExtremum(Op):
    """Where the first extremum stands along one axis, as int64; a NaN is one."""

    axis: int

    #: How a better element compares with the best so far.
    relation: ClassVar[str]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        if kind.shape[self.axis] == 0:
            name = type(self).__name__.lower()
            raise ShapeError(f"{name} over an axis without elements", expected="elements", actual=str(kind))
        return [TensorType("int64", kind.shape[: self.axis] + kind.shape[self.axis + 1 :])]

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return type(self)(self.axis + 1).apply(*inputs)


@dataclass(frozen=True)
class ArgMax(ArgExtremum):
    relation = ">"

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(arrays[0].argmax(self.axis)),)


@dataclass(frozen=True)
class ArgMin(ArgExtremum):
    relation = "<"

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(arrays[0].argmin(self.axis)),)


def normalize_axes(axis: Axis | Variable, ndim: int, name: str) -> tuple[int, ...]:
    """Return axes as sorted non-negative numbers; None stands for all, and constants for their values.

    Raises
    ------
    ShapeError
        For an axis that is not there, or one that is named twice.
    DTypeError
        For an axis that is no integer.
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, Constant):
        axis = axis.value.tolist()
    if isinstance(axis, Variable):
        raise DTypeError(
            f"{name}: axis", expected="integers that are known", actual=f"{axis!r}, which is symbolic"
        )
    axes = [axis] if isinstance(axis, int | np.integer) else list(axis)
    axes = [int(entry.value) if isinstance(entry, Constant) else entry for entry in axes]
    if not all(isinstance(entry, int | np.integer) for entry in axes):
        raise DTypeError(f"{name}: axis", expected="integers", actual=repr(axis))
    result = sorted(int(entry) + ndim if entry < 0 else int(entry) for entry in axes)
    if len(set(result)) < len(result) or any(not 0 <= entry < ndim for entry in result):
        raise ShapeError(
            f"{name}: axis", expected=f"different axes from {-ndim} to {ndim - 1}", actual=repr(axis)
        )
    return tuple(result)


def broadcast_like(x: Variable, like: Variable) -> Variable:
    """Return `x` broadcast to the shape of `like`, which has the same rank."""
    return BroadcastTo()(x, *extents(like))


@dataclass(frozen=True)
class BroadcastTo(Op):
    """The array repeated along axes of extent 1; inputs: the array and one integer scalar per extent."""

    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        for mine, wanted in zip(types[0].shape, values[1:], strict=True):
            if mine not in (1, None) and wanted is not None and mine != wanted:
                raise ShapeError(
                    "broadcast_to", expected=f"shape {tuple(values[1:])}, or 1", actual=str(types[0])
                )
        return [types[0].with_shape(values[1:])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.broadcast_to(arrays[0], [int(extent) for extent in arrays[1:]]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        from arignote.engine.ops.elementwise import sum_to

        (gradient,) = gradients
        assert gradient is not None
        return [sum_to(gradient, inputs[0]), *(None for _ in inputs[1:])]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        if any(is_batched[1:]):
            return None
        return self.apply(inputs[0], extents(inputs[0])[0], *inputs[1:])


def _reduce(op: type[Reduction], x: Variable, axis: Axis, keepdims: bool, **options: bool) -> Variable:
    axes = normalize_axes(axis, x.ndim, op.__name__.lower())
    if not axes:
        return x
    result = op(axes, **options)(x)
    return op(axes).spread(result, x) if keepdims else result


def accumulator_dtype(dtype: str) -> str:
    """Whole numbers add up in 64 bits, as in Theano and NumPy."""
    if dtype == "bool" or dtype.startswith("int"):
        return "int64"
    return "uint64" if dtype.startswith("uint") else dtype


def sum(
    input: Any,
    axis: Axis = None,
    dtype: str | None = None,
    keepdims: bool = False,
    acc_dtype: str | None = None,
) -> Variable:
    """Return the sum over axes; of no elements 0.

    Parameters
    ----------
    input : Variable or array_like
    axis : int or sequence of int, optional
        By default all.
    dtype : str, optional
        Of the result; by default that of `input`, with 64 bits for whole numbers and bools.
    keepdims : bool
        Whether the axes stay, with extent 1.
    acc_dtype : str, optional
        What the sum is computed in; by default `dtype`.

    Examples
    --------
    >>> import arignote.compile
    >>> sum([[1, 2], [3, 4]], axis=0).eval()
    array([4, 6])
    """
    x = as_variable(input)
    result = dtype or accumulator_dtype(x.dtype)
    return cast(_reduce(Sum, cast(x, acc_dtype or result), axis, keepdims), result)


def prod(
    input: Any,
    axis: Axis = None,
    dtype: str | None = None,
    keepdims: bool = False,
    acc_dtype: str | None = None,
    no_zeros_in_input: bool = False,
) -> Variable:
    """Return the product over axes; of no elements 1.

    Parameters
    ----------
    input : Variable or array_like
    axis, dtype, keepdims, acc_dtype
        As of `sum`.
    no_zeros_in_input : bool
        A promise, for which the gradient is computed faster.

    Examples
    --------
    >>> import arignote.compile
    >>> prod([[1, 2], [3, 4]], axis=0).eval()
    array([3, 8])
    """
    x = as_variable(input)
    result = dtype or accumulator_dtype(x.dtype)
    x = cast(x, acc_dtype or result)
    return cast(_reduce(Prod, x, axis, keepdims, no_zeros_in_input=no_zeros_in_input), result)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the maximum over axes (by default all); NaN if there is one.

    Raises
    ------
    ShapeError
        Over an axis without elements.

    Examples
    --------
    >>> import arignote.compile
    >>> max([[1, 4], [3, 2]], axis=1).eval()
    array([4, 3])
    """
    return _reduce(Max, as_variable(x), axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the minimum over axes (by default all); NaN if there is one.

    Raises
    ------
    ShapeError
        Over an axis without elements.

    Examples
    --------
    >>> import arignote.compile
    >>> min([[1, 4], [3, 2]], axis=1).eval()
    array([1, 2])
    """
    return _reduce(Min, as_variable(x), axis, keepdims)


def argmax(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return where the first maximum stands, as int64; a NaN is one.

    Parameters
    ----------
    x : Variable or array_like
    axis : int or sequence of int, optional
        By default all; the place over several axes is that in the array they make when flattened.
    keepdims : bool

    Raises
    ------
    ShapeError
        Over an axis without elements.

    Examples
    --------
    >>> import arignote.compile
    >>> argmax([[1, 4], [3, 2]], axis=1).eval()
    array([1, 0])
    >>> argmax([[1, 4], [3, 2]]).eval()
    array(1)
    """
    return _place_of(ArgMax, x, axis, keepdims)


def argmin(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return where the first minimum stands, as int64; a NaN is one. See `argmax`.

    Examples
    --------
    >>> import arignote.compile
    >>> argmin([[1, 4], [3, 2]], axis=1).eval()
    array([0, 1])
    """
    return _place_of(ArgMin, x, axis, keepdims)


def _place_of(op: type[ArgExtremum], x: Any, axis: Axis, keepdims: bool) -> Variable:
    x = as_variable(x)
    axes = normalize_axes(axis, x.ndim, op.__name__.lower())
    if len(axes) == 1:
        result = op(*axes)(x)
    else:
        kept = [i for i in range(x.ndim) if i not in axes]
        result = op(len(kept))(flatten(dimshuffle(x, *kept, *axes), len(kept) + 1))
    return Max(axes).spread(result, x) if keepdims else result


def max_and_argmax(a: Any, axis: Axis = None, keepdims: bool = False) -> list[Variable]:
    """Return the maximum over axes, and where it stands: see `max` and `argmax`.

    Examples
    --------
    >>> import arignote.compile
    >>> [each.eval() for each in max_and_argmax([[1, 4], [3, 2]], axis=1)]
    [array([4, 3]), array([1, 0])]
    """
    return [max(a, axis, keepdims), argmax(a, axis, keepdims)]
