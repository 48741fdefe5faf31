"""Train steps of whole networks, the same as PyTorch's: losses, and parameters after many steps."""

from __future__ import annotations

import numpy as np
import pytest
import train_step

torch = pytest.importorskip("torch", reason="the comparison needs PyTorch")


def compared(net, size, dtype, steps):
    """Return the losses of some steps, a pair each, and the parameters after them."""
    # Other weights may bring an activation within rounding of relu's kink, where float32 goes either way.
    weights = net.weights(np.random.default_rng(0), dtype)
    ours, our_parameters = train_step.arignote_step(net, weights, size)
    theirs, their_parameters = train_step.torch_step(net, weights, size)
    batches = train_step.digits(size, steps, dtype)
    losses = np.array([[float(ours(*batch)), theirs(*batch)] for batch in batches])
    return losses, our_parameters(), their_parameters()


@pytest.mark.parametrize("size", [10, 128])
@pytest.mark.parametrize("net", train_step.NETS, ids=lambda net: net.name)
def test_losses_are_pytorchs(net, size):
    losses, _, _ = compared(net, size, "float32", steps=5)
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-6)


# In float32 the relu net is no measure: after 50 steps PyTorch's own float32 can be 1e-3 away from its
# float64, since rounding moves activations across relu's kink. In float64 it does not.
@pytest.mark.parametrize("size", [10, 128])
@pytest.mark.parametrize(
    ("net", "dtype"),
    [(train_step.NETS[0], "float32"), (train_step.NETS[0], "float64"), (train_step.NETS[1], "float64")],
    ids=lambda value: getattr(value, "name", value),
)
def test_parameters_after_fifty_steps_are_pytorchs(net, size, dtype):
    _, ours, theirs = compared(net, size, dtype, steps=50)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)
