"""Schedules: every rate next to PyTorch's, and next to the formulas in NumPy."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from arignote import function
from arignote.engine.config import config
from arignote.engine.errors import InputError
from arignote.engine.types import TensorType
from arignote.layers import (
    CosineDecay,
    ExponentialDecay,
    InverseSquareRoot,
    MultiStepDecay,
    OneCycle,
    PolynomialDecay,
    StepDecay,
    WarmUp,
)
from arignote.layers.schedules import SCHEDULES

STEPS = 60
N = np.arange(STEPS)
HALF_WAVE = (1 + np.cos(np.pi * np.minimum(N, 40) / 40)) / 2

#: Schedules, and what they are at the steps N.
FORMULAS = [
    (StepDecay(0.3, every=7), 0.3 * 0.1 ** (N // 7)),
    (StepDecay(0.3, every=1, factor=1.1), 0.3 * 1.1**N),
    (MultiStepDecay(0.3, [5, 20, 21], factor=0.5), 0.3 * 0.5 ** np.searchsorted([5, 20, 21], N, "right")),
    (MultiStepDecay(0.3, ()), np.full(STEPS, 0.3)),
    (ExponentialDecay(0.3, 0.9), 0.3 * 0.9**N),
    (PolynomialDecay(0.3, steps=40), np.interp(N, [0, 40], [0.3, 0])),
    (PolynomialDecay(0.3, 40, final=0.1), np.interp(N, [0, 40], [0.3, 0.1])),
    (PolynomialDecay(0.3, 40, 0.1, power=2), 0.1 + 0.2 * (1 - np.minimum(N, 40) / 40) ** 2),
    (CosineDecay(0.3, 40), 0.3 * HALF_WAVE),
    (CosineDecay(0.3, 40, final=0.1), 0.1 + 0.2 * HALF_WAVE),
    (InverseSquareRoot(0.3, 10), 0.3 * np.minimum((N + 1) / 10, np.sqrt(10 / (N + 1)))),
    (WarmUp(0.3, 10, start=0.5), np.interp(N, [0, 10], [0.15, 0.3])),
    (WarmUp(ExponentialDecay(0.3, 0.9), 4, start=0.0), 0.3 * np.where(N < 4, N / 4, 0.9 ** (N - 4.0))),
]


def rates(schedule, steps=STEPS, mode=None):
    step = TensorType("int64", ())("step")
    rate = schedule(step)
    assert rate.dtype == "float64"
    at = function([step], rate, mode=mode, on_unused_input="ignore")
    return np.array([at(n) for n in range(steps)])


@pytest.mark.parametrize(("schedule", "expected"), FORMULAS, ids=lambda value: str(value)[:60])
def test_formulas(schedule, expected, each_float):
    np.testing.assert_allclose(rates(schedule), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("schedule", [each for each, _ in FORMULAS] + [OneCycle(0.3, STEPS)], ids=str)
def test_the_reference_mode_agrees(schedule):
    np.testing.assert_allclose(rates(schedule, mode="reference"), rates(schedule), rtol=1e-12, atol=1e-15)


def sequence(scheduler, optimiser, second):
    warm_up = scheduler.LinearLR(optimiser, start_factor=1 / 3, total_iters=10)
    return scheduler.SequentialLR(optimiser, [warm_up, second(optimiser)], milestones=[10])


#: Schedules, and what makes PyTorch's from its module of schedulers and an optimiser of rate 0.3.
PAIRS = [
    (StepDecay(0.3, every=7), lambda s, o: s.StepLR(o, 7)),
    (MultiStepDecay(0.3, (5, 20, 21), 0.5), lambda s, o: s.MultiStepLR(o, [5, 20, 21], 0.5)),
    (ExponentialDecay(0.3, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
    (PolynomialDecay(0.3, 40, power=1.5), lambda s, o: s.PolynomialLR(o, 40, 1.5)),
    (
        PolynomialDecay(0.3, 40, 0.1),
        lambda s, o: s.LinearLR(o, start_factor=1, end_factor=1 / 3, total_iters=40),
    ),
    (CosineDecay(0.3, STEPS, 0.01), lambda s, o: s.CosineAnnealingLR(o, STEPS, 0.01)),
    (OneCycle(0.3, STEPS), lambda s, o: s.OneCycleLR(o, 0.3, STEPS)),
    (
        OneCycle(0.3, STEPS, rise=0.41, initial_divisor=10, final_divisor=50),
        lambda s, o: s.OneCycleLR(o, 0.3, STEPS, pct_start=0.41, div_factor=10, final_div_factor=50),
    ),
    (WarmUp(0.3, 10), lambda s, o: s.LinearLR(o, total_iters=10)),
    (
        WarmUp(CosineDecay(0.3, 50), 10),
        lambda s, o: sequence(s, o, lambda o: s.CosineAnnealingLR(o, 50)),
    ),
]


@pytest.mark.parametrize(("schedule", "make"), PAIRS, ids=lambda value: str(value)[:60])
@pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler.step:UserWarning"
)  # no optimiser steps here
@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")  # of PyTorch's own SequentialLR
def test_pytorchs_are_the_same(schedule, make):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(torch.optim.lr_scheduler, optimiser)
    expected = []
    for _ in range(STEPS):
        expected.append(optimiser.param_groups[0]["lr"])
        if len(expected) < STEPS:  # a cycle refuses to go on
            scheduler.step()
    np.testing.assert_allclose(rates(schedule), expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("schedule", [PolynomialDecay(0.3, 5, 0.1), CosineDecay(0.3, 5, 0.1)], ids=str)
def test_the_end_lasts(schedule):
    np.testing.assert_allclose(rates(schedule, 9)[5:], 0.1, rtol=1e-15)


def test_a_cycle_ends_and_lasts():
    got = rates(OneCycle(0.5, 20, initial_divisor=5, final_divisor=100), 25)
    assert got[0] == pytest.approx(0.1)
    assert got[5] == pytest.approx(0.5)
    np.testing.assert_allclose(got[19:], 0.001, rtol=1e-12)


@pytest.mark.parametrize(("steps", "rise"), [(1, 0.3), (2, 0.3), (2, 0.5), (3, 0.3), (10, 0.1), (10, 0.9)])
def test_a_short_cycle_is_finite(steps, rise):
    got = rates(OneCycle(0.5, steps, rise), 12)
    assert np.isfinite(got).all()
    assert (got >= 0).all()
    assert (got <= 0.5).all()


def test_many_steps_do_not_round(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")
    step = TensorType("int64", ())("step")
    at = function([step], PolynomialDecay(1.0, 10**9)(step))
    assert at(123_456_789) == pytest.approx(1 - 0.123456789, rel=1e-15)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: StepDecay(-1.0, 10), r"StepDecay: argument `initial`[\s\S]*at least 0[\s\S]*-1.0"),
        (lambda: StepDecay(0.1, 0), r"StepDecay: argument `every`[\s\S]*whole number of at least 1[\s\S]*0"),
        (lambda: MultiStepDecay(0.1, (20, 10)), r"`milestones`[\s\S]*ascending[\s\S]*\(20, 10\)"),
        (lambda: MultiStepDecay(0.1, (10, 20.5)), r"`milestones`[\s\S]*\(10, 20.5\)"),
        (lambda: ExponentialDecay(0.1, 0.0), r"ExponentialDecay: argument `factor`[\s\S]*above 0"),
        (lambda: PolynomialDecay(0.1, 2.5), r"PolynomialDecay: argument `steps`[\s\S]*2.5"),
        (lambda: PolynomialDecay(0.1, 2, power=-1), r"PolynomialDecay: argument `power`"),
        (lambda: CosineDecay(0.1, 2, np.nan), r"CosineDecay: argument `final`"),
        (lambda: OneCycle(0.1, 10, rise=1.0), r"OneCycle: argument `rise`[\s\S]*above 0 and below 1"),
        (lambda: InverseSquareRoot(0.1, 0), r"InverseSquareRoot: argument `warm_up`"),
        (lambda: WarmUp("cosine", 10), r"WarmUp: argument `after`[\s\S]*'cosine'"),
        (lambda: WarmUp(0.1, 10, start=-1), r"WarmUp: argument `start`"),
    ],
)
def test_arguments(build, message):
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert "test_schedules.py" in str(caught.value)


@pytest.mark.parametrize("schedule", [each for each, _ in FORMULAS[:-1]] + [OneCycle(0.3, 50)], ids=str)
def test_a_file_can_name_it(schedule):
    described = json.loads(json.dumps({"kind": type(schedule).__name__, **asdict(schedule)}))
    assert SCHEDULES[described.pop("kind")](**described) == schedule
