"""Loops: what they compute, and that they run natively."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import arignote
from arignote import function, grad, gradient, scan, shared
from arignote import tensor as T
from arignote.compile.objects import cache_statistics
from arignote.engine.errors import DTypeError, GraphError, NotFiniteError, ShapeError, UndefinedGradientError
from arignote.engine.graph import Op, walk
from arignote.engine.ops.index import IncSubtensor
from arignote.engine.ops.scan import Scan
from arignote.ifelse import ifelse
from arignote.scan_module import until
from arignote.tensor.shared_randomstreams import RandomStreams

modes = pytest.mark.parametrize("mode", ["compiled", "reference", "debug"])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def loops(f):
    """Return the loops in the graph that a function computes."""
    outputs = [*f._outputs, *(new for _, new in f._updates)]
    return [node for node in walk(outputs) if isinstance(node.op, Scan)]


def recurrent(x, h, w, u, **options):
    return scan(lambda row, h: T.tanh(T.dot(row, w) + T.dot(h, u)), x, h, **options)[0]


# ------------------------------------------------------------------------------------------ PyTorch


def lstm(x, h, c, w, u, b):
    size = u.get_value().shape[1] // 4

    def step(row, h, c):
        gates = T.dot(row, w) + T.dot(h, u) + b
        i, f, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        c = T.nnet.sigmoid(f) * c + T.nnet.sigmoid(i) * T.tanh(g)
        return T.nnet.sigmoid(o) * T.tanh(c), c

    return scan(step, x, [h, c])[0]


def gru(x, h, w, u, b, d):
    size = u.get_value().shape[1] // 3

    def step(row, h):
        a, r = T.dot(row, w) + b, T.dot(h, u) + d
        reset, keep = (T.nnet.sigmoid((a + r)[:, k * size : (k + 1) * size]) for k in range(2))
        new = T.tanh(a[:, 2 * size :] + reset * r[:, 2 * size :])
        return (1 - keep) * new + keep * h

    return [scan(step, x, h)[0]]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_lstm_and_gru_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(5, 4, dtype=torch.float64)
    x, h, c = normal(7, 3, 5), normal(3, 4, seed=1), normal(3, 4, seed=2)
    weight_x, weight_h, bias_x, bias_h = (p.detach().numpy() for p in layer.parameters())
    w, u = shared(weight_x.T.copy()), shared(weight_h.T.copy())
    X, H, C = T.dtensor3("x"), T.dmatrix("h"), T.dmatrix("c")
    if kind == "LSTM":
        biases = [shared(bias_x + bias_h)]
        states, outputs = [H, C], lstm(X, H, C, w, u, *biases)
    else:
        biases = [shared(bias_x), shared(bias_h)]
        states, outputs = [H], gru(X, H, w, u, *biases)
    projections = [normal(7, 3, 4, seed=5 + place) for place in range(len(states))]
    cost = T.sum(outputs[0] * projections[0]) + sum(T.sum(out[-1] ** 2) for out in outputs)
    wrt = [X, *states, w, u, *biases]
    f = function([X, *states], [outputs[0], *grad(cost, wrt)], profile=True)
    values = [x, h, c][: 1 + len(states)]
    out, *gradients = f(*values)
    assert f.profile.native_calls == 1

    tensors = [torch.tensor(value, requires_grad=True) for value in values]
    start = tuple(tensor[None] for tensor in tensors[1:])
    expected, last = layer(tensors[0], start if kind == "LSTM" else start[0])
    last = last if kind == "LSTM" else (last,)
    loss = (expected * torch.tensor(projections[0])).sum() + sum((state**2).sum() for state in last)
    loss.backward()
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=0, atol=1e-12)
    wanted = [tensor.grad.numpy() for tensor in tensors]
    slopes = [parameter.grad.numpy() for parameter in layer.parameters()]
    wanted += [slopes[0].T, slopes[1].T, *slopes[2 : 2 + len(biases)]]
    for actual, slope in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(actual, slope, rtol=0, atol=1e-9)


# ------------------------------------------------------------------------------------------ gradients


def test_third_derivatives_are_the_slopes_of_the_second():
    x, h, w, u = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w"), T.dmatrix("u")
    wrt = [x, h, w, u]
    values = [normal(3, 2), normal(2, seed=1), normal(2, 2, seed=2), normal(2, 2, seed=3)]
    directions = [normal(*value.shape, seed=9) for value in values]

    def along(scalar):
        return sum(T.sum(g * d) for g, d in zip(grad(scalar, wrt), directions, strict=True))

    orders = [T.sum(recurrent(x, h, w, u) ** 2)]
    for _ in range(3):
        orders.append(along(orders[-1]))
    f = function(wrt, orders)
    step = 1e-5
    ahead = f(*(value + step * d for value, d in zip(values, directions, strict=True)))
    behind = f(*(value - step * d for value, d in zip(values, directions, strict=True)))
    slopes = (np.array(ahead) - np.array(behind)) / (2 * step)
    np.testing.assert_allclose(f(*values)[1:], slopes[:-1], rtol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_a_truncated_gradient_follows_the_last_steps(length):
    x, h, w, u = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w"), T.dmatrix("u")
    values = [normal(6, 2), normal(2, seed=1), normal(2, 2, seed=2), normal(2, 2, seed=3)]
    out = recurrent(x, h, w, u, truncate_gradient=length)
    f = function([x, h, w, u], grad(T.sum(out**2), [x, h, w, u]))
    xv, hv, wv, uv = values
    states = [hv]
    for row in xv:
        states.append(np.tanh(row @ wv + states[-1] @ uv))
    expected = [np.zeros_like(value) for value in values]
    back = np.zeros(2)
    for t in reversed(range(6 - length, 6)):
        delta = (2 * states[t + 1] + back) * (1 - states[t + 1] ** 2)
        expected[0][t] = wv @ delta
        expected[2] += np.outer(xv[t], delta)
        expected[3] += np.outer(states[t], delta)
        back = uv @ delta
    expected[1] = back if length == 6 else np.zeros(2)
    for actual, value in zip(f(*values), expected, strict=True):
        np.testing.assert_allclose(actual, value, atol=1e-12)


@modes
def test_taps_and_their_gradient(mode):
    x, first = T.dvector("x"), T.dvector("first")
    out, _ = scan(
        lambda ahead, now, third, last: ahead * now + last / 2 - third**2,
        {"input": x, "taps": [1, 0]},
        {"initial": first, "taps": [-3, -1]},
        go_backwards=True,
    )

    def meaning(x, first):
        values = list(first)
        for t in reversed(range(len(x) - 1)):
            values.append(x[t + 1] * x[t] + values[-1] / 2 - values[-3] ** 2)
        return np.array(values[3:])

    f = function([x, first], [out, *grad(T.sum(out**2), [x, first])], mode=mode)
    for steps in (5, 1, 0):
        xv, fv = normal(steps + 1), normal(3, seed=1) / 2
        value, *slopes = f(xv, fv)
        np.testing.assert_allclose(value, meaning(xv, fv), atol=1e-13)
        dx, df = normal(steps + 1, seed=2), normal(3, seed=3)
        ahead, behind = (np.sum(meaning(xv + s * dx, fv + s * df) ** 2) for s in (1e-6, -1e-6))
        along = slopes[0] @ dx + slopes[1] @ df
        np.testing.assert_allclose(along, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------------------------ until, updates


@modes
def test_until_ends_a_loop_and_its_gradient(mode):
    x, most = T.dscalar("x"), T.lscalar("most")
    out, _ = scan(lambda p: (p * x, until(p * x > 100)), outputs_info=T.ones(()), n_steps=most)
    f = function([x, most], [out, out[-1], grad(T.sum(out), x), grad(out[-1], x)], mode=mode)
    for most_, count in ((50, 5), (3, 3), (5, 5)):
        powers, last, slope, of_last = f(3.0, most_)
        np.testing.assert_array_equal(powers, 3.0 ** np.arange(1, count + 1))
        assert last == 3.0**count
        np.testing.assert_allclose(slope, sum(k * 3.0 ** (k - 1) for k in range(1, count + 1)))
        np.testing.assert_allclose(of_last, count * 3.0 ** (count - 1))


@modes
def test_updates_are_carried_from_step_to_step(mode):
    count, log = shared(np.asarray(5.0), "count"), shared(np.zeros(2), "log")
    x = T.dvector("x")

    def step(row):
        return row * count, {count: count + 1, log: log * 2 + row}

    out, updates = scan(step, x)
    assert set(updates) == {count, log}
    f = function([x], out, updates=updates, mode=mode)
    np.testing.assert_array_equal(f([1.0, 2.0, 3.0]), [5, 12, 21])
    assert count.get_value() == 8
    assert log.get_value().tolist() == [11, 11]
    f([])
    assert (count.get_value(), log.get_value().tolist()) == (8, [11, 11])


def test_updates_behind_until_are_those_of_the_last_step_that_ran():
    count = shared(np.asarray(0), "count")
    _, updates = scan(lambda: ({count: count + 1}, until(T.ge(count, 3))), n_steps=10)
    function([], updates=updates)()
    assert count.get_value() == 4


def drawn(mode):
    streams = RandomStreams(7)
    noise = streams.uniform((3,))
    out, updates = scan(lambda h: h / 2 + streams.normal((3,)) + noise, outputs_info=T.zeros(3), n_steps=4)
    f = function([], out, updates=updates, mode=mode)
    return np.array([f(), f()])


def test_streams_inside_a_loop_draw_the_same_in_all_modes():
    values = drawn("compiled")
    assert len(np.unique(values)) == values.size
    np.testing.assert_allclose(values, drawn("reference"), rtol=1e-13)


def test_a_draw_that_is_given_is_the_same_in_every_step():
    streams = RandomStreams(7)
    given, own = streams.uniform(()), streams.uniform(())
    f = function([], scan(lambda given: given, non_sequences=given, n_steps=3)[0])
    assert len(set(f().tolist())) == 1
    out, updates = scan(lambda: own, n_steps=3)
    assert len(set(function([], out, updates=updates)().tolist())) == 3


# ------------------------------------------------------------------------------------------ native loops


def test_a_loop_is_one_native_call_whatever_its_length():
    x, h, w, u = T.dmatrix("x"), T.dvector("h"), shared(normal(3, 3)), shared(normal(3, 3, seed=1))
    out = recurrent(x, h, w, u)
    f = function([x, h], [out, *grad(T.sum(out), [w, u])], profile=True)
    assert {loop.origin.filename for loop in loops(f)} == {__file__}
    known = None
    for steps in (4, 9, 0, 1):
        xv, hv = normal(steps, 3), normal(3, seed=2)
        state, expected = hv, []
        for row in xv:
            state = np.tanh(row @ w.get_value() + state @ u.get_value())
            expected.append(state)
        np.testing.assert_allclose(f(xv, hv)[0], np.reshape(expected, (steps, 3)), atol=1e-14)
        statistics = cache_statistics()
        known = known or (statistics.compiled, statistics.loaded)
        assert (statistics.compiled, statistics.loaded) == known
    assert f.profile.native_calls == f.profile.runs == 4


def test_a_hundred_thousand_steps_of_which_the_last_is_used():
    x = T.dvector("x")
    out, _ = scan(lambda t, h: h * 0.999 + t, x, T.zeros(()))
    f = function([x], out[-1], profile=True)
    values = normal(100_000)
    expected = 0.0
    for value in values:
        expected = expected * 0.999 + value
    assert float(f(values)) == pytest.approx(expected, rel=1e-12)
    assert f.profile.arena < 1000  # of 800,000 bytes for all values


def test_loops_in_loops_that_pick_by_what_they_compute():
    table, places = T.dmatrix("table"), T.lmatrix("places")

    def row(indices):
        return scan(lambda i, h: T.tanh(h + table[i] * table[0, i]), indices, T.zeros(3))[0][-1]

    out, _ = arignote.map(row, places)
    f = function([table, places], [out, grad(T.sum(out), table)], profile=True)
    tv, pv = normal(4, 3), np.array([[1, 2, -3], [2, 2, 1]])

    def meaning(tv):
        result = np.zeros((2, 3))
        for state, indices in zip(result, pv, strict=True):
            for i in indices:
                state[:] = np.tanh(state + tv[i] * tv[0, i])
        return result

    value, slope = f(tv, pv)
    assert f.profile.native_calls == 1
    np.testing.assert_allclose(value, meaning(tv), atol=1e-14)
    direction = normal(4, 3, seed=4)
    ahead, behind = (meaning(tv + s * direction).sum() for s in (1e-6, -1e-6))
    np.testing.assert_allclose(np.sum(slope * direction), (ahead - behind) / 2e-6, rtol=1e-7)


@modes
def test_an_index_out_of_range_names_the_step_and_changes_nothing(mode):
    table, places, total = T.dmatrix("table"), T.lvector("places"), shared(np.zeros(2), "total")
    _, updates = scan(lambda i: {total: total + table[i]}, places)
    f = function([table, places], updates=updates, mode=mode)
    f(np.ones((3, 2)), [0, 1])
    with pytest.raises(GraphError, match=r"index 3 .*\(step 1 of scan\)\n  at: .*test_scan.py"):
        f(np.ones((3, 2)), [2, 3, 0])
    assert total.get_value().tolist() == [2, 2]
    f(np.ones((3, 2)), [0])
    assert total.get_value().tolist() == [3, 3]


def test_a_number_of_steps_that_no_shape_tells():
    a, n, m = T.dvector("a"), T.lscalar("n"), T.iscalar("m")
    power = function([a, n], scan(lambda p, a: p * a, None, T.ones_like(a), a, n)[0][-1])
    for steps in (2, 4, 1, 2):
        assert power([2.0, 3.0], steps).tolist() == [2.0**steps, 3.0**steps]
    summed = function([a, m], scan(lambda t, s: s + T.sum(t + T.arange(m)), a, T.zeros(()))[0][-1])
    for length in (2, 3, 1):
        assert summed([1.0, 2.0], length) == 3 * length + 2 * sum(range(length))


def test_windows_of_sequences_that_arguments_move():
    x, i = T.dmatrix("x"), T.lscalar("i")
    out, _ = scan(lambda row, h: h + row, x[i : i + 2, ::-1], T.zeros(3))
    f = function([x, i], out[-1])
    xv = normal(6, 3)
    for place in (0, 3):
        np.testing.assert_allclose(f(xv, place), xv[place : place + 2, ::-1].sum(0), atol=1e-15)


def test_an_integer_that_decides_shapes_inside_a_step():
    x, n = T.dvector("x"), T.lscalar("n")
    out, _ = scan(lambda t: T.sum(t * T.ones((n,)) + T.arange(n)), x)
    f = function([x, n], out)
    for n_ in (3, 5):
        np.testing.assert_allclose(f([1.0, 2.0], n_), [n_ + sum(range(n_)), 2 * n_ + sum(range(n_))])


@dataclass(frozen=True)
class Twice(Op):
    """A user's op without a kernel."""

    def infer(self, types, values):
        return types

    def perform(self, *arrays):
        return (arrays[0] * 2,)


@modes
def test_steps_that_python_computes(mode):
    x, h = T.dvector("x"), T.dscalar("h")
    out, _ = scan(lambda t, h: ifelse(t > 0, Twice()(h) + t, h - 1), x, h)
    f = function([x, h], [out * 2, T.sum(out)], mode=mode)
    values, total = f([1.0, -1.0, 2.0], 3.0)
    assert values.tolist() == [14, 12, 28]
    assert total == 27


def test_shapes_that_differ_from_step_to_step():
    n = T.lvector("n")
    out, _ = scan(lambda n: T.sum(T.arange(n)), n)
    assert function([n], out)([1, 4, 0]).tolist() == [0, 6, 0]


def test_a_function_with_a_loop_survives_pickling():
    x, h, w, u = T.dmatrix("x"), T.dvector("h"), shared(normal(3, 3)), shared(normal(3, 3, seed=1))
    f = function([x, h], grad(T.sum(recurrent(x, h, w, u)), [w, u]))
    restored = pickle.loads(pickle.dumps(f))
    values = normal(4, 3), normal(3)
    for one, other in zip(f(*values), restored(*values), strict=True):
        np.testing.assert_array_equal(one, other)


def test_nan_guard_names_the_line_in_the_step():
    x = T.dvector("x")
    out, _ = scan(lambda t: T.log(t) * 2, x)
    f = function([x], out, mode="nan_guard")
    assert f([1.0]).tolist() == [0]
    with pytest.raises(NotFiniteError, match=r"Log: .*\n  at: .*T.log\(t\) \* 2"):
        f([1.0, -1.0])


# ------------------------------------------------------------------------------------------ trimming


def test_what_is_not_used_is_not_computed():
    x, a, b = T.dvector("x"), T.dscalar("a"), T.dscalar("b")
    (first, second, third), _ = scan(lambda t, p, q: [p + t, q * p, t * 2], x, [a, b, None])
    f = function([x, a, b], first)
    (loop,) = loops(f)
    assert (len(loop.op.states), loop.op.collected) == (1, 0)
    (loop,) = loops(function([x, a, b], second))
    assert (len(loop.op.states), loop.op.collected) == (2, 0)
    assert function([x, a, b], [third, second[-1]])([1.0, 2.0], 1.0, 1.0)[1] == 2


def test_what_is_the_same_in_every_step_is_computed_once():
    x, w = T.dvector("x"), T.dmatrix("w")
    out, _ = scan(lambda t, h, w: h * t + T.exp(w).sum(), x, T.zeros(()), w)
    f = function([x, w], [out, grad(T.sum(out), w)])
    for loop in loops(f):
        assert not any(type(node.op).__name__ == "Exp" for node in loop.op.inner.nodes)
    values, slope = f([2.0, 3.0], np.zeros((1, 2)))
    assert values.tolist() == [2, 8]
    assert slope.tolist() == [[5, 5]]  # w is in the first value once, in the second 3 + 1 times


def test_products_are_done_before_and_behind_a_loop():
    x, h, w, u = T.dmatrix("x"), T.dvector("h"), shared(normal(3, 3)), shared(normal(3, 3, seed=1))
    out = recurrent(x, h, w, u)
    f = function([x, h], grad(T.sum(out), [w, u]))
    products = [sum(type(node.op).__name__ == "Dot" for node in loop.op.inner.nodes) for loop in loops(f)]
    assert products == [1, 1]  # forward and backward: the state's own product


def test_gradients_of_rows_that_steps_pick_are_added_up_behind_a_loop():
    table, places = T.dmatrix("table"), T.lvector("places")
    out, _ = scan(lambda i, h: T.tanh(h * table[i]), places, T.ones(3))
    f = function([table, places], grad(T.sum(out), table))
    inside = [node for loop in loops(f) for node in loop.op.inner.nodes]
    assert not any(isinstance(node.op, IncSubtensor) for node in inside)
    tv, pv, direction = normal(4, 3), np.array([1, 3, 1]), normal(4, 3, seed=1)

    def meaning(tv):
        state, total = np.ones(3), 0.0
        for i in pv:
            state = np.tanh(state * tv[i])
            total += state.sum()
        return total

    ahead, behind = (meaning(tv + s * direction) for s in (1e-6, -1e-6))
    np.testing.assert_allclose(np.sum(f(tv, pv) * direction), (ahead - behind) / 2e-6, rtol=1e-7)


def test_a_derivative_that_a_step_does_not_have():
    x, h, w = T.dvector("x"), T.dscalar("h"), T.dscalar("w")
    out, _ = scan(lambda t, h: h * t + gradient.undefined_grad(w), x, h)
    function([x, h, w], grad(T.sum(out), [x, h]))
    with pytest.raises(UndefinedGradientError):
        grad(T.sum(out), w)
    out, _ = scan(lambda t, h: gradient.undefined_grad(h) * t, x, h)
    with pytest.raises(UndefinedGradientError):
        grad(T.sum(out), x)


def test_the_last_value_of_no_steps_is_refused_where_only_it_is_kept():
    x, h = T.dvector("x"), T.dscalar("h")
    f = function([x, h], scan(lambda t, h: h + t, x, h)[0][-1])
    assert f([1.0], 2.0) == 3
    with pytest.raises(ShapeError, match="index -1"):
        f([], 2.0)


# ------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda x: scan(lambda h: h + x[0], None, np.float32(0), n_steps=2),
            DTypeError,
            "float64.*fix: .*cast",
        ),
        (
            lambda x: scan(lambda h: h + x, None, T.zeros(()), n_steps=2),
            ShapeError,
            "1 dimensions, its initial",
        ),
        (lambda x: scan(lambda h: h, None, T.zeros(())), GraphError, "how many steps"),
        (lambda x: scan(lambda t, h: [h, t], x, T.zeros(())), ShapeError, "returns 2 outputs"),
        (lambda x: scan(lambda t: "no", x), GraphError, "what the step returns"),
        (lambda x: scan(lambda h: h, None, {"initial": x, "taps": [1]}, n_steps=2), GraphError, "negative"),
        (lambda x: scan(lambda t: t, T.dscalar("s")), ShapeError, "takes a row"),
        (lambda x: scan(lambda t: t * x, T.ones(2), strict=True), GraphError, "the step uses x"),
        (lambda x: scan(lambda t: t, x, n_steps=2.5), DTypeError, "an integer"),
        (lambda x: scan(lambda t: t, x, n_steps=-1), ShapeError, "n_steps"),
        (lambda x: until(x), DTypeError, "a scalar"),
    ],
)
def test_mistakes_are_explained(make, error, message):
    x = T.dvector("x")
    with pytest.raises(error, match=f"(?s){message}"):
        make(x)


@modes
def test_shapes_that_do_not_fit_are_refused_at_the_call(mode):
    x, h, n = T.dmatrix("x"), T.dvector("h"), T.lscalar("n")
    f = function([x, h, n], scan(lambda row, h: row + 1, x, h, n_steps=n)[0], mode=mode)
    with pytest.raises(ShapeError, match="expected: 5 rows"):
        f(normal(2, 3), normal(3), 5)
    with pytest.raises(ShapeError, match="shape of state 0 changes"):
        f(normal(2, 3), normal(4), 2)
    with pytest.raises(ShapeError, match="n_steps"):
        f(normal(2, 3), normal(3), -1)


def test_the_last_value_behind_until_is_kept_alone():
    x = T.dvector("x")
    (total, count), _ = scan(
        lambda t, total, count: ([total + t, count + 1], until(total + t > 2)), x, [T.zeros(()), T.zeros(())]
    )
    f = function([x], [total[-1], count[-1]])
    (loop,) = loops(f)
    assert not any(state.kept for state in loop.op.states)
    assert f(np.ones(9)) == [3, 3]
    assert f(np.ones(2)) == [2, 2]
