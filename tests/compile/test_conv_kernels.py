from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from arignote.compile.kernels.conv import correlation as plan_correlation
from arignote.compile.kernels.conv_correlate import Correlation
from arignote.compile.kernels.conv_filter_gradient import FilterGradient
from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry
from arignote.compile.simd import NEON, VectorUnit, host

AVX2_LIKE = VectorUnit(32, 16)


@dataclass
class Reference:
    """The three results by NumPy in float64, tap by tap, from the definition; all arrays with groups."""

    geometry: ConvGeometry

    def _taps(self, padded):
        """Yield every tap's place in the filter, and the padded pixels that it meets."""
        axes = self.geometry.axes
        for tap in np.ndindex(*(axis.taps for axis in axes)):
            starts = [index * axis.dilation for index, axis in zip(tap, axes, strict=True)]
            pixels = padded[
                ...,
                *(
                    slice(start, start + (axis.outputs - 1) * axis.stride + 1, axis.stride)
                    for start, axis in zip(starts, axes, strict=True)
                ),
            ]
            yield tuple(a.taps - 1 - i if a.flip else i for i, a in zip(tap, axes, strict=True)), pixels

    def _padded(self, x):
        return np.pad(x, [(0, 0)] * 3 + [(axis.low, axis.high) for axis in self.geometry.axes])

    def output(self, x, w):
        return sum(
            np.einsum("gkc,ngcdpq->ngkdpq", w[..., *tap], pixels)
            for tap, pixels in self._taps(self._padded(x))
        )

    def filter_gradient(self, x, dy, w):
        dw = np.empty_like(w)
        for tap, pixels in self._taps(self._padded(x)):
            dw[..., *tap] = np.einsum("ngkdpq,ngcdpq->gkc", dy, pixels)
        return dw

    def input_gradient(self, x, dy, w):
        padded = np.zeros_like(self._padded(x))
        for tap, pixels in self._taps(padded):
            pixels += np.einsum("gkc,ngkdpq->ngcdpq", w[..., *tap], dy)
        return padded[..., *(slice(axis.low, axis.low + axis.extent) for axis in self.geometry.axes)]


def plain(array):
    return array


@pytest.fixture
def compute(own_cache):
    """Return a function that packs and computes one of the results, and its plan."""
    from kernel_calls import call, scratch_memory

    def pack(packing, images, place):
        count = len(images) * images.shape[1]  # of images, as kernels count: one for each group
        packed = place(np.full(packing.elements(count), np.nan, images.dtype))
        layout = ()
        if any(stride < 0 for stride in images.strides) or not images.flags.c_contiguous:
            packing = replace(packing, dense=False)
            groups, *strides = (stride // images.itemsize for stride in images.strides[1:])
            assert images.shape[1] == 1 or groups == images.shape[2] * strides[0]
            layout = (images.shape[1] * images.shape[2], images.strides[0] // images.itemsize, *strides)
        call("conv_pack:pack", packing, packing.tasks(count), images, packed, count, *layout)
        return packed

    def correlate(plan, images, filters, place=plain):
        g = plan.geometry
        channels = g.channels if plan.gradient else g.filters
        extents = (axis.extent if plan.gradient else axis.outputs for axis in g.axes)
        shape = (len(images), g.groups, channels, *extents)
        out = place(np.full(shape, np.nan, images.dtype))
        packed = pack(plan.packing, images, place)
        scratch = place(scratch_memory(plan.scratch_bytes))
        n, tasks = len(images) * plan.geometry.groups, plan.tasks(len(images))
        call(plan.kernel, plan, tasks, packed, filters, out, n, scratch=scratch)
        return out

    def filter_gradient(plan, images, gradient, place=plain):
        g = plan.geometry
        taps = (axis.taps for axis in g.axes)
        out = place(np.full((g.groups, g.filters, g.channels, *taps), np.nan, images.dtype))
        packed, scratch = pack(plan.image_packing, images, place), place(scratch_memory(plan.scratch_bytes))
        packed_gradient = pack(plan.gradient_packing, gradient, place)
        n = len(images)
        call(
            "conv_filter_gradient:filter_gradient",
            plan,
            plan.tasks(n),
            packed,
            packed_gradient,
            out,
            n,
            scratch=scratch,
        )
        return out

    return correlate, filter_gradient


def data(g, n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (
        (n, g.groups, g.channels, *(axis.extent for axis in g.axes)),
        (g.groups, g.filters, g.channels, *(axis.taps for axis in g.axes)),
        (n, g.groups, g.filters, *(axis.outputs for axis in g.axes)),
    )
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def assert_within(result, expected, magnitude, terms):
    """Adding up `terms` products in any order is off by at most as many roundings of the magnitudes."""
    assert result.shape == expected.shape
    bound = (terms + 2) * np.finfo(result.dtype).eps * magnitude
    np.testing.assert_array_less(np.abs(result - expected), bound + 1e-300)


def check(compute, g, images, dtype, unit, place=plain, lay=plain, *, promised=True):
    """Compare all three results with their definition.

    `place` moves an array in memory, and `lay` gives images and maps, which are packed, other strides.
    """
    correlate, filter_gradient = compute
    reference = Reference(g)
    forward, backward = (
        plan_correlation(dtype, unit, g, gradient, promised=promised) for gradient in (False, True)
    )
    filters = FilterGradient(dtype, unit, g, promised=promised)
    for n in images:
        x, w, dy = data(g, n, dtype, seed=n)
        x, w, dy = lay(place(lay(x))), place(w), lay(place(lay(dy)))
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
        steps = n * g.depth.outputs * filters.positions // filters.lanes + filters.lanes.bit_length()
        assert_within(
            filter_gradient(filters, x, dy, place),
            reference.filter_gradient(x8, dy8, w8),
            reference.filter_gradient(abs(x8), abs(dy8), abs(w8)),
            steps,
        )


def geometry(
    channels,
    filters,
    size,
    taps,
    pad=(0,) * 4,
    stride=(1, 1),
    dilation=(1, 1),
    flip=False,
    groups=1,
    depth=POINT,
):
    """Describe a convolution by pairs (rows, columns) and the padding at top, bottom, left and right."""
    return ConvGeometry(
        groups,
        channels,
        filters,
        depth,
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
    counts = (int(rng.integers(1, stop)) for stop in (4, 9, 22))
    depth = axis(flip) if rng.integers(2) else POINT
    return ConvGeometry(*counts, depth, axis(flip), axis(flip))


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
    "in groups": geometry(3, 5, (9, 21), (3, 3), (1, 1, 1, 1), (2, 1), groups=4),
    "depthwise": geometry(1, 1, (14, 35), (3, 3), (1, 1, 1, 1), groups=6),
    "depthwise, two filters a channel": geometry(1, 2, (9, 20), (5, 5), stride=(2, 2), flip=True, groups=3),
    "with a depth": geometry(3, 6, (9, 11), (3, 3), (1, 1, 1, 1), depth=ConvAxis(7, 3, 1, 1, 1, 1, False)),
    "strides in depth": geometry(
        2, 3, (6, 17), (2, 3), stride=(1, 2), flip=True, groups=2, depth=ConvAxis(9, 3, 0, 2, 2, 2, True)
    ),
    "one by one with a depth": geometry(4, 5, (3, 5), (1, 1), depth=ConvAxis(4, 1, 0, 0, 1, 1, False)),
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


def test_convolutions_that_differ_in_padding_share_kernels():
    g = NAMED["dilated and strided"]
    other = replace(g, rows=replace(g.rows, low=g.rows.low + 2 * g.rows.stride, high=5))
    for plan in (Correlation, FilterGradient):
        options = (False,) if plan is Correlation else ()
        built = {plan("float32", host(), each, *options, promised=False).built for each in (g, other)}
        assert len(built) == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_convolutions_and_gradients(compute, seed):
    dtype, promised = ("float32", "float64")[seed % 2], seed < 2
    check(compute, random_geometry(seed), (1, 4), dtype, host(), promised=promised)


@pytest.mark.parametrize("unit", [AVX2_LIKE, NEON], ids=str)
@pytest.mark.parametrize("name", ["first layer of a residual net", "dilated and strided", "depthwise"])
def test_tiles_of_every_machine(compute, name, unit):
    check(compute, NAMED[name], (2,), "float32", unit)


@pytest.mark.parametrize("promised", [True, False], ids=["promised", "open"])
@pytest.mark.parametrize("end", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "name",
    [
        "book",
        "one by one",
        "dilated and strided",
        "stride longer than the image",
        "strides in depth",
        "depthwise, two filters a channel",
    ],
)
def test_kernels_touch_nothing_beyond_their_arrays(compute, name, end, promised):
    from guarded import guarded

    check(
        compute, NAMED[name], (1, 2), "float32", host(), lambda array: guarded(array, end), promised=promised
    )


def upside_down(x):
    """Turn an array around: twice, and its elements are in order again, but its strides are negative."""
    return x[:, :, :, ::-1, ::-1, ::-1]


def check_in_guarded_memory(compute, seed, sizes):
    """Check a random convolution for several sizes, of which no array may be left by a byte."""
    from guarded import guarded

    rng = np.random.default_rng([3, seed])
    g, dtype = random_geometry(seed), ("float32", "float64")[seed % 2]
    for _ in range(sizes):
        place = partial(guarded, end=bool(rng.integers(2)))
        lay = upside_down if rng.integers(2) else plain
        size = grown(g, *(int(n) for n in rng.integers(0, 30, 2)))
        check(compute, size, [int(rng.integers(0, 3))], dtype, host(), place, lay, promised=False)


@pytest.mark.parametrize("seed", range(100, 104))
def test_random_kernels_touch_nothing_beyond_their_arrays(compute, seed):
    check_in_guarded_memory(compute, seed, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 260))
def test_2_400_random_kernels_touch_nothing_beyond_their_arrays(compute, seed):
    check_in_guarded_memory(compute, seed, 40)


def test_images_of_any_strides_are_read_in_place(compute):
    g = NAMED["in groups"]
    reference, (x, w, _) = Reference(g), data(g, 2, "float32")
    last = np.ascontiguousarray(x.transpose(0, 3, 4, 5, 1, 2)).transpose(0, 4, 5, 1, 2, 3)
    thinned = np.repeat(x, 2, -1)[..., ::2]
    expected = reference.output(x.astype("float64"), w.astype("float64"))
    for images in (last, thinned):
        found = compute[0](Correlation("float32", host(), g, False), images, w)
        assert_within(found, expected, reference.output(abs(x), abs(w)), g.filter_size * g.channels)


def test_a_bad_pixel_stays_with_the_outputs_that_see_it(compute):
    correlate, _ = compute
    g = NAMED["same"]
    x, w, _ = data(g, 2, "float32")
    x[0, 0, 1, 0, 10, 31] = np.nan
    y = correlate(Correlation("float32", host(), g, False), x, w)
    seen = np.zeros(y.shape, bool)
    seen[0, 0, :, 0, 9:12, 30:] = True
    np.testing.assert_array_equal(np.isnan(y), seen)


def test_importing_the_kernels_imports_no_compiler(start_python):
    program = "import sys, arignote.compile.kernels.conv, arignote.compile.kernels.dot\n"
    process = start_python(program + "assert 'numba' not in sys.modules")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
