"""Embeddings, next to PyTorch and NumPy."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.types import TensorType
from arignote.layers import Embedding


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
@pytest.mark.parametrize("examples", [0, 1, 4])
def test_rows(evaluate, dtype, shape, examples):
    layer = Embedding(10, 3).build(shape, rng=0)
    x = np.random.default_rng(0).integers(0, 10, size=(examples, *shape)).astype(dtype)
    np.testing.assert_array_equal(evaluate(layer, x).output, layer.w.get_value()[x])


def test_gradients_as_torch(torch, evaluate):
    layer = Embedding(6, 3).build((5,), rng=0)
    x = np.random.default_rng(0).integers(0, 5, size=(4, 5))  # some twice, the last never
    ours = evaluate(layer, x)
    w = torch.tensor(layer.w.get_value(), requires_grad=True)
    expected = torch.nn.functional.embedding(torch.from_numpy(x), w)
    (expected * torch.from_numpy(ours.projection)).sum().backward()
    np.testing.assert_allclose(ours.gradients()["w"], w.grad.numpy(), rtol=1e-12)


def test_numbers_out_of_range():
    layer = Embedding(10, 3).build((2,))
    x = TensorType("int64", (None, 2))("x")
    with pytest.raises(GraphError, match="10"):
        function([x], layer.output(x))(np.array([[3, 10]]))


def test_floats_are_refused():
    with pytest.raises(DTypeError, match=r"integer dtype[\s\S]*float64"):
        Embedding(10, 3).build((2,)).output(TensorType("float64", (None, 2))("x"))


@pytest.mark.parametrize("arguments", [(0, 3), (10, 0)])
def test_sizes_that_are_none(arguments):
    with pytest.raises(ShapeError, match="Embedding: argument"):
        Embedding(*arguments)
