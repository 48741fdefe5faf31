"""The layers: their shapes, their initial parameters, and what they compute, next to SciPy and NumPy."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import convolve2d
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from arignote import function
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.ops import RandomStreams
from arignote.engine.types import TensorType
from arignote.layers import ConvPoolLayer, FullyConnected, FullyConnectedLayer, SoftmaxLayer, Training, linear

IMAGE = (3, 2, 9, 8)  # batch, channels, rows, columns


def conv_pool_by_hand(images, w, b, pool):
    maps = np.array(
        [
            [sum(convolve2d(image[c], w[k, c], "valid") for c in range(len(image))) for k in range(len(w))]
            for image in images
        ]
    )
    rows, columns = (extent // size for extent, size in zip(maps.shape[2:], pool, strict=True))
    cut = maps[:, :, : rows * pool[0], : columns * pool[1]]
    windows = cut.reshape(*maps.shape[:2], rows, pool[0], columns, pool[1])
    return expit(windows.max(axis=(3, 5)) + b[:, None, None])


def evaluated(layer, value):
    x = TensorType(str(value.dtype), (None,) * value.ndim)("x")
    return function([x], layer.output(x), mode="reference")(value)


class TestConvPool:
    @pytest.mark.parametrize("pool", [(2, 2), (1, 1), (3, 2)])
    def test_output(self, each_float, pool):
        layer = ConvPoolLayer((4, 2, 3, 2), IMAGE, pool, rng=1)
        images = np.random.default_rng(0).normal(size=IMAGE).astype(each_float)
        expected = conv_pool_by_hand(images, layer.w.get_value(), layer.b.get_value(), pool)
        got = evaluated(layer, images)
        assert got.dtype == each_float
        assert got.shape[1:] == layer.output_shape
        np.testing.assert_allclose(got, expected, rtol=1e-5)

    @pytest.mark.parametrize("examples", [0, 1, 3, 5])
    def test_any_number_of_flat_images(self, examples):
        layer = ConvPoolLayer((4, 2, 3, 3), IMAGE, rng=1)
        images = np.random.default_rng(0).normal(size=(examples, *IMAGE[1:]))
        flat = evaluated(layer, images.reshape(examples, 2 * 9 * 8))
        np.testing.assert_array_equal(flat, evaluated(layer, images))
        assert flat.shape == (examples, *layer.output_shape)

    def test_a_known_batch_stays_known(self):
        x = TensorType("float64", (10, 784))("x")
        conv = ConvPoolLayer((20, 1, 5, 5), (10, 1, 28, 28))
        assert conv.output(x).static_shape == (10, 20, 12, 12)
        assert conv.output(x).flatten(2).static_shape == (10, 2880)

    def test_initial_parameters(self, each_float):
        layer = ConvPoolLayer((40, 30, 5, 5), (10, 30, 28, 28), poolsize=(2, 2), rng=3)
        w, b = layer.w.get_value(), layer.b.get_value()
        assert w.dtype == b.dtype == each_float
        n_out = 40 * 25 / 4
        # The standard error of a variance of n normal numbers is sqrt(2 / n) of it.
        assert w.var() == pytest.approx(1 / n_out, rel=5 * np.sqrt(2 / w.size))
        assert b.var() == pytest.approx(1, rel=5 * np.sqrt(2 / b.size))
        assert abs(w.mean()) < 5 * np.sqrt(1 / n_out / w.size)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (((4, 3, 3, 3), IMAGE), r"number of channels"),
            (((4, 2, 10, 3), IMAGE), r"do not fit into the image"),
            (((4, 2, 8, 3), IMAGE, (3, 1)), r"do not fit into the image"),
            (((4, 2, 3), IMAGE), r"`filter_shape`[\s\S]*4 whole numbers"),
            (((4, 2, 3, 3), (3, 2, 9.0, 8)), r"`image_shape`"),
            (((4, 2, 3, 3), IMAGE, (0, 2)), r"`poolsize`"),
        ],
    )
    def test_shapes_that_do_not_fit(self, arguments, message):
        with pytest.raises(ShapeError, match=message) as caught:
            ConvPoolLayer(*arguments)
        assert "test_layer.py" in str(caught.value)  # the line of the user's


class TestDense:
    def test_fully_connected_output(self, each_float):
        layer = FullyConnectedLayer(6, 4, p_dropout=0.25, rng=2)
        x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(each_float)
        w, b = layer.w.get_value(), layer.b.get_value()
        got = evaluated(layer, x)
        assert got.dtype == each_float
        np.testing.assert_allclose(got, expit(0.75 * x.reshape(5, 6) @ w + b), rtol=1e-6)

    def test_softmax_output(self, each_float):
        layer = SoftmaxLayer(6, 4, p_dropout=0.5)
        random = np.random.default_rng(0)
        layer.w.set_value(random.normal(size=(6, 4)).astype(each_float))
        x = random.normal(size=(5, 6)).astype(each_float)
        np.testing.assert_allclose(
            evaluated(layer, x), scipy_softmax(0.5 * x @ layer.w.get_value(), axis=1), rtol=1e-6
        )

    def test_initial_parameters(self):
        layer = FullyConnected(400, 100, rng=2)
        w, b = layer.w.get_value(), layer.b.get_value()
        assert w.var() == pytest.approx(1 / 100, rel=5 * np.sqrt(2 / w.size))
        assert b.var() == pytest.approx(1, rel=5 * np.sqrt(2 / b.size))
        last = SoftmaxLayer(100, 10)
        assert not last.w.get_value().any()
        assert not last.b.get_value().any()

    def test_dropout_in_training(self):
        layer = FullyConnectedLayer(1000, 50, linear, p_dropout=0.3, rng=2)
        layer.w.set_value(np.eye(1000, 50))
        layer.b.set_value(np.zeros(50))
        x = TensorType("float64", (None, 1000))("x")
        learn = function([x], layer.output(x, training=Training(RandomStreams(4))), mode="reference")
        first, second = learn(np.ones((400, 1000))), learn(np.ones((400, 1000)))
        # The weights pick the first 50 inputs, so the mask itself is seen.
        assert set(np.unique(first)) == {0.0, 1.0}
        assert first.mean() == pytest.approx(0.7, abs=5 * np.sqrt(0.21 / first.size))
        assert (first != second).any()

    def test_no_dropout_is_the_prediction(self):
        layer = FullyConnectedLayer(6, 4, rng=2)
        x = TensorType("float64", (None, 6))("x")
        value = np.random.default_rng(0).normal(size=(5, 6))
        both = function(
            [x], [layer.output(x), layer.output(x, training=Training(RandomStreams(4)))], mode="reference"
        )
        np.testing.assert_array_equal(*both(value))

    @pytest.mark.parametrize("kind", [FullyConnectedLayer, SoftmaxLayer])
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"n_in": 0, "n_out": 10}, ShapeError, "`n_in`"),
            ({"n_in": 10, "n_out": 2.5}, ShapeError, "`n_out`"),
            ({"n_in": 10, "n_out": 10, "p_dropout": 1.0}, InputError, "`p_dropout`"),
            ({"n_in": 10, "n_out": 10, "p_dropout": -0.1}, InputError, "`p_dropout`"),
        ],
    )
    def test_numbers_out_of_range(self, kind, arguments, error, message):
        with pytest.raises(error, match=message):
            kind(**arguments)


class TestSeeds:
    def test_the_same_seed_gives_the_same_numbers(self):
        one, other = (FullyConnectedLayer(6, 4, rng=7).w.get_value() for _ in range(2))
        np.testing.assert_array_equal(one, other)

    def test_layers_share_a_generator(self):
        random = np.random.default_rng(7)
        one, other = (FullyConnectedLayer(6, 4, rng=random).w.get_value() for _ in range(2))
        assert (one != other).all()

    def test_by_default_layers_differ_and_programs_repeat(self):
        program = (
            "from arignote.layers import FullyConnectedLayer as F\n"
            "print(*(F(2, 2).w.get_value().tobytes().hex() for _ in range(3)))"
        )
        runs = [
            subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
        assert runs[0] == runs[1]
        assert len(set(runs[0].split())) == 3
