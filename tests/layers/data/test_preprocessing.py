"""Preprocessing: against the formulas written out, on sets that fit into one piece and into many."""

import json
import tracemalloc

import numpy as np
import pytest

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.layers import (
    MeanSubtraction,
    Normalisation,
    PCAWhitening,
    ZCAWhitening,
    class_weights,
    load_digits,
)
from arignote.layers.data import preprocessing
from arignote.layers.data.preprocessing import restored

RANDOM = np.random.default_rng(0)
MIX = RANDOM.normal(size=(12, 12))
ROWS = RANDOM.normal(size=(400, 12)) @ MIX + RANDOM.normal(size=12)
IMAGES = ROWS.reshape(400, 3, 2, 2)
OTHERS = RANDOM.normal(size=(5, 3, 2, 2))

WAYS = [
    MeanSubtraction(),
    MeanSubtraction("channel"),
    Normalisation(),
    Normalisation("pixel"),
    PCAWhitening(),
    PCAWhitening(5),
    ZCAWhitening(),
]


@pytest.fixture(params=[50, 1 << 22], ids=["pieces", "whole"])
def pieces(request, monkeypatch):
    """Let the sets here be read in pieces of four examples, or as a whole."""
    monkeypatch.setattr(preprocessing, "_PIECE", request.param)


@pytest.mark.usefixtures("pieces")
class TestFormulas:
    @pytest.mark.parametrize(("per", "axes"), [("pixel", (0,)), ("channel", (0, 2, 3))])
    def test_mean_and_deviation(self, per, axes):
        mean, deviation = IMAGES.mean(axes, keepdims=True), IMAGES.std(axes, keepdims=True)
        np.testing.assert_allclose(
            MeanSubtraction(per).fit(IMAGES).transform(OTHERS), OTHERS - mean, atol=1e-12
        )
        np.testing.assert_allclose(
            Normalisation(per).fit(IMAGES).transform(OTHERS), (OTHERS - mean) / deviation, atol=1e-12
        )

    def test_pca(self):
        # From the singular values of the centred rows, which is another way to the same.
        mean = ROWS.mean(axis=0)
        _, singular, directions = np.linalg.svd(ROWS - mean, full_matrices=False)
        expected = (OTHERS.reshape(5, 12) - mean) @ directions.T / np.sqrt(singular**2 / 400 + 0.3)
        found = PCAWhitening(epsilon=0.3).fit(IMAGES).transform(OTHERS)
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-10)

    def test_zca(self):
        covariance = np.cov(ROWS.T, bias=True) + 0.3 * np.eye(12)
        whitening = ZCAWhitening(0.3).fit(IMAGES)
        forward = whitening.forward
        np.testing.assert_allclose(forward, forward.T, atol=1e-12)
        np.testing.assert_allclose(forward @ covariance @ forward, np.eye(12), atol=1e-9)
        assert np.linalg.eigvalsh(forward).min() > 0
        expected = (OTHERS.reshape(5, 12) - ROWS.mean(axis=0)) @ forward
        np.testing.assert_allclose(whitening.transform(OTHERS), expected.reshape(OTHERS.shape), atol=1e-10)

    @pytest.mark.parametrize(
        "way", [PCAWhitening(epsilon=0), PCAWhitening(5, epsilon=0), ZCAWhitening(0)], ids=repr
    )
    def test_what_is_whitened_is_white(self, way):
        white = way.fit(IMAGES).transform(IMAGES).reshape(400, -1)
        np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(white.shape[1]), atol=1e-8)
        np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-10)

    @pytest.mark.parametrize("way", WAYS, ids=repr)
    def test_undoing(self, way):
        fitted = way.fit(IMAGES)
        back = fitted.inverse(fitted.transform(OTHERS))
        if way != PCAWhitening(5):
            np.testing.assert_allclose(back, OTHERS, atol=1e-9)
        else:  # what five components can tell of an example: its projection on them
            mean = ROWS.mean(axis=0)
            directions = np.linalg.svd(ROWS - mean)[2][:5]
            expected = (OTHERS.reshape(5, 12) - mean) @ directions.T @ directions + mean
            np.testing.assert_allclose(back.reshape(5, 12), expected, atol=1e-9)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99, 1.0])
def test_components_by_their_share_of_the_variance(share):
    variances = np.linalg.eigvalsh(np.cov(ROWS.T, bias=True))[::-1]
    (count,) = PCAWhitening(share).fit(ROWS).transformed_shape
    assert variances[:count].sum() >= share * variances.sum() * (1 - 1e-9)
    assert variances[: count - 1].sum() < share * variances.sum()


@pytest.mark.parametrize("way", WAYS, ids=repr)
class TestEveryWay:
    def test_only_the_training_set_decides(self, way):
        fitted = way.fit(IMAGES)
        together = fitted.transform(np.concatenate([OTHERS, 100 * OTHERS]))
        np.testing.assert_allclose(fitted.transform(OTHERS), together[:5], atol=1e-12)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "bool"])
    def test_dtypes(self, way, dtype):
        images = (IMAGES > 0).astype(dtype)
        fitted = way.fit(images)
        expected = np.dtype(dtype) if np.dtype(dtype).kind == "f" else np.float32
        transformed = fitted.transform(images)
        assert transformed.dtype == fitted.inverse(transformed).dtype == expected
        exact = way.fit(images.astype(float)).transform(images.astype(float))
        np.testing.assert_allclose(transformed, exact, atol=1e-2 if dtype == "float16" else 1e-5)

    def test_kept_and_restored(self, way):
        fitted = way.fit(IMAGES)
        again = restored(json.loads(json.dumps(fitted.description())), fitted.arrays())
        np.testing.assert_array_equal(again.transform(OTHERS), fitted.transform(OTHERS))
        np.testing.assert_array_equal(
            again.inverse(again.transform(OTHERS)), fitted.inverse(fitted.transform(OTHERS))
        )

    def test_no_examples_and_one(self, way):
        assert len(way.fit(IMAGES).transform(OTHERS[:0])) == 0
        assert np.isfinite(way.fit(IMAGES[:1]).transform(OTHERS)).all()

    @pytest.mark.parametrize(
        ("training", "error", "message"),
        [
            (IMAGES[:0], ShapeError, "at least one example"),
            (np.zeros(5), ShapeError, r"shape \(5,\)"),
            (np.array([["a"]]), DTypeError, "numbers"),
            (np.array([[1.0, 2.0], [3.0, np.nan]]), InputError, "example 1"),
        ],
    )
    def test_what_cannot_be_fitted(self, way, training, error, message):
        with pytest.raises(error, match=message):
            way.fit(training)

    def test_examples_that_do_not_fit(self, way):
        for other in (OTHERS[:, :2], OTHERS.reshape(5, 12), OTHERS[0]):
            with pytest.raises(ShapeError, match=r"shape \(n, 3"):
                way.fit(IMAGES).transform(other)
        with pytest.raises(DTypeError):
            way.fit(IMAGES).transform(OTHERS.astype(str))


def test_channels_of_images_of_another_size():
    fitted = Normalisation().fit(IMAGES)
    large = np.ones((2, 3, 7, 5))
    np.testing.assert_allclose(fitted.transform(large)[..., :2, :2], fitted.transform(np.ones((2, 3, 2, 2))))


def test_what_does_not_vary_is_not_divided():
    constant = np.full((1000, 1), 0.1)
    assert np.abs(Normalisation().fit(constant).transform([[0.1], [1.1]]) - [[0], [1]]).max() < 1e-12
    assert Normalisation().fit(np.zeros((3, 1))).transform([[2.0]]) == 2


def test_directions_without_variance_need_an_epsilon():
    flat = np.concatenate([ROWS, ROWS[:, :1]], axis=1)
    for way in (PCAWhitening(epsilon=0), ZCAWhitening(0)):
        with pytest.raises(InputError, match="do not vary in every direction"):
            way.fit(flat)
    assert PCAWhitening(12, epsilon=0).fit(flat).transform(flat).shape == (400, 12)


def test_digits():
    training, _, test = load_digits()
    white = PCAWhitening(50).fit(training.images)
    assert white.transform(test.images).shape == (1000, 50)
    np.testing.assert_allclose(white.transform(training.images).std(axis=0), 1, atol=1e-3)
    near = white.inverse(white.transform(test.images))
    assert np.square(near - test.images).mean() < 0.2 * test.images.var()


def test_memory_stays_bounded(tmp_path):
    # 200 MB in a file that is mapped to memory; the bound is a few pieces of 32 MB.
    large = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (400_000, 500))
    large[::7] = 1
    tracemalloc.start()
    try:
        Normalisation("pixel").fit(large)
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanSubtraction("row"), "'pixel' or 'channel'"),
        (lambda: Normalisation("row"), "'pixel' or 'channel'"),
        (lambda: PCAWhitening(0), "`components`"),
        (lambda: PCAWhitening(1.5), "`components`"),
        (lambda: PCAWhitening(True), "`components`"),
        (lambda: PCAWhitening(float("nan")), "`components`"),
        (lambda: PCAWhitening(13).fit(ROWS), "at most 12"),
        (lambda: PCAWhitening(epsilon=-1), "`epsilon`"),
        (lambda: ZCAWhitening(float("inf")), "`epsilon`"),
        (lambda: restored({"kind": "magic"}, {}), "no description"),
        (lambda: restored({}, {}), "no description"),
        (
            lambda: restored({"kind": "scaling"}, {"shift": np.zeros(2), "scale": np.zeros(3)}),
            "no description",
        ),
        (
            lambda: restored(
                PCAWhitening().fit(ROWS).description(), ZCAWhitening().fit(ROWS[:, :3]).arrays()
            ),
            "no desc",
        ),
    ],
)
def test_settings_that_do_not_fit(make, message):
    with pytest.raises(InputError, match=message):
        make()


class TestClassWeights:
    def test_every_class_counts_the_same(self):
        labels = np.random.default_rng(0).choice(5, 1000, p=[0.5, 0.3, 0.1, 0.05, 0.05])
        weights = class_weights(labels)
        np.testing.assert_allclose(np.bincount(labels, weights[labels]), 200)

    def test_a_class_that_does_not_occur(self):
        np.testing.assert_allclose(class_weights([1, 1, 3]), [0, 0.75, 0, 1.5])

    @pytest.mark.parametrize(
        ("labels", "error"),
        [([], ShapeError), ([[1]], ShapeError), ([1.0], DTypeError), ([0, -1], InputError)],
    )
    def test_what_is_no_label(self, labels, error):
        with pytest.raises(error, match="`labels`"):
            class_weights(labels)
