"""Products of matrices, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.batching import fold, folded, unfold
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.axes import broadcast_to, shape_padleft
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import dimshuffle, extents, product, reshape, transpose
from arignote.engine.types import TensorType, upcast

Axes = int | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Dot(Op):
    """The product of two matrices of one dtype."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [_product_type("dot", *types)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(np.matmul(*arrays)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (a, b), (gradient,) = inputs, gradients
        assert gradient is not None
        return [dot(gradient, transpose(b)), dot(transpose(a), gradient)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        a, b = inputs
        if all(is_batched):
            return BatchedDot().apply(a, b)
        if is_batched[0]:
            return [unfold(self(fold(a), b), 0, extents(a)[:2])]
        return [unfold(self(a, fold(b, 1)), 1, [extents(b)[0], extents(b)[2]])]


@dataclass(frozen=True)
class BatchedDot(Op):
    """The products of the matrices of two stacks, one by one; both of one dtype."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        a, b = types
        count = a.shape[0] if a.shape[0] is not None else b.shape[0]
        if b.shape[0] not in (None, count):
            raise ShapeError(
                "batched_dot: the first extents differ", expected="as many matrices in both arguments",
                actual=f"{a} and {b}",
            )  # fmt: skip
        product = _product_type("batched_dot", a.with_shape(a.shape[1:]), b.with_shape(b.shape[1:]))
        return [product.with_shape((count, *product.shape))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(np.matmul(*arrays)),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (a, b), (gradient,) = inputs, gradients
        assert gradient is not None
        return [
            BatchedDot()(gradient, dimshuffle(b, 0, 2, 1)),
            BatchedDot()(dimshuffle(a, 0, 2, 1), gradient),
        ]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return folded(self, inputs, is_batched, arrays=2)


def _product_type(name: str, a: TensorType, b: TensorType) -> TensorType:
    """Return the type of the product of two matrices."""
    inner = {a.shape[1], b.shape[0]} - {None}
    if len(inner) > 1:
        raise ShapeError(
            f"{name}: the inner extents differ",
            expected=f"a second argument with {a.shape[1]} rows",
            actual=f"{a} times {b}",
            fix="transpose an argument (x.T), or check the order of the two",
        )
    return TensorType(upcast(a.dtype, b.dtype), (a.shape[0], b.shape[1]))


def dot(a: Any, b: Any) -> Variable:
    """Return the matrix product (`theano.tensor.dot`).

    Parameters
    ----------
    a, b : Variable or array_like
        Scalars multiply. Else the last axis of `a` is summed with the axis of `b` before its last, or with
        its only one, as in `numpy.dot`.

    Raises
    ------
    ShapeError
        If the inner extents differ.
    DTypeError
        For two bool arguments.

    Examples
    --------
    >>> import arignote.compile
    >>> dot(np.eye(2), np.array([3.0, 4.0])).eval()
    array([3., 4.])
    """
    first, second = as_variable(a), as_variable(b)
    if first.ndim == 0 or second.ndim == 0:
        return first * second
    if first.ndim > 2 or second.ndim > 2:
        return tensordot(first, second, [[first.ndim - 1], [max(0, second.ndim - 2)]])
    first, second = _of_one_dtype("dot", first, second)
    left = first if first.ndim == 2 else dimshuffle(first, "x", 0)
    right = second if second.ndim == 2 else dimshuffle(second, 0, "x")
    result = Dot()(left, right)
    return dimshuffle(result, *([0] if first.ndim == 2 else []), *([1] if second.ndim == 2 else []))


def matmul(a: Any, b: Any) -> Variable:
    """Return the matrix product of the last two axes, as `numpy.matmul` and the operator ``@`` do.

    Parameters
    ----------
    a, b : Variable or array_like
        Vectors, matrices, or stacks of matrices, whose leading axes broadcast.

    Raises
    ------
    ShapeError
        If the inner extents differ, or for a scalar.

    Examples
    --------
    >>> a, b = TensorType("float64", (5, 2, 3))(), TensorType("float64", (7, 1, 3, 4))()
    >>> matmul(a, b).static_shape
    (7, 5, 2, 4)
    """
    first, second = as_variable(a), as_variable(b)
    if first.ndim == 0 or second.ndim == 0:
        raise ShapeError(
            "matmul", expected="no scalars", actual=f"{first.type} and {second.type}", fix="use *"
        )
    if second.ndim <= 2:
        return dot(first, second)
    if first.ndim == 1:
        rows = matmul(dimshuffle(first, "x", 0), second)
        return dimshuffle(rows, *range(rows.ndim - 2), rows.ndim - 1)
    first, second = _of_one_dtype("matmul", first, second)
    rank = max(first.ndim, second.ndim)
    first, second = (shape_padleft(x, rank - x.ndim) for x in (first, second))
    pairs = list(zip(extents(first), first.broadcastable, extents(second), strict=True))[:-2]
    leading = [theirs if one else mine for mine, one, theirs in pairs]
    stacks = []
    for x in (first, second):
        whole = broadcast_to(x, [*leading, *extents(x)[-2:]])
        stacks.append(reshape(whole, [product(leading), *extents(x)[-2:]]))
    return reshape(BatchedDot()(*stacks), [*leading, extents(first)[-2], extents(second)[-1]])


def outer(a: Any, b: Any) -> Variable:
    """Return the products of each element of `a` with each of `b`, as a matrix; both are flattened.

    Examples
    --------
    >>> import arignote.compile
    >>> outer(np.array([1, 2]), np.array([3, 4])).eval()
    array([[3, 4],
           [6, 8]])
    """
    first, second = (as_variable(x) for x in (a, b))
    first, second = (x.flatten() for x in (first, second))
    return dimshuffle(first, 0, "x") * dimshuffle(second, "x", 0)


def tensordot(a: Any, b: Any, axes: Axes = 2) -> Variable:
    """Return the sum of products over axes of two arrays (`theano.tensor.tensordot`).

    Parameters
    ----------
    a, b : Variable or array_like
    axes : int, or two sequences of int
        As in `numpy.tensordot`: the last axes of `a` with as many first ones of `b`; or the axes of `a`, and
        those of `b` that they are summed with.

    Returns
    -------
    Variable
        Its axes are those of `a` and of `b` that are left, in their order.

    Raises
    ------
    ShapeError
        If the axes are not there, or their extents differ.

    Examples
    --------
    >>> a, b = TensorType("float64", (2, 3, 4))(), TensorType("float64", (4, 3, 5))()
    >>> tensordot(a, b, [[2, 1], [0, 1]]).type
    TensorType(dtype='float64', shape=(2, 5))
    """
    return _contract("tensordot", as_variable(a), as_variable(b), axes, batch=0)


def batched_dot(a: Any, b: Any) -> Variable:
    """Return the products of the entries of two stacks, one by one (`theano.tensor.batched_dot`).

    Parameters
    ----------
    a, b : Variable or array_like
        The first axis counts the entries: numbers, vectors, matrices or larger, multiplied as `dot` does.

    Raises
    ------
    ShapeError
        If the first or the inner extents differ, or for a scalar.

    Examples
    --------
    >>> batched_dot(TensorType("float32", (10, 2, 3))(), TensorType("float32", (10, 3, 4))()).static_shape
    (10, 2, 4)
    """
    first, second = as_variable(a), as_variable(b)
    if first.ndim == 0 or second.ndim == 0:
        raise ShapeError(
            "batched_dot", expected="arguments with a first axis that counts",
            actual=f"{first.type} and {second.type}", fix="multiply by a scalar with *",
        )  # fmt: skip
    if first.ndim == 1:
        return dimshuffle(first, 0, *("x",) * (second.ndim - 1)) * second
    if second.ndim == 1:
        return first * dimshuffle(second, 0, *("x",) * (first.ndim - 1))
    return _contract("batched_dot", first, second, [[first.ndim - 1], [max(1, second.ndim - 2)]], batch=1)


def batched_tensordot(a: Any, b: Any, axes: Axes = 2) -> Variable:
    """Return the `tensordot` of the entries of two stacks, one by one (`theano.tensor.batched_tensordot`).

    Parameters
    ----------
    a, b : Variable or array_like
        The first axis counts the entries.
    axes : int, or two sequences of int
        As of `tensordot`; the first axis has the number 0, and is not summed.

    Raises
    ------
    ShapeError
        If the axes are not there, or their extents differ.

    Examples
    --------
    >>> a, b = TensorType("float64", (5, 2, 3, 4))(), TensorType("float64", (5, 3, 4))()
    >>> batched_tensordot(a, b, [[2, 3], [1, 2]]).static_shape
    (5, 2)
    """
    return _contract("batched_tensordot", as_variable(a), as_variable(b), axes, batch=1)


def kron(a: Any, b: Any) -> Variable:
    """Return the Kronecker product (`theano.tensor.slinalg.kron`).

    Parameters
    ----------
    a, b : vector or matrix
        As in `numpy.kron`; not both of them vectors, as in Theano.

    Raises
    ------
    ShapeError
        For other ranks.

    Examples
    --------
    >>> import arignote.compile
    >>> kron(np.eye(2), np.array([[1.0, 2.0]])).eval()
    array([[1., 2., 0., 0.],
           [0., 0., 1., 2.]])
    """
    a, b = as_variable(a), as_variable(b)
    if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2 and a.ndim + b.ndim > 2):
        raise ShapeError(
            "kron", expected="two matrices, or a matrix and a vector", actual=f"{a.type} and {b.type}",
            fix="for two vectors use outer(a, b).flatten()",
        )  # fmt: skip
    first, second = (x if x.ndim == 2 else dimshuffle(x, "x", 0) for x in (a, b))
    products = dimshuffle(first, 0, "x", 1, "x") * dimshuffle(second, "x", 0, "x", 1)
    of_a, of_b = extents(first), extents(second)
    return reshape(products, [mine * theirs for mine, theirs in zip(of_a, of_b, strict=True)])


def _contract(name: str, a: Variable, b: Variable, axes: Axes, batch: int) -> Variable:
    """Move the summed axes together, and multiply matrices, or stacks of them where `batch` is 1."""
    summed_a, summed_b = _summed_axes(name, a, b, axes, batch)
    for mine, theirs in zip(summed_a, summed_b, strict=True):
        known = {a.static_shape[mine], b.static_shape[theirs]} - {None}
        if len(known) > 1:
            raise ShapeError(
                f"{name}: axis {mine} of the first argument and axis {theirs} of the second differ",
                expected="equal extents along summed axes", actual=f"{a.type} and {b.type}",
            )  # fmt: skip
    a, b = _of_one_dtype(name, a, b)
    free_a = [axis for axis in range(batch, a.ndim) if axis not in summed_a]
    free_b = [axis for axis in range(batch, b.ndim) if axis not in summed_b]
    leading = list(range(batch))
    left = _joined(dimshuffle(a, *leading, *free_a, *summed_a), batch, len(free_a))
    right = _joined(dimshuffle(b, *leading, *summed_b, *free_b), batch, len(summed_b))
    product = (BatchedDot() if batch else Dot())(left, right)
    of_a, of_b = extents(a), extents(b)
    shape = [*of_a[:batch], *(of_a[axis] for axis in free_a), *(of_b[axis] for axis in free_b)]
    return product if len(free_a) == len(free_b) == 1 else reshape(product, shape)


def _summed_axes(name: str, a: Variable, b: Variable, axes: Axes, batch: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int | np.integer):
        pair: tuple[Any, Any] = (range(a.ndim - int(axes), a.ndim), range(batch, batch + int(axes)))
    elif len(axes) != 2:
        raise ShapeError(f"{name}: axes", expected="a number, or two sequences of axes", actual=repr(axes))
    else:
        pair = (axes[0], axes[1])
    lists = []
    for x, entry in zip((a, b), pair, strict=True):
        given = [entry] if isinstance(entry, int | np.integer) else list(entry)
        found = [int(axis) + x.ndim if axis < 0 else int(axis) for axis in given]
        if len(set(found)) < len(found) or any(not batch <= axis < x.ndim for axis in found):
            raise ShapeError(
                f"{name}: axes", expected=f"different axes from {batch} to {x.ndim - 1} of {x!r}",
                actual=repr(axes),
            )  # fmt: skip
        lists.append(found)
    if len(lists[0]) != len(lists[1]):
        raise ShapeError(f"{name}: axes", expected="as many axes of both arguments", actual=repr(axes))
    return lists[0], lists[1]


def _joined(x: Variable, batch: int, rows: int) -> Variable:
    """Return a matrix, or a stack: behind `batch` axes, the next `rows` joined, and the rest joined."""
    if x.ndim == batch + 2 and rows == 1:
        return x
    all_extents = extents(x)
    rows_, columns = all_extents[batch : batch + rows], all_extents[batch + rows :]
    return reshape(x, [*all_extents[:batch], product(rows_), product(columns)])


def _of_one_dtype(name: str, a: Variable, b: Variable) -> tuple[Variable, Variable]:
    dtype = upcast(a.dtype, b.dtype)
    if dtype == "bool":
        raise DTypeError(name, expected="numbers", actual="bool arrays", fix="cast them to a number's dtype")
    return cast(a, dtype), cast(b, dtype)
