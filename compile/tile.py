"""Register tiles: the innermost loops of convolution and matrix product, as explicit LLVM vectors.

A tile is a block of I by J sums that stay in vector registers while a reduction runs over them. It comes in two
forms, by where the vectors lie:

- *outer*: ``sum[i, j·lanes + l] += left[i, k] · right[k, j·lanes + l]``. The right operand is read as vectors
  across the result, the left one as scalars that are broadcast.
- *inner*: ``sum[i, j] += left[i, k + l] · right[j, k + l]``. Both operands are read as vectors along the
  reduction, and the lanes of every sum are added up at the end.

numba's own loops would keep the sums in memory; hence the intrinsics.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

INDEX = ir.IntType(64)
UNROLLED_TAPS = 32  # a longer list of taps is walked by a loop


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

    def __init__(self, builder, dtype: str, lanes: int):
        self.builder = builder
        self.lanes = lanes
        self.size, self.element = {"float32": (4, ir.FloatType()), "float64": (8, ir.DoubleType())}[dtype]
        self.type = ir.VectorType(self.element, lanes)
        self.mask_type = ir.VectorType(ir.IntType(1), lanes)
        self.zero = ir.Constant(self.type, None)

    def _call(self, name: str, result, arguments):
        function_type = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.{name}.v{self.lanes}f{8 * self.size}"
        function = cgutils.get_or_insert_function(self.builder.module, function_type, name)
        return self.builder.call(function, arguments)

    def at(self, pointer, offset):
        """Address the element at `offset`."""
        return self.builder.gep(pointer, [offset], source_etype=self.element)

    def load(self, pointer, mask=None):
        """Read a vector; lanes outside `mask` are not touched in memory and read as zero."""
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=self.size, typ=self.type)
        return self._call("masked.load", self.type, [pointer, ir.IntType(32)(self.size), mask, self.zero])

    def store(self, vector, pointer, mask=None):
        """Write a vector; memory behind lanes outside `mask` is not touched."""
        pointer = self.builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            self.builder.store(vector, pointer, align=self.size)
        else:
            self._call("masked.store", ir.VoidType(), [vector, pointer, ir.IntType(32)(self.size), mask])

    def splat(self, scalar):
        """Broadcast a scalar to all lanes."""
        first = self.builder.insert_element(
            ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined), scalar, ir.IntType(32)(0)
        )
        order = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.builder.shuffle_vector(first, first, order)

    def broadcast(self, pointer):
        """Read one element into all lanes."""
        return self.splat(self.builder.load(pointer, align=self.size, typ=self.element))

    def multiply_add(self, left, right, total):
        """Compute ``left · right + total``, fused where the machine can."""
        return self._call("fmuladd", self.type, [left, right, total])

    def first(self, count):
        """Make the mask of the first `count` lanes (none if negative, all if too many)."""
        lane = ir.Constant(ir.VectorType(INDEX, self.lanes), [INDEX(lane) for lane in range(self.lanes)])
        return self.builder.icmp_signed("<", lane, self.splat(count))

    def add_lanes(self, vectors: Sequence) -> list:
        """Add up the lanes of each vector; the sums come packed, in order, in as few vectors as hold them.

        Adding neighbouring lanes of a pair of vectors leaves one vector with half as many partial sums of each:
        ``[a0+a1, a2+a3, ..., b0+b1, b2+b3, ...]``, so a tree over `lanes` vectors ends in the vector of sums.
        """
        if len(vectors) > self.lanes:
            return self.add_lanes(vectors[: self.lanes]) + self.add_lanes(vectors[self.lanes :])
        index = ir.VectorType(ir.IntType(32), self.lanes)
        even, odd = (
            ir.Constant(index, [ir.IntType(32)(2 * lane + o) for lane in range(self.lanes)]) for o in (0, 1)
        )
        for _ in range(self.lanes.bit_length() - 1):
            pairs = zip(vectors[::2], [*vectors[1::2], vectors[-1]], strict=False)
            vectors = [
                self.builder.fadd(
                    self.builder.shuffle_vector(a, b, even), self.builder.shuffle_vector(a, b, odd)
                )
                for a, b in pairs
            ]
        return list(vectors)


def repeat(builder, count, values: Sequence, body: Callable) -> list:
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
    for phi, untouched, result in zip(left, values, results, strict=True):
        phi.add_incoming(untouched, before)
        phi.add_incoming(result, end)
    return left


def _clamped_rows(builder, rows: int, valid, stride) -> list:
    """Offsets of the rows of an operand; rows that do not exist repeat the last one that does."""
    last = builder.sub(valid, INDEX(1))
    clamp = (builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(1, rows))
    return [INDEX(0), *(builder.mul(row, stride) for row in clamp)]


def _constant_array(builder, values: Sequence[int]):
    array = cgutils.create_constant_array(INDEX, [INDEX(value) for value in values])
    table = cgutils.global_constant(builder, "taps", array)
    return builder.bitcast(table, INDEX.as_pointer())


def outer(
    dtype: str, lanes: int, rows: int, vectors: int, variants: Sequence = (((0, 0),),), *, masked: bool
):
    """Make an outer tile: a block of ``rows`` by ``vectors · lanes`` sums.

    The reduction runs over `count` steps, which move the operands by `left_step` and `right_step` elements, and
    within each over a list of taps: pairs of offsets of the left and of the right operand.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes, rows, vectors : int
        Shape of the tile.
    variants : sequence of sequences of pairs of int
        Lists of taps, of which each call picks one.
    masked : bool
        Whether columns of the right operand beyond the valid ones must not be read.

    Returns
    -------
    callable
        ``tile(variant, count, left, left_row, left_step, right, right_step, out, out_row, valid_rows,
        valid_columns, accumulate)``, for use inside compiled code. Row i of the left operand begins at
        ``left + i · left_row``; rows from `valid_rows` on (at least 1) are not read. Sums within the valid rows
        and columns are stored to ``out[i · out_row + column]``, or added to it if `accumulate`.
    """
    pointer, index = types.CPointer(getattr(types, dtype)), types.int64
    signature = types.void(
        index, index, pointer, index, index, pointer, index, pointer, index, index, index, types.boolean
    )

    def codegen(context, builder, _, arguments):
        (
            variant,
            count,
            left,
            left_row,
            left_step,
            right,
            right_step,
            out,
            out_row,
            valid_rows,
            valid_columns,
            accumulate,
        ) = arguments
        simd = Vectors(builder, dtype, lanes)
        columns = [INDEX(j * lanes) for j in range(vectors)]
        masks = [simd.first(builder.sub(valid_columns, column)) for column in columns]
        row_offsets = _clamped_rows(builder, rows, valid_rows, left_row)

        def tap(left, right, sums):
            read = masks if masked else [None] * vectors
            operands = [
                simd.load(simd.at(right, column), mask) for column, mask in zip(columns, read, strict=True)
            ]
            following = []
            for i, offset in enumerate(row_offsets):
                scalar = simd.broadcast(simd.at(left, offset))
                for j, operand in enumerate(operands):
                    following.append(simd.multiply_add(scalar, operand, sums[i * vectors + j]))
            return following

        def reduction(taps, sums):
            def step(index, sums):
                left_base = simd.at(left, builder.mul(index, left_step))
                right_base = simd.at(right, builder.mul(index, right_step))
                if len(taps) > UNROLLED_TAPS:
                    tables = [_constant_array(builder, offsets) for offsets in zip(*taps, strict=True)]

                    def listed(index, sums):
                        offsets = (
                            builder.load(builder.gep(table, [index], source_etype=INDEX), typ=INDEX)
                            for table in tables
                        )
                        left, right = (simd.at(base, o) for base, o in zip((left_base, right_base), offsets))
                        return tap(left, right, sums)

                    return repeat(builder, INDEX(len(taps)), sums, listed)
                for left_offset, right_offset in taps:
                    sums = tap(
                        simd.at(left_base, INDEX(left_offset)), simd.at(right_base, INDEX(right_offset)), sums
                    )
                return sums

            return repeat(builder, count, sums, step)

        zeros = [simd.zero] * (rows * vectors)
        after = builder.append_basic_block("store")
        switch = builder.switch(variant, after)
        results = [(zeros, builder.block)]
        for number, taps in enumerate(variants):
            block = builder.append_basic_block("variant")
            switch.add_case(INDEX(number), block)
            builder.position_at_end(block)
            results.append((reduction(taps, zeros), builder.block))
            builder.branch(after)
        builder.position_at_end(after)
        sums = [builder.phi(simd.type) for _ in zeros]
        for values, block in results:
            for phi, value in zip(sums, values, strict=True):
                phi.add_incoming(value, block)

        for i in range(rows):
            row_exists = simd.splat(builder.icmp_signed("<", INDEX(i), valid_rows))
            row = simd.at(out, builder.mul(INDEX(i), out_row))
            for j in range(vectors):
                place = simd.at(row, columns[j])
                mask = builder.and_(masks[j], row_exists)
                old = simd.load(place, builder.and_(mask, simd.splat(accumulate)))
                simd.store(builder.fadd(sums[i * vectors + j], old), place, mask)

    @intrinsic
    def tile(typingctx, variant, count, left, left_row, left_step, right, right_step, out, out_row, valid_rows,
             valid_columns, accumulate):  # fmt: skip
        return signature, codegen

    return tile


def inner(dtype: str, lanes: int, rows: int, columns: int, *, tail: bool):
    """Make an inner tile: a block of ``rows`` by ``columns`` sums of products along the reduction.

    The reduction runs over `blocks` blocks, `left_block` and `right_block` elements apart, and within each over
    `count` consecutive elements.

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
        ``tile(blocks, count, left, left_row, left_block, valid_rows, right, right_offsets, right_block, sums)``,
        for use inside compiled code. Row i of the left operand begins at ``left + i · left_row``, and rows from
        `valid_rows` on (at least 1) are not read; column j of the right one at ``right + right_offsets[j]``. The
        sums are stored to ``sums[i · columns + j]``, rounded up to whole vectors.
    """
    pointer, index = types.CPointer(getattr(types, dtype)), types.int64
    signature = types.void(
        index, index, pointer, index, index, index, pointer, types.CPointer(index), index, pointer
    )

    def codegen(context, builder, _, arguments):
        blocks, count, left, left_row, left_block, valid_rows, right, right_offsets, right_block, out = (
            arguments
        )
        simd = Vectors(builder, dtype, lanes)
        row_offsets = _clamped_rows(builder, rows, valid_rows, left_row)
        column_offsets = [
            builder.load(builder.gep(right_offsets, [INDEX(j)], source_etype=INDEX), typ=INDEX)
            for j in range(columns)
        ]
        width = INDEX(lanes)

        def multiply_add(left, right, sums, mask=None):
            operands = [simd.load(simd.at(right, offset), mask) for offset in column_offsets]
            following = []
            for i, offset in enumerate(row_offsets):
                vector = simd.load(simd.at(left, offset), mask)
                for j, operand in enumerate(operands):
                    following.append(simd.multiply_add(vector, operand, sums[i * columns + j]))
            return following

        def block(number, sums):
            left_base = simd.at(left, builder.mul(number, left_block))
            right_base = simd.at(right, builder.mul(number, right_block))

            def step(index, sums):
                offset = builder.mul(index, width)
                return multiply_add(simd.at(left_base, offset), simd.at(right_base, offset), sums)

            whole = builder.sdiv(count, width)
            sums = repeat(builder, whole, sums, step)
            if not tail:
                return sums
            done = builder.mul(whole, width)
            rest = builder.sub(count, done)
            last = builder.zext(builder.icmp_signed("<", INDEX(0), rest), INDEX)
            mask = simd.first(rest)
            return repeat(
                builder,
                last,
                sums,
                lambda _, sums: multiply_add(simd.at(left_base, done), simd.at(right_base, done), sums, mask),
            )

        sums = repeat(builder, blocks, [simd.zero] * (rows * columns), block)
        for number, vector in enumerate(simd.add_lanes(sums)):
            simd.store(vector, simd.at(out, INDEX(number * lanes)))

    @intrinsic
    def tile(typingctx, blocks, count, left, left_row, left_block, valid_rows, right, right_offsets, right_block,
             sums):  # fmt: skip
        return signature, codegen

    return tile
