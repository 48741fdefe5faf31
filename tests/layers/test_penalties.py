"""Penalties next to NumPy's sums, and the decay that PyTorch makes of one."""

import numpy as np
import pytest

from arignote import function
from arignote.engine.errors import InputError
from arignote.engine.grad import grad
from arignote.engine.shared import shared
from arignote.layers import SGD, WeightPenalty, l1, l2

RNG = np.random.default_rng(0)
VALUES = [RNG.normal(size=shape) for shape in [(), (0,), (5,), (3, 4), (2, 1, 3, 3)]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("penalty", "size", "slope"), [(l1, np.abs, np.sign), (l2, np.square, lambda w: 2 * w)], ids=["l1", "l2"]
)
def test_sums_and_slopes(penalty, size, slope, dtype, each_float):
    params = [shared(value.astype(dtype)) for value in VALUES]
    total, *slopes = function([], [penalty(params), *grad(penalty(params), params)])()
    assert total.dtype == dtype
    np.testing.assert_allclose(total, sum(size(value).sum() for value in VALUES), rtol=1e-6)
    for got, value in zip(slopes, VALUES, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, slope(value), rtol=1e-6)


def test_weight_decay_is_the_slope_of_half_of_it():
    w, v = shared(VALUES[3], name="w"), shared(VALUES[3], name="v")
    function([], updates=SGD(0.1).updates(w.sum() + 0.5 * 0.3 * l2([w]), [w]))()
    function([], updates=SGD(0.1, weight_decay=0.3).updates(v.sum(), [v]))()
    np.testing.assert_allclose(w.get_value(), v.get_value(), rtol=1e-14)


@pytest.mark.parametrize("penalty", [l1, l2])
def test_no_parameters(penalty):
    with pytest.raises(
        InputError, match=rf"{penalty.__name__}: argument `params`[\s\S]*at least one"
    ) as caught:
        penalty([])
    assert "test_penalties.py" in str(caught.value)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), "much"])
def test_strengths_that_are_none(strength):
    with pytest.raises(InputError, match="`strength`"):
        WeightPenalty(strength)
