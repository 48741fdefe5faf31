"""Theano's names for walks over graphs, and copies of expressions."""

import numpy as np
import pytest

from arignote import clone, gof, shared
from arignote import tensor as T
from arignote.engine.errors import DTypeError

x, y = T.dscalars("x", "y")
w = shared(np.float64(2), "w")
middle = x * y
out = T.exp(middle) + w


def test_inputs_ancestors_and_nodes():
    assert gof.graph.inputs([out]) == [x, y, w]
    assert gof.graph.inputs([out], blockers=[middle]) == [w]
    assert set(gof.graph.ancestors([middle])) == {x, y, middle}
    assert x not in gof.graph.ancestors([out], blockers=[middle])
    assert [type(node.op).__name__ for node in gof.graph.io_toposort([x, y], [out])] == ["Mul", "Exp", "Add"]
    assert [type(node.op).__name__ for node in gof.graph.list_of_nodes([middle], [out])] == ["Exp", "Add"]


def test_the_same_graph_with_others_given():
    assert gof.graph.is_same_graph(out, T.exp(x * y) + w)
    assert not gof.graph.is_same_graph(out, T.exp(y * x) + w)
    assert gof.graph.is_same_graph(T.exp(x), T.exp(y), givens={y: x})


def test_forms_of_clone():
    a = T.dscalar("a")
    assert gof.graph.inputs([clone(out, [(x, a)])]) == [a, y, w]
    assert clone((out, x), replace={x: a})[1] is a
    assert clone({"out": x}, replace={x: a}) == {"out": a}
    with pytest.raises(DTypeError, match="replacement of x"):
        clone(out, {x: T.fscalar()})
    f = T.fscalar("f")
    assert clone(out, {x: f}, strict=False).eval({f: 1.0, y: 0.0}) == 3.0


def test_a_clone_that_shares_no_inputs():
    copied = clone(out, share_inputs=False)
    assert not set(gof.graph.inputs([copied])) & {x, y, w}
    assert [v.name for v in gof.graph.inputs([copied])] == ["x", "y", "w"]
    gof.graph.inputs([copied])[2].set_value(5.0)
    assert w.get_value() == 2.0
