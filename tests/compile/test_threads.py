import itertools
import multiprocessing
import os
import random
import threading
import time

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.compile import threads as threads_module
from arignote.compile.objects import kernel_address
from arignote.compile.program import Program, Step, StepError
from arignote.compile.spec import KernelSpec
from arignote.compile.threads import get_num_threads, pool, set_num_threads
from arignote.engine.ops.control import ifelse

pytestmark = pytest.mark.usefixtures("own_cache")


def sample(name, **parameters):
    return kernel_address(KernelSpec.of(f"native_samples.kernels:{name}", **parameters))


class Mixing:
    """A program each of whose steps reads what other threads wrote in the step before."""

    def __init__(self, size=1001, steps=20):
        self.buffers = np.zeros((2, size))
        self.steps = steps
        kernel = sample("reverse_and_mix")
        source, target = (buffer.ctypes.data for buffer in self.buffers)
        rows = [[source, target, size], [target, source, size]]
        self.program = Program([Step(kernel, rows[step % 2], size) for step in range(steps)])

    def run(self, threads):
        self.buffers[0] = np.sin(np.arange(self.buffers.shape[1]))
        self.program.run(threads)
        return self.buffers[self.steps % 2].copy()

    def expected(self):
        x = np.sin(np.arange(self.buffers.shape[1]))
        for _ in range(self.steps):
            x = x[::-1] / 3.0 + x
        return x


def test_results_are_the_same_bits_at_any_number_of_threads():
    mixing = Mixing()
    alone = mixing.run(1)
    np.testing.assert_allclose(alone, mixing.expected(), rtol=1e-12)
    for threads in (2, 3, 5, 2, 1, 4) * 3:
        np.testing.assert_array_equal(mixing.run(threads), alone)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 7])
def test_every_task_runs_exactly_once(threads):
    sizes = [1, 2, 1, 1, 3, 0, 5, 1, 64, 0, 1]
    counts = [np.zeros(size, np.int64) for size in sizes]
    count = sample("count")
    program = Program([Step(count, [array.ctypes.data], array.size) for array in counts])
    for _ in range(50):
        program.run(threads)
    for array in counts:
        np.testing.assert_array_equal(array, 50)


def test_random_programs_fail_as_they_do_alone():
    random_state = random.Random(7)
    for _ in range(100):
        sizes = [random_state.choice([1, 1, 2, 5]) for _ in range(8)]
        firsts = [random_state.choice([random_state.randrange(size), size, size]) for size in sizes]
        program = Program(
            [Step(sample("fail"), [first], size) for first, size in zip(firsts, sizes, strict=True)]
        )
        outcomes = set()
        for threads in (1, 2, 3):
            try:
                program.run(threads)
                outcomes.add(None)
            except StepError as error:
                outcomes.add((error.step, error.status))
        assert len(outcomes) == 1


def test_failure_between_barriers_leaves_the_pool_in_order():
    out = np.zeros(2, np.int64)
    failing = Program(
        [
            Step(sample("spin"), [5_000, out.ctypes.data], 1),
            Step(sample("fail"), [0], 1),
            Step(sample("spin"), [1, out.ctypes.data], 1),
            Step(sample("spin"), [1, out.ctypes.data], 2),
        ]
    )
    mixing = Mixing(steps=2)
    expected = mixing.run(1)
    for _ in range(300):
        with pytest.raises(StepError, match="step 1 "):
            failing.run(2)
        np.testing.assert_array_equal(mixing.run(2), expected)


def test_many_python_threads_at_once():
    alone = Mixing().run(1)
    wrong = []

    def work(number):
        mixing = Mixing()
        for turn in range(30):
            if not np.array_equal(mixing.run(1 + (number + turn) % 4), alone):
                wrong.append(number)

    callers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_programs_at_once_do_not_share_scratch():
    size = 4096
    kernel = sample("fill_scratch", size=size)
    failures = []

    def work():
        try:
            Program([Step(kernel, [], 8, scratch=size)] * 5).run(2)
        except StepError as error:
            failures.append(error)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def test_taken_pool_leaves_a_run_to_its_own_thread():
    mixing = Mixing()
    expected = mixing.run(2)
    assert pool.try_acquire(2)
    try:
        assert not pool.try_acquire(2)
        np.testing.assert_array_equal(mixing.run(2), expected)
    finally:
        pool.release()
    assert pool.try_acquire(2)
    pool.release()


def test_run_goes_on_alone_if_no_thread_can_be_started(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    expected = Mixing().run(1)
    monkeypatch.setattr(threads_module, "pool", threads_module.Pool())
    monkeypatch.setattr("arignote.compile.program.pool", threads_module.pool)
    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start)
        np.testing.assert_array_equal(Mixing().run(3), expected)
    np.testing.assert_array_equal(Mixing().run(3), expected)


def test_idle_workers_sleep():
    Mixing().run(4)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.05


def test_sleeping_workers_wake():
    mixing = Mixing()
    expected = mixing.run(1)
    for pause in itertools.chain([0.01] * 20, np.linspace(0, 4e-4, 60)):
        time.sleep(pause)
        np.testing.assert_array_equal(mixing.run(3), expected)


SETUP = """
import os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of any fork with threads, from Python 3.12 on
import numpy as np
from arignote.compile.objects import kernel_address
from arignote.compile.program import Program, Step
from arignote.compile.spec import KernelSpec
counts = np.zeros(64, np.int64)
count = kernel_address(KernelSpec.of("native_samples.kernels:count"))
program = Program([Step(count, [counts.ctypes.data], 64)] * 10)
program.run(2)
"""


def test_child_of_a_fork_makes_its_own_pool(run_python):
    program = """
child = os.fork()
if child == 0:
    started = threading.active_count()
    for _ in range(100):
        program.run(3)
    ok = (counts == 1010).all() and started == 1 and threading.active_count() == 3
    os._exit(0 if ok else 1)
program.run(2)
print(os.waitpid(child, 0)[1], (counts == 20).all())
"""
    assert run_python(SETUP + program) == "0 True\n"


def test_child_of_a_fork_during_a_run_makes_its_own_pool(run_python):
    program = """
stop = False
others = np.zeros(64, np.int64)
def keep_running():
    busy = Program([Step(count, [others.ctypes.data], 64)] * 10)
    while not stop:
        busy.run(2)
other = threading.Thread(target=keep_running)
other.start()
statuses = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        program.run(2)
        os._exit(0)
    statuses.append(os.waitpid(child, 0)[1])
stop = True
other.join()
print(set(statuses))
"""
    assert run_python(SETUP + program) == "{0}\n"


def mixed(threads):
    return Mixing().run(threads)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of any fork with threads, from 3.12
def test_forked_pool_of_processes():
    expected = Mixing().run(2)
    with multiprocessing.get_context("fork").Pool(2) as processes:
        for result in processes.map(mixed, [1, 2, 3, 2]):
            np.testing.assert_array_equal(result, expected)


def test_process_ends_at_once_with_workers_spinning_or_asleep(start_python):
    for pause in (0, 0.01):
        process = start_python(SETUP + f"program.run(4); time.sleep({pause}); print('done')")
        assert process.communicate(timeout=30) == ("done\n", "")
        assert process.returncode == 0


def test_process_ends_while_another_thread_runs(start_python):
    program = """
def keep_running():
    while True:
        program.run(2)
threading.Thread(target=keep_running, daemon=True).start()
time.sleep(0.05)
"""
    process = start_python(SETUP + program)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


def test_program_may_run_at_exit(run_python):
    program = """
import atexit
atexit.register(lambda: (program.run(3), print((counts == 20).all())))
"""
    assert run_python(SETUP + program) == "True\n"


def test_default_number_of_threads(run_python, monkeypatch):
    program = "from arignote.compile.threads import *; print(get_num_threads())"
    assert run_python(program, ARIGNOTE_NUM_THREADS="3") == "3\n"
    monkeypatch.delenv("ARIGNOTE_NUM_THREADS", raising=False)
    if hasattr(os, "sched_setaffinity"):
        one_core = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        assert run_python(one_core + program) == "1\n"


@pytest.mark.parametrize("value", ["0", "257", "two", "", "-1"])
def test_bad_environment_variable_is_named(value, start_python):
    process = start_python(
        "from arignote.compile.threads import *; get_num_threads()", ARIGNOTE_NUM_THREADS=value
    )
    assert "number" in process.communicate(timeout=30)[1].splitlines()[-1]
    assert process.returncode == 1


def test_number_of_threads_can_be_set(monkeypatch):
    monkeypatch.setattr(threads_module, "_num_threads", None)
    set_num_threads(5)
    assert get_num_threads() == 5
    mixing = Mixing()
    np.testing.assert_array_equal(mixing.run(None), mixing.run(1))
    assert threading.active_count() >= 5
    for wrong in (0, 257, -2):
        with pytest.raises(ValueError, match="from 1 to 256"):
            set_num_threads(wrong)
    assert get_num_threads() == 5


# ------------------------------------------------------------------------------------------ functions


def product():
    """Return a function that gives each of several threads enough to do."""
    x = T.dmatrix("x")
    return function([x], T.tanh(T.dot(x, x.T)).sum(axis=0))


def argument(rows):
    return np.random.default_rng(rows).standard_normal((rows, 40))


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_same_and_different_functions_in_many_python_threads(seconds, monkeypatch):
    monkeypatch.setattr(threads_module, "_num_threads", 2)
    x, count = T.dmatrix("x"), shared(0)
    same, counting = product(), function([], updates=[(count, count + 1)])
    cut = function([x], ifelse(x.sum() > 0, T.exp(x), x * 2))
    expected = [same(argument(rows)) for rows in range(1, 20)]
    expected_cut = [cut(argument(rows)) for rows in range(1, 20)]
    stop = time.monotonic() + seconds
    counts, wrong = [0] * 32, []

    def work(number):
        own = product()
        for turn in itertools.count(number):
            rows = turn % 19
            results = [f(argument(rows + 1)) for f in (same, own, cut)]
            counting()
            counts[number] += 1
            for result, right in zip(results, [expected[rows]] * 2 + [expected_cut[rows]], strict=True):
                if not np.array_equal(result, right):
                    wrong.append((number, rows))
            if time.monotonic() > stop:
                return

    callers = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
    assert min(counts) > 0
    assert count.get_value() == sum(counts)


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of any fork with threads, from 3.12
def test_functions_in_other_processes(context, monkeypatch):
    monkeypatch.setattr(threads_module, "_num_threads", 2)
    f = product()
    arguments = [argument(rows) for rows in (20, 3, 20, 7)]
    expected = [f(x) for x in arguments]
    with multiprocessing.get_context(context).Pool(2) as processes:
        for result, right in zip(processes.map(f, arguments), expected, strict=True):
            np.testing.assert_array_equal(result, right)
    np.testing.assert_array_equal(f(arguments[0]), expected[0])


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of any fork with threads, from 3.12
def test_functions_under_joblib(backend):
    joblib = pytest.importorskip("joblib", reason="joblib is no dependency: install it to test with it")
    f = product()
    arguments = [argument(rows) for rows in (20, 3, 20, 7)]
    results = joblib.Parallel(2, backend=backend)(joblib.delayed(f)(x) for x in arguments)
    for result, x in zip(results, arguments, strict=True):
        np.testing.assert_array_equal(result, f(x))


FORKS = """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of any fork with threads, from Python 3.12 on
import numpy as np
from arignote import function, shared
from arignote import tensor as T
from arignote.compile.threads import set_num_threads
set_num_threads(2)
x, count = T.dmatrix("x"), shared(0)
f = function([x], T.tanh(T.dot(x, x.T)).sum(axis=0), updates=[(count, count + 1)])
a = np.random.default_rng(0).standard_normal((60, 40))
right = f(a)
def child_of_fork():
    child = os.fork()
    if child == 0:
        os._exit(0 if all(np.array_equal(f(a), right) for _ in range(20)) else 1)
    return child
"""


def test_fork_after_use(run_python):
    program = """
child = child_of_fork()
same = all(np.array_equal(f(a), right) for _ in range(20))
print(same, os.waitpid(child, 0)[1], count.get_value())
"""
    assert run_python(FORKS + program) == "True 0 21\n"


def test_fork_during_a_call_of_another_thread(run_python):
    program = """
stop = False
def keep_calling():
    while not stop:
        f(a)
other = threading.Thread(target=keep_calling)
other.start()
statuses = {os.waitpid(child_of_fork(), 0)[1] for _ in range(100)}
stop = True
other.join()
print(statuses)
"""
    assert run_python(FORKS + program) == "{0}\n"


def train_step():
    """Return the step of a small convolutional network, and its parameters."""
    generator = np.random.default_rng(0)
    w = shared(generator.standard_normal((6, 1, 5, 5)).astype("float32"))
    v = shared(generator.standard_normal((216, 10)).astype("float32") / np.float32(10))
    x, y = T.ftensor4("x"), T.ivector("y")
    features = T.tanh(T.signal.pool.pool_2d(T.nnet.conv2d(x, w), (2, 2), ignore_border=True))
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(features.flatten(2), v)), y).mean()
    updates = [(p, p - np.float32(0.1) * grad(cost, p)) for p in (w, v)]
    return function([x, y], cost, updates=updates), [w, v]


def test_a_train_step_gives_the_same_bits_in_every_run(monkeypatch):
    step, parameters = train_step()
    starts = [parameter.get_value() for parameter in parameters]
    images = np.random.default_rng(1).standard_normal((10, 1, 16, 16)).astype("float32")
    outcomes = set()
    for threads in (1, 2):
        monkeypatch.setattr(threads_module, "_num_threads", threads)
        for _ in range(100):
            for parameter, start in zip(parameters, starts, strict=True):
                parameter.set_value(start)
            costs = [step(images, np.arange(10, dtype="int32")).tobytes() for _ in range(3)]
            outcomes.add((*costs, *(parameter.get_value().tobytes() for parameter in parameters)))
    assert len(outcomes) == 1
