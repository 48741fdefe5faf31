"""Which rule changed what; and rules of one's own."""

import numpy as np
import pytest

from arignote import function
from arignote import tensor as T
from arignote.engine.ops.elementwise import Neg, Sin
from arignote.printing import rewrite_trace
from arignote.rewriting import inputs_of, rule, stands_for

x = T.dvector("x")


@rule(Sin, keeps="exact")
def sine_of_negative(node):
    """sin(-x) = -sin(x)."""
    inner = inputs_of(node.inputs[0], Neg)
    return None if inner is None else stands_for(-T.sin(inner[0]), node)


def test_a_trace_tells_rules_values_and_lines():
    trace = rewrite_trace(T.log(1 + T.exp(x)) * 1)
    text = str(trace)
    assert text.startswith("2 steps: log_of_one_plus 1, neutral_operand 1")
    assert "log_of_one_plus (rounding)   test_trace.py:" in text
    assert "log((1 + exp(x)))\n      -> softplus(x)" in text
    assert "T.log(1 + T.exp(x)) * 1" in trace._repr_html_()  # the user's line
    assert str(rewrite_trace(x)) == "0 steps"


def test_a_trace_of_a_function_is_of_what_was_written(book, tmp_path):
    trace = rewrite_trace(book)
    names = {step.rule for step in trace.steps}
    assert {"log_of_softmax", "gradient_of_log_of_softmax"} <= names
    trace.save(tmp_path / "trace.html")
    assert (tmp_path / "trace.html").read_text().count("<tr>") == len(trace.steps)


@pytest.mark.parametrize("mode", ["compiled", "debug"])
def test_a_rule_of_ones_own(mode):
    f = function([x], T.sin(-x) + 1, rules=[sine_of_negative], mode=mode)
    values = np.array([0.3, -2.0])
    np.testing.assert_allclose(f(values), 1 - np.sin(values), rtol=1e-15)
    # The rule's result is rewritten further: 1 + (-y) = 1 - y.
    assert [step.rule for step in rewrite_trace(f).steps] == ["sine_of_negative", "negated_term"]
    assert "sine_of_negative" not in {step.rule for step in rewrite_trace(T.sin(-x)).steps}


def test_a_long_chain_has_a_short_trace():
    out = x
    for _ in range(1000):
        out = T.neg(T.neg(T.tanh(out)))
    text = str(rewrite_trace(out))
    assert len(text) < 1000 * 300
