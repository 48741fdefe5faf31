"""The operators and methods of variables, under Theano's names.

The ops build on `Variable`, so its methods look them up only when they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from arignote.engine import ops
    from arignote.engine.graph import Variable
else:

    class _Ops:
        """The module of the ops, imported when it is first used."""

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module("arignote.engine.ops"), name)

    ops = _Ops()

Axis = int | Sequence[int] | None


class TensorOperators:
    """What can be done with a variable: arithmetic, comparison, reshaping, indexing, reductions."""

    if TYPE_CHECKING:

        @property
        def static_shape(self) -> tuple[int | None, ...]:  # noqa: D102 - it is a variable's
            ...

    __array_priority__ = 1000  # NumPy arrays on the left leave the operation to us
    __array_ufunc__ = None

    if not TYPE_CHECKING:  # the type checker knows the methods

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # what copy, pickle and NumPy ask for
                raise AttributeError(name)
            from arignote.engine.names import unknown_method

            raise unknown_method("a symbolic variable", dir(type(self)), name)

    def __add__(self, other: Any) -> Variable:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Variable:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Variable:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Variable:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Variable:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Variable:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Variable:
        return ops.true_div(self, other)

    def __rtruediv__(self, other: Any) -> Variable:
        return ops.true_div(other, self)

    def __floordiv__(self, other: Any) -> Variable:
        return ops.int_div(self, other)

    def __rfloordiv__(self, other: Any) -> Variable:
        return ops.int_div(other, self)

    def __mod__(self, other: Any) -> Variable:
        return ops.mod(self, other)

    def __rmod__(self, other: Any) -> Variable:
        return ops.mod(other, self)

    def __pow__(self, other: Any) -> Variable:
        return ops.pow(self, other)

    def __rpow__(self, other: Any) -> Variable:
        return ops.pow(other, self)

    def __divmod__(self, other: Any) -> tuple[Variable, Variable]:
        return ops.divmod(self, other)

    def __rdivmod__(self, other: Any) -> tuple[Variable, Variable]:
        return ops.divmod(other, self)

    def __matmul__(self, other: Any) -> Variable:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return ops.matmul(other, self)

    def __neg__(self) -> Variable:
        return ops.neg(self)

    def __abs__(self) -> Variable:
        return ops.abs_(self)

    def __floor__(self) -> Variable:
        return ops.floor(self)

    def __ceil__(self) -> Variable:
        return ops.ceil(self)

    def __trunc__(self) -> Variable:
        return ops.trunc(self)

    def __lt__(self, other: Any) -> Variable:
        return ops.lt(self, other)

    def __le__(self, other: Any) -> Variable:
        return ops.le(self, other)

    def __gt__(self, other: Any) -> Variable:
        return ops.gt(self, other)

    def __ge__(self, other: Any) -> Variable:
        return ops.ge(self, other)

    def __and__(self, other: Any) -> Variable:
        return ops.and_(self, other)

    def __rand__(self, other: Any) -> Variable:
        return ops.and_(other, self)

    def __or__(self, other: Any) -> Variable:
        return ops.or_(self, other)

    def __ror__(self, other: Any) -> Variable:
        return ops.or_(other, self)

    def __xor__(self, other: Any) -> Variable:
        return ops.xor(self, other)

    def __rxor__(self, other: Any) -> Variable:
        return ops.xor(other, self)

    def __invert__(self) -> Variable:
        return ops.invert(self)

    def __getitem__(self, index: Any) -> Variable:
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"{self!r} is symbolic, and never changes: write y = set_subtensor({self!r}[index], value), "
            "or inc_subtensor for +="
        )

    def __len__(self) -> int:
        known = self.static_shape[0] if self.static_shape else None
        if known is None:
            raise TypeError(
                f"the length of {self!r} is not known before it has a value; use {self!r}.shape[0]"
            )
        return known

    def __iter__(self) -> Any:
        if not self.static_shape or self.static_shape[0] is None:
            raise TypeError(
                f"{self!r} is symbolic, and its length is not known: scan over it, or iterate over a value"
            )
        return (self[i] for i in range(self.static_shape[0]))

    @property
    def shape(self) -> Variable:
        """The shape as an int64 vector, symbolic."""
        return ops.shape(self)

    @property
    def T(self) -> Variable:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return ops.transpose(self)

    @property
    def size(self) -> Variable:
        """The number of elements, symbolic."""
        return ops.prod(ops.shape(self))

    def dimshuffle(self, *pattern: Any) -> Variable:
        """Reorder, drop and insert axes: see `arignote.tensor.dimshuffle`."""
        return ops.dimshuffle(self, *pattern)

    def reshape(self, shape: Any, ndim: int | None = None) -> Variable:
        """Return the same elements in another shape: see `arignote.tensor.reshape`."""
        return ops.reshape(self, shape, ndim)

    def flatten(self, ndim: int = 1) -> Variable:
        """Join the last axes: see `arignote.tensor.flatten`."""
        return ops.flatten(self, ndim)

    def swapaxes(self, axis1: int, axis2: int) -> Variable:
        """Exchange two axes."""
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self) -> Variable:
        """Drop the axes that are 1 in the type."""
        return ops.squeeze(self)

    def repeat(self, repeats: Any, axis: int | None = None) -> Variable:
        """Repeat elements: see `arignote.tensor.repeat`."""
        return ops.repeat(self, repeats, axis)

    def diagonal(self, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Variable:
        """Return the diagonals over two axes: see `arignote.tensor.diagonal`."""
        return ops.diagonal(self, offset, axis1, axis2)

    def fill(self, value: Any) -> Variable:
        """Return an array of the same shape filled with a value."""
        return ops.fill(self, value)

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Variable:
        """Return elements along an axis: see `arignote.tensor.take`."""
        return ops.take(self, indices, axis, mode)

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Variable:
        """Return for each element that of the array it names: see `arignote.tensor.choose`."""
        return ops.choose(self, choices, out, mode)

    def compress(self, x: Any, axis: int | None = None) -> Variable:
        """Return what of `x` stands where this is true: see `arignote.tensor.compress`."""
        return ops.compress(self, x, axis)

    def nonzero_values(self) -> Variable:
        """Return the elements that are not zero."""
        return ops.nonzero_values(self)

    def zeros_like(self, dtype: str | None = None) -> Variable:
        """Return zeros of the same shape."""
        return ops.zeros_like(self, dtype)

    def ones_like(self, dtype: str | None = None) -> Variable:
        """Return ones of the same shape."""
        return ops.ones_like(self, dtype)

    def copy(self, name: str | None = None) -> Variable:
        """Return a variable of the same value, under a name of its own."""
        return ops.tensor_copy(self, name)

    def ravel(self) -> Variable:
        """Return the elements as a vector."""
        return ops.flatten(self, 1)

    def transpose(self, *axes: Any) -> Variable:
        """Reorder the axes."""
        return ops.transpose(self, *axes)

    def astype(self, dtype: str) -> Variable:
        """Return the elements in another dtype."""
        return ops.cast(self, dtype)

    def clip(self, a_min: Any, a_max: Any) -> Variable:
        """Return the elements between two bounds: see `arignote.tensor.clip`."""
        return ops.clip(self, a_min, a_max)

    def round(self, mode: str | None = None) -> Variable:
        """Return the nearest whole numbers: see `arignote.tensor.round`."""
        return ops.round(self, mode)

    def trunc(self) -> Variable:
        """Return the elements without their fractions."""
        return ops.trunc(self)

    @property
    def real(self) -> Variable:
        """The real part: the variable itself."""
        return ops.real(self)

    @property
    def imag(self) -> Variable:
        """The imaginary part: zeros."""
        return ops.imag(self)

    def conj(self) -> Variable:
        """Return the complex conjugate: the variable itself."""
        return ops.conj(self)

    conjugate = conj

    def dot(self, other: Any) -> Variable:
        """Return the matrix product with `other`."""
        return ops.dot(self, other)

    def sum(
        self,
        axis: Axis = None,
        dtype: str | None = None,
        keepdims: bool = False,
        acc_dtype: str | None = None,
    ) -> Variable:
        """Return the sum over axes: see `arignote.tensor.sum`."""
        return ops.sum(self, axis, dtype, keepdims, acc_dtype)

    def prod(
        self,
        axis: Axis = None,
        dtype: str | None = None,
        keepdims: bool = False,
        acc_dtype: str | None = None,
    ) -> Variable:
        """Return the product over axes: see `arignote.tensor.prod`."""
        return ops.prod(self, axis, dtype, keepdims, acc_dtype)

    def mean(
        self,
        axis: Axis = None,
        dtype: str | None = None,
        keepdims: bool = False,
        acc_dtype: str | None = None,
    ) -> Variable:
        """Return the mean over axes: see `arignote.tensor.mean`."""
        return ops.mean(self, axis, dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def var(
        self, axis: Axis = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> Variable:
        """Return the variance over axes: see `arignote.tensor.var`."""
        return ops.var(self, axis, ddof, keepdims, corrected)

    def std(
        self, axis: Axis = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> Variable:
        """Return the standard deviation over axes: see `arignote.tensor.std`."""
        return ops.std(self, axis, ddof, keepdims, corrected)

    def norm(self, L: float, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return the L-norm over axes, ``sum(abs(x) ** L) ** (1 / L)``."""
        return ops.lp_norm(self, L, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return the maximum over axes."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return the minimum over axes."""
        return ops.min(self, axis, keepdims)

    def ptp(self, axis: Axis = None) -> Variable:
        """Return the maximum less the minimum over axes."""
        return ops.ptp(self, axis)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return whether any element over axes is not 0."""
        return ops.any(self, axis, keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return whether all elements over axes are not 0."""
        return ops.all(self, axis, keepdims)

    def argmax(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return where the first maximum stands: see `arignote.tensor.argmax`."""
        return ops.argmax(self, axis, keepdims)

    def argmin(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """Return where the first minimum stands: see `arignote.tensor.argmax`."""
        return ops.argmin(self, axis, keepdims)

    def cumsum(self, axis: int | None = None) -> Variable:
        """Return the sums of the elements up to each: see `arignote.tensor.cumsum`."""
        return ops.cumsum(self, axis)

    def cumprod(self, axis: int | None = None) -> Variable:
        """Return the products of the elements up to each: see `arignote.tensor.cumprod`."""
        return ops.cumprod(self, axis)

    def sort(self, axis: int | None = -1, kind: str = "stable", order: None = None) -> Variable:
        """Return the elements in ascending order: see `arignote.tensor.sort`."""
        return ops.sort(self, axis, kind, order)

    def argsort(self, axis: int | None = -1, kind: str = "stable", order: None = None) -> Variable:
        """Return the places of the elements in ascending order: see `arignote.tensor.argsort`."""
        return ops.argsort(self, axis, kind, order)

    def searchsorted(self, v: Any, side: Literal["left", "right"] = "left", sorter: Any = None) -> Variable:
        """Return where values would be inserted: see `arignote.tensor.searchsorted`."""
        return ops.searchsorted(self, v, side, sorter)

    def nonzero(self, return_matrix: bool = False) -> Any:
        """Return where elements are not zero, a vector of indices for each axis."""
        return ops.nonzero(self, return_matrix)

    def trace(self) -> Variable:
        """Return the sum of the diagonal of a matrix."""
        return ops.trace(self)
