"""Kernels that read patches: convolutions with unshared filters, and neighbourhoods, in guarded memory."""

import ctypes

import numpy as np
import pytest

from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry
from arignote.compile.kernels.conv_unshared import IMAGES, Unshared
from arignote.compile.objects import kernel_address
from arignote.compile.simd import VectorUnit, host
from arignote.compile.spec import KernelSpec
from arignote.engine.ops.conv import Conv, ConvFilterGradient, ConvInputGradient
from arignote.engine.ops.neighbours import MODES, ImagesToNeighbours, NeighboursToImages

pytestmark = pytest.mark.usefixtures("own_cache")
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def check_unshared(seed, sizes, unit):
    """Compare the three kernels of random options with the reference, for images of several sizes."""
    from guarded import guarded
    from kernel_calls import call, scratch_memory

    rng = np.random.default_rng([8, seed])
    numbers = [[int(n) for n in rng.integers(1, stop, 2)] for stop in (4, 3, 3)]
    taps, stride, dilation = numbers
    padding = tuple((int(low), int(high)) for low, high in rng.integers(0, 3, (2, 2)))
    groups, channels, filters = (int(n) for n in rng.integers(1, (3, 5, 7)))
    dtype, flip = ("float32", "float64")[seed % 2], bool(rng.integers(2))
    parameters = padding, tuple(stride), tuple(dilation), flip, groups, True
    for _ in range(sizes):
        n, image = int(rng.integers(0, 11)), [int(extent) for extent in rng.integers(5, 12, 2)]
        axes = [
            ConvAxis(extent, *each)
            for extent, *each in zip(
                image, taps, *zip(*padding, strict=True), stride, dilation, (flip, flip), strict=True
            )
        ]
        g = ConvGeometry(groups, channels, filters, POINT, *axes)
        plan = Unshared(dtype, unit, g, promised=False)
        out, end = [axis.outputs for axis in axes], bool(rng.integers(2))
        x = rng.standard_normal((n, groups * channels, *image)).astype(dtype)
        w = rng.standard_normal((groups * filters, *out, channels, *taps)).astype(dtype)
        dy = rng.standard_normal((n, groups * filters, *out)).astype(dtype)
        scratch = guarded(scratch_memory(plan.scratch_bytes), end)
        rows = groups * axes[0].outputs
        for kernel, tasks, written, expected in (
            ("forward", rows, 2, Conv(*parameters).perform(x, w)),
            (
                "input_gradient",
                groups * -(-n // plan.outer_tile(IMAGES)[0]),
                0,
                ConvInputGradient(*parameters).perform(w, dy, *image),
            ),
            ("filter_gradient", rows, 1, ConvFilterGradient(*parameters).perform(x, dy, *taps)),
        ):
            arrays = [guarded(each, end) for each in (x, w, dy)]
            arrays[written][...] = np.nan
            call(f"conv_unshared:{kernel}", plan, tasks, *arrays, n, scratch=scratch)
            np.testing.assert_allclose(arrays[written], expected[0], rtol=1e-4, atol=1e-4, err_msg=kernel)


@pytest.mark.parametrize("seed", range(3))
def test_unshared_convolutions(seed):
    check_unshared(seed, 5, host())


def test_unshared_convolutions_on_other_machines():
    check_unshared(4, 3, VectorUnit(32, 16))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 115))
def test_300_unshared_convolutions(seed):
    check_unshared(seed, 20, host())


def check_neighbourhoods(seed, sizes):
    """Compare the two kernels of a random neighbourhood with the reference, for images of several sizes."""
    from guarded import guarded

    rng = np.random.default_rng([9, seed])
    mode = MODES[seed % len(MODES)]
    window, step = (tuple(int(n) for n in rng.integers(1, 5, 2)) for _ in range(2))
    if mode == "wrap_centered":
        window = tuple(extent // 2 * 2 + 1 for extent in window)
    op = ImagesToNeighbours(window, step, mode)
    wraps = mode == "wrap_centered"
    dtype = ("float32", "float64", "int16")[seed % 3]
    spec = {"dtype": dtype, "window": window, "step": step, "low": op.low, "wraps": wraps}
    for _ in range(sizes):
        image = [
            extent + int(rng.integers(1, 6)) * by - 2 * low * (not wraps)
            for extent, by, low in zip(window, step, op.low, strict=True)
        ]
        planes, end = tuple(int(n) for n in rng.integers(0, 4, 2)), bool(rng.integers(2))
        x = guarded(rng.integers(-9, 9, (*planes, *image)).astype(dtype), end)
        (expected,) = op.perform(x)
        patches = guarded(np.full_like(expected, 7), end)
        grid = op.grid(image)
        count = planes[0] * planes[1]
        for kernel, tasks, *arrays in (("read", count * grid[0], x, patches), ("add", count, patches, x)):
            address = kernel_address(KernelSpec.of(f"neighbours:{kernel}", **spec))
            words = (ctypes.c_int64 * 6)(*(a.ctypes.data for a in arrays), *image, *grid)
            for begin, stop in ((tasks // 2, tasks), (0, tasks // 2)):
                assert SIGNATURE(address)(words, None, begin, stop) == 0
        np.testing.assert_array_equal(patches, expected)
        np.testing.assert_array_equal(x, NeighboursToImages(window, step, mode).perform(patches, *x.shape)[0])


@pytest.mark.parametrize("seed", range(5))
def test_neighbourhoods(seed):
    check_neighbourhoods(seed, 5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 115))
def test_300_neighbourhoods(seed):
    check_neighbourhoods(seed, 20)
