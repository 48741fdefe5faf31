"""Products with Jacobians, Jacobians, Hessians: against PyTorch, and against each other."""

import numpy as np
import pytest
from cases.table import normal

from arignote import Lop, Rop, function, grad, gradient, scan, subgraph_grad, vectorize
from arignote import tensor as T
from arignote.engine.errors import DisconnectedInputError, DTypeError, GraphError, ShapeError
from arignote.engine.evaluate import evaluate
from arignote.engine.graph import graph_inputs, walk
from arignote.engine.ops.conv import Convolution
from arignote.engine.ops.scan import Scan
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import ALL

torch = pytest.importorskip("torch", reason="PyTorch's derivatives are what is compared with")


def tensor(array):
    return torch.from_numpy(np.array(array)).requires_grad_()


# ---------------------------------------------------------------------------- third order, against PyTorch

F = torch.nn.functional
POSITIVE = np.abs(normal(2, 3)) + 0.3
FORMULAS = {
    "exp": (T.exp, torch.exp, normal(2, 3)),
    "expm1": (T.expm1, torch.expm1, normal(2, 3)),
    "log": (T.log, torch.log, POSITIVE),
    "log1p": (T.log1p, torch.log1p, POSITIVE),
    "sqrt": (T.sqrt, torch.sqrt, POSITIVE),
    "sin": (T.sin, torch.sin, normal(2, 3)),
    "cos": (T.cos, torch.cos, normal(2, 3)),
    "tanh": (T.tanh, torch.tanh, normal(2, 3)),
    "sigmoid": (T.nnet.sigmoid, torch.sigmoid, normal(2, 3)),
    "softplus": (T.nnet.softplus, F.softplus, normal(2, 3)),
    "relu": (lambda x: T.nnet.relu(x) ** 3, lambda x: torch.relu(x) ** 3, normal(2, 3)),
    "quotient": (lambda x: x / (1 + x[::-1] ** 2), lambda x: x / (1 + x.flip(0) ** 2), normal(2, 3)),
    "power": (lambda x: x ** T.tanh(x), lambda x: x ** torch.tanh(x), POSITIVE),
    "broadcast": (
        lambda x: x * T.exp(x.sum(0, keepdims=True)),
        lambda x: x * torch.exp(x.sum(0, True)),
        normal(2, 3),
    ),
    "prod": (lambda x: x.prod(1), lambda x: x.prod(1), normal(2, 3)),
    "max": (lambda x: x.max(1) ** 3, lambda x: x.amax(1) ** 3, normal(2, 3)),
    "dot": (lambda x: T.dot(T.tanh(x), x.T), lambda x: torch.tanh(x) @ x.T, normal(2, 3)),
    "softmax": (T.nnet.softmax, lambda x: torch.softmax(x, 1), normal(2, 3)),
    "logsoftmax": (T.nnet.logsoftmax, lambda x: torch.log_softmax(x, 1), normal(2, 3)),
    "crossentropy": (
        lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), np.array([2, 0])),
        lambda x: F.cross_entropy(x, torch.tensor([2, 0]), reduction="none"),
        normal(2, 3),
    ),
    "conv2d": (
        lambda x: T.nnet.conv2d(T.tanh(x), x[:, :, :2, :2], filter_flip=False),
        lambda x: F.conv2d(torch.tanh(x), x[:, :, :2, :2]),
        normal(2, 2, 4, 4),
    ),
    "strided conv2d": (
        lambda x: T.nnet.conv2d(T.tanh(x), x[:, :, :2, :2],
            border_mode=1, subsample=2, filter_dilation=2, filter_flip=False),
        lambda x: F.conv2d(torch.tanh(x), x[:, :, :2, :2], padding=1, stride=2, dilation=2),
        normal(2, 2, 4, 4),
    ),
    "max pool": (
        lambda x: T.signal.pool.pool_2d(x, 2, ignore_border=True) ** 3,
        lambda x: F.max_pool2d(x, 2) ** 3,
        normal(2, 2, 4, 4),
    ),
    "mean pool": (
        lambda x: T.signal.pool.pool_2d(x**3, 2, ignore_border=True, mode="average_inc_pad") ** 2,
        lambda x: F.avg_pool2d(x**3, 2) ** 2,
        normal(2, 2, 4, 4),
    ),
    "sort": (lambda x: T.sort(x, 1) ** 3, lambda x: x.sort(1).values ** 3, normal(2, 3)),
    "cumsum": (lambda x: T.cumsum(x, 1) ** 3, lambda x: x.cumsum(1) ** 3, normal(2, 3)),
    "index arrays": (lambda x: x[[1, 0, 1], :2] ** 3, lambda x: x[[1, 0, 1], :2] ** 3, normal(2, 3)),
    "increments": (
        lambda x: T.inc_subtensor(x[[1, 0, 1], 0], x[0]) ** 3,
        lambda x: x.index_put((torch.tensor([1, 0, 1]), torch.tensor(0)), x[0], accumulate=True) ** 3,
        normal(2, 3),
    ),
    "inverse": (lambda x: T.nlinalg.matrix_inverse(x), torch.linalg.inv, normal(3, 3) + 3 * np.eye(3)),
    "determinant": (lambda x: T.nlinalg.det(x), torch.linalg.det, normal(3, 3)),
    "solve": (
        lambda x: T.slinalg.solve(x, T.sin(x)),
        lambda x: torch.linalg.solve(x, torch.sin(x)),
        normal(3, 3) + 3 * np.eye(3),
    ),
    "cholesky": (
        lambda x: T.slinalg.cholesky(T.dot(x, x.T)),
        lambda x: torch.linalg.cholesky(x @ x.T),
        normal(3, 3) + 3 * np.eye(3),
    ),
    "loop": (
        lambda x: scan(lambda row, h: T.tanh(row * h + row), x, T.ones_like(x[0]))[0],
        lambda x: torch_loop(x),
        normal(4, 3),
    ),
}  # fmt: skip


def torch_loop(x):
    h, states = torch.ones_like(x[0]), []
    for row in x:
        h = torch.tanh(row * h + row)
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_to_third_order(name):
    """Derive three times along fixed directions: each is one number, and uses all that there is."""
    ours, theirs, at = FORMULAS[name]
    x = T.TensorType("float64", (None,) * at.ndim)("x")
    y = tensor(at)
    out, peer = ours(x), theirs(y)
    cost = (out * normal(*peer.shape, seed=1)).sum()
    peer = (peer * torch.from_numpy(normal(*peer.shape, seed=1))).sum()
    slopes, expected = [], []
    for order in range(3):
        slope = grad(cost, x)
        (peer_slope,) = torch.autograd.grad(peer, y, create_graph=True)
        slopes.append(slope)
        expected.append(peer_slope.detach().numpy())
        direction = normal(*at.shape, seed=10 + order)
        cost, peer = (slope * direction).sum(), (peer_slope * torch.from_numpy(direction)).sum()
    for actual, peer_slope in zip(evaluate(slopes, {x: at}), expected, strict=True):
        np.testing.assert_allclose(actual, peer_slope, rtol=1e-8, atol=1e-8 * np.abs(peer_slope).max())


# ------------------------------------------------------------------------------------------ a small network

IMAGES, LABELS = normal(3, 1, 6, 6), np.array([1, 0, 3])
WEIGHTS = [normal(2, 1, 3, 3, seed=1), normal(2, seed=2), normal(8, 4, seed=3) / 3, normal(4, seed=4)]


def network(x, labels, w, b, v, c):
    maps = T.tanh(
        T.signal.pool.pool_2d(T.nnet.conv2d(x, w, filter_flip=False), 2, ignore_border=True)
        + b.dimshuffle("x", 0, "x", "x")
    )
    p = T.nnet.softmax(T.dot(maps.flatten(2), v) + c)
    return T.nnet.categorical_crossentropy(p, labels).mean()


def peer_network(w, b, v, c):
    maps = torch.tanh(F.max_pool2d(F.conv2d(torch.from_numpy(IMAGES), w), 2) + b[:, None, None])
    return F.cross_entropy(maps.flatten(1) @ v + c, torch.from_numpy(LABELS))


def variables():
    x, labels = T.dtensor4("x"), T.lvector("labels")
    weights = [T.TensorType("float64", w.shape)(name) for name, w in zip("wbvc", WEIGHTS, strict=True)]
    return x, labels, weights, network(x, labels, *weights)


def test_the_hessian_of_a_convolutional_network():
    x, labels, weights, cost = variables()
    blocks = [gradient.jacobian(slope, weights) for slope in grad(cost, weights)]
    values = function([x, labels, *weights], [block for row in blocks for block in row])(
        IMAGES, LABELS, *WEIGHTS
    )
    expected = torch.autograd.functional.hessian(peer_network, tuple(map(tensor, WEIGHTS)))
    for actual, peer in zip(values, [block for row in expected for block in row], strict=True):
        np.testing.assert_allclose(actual, peer, rtol=1e-8, atol=1e-10)
    diagonal = function([x, labels, *weights], gradient.hessian(cost, weights))(IMAGES, LABELS, *WEIGHTS)
    for actual, place in zip(diagonal, range(4), strict=True):
        np.testing.assert_allclose(actual, expected[place][place], rtol=1e-8, atol=1e-10)


def test_a_hessian_vector_product_of_a_convolutional_network():
    x, labels, weights, cost = variables()
    vector = [normal(*w.shape, seed=20 + i) for i, w in enumerate(WEIGHTS)]
    product = gradient.hessian_vector_product(cost, weights, vector)
    actual = function([x, labels, *weights], product)(IMAGES, LABELS, *WEIGHTS)
    expected = torch.autograd.functional.hvp(
        peer_network, tuple(map(tensor, WEIGHTS)), tuple(map(torch.from_numpy, vector))
    )[1]
    for mine, peer in zip(actual, expected, strict=True):
        np.testing.assert_allclose(mine, peer, rtol=1e-8, atol=1e-10)


def test_a_forward_derivative_is_a_forward_pass():
    """No convolution but the two of the product rule, none of the way back, and nothing of the cotangent."""
    x, labels, weights, cost = variables()
    points = [w.type(f"v_{w.name}") for w in weights]
    (value, slope) = rewrite([cost, Rop(cost, weights, points)], ALL)
    assert set(graph_inputs([value, slope])) >= {x, labels, *weights, *points}
    assert {each.name for each in graph_inputs([slope]) if each.name} == {
        "x", "labels", *(each.name for each in [*weights, *points]),
    }  # fmt: skip
    convolutions = [type(node.op).__name__ for node in walk([slope]) if isinstance(node.op, Convolution)]
    assert convolutions == ["Conv", "Conv"]
    assert len(walk([value, slope])) < 3 * len(walk([value]))


# ------------------------------------------------------------------------------------------ products


def test_products_of_several_functions_and_variables():
    x, y = T.dvectors("x", "y")
    f = [x * y, T.exp(x).sum(), x]
    at, by = normal(3), normal(3, seed=1)
    u = [normal(3, seed=2), np.float64(2.0), normal(3, seed=3)]
    v = [normal(3, seed=4), normal(3, seed=5)]
    left = function([x, y], Lop(f, [x, y], u))(at, by)
    np.testing.assert_allclose(left[0], u[0] * by + u[1] * np.exp(at) + u[2], rtol=1e-14)
    np.testing.assert_allclose(left[1], u[0] * at, rtol=1e-14)
    right = function([x, y], Rop(f, [x, y], v))(at, by)
    np.testing.assert_allclose(right[0], v[0] * by + v[1] * at, rtol=1e-14)
    np.testing.assert_allclose(right[1], (np.exp(at) * v[0]).sum(), rtol=1e-14)
    np.testing.assert_array_equal(right[2], v[0])


def test_a_function_inside_of_another_counts_in_both():
    x = T.dscalar("x")
    y = x**2
    z = T.exp(y)
    assert float(Lop([y, z], x, [1.0, 10.0]).eval({x: 0.5})) == pytest.approx(1 + 10 * np.exp(0.25))
    first, second = Rop((y, z), x, 1.0)
    assert float(first.eval({x: 0.5})) == 1.0
    assert float(second.eval({x: 0.5})) == pytest.approx(np.exp(0.25))


def test_products_keep_the_kind_they_were_asked_for():
    x = T.dvector("x")
    assert isinstance(Rop([x], x, x), list)
    assert isinstance(Rop((x,), x, x), tuple)
    assert isinstance(Lop(x, (x,), x), tuple)
    assert isinstance(gradient.jacobian(x * 2, [x]), list)


def test_products_that_are_refused():
    x, y, i = T.dvector("x"), T.dvector("y"), T.lvector("i")
    with pytest.raises(DisconnectedInputError):
        Rop(x * 2, y, y)
    assert Rop(x * 2, y, y, "ignore", "none") is None
    np.testing.assert_array_equal(Rop(x * 2, y, y, "ignore").eval({x: [1, 2], y: [3]}), [0, 0])
    with pytest.raises(ShapeError, match=r"Rop: what is given for x"):
        Rop(x * 2, x, 1.0)
    with pytest.raises(ShapeError, match="number of points"):
        Lop([x, x * 2], x, [x])
    with pytest.raises(DTypeError, match=r"Lop: argument `f`"):
        Lop(i, x, i)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1, 3)])
def test_jacobians_of_every_shape(shape):
    x = T.TensorType("float64", (None,) * len(shape))("x")
    matrix = gradient.jacobian(T.tanh(x).sum(0, keepdims=True) * x, x)
    at = normal(*shape)
    expected = torch.autograd.functional.jacobian(lambda x: torch.tanh(x).sum(0, True) * x, tensor(at))
    np.testing.assert_allclose(function([x], matrix)(at), expected, rtol=1e-13, atol=1e-13)


def test_the_jacobian_of_a_scalar_or_of_nothing():
    x = T.dvector("x")
    assert gradient.jacobian(x * 2, x).eval({x: []}).shape == (0, 0)
    np.testing.assert_array_equal(gradient.jacobian(x.sum(), x).eval({x: [1, 2]}), [1, 1])


def test_the_hessian_of_a_linear_function_is_zero():
    x = T.dvector("x")
    np.testing.assert_array_equal(gradient.hessian(x.sum(), x).eval({x: [1, 2]}), np.zeros((2, 2)))
    with pytest.raises(DisconnectedInputError):
        gradient.hessian(x.sum(), T.dvector("y"))


def test_gradients_through_parts_of_a_graph():
    x, w, v = T.dvectors("x", "w", "v")
    hidden = T.tanh(x * w)
    cost = (hidden * v).sum()
    by_v, by_hidden = subgraph_grad([v], [hidden], cost=cost)
    by_w, by_x, due_to_start, due_to_cost = subgraph_grad(
        [w], [x], start={hidden: by_hidden[0]}, cost=(x**2).sum(), details=True
    )
    actual = function([x, w, v], [*by_v, *by_w, *by_x, *due_to_start, *due_to_cost])
    expected = function([x, w, v], [*grad(cost, [v, w]), grad(cost + (x**2).sum(), x), grad(cost, x), x * 2])
    arguments = [normal(3, seed=i) for i in range(3)]
    for mine, theirs in zip(actual(*arguments), expected(*arguments), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)


# ------------------------------------------------------------------------------------------ vectorize


def test_vectorize_keeps_what_is_common():
    x, w = T.dvector("x"), T.dmatrix("w")
    many = T.dmatrix("many")
    common = T.exp(w)
    out = vectorize(T.dot(common, x), {x: many})
    assert common in [each for node in walk([out]) for each in node.inputs]
    at, by = normal(2, 3), normal(4, 3, seed=1)
    np.testing.assert_allclose(function([w, many], out)(at, by), by @ np.exp(at).T, rtol=1e-13)


def test_every_result_has_the_batch_axis():
    x, y, many = T.dvector("x"), T.dvector("y"), T.dmatrix("many")
    first, second = vectorize([x.sum(), y * 2], {x: many})
    assert (first.ndim, second.ndim) == (1, 2)
    values = function([many, y], [first, second])(np.ones((3, 2)), [1.0])
    np.testing.assert_array_equal(values[0], [2, 2, 2])
    np.testing.assert_array_equal(values[1], [[2], [2], [2]])


def test_vectorize_twice():
    x, many, more = T.dscalar("x"), T.dvector("many"), T.dmatrix("more")
    out = vectorize(vectorize(T.exp(x), {x: many}), {many: more})
    at = normal(2, 3)
    np.testing.assert_allclose(out.eval({more: at}), np.exp(at), rtol=1e-15)


def test_gradients_of_every_example():
    x, t, w, v = T.dvector("x"), T.dvector("t"), T.dmatrix("w"), T.dmatrix("v")
    many, targets = T.dmatrix("many"), T.dmatrix("targets")
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, w)), v))
    cost = -(t * T.log(p)).sum()
    slopes = grad(cost, [w, v])
    every = function([many, targets, w, v], vectorize(slopes, {x: many, t: targets}))
    one = function([x, t, w, v], slopes)
    examples, goals = normal(3, 4), normal(3, 2, seed=1)
    weights = [normal(4, 5, seed=2), normal(5, 2, seed=3)]
    results = every(examples, goals, *weights)
    for place in range(3):
        for mine, theirs in zip(results, one(examples[place], goals[place], *weights), strict=True):
            np.testing.assert_allclose(mine[place], theirs, rtol=1e-12, atol=1e-14)


PATTERNS = {
    "an integer": lambda x, i, v: x[i],
    "an integer behind a slice": lambda x, i, v: x[1:, i, ::2],
    "an array": lambda x, i, v: x[v],
    "an array behind a slice": lambda x, i, v: x[:, v],
    "arrays on both sides of a slice": lambda x, i, v: x[v, :, v],
    "an array and an integer apart": lambda x, i, v: x[v, :, i],
    "arrays, integers and new axes": lambda x, i, v: x[i, v, None, v],
    "a matrix of indices": lambda x, i, v: x[:, T.stack([v, v])],
}


@pytest.mark.parametrize("batched", ["x", "i", "v", "xi", "xv", "iv", "xiv"])
@pytest.mark.parametrize("name", PATTERNS)
def test_indices_over_a_batch(name, batched):
    """Pick, and scatter what was picked: where the array, the index or both have a batch."""
    x, i, v = T.dtensor3("x"), T.lscalar("i"), T.lvector("v")
    part = PATTERNS[name](x, i, v)
    outputs = [part, T.inc_subtensor(part, part * 2), T.set_subtensor(part, part * part)]
    rng = np.random.default_rng(0)
    arrays = {
        x: rng.normal(size=(3, 4, 3, 3)),
        i: rng.integers(-3, 3, 3),
        v: np.array([[0, 2], [2, -2], [1, 1]]),
    }
    varied = [each for each in (x, i, v) if each.name in batched]
    batches = {each: T.TensorType(each.dtype, (None,) * (each.ndim + 1))() for each in varied}
    given = {each: arrays[each] if each in batches else arrays[each][0] for each in (x, i, v)}
    results = evaluate(vectorize(outputs, batches), {batches.get(each, each): given[each] for each in given})
    for place in range(3):
        entry = {each: np.asarray(given[each][place] if each in batches else given[each]) for each in given}
        for result, alone in zip(results, evaluate(outputs, entry), strict=True):
            np.testing.assert_array_equal(result[place], alone)


def test_gradients_of_every_example_of_a_convolutional_network():
    x, labels, weights, cost = variables()
    image, label = T.dtensor4("image"), T.lvector("label")
    slopes = grad(network(image, label, *weights), weights)
    many, goals = T.TensorType("float64", (None,) * 5)("many"), T.lmatrix("goals")
    every = function([many, goals, *weights], vectorize(slopes, {image: many, label: goals}))
    one = function([x, labels, *weights], grad(cost, weights))
    results = every(IMAGES[:, None], LABELS[:, None], *WEIGHTS)
    for place in range(3):
        alone = one(IMAGES[place : place + 1], LABELS[place : place + 1], *WEIGHTS)
        for mine, theirs in zip(results, alone, strict=True):
            np.testing.assert_allclose(mine[place], theirs, rtol=1e-12, atol=1e-14)


def test_a_loop_over_a_batch_stays_one_loop():
    x, h, w = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w")
    states, _ = scan(lambda row, h, w: T.tanh(row + T.dot(h, w)), x, h, w)
    cost = (states**2).sum()
    outputs = [states, *grad(cost, [x, h, w])]
    many = T.dtensor3("many")
    batched = vectorize(outputs, {x: many})
    loops = [node for node in walk(batched) if isinstance(node.op, Scan)]
    assert len(loops) == len([node for node in walk(outputs) if isinstance(node.op, Scan)])
    arrays = [normal(3, 5, 4), normal(4, seed=1), normal(4, 4, seed=2)]
    results = function([many, h, w], batched)(*arrays)
    alone = function([x, h, w], outputs)
    for place in range(3):
        for mine, theirs in zip(results, alone(arrays[0][place], *arrays[1:]), strict=True):
            np.testing.assert_allclose(mine[place], theirs, rtol=1e-12, atol=1e-14)


def test_what_vectorize_refuses():
    x = T.dvector("x")
    with pytest.raises(ShapeError, match="vectorize: what stands for x"):
        vectorize(x * 2, {x: T.dvector()})
    with pytest.raises(GraphError, match="at least one"):
        vectorize(x * 2, {})


# ------------------------------------------------------------------------------------------ verify_grad


def test_verify_grad_accepts_what_is_right_and_finds_what_is_wrong():
    gradient.verify_grad(
        lambda x, y: T.dot(T.tanh(x), y), [normal(2, 3), normal(3, 2)], rng=np.random.RandomState(1)
    )
    gradient.verify_grad(T.tanh, [normal(3, dtype="float32")], n_tests=1, cast_to_output_type=True)
    gradient.verify_grad(
        lambda x: T.cast(x, "float32") ** 2, [normal(3)], out_type="float32", mode="reference"
    )
    with pytest.raises(gradient.GradientError, match=r"argument 0 is wrong at \(1,\)"):
        gradient.verify_grad(lambda x: T.switch([0.0, 1.0], gradient.grad_scale(x, 2), x), [np.ones(2)])
    with pytest.raises(gradient.GradientError):
        gradient.verify_grad(lambda x: gradient.grad_scale(x, np.nan), [np.ones(2)])
    with pytest.raises(DTypeError, match="argument 0 of `pt`"):
        gradient.verify_grad(lambda x: x * 2.0, [np.arange(3)])


def test_numeric_gradients_keep_the_kind_of_the_point():
    one = gradient.numeric_grad(lambda x: (x**3).sum(), np.array([1.0, 2.0]))
    np.testing.assert_allclose(one.gf, [3, 12], rtol=1e-5)
    (first, second) = gradient.numeric_grad(lambda x, y: x * y, [np.array(2.0), np.array(5.0)]).gf
    assert (round(float(first), 5), round(float(second), 5)) == (5, 2)
    number, place, absolute, relative = one.max_err(np.array([3.0, 13.0]), 1e-4, 1e-4)
    assert (number, place) == (0, 1)
    assert absolute == pytest.approx(1, rel=1e-4)
    assert relative == pytest.approx(1 / 25, rel=1e-4)
