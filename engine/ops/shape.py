"""Ops that move, view or make elements without arithmetic on them: shapes, axes, filled arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Apply, Constant, Op, Variable, as_variable, known_integer, walk
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class DimShuffle(Op):
    """Reorder axes, drop those of extent 1, and insert such."""

    pattern: tuple[int | str, ...]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        for axis in set(range(kind.ndim)) - set(self.pattern):
            if kind.shape[axis] != 1:
                raise ShapeError(
                    f"dimshuffle{self.pattern}: axis {axis} is dropped",
                    expected="an axis of extent 1",
                    actual=str(kind),
                    fix="keep the axis in the pattern, or reduce over it first",
                )
        return [kind.with_shape(1 if axis == "x" else kind.shape[int(axis)] for axis in self.pattern)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        kept = [int(axis) for axis in self.pattern if axis != "x"]
        dropped = [axis for axis in range(arrays[0].ndim) if axis not in kept]
        moved = arrays[0].transpose([*kept, *dropped])
        moved = moved.reshape(moved.shape[: len(kept)])
        return (np.expand_dims(moved, [i for i, axis in enumerate(self.pattern) if axis == "x"]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        inserted = [i for i, axis in enumerate(self.pattern) if axis == "x"]
        assert gradient is not None
        from arignote.engine.ops.reduce import sum

        if any(not gradient.broadcastable[i] for i in inserted):
            gradient = sum(gradient, axis=inserted, keepdims=True)
        back = [self.pattern.index(axis) if axis in self.pattern else "x" for axis in range(inputs[0].ndim)]
        return [dimshuffle(gradient, *back)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        shifted = ("x" if axis == "x" else int(axis) + 1 for axis in self.pattern)
        return DimShuffle((0, *shifted)).apply(*inputs)


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in row-major order; inputs: the array, and an integer scalar per extent."""

    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        kind, wanted = types[0], list(values[1:])
        if wanted.count(-1) > 1 or any(extent is not None and extent < -1 for extent in wanted):
            raise ShapeError("reshape: shape", expected="extents, at most one -1", actual=str(tuple(wanted)))
        known = [extent for extent in wanted if extent is not None and extent != -1]
        size = (
            None if None in kind.shape else math.prod(extent for extent in kind.shape if extent is not None)
        )
        if None in wanted or size is None:
            return [kind.with_shape(None if extent == -1 else extent for extent in wanted)]
        product = math.prod(known)
        rest = size // product if -1 in wanted and product else 1
        if product * rest != size:
            raise ShapeError(
                f"reshape to ({', '.join(map(str, wanted))}): the number of elements changes",
                expected=f"{'a multiple of ' if -1 in wanted else ''}{product} elements",
                actual=f"{kind}, which has {size}",
            )
        return [kind.with_shape(rest if extent == -1 else extent for extent in wanted)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (arrays[0].reshape([int(extent) for extent in arrays[1:]]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        back = reshape(gradient, extents(inputs[0])) if inputs[0].ndim else reshape(gradient, ())
        return [back, *(None for _ in inputs[1:])]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        if any(is_batched[1:]):
            return None
        return self.apply(inputs[0], extents(inputs[0])[0], *inputs[1:])


@dataclass(frozen=True)
class ShapeOf(Op):
    """The extent of one axis, as an int64 scalar."""

    axis: int

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [TensorType("int64", ())]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(arrays[0].shape[self.axis], "int64"),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return ShapeOf(self.axis + 1).apply(*inputs)


@dataclass(frozen=True)
class Alloc(Op):
    """An array filled with a scalar; inputs: the scalar and one integer scalar per extent."""

    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        if types[0].ndim:
            raise ShapeError("alloc: value", expected="a scalar", actual=str(types[0]))
        if any(extent is not None and extent < 0 for extent in values[1:]):
            raise ShapeError("alloc: shape", expected="extents of at least 0", actual=str(tuple(values[1:])))
        return [types[0].with_shape(values[1:])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.full([int(extent) for extent in arrays[1:]], arrays[0]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        from arignote.engine.ops.reduce import sum

        (gradient,) = gradients
        assert gradient is not None
        return [sum(gradient), *(None for _ in inputs[1:])]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        from arignote.engine.ops.reduce import BroadcastTo

        if any(is_batched[1:]):
            return None
        value, *wanted = inputs
        filled = dimshuffle(value, 0, *("x",) * len(wanted))
        return BroadcastTo().apply(filled, extents(value)[0], *wanted)


@dataclass(frozen=True)
class ARange(Op):
    """The whole numbers start, start + step, ... before stop; inputs: start, stop, step."""

    dtype: str
    shape_inputs = slice(0, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        start, stop, step = values
        if step == 0:
            raise ShapeError("arange: step", expected="a number other than 0", actual="0")
        known = start is not None and stop is not None and step is not None
        return [TensorType(self.dtype, (len(range(start, stop, step)) if known else None,))]  # type: ignore[arg-type]  # known says they are integers

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.arange(*(int(bound) for bound in arrays), dtype=self.dtype),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None, None, None]


@dataclass(frozen=True)
class SpecifyShape(Op):
    """The array itself, whose shape is promised: checked when there is a value.

    Inputs: the array and, where the promise is symbolic, an integer scalar for each extent.
    """

    argument: str  # what the user calls the array, for errors
    source: str  # where the user stated the shape, for errors
    shape: tuple[int | None, ...]
    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        kind, promised = types[0], tuple(values[1:]) or self.shape
        merged = [
            mine if mine is not None else theirs for mine, theirs in zip(promised, kind.shape, strict=False)
        ]
        if len(promised) != kind.ndim or not all(
            theirs is None or theirs == mine for mine, theirs in zip(merged, kind.shape, strict=True)
        ):
            wanted = ", ".join("any" if extent is None else str(extent) for extent in promised)
            raise ShapeError(
                f"{self.argument} does not have the shape that {self.source} states",
                expected=f"({wanted})",
                actual=str(kind),
                fix=f"give an array of that shape, or change or leave out {self.source}",
            )
        return [kind.with_shape(merged)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        kind = TensorType(str(arrays[0].dtype), arrays[0].shape)
        self.infer([kind], [None, *(int(extent) for extent in arrays[1:])])
        return (arrays[0],)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [*gradients, *(None for _ in inputs[1:])]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        x, *promised = inputs
        op = SpecifyShape(self.argument, self.source, (None, *self.shape))
        if any(is_batched[1:]):
            return None
        return op.apply(x, extents(x)[0], *promised) if promised else op.apply(x)


def dimshuffle(x: Any, *pattern: Any) -> Variable:
    """Reorder, drop and insert axes (`theano.tensor.dimshuffle`).

    Parameters
    ----------
    x : Variable
    *pattern : int or 'x'
        For each axis of the result, the axis of `x` it is, or 'x' for a new axis of extent 1, which
        broadcasts. Axes of `x` that are left out must be of extent 1. One sequence may stand for all.

    Returns
    -------
    Variable

    Raises
    ------
    ShapeError
        For an axis that `x` does not have, one that is named twice, or one that cannot be dropped.

    Examples
    --------
    >>> bias = TensorType("float32", (20,))("b")
    >>> dimshuffle(bias, "x", 0, "x", "x").type
    TensorType(dtype='float32', shape=(1, 20, 1, 1))
    """
    x = as_variable(x)
    if len(pattern) == 1 and isinstance(pattern[0], list | tuple):
        pattern = tuple(pattern[0])
    axes: list[int | str] = []
    for entry in pattern:
        if entry == "x":
            axes.append("x")
            continue
        axis = int(entry) + x.ndim if int(entry) < 0 else int(entry)
        if not 0 <= axis < x.ndim or axis in axes:
            raise ShapeError(
                f"dimshuffle: pattern {pattern}",
                expected=f"'x' and axes of {x!r}, which has {x.ndim}, each at most once",
                actual=repr(entry),
            )
        axes.append(axis)
    return x if axes == list(range(x.ndim)) else DimShuffle(tuple(axes))(x)


def transpose(x: Any, *axes: Any) -> Variable:
    """Reorder the axes; without an order, reverse them."""
    x = as_variable(x)
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], list | tuple)):
        axes = tuple(axes[0] or ())
    order = axes or tuple(reversed(range(x.ndim)))
    if len(order) != x.ndim:
        raise ShapeError("transpose: axes", expected=f"all {x.ndim} axes of {x!r}", actual=str(order))
    return dimshuffle(x, *order)


def extents(x: Variable) -> list[Variable]:
    """Return the extents of all axes as integer scalars, constants where they are known."""
    return [
        ShapeOf(axis)(x) if extent is None else Constant(np.asarray(extent, "int64"))
        for axis, extent in enumerate(x.static_shape)
    ]


def product(extents_: Sequence[Variable]) -> Variable:
    """Return the number of elements of the extents, a constant where all of them are known."""
    known = [known_integer(extent) for extent in extents_]
    result: Variable = Constant(np.asarray(math.prod(n for n in known if n is not None), "int64"))
    for extent, number in zip(extents_, known, strict=True):
        result = result if number is not None else result * extent
    return result


def shape(x: Any) -> Variable:
    """Return the shape as an int64 vector."""
    from arignote.engine.ops.join import stack

    x = as_variable(x)
    return stack(extents(x)) if x.ndim else Constant(np.zeros(0, "int64"))


#: Entries of a vector whose values are followed where they decide shapes.
MOST_ENTRIES = 32


def is_short(x: Variable) -> bool:
    """Tell whether a variable may decide shapes: integers or bools, a scalar or a vector of a few."""
    if x.type.is_float:
        return False
    return not x.ndim or (x.ndim == 1 and x.static_shape[0] is not None and x.static_shape[0] <= MOST_ENTRIES)


def scalar_integer(x: Any, name: str) -> Variable:
    """Return an integer scalar as a variable: a constant where constants and known extents decide it.

    Raises
    ------
    DTypeError
        If it is no integer, or no scalar.
    """
    variable = as_variable(x)
    if variable.ndim or not variable.type.is_integer:
        raise DTypeError(
            name,
            expected="an integer",
            actual=f"{variable!r} of type {variable.type}",
            fix="cast it: cast(i, 'int64')",
        )
    return _settled(variable)


def _settled(x: Variable) -> Variable:
    """Follow an integer through the vectors it was put in, and compute it where all it needs is known."""
    from arignote.engine.ops.index import element_of_vector

    known: dict[Variable, np.ndarray] = {}

    def inputs_of(node: Apply) -> Sequence[Variable]:
        return () if isinstance(node.op, ShapeOf) or not all(map(is_short, node.inputs)) else node.inputs

    for node in walk([x], inputs_of=inputs_of):
        for y in node.inputs:
            if isinstance(y, Constant):
                known[y] = y.value
        (out,) = node.outputs[:1]
        element = element_of_vector(out)
        if element is not None and (element in known or isinstance(element, Constant)):
            known[out] = element.value if isinstance(element, Constant) else known[element]
        elif node.inputs and is_short(out) and all(y in known for y in node.inputs):
            known[out] = node.op.perform(*(known[y] for y in node.inputs))[0]
    if x in known:
        return Constant(known[x])
    element = element_of_vector(x)
    return x if element is None else element


def one_axis(axis: Any, ndim: int, name: str) -> int:
    """Return one axis as a non-negative number."""
    number = known_integer(as_variable(axis))
    if number is None:
        raise DTypeError(f"{name}: axis", expected="an integer constant", actual=repr(axis))
    if not -ndim <= number < ndim:
        raise ShapeError(f"{name}: axis", expected=f"an axis from {-ndim} to {ndim - 1}", actual=str(number))
    return number % ndim


def as_extents(shape: Any, name: str) -> list[Variable]:
    """Return a shape (a number, a sequence of numbers and scalars, or an integer vector) as integer scalars.

    Raises
    ------
    DTypeError
        If an extent is no integer.
    ShapeError
        If the length of a symbolic shape is not known.
    """
    if isinstance(shape, Variable) and shape.ndim == 1:
        if shape.static_shape[0] is None:
            raise ShapeError(
                f"{name}: the number of extents of {shape!r} is not known",
                fix="give a tuple of extents, or say `ndim=`",
            )
        entries: Sequence[Any] = [shape[i] for i in range(shape.static_shape[0])]
    else:
        entries = list(shape) if isinstance(shape, list | tuple | np.ndarray) else [shape]
    return [scalar_integer(entry, f"{name}: shape") for entry in entries]


def reshape(x: Any, shape: Any, ndim: int | None = None) -> Variable:
    """Return the same elements, in row-major order, in another shape.

    Parameters
    ----------
    x : Variable or array_like
    shape : int, tuple of int and integer scalars, or integer vector
        One extent may be -1: whatever is left over.
    ndim : int, optional
        The length of `shape` where that is a vector of unknown length.

    Raises
    ------
    ShapeError
        If the number of elements would change (at once where it is known, else at the call).

    Examples
    --------
    >>> reshape(TensorType("float32", (10, 784))("x"), (10, 1, 28, 28)).static_shape
    (10, 1, 28, 28)
    """
    x = as_variable(x)
    if ndim is not None and isinstance(shape, Variable) and shape.ndim == 1 and shape.static_shape == (None,):
        shape = [shape[i] for i in range(ndim)]
    wanted = as_extents(shape, "reshape")
    if ndim is not None and ndim != len(wanted):
        raise ShapeError("reshape: ndim", expected=f"{len(wanted)}, the length of shape", actual=str(ndim))
    return Reshape()(x, *wanted)


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Variable:
    """Join the last axes, so that `ndim` remain, by default 1 (`theano.tensor.flatten`).

    `outdim` is Theano's older word for `ndim`.

    Examples
    --------
    >>> flatten(TensorType("float32", (10, 20, 12, 12))("x"), 2).static_shape
    (10, 2880)
    """
    array = as_variable(x)
    if ndim is not None and outdim is not None:
        raise DTypeError("flatten", expected="`ndim` or `outdim`", actual="both")
    ndim = ndim or outdim or 1
    if not 1 <= ndim <= max(array.ndim, 1):
        raise ShapeError("flatten: ndim", expected=f"1 to {max(array.ndim, 1)}", actual=str(ndim))
    if array.ndim == ndim:
        return array
    all_extents = extents(array)
    # Spelt out instead of -1, which cannot be resolved where another extent is 0.
    return reshape(array, (*all_extents[: ndim - 1], product(all_extents[ndim - 1 :])))


def tensor_copy(x: Any, name: str | None = None) -> Variable:
    """Return a variable of the same value, under a name of its own (`theano.tensor.tensor_copy`)."""
    x = as_variable(x)
    copy = DimShuffle(tuple(range(x.ndim)))(x)
    copy.name = name
    return copy


def alloc(value: Any, *shape: Any) -> Variable:
    """Return an array of a shape filled with a value (`theano.tensor.alloc`).

    Parameters
    ----------
    value : Variable or array_like
        A scalar, or an array that is broadcast to the shape.
    *shape : int or integer scalar
        One sequence, or integer vector, may stand for all.

    Examples
    --------
    >>> import arignote.compile
    >>> alloc(7, 2, 2).eval()
    array([[7, 7],
           [7, 7]], dtype=int8)
    """
    from arignote.engine.ops.axes import broadcast_to

    value = as_variable(value)
    extents_ = as_extents(shape[0] if len(shape) == 1 else shape, "alloc")
    return broadcast_to(value, extents_) if value.ndim else Alloc()(value, *extents_)


def full(shape: Any, fill_value: Any, dtype: str | None = None) -> Variable:
    """Return an array filled with a value, by default in the value's dtype (`numpy.full`)."""
    from arignote.engine.ops.elementwise import cast

    value = as_variable(fill_value)
    return alloc(cast(value, dtype or value.dtype), shape)


def full_like(a: Any, fill_value: Any, dtype: str | None = None) -> Variable:
    """Return an array of the shape, and by default the dtype, of `a`: filled (`numpy.full_like`)."""
    a = as_variable(a)
    return full(extents(a), fill_value, dtype or a.dtype)


def fill(a: Any, b: Any) -> Variable:
    """Return an array of the shape of `a` filled with `b`, in the dtype of `b` (`theano.tensor.fill`)."""
    return alloc(b, extents(as_variable(a)))


def zeros(shape: Any, dtype: str | None = None) -> Variable:
    """Return an array of zeros; `dtype` is `floatX` by default."""
    return alloc(np.zeros((), dtype or config.floatX), shape)


def empty(shape: Any, dtype: str | None = None) -> Variable:
    """Return an array, of zeros: memory without a value is nothing a graph could have."""
    return zeros(shape, dtype)


def ones(shape: Any, dtype: str | None = None) -> Variable:
    """Return an array of ones; `dtype` is `floatX` by default."""
    return alloc(np.ones((), dtype or config.floatX), shape)


def zeros_like(model: Any, dtype: str | None = None, opt: bool = False) -> Variable:
    """Return zeros of the shape, and by default the dtype, of `model`; `opt` is accepted, as in Theano."""
    x = as_variable(model)
    return Alloc()(np.zeros((), dtype or x.dtype), *extents(x))


def ones_like(model: Any, dtype: str | None = None, opt: bool = False) -> Variable:
    """Return ones of the shape, and by default the dtype, of `model`; `opt` is accepted, as in Theano."""
    x = as_variable(model)
    return Alloc()(np.ones((), dtype or x.dtype), *extents(x))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str | None = None) -> Variable:
    """Return the numbers start, start + step, ... before `stop` (`theano.tensor.arange`).

    Parameters
    ----------
    start, stop, step : number or scalar
        With one argument, it is `stop`, and `start` is 0.
    dtype : str, optional
        By default int64 for integers, uint64 for unsigned ones, and for floats their common dtype.

    Raises
    ------
    ShapeError
        If a bound is no scalar, or the step is 0.

    Examples
    --------
    >>> import arignote.compile
    >>> arange(3).eval(), arange(0, 1, 0.25).eval()
    (array([0, 1, 2]), array([0.  , 0.25, 0.5 , 0.75], dtype=float32))
    """
    from arignote.engine.ops.elementwise import cast, ceil, maximum

    bounds = [as_variable(bound) for bound in ([0, start, step] if stop is None else [start, stop, step])]
    if any(bound.ndim for bound in bounds):
        raise ShapeError("arange", expected="scalars", actual=", ".join(str(bound.type) for bound in bounds))
    natural = upcast(*(bound.dtype for bound in bounds))
    if natural == "bool" or "int" in natural:
        wide = "uint64" if natural.startswith("uint") else "int64"
        return ARange(dtype or wide)(*(scalar_integer(bound, "arange") for bound in bounds))
    known = [bound.value.item() for bound in bounds if isinstance(bound, Constant)]
    if len(known) == len(bounds):
        first, last, delta = known
        return Constant(np.arange(first, last, delta, dtype=dtype or natural))
    low, high, gap = (cast(bound, natural) for bound in bounds)
    count = cast(maximum(ceil((high - low) / gap), 0), "int64")
    # NumPy counts on by the difference of the first two, which is rounded.
    return cast(low + cast(arange(count), natural) * ((low + gap) - low), dtype or natural)
