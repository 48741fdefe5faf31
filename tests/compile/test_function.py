import copy
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict

import numpy as np
import pytest

from arignote import clone, function, grad, shared
from arignote import tensor as T
from arignote.compile import In, Mode, Out, get_mode
from arignote.compile.objects import cache_statistics
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.evaluate import evaluate

MODES = pytest.mark.parametrize("mode", ["compiled", "reference"])


# ------------------------------------------------------------------------------------------ inputs, outputs


@MODES
def test_forms_of_outputs(mode):
    x = T.dvector("x")
    a = np.array([1.0, 2.0])
    assert function([x], x * 2, mode=mode)(a).tolist() == [2.0, 4.0]
    assert [y.tolist() for y in function([x], [x * 2], mode=mode)(a)] == [[2.0, 4.0]]
    assert [y.tolist() for y in function([x], (x * 2, x.sum()), mode=mode)(a)] == [[2.0, 4.0], 3.0]
    assert function([x], [], mode=mode, on_unused_input="ignore")(a) == []
    assert function([x], None, mode=mode, on_unused_input="ignore")(a) is None
    assert function([], 3.0, mode=mode)() == 3.0


@MODES
def test_outputs_are_new_arrays(mode):
    x, w = T.dvector("x"), shared(np.zeros(3))
    f = function([x], [x, x, x[::-1], w, w * 1, x.reshape((3, 1)), T.constant(np.ones(3))], mode=mode)
    a = np.array([1.0, 2.0, 3.0])
    results = f(a)
    for result in results:
        assert result.flags.writeable
        result[...] = -1
    assert a.tolist() == [1, 2, 3]
    assert w.get_value().tolist() == [0, 0, 0]
    assert [result.ravel().tolist() for result in f(a)] == [
        [1, 2, 3], [1, 2, 3], [3, 2, 1], [0, 0, 0], [0, 0, 0], [1, 2, 3], [1, 1, 1],
    ]  # fmt: skip


@MODES
def test_results_of_one_call_outlive_the_next(mode):
    x = T.dvector("x")
    f = function([x], [T.exp(x), x.sum()], mode=mode)
    first, total = f([0.0, 1.0])
    f([5.0, 6.0])
    assert (first.tolist(), total) == ([1.0, np.e], 1.0)


@MODES
def test_arguments_in_order_and_by_name(mode):
    x, y = T.dscalars("x", "y")
    f = function([x, y], x - y, mode=mode)
    assert f(3, 1) == f(3, y=1) == f(y=1, x=3) == 2.0


def test_an_input_inside_of_the_graph():
    x = T.dscalar("x")
    middle = T.exp(x)
    assert function([middle], middle + 1)(2.0) == 3.0
    assert function([x, middle], middle + x)(1.0, 5.0) == 6.0


def test_unused_inputs():
    x, y = T.dscalars("x", "y")
    assert function([x, y], x * 2, on_unused_input="ignore")(1, 2) == 2.0
    with pytest.warns(UserWarning, match="y is not used"):
        function([x, y], x * 2, on_unused_input="warn")


def test_losing_precision():
    x, i = T.fvector("x"), T.bvector("i")
    wide = np.array([0.1])
    assert function([x], x)([0.1]) == np.float32(0.1)
    with pytest.raises(TypeError):
        function([x], x)(wide)
    with pytest.raises(TypeError):
        function([x], x, allow_input_downcast=False)([0.1])
    assert function([x], x, allow_input_downcast=True)(wide) == np.float32(0.1)
    assert function([i], i)(np.array([100, -3], "int64")).tolist() == [100, -3]
    with pytest.raises(TypeError):
        function([i], i)(np.array([200]))


@pytest.mark.parametrize("alias", [("FAST_RUN", "compiled"), ("FAST_COMPILE", "reference")])
def test_theanos_names_of_modes(alias):
    x = T.dscalar("x")
    assert function([x], x * 2, mode=alias[0])(2.0) == function([x], x * 2, mode=alias[1])(2.0) == 4.0


def test_eval():
    x, y = T.dscalars("x", "y")
    assert (x + y).eval({x: 1, y: 2}) == 3.0
    assert T.constant(2.0).eval() == 2.0
    assert (shared(2.0) * 3).eval() == 6.0


def test_repr_names_function_and_inputs():
    x = T.dscalar("x")
    assert repr(function([x], x * 2, name="double")) == "<function double(x)>"


# ------------------------------------------------------------------------------------------ givens


@MODES
def test_givens_slice_a_shared_set_at_run_time(mode):
    digits = shared(np.arange(35.0).reshape(7, 5), borrow=True)
    x, i, size = T.dmatrix("x"), T.lscalar("i"), 3
    f = function([i], x * 2 + x.shape[0], givens={x: digits[i * size : (i + 1) * size]}, mode=mode)
    for k in range(4):
        part = np.arange(35.0).reshape(7, 5)[k * size : (k + 1) * size]
        np.testing.assert_array_equal(f(k), part * 2 + len(part))


def test_givens_take_rows_in_one_native_call_without_copying_them():
    data, w = shared(np.arange(640.0).reshape(10, 64)), shared(np.ones((64, 3)))
    x, i = T.matrix(), T.lscalar("i")
    f = function([i], T.dot(x, w), givens={x: data[i * 2 : (i + 1) * 2]}, profile=True)
    for number in range(5):
        rows = data.get_value()[2 * number : 2 * number + 2]
        np.testing.assert_array_equal(f(number), rows @ np.ones((64, 3)))
    assert (f.profile.runs, f.profile.native_calls, f.profile.arena) == (5, 5, 0)
    assert [took.op for took in f.profile.steps.values()] == ["Dot"]


@MODES
def test_givens_reach_updates_and_take_pairs(mode):
    x, w = T.dscalar("x"), shared(1.0)
    f = function([], x * 2, updates=[(w, w + x)], givens=[(x, w * 3)], mode=mode)
    assert f() == 6.0
    assert w.get_value() == 4.0


def test_givens_upcast_what_loses_nothing():
    x, i = T.dscalar("x"), T.iscalar("i")
    assert function([i], x / 2, givens={x: i})(3) == 1.5


# ------------------------------------------------------------------------------------------ shapes


def test_a_smaller_last_batch_compiles_nothing():
    x, w = T.fmatrix("x"), shared(np.ones((6, 4), "float32"))
    cost = T.nnet.softmax(T.dot(x, w)).sum() + T.tanh(x).mean()
    f = function([x], cost, updates=[(w, w - np.float32(0.1) * grad(cost, w))])
    f(np.ones((20, 6), "float32"))
    compiled = cache_statistics().compiled
    for batch in (7, 3, 20):
        f(np.ones((batch, 6), "float32"))
    assert cache_statistics().compiled == compiled


def test_a_call_is_one_native_call():
    x = T.dmatrix("x")
    w = shared(np.ones((4, 3)))
    cost = (T.nnet.sigmoid(T.dot(x, w)) ** 2).mean()
    f = function([x], cost, updates=[(w, w - 0.1 * grad(cost, w))], profile=True)
    for _ in range(3):
        f(np.ones((5, 4)))
    assert (f.profile.runs, f.profile.native_calls) == (3, 3)
    assert f.profile.seconds > 0
    assert set(f.profile.stages) >= {"rewrite", "specialize", "plan", "kernels"}
    assert "3 native calls" in f.profile.summary()
    assert "Dot" in f.profile.summary()


def test_many_shapes_in_turn():
    x = T.dmatrix("x")
    f = function([x], [x.sum(0), T.dot(x, x.T)])
    generator = np.random.default_rng(0)
    for _ in range(100):
        a = generator.standard_normal(generator.integers(0, 9, 2))
        total, product = f(a)
        np.testing.assert_allclose(total, a.sum(0), rtol=0, atol=1e-14)
        np.testing.assert_allclose(product, a @ a.T, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(1 << 62,), (1 << 40, 1 << 40)])
def test_an_impossible_size_is_a_memory_error(shape):
    bounds = [T.lscalar() for _ in shape]
    w = shared(np.zeros(2))
    f = function(bounds, T.zeros(bounds) + 1, updates=[(w, w + 1)])
    with pytest.raises(MemoryError):
        f(*shape)
    assert w.get_value().tolist() == [0, 0]
    assert f(*(2 for _ in shape)).shape == (2,) * len(shape)


def test_an_impossible_size_inside_is_a_memory_error():
    n = T.lscalar("n")
    f = function([n], T.tanh(T.arange(n) * 0.5).sum() + T.arange(n)[::-1].reshape((n,)).sum())
    with pytest.raises(MemoryError):
        f(1 << 50)
    assert f(1) == 0


# ------------------------------------------------------------------------------------------ pickles


def test_a_pickled_function_has_its_own_state():
    x, w = T.dvector("x"), shared(np.zeros(2), "w")
    f = function([x], [w * 2, x.sum()], updates=[(w, w + x)], name="f")
    f([1.0, 2.0])
    g = pickle.loads(pickle.dumps(f))
    assert g([1.0, 1.0])[0].tolist() == f([0.0, 0.0])[0].tolist() == [2.0, 4.0]
    assert g([0.0, 0.0])[0].tolist() == [4.0, 6.0]
    assert w.get_value().tolist() == [1.0, 2.0]
    assert repr(g) == "<function f(x)>"


def test_functions_pickled_together_share_their_state():
    w = shared(np.zeros(2), "w")
    count, read = function([], updates=[(w, w + 1)]), function([], w * 1)
    count, read, variable = pickle.loads(pickle.dumps((count, read, w)))
    count()
    assert read().tolist() == variable.get_value().tolist() == [1.0, 1.0]
    assert w.get_value().tolist() == [0.0, 0.0]


def test_a_pickle_works_in_another_process(tmp_path):
    x = T.dvector("x")
    path = tmp_path / "function.pickle"
    path.write_bytes(pickle.dumps(function([x], T.exp(x).sum())))
    program = f"import pickle; f = pickle.load(open({str(path)!r}, 'rb')); print(float(f([0.0, 0.0])))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2.0"


@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_a_deep_graph_is_pickled(mode):
    x = T.dscalar("x")
    y = x
    for _ in range(1000):
        y = T.tanh(y)
    f = function([x], y, mode=mode)
    assert pickle.loads(pickle.dumps(f))(0.5) == f(0.5)


# ------------------------------------------------------------------------------------------ threads


@MODES
def test_threads_take_turns_in_one_function(mode):
    x, w = T.dmatrix("x"), shared(np.zeros(()), "w")
    f = function([x], [x.sum(1), T.dot(x, x.T)], updates=[(w, w + 1)], mode=mode)
    errors, calls = [], 30

    def work(seed):
        generator = np.random.default_rng(seed)
        for _ in range(calls):
            a = generator.integers(-9, 9, (generator.integers(1, 6), 4)).astype("float64")
            total, product = f(a)
            if not (np.array_equal(total, a.sum(1)) and np.array_equal(product, a @ a.T)):
                errors.append(a)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert w.get_value() == 4 * calls


# ------------------------------------------------------------------------------------------ Theano's programs


def test_logistic_regression_learns_as_numpy_does():
    generator = np.random.default_rng(0)
    images = generator.standard_normal((60, 5))
    labels = generator.integers(0, 3, 60).astype("int32")
    x, y, index, size = T.dmatrix("x"), T.ivector("y"), T.lscalar("index"), 20
    w, b = shared(np.zeros((5, 3)), "w"), shared(np.zeros(3), "b")
    p = T.nnet.softmax(T.dot(x, w) + b)
    cost = -T.log(p)[T.arange(y.shape[0]), y].mean()
    errors = T.neq(p.argmax(1), y).mean()
    data, target = shared(images), T.cast(shared(labels), "int32")
    rows = slice(index * size, (index + 1) * size)
    train = function(
        [index],
        [cost, errors],
        updates=[(w, w - 0.5 * grad(cost, w)), (b, b - 0.5 * grad(cost, b))],
        givens={x: data[rows], y: target[rows]},
    )
    weights, bias = np.zeros((5, 3)), np.zeros(3)
    for step in range(12):
        k = step % 3
        part, wanted = images[k * size : (k + 1) * size], labels[k * size : (k + 1) * size]
        scores = np.exp(part @ weights + bias)
        scores /= scores.sum(1, keepdims=True)
        loss, wrong = train(k)
        assert float(loss) == pytest.approx(-np.log(scores[np.arange(size), wanted]).mean(), rel=1e-12)
        assert float(wrong) == (scores.argmax(1) != wanted).mean()
        scores[np.arange(size), wanted] -= 1
        weights, bias = weights - 0.5 * part.T @ scores / size, bias - 0.5 * scores.mean(0)
    np.testing.assert_allclose(w.get_value(), weights, rtol=0, atol=1e-12)


def test_the_reference_runs_the_graph_as_it_was_written():
    x = T.dscalar("x")
    out = T.log(1 - T.nnet.sigmoid(x))
    assert function([x], out, mode="reference")(800.0) == evaluate([out], {x: np.array(800.0)})[0] == -np.inf
    assert function([x], out)(800.0) == -800.0
    assert clone(out, {x: x}) is out


# ------------------------------------------------------------------------------------------ Theano's forms


@MODES
def test_a_dict_of_outputs(mode):
    x = T.dvector("x")
    f = function([x], {"twice": x * 2, "sum": Out(x.sum(), borrow=True)}, mode=mode)
    result = f([1.0, 2.0])
    assert list(result) == ["twice", "sum"]
    assert (result["twice"].tolist(), result["sum"]) == ([2.0, 4.0], 3.0)
    assert pickle.loads(pickle.dumps(f))([1.0, 2.0])["sum"] == 3.0
    with pytest.raises(DTypeError, match="strings as keys"):
        function([x], {1: x})


def test_outputs_that_say_how_they_are_borrowed():
    x = T.dvector("x")
    assert [y.tolist() for y in function([x], [Out(x * 2, borrow=True), x])([1.0])] == [[2.0], [1.0]]
    assert function([x], Out(x * 2))([1.0]).tolist() == [2.0]


@MODES
def test_inputs_with_default_values(mode):
    x, y, w = T.dscalars("x", "y", "w")
    f = function([x, In(y, value=1), In(w, value=2, name="by_name")], (x + y) * w, mode=mode)
    assert (f(33), f(33, 2), f(33, 0, 1), f(33, by_name=1), f(33, by_name=1, y=0)) == (68, 70, 33, 34, 33)
    assert pickle.loads(pickle.dumps(f))(33) == 68
    with pytest.raises(TypeError, match=r"missing: \[x\]"):
        f()
    with pytest.raises(TypeError, match="'w': no input of that name"):
        f(33, w=1)


def test_a_default_value_is_the_functions_own():
    x, start = T.dvector("x"), np.array([1.0, 2.0])
    f = function([In(x, value=start, mutable=True, borrow=True)], x * 2)
    start[:] = 9
    assert f().tolist() == [2.0, 4.0]
    with pytest.raises(DTypeError, match="In: value of i"):
        function([In(T.bscalar("i"), value=0.5)], [], on_unused_input="ignore")


def test_strict_and_downcasting_inputs():
    x, y = T.fvector("x"), T.fvector("y")
    f = function([In(x, strict=True), In(y, allow_downcast=True)], x + y, allow_input_downcast=False)
    assert f(np.ones(1, "float32"), np.ones(1)) == 2.0
    with pytest.raises(DTypeError, match=r"an array of float32, since strict=True\n  actual:   float64"):
        f(np.ones(1), np.ones(1))
    with pytest.raises(DTypeError, match=r"since strict=True\n  actual:   list"):
        f([1.0], np.ones(1))


def test_inputs_come_in_a_list():
    x = T.dscalar("x")
    with pytest.raises(DTypeError, match=r"a list of variables\n  actual:   x\n  fix:      write \[x\]"):
        function(x, x * 2)


@pytest.mark.parametrize("form", [dict, OrderedDict, list, tuple])
def test_forms_of_updates_and_givens(form):
    x, v, w = T.dscalar("x"), shared(1.0), shared(2.0)
    f = function([], x, updates=form([(v, v + w), (w, w * 2)]), givens=form([(x, v * 3)]))
    assert f() == 3.0
    assert (v.get_value(), w.get_value()) == (3.0, 4.0)


def test_a_set_of_updates_is_refused():
    w = shared(1.0)
    with pytest.raises(DTypeError, match="a set, which has no order"):
        function([], updates={(w, w + 1)})


@MODES
def test_givens_for_shared_variables_and_for_the_middle_of_a_graph(mode):
    x, w, other = T.dscalar("x"), shared(2.0, "w"), shared(10.0)
    middle = x * w
    out = middle + 1
    assert function([x], out, givens={w: other}, mode=mode)(3.0) == 31.0
    assert function([x], out, givens={middle: x - 1}, mode=mode)(3.0) == 3.0
    assert function([], out, givens=[(middle, np.float64(5))], mode=mode)() == 6.0
    # The update is of w; its expression is of what stands for it.
    function([], updates={w: w + 1}, givens={w: other}, mode=mode)()
    assert (w.get_value(), other.get_value()) == (11.0, 10.0)


def test_a_given_that_loses_precision_when_told():
    x, d = T.fscalar("x"), T.dscalar("d")
    with pytest.raises(DTypeError, match="given for x"):
        function([d], x * 2, givens={x: d})
    assert function([d], x * 2, givens={x: d}, rebuild_strict=False)(0.1) == np.float32(0.1) * 2


def test_default_updates_of_some_variables():
    v, w = shared(0.0), shared(0.0)
    v.default_update, w.default_update = v + 1, w + 1
    for left_out, expected in [(False, (1, 1)), ([w], (2, 1)), (True, (2, 1)), ((v,), (2, 2))]:
        function([], v + w, no_default_updates=left_out)()
        assert (v.get_value(), w.get_value()) == expected


def test_modes_as_objects():
    x = T.dscalar("x")
    out = T.log(1 - T.nnet.sigmoid(x))
    assert function([x], out, mode=Mode(linker="py"))(800.0) == -np.inf
    assert function([x], out, mode=Mode(linker="cvm", optimizer="fast_run"))(800.0) == -800.0
    assert function([x], out, mode=get_mode("FAST_RUN").excluding("fusion"))(800.0) == -800.0
    for mode in ("FAST", 3, Mode):
        with pytest.raises(DTypeError, match="one of compiled, reference"):
            function([x], out, mode=mode)


# ------------------------------------------------------------------------------------------ copies


@MODES
def test_a_copy_may_have_other_shared_variables(mode):
    x, here, there = T.dscalar("x"), shared(1.0, "here"), shared(10.0, "there")
    f = function([x], {"old": here * 1}, updates=[(here, here + x)], name="add", mode=mode)
    g = f.copy(swap={here: there}, share_memory=True, name="elsewhere")
    assert (f(1.0)["old"], g(1.0)["old"], f(1.0)["old"]) == (1.0, 10.0, 2.0)
    assert (here.get_value(), there.get_value()) == (3.0, 11.0)
    assert (repr(f.copy()), repr(g)) == ("<function add(x)>", "<function elsewhere(x)>")
    still = f.copy(delete_updates=True)
    assert still(1.0)["old"] == still(1.0)["old"] == 3.0
    with pytest.raises(DTypeError, match="copy: swap of here"):
        f.copy(swap={here: shared(np.float32(0))})
    with pytest.raises(DTypeError, match="copy: swap of there"):
        f.copy(swap={there: here})


def test_a_deep_copy_has_its_own_state():
    w = shared(np.zeros(2), "w")
    f = function([], w * 1, updates=[(w, w + 1)])
    f()
    g = copy.deepcopy(f)
    assert (f().tolist(), g().tolist(), g().tolist()) == ([1, 1], [1, 1], [2, 2])
    v = copy.deepcopy(w)
    v.set_value([7.0, 7.0])
    assert w.get_value().tolist() == [2, 2]


def test_a_function_gives_its_memory_back():
    x = T.dvector("x")
    f = function([x], T.exp(x).sum())
    before = f([0.0, 1.0])
    f.free()
    assert f([0.0, 1.0]) == before


def test_eval_keeps_what_it_compiled():
    x, y = T.dscalars("x", "y")
    z = x + y
    assert z.eval({x: 1, y: 2}) == 3.0
    (made,) = z.compiled.values()
    assert z.eval({x: 3, y: 4}) == 7.0
    assert list(z.compiled.values()) == [made]
    assert z.eval({y: 3, x: 4}) == 7.0
    assert pickle.loads(pickle.dumps(z)).compiled == {}


# ------------------------------------------------------------------------------------------ variables


def test_a_clone_of_a_variable():
    x = T.dmatrix("x")
    x.tag.regularizable = True
    y = x.clone()
    assert (y.name, y.type, y.tag.regularizable, y is x) == ("x", x.type, True, False)
    w = shared(np.zeros(2), "w")
    v = w.clone()
    v.set_value(np.ones(2))
    assert (w.get_value().tolist(), v.get_value(return_internal_type=True).tolist()) == ([0, 0], [1, 1])


def test_values_of_shared_variables():
    w = shared(np.zeros(2, "float32"), "w")
    with pytest.raises(DTypeError, match="set_value of w"):
        w.set_value(np.ones(2))
    with pytest.raises(ShapeError, match="set_value of w"):
        w.set_value(np.ones((2, 2), "float32"))
    w.set_value([0.1, 0.2])
    assert w.get_value().dtype == "float32"
    loose = shared(np.zeros(2, "float32"), allow_downcast=True)
    loose.set_value(np.full(2, 0.1))
    assert loose.get_value().tolist() == [np.float32(0.1)] * 2
    loose.zero()
    assert loose.get_value().tolist() == [0, 0]
