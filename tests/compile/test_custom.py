"""Ops that users write: in Theano's form, of Python functions, and of expressions."""

import copy
import pickle

import numpy as np
import pytest

import arignote
from arignote import OpFromGraph, function, grad, shared
from arignote import tensor as T
from arignote.compile.ops import as_op
from arignote.engine.errors import DTypeError, InputError, UndefinedGradientError
from arignote.gradient import DisconnectedType, Rop, grad_undefined, jacobian, verify_grad
from arignote.printing import pprint

MODES = pytest.mark.parametrize("mode", ["compiled", "reference", "debug", "nan_guard"])
X = np.arange(6.0).reshape(2, 3) / 5 - 0.5


class AXPB(arignote.Op):
    """The example of Theano's page on ops, with a gradient."""

    __props__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return arignote.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        x = inputs[0]
        output_storage[0][0] = self.a * x + self.b

    def infer_shape(self, node, i0_shapes):
        return i0_shapes

    def grad(self, inputs, output_grads):
        return [self.a * output_grads[0]]


class Cube(arignote.gof.Op):
    itypes = (T.dmatrix,)
    otypes = (T.dmatrix,)

    def perform(self, node, inputs, output_storage):
        assert node.inputs[0].ndim == 2
        output_storage[0][0] = inputs[0] ** 3

    def L_op(self, inputs, outputs, output_grads):  # noqa: N802 - Theano's name
        return [3 * inputs[0] ** 2 * output_grads[0]]


@MODES
def test_a_user_op_works_in_every_mode(mode):
    x, w = T.dmatrix("x"), shared(np.ones(3), "w")
    y = Cube()(AXPB(2.0, 1.0)(T.sin(x) * w)).sum()
    f = function([x], [y, grad(y, x)], updates=[(w, w - 0.1 * grad(y, w))], mode=mode)
    value, slope = f(X)
    inner = 2 * np.sin(X) + 1
    np.testing.assert_allclose(value, (inner**3).sum(), rtol=1e-12)
    np.testing.assert_allclose(slope, 6 * inner**2 * np.cos(X), rtol=1e-12)
    np.testing.assert_allclose(w.get_value(), 1 - 0.1 * (6 * inner**2 * np.sin(X)).sum(0), rtol=1e-12)


def test_a_user_op_runs_between_native_programs():
    x = T.dmatrix("x")
    f = function([x], T.exp(Cube()(T.tanh(x))).sum(), profile=True)
    np.testing.assert_allclose(f(X), np.exp(np.tanh(X) ** 3).sum(), rtol=1e-12)
    assert f.profile.native_calls == 2


def test_derivatives_of_a_user_op():
    x = T.dvector("x")
    verify_grad(AXPB(3.0, 1.0), [np.ones(3)])
    verify_grad(Cube(), [X])
    op = AXPB(3.0, 1.0)
    np.testing.assert_array_equal(Rop(op(x), x, [1.0, 2.0]).eval({x: [0.0, 0.0]}), [3.0, 6.0])
    np.testing.assert_array_equal(jacobian(op(x) ** 2, x).eval({x: [1.0, 2.0]}), np.diag([24.0, 42.0]))


def test_equal_ops_on_equal_inputs_are_computed_once():
    calls = []

    class Counted(AXPB):
        def perform(self, node, inputs, output_storage):
            calls.append(self.a)
            super().perform(node, inputs, output_storage)

    x = T.dmatrix("x")
    function([x], [Counted(1.0, 2.0)(x), Counted(1.0, 2.0)(x), Counted(2.0, 2.0)(x)])(X)
    assert sorted(calls) == [1.0, 2.0]
    assert AXPB(1.0, 2.0) == AXPB(1.0, 2.0) != AXPB(1.0, 3.0)
    assert Cube() != Cube()  # no __props__: each is itself


class Twice(arignote.Op):
    __props__ = ()

    def make_node(self, x):
        return arignote.Apply(self, [x], [x.type("twice")])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = np.concatenate([inputs[0], inputs[0]])


def test_a_type_promises_of_a_shape_what_is_one():
    x = T.TensorType("float64", (2, 1))("x")
    out = Twice()(x)
    assert (out.static_shape, out.name) == ((None, 1), "twice")
    assert function([x], (out + 1).sum(0))(np.ones((2, 1))).tolist() == [8.0]


def test_a_user_op_is_pickled_and_copied():
    x = T.dmatrix("x")
    f = function([x], AXPB(2.0, 1.0)(x).sum())
    assert pickle.loads(pickle.dumps(f))(X) == copy.deepcopy(f)(X) == f(X)


class Several(arignote.Op):
    """Two outputs, the second of another dtype; no gradient with respect to the second input."""

    __props__ = ()

    def make_node(self, x, n):
        return arignote.Apply(
            self, [T.as_tensor_variable(x), T.as_tensor_variable(n)], [T.dvector(), T.lscalar()]
        )

    def perform(self, node, inputs, output_storage):
        x, n = inputs
        output_storage[0][0] = x * n
        output_storage[1][0] = np.asarray(len(x))

    def grad(self, inputs, output_grads):
        return [output_grads[0] * inputs[1], self.of_n(inputs[1])]

    def of_n(self, n):
        return grad_undefined(self, 1, n, "not done")


class Disconnected(Several):
    def of_n(self, n):
        return DisconnectedType(n.type, "not done")


def test_several_outputs_and_inputs_without_gradient():
    x, n = T.dvector("x"), T.dscalar("n")
    y, count = Several()(x, n)
    assert [v.tolist() for v in function([x, n], [y, count])([1.0, 2.0], 3.0)] == [[3.0, 6.0], 2]
    np.testing.assert_array_equal(grad(y.sum(), x).eval({x: [1.0, 2.0], n: 3.0}), [3.0, 3.0])
    with pytest.raises(UndefinedGradientError, match=r"Several has no derivative .* input 1 .*: not done"):
        grad(y.sum(), n)
    z, _ = Disconnected()(x, n)
    assert grad(z.sum(), n, disconnected_inputs="ignore").eval() == 0.0


class Wrong(AXPB):
    def __init__(self, result):
        self.a = self.b = 0
        self.result = result

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = self.result(inputs[0])

    def grad(self, inputs, output_grads):
        return [output_grads[0].sum()] * self.a


@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        (lambda x: None, InputError, r"Wrong: output 0\n.*\n.*an array in output_storage"),
        (lambda x: x.astype("float32"), DTypeError, "an array of float64, as its node declares"),
        (lambda x: x[0], ValueError, "Wrong: output 0"),
        (lambda x: x.undefined, AttributeError, "no attribute 'undefined'"),
        (lambda x: x.fill(0), ValueError, "read-only"),
    ],
)
def test_what_a_user_op_does_wrong_names_its_line(result, error, words):
    x = T.dmatrix("x")
    f = function([x], Wrong(result)(x * 2))
    with pytest.raises(error, match=words) as caught:
        f(X)
    text = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert f"{__file__}:" in text
    assert "Wrong" in text


def test_what_a_gradient_does_wrong():
    x, op = T.dmatrix("x"), Wrong(np.copy)
    with pytest.raises(InputError, match="1 gradients, one an input"):
        grad(op(x).sum(), x)
    op.a = 1
    with pytest.raises(InputError, match=r"gradient 0\n  at: .*\n  expected: 2 dimensions, as of x"):
        grad(op(x).sum(), x)
    with pytest.raises(DTypeError, match="Cube: inputs"):
        Cube()(T.fmatrix())


# ------------------------------------------------------------------------------------------ as_op


@as_op(itypes=[T.fmatrix, T.fmatrix], otypes=[T.fmatrix])
def numpy_dot(a, b):
    return np.dot(a, b)


@as_op(itypes=[T.dvector], otypes=[T.dscalar, T.lscalar])
def largest(x):
    return np.asarray(x.max()), np.asarray(x.argmax())


@MODES
def test_a_python_function_as_an_op(mode):
    x, y = T.fmatrix("x"), T.fmatrix("y")
    f = function([x, y], numpy_dot(x + 1, y).sum(), mode=mode)
    a, b = np.ones((5, 4), "float32"), np.ones((4, 7), "float32")
    assert f(a, b) == 5 * 7 * 4 * 2
    assert pprint(numpy_dot(x, y)) == "numpy_dot(x, y)"
    value, place = largest(T.dvector("v"))
    assert (value.type, place.type) == (T.dscalar, T.lscalar)
    assert pickle.loads(pickle.dumps(f))(a, b) == f(a, b)


def test_a_python_function_has_no_gradient():
    x = T.fmatrix("x")
    with pytest.raises(UndefinedGradientError, match=r"numpy_dot has no derivative .*no `grad`"):
        grad(numpy_dot(x, x).sum(), x)


def test_what_as_op_is_told_wrong():
    with pytest.raises(DTypeError, match="as_op: otypes"):
        as_op(itypes=[T.dmatrix], otypes=["float64"])
    two = as_op([T.dscalar], [T.dscalar, T.dscalar])(lambda x: x)
    with pytest.raises(InputError, match="2 results"):
        two(np.float64(1))[0].eval()


# ------------------------------------------------------------------------------------------ expressions


@MODES
def test_an_expression_as_an_op(mode):
    x, y, w = T.dmatrix("x"), T.dmatrix("y"), shared(np.full(3, 2.0), "w")
    op = OpFromGraph([x, y], [x * y * w, T.exp(x)], name="both")
    a, b = T.dmatrix("a"), T.dmatrix("b")
    product, power = op(a, b)
    assert pprint(product) == "both(a, b, w).0"
    cost = (product + power).sum()
    f = function([a, b], [cost, *grad(cost, [a, b, w])], mode=mode)
    value, of_a, of_b, of_w = f(X, X + 1)
    np.testing.assert_allclose(value, (2 * X * (X + 1) + np.exp(X)).sum(), rtol=1e-12)
    np.testing.assert_allclose(of_a, 2 * (X + 1) + np.exp(X), rtol=1e-12)
    np.testing.assert_allclose(of_b, 2 * X, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(of_w, (X * (X + 1)).sum(0), rtol=1e-12)


def test_the_jacobian_of_an_expression_as_an_op():
    x, a = T.dvector("x"), T.dvector("a")
    op = OpFromGraph([x], [x**2 * x.sum()])
    value = np.array([1.0, 2.0])
    expected = np.diag(2 * value * 3) + value[:, None] ** 2
    np.testing.assert_allclose(jacobian(op(a), a).eval({a: value}), expected, rtol=1e-12)


def test_an_expression_of_which_one_input_has_no_gradient():
    x, y = T.fmatrix("x"), T.fmatrix("y")
    total = OpFromGraph([x, y], [numpy_dot(x, x) * y])(x, y).sum()
    a = np.ones((2, 2), "float32")
    np.testing.assert_array_equal(grad(total, y).eval({x: a, y: a}), 2 * a)
    with pytest.raises(UndefinedGradientError, match="numpy_dot has no derivative"):
        grad(total, x)


def test_an_expression_of_one_variable_twice_and_of_its_own_result():
    x, y, a = T.dscalar("x"), T.dscalar("y"), T.dscalar("a")
    op = OpFromGraph([x, y], [x**2 * y])
    assert grad(op(a, a), a).eval({a: 2.0}) == 12.0
    assert grad(op(a, op(a, a)), a).eval({a: 2.0}) == 5 * 2.0**4


def test_an_expression_as_an_op_is_one_native_call():
    x, a = T.dmatrix("x"), T.dmatrix("a")
    f = function([a], OpFromGraph([x], [T.tanh(x).sum(0)])(a * 2), profile=True)
    np.testing.assert_allclose(f(X), np.tanh(2 * X).sum(0), rtol=1e-12, atol=1e-15)
    assert f.profile.native_calls == 1


def test_gradients_of_its_own():
    x, y = T.dscalar("x"), T.dscalar("y")
    both = OpFromGraph([x, y], [x * y], lop_overrides=lambda i, o, g: [g[0] * 10, i[0] * o[0] * 100])
    older = OpFromGraph([x, y], [x * y], grad_overrides=lambda i, g: [g[0] * 10, i[0] * 100])
    mixed = OpFromGraph([x, y], [x * y], lop_overrides=["default", lambda i, o, g: g[0] * 7])
    none = OpFromGraph([x, y], [x * y], lop_overrides=[lambda i, o, g: g[0] * 7, None])
    for op, expected in [(both, (10, 5400)), (older, (10, 300)), (mixed, (6, 7)), (none, (7, 0))]:
        slopes = grad(op(x, y), [x, y], disconnected_inputs="ignore")
        assert tuple(function([x, y], slopes, on_unused_input="ignore")(3.0, 6.0)) == expected
    with pytest.raises(DTypeError, match="lop_overrides or grad_overrides"):
        OpFromGraph([x], [x], lop_overrides=[None], grad_overrides=[None])
    with pytest.raises(DTypeError, match="2 of them"):
        OpFromGraph([x, y], [x], lop_overrides=[None])


def test_arguments_of_an_expression():
    x = T.fvector("x")
    op = OpFromGraph([x], [x * 2], name="double")
    assert op(np.ones(2, "int8")).dtype == "float32"
    with pytest.raises(DTypeError, match="double: input x"):
        op(np.ones(2))
    with pytest.raises(InputError, match="1 arguments"):
        op(x, x)


def test_an_expression_is_pickled_with_its_function():
    x, a = T.dscalar("x"), T.dscalar("a")
    f = function([a], OpFromGraph([x], [x**2])(a), mode="reference")
    assert pickle.loads(pickle.dumps(f))(3.0) == 9.0
