import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from arignote import shared
from arignote import tensor as T
from arignote.engine.errors import MissingInputError
from arignote.engine.evaluate import evaluate
from arignote.engine.graph import Op
from arignote.engine.inner import InnerGraph, close
from arignote.engine.rewrite import rewrite


@dataclass(frozen=True)
class Inside(Op):
    """An op that holds an expression."""

    inner: InnerGraph

    def infer(self, types, values):
        return [x.type for x in self.inner.outputs]

    def perform(self, *arrays):
        return tuple(evaluate(self.inner.outputs, dict(zip(self.inner.inputs, arrays, strict=True))))


def chain(length, number=1.0):
    x = T.dscalar()
    y = x
    for _ in range(length):
        y = T.tanh(y) + number
    return InnerGraph([x], [y])


def test_equal_expressions_are_equal_values():
    one, same, other = chain(3), chain(3), chain(3, number=2.0)
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert chain(3, number=0.0) != chain(3, number=-0.0)
    x, y = T.dscalars("x", "y")
    assert InnerGraph([x, y], [x - y]) != InnerGraph([y, x], [x - y])
    assert InnerGraph([x, y], [x, y]) != InnerGraph([x, y], [y, x])


def test_ops_with_equal_expressions_merge():
    z = T.dscalar("z")
    first, second = rewrite([Inside(chain(3))(z), Inside(chain(3))(z)], ())
    assert first is second
    nested = [InnerGraph([z], [Inside(chain(2))(z)]) for _ in range(2)]
    assert nested[0] == nested[1]


def test_sharing_inside_makes_no_difference():
    x = T.dscalar("x")
    y = T.exp(x)
    assert InnerGraph([x], [y + y]) == InnerGraph([x], [T.exp(x) + T.exp(x)])


def test_a_deep_graph_survives_pickling():
    deep = chain(20_000)
    restored = pickle.loads(pickle.dumps(deep))
    assert restored == deep
    assert hash(restored) == hash(deep)


def test_what_is_free_becomes_an_input():
    x, a, w = T.dvector("x"), T.dvector("a"), shared(np.ones(2), "w")
    inner, captured = close([x], [x * T.exp(w) + a])
    assert captured == [w, a]
    values = [np.array([1.0, 2.0]), np.zeros(2), np.ones(2)]
    (result,) = evaluate(inner.outputs, dict(zip(inner.inputs, values, strict=True)))
    np.testing.assert_array_equal(result, [2, 3])
    assert not {*inner.inputs} & {x, a, w}
    with pytest.raises(MissingInputError, match="the outputs depend on w"):
        InnerGraph([x], [x * w])


def test_what_does_not_depend_on_the_inputs_is_lifted_whole():
    x, w = T.dvector("x"), shared(np.ones(2), "w")
    scale = T.exp(w) * 2
    inner, captured = close([x], [x * scale, scale, T.zeros(3) + 1], lift=True)
    assert captured == [scale]
    assert len(inner.inputs) == 2
    stacked = T.exp(x)
    inner, captured = close([stacked], [stacked * w + stacked], lift=True)  # an input inside of the graph
    assert captured == [w]
    assert len(inner.nodes) == 2
