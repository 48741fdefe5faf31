"""Pooling under Theano's names, over one to three axes: what users call, made of the ops in `pool`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.pool import MaxPool, MaxUnpool, Pair, SumPool
from arignote.engine.ops.shape import dimshuffle, extents, product, reshape

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")
AXES = ("planes", "rows", "columns")


def pool_2d(
    input: Any,
    ws: Any = None,
    ignore_border: bool = False,
    stride: Any = None,
    pad: Any = (0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> Variable:
    """Pool over windows of the last two axes (`theano.tensor.signal.pool.pool_2d`).

    Parameters
    ----------
    input : Variable
        Images, (..., rows, columns), of two dimensions or more; floating, for 'max' of any real dtype.
    ws : int or (int, int)
        The window's rows and columns. `ds` is the older word.
    ignore_border : bool
        Whether windows that reach over the border are left out (True) or clipped (False, as in Theano).
    stride : int or (int, int), optional
        By default the window. `st` is the older word. A shorter one makes windows overlap.
    pad : int or (int, int)
        Rows and columns added at each side; smaller than the window; needs ``ignore_border=True``. Padding
        never is a maximum; it counts as 0 in sums. `padding` is the older word.
    mode : {'max', 'sum', 'average_inc_pad', 'average_exc_pad'}
        The averages divide by the pixels of a window that lie in the padded image, or in the image itself.

    Returns
    -------
    Variable
        (..., output rows, output columns).

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Notes
    -----
    The definition is Theano 1.0's; for ties in 'max', see the module. The pool of whole images is a
    reduction: ``images.max(axis=(2, 3))``.

    Examples
    --------
    >>> import arignote.compile
    >>> image = [[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]
    >>> pool_2d(image, ws=(2, 2), ignore_border=True).eval()
    array([[6., 8.],
           [3., 4.]])
    """
    windows = _windows("pool_2d", 2, ws, ds, stride, st, pad, padding, ignore_border, mode)
    return _pool(_images("pool_2d", input, 2, mode), windows)


def pool_3d(
    input: Any,
    ws: Any = None,
    ignore_border: bool = False,
    stride: Any = None,
    pad: Any = (0, 0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> Variable:
    """Pool over windows of the last three axes (`theano.tensor.signal.pool.pool_3d`).

    Parameters
    ----------
    input : Variable
        Images, (..., planes, rows, columns), of three dimensions or more.
    ws, ignore_border, stride, pad, mode, ds, st, padding
        As for :func:`pool_2d`, for three axes.

    Returns
    -------
    Variable
        (..., output planes, output rows, output columns).

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Notes
    -----
    The windows of planes are pooled first, then the planes: the first maximum of the first plane that has it
    is the first in row-major order, and an average of equal averages is that of all.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> pool_3d(T.TensorType("float32", (2, 3, 8, 9, 10))(), 2, ignore_border=True).static_shape
    (2, 3, 4, 4, 5)
    """
    windows = _windows("pool_3d", 3, ws, ds, stride, st, pad, padding, ignore_border, mode)
    images = _images("pool_3d", input, 3, mode)
    planes = _pool(images, windows.along(1, 2))
    *leading, depth, rows, columns = extents(planes)
    lines = reshape(planes, (*leading, depth, product([rows, columns])))
    pooled = _pool(lines, windows.along(0).beside())
    return reshape(pooled, (*leading, extents(pooled)[-2], rows, columns))


def pool_1d(
    input: Any,
    ws: Any,
    ignore_border: bool = False,
    stride: Any = None,
    pad: Any = 0,
    mode: str = "max",
) -> Variable:
    """Pool over windows of the last axis.

    Parameters
    ----------
    input : Variable
        Sequences, (..., length), of one dimension or more.
    ws, ignore_border, stride, pad, mode
        As for :func:`pool_2d`, for one axis.

    Returns
    -------
    Variable
        (..., output length).

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> pool_1d([1.0, 2, 4, 3, 0], ws=3, stride=1, ignore_border=True).eval()
    array([4., 4., 4.])
    """
    windows = _windows("pool_1d", 1, ws, None, stride, None, pad, None, ignore_border, mode)
    x = _images("pool_1d", input, 1, mode)
    rows = dimshuffle(x, *range(x.ndim - 1), "x", x.ndim - 1)
    pooled = _pool(rows, windows.below())
    return dimshuffle(pooled, *(axis for axis in range(x.ndim + 1) if axis != x.ndim - 1))


def max_pool_2d(
    input: Any,
    ds: Any,
    ignore_border: bool = False,
    st: Any = None,
    padding: Any = (0, 0),
    mode: str = "max",
) -> Variable:
    """Return `pool_2d` by its older name and words (`theano.tensor.signal.downsample`)."""
    return pool_2d(input, ds, ignore_border, st, padding, mode)


def max_unpool_2d(
    values: Any,
    images: Any,
    ws: Any,
    ignore_border: bool = False,
    stride: Any = None,
    pad: Any = (0, 0),
) -> Variable:
    """Put the value of each window where the window has its maximum, and 0 elsewhere.

    This is the way back through a max-pooling, as decoders use it; pooling the same images with the same
    windows elsewhere in a graph is done once.

    Parameters
    ----------
    values : Variable
        A value a window: of the shape of ``pool_2d(images, ws, ...)``. Where windows overlap, values of one
        maximum add up.
    images : Variable
        What was pooled, (..., rows, columns).
    ws, ignore_border, stride, pad
        As for :func:`pool_2d`.

    Returns
    -------
    Variable
        Of the shape of `images`.

    Raises
    ------
    ShapeError, DTypeError
        For arguments that do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> max_unpool_2d([[10.0, 20.0]], [[1.0, 2, 8, 7], [4, 3, 5, 6]], ws=2).eval()
    array([[ 0.,  0., 20.,  0.],
           [10.,  0.,  0.,  0.]])
    """
    name = "max_unpool_2d"
    windows = _windows(name, 2, ws, None, stride, None, pad, None, ignore_border, "max")
    x, y = _images(name, images, 2, "max"), as_variable(values)
    if not y.type.is_float or y.ndim != x.ndim:
        raise DTypeError(
            f"{name}: argument `values`",
            expected=f"floating, of {x.ndim} dimensions as `images`",
            actual=f"{y!r} of type {y.type}",
        )
    planes = _as_planes(x)
    parameters = windows.parameters
    _, positions = MaxPool(*parameters).apply(planes)
    unpooled = MaxUnpool(*parameters)(_as_planes(y), positions, *extents(planes)[2:])
    return _back(unpooled, x)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Variable:
    """Keep the maximum of each window, and set the rest to 0 (`theano.tensor.signal.pool`).

    Parameters
    ----------
    input : Variable
        Images, (..., rows, columns).
    patch_size : int or (int, int)
        Rows and columns of a window; windows do not overlap, and those that reach over the border are 0.

    Returns
    -------
    Variable
        Of the shape of `input`. Of equal maxima the first in row-major order stays.

    Examples
    --------
    >>> import arignote.compile
    >>> max_pool_2d_same_size([[1.0, 2, 8, 7], [4, 3, 5, 6]], 2).eval()
    array([[0., 0., 8., 0.],
           [4., 0., 0., 0.]])
    """
    maxima = pool_2d(input, patch_size, ignore_border=True)
    return max_unpool_2d(maxima, input, patch_size, ignore_border=True)


# ------------------------------------------------------------------------------ what they are made with


class _Windows(NamedTuple):
    """Windows over some axes, as the ops want them."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    ignore_border: bool
    mode: str

    def along(self, *axes: int) -> _Windows:
        """Return the windows over some of the axes."""
        return self._replace(
            window=tuple(self.window[axis] for axis in axes),
            stride=tuple(self.stride[axis] for axis in axes),
            pad=tuple(self.pad[axis] for axis in axes),
        )

    def beside(self) -> _Windows:
        """Return windows over one axis as windows of rows, one column wide."""
        return self._replace(window=(*self.window, 1), stride=(*self.stride, 1), pad=(*self.pad, 0))

    def below(self) -> _Windows:
        """Return windows over one axis as windows of columns, one row high."""
        return self._replace(window=(1, *self.window), stride=(1, *self.stride), pad=(0, *self.pad))

    @property
    def parameters(self) -> tuple[Pair, Pair, Pair, bool]:
        """The parameters that the ops share."""
        window, stride, pad = ((rows, columns) for rows, columns in (self.window, self.stride, self.pad))
        return window, stride, pad, self.ignore_border


def _windows(
    name: str,
    rank: int,
    ws: Any,
    ds: Any,
    stride: Any,
    st: Any,
    pad: Any,
    padding: Any,
    ignore_border: Any,
    mode: str,
) -> _Windows:
    """Read and check what a user says of the windows; `ds`, `st` and `padding` are older words."""
    if mode not in MODES:
        raise DTypeError(f"{name}: argument `mode`", expected="one of " + ", ".join(MODES), actual=repr(mode))
    window = _numbers(name, "ws", _either(name, "ws", ws, "ds", ds), rank, least=1)
    steps = _either(name, "stride", stride, "st", st, otherwise=window)
    steps = _numbers(name, "stride", steps, rank, least=1)
    pads = _numbers(name, "pad", pad if padding is None else padding, rank, least=0)
    if any(pads) and not ignore_border:
        raise ShapeError(
            f"{name}: argument `pad`",
            expected="ignore_border=True with padding",
            actual=repr(pads),
            fix="say ignore_border=True, or pad the images",
        )
    if any(p >= w for p, w in zip(pads, window, strict=True)):
        raise ShapeError(
            f"{name}: argument `pad`",
            expected=f"less than the window {window}",
            actual=repr(pads),
            fix="pad less, or no window will hold a pixel there",
        )
    return _Windows(window, steps, pads, bool(ignore_border), mode)


def _images(name: str, value: Any, rank: int, mode: str) -> Variable:
    """Return a user's images, of the rank and dtype that pooling takes."""
    x = as_variable(value)
    if x.ndim < rank:
        raise ShapeError(
            f"{name}: argument `input`",
            expected=f"{('one dimension', 'two dimensions', 'three dimensions')[rank - 1]} or more: "
            f"(..., {', '.join(AXES[-rank:])})",
            actual=f"{x!r} of type {x.type}",
        )
    if not x.type.is_float and (mode != "max" or x.dtype == "bool"):
        raise DTypeError(
            f"{name}: argument `input`",
            expected="float32 or float64",
            actual=f"{x!r} of type {x.type}",
            fix="cast it: cast(x, 'floatX')",
        )
    return x


def _pool(x: Variable, windows: _Windows) -> Variable:
    """Pool over windows of the last two axes."""
    planes = _as_planes(x)
    if windows.mode == "max":
        return _back(MaxPool(*windows.parameters)(planes), x)
    return _back(SumPool(*windows.parameters, windows.mode)(planes), x)


def _as_planes(x: Variable) -> Variable:
    """Return images with four axes."""
    if x.ndim <= 4:
        return dimshuffle(x, *("x",) * (4 - x.ndim), *range(x.ndim))
    leading = extents(x)
    return reshape(x, (product(leading[:-3]), *leading[-3:]))


def _back(planes: Variable, x: Variable) -> Variable:
    """Return images of four axes with the leading axes of `x`."""
    return planes if x.ndim == 4 else reshape(planes, (*extents(x)[:-2], *extents(planes)[2:]))


def _either(name: str, word: str, value: Any, old_word: str, old: Any, otherwise: Any = None) -> Any:
    if value is not None and old is not None:
        raise DTypeError(
            name, expected=f"`{word}` or `{old_word}`", actual="both", fix=f"leave out {old_word}"
        )
    given = value if value is not None else old if old is not None else otherwise
    if given is None:
        raise DTypeError(f"{name}: argument `{word}`", expected="the extents of a window", actual="nothing")
    return given


def _numbers(name: str, word: str, value: Any, rank: int, least: int) -> tuple[int, ...]:
    entries: Sequence[Any] = value if isinstance(value, list | tuple) else (value,) * rank
    numbers = tuple(int(entry) for entry in entries)
    if len(numbers) != rank or min(numbers) < least:
        raise ShapeError(
            f"{name}: argument `{word}`",
            expected=f"one or {('one', 'two', 'three')[rank - 1]} numbers of at least {least}",
            actual=repr(value),
        )
    return numbers
