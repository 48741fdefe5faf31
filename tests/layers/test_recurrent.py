"""Recurrent layers, next to PyTorch."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import ShapeError
from arignote.engine.ops import mean, sqr
from arignote.engine.types import TensorType
from arignote.layers import GRU, LSTM, RNN, SGD, Branches, Concatenate, Dense, Sequential, relu

KINDS = [RNN, LSTM, GRU]


def filled(layer, seed=0):
    random = np.random.default_rng(seed)
    for parameter in layer.parameters.values():
        parameter.variable.set_value(random.normal(size=parameter.variable.get_value().shape))
    return layer


def give(torch, layer, module, suffix=""):
    """Give a module of PyTorch's the parameters of a layer."""
    units, values = layer.units, {name: each.variable.get_value() for name, each in layer.parameters.items()}
    second = np.zeros(len(values["b"]))
    if "d" in values:
        second[2 * units :] = values["d"]
    given = {
        "weight_ih": values["w"].T,
        "weight_hh": values["u"].T,
        "bias_ih": values["b"],
        "bias_hh": second,
    }
    with torch.no_grad():
        for name, value in given.items():
            getattr(module, f"{name}_l0{suffix}").copy_(torch.from_numpy(np.ascontiguousarray(value)))


@pytest.mark.parametrize("kind", KINDS)
class TestAsTorch:
    @pytest.mark.parametrize("mode", ["reference", "compiled"])
    @pytest.mark.parametrize("return_sequences", [False, True])
    def test_states_and_gradients(self, torch, evaluate, kind, return_sequences, mode):
        layer = filled(kind(4, return_sequences).build((5, 3)))
        module = getattr(torch.nn, kind.__name__)(3, 4, batch_first=True).double()
        give(torch, layer, module)
        x = np.random.default_rng(1).normal(size=(2, 5, 3))
        given = torch.tensor(x, requires_grad=True)
        expected = module(given)[0] if return_sequences else module(given)[0][:, -1]
        ours = evaluate(layer, x, mode=mode)
        np.testing.assert_allclose(ours.output, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
        (expected * torch.from_numpy(ours.projection)).sum().backward()
        gradients = ours.gradients()
        close = {"rtol": 1e-8, "atol": 1e-11}
        np.testing.assert_allclose(gradients[0], given.grad.numpy(), **close)
        np.testing.assert_allclose(gradients["w"], module.weight_ih_l0.grad.numpy().T, **close)
        np.testing.assert_allclose(gradients["u"], module.weight_hh_l0.grad.numpy().T, **close)
        np.testing.assert_allclose(gradients["b"], module.bias_ih_l0.grad.numpy(), **close)
        if "d" in gradients:
            np.testing.assert_allclose(gradients["d"], module.bias_hh_l0.grad.numpy()[8:], **close)

    def test_both_ways(self, torch, evaluate, kind):
        there, back = kind(4, True), kind(4, True, backwards=True)
        layer = Branches([there, back], Concatenate(axis=-1)).build((5, 3))
        module = getattr(torch.nn, kind.__name__)(3, 4, batch_first=True, bidirectional=True).double()
        give(torch, filled(there, 1), module)
        give(torch, filled(back, 2), module, "_reverse")
        x = np.random.default_rng(1).normal(size=(2, 5, 3))
        expected = module(torch.from_numpy(x))[0].detach().numpy()
        np.testing.assert_allclose(evaluate(layer, x).output, expected, rtol=1e-10, atol=1e-12)


def test_another_activation(evaluate):
    layer = filled(RNN(4, activation=relu).build((3, 2)))
    w, u, b = (each.variable.get_value() for each in layer.parameters.values())
    x = np.random.default_rng(1).normal(size=(2, 3, 2))
    h = np.zeros((2, 4))
    for step in range(3):
        h = np.maximum(x[:, step] @ w + h @ u + b, 0)
    np.testing.assert_allclose(evaluate(layer, x).output, h, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("examples", [0, 1, 3])
def test_any_number_of_examples(evaluate, each_float, kind, examples):
    layer = kind(4).build((5, 3), rng=0)
    x = np.random.default_rng(1).normal(size=(3, 5, 3)).astype(each_float)
    got = evaluate(layer, x[:examples]).output
    assert got.dtype == each_float
    np.testing.assert_allclose(got, evaluate(layer, x).output[:examples], rtol=1e-5)


def test_recurrent_weights_begin_orthogonal():
    u = LSTM(6).build((5, 3), rng=0).u.get_value()
    for gate in range(4):
        part = u[:, 6 * gate : 6 * (gate + 1)]
        np.testing.assert_allclose(part.T @ part, np.eye(6), atol=1e-12)


def test_it_learns_what_came_first():
    network = Sequential([GRU(8), Dense(1)], (6, 1), rng=0)
    x = TensorType("float64", (None, 6, 1))("x")
    cost = mean(sqr(network.output(x)[:, 0] - x[:, 0, 0]))
    step = function([x], cost, updates=SGD(0.3).updates(cost, network.params))
    values = np.random.default_rng(0).uniform(-1, 1, size=(64, 6, 1))
    costs = [step(values) for _ in range(400)]
    assert costs[-1] < 0.1 * costs[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit(kind):
    with pytest.raises(ShapeError, match=r"\(steps, features\)[\s\S]*\(7,\)"):
        kind(4).build((7,))
    with pytest.raises(ShapeError, match=f"{kind.__name__}: argument `units`"):
        kind(0)
