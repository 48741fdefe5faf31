"""What a profile tells."""

import inspect
import pickle
import re
from dataclasses import dataclass

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.graph import Op


@dataclass(frozen=True)
class Sorted(Op):
    """Has no kernel."""

    def infer(self, types, values):
        return types

    def perform(self, *arrays):
        return (np.sort(arrays[0]),)


def here():
    return inspect.currentframe().f_back.f_lineno


@pytest.fixture
def product():
    """A profiled product of 30 x 50 and 50 x 70, called three times, and its line."""
    x, w = T.fmatrix("x"), shared(np.ones((50, 70), "float32"))
    line, expression = here(), T.dot(x, w)
    f = function([x], T.tanh(expression + 1), profile=True)
    for _ in range(3):
        f(np.ones((30, 50), "float32"))
    return f.profile, line


def test_a_step_knows_its_work_and_the_users_line(product):
    profile, line = product
    step = next(took for name, took in profile.steps.items() if "Dot" in name)
    assert step.op == "Dot"
    assert step.line == f"test_profile.py:{line}"
    assert step.runs == 3
    assert step.flops == 2 * 30 * 50 * 70
    assert step.bytes == 4 * (30 * 50 + 50 * 70 + 30 * 70)
    assert 0 < step.seconds < profile.seconds


def test_the_summary_shows_shares_speeds_bytes_lines_stages_and_the_arena(product):
    profile, line = product
    text = profile.summary()
    assert re.match(r"3 runs, 3 native calls, [\d.]+ ms; arena 8 KiB\n", text)
    assert re.search(
        r"compiling [\d.]+ s: rewrite [\d.]+ s, specialize [\d.]+ s, plan .* s, kernels .* s", text
    )
    steps, ops = text.split("op, all its steps")
    for table in (steps, ops):
        shares = [float(share) for share in re.findall(r"([\d.]+)%", table)]
        assert sum(shares) == pytest.approx(100, abs=0.1 * len(shares))
        assert shares == sorted(shares, reverse=True)
    took = next(took for name, took in profile.steps.items() if "Dot" in name)
    each = took.seconds / 3
    row = next(row for row in steps.splitlines() if "Dot" in row).split()
    speeds = [f"{amount / each / 1e9:.1f}" for amount in (took.flops, took.bytes)]
    assert row[1:5] == [f"{each * 1e6:.2f}", *speeds, "28.4"]
    assert row[-1] == f"test_profile.py:{line}"


def test_a_gradient_names_the_line_it_is_of():
    x = T.fmatrix("x")
    line, y = here(), T.dot(x, x.T)
    f = function([x], grad(T.tanh(y).sum(), x), profile=True)
    f(np.ones((3, 4), "float32"))
    lines = {took.line for took in f.profile.steps.values() if took.op == "Dot"}
    assert lines == {f"test_profile.py:{line}", f"test_profile.py:{line}, its gradient"}


def test_nodes_of_numpy_are_steps_too():
    x = T.vector("x")
    f = function([x], Sorted()(x * 2) * 2, profile=True)
    for _ in range(2):
        f(np.ones(4))
    names = list(f.profile.steps)
    assert [name.split()[1:3] for name in names] == [["Mul", "loop"], ["Sorted", "NumPy"], ["Mul", "loop"]]
    assert [took.runs for took in f.profile.steps.values()] == [2, 2, 2]
    assert f.profile.steps[names[1]].bytes == 2 * 4 * 8


@pytest.mark.parametrize("mode", ["reference", "debug", "nan_guard"])
def test_modes_that_run_node_by_node_are_measured(mode):
    x = T.vector("x")
    f = function([x], T.exp(x).sum(), mode=mode, profile=True)
    f(np.ones(4))
    assert {took.op for took in f.profile.steps.values()} == {"Exp", "Sum"}
    assert "Exp" in f.profile.summary()


def test_a_profile_is_pickled_with_its_function():
    f = pickle.loads(pickle.dumps(function([x := T.vector("x")], Sorted()(x) * 2, profile=True)))
    f(np.ones(3))
    again = pickle.loads(pickle.dumps(f))
    again(np.ones(3))
    assert again.profile.runs == 2


def test_a_profile_without_a_call():
    x = T.vector("x")
    assert function([x], x + 1, profile=True).profile.summary().startswith("0 runs")
