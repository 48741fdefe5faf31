"""Settings: what can be assigned, what is refused, and what the environment says."""

import subprocess
import sys

import numpy as np
import pytest

import arignote
from arignote import config, function
from arignote import tensor as T
from arignote.engine.config import Config
from arignote.engine.errors import ConfigError, MissingInputError, ShapeError


def test_a_gpu_is_answered_with_a_warning_and_the_cpu():
    with pytest.warns(UserWarning, match="no 'gpu' here"):
        config.device = "gpu"
    assert config.device == "cpu"
    with pytest.raises(ConfigError, match=r"config.device\n  expected: 'cpu'\n  actual:   'tpu'"):
        config.device = "tpu"


def test_settings_without_effect_can_be_assigned_and_read():
    mine = Config()
    mine.exception_verbosity = "high"
    mine.blas.ldflags = "-lopenblas"
    mine.warn.sum_div_dimshuffle_bug = False
    mine.optimizer = "None"
    assert (mine.exception_verbosity, mine.blas.ldflags, mine.optimizer) == ("high", "-lopenblas", "None")
    assert mine.warn.sum_div_dimshuffle_bug is False
    assert mine.gcc.cxxflags == ""
    mine.dnn.conv.algo_fwd = "small"
    mine.take("dnn.conv.algo_bwd_data=guess", "THEANO_FLAGS")
    assert (mine.dnn.conv.algo_fwd, mine.dnn.conv.algo_bwd_data) == ("small", "guess")


def test_unknown_settings_are_refused_with_a_suggestion():
    with pytest.raises(AttributeError, match="no setting 'floatx'; did you mean 'floatX'"):
        config.floatx = "float32"
    with pytest.raises(AttributeError, match="no setting 'flotX'; did you mean 'floatX'"):
        _ = config.flotX
    with pytest.raises(ConfigError, match="True or False"):
        config.profile = "perhaps"


def test_flags_are_taken_as_theano_takes_them():
    mine = Config()
    mine.take("floatX=float32, mode=FAST_COMPILE,blas.ldflags=,profile=True,floatX=float64,", "THEANO_FLAGS")
    assert (mine.floatX, mine.mode, mine.blas.ldflags, mine.profile) == ("float64", "FAST_COMPILE", "", True)
    with pytest.raises(ConfigError, match="THEANO_FLAGS: 'floatX'"):
        mine.take("floatX", "THEANO_FLAGS")
    with pytest.warns(UserWarning, match="THEANO_FLAGS: config has no setting 'floatY'"):
        mine.take("floatY=float32", "THEANO_FLAGS")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"THEANO_FLAGS": "floatX=float32"}, "float32"),
        ({"THEANO_FLAGS": "floatX=float32", "ARIGNOTE_FLAGS": "floatX=float64"}, "float64"),
        ({}, "float64"),
    ],
)
def test_the_environment_is_read(monkeypatch, flags, expected):
    for name in ("THEANO_FLAGS", "ARIGNOTE_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in flags.items():
        monkeypatch.setenv(name, value)
    code = "import arignote; print(arignote.tensor.matrix().dtype)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


def test_a_bad_flag_is_an_error_at_the_import(monkeypatch):
    monkeypatch.setenv("THEANO_FLAGS", "floatX=float16")
    done = subprocess.run([sys.executable, "-c", "import arignote"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "config.floatX\n  expected: one of 'float32', 'float64'\n  actual:   'float16'" in done.stderr


def test_the_mode_of_functions_that_are_told_none(monkeypatch):
    x = T.dscalar("x")
    out = T.log(1 - T.nnet.sigmoid(x))  # which only the compiled mode rewrites
    assert function([x], out)(800.0) == -800.0
    monkeypatch.setattr(config, "mode", "FAST_COMPILE")
    assert function([x], out)(800.0) == -np.inf
    assert function([x], out, mode="FAST_RUN")(800.0) == -800.0


def test_unused_inputs_and_profiles_as_the_settings_say(monkeypatch):
    x = T.dscalar("x")
    monkeypatch.setattr(config, "on_unused_input", "ignore")
    monkeypatch.setattr(config, "profile", True)
    f = arignote.function([x], T.constant(1.0))
    assert f(2.0) == 1.0
    assert f.profile.runs == 1


# ------------------------------------------------------------------------------------------ test values


def test_test_values_find_a_mistake_on_its_line(monkeypatch):
    x, y = T.dmatrix("x"), T.dmatrix("y")
    x.tag.test_value, y.tag.test_value = np.ones((2, 3)), np.ones((2, 3))
    assert T.dot(x, y).ndim == 2
    monkeypatch.setattr(config, "compute_test_value", "raise")
    with pytest.raises(ShapeError, match=r"inner extents differ\n  at:       .*test_config.py"):
        T.dot(x, y)
    product = T.dot(x, y.T)
    np.testing.assert_array_equal(product.tag.test_value, np.full((2, 2), 3.0))
    total = (product * arignote.shared(np.full((2, 2), 2.0))).sum() + 1
    assert total.tag.test_value == 25.0
    assert arignote.grad(total, x).tag.test_value.shape == (2, 3)
    # Compiling makes nodes of its own, which have no test values.
    assert function([x, y], total)(np.zeros((2, 3)), np.zeros((2, 3))).shape == ()


def test_inputs_without_a_test_value(monkeypatch):
    x = T.dmatrix("x")
    monkeypatch.setattr(config, "compute_test_value", "raise")
    with pytest.raises(MissingInputError, match="x has no test value"):
        x * 2
    monkeypatch.setattr(config, "compute_test_value", "warn")
    with pytest.warns(UserWarning, match="x has no test value"):
        x * 2
    monkeypatch.setattr(config, "compute_test_value", "ignore")
    assert not hasattr((x * 2).tag, "test_value")


def test_graphs_inside_of_ops_have_no_test_values(monkeypatch):
    x, m = T.dmatrix("x"), T.dmatrix("m")
    x.tag.test_value = m.tag.test_value = np.ones((2, 3))
    monkeypatch.setattr(config, "compute_test_value", "raise")
    sums, _ = arignote.scan(lambda row, total: total + row.sum(), sequences=x, outputs_info=np.float64(0))
    assert arignote.grad(sums[-1] * 2, x).ndim == 2
    assert arignote.gradient.jacobian((x * 2).sum(0), x).ndim == 3
    twice = arignote.OpFromGraph([m], [m * 2])
    np.testing.assert_array_equal(twice(x).tag.test_value, np.full((2, 3), 2.0))
    assert arignote.grad(twice(x).sum(), x).ndim == 2
