"""Random small graphs: compiled, rewritten in the reference mode, and as they were written, are one value."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arignote import function
from arignote import tensor as T
from arignote.engine.evaluate import evaluate
from arignote.engine.grad import grad
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL

UNARY = [
    T.tanh,
    T.nnet.sigmoid,
    T.nnet.softplus,
    T.sin,
    T.sqr,
    abs,
    T.neg,
    lambda x: T.exp(-T.sqr(x)),
    lambda x: T.log(1 + T.exp(x)),
    lambda x: 1 - T.nnet.sigmoid(x),
    lambda x: T.log(T.nnet.sigmoid(x)),
    lambda x: T.log(x * x + 1),
    lambda x: T.sqrt(T.sqr(x) + 1),
    lambda x: x**2,
    lambda x: x * 1 + 0,
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    T.maximum,
    lambda a, b: a / (1 + b * b),
    lambda a, b: T.switch(a > b, a, b * 2),
    lambda a, b: T.cast(T.lt(a, b), "float64") + a,
]
MATRIX = [
    lambda x: x.T,
    lambda x: x[::-1],
    lambda x: x[:, 1:],
    lambda x: x[1:, ::-1],
    lambda x: x.T.reshape(x.shape),
    lambda x: x - x.mean(0, keepdims=True),
    lambda x: x * x.sum(1, keepdims=True),
    lambda x: x - x.max(1, keepdims=True),
    lambda x: T.dot(x, x.T),
    lambda x: T.nnet.softmax(x),
    lambda x: T.log(T.nnet.softmax(x)),
    lambda x: T.nnet.logsoftmax(x),
    lambda x: x[np.array([0, 0])],
    lambda x: x.flatten().dimshuffle("x", 0),
    lambda x: x[0].dimshuffle("x", 0) + x,
]


@st.composite
def graphs(draw):
    """Draw an expression of two matrices of one shape, of at most about 15 nodes, and the shape."""
    shape = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
    inputs = T.dmatrices("x", "y")
    made = list(inputs)
    probes = {x: np.zeros(shape) for x in inputs}
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["unary", "binary", "matrix"]))
        one = made[draw(st.integers(0, len(made) - 1))]
        if kind == "unary":
            made.append(draw(st.sampled_from(UNARY))(one))
        elif kind == "matrix":
            new = draw(st.sampled_from(MATRIX))(one)
            if 0 not in evaluate([new], probes)[0].shape:
                made.append(new)
        else:
            extents = evaluate([one], probes)[0].shape
            fitting = [x for x in made if evaluate([x], probes)[0].shape == extents]
            made.append(draw(st.sampled_from(BINARY))(one, draw(st.sampled_from(fitting))))
    return inputs, made[-1] + 0 * made[-1], shape


def check(drawn, seed):
    inputs, expression, shape = drawn
    generator = np.random.default_rng(seed)
    # Apart from each other and from 0, so that no comparison hangs on the last digit.
    arrays = [generator.permutation(shape[0] * shape[1]).reshape(shape) / 4 - 0.9 + k / 7 for k in range(2)]
    values = dict(zip(inputs, arrays, strict=True))
    cost = (expression * np.pi).sum()
    outputs = [expression, cost, *grad(cost, inputs, disconnected_inputs="ignore")]
    expected = evaluate(outputs, values)
    scale = max(np.abs(value).max() for value in expected)
    if not scale < 1e6:  # powers of powers: rounding is all that is left
        return
    for results in (
        evaluate(rewrite(outputs, ALL), values),
        function(inputs, outputs, on_unused_input="ignore")(*arrays),
    ):
        for actual, wanted in zip(results, expected, strict=True):
            assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
            # A few hundred roundings of numbers up to `scale`, each amplified by slopes of at most about 10.
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-9 * max(scale, 1))


relaxed = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=relaxed)
@given(graphs(), st.integers(0, 9))
def test_random_graphs(drawn, seed):
    check(drawn, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=relaxed)
@given(graphs(), st.integers(0, 9))
def test_many_random_graphs(drawn, seed):
    check(drawn, seed)
