"""Vectors of pooling windows, for use inside compiled code: one window a lane.

Neighbouring windows begin `step` columns apart. So a vector of `lanes` windows finds its elements in spans of
``lanes * step`` consecutive columns. A span is read whole and taken apart by shuffles into `step` *phases*:
phase b holds columns b, b + step, b + 2*step, ... of the span. Column j of the windows is phase ``j % step``
of the span that begins at column ``j - j % step`` of the first window. The transposes put spans together from
phases and write them whole.

A span that may reach over the ends of its row is *clipped*: read and written under a mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic

POSITION = ir.IntType(32)
INDEX = types.int64


class Vector(types.Type):
    """A vector register's worth of elements, as numba's type of a variable."""

    def __init__(self, dtype: str, lanes: int) -> None:
        self.dtype = np.dtype(dtype)
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")

    @property
    def element(self) -> ir.Type:
        """LLVM's type of an element."""
        if self.dtype.kind == "f":
            return {4: ir.FloatType(), 8: ir.DoubleType()}[self.dtype.itemsize]
        return ir.IntType(8 * self.dtype.itemsize)

    def constant(self, number: float, repeats: int = 1) -> ir.Constant:
        """Return `repeats` vectors in one, whose every element is `number`."""
        count = self.lanes * repeats
        return ir.Constant(ir.VectorType(self.element, count), [number] * count)


@register_default(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(kind.element, kind.lanes))


# --------------------------------------------------------------------------------------- instructions


def _shuffle(builder: ir.IRBuilder, first: ir.Value, second: ir.Value, order: Sequence[int]) -> ir.Value:
    """Return the elements of two vectors, laid end to end, in the given order."""
    indices = ir.Constant(ir.VectorType(POSITION, len(order)), list(order))
    return builder.shuffle_vector(first, second, indices)


def _splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int) -> ir.Value:
    """Return a vector whose every element is `scalar`."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, POSITION(0))
    return _shuffle(builder, first, first, [0] * lanes)


def _ramp(builder: ir.IRBuilder, start: ir.Value, lanes: int, step: int = 1) -> ir.Value:
    """Return the vector of ``start + step*lane``, as int32."""
    start = builder.trunc(start, POSITION)
    steps = ir.Constant(ir.VectorType(POSITION, lanes), [step * lane for lane in range(lanes)])
    return builder.add(_splat(builder, start, lanes), steps)


def _masked(
    builder: ir.IRBuilder, action: str, span: ir.Type, result: ir.Type, operands: list[Any]
) -> ir.Value:
    kind = f"v{span.count}{span.element.intrinsic_name}"
    function = ir.FunctionType(result, [operand.type for operand in operands])
    declared = cgutils.get_or_insert_function(builder.module, function, f"llvm.masked.{action}.{kind}.p0")
    return builder.call(declared, operands)


def _inside(builder: ir.IRBuilder, column: ir.Value, count: int, extent: ir.Value) -> ir.Value:
    """Return the mask of those of `count` columns that lie in a row of `extent`."""
    return builder.icmp_unsigned("<", _ramp(builder, column, count), _ramp(builder, extent, count, 0))


def _address(builder: ir.IRBuilder, kind: Vector, row: ir.Value, column: ir.Value, span: ir.Type) -> ir.Value:
    """Return the pointer to the span that begins at `column` of a row."""
    return builder.bitcast(builder.gep(row, [column], source_etype=kind.element), span.as_pointer())


def _read(
    builder: ir.IRBuilder,
    kind: Vector,
    step: int,
    extent: ir.Value,
    row: ir.Value,
    column: ir.Value,
    outside: float | None,
) -> list[ir.Value]:
    """Return the phases of a span; beyond the row they are `outside`, or need no care if that is None."""
    span = ir.VectorType(kind.element, kind.lanes * step)
    pointer = _address(builder, kind, row, column, span)
    align = kind.dtype.itemsize
    if outside is None:
        whole = builder.load(pointer, align=align, typ=span)
    else:
        mask = _inside(builder, column, span.count, extent)
        whole = _masked(
            builder, "load", span, span, [pointer, POSITION(align), mask, kind.constant(outside, step)]
        )
    return [_shuffle(builder, whole, whole, range(phase, span.count, step)) for phase in range(step)]


def _write(
    builder: ir.IRBuilder,
    kind: Vector,
    extent: ir.Value,
    row: ir.Value,
    column: ir.Value,
    phases: Sequence[ir.Value],
    clipped: bool,
) -> None:
    """Write the span of these phases, or what of it lies in the row if it is `clipped`."""
    lanes, step = kind.lanes, len(phases)
    whole = phases[0]
    for count, phase in enumerate(phases[1:], 1):
        widened = _shuffle(builder, phase, phase, [lane % lanes for lane in range(count * lanes)])
        whole = _shuffle(builder, whole, widened, range((count + 1) * lanes))
    order = [phase * lanes + lane for lane in range(lanes) for phase in range(step)]
    whole = _shuffle(builder, whole, whole, order)
    pointer = _address(builder, kind, row, column, whole.type)
    align = kind.dtype.itemsize
    if clipped:
        mask = _inside(builder, column, lanes * step, extent)
        _masked(builder, "store", whole.type, ir.VoidType(), [whole, pointer, POSITION(align), mask])
    else:
        builder.store(whole, pointer, align=align)


# ------------------------------------------------------------------- what the kernels' loops are made of


@dataclass(frozen=True)
class Windows:
    """Vectors of windows along one row of an image.

    Most methods make a function for use inside compiled code. There a row is a pointer to its column 0, and
    `left` the first column of the first window, which may be negative.

    Where `clipped` is true, what is read or written may reach over the ends of its row. `columns` are those
    of a row of the image, and `windows` are those along it.

    Parameters
    ----------
    dtype : str
        NumPy's name of the element type.
    lanes : int
        Windows in a vector.
    size, step : int
        Columns of a window, and columns from one window to the next.
    """

    dtype: str
    lanes: int
    size: int
    step: int

    @property
    def least(self) -> float:
        """The least number of the element type."""
        kind = np.dtype(self.dtype)
        return -np.inf if kind.kind == "f" else int(np.iinfo(kind).min)

    @property
    def reach(self) -> int:
        """Columns that the functions may touch, from the first window's first column on."""
        return (self.size - 1) // self.step * self.step + self.lanes * self.step

    @property
    def earlier(self) -> int:
        """How many windows before the one that begins in a span may hold elements of the span."""
        return (self.size - 1) // self.step

    @property
    def vector(self) -> Vector:
        """The type of a vector of elements."""
        return Vector(self.dtype, self.lanes)

    @property
    def places(self) -> Vector:
        """The type of a vector of flat indices into a plane."""
        return Vector("int32", self.lanes)

    def no_maxima(self) -> Any:
        """Make ``(first row's flat index, left) -> (maxima, places)`` before any row is seen.

        The place is the first element inside the image: right if no element is larger than the least number.
        """
        vector, places = self.vector, self.places
        result = types.Tuple((vector, places))

        @intrinsic
        def no_maxima(typingctx: Any, start: Any, left: Any) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                start, left = arguments
                columns = _ramp(builder, left, self.lanes, self.step)
                negative = builder.icmp_signed("<", columns, places.constant(0))
                columns = builder.select(negative, places.constant(0), columns)
                first = builder.add(columns, _ramp(builder, start, self.lanes, 0))
                return context.make_tuple(builder, result, [vector.constant(self.least), first])

            return result(INDEX, INDEX), generate

        return no_maxima

    def larger(self, clipped: bool) -> Any:
        """Make ``((maxima, places), row, row's flat index, left, columns) -> (maxima, places)``.

        That is the state after one row more.

        An element wins over what it is larger than, so that the first of equals stays; a NaN wins over all
        but another NaN.
        """
        vector, places = self.vector, self.places
        state_type = types.Tuple((vector, places))

        def wins(builder: ir.IRBuilder, element: ir.Value, best: ir.Value) -> ir.Value:
            if vector.dtype.kind == "f":
                above_or_nan = builder.fcmp_unordered(">", element, best)
                return builder.and_(above_or_nan, builder.fcmp_ordered("ord", best, best))
            return (builder.icmp_signed if vector.dtype.kind == "i" else builder.icmp_unsigned)(
                ">", element, best
            )

        @intrinsic
        def larger(typingctx: Any, state: Any, row: Any, start: Any, left: Any, columns: Any) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                state, row, start, left, columns = arguments
                best, place = cgutils.unpack_tuple(builder, state, 2)
                corner = builder.add(start, left)
                outside = self.least if clipped else None
                for column, elements in self._columns(builder, row, left, columns, outside):
                    candidates = _ramp(builder, builder.add(corner, column), self.lanes, self.step)
                    won = wins(builder, elements, best)
                    best = builder.select(won, elements, best)
                    place = builder.select(won, candidates, place)
                return context.make_tuple(builder, state_type, [best, place])

            return state_type(state_type, row, INDEX, INDEX, INDEX), generate

        return larger

    def add(self, clipped: bool) -> Any:
        """Make ``((sums,), row, row's flat index, left, columns) -> (sums,)`` after one row more."""
        state_type = types.UniTuple(self.vector, 1)

        @intrinsic
        def add(typingctx: Any, state: Any, row: Any, start: Any, left: Any, columns: Any) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                state, row, _, left, columns = arguments
                (total,) = cgutils.unpack_tuple(builder, state, 1)
                for _, elements in self._columns(builder, row, left, columns, 0.0 if clipped else None):
                    total = builder.fadd(total, elements)
                return context.make_tuple(builder, state_type, [total])

            return state_type(state_type, row, INDEX, INDEX, INDEX), generate

        return add

    def scale(self, counted: bool) -> Any:
        """Make ``((sums,), left, weight, low, high) -> (sums*weight,)``.

        If `counted`, the weight is divided by the number of columns of each window from `low` up to `high`.
        """
        state_type = types.UniTuple(self.vector, 1)

        @intrinsic
        def scale(typingctx: Any, state: Any, left: Any, weight: Any, low: Any, high: Any) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                state, left, weight, *bounds = arguments
                (total,) = cgutils.unpack_tuple(builder, state, 1)
                weights = self._weights(builder, left, weight, bounds if counted else None)
                return context.make_tuple(builder, state_type, [builder.fmul(total, weights)])

            return state_type(state_type, INDEX, getattr(types, self.dtype), INDEX, INDEX), generate

        return scale

    def return_to_maxima(self, clipped: bool) -> Any:
        """Make ``(phases, values, positions, window, windows, place) -> phases``, the transpose of `larger`.

        Adds to the phases of a span of the image what one row of windows, of these values and positions,
        holds for it. The span begins with the first column of `window`, at the flat index `place`.
        """
        vector, places = self.vector, self.places
        result = types.UniTuple(vector, self.step)

        @intrinsic
        def return_to_maxima(
            typingctx: Any, phases: Any, values: Any, positions: Any, window: Any, windows: Any, place: Any
        ) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                packed, values, positions, window, windows, place = arguments
                phases = cgutils.unpack_tuple(builder, packed, self.step)
                for earlier, first in self._holders(builder, window):
                    (value,) = _read(builder, vector, 1, windows, values, first, 0.0 if clipped else None)
                    (position,) = _read(
                        builder, places, 1, windows, positions, first, -1 if clipped else None
                    )
                    for phase in self._phases_of(earlier):
                        here = _ramp(builder, builder.add(place, place.type(phase)), self.lanes, self.step)
                        mine = builder.icmp_signed("==", position, here)
                        share = builder.select(mine, value, vector.constant(0.0))
                        phases[phase] = builder.fadd(phases[phase], share)
                return context.make_tuple(builder, result, phases)

            return result(result, values, positions, INDEX, INDEX, INDEX), generate

        return return_to_maxima

    def spread(self, clipped: bool, counted: bool) -> Any:
        """Make ``(phases, values, window, windows, left, weight, low, high) -> phases``.

        That is the transpose of `add` and `scale`: it adds to the phases of a span of the image what a row of
        windows holds for it. The span begins with the first column of `window`, which is `left`.
        """
        vector = self.vector
        result = types.UniTuple(vector, self.step)

        @intrinsic
        def spread(
            typingctx: Any,
            phases: Any,
            values: Any,
            window: Any,
            windows: Any,
            left: Any,
            weight: Any,
            low: Any,
            high: Any,
        ) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
                packed, values, window, windows, left, weight, *bounds = arguments
                phases = cgutils.unpack_tuple(builder, packed, self.step)
                for earlier, first in self._holders(builder, window):
                    (value,) = _read(builder, vector, 1, windows, values, first, 0.0 if clipped else None)
                    start = builder.sub(left, left.type(earlier * self.step))
                    weights = self._weights(builder, start, weight, bounds if counted else None)
                    share = builder.fmul(value, weights)
                    for phase in self._phases_of(earlier):
                        phases[phase] = builder.fadd(phases[phase], share)
                return context.make_tuple(builder, result, phases)

            number = getattr(types, self.dtype)
            return result(result, values, INDEX, INDEX, INDEX, number, INDEX, INDEX), generate

        return spread

    def _columns(
        self, builder: ir.IRBuilder, row: ir.Value, left: ir.Value, columns: ir.Value, outside: float | None
    ) -> Iterator[tuple[ir.Value, ir.Value]]:
        """Yield the columns of the windows: how far from `left`, and the elements."""
        for first in range(0, self.size, self.step):
            start = builder.add(left, left.type(first))
            phases = _read(builder, self.vector, self.step, columns, row, start, outside)
            for phase, elements in enumerate(phases[: self.size - first]):
                yield left.type(first + phase), elements

    def _holders(self, builder: ir.IRBuilder, window: ir.Value) -> Iterator[tuple[int, ir.Value]]:
        """Yield the vectors of windows that may hold elements of a span: how much earlier, and the first."""
        for earlier in reversed(range(self.earlier + 1)):
            yield earlier, builder.sub(window, window.type(earlier))

    def _phases_of(self, earlier: int) -> range:
        """Return the phases of a span whose elements lie in the windows that begin so much earlier."""
        return range(min(self.step, self.size - earlier * self.step))

    def _weights(
        self, builder: ir.IRBuilder, left: ir.Value, weight: ir.Value, counted: Sequence[ir.Value] | None
    ) -> ir.Value:
        """Return `weight` for each window, divided by the number of its columns in the range `counted`."""
        weights = _splat(builder, weight, self.lanes)
        if counted is None:
            return weights
        low, high = (_ramp(builder, bound, self.lanes, 0) for bound in counted)
        start = _ramp(builder, left, self.lanes, self.step)
        stop = builder.add(start, self.places.constant(self.size))
        start = builder.select(builder.icmp_signed("<", start, low), low, start)
        stop = builder.select(builder.icmp_signed(">", stop, high), high, stop)
        count = builder.sub(stop, start)
        # Windows that do not exist may have no columns; they hold zeros, which must not become NaN.
        one = self.places.constant(1)
        count = builder.select(builder.icmp_signed("<", count, one), one, count)
        return builder.fdiv(weights, builder.sitofp(count, weights.type))


def zeros(kind: Vector, count: int) -> Any:
    """Make ``(any integer, any integer) -> phases``: `count` vectors of zeros to begin with."""
    result = types.UniTuple(kind, count)

    @intrinsic
    def zeros(typingctx: Any, start: Any, left: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            return context.make_tuple(builder, result, [kind.constant(0.0)] * count)

        return result(start, left), generate

    return zeros


def write(kind: Vector, count: int, clipped: bool) -> Any:
    """Make ``(row, extent, column, phases) -> None``: write a span of `count` phases to a row of `extent`."""

    @intrinsic
    def write(typingctx: Any, row: Any, extent: Any, column: Any, phases: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            row, extent, column, packed = arguments
            phases = cgutils.unpack_tuple(builder, packed, count)
            _write(builder, kind, extent, row, column, phases, clipped)
            return context.get_dummy_value()

        return types.void(row, INDEX, INDEX, types.UniTuple(kind, count)), generate

    return write
