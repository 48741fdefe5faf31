"""Reductions: sums, products, extrema and their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast, eq, switch
from arignote.engine.ops.shape import dimshuffle, extents
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
        return type(self)(tuple(axis + 1 for axis in self.axes)).apply(*inputs)

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
    ufunc = np.multiply
    step = "x * y"

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (x,), (gradient,) = inputs, gradients
        assert gradient is not None
        # Zeros: with one of them only its own place has a derivative, the product of the others; with two,
        # none has.
        is_zero = eq(x, 0)
        others = switch(is_zero, 1, x)
        zeros = self.spread(sum(cast(is_zero, "int64"), self.axes), x)
        product = self.spread(prod(others, self.axes), x)
        share = switch(eq(zeros, 0), product / others, switch(eq(zeros, 1) & is_zero, product, 0))
        return [self.spread(gradient, x) * share]


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
class ArgMax(Op):
    """Where the first maximum stands along one axis, as int64; NaN is the largest."""

    axis: int

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        if kind.shape[self.axis] == 0:
            raise ShapeError("argmax over an axis without elements", expected="elements", actual=str(kind))
        return [TensorType("int64", kind.shape[: self.axis] + kind.shape[self.axis + 1 :])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(arrays[0].argmax(self.axis)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return ArgMax(self.axis + 1).apply(*inputs)


def normalize_axes(axis: Axis | Variable, ndim: int, name: str) -> tuple[int, ...]:
    """Return axes as sorted non-negative numbers; None stands for all.

    Raises
    ------
    ShapeError
        For an axis that is not there, or one that is named twice.
    DTypeError
        For an axis that is no integer.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = [axis] if isinstance(axis, int | np.integer) else list(axis)
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


def _reduce(op: type[Reduction], x: Variable, axis: Axis, keepdims: bool, name: str) -> Variable:
    axes = normalize_axes(axis, x.ndim, name)
    if not axes:
        return x
    result = op(axes)(x)
    return op(axes).spread(result, x) if keepdims else result


def _accumulator_dtype(dtype: str) -> str:
    """Whole numbers add up in 64 bits, as in Theano and NumPy."""
    if dtype == "bool" or dtype.startswith("int"):
        return "int64"
    return "uint64" if dtype.startswith("uint") else dtype


def sum(x: Any, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Variable:
    """Return the sum over axes (by default all); that of integers is 64 bits wide.

    Examples
    --------
    >>> import arignote.compile
    >>> sum(np.ones((2, 3)), axis=0).eval()
    array([2., 2., 2.])
    """
    x = as_variable(x)
    return _reduce(Sum, cast(x, dtype or _accumulator_dtype(x.dtype)), axis, keepdims, "sum")


def prod(x: Any, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Variable:
    """Return the product over axes (by default all); that of integers is 64 bits wide."""
    x = as_variable(x)
    return _reduce(Prod, cast(x, dtype or _accumulator_dtype(x.dtype)), axis, keepdims, "prod")


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the maximum over axes (by default all); NaN if there is one."""
    return _reduce(Max, as_variable(x), axis, keepdims, "max")


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the minimum over axes (by default all); NaN if there is one."""
    return _reduce(Min, as_variable(x), axis, keepdims, "min")


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Return where the first maximum stands along an axis (by default in the flattened array), as int64."""
    x = as_variable(x)
    from arignote.engine.ops.shape import flatten

    if axis is None:
        result = ArgMax(0)(flatten(x))
        return dimshuffle(result, *("x",) * x.ndim) if keepdims else result
    (place,) = normalize_axes(axis, x.ndim, "argmax")
    result = ArgMax(place)(x)
    if keepdims:
        kept = iter(range(x.ndim - 1))
        return dimshuffle(result, *("x" if i == place else next(kept) for i in range(x.ndim)))
    return result
