from dataclasses import dataclass, replace

import numpy as np
import pytest

from arignote.compile.kernels.conv import ConvAxis, ConvGeometry, Correlation, FilterGradient
from arignote.compile.simd import NEON, VectorUnit, host

AVX2_LIKE = VectorUnit(32, 16)


@dataclass
class Reference:
    """The three results by NumPy in float64, tap by tap, from the definition."""

    geometry: ConvGeometry

    def _axes(self):
        return self.geometry.rows, self.geometry.columns

    def _taps(self, padded):
        """Yield every tap's place in the filter, and the padded pixels that it meets."""
        rows, columns = self._axes()
        for r, s in np.ndindex(rows.taps, columns.taps):
            top, left = r * rows.dilation, s * columns.dilation
            pixels = padded[
                :,
                :,
                top : top + (rows.outputs - 1) * rows.stride + 1 : rows.stride,
                left : left + (columns.outputs - 1) * columns.stride + 1 : columns.stride,
            ]
            yield (
                rows.taps - 1 - r if rows.flip else r,
                columns.taps - 1 - s if columns.flip else s,
                pixels,
            )

    def _padded(self, x):
        rows, columns = self._axes()
        return np.pad(x, ((0, 0), (0, 0), (rows.low, rows.high), (columns.low, columns.high)))

    def output(self, x, w):
        return sum(
            np.einsum("kc,ncpq->nkpq", w[:, :, r, s], pixels) for r, s, pixels in self._taps(self._padded(x))
        )

    def filter_gradient(self, x, dy, w):
        dw = np.empty_like(w)
        for r, s, pixels in self._taps(self._padded(x)):
            dw[:, :, r, s] = np.einsum("nkpq,ncpq->kc", dy, pixels)
        return dw

    def input_gradient(self, x, dy, w):
        rows, columns = self._axes()
        padded = np.zeros_like(self._padded(x))
        for r, s, pixels in self._taps(padded):
            pixels += np.einsum("kc,nkpq->ncpq", w[:, :, r, s], dy)
        return padded[:, :, rows.low : rows.low + rows.extent, columns.low : columns.low + columns.extent]


def plain(array):
    return array


@pytest.fixture
def compute(own_cache):
    """Return a function that packs and computes one of the results, and its plan."""
    from kernel_calls import call, scratch_memory

    def pack(packing, images, place):
        packed = place(np.full(packing.elements(len(images)), np.nan, images.dtype))
        call("conv:pack", packing, packing.tasks(len(images)), images, packed, len(images))
        return packed

    def correlate(plan, images, filters, place=plain):
        out = place(np.full((len(images), plan.outputs, *plan.output_shape), np.nan, images.dtype))
        packed = pack(plan.packing, images, place)
        scratch = place(scratch_memory(plan.scratch_bytes))
        n = len(images)
        call("conv:correlate", plan, plan.tasks(n), packed, filters, out, n, scratch=scratch)
        return out

    def filter_gradient(plan, images, gradient, place=plain):
        g = plan.geometry
        out = place(np.full((g.filters, g.channels, g.rows.taps, g.columns.taps), np.nan, images.dtype))
        packed, scratch = pack(plan.image_packing, images, place), place(scratch_memory(plan.scratch_bytes))
        packed_gradient = pack(plan.gradient_packing, gradient, place)
        n = len(images)
        call("conv:filter_gradient", plan, plan.tasks(n), packed, packed_gradient, out, n, scratch=scratch)
        return out

    return correlate, filter_gradient


def data(g, n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (
        (n, g.channels, g.rows.extent, g.columns.extent),
        (g.filters, g.channels, g.rows.taps, g.columns.taps),
        (n, g.filters, g.rows.outputs, g.columns.outputs),
    )
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def assert_within(result, expected, magnitude, terms):
    """Adding up `terms` products in any order is off by at most as many roundings of the magnitudes."""
    assert result.shape == expected.shape
    bound = (terms + 2) * np.finfo(result.dtype).eps * magnitude
    np.testing.assert_array_less(np.abs(result - expected), bound + 1e-300)


def check(compute, g, images, dtype, unit, place=plain, *, promised=True):
    correlate, filter_gradient = compute
    reference = Reference(g)
    forward, backward = (
        Correlation(dtype, unit, g, gradient, promised=promised) for gradient in (False, True)
    )
    filters = FilterGradient(dtype, unit, g, promised=promised)
    for n in images:
        x, w, dy = data(g, n, dtype, seed=n)
        x, w, dy = place(x), place(w), place(dy)
        x8, w8, dy8 = (a.astype(np.float64) for a in (x, w, dy))
        taps = g.filter_size
        assert_within(
            correlate(forward, x, w, place),
            reference.output(x8, w8),
            reference.output(abs(x8), abs(w8)),
            taps * g.channels,
        )
        assert_within(
            correlate(backward, dy, w, place),
            reference.input_gradient(x8, dy8, w8),
            reference.input_gradient(abs(x8), abs(dy8), abs(w8)),
            taps * g.filters,
        )
        # Every lane adds up its share of the positions, and the lanes are added in a tree.
        steps = n * filters.positions // filters.lanes + filters.lanes.bit_length()
        assert_within(
            filter_gradient(filters, x, dy, place),
            reference.filter_gradient(x8, dy8, w8),
            reference.filter_gradient(abs(x8), abs(dy8), abs(w8)),
            steps,
        )


def geometry(channels, filters, size, taps, pad=(0, 0, 0, 0), stride=(1, 1), dilation=(1, 1), flip=False):
    """Describe a convolution by pairs (rows, columns) and the padding at top, bottom, left and right."""
    return ConvGeometry(
        channels,
        filters,
        ConvAxis(size[0], taps[0], pad[0], pad[1], stride[0], dilation[0], flip),
        ConvAxis(size[1], taps[1], pad[2], pad[3], stride[1], dilation[1], flip),
    )


def random_geometry(seed):
    rng = np.random.default_rng(seed)

    def axis(flip):
        while True:
            extent, taps, low, high = rng.integers(1, 24), rng.integers(1, 6), *rng.integers(0, 4, 2)
            stride, dilation = rng.integers(1, 4), rng.integers(1, 3)
            if (taps - 1) * dilation < extent + low + high:
                return ConvAxis(*map(int, (extent, taps, low, high, stride, dilation)), flip)

    flip = bool(rng.integers(2))
    return ConvGeometry(int(rng.integers(1, 9)), int(rng.integers(1, 22)), axis(flip), axis(flip))


NAMED = {
    "book": geometry(1, 20, (28, 28), (5, 5), flip=True),
    "same": geometry(3, 20, (32, 32), (3, 3), (1, 1, 1, 1)),
    "one by one": geometry(16, 24, (14, 14), (1, 1)),
    "one by one, stride that reads a quarter": geometry(4, 6, (9, 10), (1, 1), stride=(2, 2)),
    "first layer of a residual net": geometry(3, 16, (56, 56), (7, 7), (3, 3, 3, 3), (2, 2)),
    "filter as large as the padded image": geometry(2, 3, (6, 7), (10, 9), (2, 2, 1, 1)),
    "one channel, one filter, one pixel": geometry(1, 1, (1, 1), (1, 1)),
    "padding wider than the filter": geometry(2, 5, (5, 6), (2, 3), (4, 3, 5, 0)),
    "stride longer than the image": geometry(2, 2, (3, 4), (2, 2), stride=(7, 9)),
    "dilated and strided": geometry(2, 7, (21, 19), (3, 2), (1, 0, 0, 2), (2, 3), (3, 2)),
    "one row": geometry(3, 5, (1, 2500), (1, 9), (0, 0, 4, 4)),
}


def grown(g, rows, columns):
    """Return the convolution of larger images."""
    row_axis, column_axis = (
        replace(axis, extent=axis.extent + more) for axis, more in ((g.rows, rows), (g.columns, columns))
    )
    return replace(g, rows=row_axis, columns=column_axis)


@pytest.mark.parametrize("name", NAMED)
def test_convolutions_and_gradients(compute, name):
    check(compute, NAMED[name], (0, 1, 3, 10), "float32", host())


@pytest.mark.parametrize("name", NAMED)
def test_convolutions_and_gradients_of_open_extents(compute, name):
    g = NAMED[name]
    sizes = g, grown(g, 1, 0), grown(g, 0, 5), grown(g, 18, 101)
    assert len({Correlation("float32", host(), size, True, promised=False).built for size in sizes}) == 1
    for size in sizes:
        check(compute, size, (0, 2), "float32", host(), promised=False)


@pytest.mark.parametrize("seed", range(4))
def test_random_convolutions_and_gradients(compute, seed):
    dtype, promised = ("float32", "float64")[seed % 2], seed < 2
    check(compute, random_geometry(seed), (1, 4), dtype, host(), promised=promised)


@pytest.mark.parametrize("unit", [AVX2_LIKE, NEON], ids=str)
@pytest.mark.parametrize("name", ["first layer of a residual net", "dilated and strided"])
def test_tiles_of_every_machine(compute, name, unit):
    check(compute, NAMED[name], (2,), "float32", unit)


@pytest.mark.parametrize("promised", [True, False], ids=["promised", "open"])
@pytest.mark.parametrize("end", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "name", ["book", "one by one", "dilated and strided", "stride longer than the image"]
)
def test_kernels_touch_nothing_beyond_their_arrays(compute, name, end, promised):
    from guarded import guarded

    check(
        compute, NAMED[name], (1, 2), "float32", host(), lambda array: guarded(array, end), promised=promised
    )


def test_a_bad_pixel_stays_with_the_outputs_that_see_it(compute):
    correlate, _ = compute
    g = NAMED["same"]
    x, w, _ = data(g, 2, "float32")
    x[0, 1, 10, 31] = np.nan
    y = correlate(Correlation("float32", host(), g, False), x, w)
    seen = np.zeros(y.shape, bool)
    seen[0, :, 9:12, 30:] = True
    np.testing.assert_array_equal(np.isnan(y), seen)


def test_importing_the_kernels_imports_no_compiler(start_python):
    program = "import sys, arignote.compile.kernels.conv, arignote.compile.kernels.dot\n"
    process = start_python(program + "assert 'numba' not in sys.modules")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
