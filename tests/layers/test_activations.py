"""Activations, next to PyTorch, SciPy and NumPy."""

import numpy as np
import pytest
from scipy import special

from arignote import function
from arignote.engine.grad import grad
from arignote.engine.ops import sum
from arignote.engine.types import TensorType
from arignote.layers.activations import ACTIVATIONS

SELU = (1.6732632423543772, 1.0507009873554805)  # alpha and scale in arXiv:1706.02515

MEANINGS = {
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "gelu": lambda z: z * special.ndtr(z),
    "hard_sigmoid": lambda z: np.clip(z / 5 + 0.5, 0, 1),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "selu": lambda z: SELU[1] * np.where(z > 0, z, SELU[0] * np.expm1(z)),
    "sigmoid": special.expit,
    "silu": lambda z: z * special.expit(z),
    "softmax": lambda z: special.softmax(z, axis=-1),
    "softplus": lambda z: np.logaddexp(z, 0),
    "tanh": np.tanh,
}


def test_all_have_a_meaning_here():
    assert MEANINGS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", MEANINGS)
def test_by_definition(name, each_float):
    z = TensorType(each_float, (None, None, 4))("z")
    value = np.random.default_rng(0).normal(scale=3, size=(3, 2, 4)).astype(each_float)
    got = function([z], ACTIVATIONS[name](z))(value)
    assert got.dtype == each_float
    expected = MEANINGS[name](value.astype("float64"))
    np.testing.assert_allclose(got, expected, rtol=1e-13 if each_float == "float64" else 2e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(MEANINGS.keys() - {"hard_sigmoid", "linear"}))
def test_gradients_as_torch(torch, name):
    z = TensorType("float64", (None, None))("z")
    value = np.random.default_rng(0).normal(scale=3, size=(3, 4))
    weights = np.random.default_rng(1).normal(size=(3, 4))
    got = function([z], grad(sum(ACTIVATIONS[name](z) * weights), z), mode="reference")(value)
    theirs = torch.tensor(value, requires_grad=True)
    arguments = {"dim": -1} if name == "softmax" else {}
    (getattr(torch.nn.functional, name)(theirs, **arguments) * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(got, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
