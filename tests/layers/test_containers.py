"""Layers made of layers."""

import numpy as np
import pytest

from arignote.engine.errors import DTypeError, ShapeError
from arignote.layers import (
    Add,
    Branches,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool2D,
    Residual,
    Sequential,
    Training,
    relu,
)

IMAGES = np.random.default_rng(5).normal(size=(3, 2, 8, 8))


class TestSequential:
    def test_as_torch(self, torch, same_as_torch):
        layer = Sequential([Conv2D(3, 3), MaxPool2D(2), Flatten()], (2, 8, 8))
        module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.MaxPool2d(2), torch.nn.Flatten())
        same_as_torch(layer, module, 3, weights={"0.w": "0.weight", "0.b": "0.bias"})

    @pytest.mark.parametrize("examples", [0, 1, 3])
    def test_any_number_of_examples(self, evaluate, examples):
        layer = Sequential([Conv2D(3, 3), Sequential([MaxPool2D(2), Dense(4, relu)])], (2, 8, 8), rng=0)
        got = evaluate(layer, IMAGES[:examples]).output
        np.testing.assert_allclose(got, evaluate(layer, IMAGES).output[:examples], rtol=1e-12)

    def test_it_is_built_with_what_contains_it(self):
        inner = Sequential([Dense(4)])
        assert not inner.is_built
        Sequential([Flatten(), inner], (2, 3))
        assert inner.input_shape == (6,)

    def test_the_seed_decides_all_parameters(self):
        networks = [Sequential([Dense(4), Dense(3)], (5,), rng=7) for _ in range(2)]
        for one, other in zip(*(network.params for network in networks), strict=True):
            np.testing.assert_array_equal(one.get_value(), other.get_value())

    def test_training_reaches_the_layers_within(self, evaluate):
        layer = Sequential([Sequential([Dropout(0.5)])], (50,))
        assert set(np.unique(evaluate(layer, np.ones((4, 50)), training=Training()).output)) == {0, 2}

    def test_none_is_the_identity(self, evaluate):
        layer = Sequential([], (2, 8, 8))
        assert layer.output_shape == (2, 8, 8)
        np.testing.assert_array_equal(evaluate(layer, IMAGES).output, IMAGES)

    def test_it_is_a_sequence(self):
        layers = [Flatten(), Dense(4)]
        network = Sequential(layers)
        assert (len(network), network[1], list(network)) == (2, layers[1], layers)

    def test_names_of_parameters_tell_where_they_are(self):
        network = Sequential([Conv2D(3, 3), Residual(Conv2D(3, 1))], (2, 8, 8))
        assert list(network.parameters) == ["0.w", "0.b", "1.body.w", "1.body.b"]
        assert [w.get_value().ndim for w in network.weights] == [4, 4]

    def test_what_does_not_fit_names_its_place(self):
        with pytest.raises(ShapeError, match=r"3 axes, channels first[\s\S]*\(5,\)") as caught:
            Sequential([Flatten(), Sequential([Dense(5), Conv2D(3, 3)])], (2, 8, 8))
        inner, outer = caught.value.__notes__
        assert inner.startswith("in layer 1, Conv2D(")
        assert inner.endswith("which is given (5,)")
        assert outer.startswith("in layer 1, Sequential(")

    def test_a_second_shape_of_examples(self):
        network = Sequential([Dense(4)], (5,))
        assert network.build((5,)) is network
        with pytest.raises(ShapeError, match=r"built already[\s\S]*\(5,\)[\s\S]*\(6,\)"):
            network.build((6,))

    def test_what_is_no_layer(self):
        with pytest.raises(DTypeError, match=r"Sequential: argument `layers`[\s\S]*at place 1"):
            Sequential([Dense(4), relu])


class TestResidual:
    def test_by_definition(self, evaluate):
        body, shortcut = Conv2D(3, 3, padding="half"), Conv2D(3, 1, bias=False)
        layer = Residual(body, shortcut).build((2, 8, 8), rng=0)
        expected = evaluate(body, IMAGES).output + evaluate(shortcut, IMAGES).output
        np.testing.assert_allclose(evaluate(layer, IMAGES).output, expected, rtol=1e-12)

    def test_around_the_input_itself(self, evaluate):
        body = Conv2D(2, 3, padding="half")
        layer = Residual(body).build((2, 8, 8), rng=0)
        expected = evaluate(body, IMAGES).output + IMAGES
        np.testing.assert_allclose(evaluate(layer, IMAGES).output, expected, rtol=1e-12)

    @pytest.mark.parametrize("shortcut", [None, Conv2D(3, 1, stride=2)])
    def test_shapes_that_differ(self, shortcut):
        with pytest.raises(ShapeError, match=r"Residual[\s\S]*fix: .*a Conv2D of size 1"):
            Residual(Conv2D(3, 3, padding="half"), shortcut).build((2, 8, 8))


class TestBranches:
    @pytest.mark.parametrize("axis", [0, -3])
    def test_side_by_side(self, evaluate, axis):
        layers = [Conv2D(count, size, padding="half") for count, size in ((1, 1), (2, 3), (3, 5))]
        layer = Branches(layers, Concatenate(axis)).build((2, 8, 8), rng=0)
        assert layer.output_shape == (6, 8, 8)
        expected = np.concatenate([evaluate(each, IMAGES).output for each in layers], axis=1)
        np.testing.assert_allclose(evaluate(layer, IMAGES).output, expected, rtol=1e-12)

    def test_another_way_to_merge(self, evaluate):
        layers = [Sequential([GlobalAveragePool(), Dense(3)]), Dense(3)]
        layer = Branches(layers, Add()).build((2, 8, 8), rng=0)
        expected = sum(evaluate(each, IMAGES).output for each in layers)
        np.testing.assert_allclose(evaluate(layer, IMAGES).output, expected, rtol=1e-12)

    def test_what_cannot_be_merged(self):
        with pytest.raises(ShapeError, match=r"differ along axis 0 only[\s\S]*\(1, 8, 8\) and \(1, 6, 6\)"):
            Branches([Conv2D(1, 1), Conv2D(1, 3)]).build((2, 8, 8))
        with pytest.raises(ShapeError, match="inputs of one shape"):
            Branches([Conv2D(1, 1), Conv2D(1, 3)], Add()).build((2, 8, 8))
        with pytest.raises(DTypeError, match="Branches: argument `layers`"):
            Branches([relu])


@pytest.mark.parametrize("axis", [3, -4, 0.5])
def test_axes_that_there_are_not(axis):
    with pytest.raises(ShapeError, match=r"`axis`[\s\S]*from -3 to 2"):
        Concatenate(axis).build((2, 8, 8), (2, 8, 8))


def test_a_layer_that_is_applied_twice_has_its_parameters_once(evaluate):
    twice = Dense(4)
    network = Sequential([twice, twice], (4,), rng=0)
    assert list(network.parameters) == ["0.w", "0.b"]
    x = np.random.default_rng(0).normal(size=(3, 4))
    w = twice.w.get_value()
    ours = evaluate(network, x)
    np.testing.assert_allclose(ours.output, x @ w @ w, rtol=1e-12)
    # d/dw of sum(p * (x w w)) = x' (p w') + (x w)' p
    expected = x.T @ (ours.projection @ w.T) + (x @ w).T @ ours.projection
    np.testing.assert_allclose(ours.gradients()["0.w"], expected, rtol=1e-10)
