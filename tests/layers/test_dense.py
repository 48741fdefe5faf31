"""Dense layers and what stands between them and images."""

import numpy as np
import pytest

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.ops import RandomStreams
from arignote.layers import Activate, Bias, Constant, Dense, Dropout, Flatten, Reshape, Training, tanh


def test_dense_as_torch(torch, same_as_torch):
    same_as_torch(
        Dense(3, tanh).build((5,)),
        torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Tanh()),
        4,
        weights={"w": "0.weight", "b": "0.bias"},
        transform=np.transpose,
    )


@pytest.mark.parametrize("examples", [0, 1, 4])
def test_dense_takes_examples_apart(evaluate, each_float, examples):
    layer = Dense(3, bias=False).build((2, 5), rng=0)
    x = np.random.default_rng(0).normal(size=(examples, 2, 5)).astype(each_float)
    got = evaluate(layer, x).output
    assert got.dtype == each_float
    np.testing.assert_allclose(got, x.reshape(examples, 10) @ layer.w.get_value(), rtol=1e-5)
    assert list(layer.parameters) == ["w"]


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2)])
def test_bias(evaluate, shape):
    layer = Bias(Constant(0.5)).build(shape)
    layer.b.set_value(np.arange(4.0))
    x = np.random.default_rng(0).normal(size=(3, *shape))
    expected = x + np.arange(4.0).reshape(4, *(1 for _ in shape[1:]))
    ours = evaluate(layer, x)
    np.testing.assert_allclose(ours.output, expected, rtol=1e-12)
    other_axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(ours.gradients()["b"], ours.projection.sum(other_axes), rtol=1e-12)


@pytest.mark.parametrize("examples", [0, 1, 4])
@pytest.mark.parametrize(
    ("layer", "meaning"),
    [
        (lambda: Flatten(), lambda x: x.reshape(len(x), 24)),
        (lambda: Reshape((4, 6)), lambda x: x.reshape(len(x), 4, 6)),
        (lambda: Activate(tanh), np.tanh),
    ],
)
def test_without_parameters(evaluate, examples, layer, meaning):
    x = np.random.default_rng(0).normal(size=(examples, 2, 3, 4))
    np.testing.assert_allclose(evaluate(layer().build((2, 3, 4)), x).output, meaning(x), rtol=1e-12)


class TestDropout:
    def test_what_is_kept_makes_up_for_the_rest(self, evaluate):
        layer = Dropout(0.2).build((50,))
        x = np.ones((400, 50))
        np.testing.assert_array_equal(evaluate(layer, x).output, x)
        got = evaluate(layer, x, training=Training(RandomStreams(1))).output
        assert set(np.unique(got)) == {0, 1.25}
        assert got.mean() == pytest.approx(1, abs=5 * np.sqrt(0.25 / x.size))

    def test_or_prediction_is_scaled(self, evaluate):
        layer = Dropout(0.2, inverted=False).build((50,))
        x = np.ones((4, 50))
        np.testing.assert_allclose(evaluate(layer, x).output, 0.8 * x)
        assert set(np.unique(evaluate(layer, x, training=Training(RandomStreams(1))).output)) == {0, 1}

    @pytest.mark.parametrize("p", [1, -0.1, "half"])
    def test_shares_that_are_none(self, p):
        with pytest.raises(InputError, match=r"Dropout: argument `p`[\s\S]*from 0 to less than 1"):
            Dropout(p)


def test_another_number_of_numbers():
    with pytest.raises(InputError, match=r"a shape of 24 numbers[\s\S]*\(5, 5\), of 25"):
        Reshape((5, 5)).build((2, 3, 4))


def test_units_that_are_none():
    with pytest.raises(ShapeError, match=r"Dense: argument `units`[\s\S]*a whole number of at least 1"):
        Dense(2.5)
