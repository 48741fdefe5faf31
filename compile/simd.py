"""The vector registers of a machine, and the register tiles that use them best.

Nothing here imports numba: lowering chooses tiles with it, and what it chooses is baked into a kernel's name.
"""

import functools
import itertools
import platform
from dataclasses import dataclass

import numpy as np

FMA_LATENCY = 4  # cycles until a sum can be added to again, on every machine of interest


@dataclass(frozen=True, order=True)
class VectorUnit:
    """The vector registers of a machine.

    Parameters
    ----------
    size : int
        Bytes in one register.
    registers : int
        How many there are.
    """

    size: int
    registers: int

    @property
    def masks_loads(self) -> bool:
        """Whether loading some lanes costs no more than loading all: AVX-512 has registers for masks."""
        return self.size == 64

    def lanes(self, dtype: str) -> int:
        """Count the elements of one register."""
        return self.size // np.dtype(dtype).itemsize


AVX512 = VectorUnit(64, 32)
AVX2 = VectorUnit(32, 16)
NEON = VectorUnit(16, 32)
SSE = VectorUnit(16, 16)


@functools.cache
def host() -> VectorUnit:
    """Look up the vector registers of this machine."""
    from llvmlite import binding

    if platform.machine().lower() in ("arm64", "aarch64"):
        return NEON
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return AVX512
    return AVX2 if features.get("avx2") else SSE


def tile_shape(
    rows: int, columns: int, unit: VectorUnit, *, column_loads: int, row_loads: int = 1
) -> tuple[int, int]:
    """Choose the register tile that covers a grid of sums in the fewest cycles.

    A tile of I rows and J columns keeps I·J sums, J operands of the columns and one of the rows in registers;
    a sixteenth of them is left to LLVM, which otherwise spills sums. A step of the tile issues I·J
    multiply-adds and the loads of I + J operands, two of either a cycle, and no sum can be added to before
    the last addition to it is done.

    Parameters
    ----------
    rows, columns : int
        Extents of the grid; a column is one register wide.
    unit : VectorUnit
        The machine.
    column_loads, row_loads : int
        Accesses of the first-level cache for one operand: 1, or 2 if it may straddle two cache lines.

    Returns
    -------
    tuple of int
        ``(I, J)``.
    """

    def cycles(shape: tuple[int, int]) -> tuple[float, ...]:
        i, j = shape
        tiles = -(-rows // i) * -(-columns // j)
        step = max(i * j / 2, (i * row_loads + j * column_loads) / 2, FMA_LATENCY)
        ragged = rows % i != 0
        return (tiles * (step + 0.5) * (1.1 if ragged else 1.0), i * row_loads + j * column_loads)

    shapes = (
        (i, j)
        for i, j in itertools.product(range(1, min(rows, 16) + 1), range(1, min(columns, 8) + 1))
        if i * j + j + 1 <= unit.registers - unit.registers // 16
    )
    return min(shapes, key=cycles)
