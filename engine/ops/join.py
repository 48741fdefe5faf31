"""Arrays put together along an axis, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.axes import shape_padaxis
from arignote.engine.ops.elementwise import cast, maximum, mod
from arignote.engine.ops.shape import (
    SpecifyShape,
    as_extents,
    extents,
    flatten,
    one_axis,
    reshape,
    scalar_integer,
)
from arignote.engine.types import TensorType, upcast


@dataclass(frozen=True)
class Join(Op):
    """Arrays of one dtype and rank, one behind the other along an axis."""

    axis: int

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        shape: list[int | None] = []
        for axis in range(types[0].ndim):
            mine = [kind.shape[axis] for kind in types]
            known = [extent for extent in mine if extent is not None]
            if axis == self.axis:
                shape.append(sum(known) if len(known) == len(mine) else None)
                continue
            if len(set(known)) > 1:
                raise ShapeError(
                    f"join along axis {self.axis}",
                    expected=f"equal extents in dimension {axis}",
                    actual=", ".join(map(str, types)),
                )
            shape.append(known[0] if known else None)
        return [types[0].with_shape(shape)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.concatenate(arrays, self.axis),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        return _pieces(gradient, [extents(x)[self.axis] for x in inputs], self.axis)

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        from arignote.engine.batching import all_batched, batch_extent

        count = batch_extent(inputs, is_batched)
        return Join(self.axis + 1).apply(*all_batched(inputs, is_batched, count))


def _pieces(x: Variable, sizes: Sequence[Variable], axis: int) -> list[Variable]:
    """Return the slices of the given sizes, one behind the other."""
    result = []
    start: Variable = as_variable(0)
    for size in sizes:
        stop = start + size
        result.append(x[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return result


def join(axis: Any, *tensors: Any) -> Variable:
    """Put arrays one behind the other along an axis (`theano.tensor.join`).

    Parameters
    ----------
    axis : int
    *tensors : Variable or array_like
        Of one rank, at least 1; they are cast to their common dtype.

    Raises
    ------
    ShapeError
        For no arrays, for scalars, or for shapes that differ elsewhere than along the axis.
    DTypeError
        If the axis is not a constant.

    Examples
    --------
    >>> import arignote.compile
    >>> join(0, [1, 2], [3]).eval()
    array([1, 2, 3])
    """
    arrays = [as_variable(x) for x in tensors]
    if not arrays or len({x.ndim for x in arrays}) > 1 or not arrays[0].ndim:
        raise ShapeError(
            "join",
            expected="arrays of one rank, at least 1",
            actual=", ".join(str(x.type) for x in arrays) or "none",
            fix="to put scalars together, or arrays along a new axis, use stack",
        )
    dtype = upcast(*(x.dtype for x in arrays))
    operands = [cast(x, dtype) for x in arrays]
    place = one_axis(axis, arrays[0].ndim, "join")
    return operands[0] if len(operands) == 1 else Join(place)(*operands)


def concatenate(tensor_list: Sequence[Any], axis: Any = 0) -> Variable:
    """Put the arrays of a list one behind the other along an axis (`theano.tensor.concatenate`); see `join`.

    Examples
    --------
    >>> x = TensorType("float32", (2, 3))("x")
    >>> concatenate([x, x], axis=1).static_shape
    (2, 6)
    """
    if isinstance(tensor_list, Variable) or not isinstance(tensor_list, Sequence):
        raise DTypeError(
            "concatenate: argument `tensor_list`",
            expected="a list or tuple of arrays",
            actual=repr(tensor_list),
            fix="write concatenate([a, b], axis)",
        )
    return join(axis, *tensor_list)


def stack(*tensors: Any, axis: Any = 0) -> Variable:
    """Put arrays of one shape together along a new axis (`theano.tensor.stack`).

    Parameters
    ----------
    *tensors : sequence of Variable or array_like
        One list; in Theano's older form the arrays themselves, ``stack(a, b)``. They are cast to their common
        dtype.
    axis : int
        Where the new axis stands in the result. It may follow the list: ``stack([a, b], 1)``.

    Raises
    ------
    ShapeError
        For no arrays, or for shapes that differ.

    Examples
    --------
    >>> import arignote.compile
    >>> stack([1, 2], axis=0).eval()
    array([1, 2], dtype=int8)
    """
    arrays: Sequence[Any] = tensors
    if tensors and isinstance(tensors[0], list | tuple):
        if len(tensors) > 2:
            raise ShapeError("stack", expected="one list, and an axis", actual=f"{len(tensors)} arguments")
        arrays, axis = tensors[0], tensors[1] if len(tensors) == 2 else axis
    operands = [as_variable(x) for x in arrays]
    if not operands or len({x.ndim for x in operands}) > 1:
        raise ShapeError(
            "stack",
            expected="arrays of one rank",
            actual=", ".join(str(x.type) for x in operands) or "none",
        )
    place = one_axis(axis, operands[0].ndim + 1, "stack")
    return join(place, *(shape_padaxis(x, place) for x in operands))


def stacklists(arg: Any) -> Variable:
    """Return nested lists of arrays of one shape as one array (`theano.tensor.stacklists`).

    Examples
    --------
    >>> import arignote.compile
    >>> x = TensorType("float64", ())("x")
    >>> stacklists([[x, 1], [2, x]]).eval({x: 5.0})
    array([[5., 1.],
           [2., 5.]])
    """
    if isinstance(arg, list | tuple):
        return stack([stacklists(entry) for entry in arg])
    return as_variable(arg)


def horizontal_stack(*args: Any) -> Variable:
    """Put matrices side by side (`theano.tensor.horizontal_stack`)."""
    return _joined_matrices(args, 1, "horizontal_stack")


def vertical_stack(*args: Any) -> Variable:
    """Put matrices one below the other (`theano.tensor.vertical_stack`)."""
    return _joined_matrices(args, 0, "vertical_stack")


def _joined_matrices(args: Sequence[Any], axis: int, name: str) -> Variable:
    arrays = [as_variable(x) for x in args]
    if len(arrays) < 2 or any(x.ndim != 2 for x in arrays):
        raise ShapeError(
            name, expected="two matrices or more", actual=", ".join(str(x.type) for x in arrays) or "none"
        )
    return join(axis, *arrays)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Variable]:
    """Take an array apart along an axis (`theano.tensor.split`).

    Parameters
    ----------
    x : Variable or array_like
    splits_size : sequence of int and integer scalars, or integer vector
        The extents of the pieces, in order.
    n_splits : int
        How many there are.
    axis : int

    Returns
    -------
    list of Variable
        Views of the array.

    Raises
    ------
    ShapeError
        If the sizes are not `n_splits`, or do not add up to the extent (at once where that is known, else at
        the call).

    Examples
    --------
    >>> import arignote.compile
    >>> a, b = split(np.arange(5), [2, 3], 2)
    >>> b.eval()
    array([2, 3, 4])
    """
    x = as_variable(x)
    place = one_axis(axis, x.ndim, "split")
    if isinstance(splits_size, Variable) and splits_size.static_shape == (None,):
        splits_size = [splits_size[i] for i in range(n_splits)]
    sizes = as_extents(splits_size, "split")
    if len(sizes) != n_splits:
        raise ShapeError("split: splits_size", expected=f"{n_splits} sizes", actual=f"{len(sizes)} of them")
    total: Variable = as_variable(0)
    for size in sizes:
        total = total + size
    wanted = [*extents(x)[:place], scalar_integer(total, "split: splits_size"), *extents(x)[place + 1 :]]
    whole = SpecifyShape("split: argument `x`", "`splits_size`", (None,) * x.ndim)(x, *wanted)
    return _pieces(whole, sizes, place)


def roll(x: Any, shift: Any, axis: int | None = None) -> Variable:
    """Move elements along an axis; what leaves at the end comes in at the front (`theano.tensor.roll`).

    Parameters
    ----------
    x : Variable or array_like
    shift : int or integer scalar
    axis : int, optional
        By default elements move in row-major order.

    Examples
    --------
    >>> import arignote.compile
    >>> roll(np.arange(5), 2).eval()
    array([3, 4, 0, 1, 2])
    """
    x = as_variable(x)
    if axis is None:
        return reshape(roll(flatten(x), shift, 0), extents(x)) if x.ndim != 1 else roll(x, shift, 0)
    place = one_axis(axis, x.ndim, "roll")
    extent = extents(x)[place]
    moved = mod(scalar_integer(shift, "roll: shift"), maximum(extent, 1))
    cut = extent - moved
    front = (slice(None),) * place
    return join(place, x[(*front, slice(cut, None))], x[(*front, slice(None, cut))])
