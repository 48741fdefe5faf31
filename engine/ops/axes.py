"""Axes moved, dropped, inserted and repeated: expressions of `dimshuffle`, `reshape` and broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import (
    Reshape,
    ShapeOf,
    SpecifyShape,
    arange,
    as_extents,
    dimshuffle,
    extents,
    flatten,
    one_axis,
    reshape,
    scalar_integer,
)


def swapaxes(x: Any, axis1: int, axis2: int) -> Variable:
    """Exchange two axes (`theano.tensor.swapaxes`)."""
    x = as_variable(x)
    first, second = one_axis(axis1, x.ndim, "swapaxes"), one_axis(axis2, x.ndim, "swapaxes")
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return dimshuffle(x, *order)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Variable:
    """Move axes to other places; the rest keep their order (`numpy.moveaxis`).

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> moveaxis(TensorType("float32", (2, 3, 4))("x"), 0, -1).static_shape
    (3, 4, 2)
    """
    x = as_variable(x)
    sources, destinations = (
        [one_axis(axis, x.ndim, "moveaxis") for axis in ([axes] if isinstance(axes, int) else axes)]
        for axes in (source, destination)
    )
    if len(sources) != len(destinations) or len({*sources}) + len({*destinations}) < 2 * len(sources):
        raise ShapeError(
            "moveaxis",
            expected="as many different destinations as sources",
            actual=f"{source} and {destination}",
        )
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return dimshuffle(x, *order)


def rollaxis(x: Any, axis: int, start: int = 0) -> Variable:
    """Move an axis in front of the axis `start` (`numpy.rollaxis`)."""
    x = as_variable(x)
    moved = one_axis(axis, x.ndim, "rollaxis")
    place = start + x.ndim if start < 0 else start
    if not 0 <= place <= x.ndim:
        raise ShapeError("rollaxis: start", expected=f"{-x.ndim} to {x.ndim}", actual=str(start))
    return moveaxis(x, moved, place - 1 if moved < place else place)


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Variable:
    """Drop axes of extent 1 (`theano.tensor.extra_ops.squeeze`).

    Parameters
    ----------
    x : Variable or array_like
    axis : int or sequence of int, optional
        By default all that are 1 in the type.

    Raises
    ------
    ShapeError
        If an axis is not 1 in the type.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> squeeze(TensorType("float32", (1, None, 1))("x")).type
    TensorType(dtype='float32', shape=(None,))
    """
    x = as_variable(x)
    if axis is None:
        dropped = [place for place, one in enumerate(x.broadcastable) if one]
    else:
        dropped = [one_axis(each, x.ndim, "squeeze") for each in ([axis] if isinstance(axis, int) else axis)]
    return dimshuffle(x, *(place for place in range(x.ndim) if place not in dropped))


def shape_padleft(t: Any, n_ones: int = 1) -> Variable:
    """Insert axes of extent 1 in front (`theano.tensor.shape_padleft`)."""
    t = as_variable(t)
    return dimshuffle(t, *("x",) * n_ones, *range(t.ndim))


def shape_padright(t: Any, n_ones: int = 1) -> Variable:
    """Insert axes of extent 1 behind (`theano.tensor.shape_padright`)."""
    t = as_variable(t)
    return dimshuffle(t, *range(t.ndim), *("x",) * n_ones)


def shape_padaxis(t: Any, axis: int) -> Variable:
    """Insert an axis of extent 1 that is the axis `axis` of the result (`theano.tensor.shape_padaxis`)."""
    t = as_variable(t)
    place = one_axis(axis, t.ndim + 1, "shape_padaxis")
    return dimshuffle(t, *range(place), "x", *range(place, t.ndim))


def specify_shape(x: Any, shape: Any) -> Variable:
    """Return the array itself, whose shape is promised (`theano.tensor.specify_shape`).

    Parameters
    ----------
    x : Variable or array_like
    shape : sequence of int, integer scalars and None, or integer vector
        None for an extent of which nothing is promised.

    Raises
    ------
    ShapeError
        If the shape is another: at once where that is known, else at the call.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> specify_shape(TensorType("float32", (None, None))("x"), (None, 1)).broadcastable
    (False, True)
    """
    x = as_variable(x)
    if isinstance(shape, Sequence) and not isinstance(shape, Variable):
        wanted = [None if entry is None else as_extents([entry], "specify_shape")[0] for entry in shape]
    else:
        wanted = list(as_extents(shape, "specify_shape"))
    promise = SpecifyShape("specify_shape: argument `x`", "`shape`", (None,) * len(wanted))
    if len(wanted) != x.ndim:
        return promise(x)  # refuses it
    given = [mine if theirs is None else theirs for mine, theirs in zip(extents(x), wanted, strict=True)]
    return promise(x, *given)


def addbroadcast(x: Any, *axes: int) -> Variable:
    """Promise that axes have extent 1, so that they broadcast (`theano.tensor.addbroadcast`).

    Raises
    ------
    ShapeError
        At the call, if the extent is another.
    """
    x = as_variable(x)
    ones = {one_axis(axis, x.ndim, "addbroadcast") for axis in axes}
    wanted = tuple(1 if axis in ones else extent for axis, extent in enumerate(x.static_shape))
    return SpecifyShape("addbroadcast: argument `x`", "`axes`", wanted)(x)


def unbroadcast(x: Any, *axes: int) -> Variable:
    """Forget that axes have extent 1, so that they do not broadcast (`theano.tensor.unbroadcast`)."""
    x = as_variable(x)
    forgotten = {one_axis(axis, x.ndim, "unbroadcast") for axis in axes}
    shape = [ShapeOf(axis)(x) if axis in forgotten else extent for axis, extent in enumerate(extents(x))]
    return Reshape()(x, *shape)


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Variable:
    """Say for every axis whether it broadcasts (`theano.tensor.patternbroadcast`)."""
    return Rebroadcast(*enumerate(broadcastable))(x)


def Rebroadcast(*axis: tuple[int, bool]) -> Callable[[Any], Variable]:  # noqa: N802 - Theano's name
    """Make a function that says for axes whether they broadcast (`theano.tensor.Rebroadcast`).

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> Rebroadcast((0, True), (1, False))(TensorType("float32", (None, 1))("x")).broadcastable
    (True, False)
    """

    def rebroadcast(x: Any) -> Variable:
        x = as_variable(x)
        changed = {place: one for place, one in axis if x.broadcastable[place] != bool(one)}
        added = [place for place, one in changed.items() if one]
        removed = [place for place, one in changed.items() if not one]
        x = addbroadcast(x, *added) if added else x
        return unbroadcast(x, *removed) if removed else x

    return rebroadcast


def broadcast_to(x: Any, shape: Any) -> Variable:
    """Return the array repeated to a shape, along new axes in front and axes that are 1 in the type.

    Parameters
    ----------
    x : Variable or array_like
    shape : sequence of int and integer scalars, or integer vector

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import arignote.compile
    >>> broadcast_to([1, 2], (2, 2)).eval()
    array([[1, 2],
           [1, 2]])
    """
    x, wanted = as_variable(x), as_extents(shape, "broadcast_to")
    if len(wanted) < x.ndim:
        raise ShapeError(
            "broadcast_to: shape", expected=f"at least {x.ndim} extents, as {x!r}", actual=str(len(wanted))
        )
    return BroadcastTo()(shape_padleft(x, len(wanted) - x.ndim), *wanted)


def flip(m: Any, axis: int | Sequence[int] | None = None) -> Variable:
    """Reverse the order of elements along axes, by default all (`numpy.flip`)."""
    x: Variable = as_variable(m)
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    places = {one_axis(each, x.ndim, "flip") for each in axes}
    return x[tuple(slice(None, None, -1) if i in places else slice(None) for i in range(x.ndim))]


def tile(x: Any, reps: Any, ndim: int | None = None) -> Variable:
    """Repeat an array as a whole (`theano.tensor.tile`).

    Parameters
    ----------
    x : Variable or array_like
    reps : int, sequence of int and integer scalars, or integer vector
        How often along each of the last axes.
    ndim : int, optional
        The rank of the result, by default the larger of those of `x` and `reps`.

    Raises
    ------
    ShapeError
        If `ndim` is less than that.

    Examples
    --------
    >>> import arignote.compile
    >>> tile([[1, 2]], (2, 2)).eval()
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    x, times = as_variable(x), as_extents(reps, "tile")
    least = max(x.ndim, len(times))
    rank = least if ndim is None else ndim
    if rank < least:
        raise ShapeError("tile: ndim", expected=f"at least {least}", actual=str(ndim))
    times = [as_variable(1)] * (rank - len(times)) + times
    x = shape_padleft(x, rank - x.ndim)
    inner = extents(x)
    # x[j, l] stands at (i, j, k, l) of the view, and so at (i * J + j, k * L + l).
    view = dimshuffle(x, *(entry for axis in range(rank) for entry in ("x", axis)))
    outer = [extent for pair in zip(times, inner, strict=True) for extent in pair]
    return reshape(BroadcastTo()(view, *outer), [a * b for a, b in zip(times, inner, strict=True)])


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Variable:
    """Repeat the elements of an array (`theano.tensor.extra_ops.repeat`).

    Parameters
    ----------
    x : Variable or array_like
    repeats : int, integer scalar, or integer vector
        How often each; a vector has a number for each place along the axis.
    axis : int, optional
        By default the array is flattened.

    Raises
    ------
    DTypeError
        If `repeats` is no integer scalar or vector.

    Examples
    --------
    >>> import arignote.compile
    >>> repeat([1, 2], [2, 3]).eval()
    array([1, 1, 2, 2, 2])
    """
    array = flatten(x) if axis is None else as_variable(x)
    place, times = one_axis(axis or 0, array.ndim, "repeat"), as_variable(repeats)
    if times.ndim == 0 or times.static_shape == (1,):
        count = scalar_integer(times[0] if times.ndim else times, "repeat: repeats")
        shape = extents(array)
        view = BroadcastTo()(shape_padaxis(array, place + 1), *shape[: place + 1], count, *shape[place + 1 :])
        return reshape(view, [*shape[:place], shape[place] * count, *shape[place + 1 :]])
    if times.ndim != 1 or times.type.is_float:
        raise DTypeError(
            "repeat: repeats",
            expected="an integer scalar or vector",
            actual=f"{times!r} of type {times.type}",
        )
    return array[(slice(None),) * place + (_repeated(times, extents(array)[place]),)]


def _repeated(times: Variable, extent: Variable) -> Variable:
    """Return each index of an axis as often as a vector says."""
    from arignote.engine.ops.index import nonzero
    from arignote.engine.ops.join import join
    from arignote.engine.ops.reduce import max

    # A row for each index, as many of its columns true as it is repeated.
    columns = arange(max(join(0, times, Constant(0).dimshuffle("x"))))
    whole = SpecifyShape("repeat: argument `repeats`", "the axis", (None,))(times, extent)
    rows, _ = nonzero(shape_padleft(columns) < shape_padright(whole))
    return as_variable(rows)
