"""Any expression as a layer."""

import numpy as np
import pytest

from arignote import tensor as T
from arignote.engine.errors import ShapeError
from arignote.layers import Conv2D, Graph, Input, Lambda, Sequential


@pytest.mark.parametrize("examples", [0, 1, 3])
def test_an_expression(evaluate, examples):
    layer = Lambda(lambda x: T.concatenate([x, -x], axis=1).max(axis=2)).build((2, 5, 4))
    x = np.random.default_rng(0).normal(size=(examples, 2, 5, 4))
    ours = evaluate(layer, x)
    assert layer.output_shape == (4, 4)
    np.testing.assert_array_equal(ours.output, np.concatenate([x, -x], axis=1).max(axis=2))
    assert ours.gradients()[0].shape == x.shape


def test_of_two_inputs(evaluate):
    left, right = Input((2, 3)), Input((3,))
    network = Graph([left, right], Lambda(lambda x, y: x * y.dimshuffle(0, "x", 1))(left, right))
    x, y = np.ones((4, 2, 3)), np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(evaluate(network, x, y).output, x * y[:, None])


def test_within_a_network():
    network = Sequential([Conv2D(4, 3), Lambda(lambda x: x[:, ::2])], (1, 9, 9))
    assert network.output_shape == (2, 7, 7)


def test_a_shape_that_cannot_be_told():
    with pytest.raises(ShapeError, match=r"a shape that the expression tells[\s\S]*specify_shape"):
        Lambda(lambda x: x[:, : T.cast(x[0, 0], "int64")]).build((5,))


@pytest.mark.parametrize("function", [lambda x: x.sum(), lambda x: 3, lambda x: [x, x]])
def test_what_is_no_batch_of_examples(function):
    with pytest.raises(ShapeError, match="what the function returns"):
        Lambda(function).build((5,))
