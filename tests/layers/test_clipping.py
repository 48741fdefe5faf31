"""Clipped gradients and constrained parameters, next to NumPy and PyTorch."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.graph import as_variable
from arignote.engine.ops import sqr, sum
from arignote.engine.shared import shared
from arignote.engine.types import TensorType
from arignote.layers import Adam, clip_by_norm, clip_by_value, constrained, global_norm, max_norm

RNG = np.random.default_rng(0)
GRADIENTS = [RNG.normal(size=shape) for shape in [(), (5,), (3, 4), (2, 1, 3, 3)]]
NORM = np.sqrt(np.sum([np.square(each).sum() for each in GRADIENTS]))


def evaluated(bound, limit, arrays=GRADIENTS, mode=None):
    inputs = [TensorType(str(array.dtype), (None,) * array.ndim)() for array in arrays]
    return function(inputs, bound(inputs, limit), mode=mode)(*arrays)


@pytest.mark.parametrize("mode", [None, "reference"])
class TestGradients:
    def test_by_value(self, mode):
        for got, given in zip(evaluated(clip_by_value, 0.7, mode=mode), GRADIENTS, strict=True):
            np.testing.assert_array_equal(got, given.clip(-0.7, 0.7))

    @pytest.mark.parametrize("limit", [0.1, 1.0, NORM - 1e-3, NORM + 1e-3, 100.0])
    def test_by_norm(self, limit, mode):
        clipped = evaluated(clip_by_norm, limit, mode=mode)
        factor = min(1, limit / (NORM + 1e-6))
        for got, given in zip(clipped, GRADIENTS, strict=True):
            np.testing.assert_allclose(got, factor * given, rtol=1e-13)
        assert np.sqrt(np.sum([np.square(each).sum() for each in clipped])) <= limit

    def test_zeros_stay(self, mode):
        assert not evaluated(clip_by_norm, 1.0, [np.zeros(3)], mode)[0].any()

    def test_nan_is_not_hidden(self, mode):
        got = evaluated(clip_by_norm, 1.0, [np.array([1.0, np.nan]), np.ones(1)], mode)
        assert np.isnan(got[0]).all()
        assert np.isnan(got[1]).all()
        assert np.isnan(evaluated(clip_by_value, 1.0, [np.array([np.nan])], mode)[0]).all()


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_pytorchs_norm_is_the_same(limit):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    params = [torch.zeros(each.shape, dtype=torch.float64, requires_grad=True) for each in GRADIENTS]
    for param, gradient in zip(params, GRADIENTS, strict=True):
        param.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_(params, limit)
    for got, param in zip(evaluated(clip_by_norm, limit), params, strict=True):
        np.testing.assert_allclose(got, param.grad.numpy(), rtol=1e-13)
    assert float(global_norm([as_variable(each) for each in GRADIENTS]).eval()) == pytest.approx(norm.item())


def fifty_steps(clip):
    """Return what clipped gradients make of a parameter, by Adam."""
    w = shared(np.arange(6.0).reshape(2, 3), name="w")
    target = TensorType("float64", (None, None))("target")
    gradients = clip([grad(sum(sqr(sqr(w - target))), w)])
    step = function([target], updates=Adam(0.1).descent(gradients, [w]).updates)
    for now in np.random.default_rng(1).normal(size=(50, 2, 3)):
        step(now)
    return w.get_value()


@pytest.mark.parametrize("name", ["value", "norm"])
def test_fifty_clipped_steps_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = {"value": clip_by_value, "norm": clip_by_norm}[name]
    theirs = {
        "value": torch.nn.utils.clip_grad_value_,
        "norm": torch.nn.utils.clip_grad_norm_,
    }[name]
    w = torch.arange(6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    optimiser = torch.optim.Adam([w], lr=0.1)
    for now in np.random.default_rng(1).normal(size=(50, 2, 3)):
        optimiser.zero_grad()
        ((w - torch.tensor(now)) ** 4).sum().backward()
        theirs([w], 2.0)
        optimiser.step()
    got = fifty_steps(lambda gradients: ours(gradients, 2.0))
    np.testing.assert_allclose(got, w.detach().numpy(), rtol=1e-12)


class TestMaxNorm:
    @pytest.mark.parametrize("mode", [None, "reference"])
    @pytest.mark.parametrize(("shape", "axis"), [((5, 4), 0), ((5, 4), 1), ((4, 2, 3, 3), (1, 2, 3))])
    def test_units_are_scaled_where_they_are_long(self, shape, axis, mode):
        weights = np.random.default_rng(0).normal(size=shape)
        norms = np.sqrt(np.square(weights).sum(axis=axis, keepdims=True))
        limit = float(np.median(norms))
        (got,) = evaluated(lambda given, limit: [max_norm(given[0], limit, axis)], limit, [weights], mode)
        np.testing.assert_allclose(got, np.where(norms > limit, weights * limit / norms, weights), rtol=1e-14)
        short = np.broadcast_to(norms <= limit, shape)
        np.testing.assert_array_equal(got[short], weights[short])  # those are left alone to the last bit

    def test_pytorchs_renorm_is_the_same(self):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        weights = np.random.default_rng(0).normal(size=(4, 2, 3, 3))
        (got,) = evaluated(lambda given, limit: [max_norm(given[0], limit, (1, 2, 3))], 3.0, [weights])
        # PyTorch adds 1e-7 to the norm.
        np.testing.assert_allclose(got, torch.renorm(torch.tensor(weights), 2, 0, 3.0), rtol=1e-6)

    def test_zeros_stay(self):
        (got,) = evaluated(lambda given, limit: [max_norm(given[0], limit)], 1.0, [np.zeros((3, 2))])
        np.testing.assert_array_equal(got, np.zeros((3, 2)))

    def test_another_axis(self):
        with pytest.raises(ShapeError, match="axis"):
            max_norm(TensorType("float64", (None, None))(), 1.0, axis=2)


class TestConstrained:
    def test_every_step_keeps_it(self):
        w, b = shared(np.zeros((3, 2)), name="w"), shared(np.zeros(2), name="b")
        updates = Adam(1.0).updates(sum(sqr(w - 5)) + sum(sqr(b - 5)), [w, b])
        step = function([], updates=constrained(updates, {w: lambda value: max_norm(value, 2.0)}))
        for _ in range(10):
            step()
        np.testing.assert_allclose(np.linalg.norm(w.get_value(), axis=0), [2.0, 2.0], rtol=1e-12)
        assert (b.get_value() > 2.0).all()
        assert [variable for variable, _ in constrained(updates, {})] == [variable for variable, _ in updates]

    def test_what_is_not_updated(self):
        w, b = shared(np.zeros(2), name="w"), shared(np.zeros(2), name="b")
        with pytest.raises(InputError, match=r"`constraints`[\s\S]*updates change[\s\S]*b") as caught:
            constrained([(w, w + 1)], {b: lambda value: value})
        assert "test_clipping.py" in str(caught.value)


def test_float32_stays(each_float):
    arrays = [each.astype("float32") for each in GRADIENTS[1:]]
    for bound in (
        clip_by_value,
        clip_by_norm,
        lambda given, limit: [max_norm(each, limit) for each in given],
    ):
        assert {each.dtype.name for each in evaluated(bound, 0.3, arrays)} == {"float32"}


@pytest.mark.parametrize("bound", [clip_by_value, clip_by_norm, max_norm])
@pytest.mark.parametrize("limit", [0, -1.0, np.nan, "1"])
def test_limits(bound, limit):
    gradient = as_variable(np.ones((2, 2)))
    with pytest.raises(InputError, match=rf"{bound.__name__}: argument `limit`[\s\S]*above 0") as caught:
        bound(gradient if bound is max_norm else [gradient], limit)
    assert "test_clipping.py" in str(caught.value)


def test_nothing_to_clip():
    assert clip_by_norm([], 1.0) == clip_by_value([], 1.0) == []
