import numpy as np
import pytest

from arignote import function
from arignote.engine.config import config
from arignote.engine.grad import grad
from arignote.engine.ops import sum
from arignote.engine.types import TensorType


@pytest.fixture(params=["float64", "float32"])
def each_float(request, monkeypatch):
    """Run the test with either value of `config.floatX`."""
    monkeypatch.setattr(config, "floatX", request.param)
    return request.param


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")


@pytest.fixture
def torch():
    """PyTorch; a test that compares with it is skipped where it is not installed."""
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


class Evaluated:
    """What a built layer makes of examples, and the gradients of a random projection of it."""

    def __init__(self, layer, *values, training=None, mode="reference"):
        inputs = [
            TensorType(str(value.dtype), (None, *shape))()
            for value, shape in zip(values, layer.input_shapes, strict=True)
        ]
        output = layer.output(*inputs, training=training)
        assert output.static_shape[1:] == layer.output_shape
        updates = training.updates if training else None
        self.output = function(inputs, output, updates=updates, mode=mode)(*values)
        self._inputs, self._expression, self._values, self._layer = inputs, output, values, layer
        self.projection = np.random.default_rng(9).normal(size=self.output.shape)
        self._mode = mode

    def gradients(self):
        """Return the gradients with respect to the inputs that are floats, and to the parameters, by name."""
        of = {place: x for place, x in enumerate(self._inputs) if x.type.is_float}
        of |= {name: each.variable for name, each in self._layer.parameters.items() if each.trained}
        gradients = grad(sum(self._expression * self.projection), list(of.values()))
        # That of a mean does not depend on the numbers.
        f = function(self._inputs, gradients, mode=self._mode, on_unused_input="ignore")
        return dict(zip(of, f(*self._values), strict=True))


@pytest.fixture
def evaluate():
    return Evaluated


@pytest.fixture
def same_as_torch(torch):
    """Compare a layer's output and gradients with those of a module that is given the same parameters."""

    def compare(layer, module, *shape, weights=None, training=None, transform=lambda value: value):
        module = module.double()
        names = weights or {}
        random = np.random.default_rng(3)
        with torch.no_grad():
            for name, parameter in layer.parameters.items():
                value = random.normal(size=parameter.variable.get_value().shape)
                value = np.abs(value) if not parameter.trained else value
                parameter.variable.set_value(value)
                theirs = dict(module.state_dict())[names.get(name, name)]
                theirs.copy_(torch.from_numpy(transform(value)))
        x = random.normal(size=(*shape[:1], *layer.input_shape))
        ours = Evaluated(layer, x, training=training)
        given = torch.tensor(x, requires_grad=True)
        module.train(training is not None)
        expected = module(given)
        np.testing.assert_allclose(ours.output, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
        (expected * torch.from_numpy(ours.projection)).sum().backward()
        gradients = ours.gradients()
        np.testing.assert_allclose(gradients.pop(0), given.grad.numpy(), rtol=1e-7, atol=1e-10)
        theirs = dict(module.named_parameters())
        for name, gradient in gradients.items():
            np.testing.assert_allclose(
                transform(gradient), theirs[names.get(name, name)].grad.numpy(), rtol=1e-7, atol=1e-10
            )

    return compare
