"""Which shapes and integers are resolved at a call, and what stays open."""

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.compile.objects import cache_statistics
from arignote.compile.specialize import Shapes
from arignote.engine.errors import ShapeError
from arignote.engine.graph import walk
from arignote.engine.ops.shape import ShapeOf
from arignote.engine.types import TensorType


def specialised(outputs, **values):
    """Specialise for arrays by the names of the inputs; return the graph and the key."""
    shapes = Shapes(outputs)
    inputs = {x for node in shapes.nodes for x in node.inputs if x.owner is None and x.name}
    types = {x: TensorType(x.dtype, np.shape(values[x.name])) for x in inputs}
    integers = {x: int(values[x.name]) for x in shapes.followed}
    key = shapes.resolve(types, integers)
    return shapes.specialize(types, integers), key


def test_every_extent_becomes_a_number():
    x, w = T.dmatrix("x"), T.dmatrix("w")
    graph, _ = specialised([T.dot(x, w).flatten(), x.shape[0] * w], x=np.zeros((3, 4)), w=np.zeros((4, 5)))
    assert [out.static_shape for out in graph.outputs] == [(15,), (4, 5)]
    nodes = walk(graph.outputs)
    assert all(None not in out.static_shape for node in nodes for out in node.outputs)
    assert not any(isinstance(node.op, ShapeOf) for node in nodes)


def test_a_graph_without_integers_has_no_key():
    x = T.dmatrix("x")
    shapes = Shapes([x.reshape((x.shape[1], x.shape[0])).sum(0)])
    assert not shapes.followed
    assert shapes.open == []


def test_integers_that_decide_extents_are_in_the_key_and_offsets_are_not():
    x, i = T.dvector("x"), T.lscalar("i")
    part = x[i * 2 : (i + 1) * 2] * 1.0
    keys = [specialised([part], x=np.zeros(7), i=np.array(k))[1] for k in range(5)]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[3] != keys[4]
    fill = T.zeros((i,)) + 1
    assert specialised([fill], i=np.array(2))[1] != specialised([fill], i=np.array(3))[1]


def test_an_offset_is_read_at_each_call():
    x, i = T.dmatrix("x"), T.lscalar("i")
    f = function([x, i], [x[i] * 1, x[i : i + 2, ::-1] * 1, x[:, i] * 1, x[-i - 1]])
    a = np.arange(20.0).reshape(5, 4)
    for k in (0, 2, 1, 3):
        for got, expected in zip(f(a, k), [a[k], a[k : k + 2, ::-1], a[:, k], a[-k - 1]], strict=True):
            np.testing.assert_array_equal(got, expected)


def test_gradients_of_slices_with_open_offsets():
    x, i = T.dvector("x"), T.lscalar("i")
    f = function([x, i], T.grad((x[i : i + 3] ** 2).sum() + x[i], x))
    a = np.arange(6.0)
    for k in (0, 2, 4, -2):
        expected = np.zeros(6)
        expected[k : k + 3] = 2 * a[k : k + 3]
        expected[k] += 1
        np.testing.assert_array_equal(f(a, k), expected)


@pytest.mark.parametrize(
    ("make", "meaning"),
    [
        (lambda i, j: T.arange(i, j), lambda i, j: np.arange(i, j)),
        (lambda i, j: T.arange(j, i, -2), lambda i, j: np.arange(j, i, -2)),
        (lambda i, j: T.alloc(i * j, i, j - 1), lambda i, j: np.full((i, j - 1), i * j)),
        (lambda i, j: T.zeros((T.maximum(i, j), 2)), lambda i, j: np.zeros((max(i, j), 2))),
        (lambda i, j: T.ones((j // i, j % 3)), lambda i, j: np.ones((j // i, j % 3))),
        (lambda i, j: T.ones((T.switch(i > 2, i, j),)), lambda i, j: np.ones(i if i > 2 else j)),
        (lambda i, j: T.arange(j)[i:], lambda i, j: np.arange(j)[i:]),
        (lambda i, j: T.arange(i * j).reshape((i, -1)), lambda i, j: np.arange(i * j).reshape(i, -1)),
        (lambda i, j: T.zeros((T.arange(j).shape[0], i)), lambda i, j: np.zeros((j, i))),
        (lambda i, j: T.cast(i, "float64") + T.zeros((T.cast(j, "int8"),)), lambda i, j: np.zeros(j) + i),
    ],
)
def test_shapes_from_integer_arguments(make, meaning):
    i, j = T.lscalars("i", "j")
    f = function([i, j], make(i, j))
    for a, b in [(1, 4), (3, 7), (2, 2), (1, 5)]:
        np.testing.assert_array_equal(f(a, b), meaning(a, b), strict=True)


def test_a_shared_integer_decides_a_shape():
    n = shared(2)
    f = function([], T.zeros((n,)) + n, updates=[(n, n * 2)])
    assert [f().tolist() for _ in range(3)] == [[2] * 2, [4] * 4, [8] * 8]


def test_an_integer_computed_from_elements_cuts_the_program():
    x = T.lvector("x")
    f = function([x], T.arange(x.sum()) * 2)
    assert f([1, 2]).tolist() == [0, 2, 4]
    assert f([]).tolist() == []


def test_new_shapes_load_no_new_kernels():
    x = T.dmatrix("x")
    f = function([x], [(x * 2).sum(0), T.dot(x, x.T), x[1:] - x[:-1]])
    f(np.ones((4, 5)))
    before = cache_statistics()
    for shape in [(5, 4), (9, 5), (4, 6)]:
        f(np.ones(shape))
    after = cache_statistics()
    assert (after.compiled, after.loaded) == (before.compiled, before.loaded)
    assert after.reused > before.reused


def test_old_specialisations_go():
    from arignote.compile import stages

    x = T.dvector("x")
    f = function([x], x * 2)
    for n in range(2 * stages.MOST_SPECIALIZATIONS):
        assert f(np.ones(n)).shape == (n,)
    assert f(np.ones(1)).tolist() == [2]


def test_a_promise_is_checked_at_every_shape():
    x = T.ftensor4("x")
    f = function([x], T.nnet.conv2d(x, np.ones((1, 2, 1, 1), "float32"), input_shape=(None, 2, 4, None)))
    f(np.zeros((1, 2, 4, 5), "float32"))
    with pytest.raises(ShapeError, match="input_shape"):
        f(np.zeros((1, 2, 5, 5), "float32"))
    f(np.zeros((3, 2, 4, 9), "float32"))


@pytest.mark.parametrize("size", [7, 1, 0])
def test_a_last_batch_of_any_size_compiles_nothing(size):
    x, y = T.fmatrix("x"), T.ivector("y")
    w, b = shared(np.ones((6, 3), "float32")), shared(np.zeros(3, "float32"))
    p = T.nnet.softmax(T.nnet.sigmoid(T.dot(x, w) + b) * 2)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    rate = np.float32(0.1)
    f = function([x, y], cost, updates=[(v, v - rate * grad(cost, v)) for v in (w, b)])
    f(np.ones((10, 6), "float32"), np.zeros(10, "int32"))
    before = cache_statistics()
    f(np.ones((size, 6), "float32"), np.zeros(size, "int32"))
    after = cache_statistics()
    assert (after.compiled, after.loaded) == (before.compiled, before.loaded)
