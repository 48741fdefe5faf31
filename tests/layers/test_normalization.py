"""Normalisation, next to PyTorch and to the definitions in NumPy."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.ops import sum
from arignote.engine.types import TensorType
from arignote.layers import BatchNorm, LayerNorm, LocalResponseNorm, Training

TORCH = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


class TestBatchNorm:
    @pytest.mark.parametrize("shape", [(7,), (3, 9), (3, 4, 5), (2, 3, 4, 2)])
    @pytest.mark.parametrize("learning", [False, True])
    def test_as_torch(self, torch, same_as_torch, shape, learning):
        kind = [torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d][
            len(shape) - 1
        ]
        layer, module = BatchNorm(0.3).build(shape), kind(shape[0], momentum=0.3)
        same_as_torch(layer, module, 6, weights=TORCH, training=Training() if learning else None)
        # Running statistics have moved by now in training, and else stayed.
        for name in ("mean", "variance"):
            np.testing.assert_allclose(
                layer.parameters[name].variable.get_value(),
                module.state_dict()[TORCH[name]].numpy(),
                rtol=1e-12,
            )

    @pytest.mark.parametrize("learning", [False, True])
    def test_by_definition(self, evaluate, each_float, learning):
        layer = BatchNorm(epsilon=0.01).build((3, 4, 5))
        random = np.random.default_rng(0)
        values = {name: random.uniform(0.5, 2, size=3).astype(each_float) for name in layer.parameters}
        for name, value in values.items():
            layer.parameters[name].variable.set_value(value)
        x = random.normal(size=(6, 3, 4, 5)).astype(each_float)
        over = (0, 2, 3)
        mean, variance = (x.mean(over), x.var(over)) if learning else (values["mean"], values["variance"])
        column = (slice(None), None, None)
        expected = (x - mean[column]) / np.sqrt(variance[column] + 0.01) * values["gamma"][column] + values[
            "beta"
        ][column]
        got = evaluate(layer, x, training=Training() if learning else None).output
        assert got.dtype == each_float
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)

    def test_running_statistics_become_those_of_the_data(self):
        layer = BatchNorm().build((2,))
        x = TensorType("float64", (None, 2))("x")
        training = Training()
        step = function([x], layer.output(x, training=training), updates=training.updates)
        random = np.random.default_rng(0)
        for _ in range(200):
            step(random.normal([3.0, -1.0], [2.0, 0.5], size=(50, 2)))
        # Over about 1 / momentum batches of 50 the mean has the standard error std / sqrt(500 * (2 - 0.1)).
        np.testing.assert_allclose(layer.mean.get_value(), [3, -1], atol=5 * 2 / np.sqrt(500))
        np.testing.assert_allclose(layer.variance.get_value(), [4, 0.25], rtol=5 * np.sqrt(2 / 500))

    @pytest.mark.parametrize("examples", [0, 1])
    def test_batches_that_have_no_variance(self, examples):
        layer = BatchNorm().build((3,))
        x = TensorType("float64", (None, 3))("x")
        training = Training()
        step = function([x], layer.output(x, training=training), updates=training.updates)
        np.testing.assert_array_equal(step(np.full((examples, 3), 7.0)), np.zeros((examples, 3)))
        np.testing.assert_array_equal(layer.mean.get_value(), np.zeros(3))
        np.testing.assert_array_equal(layer.variance.get_value(), np.ones(3))

    def test_applied_twice_it_sees_two_batches(self):
        layer = BatchNorm(0.5).build((1,))
        x = TensorType("float64", (None, 1))("x")
        training = Training()
        first = layer.output(x, training=training)
        second = layer.output(x + 4, training=training)
        function([x], [first, second], updates=training.updates, mode="reference")(np.array([[0.0], [2.0]]))
        # 0 -> (0 + 1) / 2 -> (0.5 + 5) / 2, and 1 -> (1 + 2) / 2 -> (1.5 + 2) / 2
        np.testing.assert_allclose(layer.mean.get_value(), [2.75])
        np.testing.assert_allclose(layer.variance.get_value(), [1.75])

    def test_without_scale_and_shift(self, torch, same_as_torch):
        layer = BatchNorm(affine=False).build((3, 4, 4))
        assert layer.params == []
        same_as_torch(layer, torch.nn.BatchNorm2d(3, affine=False), 2, weights=TORCH, training=Training())

    @pytest.mark.parametrize(
        ("arguments", "message"), [({"momentum": -1}, "`momentum`"), ({"epsilon": 0}, "`epsilon`")]
    )
    def test_numbers_out_of_range(self, arguments, message):
        with pytest.raises(InputError, match=message):
            BatchNorm(**arguments)


class TestLayerNorm:
    @pytest.mark.parametrize(("shape", "axes"), [((7,), -1), ((4, 6), 1), ((3, 4, 5), (0, 1, 2))])
    def test_as_torch(self, torch, same_as_torch, shape, axes):
        layer = LayerNorm(axes).build(shape)
        same_as_torch(layer, torch.nn.LayerNorm(layer.gamma.get_value().shape), 6, weights=TORCH)

    def test_by_definition_over_channels(self, evaluate):
        layer = LayerNorm(0, epsilon=0.1).build((3, 4, 5))
        layer.gamma.set_value(np.array([1.0, 2, 3]))
        x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
        centred = x - x.mean(1, keepdims=True)
        expected = centred / np.sqrt(x.var(1, keepdims=True) + 0.1) * np.array([1.0, 2, 3])[:, None, None]
        np.testing.assert_allclose(evaluate(layer, x).output, expected, rtol=1e-12)

    @pytest.mark.parametrize("axes", [3, (0, -4), (), "all"])
    def test_axes_that_there_are_not(self, axes):
        with pytest.raises(ShapeError, match=r"`axes`[\s\S]*from -3 to 2"):
            LayerNorm(axes).build((3, 4, 5))


@pytest.mark.parametrize("arguments", [{"n": 4}, {"n": 0}, {"alpha": None}])
def test_local_response_of_numbers_that_do_not_fit(arguments):
    with pytest.raises(InputError, match=f"LocalResponseNorm: argument `{next(iter(arguments))}`"):
        LocalResponseNorm(**arguments)


@pytest.mark.parametrize("layer", [BatchNorm(), LocalResponseNorm()])
def test_examples_without_channels(layer):
    with pytest.raises(ShapeError, match=r"channels first[\s\S]*shape \(\)"):
        layer.build(())


def test_local_response_as_torch(torch, evaluate):
    layer = LocalResponseNorm(5, k=2.0, alpha=0.1, beta=0.75).build((7, 3, 4))
    x = np.random.default_rng(0).normal(size=(2, 7, 3, 4))
    given = torch.tensor(x, requires_grad=True)
    expected = torch.nn.LocalResponseNorm(5, alpha=0.5, beta=0.75, k=2.0)(given)
    ours = evaluate(layer, x)
    np.testing.assert_allclose(ours.output, expected.detach().numpy(), rtol=1e-12)
    (expected * torch.from_numpy(ours.projection)).sum().backward()
    np.testing.assert_allclose(ours.gradients()[0], given.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_the_gradients_of_batch_statistics(evaluate):
    """By finite differences: the statistics depend on the examples too."""
    layer = BatchNorm().build((2,))
    x = np.random.default_rng(0).normal(size=(5, 2))
    v = TensorType("float64", (None, 2))("x")
    weights = np.random.default_rng(1).normal(size=(5, 2))
    cost = sum(layer.output(v, training=Training()) * weights)
    f = function([v], [cost, grad(cost, v)], mode="reference")
    numbers = [(f(x + step)[0] - f(x - step)[0]) / 2e-6 for step in 1e-6 * np.eye(10).reshape(10, 5, 2)]
    np.testing.assert_allclose(f(x)[1].ravel(), numbers, rtol=1e-6, atol=1e-8)
