"""Optimisers: fifty steps next to PyTorch's, and next to the formulas of the papers in NumPy."""

import json
import pickle
from dataclasses import asdict

import numpy as np
import pytest

from arignote import function
from arignote.compile import objects
from arignote.engine.config import config
from arignote.engine.errors import DisconnectedInputError, DTypeError, InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.graph import as_variable
from arignote.engine.ops import sqr, sum
from arignote.engine.shared import shared
from arignote.engine.types import TensorType
from arignote.layers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    ExponentialDecay,
    RMSprop,
)
from arignote.layers.optimisers import OPTIMISERS

SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 4, 2)]
STEPS = 50


def problem(dtype="float64", shapes=SHAPES):
    """Return parameters, and the targets that a cost pulls them to from step to step, for each parameter."""
    rng = np.random.default_rng(0)
    starts = [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    targets = [np.asarray(rng.normal(size=(STEPS, *shape)), dtype) for shape in shapes]
    return starts, targets


def cost_of(params, targets):
    """A cost whose curvature differs from element to element; for either library, and for NumPy's arrays."""
    return [(w - t) ** 2 / 2 + (w - t) ** 4 / 4 for w, t in zip(params, targets, strict=True)]


def slope_of(w, t):
    return (w - t) + (w - t) ** 3


def ours(optimiser, dtype="float64", mode=None, shapes=SHAPES):
    """Return what parameters are after fifty steps."""
    starts, targets = problem(dtype, shapes)
    params = [shared(start, name=f"w{i}") for i, start in enumerate(starts)]
    inputs = [TensorType(dtype, (None,) * start.ndim)() for start in starts]
    first, *others = (sum(cost) for cost in cost_of(params, inputs))
    cost = first
    for other in others:
        cost = cost + other
    step = function(inputs, cost, updates=optimiser.updates(cost, params), mode=mode)
    for now in zip(*targets, strict=True):
        step(*now)
    return [param.get_value() for param in params]


def by_hand(rule):
    """Return the same, by a function that makes a generator of steps for each parameter."""
    starts, targets = problem()
    params = []
    for start, pulls in zip(starts, targets, strict=True):
        w, step = start, rule(start)
        for n, pull in enumerate(pulls, 1):
            w = step(w, slope_of(w, pull), n)
        params.append(w)
    return params


def theirs(torch, make, schedule=None):
    starts, targets = problem()
    params = [torch.tensor(start, requires_grad=True) for start in starts]
    optimiser = make(params)
    scheduler = schedule(optimiser) if schedule else None
    for now in zip(*targets, strict=True):
        optimiser.zero_grad()
        costs = cost_of(params, [torch.tensor(target) for target in now])
        torch.stack([cost.sum() for cost in costs]).sum().backward()
        optimiser.step()
        if scheduler:
            scheduler.step()
    return [param.detach().numpy() for param in params]


def assert_equal_params(got, expected, tolerance=1e-12):
    for mine, other in zip(got, expected, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


#: Ours; the name of PyTorch's; its arguments.
PAIRS = [
    (SGD(0.01), "SGD", {"lr": 0.01}),
    (SGD(0.01, weight_decay=0.1), "SGD", {"lr": 0.01, "weight_decay": 0.1}),
    (SGD(0.01, momentum=0.9), "SGD", {"lr": 0.01, "momentum": 0.9}),
    (
        SGD(0.01, momentum=0.8, nesterov=True, weight_decay=0.1),
        "SGD",
        {"lr": 0.01, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    ),
    (Adagrad(), "Adagrad", {}),
    (
        Adagrad(0.1, initial_sum=0.2, epsilon=1e-3, weight_decay=0.1),
        "Adagrad",
        {"lr": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3, "weight_decay": 0.1},
    ),
    (RMSprop(), "RMSprop", {}),
    (
        RMSprop(0.02, rho=0.9, epsilon=1e-3, momentum=0.5, centered=True, weight_decay=0.1),
        "RMSprop",
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    ),
    (Adadelta(), "Adadelta", {}),
    (
        Adadelta(0.5, rho=0.8, epsilon=1e-4, weight_decay=0.1),
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1},
    ),
    (Adam(), "Adam", {}),
    (
        Adam(0.05, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.1),
        "Adam",
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    ),
    (Adam(0.05, amsgrad=True), "Adam", {"lr": 0.05, "amsgrad": True}),
    (AdamW(), "AdamW", {}),
    (AdamW(0.05, weight_decay=0.3), "AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    (
        AdamW(0.05, weight_decay=0.3, amsgrad=True),
        "AdamW",
        {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True},
    ),
    (Adamax(), "Adamax", {}),
    (
        Adamax(0.05, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.1),
        "Adamax",
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    ),
]


@pytest.mark.parametrize(("optimiser", "name", "arguments"), PAIRS, ids=lambda value: str(value)[:70])
def test_fifty_steps_are_pytorchs(optimiser, name, arguments):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    expected = theirs(torch, lambda params: getattr(torch.optim, name)(params, **arguments))
    assert_equal_params(ours(optimiser), expected)


@pytest.mark.parametrize(
    "optimiser",
    [
        SGD(0.01, 0.9, nesterov=True),
        Adagrad(),
        RMSprop(0.01, 0.9, centered=True),
        Adadelta(),
        AdamW(),
        Adamax(),
    ],
    ids=lambda optimiser: type(optimiser).__name__,
)
def test_the_reference_mode_agrees(optimiser):
    assert_equal_params(ours(optimiser, mode="reference"), ours(optimiser))


class TestFormulas:
    """The same without PyTorch: the formulas of the papers, step by step in NumPy."""

    def test_gradient_descent(self):
        assert_equal_params(ours(SGD(0.01)), by_hand(lambda _: lambda w, g, n: w - 0.01 * g))

    @pytest.mark.parametrize("nesterov", [False, True])
    def test_momentum(self, nesterov):
        def rule(start):
            velocity = np.zeros_like(start)

            def step(w, g, n):
                nonlocal velocity
                g = g + 0.1 * w
                velocity = 0.9 * velocity + g
                return w - 0.01 * (g + 0.9 * velocity if nesterov else velocity)

            return step

        assert_equal_params(ours(SGD(0.01, 0.9, nesterov, weight_decay=0.1)), by_hand(rule))

    def test_adagrad(self):
        def rule(start):
            total = np.zeros_like(start)

            def step(w, g, n):
                nonlocal total
                total = total + g * g
                return w - 0.1 * g / (np.sqrt(total) + 1e-10)

            return step

        assert_equal_params(ours(Adagrad(0.1)), by_hand(rule))

    def test_rmsprop(self):
        def rule(start):
            mean, square, velocity = np.zeros((3, *start.shape))

            def step(w, g, n):
                nonlocal mean, square, velocity
                mean = 0.9 * mean + (1 - 0.9) * g
                square = 0.9 * square + (1 - 0.9) * g * g
                velocity = 0.5 * velocity + g / (np.sqrt(square - mean * mean) + 1e-8)
                return w - 0.01 * velocity

            return step

        assert_equal_params(ours(RMSprop(0.01, rho=0.9, momentum=0.5, centered=True)), by_hand(rule), 1e-9)

    def test_adadelta(self):
        def rule(start):
            square, changes = np.zeros((2, *start.shape))

            def step(w, g, n):
                nonlocal square, changes
                square = 0.9 * square + (1 - 0.9) * g * g
                change = np.sqrt(changes + 1e-6) / np.sqrt(square + 1e-6) * g
                changes = 0.9 * changes + (1 - 0.9) * change**2
                return w - change

            return step

        assert_equal_params(ours(Adadelta()), by_hand(rule))

    @pytest.mark.parametrize("amsgrad", [False, True])
    @pytest.mark.parametrize("decoupled", [False, True])
    def test_adam(self, amsgrad, decoupled):
        def rule(start):
            mean, square, largest = np.zeros((3, *start.shape))

            def step(w, g, n):
                nonlocal mean, square, largest
                if decoupled:
                    w = w - 0.01 * 0.1 * w
                else:
                    g = g + 0.1 * w
                mean = 0.9 * mean + (1 - 0.9) * g
                square = 0.999 * square + (1 - 0.999) * g * g
                largest = np.maximum(largest, square)
                corrected = (largest if amsgrad else square) / (1 - 0.999**n)
                return w - 0.01 * mean / (1 - 0.9**n) / (np.sqrt(corrected) + 1e-8)

            return step

        kind = AdamW if decoupled else Adam
        assert_equal_params(ours(kind(0.01, weight_decay=0.1, amsgrad=amsgrad)), by_hand(rule))

    def test_adamax(self):
        def rule(start):
            mean, largest = np.zeros((2, *start.shape))

            def step(w, g, n):
                nonlocal mean, largest
                mean = 0.9 * mean + (1 - 0.9) * g
                largest = np.maximum(0.999 * largest, abs(g) + 1e-8)
                return w - 0.01 / (1 - 0.9**n) * mean / largest

            return step

        assert_equal_params(ours(Adamax(0.01)), by_hand(rule))


class TestLearningRate:
    def test_schedule(self):
        def rule(_):
            return lambda w, g, n: w - 0.02 * 0.95 ** (n - 1) * g

        assert_equal_params(ours(SGD(ExponentialDecay(0.02, 0.95))), by_hand(rule))
        assert_equal_params(ours(SGD(lambda step: 0.02 * 0.95**step)), by_hand(rule))

    def test_schedule_of_adam_is_pytorchs(self):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        expected = theirs(
            torch,
            lambda params: torch.optim.AdamW(params, lr=0.05),
            lambda optimiser: torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.9),
        )
        assert_equal_params(ours(AdamW(ExponentialDecay(0.05, 0.9))), expected)

    @pytest.mark.parametrize("kind", [SGD, Adam])
    def test_a_shared_rate_is_set_between_steps(self, kind):
        rate, w = shared(0.5, name="rate"), shared(np.ones(3), name="w")
        descent = kind(rate).descent([w * 0 + 1.0], [w])
        assert descent.state["learning_rate"] is rate
        assert ("steps" in descent.state) == (kind is Adam)
        step = function([], updates=descent.updates)
        step()
        rate.set_value(0.25)
        step()
        # Of a gradient that is always 1, Adam's step is the rate.
        np.testing.assert_allclose(w.get_value(), np.full(3, 1 - 0.5 - 0.25), rtol=1e-7)

    def test_another_rate_needs_no_other_kernels(self):
        def kernels(rate):
            ours(Adam(rate, weight_decay=rate))
            return len(objects._addresses)

        assert kernels(0.01) == kernels(0.02)

    def test_a_schedule_that_gives_no_scalar(self):
        w = shared(np.zeros(3))
        with pytest.raises(ShapeError, match=r"SGD: the learning rate[\s\S]*a scalar[\s\S]*float64\(\?\)"):
            SGD(lambda step: w).descent([w], [w])


class TestState:
    @pytest.mark.parametrize(
        ("optimiser", "names"),
        [
            (SGD(0.1), []),
            (SGD(ExponentialDecay(0.1, 0.9)), ["steps"]),
            (SGD(0.1, momentum=0.9), ["0.velocity", "1.velocity"]),
            (Adagrad(), ["0.sum_of_squares", "1.sum_of_squares"]),
            (RMSprop(), ["0.mean_square", "1.mean_square"]),
            (Adam(), ["steps", "0.mean", "0.mean_square", "1.mean", "1.mean_square"]),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_names(self, optimiser, names):
        w, b = shared(np.ones((2, 3), "float32"), name="w"), shared(np.ones(3), name="w")
        descent = optimiser.descent([w, b], [w, b])
        assert list(descent.state) == names
        assert {variable for variable, _ in descent.updates} == {w, b, *descent.state.values()}
        for name, variable in descent.state.items():
            if name != "steps":
                param = (w, b)[int(name[0])]
                assert variable.type == param.type
                assert variable.name == f"w.{name[2:]}"

    @pytest.mark.parametrize(
        "optimiser",
        [
            SGD(ExponentialDecay(0.1, 0.9), momentum=0.9),
            RMSprop(momentum=0.5, centered=True),
            Adam(amsgrad=True),
        ],
        ids=lambda optimiser: type(optimiser).__name__,
    )
    def test_restored_state_goes_on_bit_for_bit(self, optimiser):
        def begun():
            w = shared(np.arange(1.0, 5.0), name="w")
            x = TensorType("float64", (None,))("x")
            descent = optimiser.descent([grad(sum(sqr(w - x)), w)], [w])
            return w, descent.state, function([x], updates=descent.updates)

        pulls = np.random.default_rng(0).normal(size=(8, 4))
        w, state, step = begun()
        for pull in pulls[:5]:
            step(pull)
        saved = pickle.dumps((w.get_value(), {name: each.get_value() for name, each in state.items()}))
        again, its_state, its_step = begun()
        value, values = pickle.loads(saved)
        again.set_value(value)
        for name, each in its_state.items():
            each.set_value(values[name])
        for pull in pulls[5:]:
            step(pull)
            its_step(pull)
        np.testing.assert_array_equal(again.get_value(), w.get_value())

    def test_each_descent_has_its_own(self):
        w = shared(np.zeros(2), name="w")
        optimiser = Adam()
        one, other = (optimiser.descent([w], [w]).state for _ in range(2))
        assert one["0.mean"] is not other["0.mean"]


class TestPrecision:
    @pytest.mark.parametrize("optimiser", [pair[0] for pair in PAIRS[3::2]], ids=lambda each: str(each)[:60])
    def test_parameters_decide_it_and_not_the_setting(self, optimiser, monkeypatch):
        exact = ours(optimiser)
        for setting in ("float64", "float32"):
            monkeypatch.setattr(config, "floatX", setting)
            rounded = ours(optimiser, "float32")
            assert {param.dtype.name for param in rounded} == {"float32"}
            assert_equal_params(rounded, exact, 2e-4)
        # The setting is float32 now, and makes float32 of Python's floats in expressions.
        assert_equal_params(ours(optimiser), exact)

    def test_a_float64_cost_of_float32_parameters(self):
        w = shared(np.ones(3, "float32"), name="w")
        cost = sum(sqr(w - np.arange(3.0)))
        assert cost.dtype == "float64"
        step = function([], updates=Adam(0.1).updates(cost, [w]))
        step()
        assert w.get_value().dtype == np.float32
        np.testing.assert_allclose(w.get_value(), [0.9, 1.0, 1.1], rtol=1e-6)


def test_kernels_are_shared_by_parameters():
    """Adam needs as many kernels for ten parameters as for two of the same ranks."""

    def kernels(shapes):
        rng = np.random.default_rng(0)
        params = [shared(rng.normal(size=shape).astype("float32"), name="w") for shape in shapes]
        inputs = [TensorType("float32", (None,) * len(shape))() for shape in shapes]
        gradients = list(inputs)
        step = function(inputs, updates=Adam(0.01).descent(gradients, params).updates)
        step(*(np.ones(shape, "float32") for shape in shapes))
        text = step.explain()
        return int(text.split(" steps with ")[1].split(" kernels")[0])

    assert kernels([(3, 4), (4,)] * 5) == kernels([(3, 4), (4,)]) <= 8


class TestArguments:
    @pytest.mark.parametrize(
        ("build", "error", "message"),
        [
            (lambda: SGD(-0.1), InputError, r"SGD: argument `learning_rate`[\s\S]*at least 0[\s\S]*-0.1"),
            (lambda: SGD(np.inf), InputError, r"SGD: argument `learning_rate`[\s\S]*finite"),
            (lambda: SGD("fast"), InputError, r"SGD: argument `learning_rate`[\s\S]*'fast'"),
            (lambda: SGD(0.1, momentum=1.0), InputError, r"SGD: argument `momentum`[\s\S]*below 1[\s\S]*1.0"),
            (lambda: SGD(0.1, nesterov=True), InputError, r"SGD: argument `nesterov`[\s\S]*momentum=0.9"),
            (lambda: SGD(0.1, weight_decay=-1), InputError, r"SGD: argument `weight_decay`"),
            (lambda: Adam(beta1=1.0), InputError, r"Adam: argument `beta1`[\s\S]*below 1"),
            (lambda: AdamW(beta2=-0.1), InputError, r"AdamW: argument `beta2`"),
            (lambda: Adamax(epsilon=np.nan), InputError, r"Adamax: argument `epsilon`"),
            (lambda: RMSprop(rho=2.0), InputError, r"RMSprop: argument `rho`"),
            (lambda: Adadelta(rho=1), InputError, r"Adadelta: argument `rho`"),
            (lambda: Adagrad(initial_sum=-1), InputError, r"Adagrad: argument `initial_sum`"),
            (
                lambda: SGD(shared(np.ones(2))),
                DTypeError,
                r"SGD: argument `learning_rate`[\s\S]*shared scalar",
            ),
            (lambda: SGD(shared(1)), DTypeError, r"shared scalar of float32 or float64[\s\S]*int64"),
        ],
    )
    def test_fields(self, build, error, message):
        with pytest.raises(error, match=message) as caught:
            build()
        assert "test_optimisers.py" in str(caught.value)

    @pytest.mark.parametrize(
        ("gradients", "params", "error", "message"),
        [
            ([1.0], "w k", ShapeError, r"`gradients`[\s\S]*each of the 2 parameters[\s\S]*1 gradients"),
            ([1.0, 1.0], "w w", InputError, r"`params`[\s\S]*once[\s\S]*w at positions 0 and 1"),
            ([1.0, 1.0], "k x", DTypeError, r"`params`[\s\S]*shared variables[\s\S]*x[\s\S]*position 1"),
            ([1.0], "n", DTypeError, r"`params`[\s\S]*float32 or float64[\s\S]*int64"),
            ([1.0], "m", ShapeError, r"gradient of m[\s\S]*2 dimensions"),
        ],
    )
    def test_what_does_not_fit(self, gradients, params, error, message):
        known = {
            "w": shared(1.0, name="w"),
            "k": shared(1.0, name="k"),
            "n": shared(np.int64(1), name="n"),
            "m": shared(np.ones((2, 2)), name="m"),
            "x": TensorType("float64", ())("x"),
        }
        with pytest.raises(error, match=message) as caught:
            SGD(0.1).descent(
                [as_variable(each) for each in gradients], [known[name] for name in params.split()]
            )
        assert "test_optimisers.py" in str(caught.value)

    def test_a_parameter_that_the_cost_does_not_know(self):
        w, b = shared(1.0, name="w"), shared(1.0, name="b")
        with pytest.raises(DisconnectedInputError):
            SGD(0.1).updates(w**2, [w, b])

    def test_no_parameters(self):
        assert SGD(0.1).descent([], []).updates == []


@pytest.mark.parametrize("optimiser", [pair[0] for pair in PAIRS], ids=lambda each: str(each)[:60])
def test_a_file_can_name_it(optimiser):
    described = json.loads(json.dumps({"kind": type(optimiser).__name__, **asdict(optimiser)}))
    assert OPTIMISERS[described.pop("kind")](**described) == optimiser
