import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from native_code import native_code

from arignote.compile.kernels import dot
from arignote.compile.kernels.conv_correlate import Correlation, correlate
from arignote.compile.kernels.conv_filter_gradient import FilterGradient, filter_gradient
from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry
from arignote.compile.objects import target_machine
from arignote.compile.simd import AVX2, AVX512, NEON, SSE, host, tile_shape

UNITS = [AVX512, AVX2, NEON, SSE]
AXIS = ConvAxis(extent=28, taps=3, low=1, high=1, stride=1, dilation=1, flip=False)
GEOMETRY = ConvGeometry(groups=1, channels=32, filters=32, depth=POINT, rows=AXIS, columns=AXIS)
KERNELS = {
    "correlation": (correlate, lambda dtype: Correlation(dtype, host(), GEOMETRY, gradient=False)),
    "filter gradient": (filter_gradient, lambda dtype: FilterGradient(dtype, host(), GEOMETRY)),
    "outer product": (dot.outer_product, lambda dtype: dot.OuterProduct(dtype, host())),
    "inner product": (dot.inner_product, lambda dtype: dot.InnerProduct(dtype, host())),
}
# Multiply-adds of vectors, and vectors put on the stack, in the assembly of x86-64 and of ARM.
MULTIPLY_ADD = re.compile(r"\bvfn?madd\d+p[sd]\s.*%[yz]mm|\bfmla\s+v\d+\.")
SPILL = re.compile(r"\bvmov[au]p[sd]\s+%[xyz]mm\d+, -?\d*\(%r[sb]p|\bst[rp]\s+q\d+.*\[(sp|x29)")
BRANCH = re.compile(r"\s(j[a-z]+|b\.[a-z]+|cbn?z)\s+.*?(\.?L\w+)")


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_a_tile_fits_the_registers_and_the_grid(unit):
    for rows, columns in np.ndindex(70, 20):
        i, j = tile_shape(rows + 1, columns + 1, unit, column_loads=2)
        assert i * j + j + 1 < unit.registers
        assert i <= rows + 1
        assert j <= columns + 1


def test_tiles_divide_the_usual_numbers_of_filters():
    for filters in (1, 3, 6, 10, 16, 20, 32, 40, 64, 128, 256):
        i, _ = tile_shape(filters, 48, AVX512, column_loads=2)
        assert filters % i == 0


def inner_loops(assembly):
    """Yield the basic blocks that branch back to their own beginning."""
    for block in re.split(r"\n(?=\.?L\w+:)", assembly):
        label = block.partition(":")[0].strip()
        if any(target == label for _, target in BRANCH.findall(block)):
            yield block


@pytest.mark.skipif(
    not llvm.get_host_cpu_features().get("fma", host() is NEON), reason="no fused multiply-add"
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KERNELS)
def test_inner_loops_are_multiply_adds_of_vectors_with_the_sums_in_registers(name, dtype):
    builder, plan = KERNELS[name]
    plan = plan(dtype)
    module = native_code(builder(**plan.parameters))
    loops = [
        loop for loop in inner_loops(target_machine().emit_assembly(module)) if MULTIPLY_ADD.search(loop)
    ]
    assert max(len(MULTIPLY_ADD.findall(loop)) for loop in loops) >= plan.tile[0] * plan.tile[1]
    assert not any(SPILL.search(loop) for loop in loops)
