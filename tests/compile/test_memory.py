"""Memory: nothing is kept that is not needed, and what cannot be had is named."""

import gc
import pickle
import weakref

import numpy as np
import pytest

from arignote import function, shared
from arignote import tensor as T
from arignote.engine.errors import AllocationError
from arignote.engine.ops.control import ifelse

pytestmark = pytest.mark.usefixtures("own_cache")

PIB = 1 << 50

NETWORK = """
import gc, pickle, resource
import numpy as np
from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.ops.control import ifelse
from arignote.tensor.shared_randomstreams import RandomStreams

images, labels = np.ones((10, 20), "float32"), np.arange(10, dtype="int32")

def network(mode=None):
    w = shared(np.zeros((20, 10), "float32"))
    x, y = T.fmatrix("x"), T.ivector("y")
    kept = x * RandomStreams(1).binomial(size=x.shape, n=1, p=0.5, dtype="float32")
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(kept, w)), y).mean()
    return function([x, y], cost, updates=[(w, w - np.float32(0.1) * grad(cost, w))], mode=mode)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""

STEPS = """
step = network()
for _ in range({warm_up}):
    step(images, labels)
before = peak()
for _ in range({count}):
    step(images, labels)
print(peak() / before)
"""

FUNCTIONS = """
def build_and_drop(number):
    if number % 50 == 0:
        gc.collect()  # graphs are cycles: when they are collected is chance
    step = network(mode=(None, "reference", "debug")[number % 10 if number % 10 < 3 else 0])
    step(images, labels)
    pickle.loads(pickle.dumps(step))(images, labels)
    x = T.dvector("x")
    function([x], ifelse(x.sum() > 0, T.exp(x), x * 2), profile=True)(np.ones(number % 7))

for number in range({warm_up}):
    build_and_drop(number)
before = peak()
for number in range({count} // 3):  # three are made at a time
    build_and_drop(number)
print(peak() / before)
"""


# The peak of a process never falls: if it does not rise, nothing has been kept.
@pytest.mark.parametrize(
    ("program", "warm_up", "count", "bound"),
    [
        pytest.param(STEPS, 2_000, 20_000, 1.01, id="steps"),
        pytest.param(STEPS, 50_000, 1_000_000, 1.01, id="a million steps", marks=pytest.mark.slow),
        # Python's allocator takes memory by the MiB, now and then, until some thousands have come and gone.
        pytest.param(FUNCTIONS, 100, 300, 1.03, id="functions"),
        pytest.param(FUNCTIONS, 3_000, 10_000, 1.01, id="ten thousand functions", marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow(program, warm_up, count, bound, run_python, start_python):
    # Compiling takes, and gives back, memory that would hide a leak: it is done in another process.
    run_python(NETWORK + program.format(warm_up=20, count=0))
    process = start_python(NETWORK + program.format(warm_up=warm_up, count=count))
    output, errors = process.communicate(timeout=3600)
    assert errors == ""
    assert float(output) <= bound


def native(x):
    return T.dot(T.tanh(x), x).sum()


def staged(x):
    return ifelse(x.sum() > 0, T.dot(x, x).sum(), T.exp(x).sum())


@pytest.mark.parametrize("mode", ["compiled", "reference", "debug", "nan_guard"])
@pytest.mark.parametrize("expression", [native, staged])
def test_dropped_function_is_gone_without_a_collection(mode, expression):
    x = T.dmatrix("x")
    f = function([x], expression(x), mode=mode)
    f(np.ones((20, 20)))
    kept = weakref.ref(f)
    gc.disable()
    try:
        del f
        assert kept() is None
    finally:
        gc.enable()


def test_a_step_keeps_no_argument():
    x = T.dvector("x")
    f = function([x], x * 2)
    argument = np.ones(5)
    kept = weakref.ref(argument)
    result = f(argument)
    gone = weakref.ref(result)
    del argument, result
    assert kept() is None
    assert gone() is None


def test_specialisations_are_bounded():
    x = T.dmatrix("x")
    f = function([x], T.tanh(x).sum(axis=0))
    for rows in range(1000):
        f(np.ones((rows, 3)))
    assert len(f._call.__self__._executables) == 64


# ------------------------------------------------------------------------------------------ too much


@pytest.mark.parametrize(("size", "text"), [(PIB, "8.0 PiB"), (1 << 62, "32.0 EiB")])
def test_result_that_does_not_fit(size, text):
    n, w = T.lscalar("n"), shared(np.zeros(2))
    f = function([n], T.zeros([n]) + 1, updates=[(w, w + 1)])
    with pytest.raises(AllocationError, match=rf"^Add: no memory for {text}, .*\({size},\)") as caught:
        f(size)
    assert "f = function([n], T.zeros([n]) + 1, updates=[(w, w + 1)])" in str(caught.value)
    assert w.get_value().tolist() == [0, 0]
    assert f(3).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("size", "text"), [(PIB, "8.0 PiB"), (1 << 62, "32.0 EiB")])
def test_intermediate_value_that_does_not_fit(size, text):
    n, w = T.lscalar("n"), shared(np.zeros(2))
    f = function([n], T.arange(n)[::-1].reshape((n,)).sum(), updates=[(w, w + 1)])
    with pytest.raises(AllocationError, match=rf"^\w+: no memory for {text}, an array of shape \({size},\)"):
        f(size)
    assert w.get_value().tolist() == [0, 0]
    assert f(3) == 3


def test_new_value_that_does_not_fit():
    n, w = T.lscalar("n"), shared(np.zeros(2))
    f = function([n], updates=[(w, T.alloc(1.0, n))])
    with pytest.raises(AllocationError, match=r"8\.0 PiB"):
        f(PIB)
    f(3)
    assert w.get_value().tolist() == [1, 1, 1]


@pytest.mark.parametrize("mode", ["reference", "debug", "nan_guard"])
@pytest.mark.parametrize("size", [PIB, 1 << 62])
def test_value_that_does_not_fit_in_another_mode(mode, size):
    n = T.lscalar("n")
    f = function([n], T.arange(n).sum(), mode=mode)
    with pytest.raises(MemoryError, match=rf"^ARange: .*{size}") as caught:
        f(size)
    assert "f = function([n], T.arange(n).sum(), mode=mode)" in str(caught.value)
    assert f(3) == 3


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(AllocationError("Dot: no memory")))
    assert isinstance(error, MemoryError)
    assert str(error) == "Dot: no memory"
