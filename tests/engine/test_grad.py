import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.errors import DisconnectedInputError, DTypeError, ShapeError
from arignote.engine.evaluate import evaluate
from arignote.engine.printing import pprint
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL


def value(expression, inputs):
    return evaluate([expression], {x: np.asarray(v, x.dtype) for x, v in inputs.items()})[0]


def test_forms_of_wrt():
    x, y = T.dscalars("x", "y")
    cost = x * y
    assert pprint(grad(cost, x)) == "(alloc(1.0) * y)"
    assert [pprint(each) for each in grad(cost, [x, y])] == ["(alloc(1.0) * y)", "(alloc(1.0) * x)"]
    assert grad(cost, (y,))[0].dtype == "float64"
    assert float(value(grad(cost, cost), {x: 1, y: 2})) == 1


def test_gradients_have_the_shape_and_dtype_of_what_they_are_for():
    w, x = shared(np.ones((3, 1), "float32"), broadcastable=(False, True)), T.dmatrix("x")
    slope = grad((w * x).sum(), w)
    assert slope.type.dtype == "float32"
    assert slope.broadcastable == (False, True)
    np.testing.assert_array_equal(value(slope, {x: [[1, 2], [3, 4], [5, 6]]}), [[3], [7], [11]])


def test_gradients_of_what_is_used_twice_add_up():
    x = T.dscalar("x")
    y = T.exp(x)
    assert float(value(grad(y * y + y, x), {x: 0.0})) == 3.0


def test_gradient_with_respect_to_an_inner_variable():
    x = T.dscalar("x")
    middle = T.exp(x)
    assert float(value(grad(middle**2, middle), {x: 0.0})) == 2.0


def test_a_constant_passes_no_gradient():
    x = T.dscalar("x")
    y = T.exp(x)
    assert float(value(grad(x * y, x, consider_constant=[y]), {x: 1.0})) == pytest.approx(np.e)


def test_disconnected_inputs():
    x, y = T.dvectors("x", "y")
    cost = x.sum()
    with pytest.raises(DisconnectedInputError, match="does not depend on y"):
        grad(cost, y)
    with pytest.raises(DisconnectedInputError):
        grad((y > 0).sum() * x.sum(), y)
    with pytest.warns(UserWarning, match="does not depend on y"):
        grad(cost, y, disconnected_inputs="warn")
    zeros = grad(cost, [x, y], disconnected_inputs="ignore")[1]
    np.testing.assert_array_equal(value(zeros, {x: [0], y: [1, 2]}), [0, 0])
    with pytest.raises(DTypeError, match="disconnected_inputs"):
        grad(cost, y, disconnected_inputs="whatever")


@pytest.mark.parametrize(("make", "error"), [
    (lambda: grad(T.dvector("v") * 2, T.dvector("x")), ShapeError),
    (lambda: grad(3.0, T.dvector("x")), ShapeError),
    (lambda: grad(T.lscalar("i"), T.dvector("x")), DTypeError),
    (lambda: grad(T.dscalar("c"), T.lvector("i")), DTypeError),
    (lambda: grad(T.dscalar("c"), 3.0), DTypeError),
])  # fmt: skip
def test_what_has_no_gradient(make, error):
    with pytest.raises(error, match=r"grad: argument"):
        make()


@pytest.mark.parametrize(
    ("power", "slopes"), [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [0, 2, 0]), (3, [0, 0, 6])]
)
def test_derivatives_of_powers_at_zero(power, slopes):
    x = T.dscalar("x")
    out = x**power
    for expected in slopes:
        out = grad(out, x, disconnected_inputs="ignore")
        assert float(value(out, {x: 0.0})) == expected


@pytest.mark.parametrize(("make", "at", "slope"), [
    (lambda x: T.maximum(x, 1.0), 1.0, 1.0),
    (lambda x: T.minimum(1.0, x), 1.0, 0.0),
    (lambda x: abs(x), 0.0, 0.0),
    (lambda x: T.nnet.relu(x), 0.0, 0.0),
    (lambda x: T.nnet.relu(x, 0.1), 0.0, 0.1),
    (lambda x: T.nnet.sigmoid(x), 1000.0, 0.0),
    (lambda x: T.nnet.softplus(x), -1000.0, 0.0),
    (lambda x: T.nnet.softplus(x), 1000.0, 1.0),
    (lambda x: T.tanh(x), -1000.0, 0.0),
    (lambda x: T.switch(x > 0, T.sqrt(T.maximum(x, 1e-300)), 0.0), -1.0, 0.0),
])  # fmt: skip
def test_slopes_at_kinks_and_far_out(make, at, slope):
    x = T.dscalar("x")
    assert float(value(grad(make(x), x), {x: at})) == slope


def test_tied_maxima_share_the_gradient():
    x = T.dvector("x")
    np.testing.assert_array_equal(value(grad(x.max(), x), {x: [1, 3, 3, 2]}), [0, 0.5, 0.5, 0])


def test_tied_maxima_of_pooling_give_it_to_the_first():
    x = T.dmatrix("x")
    pooled = T.signal.pool.pool_2d(x, 2, ignore_border=True)
    np.testing.assert_array_equal(
        value(grad(pooled.sum(), x), {x: np.ones((2, 4))}), [[1, 0, 1, 0], [0, 0, 0, 0]]
    )


@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_crossentropy_of_a_class_whose_probability_is_zero(mode):
    x, y = T.fmatrix("x"), T.ivector("y")
    p = T.nnet.softmax(x)
    cost = T.nnet.categorical_crossentropy(p, y).mean()
    f = function([x, y], [p, cost, grad(cost, x)], mode=mode)
    logits = np.array([[0, 500, -500], [0, 0, 0]], "float32")
    if mode == "reference":  # nothing is rewritten there: the cost is what its formula says
        p, cost, slope = (T.nnet.softmax(logits), *rewrite([cost, grad(cost, x)], ALL))
        cost, slope = (value(each, {x: logits, y: [2, 1]}) for each in (cost, slope))
        p = value(p, {})
    else:
        p, cost, slope = f(logits, [2, 1])
    assert p[0, 2] == 0
    assert float(cost) == pytest.approx((1000 + np.log(3)) / 2)
    expected = (np.array([[0, 1, 0], [1 / 3, 1 / 3, 1 / 3]]) - np.array([[0, 0, 1], [0, 1, 0]])) / 2
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-7)


def test_crossentropy_of_a_distribution_with_zero_probabilities():
    x, t = T.fmatrix("x"), T.fmatrix("t")
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(x), t).sum()
    slope = function([x, t], grad(cost, x))([[0, 500, -500]], [[0.5, 0, 0.5]])
    np.testing.assert_allclose(slope, [[-0.5, 1, -0.5]], rtol=0, atol=1e-7)


def test_binary_crossentropy_of_a_sigmoid_that_rounds_to_an_end():
    x, t = T.fvector("x"), T.fvector("t")
    cost = T.nnet.binary_crossentropy(T.nnet.sigmoid(x), t).sum()
    cost, slope = function([x, t], [cost, grad(cost, x)])([-200, 200, -200, 0], [1, 0, 0, 1])
    assert float(cost) == pytest.approx(400 + np.log(2))
    np.testing.assert_allclose(slope, [-1, 1, 0, -0.5], rtol=0, atol=1e-7)
