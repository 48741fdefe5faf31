import ctypes
import itertools
from dataclasses import replace

import numpy as np
import pytest
from native_code import native_code

from arignote.compile.kernels.pool import PoolGeometry
from arignote.compile.objects import kernel_address
from arignote.compile.spec import KernelSpec

pytestmark = pytest.mark.usefixtures("own_cache")
MODES = ("sum", "average_inc_pad", "average_exc_pad")
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def whole(rows, columns, window, stride, pad=(0, 0)):
    """Windows that lie in the padded image."""
    out = [(n + 2 * p - w) // s + 1 for n, w, s, p in zip((rows, columns), window, stride, pad, strict=True)]
    return PoolGeometry(rows, columns, window, stride, pad, *out)


def clipped(rows, columns, window, stride):
    """Windows over all of the image, the last of them clipped, as many as Theano makes."""
    out = [
        (n - 1) // s + 1 if s >= w else max(0, n - 1 - w + s) // s + 1
        for n, w, s in zip((rows, columns), window, stride, strict=True)
    ]
    return PoolGeometry(rows, columns, window, stride, (0, 0), *out)


GEOMETRIES = [
    whole(24, 24, (2, 2), (2, 2)),
    whole(8, 8, (2, 2), (2, 2)),
    whole(57, 35, (3, 3), (2, 2)),
    whole(56, 56, (3, 3), (2, 2), (1, 1)),
    whole(17, 40, (3, 3), (1, 1), (1, 1)),
    whole(9, 11, (1, 1), (1, 1)),
    whole(7, 7, (7, 7), (7, 7)),
    whole(11, 37, (5, 4), (3, 3), (4, 3)),
    whole(5, 300, (2, 2), (2, 2), (1, 1)),
    whole(6, 50, (3, 9), (2, 2), (1, 4)),
    clipped(7, 9, (2, 2), (2, 2)),
    clipped(25, 67, (3, 3), (2, 2)),
    clipped(11, 23, (2, 2), (3, 4)),
    clipped(2, 3, (5, 5), (2, 2)),
    clipped(1, 1, (2, 2), (2, 2)),
]


OPEN = [replace(g, promised=False) for g in GEOMETRIES]


# A kernel takes a quarter of a second to build: float64 and the modes take turns. Open extents share kernels,
# so these run with all geometries, and baked ones, of the same source, with every second.
DTYPES = [("float32", g) for g in GEOMETRIES[::2] + OPEN] + [
    ("float64", g) for g in GEOMETRIES[:1] + OPEN[4:5]
]
MEANS = [(("float64", "float32")[i % 2], MODES[i % 3], g) for i, g in enumerate(GEOMETRIES[::2])]
MEANS += [("float32", MODES[i % 3], g) for i, g in enumerate(OPEN)]
MEANS += [("float32", mode, g[i]) for i, mode, g in itertools.product((3, 7), MODES[1:], (GEOMETRIES, OPEN))]


def name(g):
    if not isinstance(g, PoolGeometry):
        return None
    text = f"{g.rows}x{g.columns}-{g.window}-{g.stride}-{g.pad}-{g.out_rows}x{g.out_columns}"
    return text if g.promised else f"{text}-open"


def run(builder, g, planes, *arrays, **parameters):
    address = kernel_address(KernelSpec.of(f"pool:{builder}", **g.parameters, **parameters))
    addresses = [array.ctypes.data for array in arrays]
    words = (ctypes.c_int64 * (len(arrays) + len(g.words)))(*addresses, *g.words)
    # Two calls, as two threads would share the tasks.
    for begin, end in ((0, planes // 2), (planes // 2, planes)):
        assert SIGNATURE(address)(words, None, begin, end) == 0


def windows(g):
    """Yield each window's place and the slices of the image that it covers."""
    for p, q in np.ndindex(g.out_rows, g.out_columns):
        top, left = p * g.stride[0] - g.pad[0], q * g.stride[1] - g.pad[1]
        bottom, right = min(top + g.window[0], g.rows), min(left + g.window[1], g.columns)
        yield p, q, slice(max(top, 0), bottom), slice(max(left, 0), right)


def numpy_max_pool(x, g):
    """Maxima and positions by NumPy's argmax, to which the first NaN is the largest."""
    values = np.empty((len(x), g.out_rows, g.out_columns), x.dtype)
    positions = np.empty(values.shape, np.int32)
    for p, q, rows, columns in windows(g):
        covered = x[:, rows, columns]
        row, column = np.divmod(covered.reshape(len(x), -1).argmax(1), covered.shape[2])
        positions[:, p, q] = (row + rows.start) * g.columns + column + columns.start
        values[:, p, q] = x.reshape(len(x), -1)[np.arange(len(x)), positions[:, p, q]]
    return values, positions


def numpy_weights(g, mode):
    """What the sum of each window is multiplied by."""
    weights = np.ones((g.out_rows, g.out_columns))
    if mode == "sum":
        return weights
    for p, q in np.ndindex(*weights.shape):
        count = 1
        for axis, (place, extent) in enumerate(zip((p, q), (g.rows, g.columns), strict=True)):
            margin = g.pad[axis] if mode == "average_inc_pad" else 0
            start = place * g.stride[axis] - g.pad[axis]
            count *= min(start + g.window[axis], extent + margin) - max(start, -margin)
        weights[p, q] = 1 / count
    return weights


def images(g, dtype, planes=3, seed=0):
    """Images with many equal elements, so that ties matter."""
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 9, (planes, g.rows, g.columns)) - 4 * (np.dtype(dtype).kind != "u")).astype(
        dtype
    )


def pooled(g, dtype, planes=3):
    return np.random.default_rng(1).normal(size=(planes, g.out_rows, g.out_columns)).astype(dtype)


def max_pool(x, g):
    values = np.full((len(x), g.out_rows, g.out_columns), 77, x.dtype)
    positions = np.full(values.shape, -7, np.int32)
    run("max_pool", g, len(x), x, values, positions, dtype=str(x.dtype))
    return values, positions


@pytest.mark.parametrize(("dtype", "g"), DTYPES, ids=name)
def test_max_pool_finds_the_first_maximum(dtype, g):
    x = images(g, dtype)
    for found, expected in zip(max_pool(x, g), numpy_max_pool(x, g), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64"])
def test_max_pool_of_integers(dtype):
    g = whole(11, 21, (3, 3), (2, 2), (1, 1))
    x = images(g, dtype)
    x[0] = np.iinfo(dtype).min
    x[1, 4, 5] = np.iinfo(dtype).max
    for found, expected in zip(max_pool(x, g), numpy_max_pool(x, g), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("dtype", "g"),
    [("float64", GEOMETRIES[0]), *(("float32", g) for g in GEOMETRIES[2:5] + OPEN[2:5])],
    ids=name,
)
def test_the_first_nan_wins_and_padding_never_does(dtype, g):
    x = images(g, dtype)
    x[0] = -np.inf
    x[1, ::3, ::4] = np.nan
    x[2, 1::2] = np.inf
    for found, expected in zip(max_pool(x, g), numpy_max_pool(x, g), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "g", [g for g in OPEN if all(2 * p <= w for p, w in zip(g.pad, g.window, strict=True))], ids=name
)
def test_max_pool_is_pytorchs(g):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    if g.sizes != whole(g.rows, g.columns, g.window, g.stride, g.pad).sizes:
        pytest.skip("PyTorch counts clipped windows in its own way")
    x = images(g, "float32")
    expected = torch.nn.functional.max_pool2d(
        torch.from_numpy(x), g.window, g.stride, g.pad, return_indices=True
    )
    for found, wanted in zip(max_pool(x, g), expected, strict=True):
        np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize(("dtype", "g"), DTYPES, ids=name)
def test_max_pool_gradient_adds_each_value_at_its_position(dtype, g):
    x, values = images(g, dtype), pooled(g, dtype)
    _, positions = numpy_max_pool(x, g)
    expected = np.zeros((len(x), g.rows * g.columns), dtype)
    places = positions.reshape(len(x), -1)
    np.add.at(expected, (np.arange(len(x))[:, None], places), values.reshape(len(x), -1))
    found = np.full_like(x, np.nan)
    run("max_pool_gradient", g, len(x), values, positions, found, dtype=dtype)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("g", [GEOMETRIES[2], *OPEN[::6]], ids=name)
def test_max_pool_gather_picks_the_elements(g, dtype):
    x = images(g, dtype)
    expected, positions = numpy_max_pool(x, g)
    found = np.zeros_like(expected)
    run("max_pool_gather", g, len(x), x, positions, found, dtype=dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("dtype", "mode", "g"), MEANS, ids=name)
def test_sum_pool(dtype, mode, g):
    x = np.random.default_rng(2).normal(size=(3, g.rows, g.columns))
    expected = np.empty((3, g.out_rows, g.out_columns))
    for p, q, rows, columns in windows(g):
        expected[:, p, q] = x[:, rows, columns].sum((1, 2))
    expected *= numpy_weights(g, mode)
    found = np.full(expected.shape, np.nan, dtype)
    run("sum_pool", g, 3, x.astype(dtype), found, dtype=dtype, mode=mode)
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "mode", "g"), MEANS, ids=name)
def test_sum_pool_gradient_is_the_transpose(dtype, mode, g):
    values = pooled(g, "float64")
    shares = values * numpy_weights(g, mode)
    expected = np.zeros((3, g.rows, g.columns))
    for p, q, rows, columns in windows(g):
        expected[:, rows, columns] += shares[:, p, q, None, None]
    found = np.full(expected.shape, np.nan, dtype)
    run("sum_pool_gradient", g, 3, values.astype(dtype), found, dtype=dtype, mode=mode)
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("g", [GEOMETRIES[3], OPEN[3]], ids=name)
def test_no_plane_is_no_work(g):
    x = images(g, "float32", planes=0)
    values, positions = max_pool(x, g)
    run("max_pool_gradient", g, 0, values, positions, x, dtype="float32")
    run("sum_pool", g, 0, x, values, dtype="float32", mode="average_exc_pad")
    run("sum_pool_gradient", g, 0, values, x, dtype="float32", mode="average_exc_pad")


@pytest.mark.parametrize("end", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("g", [g[i] for i in (0, 3, 7, 12) for g in (GEOMETRIES, OPEN)], ids=name)
def test_nothing_beside_the_arrays_is_touched(g, end):
    from guarded import guarded

    x = guarded(images(g, "float32", 2), end)
    expected, expected_positions = numpy_max_pool(x, g)
    values = guarded(np.zeros_like(expected), end)
    positions = guarded(np.zeros_like(expected_positions), end)
    run("max_pool", g, 2, x, values, positions, dtype="float32")
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(positions, expected_positions)
    run("max_pool_gather", g, 2, x, positions, values, dtype="float32")
    run("max_pool_gradient", g, 2, values, positions, x, dtype="float32")
    run("sum_pool", g, 2, x, values, dtype="float32", mode="average_exc_pad")
    run("sum_pool_gradient", g, 2, values, x, dtype="float32", mode="average_exc_pad")


def check_in_guarded_memory(seed, sizes):
    """Run all kernels of random windows over planes of several sizes, which may not be left by a byte."""
    from guarded import guarded

    rng = np.random.default_rng([5, seed])
    window, stride = (tuple(int(n) for n in rng.integers(1, 6, 2)) for _ in range(2))
    pad = tuple(int(rng.integers(0, size)) for size in window)
    dtype, mode, is_clipped = ("float32", "float64")[seed % 2], MODES[seed % 3], bool(rng.integers(2))
    for _ in range(sizes):
        rows, columns = (int(n) for n in rng.integers(5, 70, 2))
        g = (
            clipped(rows, columns, window, stride)
            if is_clipped
            else whole(rows, columns, window, stride, pad)
        )
        g, end, planes = replace(g, promised=False), bool(rng.integers(2)), int(rng.integers(0, 4))
        x = guarded(images(g, dtype, planes), end)
        expected, expected_positions = numpy_max_pool(x, g) if planes else (pooled(g, dtype, 0),) * 2
        values, positions = (
            guarded(np.zeros_like(expected), end),
            guarded(expected_positions.astype("int32"), end),
        )
        run("max_pool", g, planes, x, values, positions, dtype=dtype)
        np.testing.assert_array_equal(values, expected)
        np.testing.assert_array_equal(positions, expected_positions)
        run("max_pool_gather", g, planes, x, positions, values, dtype=dtype)
        np.testing.assert_array_equal(values, expected)
        run("max_pool_gradient", g, planes, values, positions, x, dtype=dtype)
        run("sum_pool", g, planes, x, values, dtype=dtype, mode=mode)
        run("sum_pool_gradient", g, planes, values, x, dtype=dtype, mode=mode)


@pytest.mark.parametrize("seed", range(4))
def test_random_windows_touch_nothing_beside_the_arrays(seed):
    check_in_guarded_memory(seed, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
def test_2_000_random_windows_touch_nothing_beside_the_arrays(seed):
    check_in_guarded_memory(seed, 40)


@pytest.mark.parametrize(
    ("window", "stride", "vectors"),
    [((2, 2), (2, 2), r"shufflevector <\d+ x float>"), ((3, 3), (2, 2), r"<\d+ x i1>")],
)
def test_windows_are_vector_code(window, stride, vectors):
    import re

    from arignote.compile.kernels import pool

    kernel = pool.max_pool(dtype="float32", **whole(56, 56, window, stride).parameters)
    text = str(native_code(kernel))
    assert re.search(vectors, text)
    assert not re.search(r"fcmp[a-z ]* float", text)


def test_a_geometry_names_a_kernel():
    g = whole(8, 8, (2, 2), (2, 2))
    assert KernelSpec.of("pool:max_pool", dtype="float32", **g.parameters) != KernelSpec.of(
        "pool:max_pool", dtype="float32", **replace(g, pad=(1, 1)).parameters
    )


def test_open_extents_name_one_kernel():
    small, large = (replace(whole(n, n, (3, 3), (2, 2)), promised=False) for n in (8, 99))
    assert small.parameters == large.parameters
    assert small.words != large.words
