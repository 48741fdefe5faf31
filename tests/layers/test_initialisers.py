"""Initialisers: mean, variance and shape of what they draw, next to their papers' formulas and PyTorch."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from arignote.engine.errors import InputError, ShapeError
from arignote.layers import (
    Constant,
    Fans,
    Glorot,
    He,
    LeCun,
    Nielsen,
    Normal,
    Orthogonal,
    Uniform,
    conv_fans,
)
from arignote.layers.initialisers import INITIALISERS

FANS = Fans(30, 70)
SHAPE = (40, 5, 10, 10)


def drawn(initialiser, shape=SHAPE, seed=0, fans=FANS):
    return initialiser(np.random.default_rng(seed), shape, fans)


class TestFans:
    @pytest.mark.parametrize(
        ("shape", "fans"),
        [((20, 1, 5, 5), (25, 500)), ((8, 4, 3), (12, 24)), ((8, 4, 3, 2, 5), (120, 240))],
    )
    def test_conv(self, shape, fans):
        assert conv_fans(shape) == fans

    def test_pytorch_counts_alike(self):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        for shape in [(6, 4, 3), (6, 4, 3, 2), (6, 4, 3, 2, 5)]:
            count = torch.nn.init._calculate_fan_in_and_fan_out
            assert conv_fans(shape) == count(torch.empty(shape))

    def test_another_rank(self):
        with pytest.raises(ShapeError, match="argument `shape`") as caught:
            conv_fans((3, 4))
        assert "test_initialisers.py" in str(caught.value)


VARIANCES = [
    (Glorot(), 2 / 100, "uniform"),
    (Glorot("normal"), 2 / 100, "normal"),
    (He(), 2 / 30, "normal"),
    (He("uniform", gain=0.5), 0.25 * 2 / 30, "uniform"),
    (LeCun(), 1 / 30, "normal"),
    (LeCun("uniform"), 1 / 30, "uniform"),
    (Nielsen(), 1 / 70, "normal"),
    (Nielsen("uniform", gain=2.0), 4 / 70, "uniform"),
    (Normal(), 1.0, "normal"),
    (Normal(std=0.3), 0.09, "normal"),
    (Uniform(-2.0, 2.0), 16 / 12, "uniform"),
]


class TestDistributions:
    @pytest.mark.parametrize(("initialiser", "variance", "distribution"), VARIANCES, ids=repr)
    def test_it_is_the_one_of_the_formula(self, initialiser, variance, distribution):
        values = drawn(initialiser)
        assert values.dtype == np.float64
        assert values.shape == SHAPE
        # The standard error of a variance of n numbers is sqrt((kurtosis - 1) / n) of it.
        kurtosis = {"normal": 3, "uniform": 9 / 5}[distribution]
        assert values.var() == pytest.approx(variance, rel=5 * np.sqrt((kurtosis - 1) / values.size))
        assert abs(values.mean()) < 5 * np.sqrt(variance / values.size)
        law = stats.norm if distribution == "normal" else stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))
        assert stats.kstest(values.ravel() / np.sqrt(variance), law.cdf).pvalue > 1e-4

    def test_uniform_numbers_stay_within_their_bounds(self):
        assert abs(drawn(Glorot())).max() <= np.sqrt(6 / 100)
        values = drawn(Uniform(0.5, 0.75))
        assert values.min() >= 0.5
        assert values.max() <= 0.75

    def test_mean(self):
        assert drawn(Normal(std=0.0, mean=3.0)).tolist() == np.full(SHAPE, 3.0).tolist()
        assert drawn(Constant(0.25), (2,)).tolist() == [0.25, 0.25]
        assert not drawn(Constant()).any()

    @pytest.mark.parametrize("initialiser", [each for each, *_ in VARIANCES] + [Orthogonal()], ids=repr)
    def test_the_seed_decides(self, initialiser):
        np.testing.assert_array_equal(drawn(initialiser), drawn(initialiser))
        assert (drawn(initialiser) != drawn(initialiser, seed=1)).any()

    @pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1)])
    def test_small_shapes(self, shape):
        for initialiser in (Glorot(), Normal(), Uniform(0.0, 1.0), Constant()):
            assert drawn(initialiser, shape).shape == shape


class TestOrthogonal:
    @pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (5, 2, 3, 3), (40, 2, 2, 2), (1, 1), (0, 3)])
    def test_rows_or_columns_are_orthogonal(self, shape):
        values = drawn(Orthogonal(gain=1.5), shape)
        assert values.shape == shape
        assert values.flags.c_contiguous
        matrix = values.reshape(shape[0], int(np.prod(shape[1:])))
        if matrix.shape[0] > matrix.shape[1]:
            matrix = matrix.T
        np.testing.assert_allclose(matrix @ matrix.T, 1.5**2 * np.eye(len(matrix)), atol=1e-13)

    def test_all_directions_are_alike(self):
        # An entry of a uniform orthogonal n x n matrix has mean 0 and variance 1 / n; the diagonal of a QR
        # whose signs are left as they come would be negative.
        rng = np.random.default_rng(0)
        diagonals = np.array([np.diagonal(Orthogonal()(rng, (4, 4), FANS)) for _ in range(2000)])
        assert abs(diagonals.mean()) < 5 * np.sqrt(1 / 4 / diagonals.size)

    def test_a_vector(self):
        with pytest.raises(ShapeError, match=r"two dimensions or more[\s\S]*shape \(3,\)[\s\S]*Constant"):
            drawn(Orthogonal(), (3,))


class TestArguments:
    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (
                lambda: Glorot("gaussian"),
                r"Glorot: argument `distribution`[\s\S]*'normal' or 'uniform'[\s\S]*'gauss",
            ),
            (lambda: He(gain=-1.0), r"He: argument `gain`[\s\S]*at least 0[\s\S]*-1.0"),
            (lambda: Orthogonal(gain=np.nan), r"Orthogonal: argument `gain`[\s\S]*finite[\s\S]*nan"),
            (lambda: Normal(std=-0.1), r"Normal: argument `std`"),
            (lambda: Normal(mean=np.inf), r"Normal: argument `mean`"),
            (lambda: Uniform(1.0, 0.0), r"Uniform: argument `high`[\s\S]*at least 1[\s\S]*0.0"),
            (lambda: Constant("0"), r"Constant: argument `value`[\s\S]*'0'"),
        ],
    )
    def test_what_does_not_fit(self, build, message):
        with pytest.raises(InputError, match=message) as caught:
            build()
        assert "test_initialisers.py" in str(caught.value)


@pytest.mark.parametrize(
    "initialiser", [each for each, *_ in VARIANCES] + [Orthogonal(0.5), Constant(2.0)], ids=repr
)
def test_a_file_can_name_it(initialiser):
    described = json.loads(json.dumps({"kind": type(initialiser).__name__, **asdict(initialiser)}))
    assert INITIALISERS[described.pop("kind")](**described) == initialiser
