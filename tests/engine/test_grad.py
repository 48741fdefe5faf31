import numpy as np
import pytest

from arignote import Variable, function, grad, gradient, shared
from arignote import tensor as T
from arignote.engine.errors import (
    DisconnectedInputError,
    DTypeError,
    GraphError,
    ShapeError,
    UndefinedGradientError,
)
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
    (lambda: grad(None, T.dvector("x")), GraphError),
    (lambda: grad(T.dscalar("c"), T.dvector("x"), known_grads={T.dvector("y"): 1.0}), ShapeError),
    (lambda: grad(T.dscalar("c"), 3.0), DTypeError),
])  # fmt: skip
def test_what_has_no_gradient(make, error):
    with pytest.raises(error, match="grad: "):
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


# ------------------------------------------------------------------------------------------ options


def test_wrt_keeps_its_kind():
    x, y = T.dscalars("x", "y")
    cost = x * y
    assert isinstance(grad(cost, [x, y]), list)
    assert isinstance(grad(cost, (x, y)), tuple)
    assert isinstance(grad(cost, x), Variable)


def test_known_gradients_stand_for_the_cost():
    x = T.dvector("x")
    y, z = T.exp(x), x**2
    slope = grad(None, x, known_grads={y: [1.0, 2.0], z: np.array([3.0, 4.0])})
    at = np.array([0.5, -1.0])
    np.testing.assert_allclose(value(slope, {x: at}), [1, 2] * np.exp(at) + [6, 8] * at, rtol=1e-15)


def test_a_known_gradient_takes_the_place_of_the_computed_one():
    x = T.dscalar("x")
    y = x**2
    cost = T.exp(y)
    assert float(value(grad(cost, x, known_grads={y: 10.0}), {x: 3.0})) == 60.0


def test_a_constant_has_a_gradient_but_passes_none():
    x = T.dscalar("x")
    y = x**2
    assert float(value(grad(y**2, y, consider_constant=[y]), {x: 3.0})) == 18.0
    with pytest.raises(DisconnectedInputError):
        grad(y**2, x, consider_constant=y)


@pytest.mark.parametrize("spelt", ["None", "none"])
def test_what_stands_for_a_gradient_that_is_not_there(spelt):
    x, y = T.dvectors("x", "y")
    options = {"disconnected_inputs": "ignore"}
    assert grad(x.sum(), y, return_disconnected=spelt, **options) is None
    marker = grad(x.sum(), [x, y], return_disconnected="Disconnected", **options)[1]
    assert isinstance(marker, gradient.DisconnectedGradient)
    with pytest.raises(GraphError, match="does not depend on y"):
        function([], marker)
    with pytest.raises(DTypeError, match="'zero', 'none' or 'disconnected'"):
        grad(x.sum(), y, return_disconnected="nothing", **options)


def test_undefined_gradients():
    x, y = T.dvectors("x", "y")
    cost = (gradient.undefined_grad(x) * y).sum() + T.exp(x).sum()
    with pytest.raises(UndefinedGradientError, match=r"UndefinedGrad .* input 0 \(x\)"):
        grad(cost, [x, y])
    by_x, by_y = grad(cost, [x, y], null_gradients="return")
    assert isinstance(by_x, gradient.UndefinedGradient)
    np.testing.assert_array_equal(value(by_y, {x: [1, 2], y: [0, 0]}), [1, 2])
    with pytest.raises(UndefinedGradientError):
        gradient.Rop(cost, x, y)


def test_gradients_are_named():
    x = T.dscalar("x")
    cost = x**2
    assert grad(cost, x).name is None
    cost.name = "cost"
    assert grad(cost, x).name == "(dcost/dx)"
    assert grad(cost, x, add_names=False).name is None


def test_integers_count_as_the_real_numbers_they_are():
    i, x = T.lvector("i"), T.dvector("x")
    slope = grad((i * x).sum() + T.cast(i, "float64").prod(), i)
    assert slope.dtype == "float64"
    np.testing.assert_array_equal(value(slope, {i: [2, 3], x: [0.5, 0.25]}), [3.5, 2.25])
    zeros = grad(x[i].sum(), i, disconnected_inputs="ignore")
    assert (zeros.dtype, value(zeros, {i: [0, 1], x: [1, 2]}).tolist()) == ("float64", [0, 0])


# ------------------------------------------------------------------------------- gradients that are changed


@pytest.mark.parametrize(("change", "expected"), [
    (lambda x: gradient.grad_clip(x, -1, 2.5), [-1.0, -0.5, 0.0, 2.5]),
    (lambda x: gradient.grad_scale(x, 3), [-6.0, -1.5, 0.0, 12.0]),
    (lambda x: gradient.grad_scale(x, T.constant(-1.0)), [2.0, 0.5, 0.0, -4.0]),
    (gradient.zero_grad, [0, 0, 0, 0]),
    (gradient.consider_constant, [0, 0, 0, 0]),
])  # fmt: skip
@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_gradients_are_changed_and_values_are_not(change, expected, mode):
    x = T.fvector("x")
    out = change(x)
    f = function([x], [out, grad((out**2).sum(), x)], mode=mode)
    at = np.array([-1, -0.25, 0, 2], "float32")
    same, slope = f(at)
    np.testing.assert_array_equal(same, at)
    np.testing.assert_array_equal(slope, np.asarray(expected, "float32"), strict=True)


def test_what_is_disconnected():
    x = T.dscalar("x")
    assert float(value(grad(gradient.disconnected_grad(x) * x, x), {x: 3.0})) == 3.0
    with pytest.raises(DisconnectedInputError):
        grad(gradient.disconnected_grad(x) ** 2, x)


def test_bounds_are_scalars():
    with pytest.raises(DTypeError, match="grad_clip"):
        gradient.grad_clip(T.dvector(), np.zeros(3), 1)
