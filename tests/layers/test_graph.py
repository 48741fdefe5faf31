"""The functional form."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.types import TensorType
from arignote.layers import (
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    GlobalAveragePool,
    Graph,
    Input,
    Sequential,
    Training,
    relu,
)


def test_a_chain_is_a_sequence(evaluate):
    image = Input((2, 8, 8))
    graph = Graph(image, Dense(3)(GlobalAveragePool()(Conv2D(4, 3, activation=relu)(image))), rng=1)
    chain = Sequential([Conv2D(4, 3, activation=relu), GlobalAveragePool(), Dense(3)], (2, 8, 8), rng=1)
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 8))
    np.testing.assert_array_equal(evaluate(graph, x).output, evaluate(chain, x).output)
    assert list(graph.parameters) == list(chain.parameters)


@pytest.mark.parametrize("examples", [0, 1, 3])
def test_two_inputs_and_a_sum(evaluate, examples):
    left, right = Input(4), Input((2, 3))
    first, second, last = Dense(5, relu), Dense(5), Dense(2)
    a, b = first(left), second(right)
    network = Graph([left, right], last(Concatenate()(a + b, a)), rng=0)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(3, 4))[:examples], random.normal(size=(3, 2, 3))[:examples]
    w = [layer.w.get_value() for layer in (first, second, last)]
    ours = np.maximum(x @ w[0], 0)
    expected = np.concatenate([ours + y.reshape(examples, 6) @ w[1], ours], axis=1) @ w[2]
    np.testing.assert_allclose(evaluate(network, x, y).output, expected, rtol=1e-12)


def test_a_layer_that_is_applied_twice_has_its_parameters_once(evaluate):
    left, right, shared = Input(4), Input(4), Dense(3)
    network = Graph([left, right], shared(left) + shared(right), rng=0)
    assert len(network.params) == 2
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 5, 4))
    ours = evaluate(network, x, y)
    np.testing.assert_allclose(ours.output, (x + y) @ shared.w.get_value(), rtol=1e-12)
    np.testing.assert_allclose(ours.gradients()["0.w"], (x + y).T @ ours.projection, rtol=1e-12)


def test_it_is_a_layer_in_others(evaluate):
    image = Input((2, 8, 8))
    inner = Graph(image, Conv2D(2, 3, padding="half")(image) + image, rng=0)
    network = Sequential([inner, Dense(3)], (2, 8, 8), rng=1)
    assert list(network.parameters) == ["0.0.w", "0.0.b", "1.w", "1.b"]
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 8))
    expected = evaluate(inner, x).output.reshape(3, -1) @ network[1].w.get_value()
    np.testing.assert_allclose(evaluate(network, x).output, expected, rtol=1e-12)


def test_training_reaches_the_layers():
    row = Input(50)
    network = Graph(row, Dropout(0.5)(row))
    x = TensorType("float64", (None, 50))("x")
    got = function([x], network.output(x, training=Training()), mode="reference")(np.ones((4, 50)))
    assert set(np.unique(got)) == {0, 2}


def test_a_layer_may_be_applied_to_an_expression():
    layer = Dense(3).build((4,), rng=0)
    x = TensorType("float64", (None, 4))("x")
    value = np.random.default_rng(0).normal(size=(2, 4))
    got = function([x], layer(x), mode="reference")(value)
    np.testing.assert_allclose(got, value @ layer.w.get_value(), rtol=1e-12)


def test_a_deep_network_is_put_in_order_without_recursion():
    node = image = Input(1)
    add = Dense(1)
    for _ in range(3000):
        node = add(node)
    assert len(Graph(image, node).nodes) == 3000


def test_an_input_that_is_missing():
    left, right = Input(4), Input(4)
    with pytest.raises(DTypeError, match=r"every Input that the output depends on[\s\S]*Input\(\(4,\)\)"):
        Graph(left, Dense(3)(left) + Dense(3)(right))


def test_what_does_not_fit_is_told_where_it_is_applied():
    row = Input(4)
    with pytest.raises(ShapeError, match="channels first") as caught:
        Conv2D(3, 3)(row)
    assert caught.value.__notes__[0].endswith("which is given (4,)")
    with pytest.raises(ShapeError, match=r"Input: argument `shape`"):
        Input((4, 0))


def test_another_shape_of_examples():
    row = Input(4)
    with pytest.raises(ShapeError, match=r"\(4,\)[\s\S]*\(5,\)"):
        Graph(row, Dense(3)(row)).build((5,))
