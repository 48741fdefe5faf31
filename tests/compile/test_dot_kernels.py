import numpy as np
import pytest

from arignote.compile.kernels.dot import InnerProduct, OuterProduct
from arignote.compile.simd import NEON, VectorUnit, host

UNITS = [host(), VectorUnit(32, 16), NEON]
DTYPES = ["float32", "float64"]


@pytest.fixture
def product(own_cache):
    """Return a function that multiplies through a kernel."""
    from kernel_calls import call

    def product(a, b, unit, out=None, scratch=None):
        (m, k), n = a.shape, b.shape[1]
        strides = [s // x.itemsize for x in (a, b) for s in x.strides]
        inner = strides[1] == strides[2] == 1
        plan = (InnerProduct if inner else OuterProduct)(a.dtype.name, unit)
        if out is None:
            out = np.full((m, n), np.nan, a.dtype)
        kernel = "dot:inner_product" if inner else "dot:outer_product"
        call(kernel, plan, plan.tasks(m, n), a, b, out, m, n, k, *strides, 0, 0, scratch=scratch)
        return out

    return product


def assert_product(c, a, b):
    """Every order of adding K products is off by at most K units of rounding of the sum of magnitudes."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    rounding = (a.shape[1] + 2) * np.finfo(c.dtype).eps
    np.testing.assert_array_less(np.abs(c - a @ b), rounding * (np.abs(a) @ np.abs(b)) + 1e-300)


def operands(rng, layout, m, n, k, dtype):
    a = rng.standard_normal((k, m) if layout[0] == "t" else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if layout[1] == "t" else (k, n)).astype(dtype)
    return (a.T if layout[0] == "t" else a), (b.T if layout[1] == "t" else b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", UNITS, ids=str)
@pytest.mark.parametrize("layout", ["nn", "tn", "nt", "tt"])
def test_products_of_every_layout_and_shape(product, layout, unit, dtype):
    rng = np.random.default_rng(0)
    shapes = [(10, 100, 2880), (128, 10, 100), (200, 65, 300), (1, 130, 70), (90, 1, 33), (4, 3, 1)]
    shapes += [tuple(rng.integers(1, 80, 3)) for _ in range(30)]
    for m, n, k in shapes:
        a, b = operands(rng, layout, m, n, k, dtype)
        assert_product(product(a, b, unit), a, b)


@pytest.mark.parametrize("unit", UNITS, ids=str)
@pytest.mark.parametrize("layout", ["nn", "tn", "nt", "tt"])
def test_stacks_of_matrices(own_cache, layout, unit):
    from kernel_calls import call

    rng = np.random.default_rng(6)
    for m, n, k in [(7, 67, 19), (1, 3, 40), (170, 5, 2), (4, 4, 0)]:
        pairs = [operands(rng, layout, m, n, k, "float32") for _ in range(3)]
        # Only the matrices follow the layout; in a stack each lies behind the other.
        left, right = (
            np.stack([pair[i].T if layout[i] == "t" else pair[i] for pair in pairs]) for i in (0, 1)
        )
        strides = [s // 4 for i in (0, 1) for s in (pairs[0][i].strides)]
        plan = (InnerProduct if strides[1] == strides[2] == 1 else OuterProduct)("float32", unit)
        kernel = "dot:inner_product" if isinstance(plan, InnerProduct) else "dot:outer_product"
        out = np.full((3, m, n), np.nan, "float32")
        apart = left[0].size, right[0].size
        call(kernel, plan, 3 * plan.tasks(m, n), left, right, out, m, n, k, *strides, *apart)
        for product_, (a, b) in zip(out, pairs, strict=True):
            assert_product(product_, a, b)


@pytest.mark.parametrize("layout", ["nn", "tn", "nt", "tt"])
def test_a_sum_of_no_products_is_zero_and_a_result_of_no_elements_is_left_alone(product, layout):
    rng = np.random.default_rng(2)
    np.testing.assert_array_equal(
        product(*operands(rng, layout, 7, 37, 0, "float32"), host()), np.zeros((7, 37))
    )
    for m, n in [(0, 5), (5, 0), (0, 0)]:
        assert product(*operands(rng, layout, m, n, 3, "float32"), host()).shape == (m, n)


@pytest.mark.parametrize("layout", ["nn", "tn", "nt", "tt"])
def test_rows_and_columns_of_infinities_and_nans_stay_where_they_belong(product, layout):
    rng = np.random.default_rng(3)
    a, b = operands(rng, layout, 7, 35, 20, "float32")
    a[3, 4], b[5, 20] = np.inf, np.nan
    c = product(a, b, host())
    good = np.ones((7, 35), bool)
    good[3], good[:, 20] = False, False
    assert np.isfinite(c[good]).all()
    assert np.isnan(c[:, 20]).all()
    assert not np.isfinite(c[3]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", UNITS, ids=str)
@pytest.mark.parametrize("layout", ["nn", "tn", "nt", "tt"])
@pytest.mark.parametrize("end", [False, True])
def test_products_touch_nothing_beyond_their_arrays(product, end, layout, unit, dtype):
    from guarded import guarded
    from kernel_calls import scratch_memory

    rng = np.random.default_rng(4)
    size = max(OuterProduct(dtype, unit).scratch_bytes, InnerProduct(dtype, unit).scratch_bytes)
    scratch = guarded(scratch_memory(size), end)
    for m, n, k in [(7, 67, 19), (5, 64, 16), (1, 1, 1), (6, 3, 300)]:
        a, b = operands(rng, layout, m, n, k, dtype)
        a, b = (
            guarded(x.T, end).T if t == "t" else guarded(x, end) for x, t in zip((a, b), layout, strict=True)
        )
        out = guarded(np.zeros((m, n), dtype), end)
        assert_product(product(a, b, unit, out=out, scratch=scratch), a, b)
