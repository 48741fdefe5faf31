"""Each rule by itself: what it makes of an expression, and that the value stays what the rule says."""

import numpy as np
import pytest

from arignote import OpFromGraph
from arignote import tensor as T
from arignote.engine import rules
from arignote.engine.evaluate import evaluate
from arignote.engine.ops.elementwise import Cast, Sqr
from arignote.engine.ops.gradient import zero_grad
from arignote.engine.ops.reduce import BroadcastTo
from arignote.engine.ops.shape import DimShuffle, Reshape, ShapeOf, SpecifyShape
from arignote.engine.ops.softmax import SoftmaxGradient
from arignote.engine.printing import pprint
from arignote.engine.rewrite import Rule, rewrite
from arignote.engine.types import TensorType

x = TensorType("float64", (None,))("x")
y = TensorType("float64", (None,))("y")
m = TensorType("float64", (None, None))("m")
n = TensorType("float64", (None, None))("n")
k = TensorType("float64", (2, 3))("k")
r = TensorType("float64", (1, None))("r")
a = TensorType("float64", ())("a")
b = TensorType("float64", ())("b")
p = T.nnet.softmax(m)
s = T.nnet.sigmoid(x)
z = np.zeros(1)

# rule, expression, its text before and after; None where the rule must leave it alone
ROWS = [
    ("identity", zero_grad(x), "zerograd(x)", "x"),
    ("extent_of_known_shape", ShapeOf(0)(k), "shapeof[axis=0](k)", "2"),
    ("extent_of_known_shape", ShapeOf(0)(m), "shapeof[axis=0](m)", None),
    (
        "extent_of_elementwise",
        ShapeOf(1)(m * 2),
        "shapeof[axis=1]((m * 2))",
        "shapeof[axis=1](m)",
    ),
    ("extent_of_elementwise", ShapeOf(0)(r + m), "shapeof[axis=0]((r + m))", "shapeof[axis=0](m)"),
    ("extent_of_elementwise", ShapeOf(0)(x), "shapeof[axis=0](x)", None),
    ("element_of_join", T.stack([a, b])[1], "join[axis=0](a, b)[1]", "b"),
    ("element_of_join", T.stack([a, b])[-2], "join[axis=0](a, b)[-2]", "a"),
    (
        "element_of_join",
        T.join(0, [1.5], T.stack([a, b])[::-1], x)[2],
        "join[axis=0](1.5, join[axis=0](a, b)[::-1], x)[2]",
        "a",
    ),
    ("element_of_join", T.join(0, x, T.stack([a]))[1], "join[axis=0](x, a)[1]", None),
    ("dimshuffle_of_dimshuffle", m.T.T, "dimshuffle[pattern=(1, 0)](dimshuffle[pattern=(1, 0)](m))", "m"),
    (
        "dimshuffle_of_dimshuffle",
        x.dimshuffle("x", 0).T,
        "dimshuffle[pattern=(1, 0)](dimshuffle[pattern=('x', 0)](x))",
        "dimshuffle[pattern=(0, 'x')](x)",
    ),
    ("dimshuffle_of_dimshuffle", DimShuffle((0, 1))(m), "dimshuffle[pattern=(0, 1)](m)", "m"),
    ("dimshuffle_of_dimshuffle", m.T, "dimshuffle[pattern=(1, 0)](m)", None),
    (
        "reshape_of_reshape",
        k.reshape((6,)).reshape((3, 2)),
        "reshape(reshape(k, 6), 3, 2)",
        "reshape(k, 3, 2)",
    ),
    ("written_out", OpFromGraph([a, b], [a * b + 1], name="f")(b, a), "f(b, a)", "((b * a) + 1)"),
    ("identity", zero_grad(x), "zerograd(x)", "x"),
    ("same_shape", Reshape()(k, 2, 3), "reshape(k, 2, 3)", "k"),
    ("same_shape", Reshape()(k, 3, 2), "reshape(k, 3, 2)", None),
    ("same_shape", Reshape()(m, 2, 3), "reshape(m, 2, 3)", None),
    (
        "same_shape",
        SpecifyShape("x", "shape", (2, 3))(k),
        "specifyshape[argument='x', source='shape', shape=(2, 3)](k)",
        "k",
    ),
    ("same_shape", BroadcastTo()(k, 2, 3), "broadcastto(k, 2, 3)", "k"),
    ("cast_to_same", Cast("float64")(x), "cast[dtype='float64'](x)", "x"),
    ("cast_to_same", Cast("float32")(x), "cast[dtype='float32'](x)", None),
    ("neutral_operand", x * np.ones(1), "(x * 1.0)", "x"),
    ("neutral_operand", z + x, "(0.0 + x)", "x"),
    ("neutral_operand", x * z, "(x * 0.0)", None),
    ("neutral_operand", r + np.zeros((2, 1)), "(r + <constant float64(2, 1)>)", None),
    ("neutral_second_operand", x / np.ones(1), "(x / 1.0)", "x"),
    ("neutral_second_operand", x - z, "(x - 0.0)", "x"),
    ("neutral_second_operand", x ** np.ones(1), "(x ** 1.0)", "x"),
    ("neutral_second_operand", z - x, "(0.0 - x)", None),
    ("neutral_second_operand", x / z, "(x / 0.0)", None),
    ("square", a**2, "(a ** 2)", "sqr(a)"),
    ("square", a**3, "(a ** 3)", None),
    ("double_negation", T.neg(-x), "neg(neg(x))", "x"),
    ("log_of_softmax", T.log(p), "log(softmax(m))", "logsoftmax(m)"),
    ("log_of_softmax", T.log(m), "log(m)", None),
    (
        "gradient_of_log_of_softmax",
        SoftmaxGradient()(n / p, p),
        "softmaxgradient((n / softmax(m)), softmax(m))",
        "(n - (softmax(m) * dimshuffle[pattern=(0, 'x')](sum[axes=(1,)](n))))",
    ),
    ("gradient_of_log_of_softmax", SoftmaxGradient()(n / m, p), "softmaxgradient((n / m), softmax(m))", None),
    ("log_of_sigmoid", T.log(s), "log(sigmoid(x))", "neg(softplus(neg(x)))"),
    (
        "gradient_of_log_of_sigmoid",
        (y / s) * (s - Sqr()(s)),
        "((y / sigmoid(x)) * (sigmoid(x) - sqr(sigmoid(x))))",
        "(y * sigmoid(neg(x)))",
    ),
    (
        "gradient_of_log_of_sigmoid",
        (y / s + -(x / T.nnet.sigmoid(-x)) + y) * (s - Sqr()(s)),
        "((((y / sigmoid(x)) + neg((x / sigmoid(neg(x))))) + y) * (sigmoid(x) - sqr(sigmoid(x))))",
        "(((y * sigmoid(neg(x))) + neg((x * sigmoid(x)))) + (y * (sigmoid(x) - sqr(sigmoid(x)))))",
    ),
    ("gradient_of_log_of_sigmoid", y * (s - Sqr()(s)), "(y * (sigmoid(x) - sqr(sigmoid(x))))", None),
    ("gradient_of_log_of_sigmoid", (y / s) * (y - Sqr()(y)), "((y / sigmoid(x)) * (y - sqr(y)))", None),
    ("log_of_one_plus", T.log(1 + T.exp(a)), "log((1 + exp(a)))", "softplus(a)"),
    ("log_of_one_plus", T.log(a + 1), "log((a + 1))", "log1p(a)"),
    ("log_of_one_plus", T.log(a + 2), "log((a + 2))", None),
    ("one_minus_sigmoid", np.ones(1) - s, "(1.0 - sigmoid(x))", "sigmoid(neg(x))"),
    ("one_minus_sigmoid", z - s, "(0.0 - sigmoid(x))", None),
]

VECTOR = np.array([-3.0, -0.0, 0.5, 2.0])
MATRIX = np.array([[0.1, -2.0, 3.0], [1.0, 1.5, -0.0]])
VALUES = {
    x: VECTOR, y: np.array([1.0, 2.0, -1.0, 0.0]), m: MATRIX, n: MATRIX[::-1], k: MATRIX, r: MATRIX[:1],
    a: np.array(0.7), b: np.array(-0.2),
}  # fmt: skip


@pytest.mark.parametrize(("name", "expression", "before", "after"), ROWS, ids=[row[2] for row in ROWS])
def test_rule(name, expression, before, after):
    rule = getattr(rules, name)
    steps = []
    assert pprint(expression) == before
    (result,) = rewrite([expression], [rule], steps)
    assert pprint(result) == (before if after is None else after)
    assert {step.rule for step in steps} == (set() if after is None else {name})
    assert result.dtype == expression.dtype
    assert result.broadcastable == expression.broadcastable
    old, new = (evaluate([each], VALUES)[0] for each in (expression, result))
    if rule.keeps == "exact":
        np.testing.assert_array_equal(new, old, strict=True)
        np.testing.assert_array_equal(np.signbit(new), np.signbit(old))
    else:  # a handful of operations, each with half a unit of rounding
        np.testing.assert_allclose(new, old, rtol=16 * np.finfo("float64").eps, atol=1e-15)


def test_every_rule_has_rows_that_use_it_and_is_in_use():
    every = {name for name, each in vars(rules).items() if isinstance(each, Rule)}
    assert every == {row[0] for row in ROWS if row[3] is not None}
    assert every == {rule.name for rule in rules.ALL}
    assert len(rules.ALL) == len(every)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_states_its_equation(rule):
    assert "=" in rule.equation
    assert rule.keeps in ("exact", "rounding", "poles")


def test_stability_reaches_where_the_formula_does_not():
    far = {x: np.array([-800.0, 800.0, 0.0, 40.0]), a: np.array(1e-18), m: np.array([[0.0, 800.0]])}
    expressions = [T.log(s), T.log(1 + T.exp(x)), 1 - s, T.log(1 + a), T.log(p)]
    expected = [
        -np.logaddexp(0, -far[x]), np.logaddexp(0, far[x]), 1 / (1 + np.exp(np.minimum(far[x], 700))),
        np.array(1e-18), np.array([[-800.0, 0.0]]),
    ]  # fmt: skip
    for out, value in zip(evaluate(rewrite(expressions, rules.ALL), far), expected, strict=True):
        np.testing.assert_allclose(out, value, rtol=1e-14, atol=1e-300)


def test_rules_apply_until_none_fits():
    steps = []
    (result,) = rewrite([T.log(1 - T.nnet.sigmoid(T.neg(-a)))], rules.ALL, steps)
    assert pprint(result) == "neg(softplus(a))"
    assert steps[0].rule == "double_negation"


def test_a_rule_that_changes_the_type_is_caught():
    from arignote.engine.rewrite import rule

    @rule(Sqr, keeps="exact")
    def wrong(node):
        """sqr(x) = a float32."""
        return Cast("float32")(node.inputs[0])

    with pytest.raises(AssertionError, match="rule wrong turned"):
        rewrite([T.sqr(x)], [wrong])
