"""Ops of one's own: in every mode, differentiable, fused, and kept on disk."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import arignote.extending
from arignote import function, grad
from arignote import tensor as T
from arignote.extending import Elementwise, Op, ShapeError
from arignote.gradient import verify_grad

MODES = pytest.mark.parametrize("mode", ["compiled", "reference", "debug", "nan_guard"])
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "extending.md").read_text()


@dataclass(frozen=True)
class RunningSum(Op):
    """The sums of the first rows of a matrix."""

    def infer(self, types, values):
        if types[0].ndim != 2:
            raise ShapeError("runningsum", expected="a matrix", actual=str(types[0]))
        return [types[0]]

    def perform(self, x):
        return (np.cumsum(x, axis=0),)

    def vjp(self, inputs, outputs, gradients):
        return [RunningSum()(gradients[0][::-1])[::-1]]


@dataclass(frozen=True)
class Swish(Elementwise):
    """x * sigmoid(x)."""

    formula = "x / (1 + exp(-x))"

    def pull_back(self, g, out, x):
        s = T.nnet.sigmoid(x)
        return (g * (s + out * (1 - s)),)


VALUE = np.array([[0.5, -1.0], [2.0, 3.0], [-0.3, 0.1]])


@MODES
@pytest.mark.parametrize(
    ("op", "meaning"), [(RunningSum(), lambda x: x.cumsum(0)), (Swish(), lambda x: x / (1 + np.exp(-x)))]
)
def test_an_op_in_every_mode(op, meaning, mode):
    x = T.dmatrix("x")
    f = function([x], op(x * 2) + 1, mode=mode)
    np.testing.assert_allclose(f(VALUE), meaning(VALUE * 2) + 1, rtol=1e-14)


@pytest.mark.parametrize("op", [RunningSum(), Swish()])
def test_first_and_second_derivatives(op):
    verify_grad(lambda x: op(x), [VALUE], rng=np.random.default_rng(0))
    verify_grad(lambda x: grad((T.sqr(op(x)) * VALUE[::-1]).sum(), x), [VALUE], rng=np.random.default_rng(0))


def test_an_error_names_the_line():
    x = T.dvector("x")
    with pytest.raises(ShapeError, match=r"test_extending\.py:\d+ in (.|\n)*RunningSum\(\)\(x\)"):
        RunningSum()(x)


def test_equal_ops_are_computed_once_and_a_formula_is_fused():
    x = T.dmatrix("x")
    f = function([x], Swish()(x + 1) * Swish()(x + 1))
    f(VALUE)
    assert sum(isinstance(node.op, Swish) for node in f.fgraph.toposort()) == 1
    assert re.search(r"fuses Add, Swish", f.explain())
    assert f.explain().startswith("1 steps")


def test_kernels_of_ones_own_are_kept_on_disk(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for block in blocks:
        if block.startswith("# file: "):
            path = tmp_path / block.partition("\n")[0].removeprefix("# file: ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
    (program,) = (block for block in blocks if "from sums import" in block and "# file" not in block)
    program += "\nimport sys\nprint('numba' in sys.modules)\n"
    environment = {**os.environ, "ARIGNOTE_CACHE_DIR": str(tmp_path / "cache")}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert [text.split()[-1] for text in outputs] == ["True", "False"]  # the second process compiles nothing
    assert outputs[0].split()[:-1] == outputs[1].split()[:-1]
    assert "kernel running:running_sum" in outputs[0]
    assert "[[2. 2.]\n [4. 4.]\n [6. 6.]]" in outputs[0]


def test_what_the_page_names_is_there():
    names = set(re.findall(r"`arignote\.extending\.(\w+)`", PAGE))
    assert names
    assert names <= set(arignote.extending.__all__)
