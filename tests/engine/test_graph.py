import inspect

import numpy as np
import pytest

from arignote import clone, function, shared
from arignote import tensor as T
from arignote.engine.errors import DTypeError, GraphError
from arignote.engine.evaluate import evaluate
from arignote.engine.grad import grad
from arignote.engine.graph import Constant, ancestors, clone_replace, graph_inputs, rebuild, walk
from arignote.engine.ops.elementwise import Add, Cast, Log1p, Mul
from arignote.engine.printing import pprint
from arignote.engine.rewrite import rewrite, typed
from arignote.engine.rules import ALL


def line():
    """Return the number of the line it is called from."""
    return inspect.currentframe().f_back.f_lineno


# ------------------------------------------------------------------------------------------ depth


def test_a_chain_of_twenty_thousand_nodes():
    x = T.dscalar("x")
    y = x
    for _ in range(10_000):
        y = T.tanh(y) + 1.0
    assert len(walk([y])) == 20_000
    slope = grad(y, x)
    rewritten = rewrite([y, slope], ALL)
    a = np.array(0.3)
    expected = [value.tolist() for value in evaluate([y, slope], {x: a})]
    assert [value.tolist() for value in evaluate(rewritten, {x: a})] == pytest.approx(expected, rel=1e-9)
    value = 0.3
    for _ in range(10_000):
        value = np.tanh(value) + 1.0
    assert expected[0] == value
    z = T.dscalar("z")
    assert z in graph_inputs([clone(y, {x: z})])


def test_a_wide_graph_is_walked_once():
    x = T.dscalar("x")
    y = x
    for _ in range(200):  # 2**200 paths
        y = y * y + 1.0
    assert len(walk([y])) == 400
    assert len(ancestors([y])) == 200 * 3 + 1
    assert rewrite([y], ALL)[0].dtype == "float64"


def test_inputs_come_before_what_needs_them():
    x, y = T.dmatrices("x", "y")
    out = T.dot(x, y).sum() + (x * y).sum()
    order = walk([out])
    places = {node: place for place, node in enumerate(order)}
    for node in order:
        for given in node.inputs:
            assert given.owner is None or places[given.owner] < places[node]
    assert set(graph_inputs([out])) == {x, y}


def test_walk_stops_behind_what_it_is_told():
    x = T.dscalar("x")
    middle = T.exp(x)
    out = middle + 1
    assert [type(node.op) for node in walk([out], stop=[middle])] == [Add]
    assert walk([middle], stop=[middle]) == []


# ------------------------------------------------------------------------------------------ copies


def test_clone_replaces_and_leaves_the_original():
    x, y, z = T.dscalars("x", "y", "z")
    out = x * y + x
    copy = clone(out, replace={x: z})
    assert pprint(copy) == "((z * y) + z)"
    assert pprint(out) == "((x * y) + x)"
    assert clone([out, x], {x: np.float64(2)})[1].value == 2.0


def test_clone_replaces_inside_of_the_graph():
    x = T.dscalar("x")
    middle = T.exp(x)
    assert pprint(clone(middle + middle, {middle: x})) == "(x + x)"


def test_clone_keeps_names_and_tags():
    x, z = T.dscalars("x", "z")
    out = x * 2
    out.name, out.tag.note = "double", "kept"
    copy = clone(out, {x: z})
    assert copy.name == "double"
    assert copy.tag.note == "kept"


@pytest.mark.parametrize("replacement", [T.fscalar(), T.dvector()])
def test_clone_refuses_another_dtype_or_rank(replacement):
    x = T.dscalar("x")
    with pytest.raises(DTypeError, match="replacement of x"):
        clone(x * 2, {x: replacement})


def test_replacements_are_not_replaced_again():
    x, y = T.dscalars("x", "y")
    assert pprint(*clone_replace([x * 2, y * 3], {x: y, y: x})) == "(y * 2), (x * 3)"


def test_rebuild_without_change_is_the_same_node():
    x = T.dscalar("x")
    out = x * 2
    assert rebuild(out.owner, out.owner.inputs) == (out,)


# ------------------------------------------------------------------------------------------ origins


def test_a_node_remembers_the_users_line():
    x = T.dmatrix("x")
    out, here = T.dot(x, x), line()
    assert (out.origin.line, out.origin.function) == (here, "test_a_node_remembers_the_users_line")
    assert out.origin.filename == __file__
    assert x.origin is None


def test_every_node_of_a_composed_function_has_the_users_line():
    p, y = T.dmatrix("p"), T.lvector("y")
    out, here = T.nnet.categorical_crossentropy(p, y).mean(), line()
    assert {node.origin.line for node in walk([out])} == {here}


def test_gradients_inherit_the_line_they_belong_to():
    x = T.dvector("x")
    squares, first = T.tanh(x), line()
    cost, second = squares.sum(), line()
    slope, third = grad(cost, x), line()
    lines = {type(node.op): node.origin.line for node in walk([slope])}
    assert {first, second} <= set(lines.values()) <= {first, second, third}
    assert lines[Mul] == first


def test_rewrites_inherit_the_line_they_replace():
    x = T.dscalar("x")
    inner = x + 1
    out, here = T.log(inner), line()
    (after,) = rewrite([out], ALL)
    assert isinstance(after.owner.op, Log1p)
    assert after.origin.line == here


def test_a_clone_keeps_lines():
    x, z = T.dscalars("x", "z")
    out, here = x * 2, line()
    assert clone(out, {x: z}).origin.line == here


# ------------------------------------------------------------------------------------------ merging


def test_equal_nodes_are_merged():
    x = T.dvector("x")
    a, b = rewrite([T.exp(x) + 1.0, T.exp(x) + 1.0], ALL)
    assert a is b


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1.0, 1), (True, 1), (np.float32(1), np.float64(1))])
def test_constants_that_python_calls_equal_are_not_merged(one, other):
    x = T.dscalar("x")
    a, b = rewrite([T.true_div(x, one), T.true_div(x, other)], ())
    assert a.owner.inputs[1] is not b.owner.inputs[1]


def test_constants_of_equal_bits_are_merged():
    x = T.dvector("x")
    a, b = rewrite([x - np.array([1.0, 2.0]), x - np.array([1.0, 2.0])], ())
    assert a is b


def test_parameters_that_python_calls_equal_are_told_apart():
    assert typed((1, True)) != typed((1, 1)) != typed((1.0, 1))
    assert typed(0.0) != typed(-0.0)
    assert typed(Cast("float32")) == typed(Cast("float32")) != typed(Cast("float64"))


def test_constants_are_computed_ahead():
    (out,) = rewrite([T.exp(T.as_tensor_variable(np.zeros(3))) + 1], ALL)
    assert isinstance(out, Constant)
    np.testing.assert_array_equal(out.value, [2.0, 2.0, 2.0])


def test_large_constants_are_not_computed_ahead():
    (out,) = rewrite([T.zeros((1 << 20,))], ALL)
    assert not isinstance(out, Constant)


def test_a_constant_is_read_only_and_its_own():
    array = np.zeros(3)
    constant = T.constant(array)
    array[0] = 1
    assert constant.value.tolist() == [0, 0, 0]
    assert not constant.value.flags.writeable


# ------------------------------------------------------------------------------------------ refusals


def test_a_variable_has_no_truth_no_length_and_no_iterator():
    x = T.dvector("x")
    with pytest.raises(DTypeError, match="switch"):
        bool(x > 0)
    with pytest.raises(TypeError, match=r"x\.shape\[0\]"):
        len(x)
    with pytest.raises(TypeError, match="symbolic"):
        list(x)


def test_numpy_arrays_on_the_left_leave_the_operation_to_the_variable():
    x = T.dvector("x")
    out = np.array([1.0, 2.0]) * x
    np.testing.assert_array_equal(out.eval({x: [3.0, 4.0]}), [3.0, 8.0])


def test_reference_evaluation_needs_every_input():
    x, y = T.dscalars("x", "y")
    with pytest.raises(GraphError, match="no value for the input y"):
        evaluate([x + y], {x: np.array(1.0)})


def test_shared_variables_are_found():
    w = shared(np.ones(2), "w")
    assert w in graph_inputs([w * 2.0])
    assert function([], w * 2.0)().tolist() == [2.0, 2.0]


def test_a_variable_is_true_but_a_comparison_is_not_known():
    x = T.dscalar("x")
    assert x
    assert x * 0
    assert shared(0.0)
    with pytest.raises(DTypeError, match="no truth value"):
        bool(x > 0)
    with pytest.raises(DTypeError, match="no truth value"):
        0 < x < 1  # noqa: B015 - the comparison is what fails
