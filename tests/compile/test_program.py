import pickle
import time

import numpy as np
import pytest

from arignote.compile.objects import kernel_address
from arignote.compile.program import Program, Relocation, Step, StepError
from arignote.compile.spec import KernelSpec

pytestmark = pytest.mark.usefixtures("own_cache")


def sample(name, **parameters):
    return kernel_address(KernelSpec.of(f"native_samples.kernels:{name}", **parameters))


def test_steps_run_in_order_over_relocated_buffers():
    x, y = np.arange(10.0), np.zeros((2, 10))
    steps = [Step(sample("scale", factor=3.0), [0, 0], 10), Step(sample("scale", factor=-2.0), [0, 0], 10)]
    relocations = [
        Relocation(0, 0, buffer=0),
        Relocation(0, 1, buffer=1),
        Relocation(1, 0, buffer=1),
        Relocation(1, 1, buffer=1, offset=80),
    ]
    program = Program(steps, relocations, buffers=2)
    program.buffers[:] = x.ctypes.data, y.ctypes.data
    program.run(1)
    np.testing.assert_array_equal(y, [3 * x, -6 * x])
    other = np.ones(10)
    program.buffers[0] = other.ctypes.data
    program.run(1)
    np.testing.assert_array_equal(y, [3 * other, -6 * other])


def test_arrays_are_found_by_their_identity():
    x, y = np.ones(10), np.zeros(10)
    relocations = [Relocation(0, 0, buffer=0), Relocation(0, 1, buffer=1)]
    program = Program([Step(sample("scale", factor=2.0), [0, 0], 10)], relocations, buffers=2, arrays=2)
    program.arrays[:] = id(x), id(y)
    program.run(1)
    program.run(1)
    assert y.tolist() == [2] * 10
    view = x[::-1][:10]  # the elements of a view begin elsewhere than those of its base
    program.arrays[0] = id(view)
    x[9] = 5
    program.run(1)
    assert y[0] == 10


def test_empty_program():
    program = Program([])
    program.run(1)
    program.run(2)
    assert program.calls == 2


def test_step_without_tasks_is_not_called():
    Program([Step(sample("fail"), [-1], 0)]).run(1)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_failing_step_is_named_and_stops_the_program(threads):
    counts = np.zeros((3, 8), np.int64)
    count, fail = sample("count"), sample("fail")
    steps = [
        Step(count, [counts[0].ctypes.data], 8),
        Step(fail, [0], 8),
        Step(count, [counts[1].ctypes.data], 8),
        Step(fail, [0], 8),
        Step(count, [counts[2].ctypes.data], 8),
    ]
    program = Program(steps, [Relocation(1, 0, buffer=0), Relocation(3, 0, buffer=1)], buffers=2)
    program.buffers[:] = 5, 1
    with pytest.raises(StepError, match="step 1 failed with status 6") as caught:
        program.run(threads)
    assert (caught.value.step, caught.value.status) == (1, 6)
    np.testing.assert_array_equal(counts.sum(axis=1), [8, 0, 0])
    program.buffers[:] = 8
    program.run(threads)
    np.testing.assert_array_equal(counts.sum(axis=1), [16, 8, 8])


def test_failure_survives_pickling():
    error = pickle.loads(pickle.dumps(StepError(3, 17)))
    assert (error.step, error.status, str(error)) == (3, 17, "step 3 failed with status 17")


@pytest.mark.parametrize("relocation", [(1, 0, 0), (-1, 0, 0), (0, 2, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
def test_relocation_out_of_range_is_refused(relocation):
    with pytest.raises(IndexError, match=r"the (program|step) has"):
        Program([Step(0, [0, 0], 1)], [Relocation(*relocation)], buffers=1)


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_number_of_threads_is_checked(threads):
    with pytest.raises(ValueError, match="from 1 to 256"):
        Program([]).run(threads)


def test_scratch_is_aligned_and_the_threads_own():
    addresses = np.zeros(6, np.int64)
    step = Step(sample("scratch_address"), [addresses.ctypes.data], 6, scratch=100)
    program = Program([Step(step.kernel, step.arguments, 6, scratch=1), step])
    for threads in (1, 2, 3, 2):
        program.run(threads)
        assert not (addresses % 64).any()
        assert len(set(addresses)) == threads
        assert np.diff(np.unique(addresses)).min(initial=128) >= 100


@pytest.mark.parametrize("threads", [1, 2])
def test_timings_follow_the_steps(threads):
    out = np.zeros(2, np.int64)
    spin = sample("spin")
    program = Program([Step(spin, [rounds, out.ctypes.data], 2) for rounds in (1, 2_000_000, 1)])
    with pytest.raises(ValueError, match="record_timings"):
        program.timings  # noqa: B018 (the access raises)
    program.record_timings()
    before = time.monotonic_ns()
    program.run(threads)
    after = time.monotonic_ns()
    timings = program.timings
    assert timings.shape == (3, 2)
    flat = [before, *timings.ravel().tolist(), after]
    assert flat == sorted(flat)
    assert np.diff(timings)[1, 0] > 100_000
    program.record_timings(False)
    program.run(threads)
    assert program.calls == 2
