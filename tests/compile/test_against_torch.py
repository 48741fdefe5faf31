"""Train steps of whole networks, the same as PyTorch's: losses, and parameters after many steps."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the comparison needs PyTorch")


BENCHMARK = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "train_step.py"))
)


@pytest.mark.parametrize("size", [10, 128])
@pytest.mark.parametrize("net", BENCHMARK.NETS, ids=lambda net: net.name)
def test_losses_and_parameters_are_pytorchs(net, size):
    rng = np.random.default_rng(size)
    weights = net.weights(rng)
    batches = [
        (rng.random((size, 784), dtype="float32"), rng.integers(0, 10, size).astype("int32"))
        for _ in range(5)
    ]
    ours, our_parameters = BENCHMARK.arignote_step(net, weights, size)
    theirs, their_parameters = BENCHMARK.torch_step(net, weights, size)
    losses = np.array([[float(ours(*batch)), theirs(*batch)] for batch in batches])
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-6)
    for step in range(5, 50):
        ours(*batches[step % 5])
        theirs(*batches[step % 5])
    for mine, other in zip(our_parameters(), their_parameters(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)
