"""Register tiles: the innermost loops of convolution and matrix product, as explicit LLVM vectors.

A tile is a block of I by J sums that stay in vector registers while a reduction runs over them. It comes in
two forms, by where the vectors lie:

- *outer*: ``sum[i, j·lanes + l] += left[i, k] · right[k, j·lanes + l]``. The right operand is read as vectors
  across the result, the left one as scalars that are broadcast.
- *inner*: ``sum[i, j] += left[i, k + l] · right[j, k + l]``. Both operands are read as vectors along the
  reduction; every lane keeps a partial sum, and :func:`fold` adds up the lanes at the end.

A third, the *band*, is for one filter over rows of an image: ``sum[i, l] += left[r, s] · right[i+r, l+s]``.
An outer tile of one row would read a vector for each product; here the rows of a band share what they read.

numba's own loops would keep the sums in memory; hence the intrinsics.
"""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Sequence
from itertools import accumulate as running_totals
from itertools import chain
from typing import Any, TypeAlias

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Value: TypeAlias = Any  # an llvmlite.ir.Value

INDEX = ir.IntType(64)
LANE = ir.IntType(32)
UNROLLED_TAPS = 9  # a longer list of taps is walked by a loop: unrolled, it makes LLVM spill sums


class Vectors:
    """Emit vector instructions of one width.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where the instructions go.
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes : int
        Elements of one vector, a power of two.
    """

    def __init__(self, builder: Any, dtype: str, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.size, self.element = {"float32": (4, ir.FloatType()), "float64": (8, ir.DoubleType())}[dtype]
        self.type = ir.VectorType(self.element, lanes)
        self.zero = ir.Constant(self.type, None)

    def _call(self, name: str, result: Any, arguments: Sequence[Value]) -> Value:
        function_type = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.{name}.v{self.lanes}f{8 * self.size}"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, function_type, name), arguments
        )

    def at(self, pointer: Value, offset: Value) -> Value:
        """Address the element at `offset`."""
        return self.builder.gep(pointer, [offset], source_etype=self.element)

    def load(self, pointer: Value, mask: Value = None) -> Value:
        """Read a vector; lanes outside `mask` are not touched in memory and read as zero."""
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=self.size, typ=self.type)
        return self._call("masked.load", self.type, [pointer, LANE(self.size), mask, self.zero])

    def store(self, vector: Value, pointer: Value, mask: Value = None) -> None:
        """Write a vector; memory behind lanes outside `mask` is not touched."""
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            self.builder.store(vector, pointer, align=self.size)
        else:
            self._call("masked.store", ir.VoidType(), [vector, pointer, LANE(self.size), mask])

    def splat(self, scalar: Value) -> Value:
        """Broadcast a scalar to all lanes."""
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, LANE(0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(LANE, self.lanes), None)
        )

    def broadcast(self, pointer: Value) -> Value:
        """Read one element into all lanes."""
        return self.splat(self.builder.load(pointer, align=self.size, typ=self.element))

    def multiply_add(self, left: Value, right: Value, total: Value) -> Value:
        """Compute ``left · right + total``, fused where the machine can."""
        return self._call("fmuladd", self.type, [left, right, total])

    def first(self, count: Value) -> Value:
        """Make the mask of the first `count` lanes: none if negative, all if too many."""
        lane = ir.Constant(ir.VectorType(INDEX, self.lanes), [INDEX(lane) for lane in range(self.lanes)])
        return self.builder.icmp_signed("<", lane, self.splat(count))

    def add_lanes(self, vectors: Sequence[Value]) -> list[Value]:
        """Add up the lanes of each vector; the sums come packed, in order, in as few vectors as hold them.

        Adding neighbouring lanes of a pair of vectors leaves one vector with half as many partial sums of
        each, ``[a0+a1, a2+a3, ..., b0+b1, b2+b3, ...]``; so a tree over `lanes` vectors ends in the sums.
        """
        if len(vectors) > self.lanes:
            return self.add_lanes(vectors[: self.lanes]) + self.add_lanes(vectors[self.lanes :])
        order = ir.VectorType(LANE, self.lanes)
        even, odd = (ir.Constant(order, [LANE(2 * i + o) for i in range(self.lanes)]) for o in (0, 1))
        shuffle, add = self.builder.shuffle_vector, self.builder.fadd
        for _ in range(self.lanes.bit_length() - 1):
            seconds = [*vectors[1::2], vectors[-1]]  # a vector without a partner is its own
            vectors = [
                add(shuffle(a, b, even), shuffle(a, b, odd))
                for a, b in zip(vectors[::2], seconds, strict=False)
            ]
        return list(vectors)


def repeat(
    builder: Any, count: Value, values: Sequence[Value], body: Callable[[Value, list[Value]], list[Value]]
) -> list[Value]:
    """Emit a loop that carries `values` in registers.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where the loop goes.
    count : llvmlite.ir.Value
        Repetitions, none if negative.
    values : sequence of llvmlite.ir.Value
        What enters the first repetition.
    body : callable
        ``(index, values) -> values`` of the next repetition.

    Returns
    -------
    list of llvmlite.ir.Value
        What leaves the last repetition, or entered if there was none.
    """
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", INDEX(0), count), loop, after)

    builder.position_at_end(loop)
    index = builder.phi(INDEX)
    carried = [builder.phi(value.type) for value in values]
    results = body(index, carried)
    following = builder.add(index, INDEX(1))
    end = builder.block
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    for phi, start, step in zip([index, *carried], [INDEX(0), *values], [following, *results], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(step, end)

    builder.position_at_end(after)
    left = [builder.phi(value.type) for value in values]
    for phi, start, result in zip(left, values, results, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(result, end)
    return left


def _clamped_rows(builder: Any, rows: int, valid: Value, stride: Value) -> list[Value]:
    """Offsets of the rows of an operand; rows that do not exist repeat the last one that does."""
    last = builder.sub(valid, INDEX(1))
    clamp = [builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(1, rows)]
    return [INDEX(0), *(builder.mul(row, stride) for row in clamp)]


def _word(builder: Any, words: Value, index: Value) -> Value:
    """Read the integer at an index."""
    return builder.load(builder.gep(words, [index], source_etype=INDEX), typ=INDEX)


def _table(builder: Any, values: Sequence[int]) -> Callable[[Value], Value]:
    """Put integers into a table of constants; the result reads the one at an index."""
    array = cgutils.create_constant_array(INDEX, [INDEX(value) for value in values])
    table = builder.bitcast(cgutils.global_constant(builder, "table", array), INDEX.as_pointer())
    return lambda index: _word(builder, table, index)


def _pointer(dtype: str) -> Any:
    return types.CPointer(getattr(types, dtype))


def outer(
    dtype: str,
    lanes: int,
    rows: int,
    vectors: int,
    variants: Sequence[Sequence[int]] = ((0,),),
    *,
    masked: bool,
) -> Callable[..., Any]:
    """Make an outer tile: a block of ``rows`` by ``vectors · lanes`` sums.

    The reduction runs over `count` steps, which move the operands by `left_step` and `right_step` elements,
    and within each over a list of taps: offsets of the left operand, and as many of the right one.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes, rows, vectors : int
        Shape of the tile.
    variants : sequence of sequences of int
        The left operand's offsets of lists of taps, of which each call picks one.
    masked : bool
        Whether columns of the right operand beyond the valid ones must not be read.

    Returns
    -------
    callable
        ``tile(variant, count, left, left_row, left_step, right, right_offsets, right_step, out, out_row,
        valid_rows, valid_columns, accumulate)``, for use inside compiled code. Row i of the left operand
        begins at ``left + i · left_row``; rows from `valid_rows` on (at least 1) are not read. The right
        operand's offsets are those of all variants, one list after the other. Sums within the valid rows and
        columns go to ``out[i · out_row + column]``, and start from what is there if `accumulate`.
    """
    pointer, index = _pointer(dtype), types.int64
    signature = types.void(
        index,
        index,
        pointer,
        index,
        index,
        pointer,
        types.CPointer(index),
        index,
        pointer,
        index,
        index,
        index,
        types.boolean,
    )

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        variant, count, left, left_row, left_step, right, right_offsets, right_step, *result = arguments
        out, out_row, valid_rows, valid_columns, accumulate = result
        simd = Vectors(builder, dtype, lanes)
        columns = [INDEX(j * lanes) for j in range(vectors)]
        column_masks = [simd.first(builder.sub(valid_columns, column)) for column in columns]
        row_masks = [simd.splat(builder.icmp_signed("<", INDEX(i), valid_rows)) for i in range(rows)]
        row_offsets = _clamped_rows(builder, rows, valid_rows, left_row)
        left_offset = _table(builder, list(chain(*variants)))
        starts = _table(builder, [0, *running_totals(map(len, variants))])
        first_tap, last_tap = starts(variant), starts(builder.add(variant, INDEX(1)))

        def tap(left: Value, right: Value, sums: list[Value]) -> list[Value]:
            read_masks = column_masks if masked else [None] * vectors
            operands = [
                simd.load(simd.at(right, column), mask)
                for column, mask in zip(columns, read_masks, strict=True)
            ]
            following: list[Value] = []
            for i, offset in enumerate(row_offsets):
                scalar = simd.broadcast(simd.at(left, offset))
                row = sums[i * vectors : (i + 1) * vectors]
                following += [simd.multiply_add(scalar, *pair) for pair in zip(operands, row, strict=True)]
            return following

        def step(index: Value, sums: list[Value]) -> list[Value]:
            left_base = simd.at(left, builder.mul(index, left_step))
            right_base = simd.at(right, builder.mul(index, right_step))

            def tap_at(number: Value, left_offset: Value, sums: list[Value]) -> list[Value]:
                right_offset = _word(builder, right_offsets, number)
                return tap(simd.at(left_base, left_offset), simd.at(right_base, right_offset), sums)

            if len(variants) == 1 and len(variants[0]) <= UNROLLED_TAPS:
                for number, offset in enumerate(variants[0]):
                    sums = tap_at(INDEX(number), INDEX(offset), sums)
                return sums

            def looped(index: Value, sums: list[Value]) -> list[Value]:
                number = builder.add(first_tap, index)
                return tap_at(number, left_offset(number), sums)

            return repeat(builder, builder.sub(last_tap, first_tap), sums, looped)

        places = [
            (
                simd.at(simd.at(out, builder.mul(INDEX(i), out_row)), columns[j]),
                builder.and_(row_masks[i], column_masks[j]),
            )
            for i in range(rows)
            for j in range(vectors)
        ]
        old = simd.splat(accumulate)
        initial = [simd.load(place, builder.and_(mask, old)) for place, mask in places]

        for total, (place, mask) in zip(repeat(builder, count, initial, step), places, strict=True):
            simd.store(total, place, mask)

    @intrinsic
    def tile(
        typingctx: Any,
        variant: Any,
        count: Any,
        left: Any,
        left_row: Any,
        left_step: Any,
        right: Any,
        right_offsets: Any,
        right_step: Any,
        out: Any,
        out_row: Any,
        valid_rows: Any,
        valid_columns: Any,
        accumulate: Any,
    ) -> Any:
        return signature, codegen

    return tile


def band(
    dtype: str, lanes: int, rows: int, row_taps: Sequence[tuple[int, int, int]], left_offsets: Sequence[int]
) -> Callable[..., Any]:
    """Make a band: ``rows`` rows by ``lanes`` columns of sums over a filter.

    The reduction runs over `count` steps, which move the operands by `left_step` and `right_step` elements,
    within each over columns of the filter, and within these over its rows.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes, rows : int
        Shape of the band.
    row_taps : sequence of tuples
        For each row of the filter its offset in the filter, the phase of the image's rows that it reads, and
        the row in that phase, for the band's first row.
    left_offsets : sequence of int
        The offset in the filter of each column.

    Returns
    -------
    callable
        ``tile(count, left, left_step, right, right_offsets, right_step, pitch, phase, out, out_row,
        valid_rows, valid_columns)``, for use inside compiled code. Rows of the right operand are `pitch`
        elements apart, and phases of them `phase`; `right_offsets` has an offset for each column of the
        filter. No row is read that only rows of the band from `valid_rows` on (at least 1) would need. Sums
        within the valid rows and columns go to ``out[i · out_row + column]``.
    """
    pointer, index = _pointer(dtype), types.int64
    signature = types.void(
        index,
        pointer,
        index,
        pointer,
        types.CPointer(index),
        index,
        index,
        index,
        pointer,
        index,
        index,
        index,
    )
    # Which sums each row of the image goes into, by which rows of the filter.
    products: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for number, (_, phase, first) in enumerate(row_taps):
        for row in range(rows):
            products.setdefault((phase, first + row), []).append((row, number))

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        count, left, left_step, right, right_offsets, right_step, pitch, phase_step, *result = arguments
        out, out_row, valid_rows, valid_columns = result
        simd = Vectors(builder, dtype, lanes)
        left_offset = _table(builder, left_offsets)
        last = builder.sub(valid_rows, INDEX(1))
        lines = []
        for phase, row in sorted(products):
            lowest = max(first for _, other, first in row_taps if other == phase)
            bound = builder.add(last, INDEX(lowest))
            clamped = builder.select(builder.icmp_signed("<", INDEX(row), bound), INDEX(row), bound)
            offset = builder.add(builder.mul(INDEX(phase), phase_step), builder.mul(clamped, pitch))
            lines.append((offset, products[phase, row]))

        def step(index: Value, sums: list[Value]) -> list[Value]:
            left_base = simd.at(left, builder.mul(index, left_step))
            right_base = simd.at(right, builder.mul(index, right_step))

            def column(number: Value, sums: list[Value]) -> list[Value]:
                weights = simd.at(left_base, left_offset(number))
                pixels = simd.at(right_base, _word(builder, right_offsets, number))
                scalars = [simd.broadcast(simd.at(weights, INDEX(offset))) for offset, _, _ in row_taps]
                sums = list(sums)
                for offset, uses in lines:
                    vector = simd.load(simd.at(pixels, offset))
                    for row, tap in uses:
                        sums[row] = simd.multiply_add(scalars[tap], vector, sums[row])
                return sums

            return repeat(builder, INDEX(len(left_offsets)), sums, column)

        totals = repeat(builder, count, [simd.zero] * rows, step)
        columns = simd.first(valid_columns)
        for row, total in enumerate(totals):
            mask = builder.and_(columns, simd.splat(builder.icmp_signed("<", INDEX(row), valid_rows)))
            simd.store(total, simd.at(out, builder.mul(INDEX(row), out_row)), mask)

    @intrinsic
    def tile(
        typingctx: Any,
        count: Any,
        left: Any,
        left_step: Any,
        right: Any,
        right_offsets: Any,
        right_step: Any,
        pitch: Any,
        phase: Any,
        out: Any,
        out_row: Any,
        valid_rows: Any,
        valid_columns: Any,
    ) -> Any:
        return signature, codegen

    return tile


def inner(dtype: str, lanes: int, rows: int, columns: int, *, tail: bool) -> Callable[..., Any]:
    """Make an inner tile: a block of ``rows`` by ``columns`` sums of products along the reduction.

    The reduction runs over `blocks` blocks, `left_block` and `right_block` elements apart, and within each
    over `count` consecutive elements.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes, rows, columns : int
        Shape of the tile.
    tail : bool
        Whether `count` need not be a multiple of `lanes`.

    Returns
    -------
    callable
        ``tile(blocks, count, left, left_row, left_block, valid_rows, right, right_offsets, right_block,
        sums, accumulate)``, for use inside compiled code. Row i of the left operand begins at
        ``left + i · left_row``, and rows from `valid_rows` on (at least 1) are not read; column j of the
        right one begins at ``right + right_offsets[j]``. The partial sums of ``(i, j)`` go to the `lanes`
        elements from ``sums[(i · columns + j) · lanes]``, and start from what is there if `accumulate`.
    """
    pointer, index = _pointer(dtype), types.int64
    signature = types.void(
        index,
        index,
        pointer,
        index,
        index,
        index,
        pointer,
        types.CPointer(index),
        index,
        pointer,
        types.boolean,
    )

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        blocks, count, left, left_row, left_block, valid_rows, right, *result = arguments
        right_offsets, right_block, sums, accumulate = result
        simd = Vectors(builder, dtype, lanes)
        width = INDEX(lanes)
        row_offsets = _clamped_rows(builder, rows, valid_rows, left_row)
        column_offsets = [_word(builder, right_offsets, INDEX(j)) for j in range(columns)]

        def multiply_add(left: Value, right: Value, sums: list[Value], mask: Value = None) -> list[Value]:
            operands = [simd.load(simd.at(right, offset), mask) for offset in column_offsets]
            following: list[Value] = []
            for i, offset in enumerate(row_offsets):
                vector = simd.load(simd.at(left, offset), mask)
                row = sums[i * columns : (i + 1) * columns]
                following += [simd.multiply_add(vector, *pair) for pair in zip(operands, row, strict=True)]
            return following

        def block(number: Value, sums: list[Value]) -> list[Value]:
            left_base = simd.at(left, builder.mul(number, left_block))
            right_base = simd.at(right, builder.mul(number, right_block))

            def step(index: Value, sums: list[Value]) -> list[Value]:
                offset = builder.mul(index, width)
                return multiply_add(simd.at(left_base, offset), simd.at(right_base, offset), sums)

            whole = builder.sdiv(count, width)
            sums = repeat(builder, whole, sums, step)
            if not tail:
                return sums
            done = builder.mul(whole, width)
            rest = builder.sub(count, done)
            return repeat(
                builder,
                builder.zext(builder.icmp_signed("<", INDEX(0), rest), INDEX),
                sums,
                lambda _, sums: multiply_add(
                    simd.at(left_base, done), simd.at(right_base, done), sums, simd.first(rest)
                ),
            )

        places = [simd.at(sums, INDEX(number * lanes)) for number in range(rows * columns)]
        old = simd.splat(accumulate)
        initial = [simd.load(place, old) for place in places]
        for total, place in zip(repeat(builder, blocks, initial, block), places, strict=True):
            simd.store(total, place)

    @intrinsic
    def tile(
        typingctx: Any,
        blocks: Any,
        count: Any,
        left: Any,
        left_row: Any,
        left_block: Any,
        valid_rows: Any,
        right: Any,
        right_offsets: Any,
        right_block: Any,
        sums: Any,
        accumulate: Any,
    ) -> Any:
        return signature, codegen

    return tile


def fold(dtype: str, lanes: int, count: int) -> Callable[..., Any]:
    """Make the end of an inner tile: the sums of the lanes of `count` vectors.

    Returns
    -------
    callable
        ``add_lanes(sums)``, for use inside compiled code: replaces element i of `sums` by the sum of the
        `lanes` elements from ``sums[i · lanes]``, for ``i < count``; the elements behind become undefined.
    """

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        simd = Vectors(builder, dtype, lanes)
        places = [simd.at(arguments[0], INDEX(number * lanes)) for number in range(count)]
        totals = simd.add_lanes([simd.load(place) for place in places])
        for total, place in zip(totals, places, strict=False):
            simd.store(total, place)

    @intrinsic
    def add_lanes(typingctx: Any, sums: Any) -> Any:
        return types.void(_pointer(dtype)), codegen

    return add_lanes


def transpose(dtype: str, lanes: int) -> Callable[..., Any]:
    """Make the transposition of a square of `lanes` rows and columns.

    Stage s of log2(lanes) swaps bit s of the row with bit s of the lane, in pairs of vectors.

    Returns
    -------
    callable
        ``turn(source, source_row, valid_rows, valid_columns, target, target_row)``, for use inside compiled
        code: column j of the source goes to ``target[j · target_row + i]``. Rows of the source from
        `valid_rows` on (at least 1) and columns from `valid_columns` on are not read, and what stands in
        their places of the target is undefined.
    """
    pointer, index = _pointer(dtype), types.int64
    signature = types.void(pointer, index, index, index, pointer, index)

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        source, source_row, valid_rows, valid_columns, target, target_row = arguments
        simd = Vectors(builder, dtype, lanes)
        mask = simd.first(valid_columns)
        offsets = _clamped_rows(builder, lanes, valid_rows, source_row)
        rows = [simd.load(simd.at(source, offset), mask) for offset in offsets]
        order = ir.VectorType(LANE, lanes)
        stage = 1
        while stage < lanes:
            # Lanes of the second vector are numbered from `lanes` on.
            first = [LANE(lane if not lane & stage else lanes + lane - stage) for lane in range(lanes)]
            second = [LANE(lane + stage if not lane & stage else lanes + lane) for lane in range(lanes)]
            for row in range(lanes):
                if not row & stage:
                    pair = rows[row], rows[row + stage]
                    rows[row] = builder.shuffle_vector(*pair, ir.Constant(order, first))
                    rows[row + stage] = builder.shuffle_vector(*pair, ir.Constant(order, second))
            stage *= 2
        for column, vector in enumerate(rows):
            simd.store(vector, simd.at(target, builder.mul(INDEX(column), target_row)))

    @intrinsic
    def turn(
        typingctx: Any,
        source: Any,
        source_row: Any,
        valid_rows: Any,
        valid_columns: Any,
        target: Any,
        target_row: Any,
    ) -> Any:
        return signature, codegen

    return turn
