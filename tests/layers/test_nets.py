"""Well-known networks: their sizes as published, and their outputs next to PyTorch."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import InputError
from arignote.engine.grad import grad
from arignote.engine.ops import mean, sqr
from arignote.engine.types import TensorType
from arignote.layers import SGD, Training, lenet, resnet


def size(network):
    return sum(w.get_value().size for w in network.params)


def test_lenet():
    # As counted of LeNet-5 with full connections: 156 + 2,416 + 48,120 + 10,164 + 850.
    assert size(lenet()) == 61_706
    assert lenet((3, 40, 36), classes=7).output_shape == (7,)


@pytest.mark.parametrize(
    ("depth", "millions"),
    [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)],  # table 6 of the paper
)
def test_resnet_has_the_published_size(depth, millions):
    network = resnet(depth=depth)
    projections = sum(w.get_value().size for w in network.weights if w.get_value().shape[2:] == (1, 1))
    normalisations = 2 * (32 + 64)
    assert round((size(network) - projections - normalisations) / 1e6, 2) == millions


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 6)])
def test_resnet_takes_any_images(shape):
    network = resnet(shape, classes=4, depth=8, width=2, rng=0)
    x = TensorType("float64", (None, *shape))("x")
    predict = function([x], network.output(x), mode="reference")
    for examples in (0, 1, 2):
        assert predict(np.zeros((examples, *shape))).shape == (examples, 4)


def training_step(mode):
    """Return a step of a small residual network that learns 16 numbers by heart."""
    network = resnet((1, 8, 8), classes=2, depth=8, width=2, rng=0)
    x, y = TensorType("float64", (None, 1, 8, 8))("x"), TensorType("float64", (None, 2))("y")
    training = Training()
    cost = mean(sqr(network.output(x, training=training) - y))
    updates = [*SGD(0.05).updates(cost, network.params), *training.updates.items()]
    step = function([x, y], cost, updates=updates, mode=mode)
    random = np.random.default_rng(0)
    images, targets = random.normal(size=(16, 1, 8, 8)), random.normal(size=(16, 2))
    return network, lambda: step(images, targets)


def test_resnet_learns():
    _, step = training_step("reference")
    costs = [step() for _ in range(40)]
    assert costs[-1] < 0.2 * costs[0]


def test_the_gradient_of_a_whole_network():
    """By a finite difference along a random direction, with the statistics of the batch in it."""
    network = resnet((1, 8, 8), classes=2, depth=8, width=1, rng=0)
    x = TensorType("float64", (None, 1, 8, 8))("x")
    random = np.random.default_rng(0)
    weights, images = random.normal(size=(4, 2)), random.normal(size=(4, 1, 8, 8))
    cost = mean(network.output(x, training=Training()) * weights)
    value = function([x], cost, mode="reference")
    gradients = function([x], grad(cost, network.params), mode="reference")(images)
    starts = [w.get_value() for w in network.params]
    directions = [random.normal(size=start.shape) for start in starts]

    def along(step):
        for w, start, direction in zip(network.params, starts, directions, strict=True):
            w.set_value(start + step * direction)
        return value(images)

    expected = (along(1e-6) - along(-1e-6)) / 2e-6
    slope = sum(np.vdot(g, d) for g, d in zip(gradients, directions, strict=True))
    assert slope == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow  # builds forty kernels
def test_compiled_steps_of_resnet_equal_those_in_numpy():
    (one, by_numpy), (other, compiled) = training_step("reference"), training_step("compiled")
    for _ in range(3):
        np.testing.assert_allclose(compiled(), by_numpy(), rtol=1e-9)
    for name, parameter in one.parameters.items():
        np.testing.assert_allclose(
            other.parameters[name].variable.get_value(), parameter.variable.get_value(), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_depths_that_make_no_stages(depth):
    with pytest.raises(InputError, match=r"6 n \+ 2"):
        resnet(depth=depth)
