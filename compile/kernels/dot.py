"""Matrix products of matrices with any strides.

``C[i, j] = sum over k of A[i, k] · B[k, j]`` for a C-contiguous C of M rows and N columns. Nothing of the
shape is baked in, so one kernel serves every shape, and stacks of matrices too:

- an :func:`outer_product` reads B by rows. It copies a panel of B first where these are not contiguous, and
  where many rows of A read it: a panel lies close together in the first-level cache. A may have any strides.
- an :func:`inner_product` wants A and B both contiguous along the reduction, as in A Bᵀ, and copies nothing.

A product with one column is best computed as its transpose, Cᵀ = Bᵀ Aᵀ, which has one row.

Whole numbers, which the tiles do not know, are multiplied by a plain loop: an :func:`integer_product`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arignote.compile.kernels.plan import Plan
from arignote.compile.lowering import Steps, lowers, promised_shape
from arignote.compile.simd import VectorUnit, host, tile_shape
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply
from arignote.engine.ops.dot import BatchedDot, Dot

Kernel = Callable[[Any, Any, int, int], int]
MANY_ROWS = 64  # from here on, copying panels of B is faster than adding up lanes
DEPTH = 128  # steps of the reduction between two visits of C: a panel of B stays in the first-level cache
SHARED = 40  # rows of A that make it worth while to copy a panel whose rows are contiguous


class _Product:
    """What both kinds of product share."""

    dtype: str
    unit: VectorUnit
    rows: int
    row_tiles = 32

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.unit.lanes(self.dtype)

    @property
    def tile(self) -> tuple[int, int]:
        """Shape of the register tile."""
        return tile_shape(self.rows, 4, self.unit, column_loads=2)


@dataclass(frozen=True)
class OuterProduct(Plan, _Product):
    """How a product by rows of B is cut into tasks: columns of register tiles.

    Arguments of the kernel: the addresses of A, B and C; M, N, K; the strides in elements of A along i and k,
    of B along k and j, and of A and B from one matrix of a stack to the next.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    rows : int
        Of the register tile, at most: five waste little of the usual 10, 64 or 128.
    """

    dtype: str
    unit: VectorUnit
    rows: int = 5

    @property
    def width(self) -> int:
        """Columns of a task."""
        return self.tile[1] * self.lanes

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs: a panel of B."""
        return DEPTH * self.tile[1] * self.unit.size

    def tasks(self, rows: int, columns: int) -> int:
        """Count the tasks for a C of `rows` by `columns`."""
        return -(-rows // (self.tile[0] * self.row_tiles)) * -(-columns // self.width)


def outer_product(*, dtype: str, unit: tuple[int, int], rows: int) -> Kernel:
    """Build the kernel of an :class:`OuterProduct`, whose fields are the parameters."""
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, cast_to, pointer_to, table_of
    from arignote.compile.tile import outer, transpose

    plan = OuterProduct(dtype, VectorUnit(*unit), rows)
    (rows, vectors), width, masked, lanes = plan.tile, plan.width, plan.unit.masks_loads, plan.lanes
    block = rows * plan.row_tiles
    pointer, panel_of = pointer_to(dtype), cast_to(dtype)
    tile, no_offset = outer(dtype, lanes, rows, vectors, masked=masked), table_of([0])
    turn = transpose(dtype, lanes)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def copy(panel: Any, b: Any, b_row: int, b_column: int, steps: int, columns: int) -> None:
        """Copy a panel of B; what lies beyond its steps and columns becomes undefined."""
        if b_column == 1:
            for step in range(steps):
                for column in range(columns):
                    panel[step * width + column] = b[step * b_row + column]
        elif b_row == 1:
            for column in range(0, columns, lanes):
                for step in range(0, steps, lanes):
                    square = advance(b, column * b_column + step)
                    turned = advance(panel, step * width + column)
                    turn(square, b_column, columns - column, steps - step, turned, width)
        else:
            for step in range(steps):
                for column in range(columns):
                    panel[step * width + column] = b[step * b_row + column * b_column]

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        first_a, first_b, first_c = pointer(args[0]), pointer(args[1]), pointer(args[2])
        m, n, k = args[3], args[4], args[5]
        a_row, a_column, b_row, b_column = args[6], args[7], args[8], args[9]
        panel = panel_of(scratch)
        across = (n + width - 1) // width
        each = across * ((m + block - 1) // block)
        for task in range(begin, end):
            matrix, part = task // each, task % each
            a, b = advance(first_a, matrix * args[10]), advance(first_b, matrix * args[11])
            c = advance(first_c, matrix * m * n)
            top, left = part // across * block, part % across * width
            bottom, columns = min(m, top + block), min(width, n - left)
            for done in range(0, max(k, 1), DEPTH):
                steps = min(DEPTH, k - done)
                right, right_step = advance(b, done * b_row + left * b_column), b_row
                if b_column != 1 or bottom - top >= SHARED or (columns < width and not masked):
                    copy(panel, right, b_row, b_column, steps, columns)
                    right, right_step = panel, width
                for row in range(top, bottom, rows):
                    tile(
                        0,
                        steps,
                        advance(a, row * a_row + done * a_column),
                        a_row,
                        a_column,
                        right,
                        no_offset(),
                        right_step,
                        advance(c, row * n + left),
                        n,
                        bottom - row,
                        columns,
                        done > 0,
                    )
        return 0

    return kernel


@dataclass(frozen=True)
class InnerProduct(Plan, _Product):
    """How a product of operands contiguous along the reduction is cut into tasks: blocks of tiles.

    Arguments of the kernel: as of an :class:`OuterProduct`; the strides along the reduction have to be 1.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    unit : VectorUnit
        The machine.
    rows : int
        Of the register tile, at most: five waste little of the usual 10, 64 or 128.
    """

    dtype: str
    unit: VectorUnit
    rows: int = 5

    column_tiles = 8

    @property
    def offsets_bytes(self) -> int:
        """Bytes of scratch memory for the offsets of a tile's columns."""
        return -(-8 * self.tile[1] // 64) * 64

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs."""
        rows, columns = self.tile
        return self.offsets_bytes + rows * columns * self.unit.size

    def tasks(self, rows: int, columns: int) -> int:
        """Count the tasks for a C of `rows` by `columns`."""
        height, width = self.tile[0] * self.row_tiles, self.tile[1] * self.column_tiles
        return -(-rows // height) * -(-columns // width)


def inner_product(*, dtype: str, unit: tuple[int, int], rows: int) -> Kernel:
    """Build the kernel of an :class:`InnerProduct`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to
    from arignote.compile.tile import fold, inner

    plan = InnerProduct(dtype, VectorUnit(*unit), rows)
    (rows, columns), offsets_bytes = plan.tile, plan.offsets_bytes
    height, width = rows * plan.row_tiles, columns * plan.column_tiles
    pointer, sums_of, offsets_of = pointer_to(dtype), cast_to(dtype), cast_to("int64")
    tile, add_lanes = (
        inner(dtype, plan.lanes, rows, columns, tail=True),
        fold(dtype, plan.lanes, rows * columns),
    )

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        first_a, first_b, first_c = pointer(args[0]), pointer(args[1]), pointer(args[2])
        m, n, k, a_row, b_column = args[3], args[4], args[5], args[6], args[9]
        offsets, sums = offsets_of(scratch), sums_of(advance(scratch, offsets_bytes))
        across = (n + width - 1) // width
        each = across * ((m + height - 1) // height)
        for task in range(begin, end):
            matrix, part = task // each, task % each
            a, b = advance(first_a, matrix * args[10]), advance(first_b, matrix * args[11])
            c = advance(first_c, matrix * m * n)
            top, left = part // across * height, part % across * width
            bottom, right = min(m, top + height), min(n, left + width)
            for column in range(left, right, columns):
                for j in range(columns):
                    offsets[j] = min(j, right - column - 1) * b_column
                for row in range(top, bottom, rows):
                    tile(
                        1,
                        k,
                        advance(a, row * a_row),
                        a_row,
                        0,
                        bottom - row,
                        advance(b, column * b_column),
                        offsets,
                        0,
                        sums,
                        False,
                    )
                    add_lanes(sums)
                    for i in range(min(rows, bottom - row)):
                        for j in range(min(columns, right - column)):
                            place = (row + i) * n + column + j
                            c[place] = sums[i * columns + j]
        return 0

    return kernel


def integer_product(*, dtype: str) -> Kernel:
    """Build the kernel of whole numbers: a task is a row of C; the arguments are an outer product's."""
    from numba import types

    from arignote.compile.intrinsics import pointer_to

    pointer, number = pointer_to(dtype), getattr(types, dtype)

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        a, b, c = pointer(args[0]), pointer(args[1]), pointer(args[2])
        m, n, k = args[3], args[4], args[5]
        for task in range(begin, end):
            left = task // m * args[10] + task % m * args[6]
            right, row = task // m * args[11], task * n
            for column in range(n):
                c[row + column] = number(0)
            for step in range(k):
                factor, place = a[left + step * args[7]], right + step * args[8]
                for column in range(n):
                    product = number(factor * b[place + column * args[9]])
                    c[row + column] = number(c[row + column] + product)
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


@lowers(Dot, BatchedDot)
def lower_dot(steps: Steps, op: Dot | BatchedDot, node: Apply) -> None:
    """Choose the kernel by the number of rows, and by what is contiguous."""
    a, b = (steps.view(x) for x in node.inputs)
    target = steps.allocate(node.outputs[0])
    (rows, columns), depth = target.shape[-2:], a.shape[-1]
    if not target.size:
        return
    # The rows that the graph promises, not this call's: a smaller last batch finds its kernel compiled.
    promised = promised_shape(node.outputs[0])[-2]
    typical = MANY_ROWS if promised is None else promised
    a_strides, b_strides = _strides(a), _strides(b)
    if columns == 1:  # Cᵀ = Bᵀ Aᵀ
        a, b, a_strides, b_strides = b, a, b_strides[::-1], a_strides[::-1]
        rows, columns, typical = columns, rows, 1
    count, apart = (target.shape[0], (a.strides[0], b.strides[0])) if len(target.shape) == 3 else (1, (0, 0))
    scratch = 0
    if target.dtype.startswith("float"):
        along_reduction = a_strides[1] == b_strides[0] == 1 and b_strides[1] != 1
        inner = along_reduction and typical < MANY_ROWS
        plan = (InnerProduct if inner else OuterProduct)(a.dtype, host(), 1 if typical == 1 else 5)
        spec = KernelSpec.of("dot:inner_product" if inner else "dot:outer_product", **plan.parameters)
        tasks, scratch = plan.tasks(rows, columns), plan.scratch_bytes
    else:
        spec, tasks = KernelSpec.of("dot:integer_product", dtype=target.dtype), rows
    steps.step(
        spec,
        node,
        reads=[a, b],
        writes=[target],
        arguments=[a, b, target, rows, columns, depth, *a_strides, *b_strides, *apart],
        tasks=count * tasks,
        scratch=scratch,
        flops=2 * count * rows * columns * depth,
    )


def _strides(matrix: View) -> tuple[int, int]:
    """Return the strides within a matrix; one that is never taken counts as 1."""
    rows, columns = (
        stride if extent > 1 else 1
        for stride, extent in zip(matrix.strides[-2:], matrix.shape[-2:], strict=True)
    )
    return rows, columns
