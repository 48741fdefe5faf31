"""Embeddings, next to PyTorch and NumPy."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.types import TensorType
from arignote.layers import SGD, Dense, Embedding, Sequential, Trainer, accuracy, cross_entropy


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


class TestNetworks:
    """Networks of words: the inputs of a network with an embedding at its beginning are whole numbers."""

    def network(self):
        return Sequential([Embedding(5, 4), Dense(2)], input_shape=(3,), rng=0)

    def test_it_learns_which_word_is_there(self):
        words = np.random.default_rng(0).integers(0, 5, (200, 3))
        labels = (words == 4).any(axis=1).astype(np.int32)
        trainer = Trainer(self.network(), cross_entropy, SGD(0.5), metrics=[accuracy])
        history = trainer.fit((words, labels), epochs=20, batch_size=20, validation=(words, labels))
        assert history["validation_accuracy"][-1] > 0.97

    def test_predictions_are_of_the_rows(self):
        network = self.network()
        words = np.array([[0, 4, 2], [1, 1, 3]])
        rows = network[0].w.get_value()[words].reshape(2, 12)
        expected = rows @ network[1].w.get_value() + network[1].b.get_value()
        np.testing.assert_allclose(network.predict(words), expected, rtol=1e-12)

    @pytest.mark.parametrize(
        "use",
        [
            lambda network, words: network.predict(words),
            lambda network, words: Trainer(network, cross_entropy, SGD(0.1)).step(words, [1]),
        ],
    )
    def test_fractions_are_refused(self, use):
        with pytest.raises(DTypeError, match="whole numbers"):
            use(self.network(), np.array([[0.0, 4.5, 2.0]]))
