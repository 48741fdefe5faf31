"""Matrix products of matrices with any strides.

``C[i, j] = sum over k of A[i, k] · B[k, j]`` for a C-contiguous C of M rows and N columns. Nothing of the shape
is baked in, so one kernel serves every shape:

- an :func:`outer_product` reads B by rows. If they are not contiguous, or read many times, it copies a panel of
  them first (`packed`); A may have any strides.
- an :func:`inner_product` wants A and B both contiguous along the reduction, as in A Bᵀ. It is for few rows of A,
  which would not pay for the copy.
"""

from dataclasses import dataclass

import numpy as np

from arignote.compile.kernels.plan import Plan
from arignote.compile.simd import VectorUnit, tile_shape

MANY_ROWS = 64  # from here on, one tile serves every number of rows


@dataclass(frozen=True)
class OuterProduct(Plan):
    """How a product with contiguous rows of B is cut into tasks: columns of register tiles.

    Arguments of the kernel: the addresses of A, B and C; M, N, K; the strides in elements of A along i and k,
    and of B along k and j (which is 1 unless `packed`).

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes : int
        Elements of a vector.
    rows, vectors : int
        Shape of the register tile.
    row_tiles : int
        Tiles of one task, below one another.
    packed : bool
        Whether a task copies its panel of B first: it pays when many tiles read it.
    depth : int
        Steps of the reduction for which a panel of B stays in the first-level cache.
    accumulate : bool
        Whether the product is added to C, or replaces it.
    """

    dtype: str
    lanes: int
    rows: int
    vectors: int
    row_tiles: int
    packed: bool
    depth: int = 256
    accumulate: bool = False

    @classmethod
    def choose(cls, rows: int, dtype: str, unit: VectorUnit, accumulate: bool = False) -> "OuterProduct":
        """Choose for a typical number of rows; the kernel is right for every number."""
        many = rows >= MANY_ROWS
        tile = tile_shape(5040, 2, unit, column_loads=1) if many else tile_shape(max(rows, 1), 64, unit, column_loads=2)
        row_tiles = 16 if many else -(-max(rows, 1) // tile[0])
        return cls(dtype, unit.lanes(dtype), *tile, row_tiles, packed=many, accumulate=accumulate)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs."""
        return self.depth * self.vectors * self.lanes * np.dtype(self.dtype).itemsize if self.packed else 0

    def tasks(self, rows: int, columns: int) -> int:
        """Count the tasks for a C of `rows` by `columns`."""
        return -(-rows // (self.rows * self.row_tiles)) * -(-columns // (self.vectors * self.lanes))


def outer_product(**parameters):
    """Build the kernel of an :class:`OuterProduct`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to
    from arignote.compile.tile import outer

    plan = OuterProduct(**parameters)
    rows, depth, packed, accumulate = plan.rows, plan.depth, plan.packed, plan.accumulate
    width, block = plan.vectors * plan.lanes, plan.rows * plan.row_tiles
    pointer, panel_of = pointer_to(plan.dtype), cast_to(plan.dtype)
    tile = outer(plan.dtype, plan.lanes, rows, plan.vectors, masked=not packed)

    def kernel(args, scratch, begin, end):
        a, b, c = pointer(args[0]), pointer(args[1]), pointer(args[2])
        m, n, k = args[3], args[4], args[5]
        a_row, a_column, b_row, b_column = args[6], args[7], args[8], args[9]
        panel = panel_of(scratch)
        across = (n + width - 1) // width
        for task in range(begin, end):
            top, left = task // across * block, task % across * width
            bottom, columns = min(m, top + block), min(width, n - left)
            done = 0
            while done < k or done == 0:
                steps = min(depth, k - done)
                right, right_step = advance(b, done * b_row + left * b_column), b_row
                if packed:
                    if b_column == 1:
                        for step in range(steps):
                            for column in range(columns):
                                panel[step * width + column] = right[step * b_row + column]
                    else:
                        for column in range(columns):
                            for step in range(steps):
                                panel[step * width + column] = right[step * b_row + column * b_column]
                    for step in range(steps):
                        for column in range(columns, width):
                            panel[step * width + column] = 0
                    right, right_step = panel, width
                for row in range(top, bottom, rows):
                    tile(
                        0, steps, advance(a, row * a_row + done * a_column), a_row, a_column, right, right_step,
                        advance(c, row * n + left), n, bottom - row, columns, accumulate or done > 0,
                    )  # fmt: skip
                done += depth
        return 0

    return kernel


@dataclass(frozen=True)
class InnerProduct(Plan):
    """How a product with both operands contiguous along the reduction is cut into tasks: blocks of tiles.

    Arguments of the kernel: the addresses of A, B and C; M, N, K; the stride of A along i and of B along j, in
    elements.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes : int
        Elements of a vector.
    rows, columns : int
        Shape of the register tile.
    row_tiles, column_tiles : int
        Tiles of one task, down and across.
    accumulate : bool
        Whether the product is added to C, or replaces it.
    """

    dtype: str
    lanes: int
    rows: int
    columns: int
    row_tiles: int
    column_tiles: int
    accumulate: bool = False

    @classmethod
    def choose(cls, rows: int, dtype: str, unit: VectorUnit, accumulate: bool = False) -> "InnerProduct":
        """Choose for a typical number of rows; the kernel is right for every number."""
        tile = tile_shape(min(max(rows, 1), MANY_ROWS), 64, unit, column_loads=2, row_loads=2)
        return cls(dtype, unit.lanes(dtype), *tile, row_tiles=4, column_tiles=8, accumulate=accumulate)

    @property
    def offsets_bytes(self) -> int:
        """Bytes of scratch memory for the offsets of a tile's rows of B."""
        return -(-8 * self.columns // 64) * 64

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory a thread needs."""
        return self.offsets_bytes + self.rows * self.columns * self.lanes * np.dtype(self.dtype).itemsize

    def tasks(self, rows: int, columns: int) -> int:
        """Count the tasks for a C of `rows` by `columns`."""
        return -(-rows // (self.rows * self.row_tiles)) * -(-columns // (self.columns * self.column_tiles))


def inner_product(**parameters):
    """Build the kernel of an :class:`InnerProduct`, whose fields are the parameters."""
    from arignote.compile.intrinsics import advance, cast_to, pointer_to
    from arignote.compile.tile import fold, inner

    plan = InnerProduct(**parameters)
    rows, columns, accumulate = plan.rows, plan.columns, plan.accumulate
    height, width, offsets_bytes = rows * plan.row_tiles, columns * plan.column_tiles, plan.offsets_bytes
    pointer, sums_of, offsets_of = pointer_to(plan.dtype), cast_to(plan.dtype), cast_to("int64")
    tile = inner(plan.dtype, plan.lanes, rows, columns, tail=True)
    add_lanes = fold(plan.dtype, plan.lanes, rows * columns)

    def kernel(args, scratch, begin, end):
        a, b, c = pointer(args[0]), pointer(args[1]), pointer(args[2])
        m, n, k, a_row, b_row = args[3], args[4], args[5], args[6], args[7]
        offsets, sums = offsets_of(scratch), sums_of(advance(scratch, offsets_bytes))
        across = (n + width - 1) // width
        for task in range(begin, end):
            top, left = task // across * height, task % across * width
            bottom, right = min(m, top + height), min(n, left + width)
            for column in range(left, right, columns):
                for j in range(columns):
                    offsets[j] = min(j, right - column - 1) * b_row
                for row in range(top, bottom, rows):
                    tile(
                        1,
                        k,
                        advance(a, row * a_row),
                        a_row,
                        0,
                        bottom - row,
                        advance(b, column * b_row),
                        offsets,
                        0,
                        sums,
                        False,
                    )
                    add_lanes(sums)
                    for i in range(min(rows, bottom - row)):
                        for j in range(min(columns, right - column)):
                            place = (row + i) * n + column + j
                            c[place] = sums[i * columns + j] + (c[place] if accumulate else 0)
        return 0

    return kernel
