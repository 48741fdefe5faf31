"""Rows of normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from arignote import tensor as T
from cases.table import normal, row

bn = T.nnet.bn


def torch_function(name, *options, **named):
    """Return the meaning that is a function of PyTorch's, on arrays."""

    def meaning(*arrays):
        torch = pytest.importorskip("torch", reason="PyTorch's normalisation is what is compared with")
        return getattr(torch.nn.functional, name)(*map(torch.from_numpy, arrays), *options, **named).numpy()

    return meaning


def trained(index, axes):
    """Return the meaning of one of the results of `batch_normalization_train`, from its definition."""

    def meaning(x, gamma, beta, *running):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        inverse = 1 / np.sqrt(variance + 1e-4)
        scale, shift = (np.expand_dims(each, axes) for each in (gamma, beta))
        count = np.prod([x.shape[axis] for axis in axes])
        flat = [each.squeeze(axes) for each in (mean, inverse, variance * count / (count - 1))]
        averaged = [0.7 * old + 0.3 * new for old, new in zip(running, flat[::2], strict=False)]
        return [(x - mean) * scale * inverse + shift, *flat[:2], *averaged][index]

    return meaning


image, vector, matrix = normal(4, 3, 5, 6), normal(3, seed=1), normal(5, 4, seed=2)
positive = np.abs(normal(3, seed=3)) + 0.5
for index, what in enumerate(("output", "mean", "inverse deviation", "running mean", "running variance")):
    row(
        f"spatial batch normalisation, {what}",
        lambda x, *p, i=index: bn.batch_normalization_train(
            x, *p[:2], "spatial", running_average_factor=0.3, running_mean=p[2], running_var=p[3]
        )[i],
        [image, vector, vector + 1, vector + 2, positive],
        trained(index, (0, 2, 3)),
        ulps=64,
        terms=120,
        order=2 if index == 0 else 1,
    )
row(
    "batch normalisation of activations",
    lambda x, g, b: bn.batch_normalization_train(x, g, b, epsilon=1e-4)[0],
    [matrix, normal(4, seed=4), normal(4, seed=5)],
    trained(0, (0,)),
    ulps=64,
    terms=16,
    order=2,
)
row(
    "batch normalisation over some axes, parameters with all",
    lambda x, g, b: bn.batch_normalization_train(x, g, b, axes=(1, 2))[0],
    [normal(2, 3, 4), normal(2, 1, 1, seed=4), normal(2, 1, 1, seed=5)],
    lambda x, g, b: trained(0, (1, 2))(x, g[:, 0, 0], b[:, 0, 0]),
    ulps=64,
    terms=16,
    order=1,
)
row(
    "batch normalisation by given statistics",
    lambda x, g, b, m, v: bn.batch_normalization_test(x, g, b, m, v, "spatial", 1e-3),
    [image, vector, vector + 1, vector + 2, positive],
    lambda x, g, b, m, v: torch_function("batch_norm", eps=1e-3)(x, m, v, g, b),
    ulps=64,
    terms=4,
    order=1,
)
row(
    "batch_normalization",
    lambda *arrays: bn.batch_normalization(*arrays),
    [matrix, normal(4, seed=4), normal(4, seed=5), normal(4, seed=6), np.abs(normal(4, seed=7)) + 0.5],
    lambda x, g, b, m, s: (x - m) * g / s + b,
    ulps=8,
    terms=4,
    order=1,
)
row(
    "layer normalisation",
    lambda x, g, b: T.nnet.layer_normalization(x, g, b, axes=(1, 2), epsilon=1e-5),
    [normal(3, 4, 5), normal(4, 5, seed=1), normal(4, 5, seed=2)],
    lambda x, g, b: torch_function("layer_norm", (4, 5), eps=1e-5)(x) * g + b,
    ulps=64,
    terms=32,
    order=2,
)
row(
    "local response normalisation",
    lambda x: T.nnet.local_response_normalization(x, n=3, k=1.0, alpha=0.3, beta=0.75),
    [normal(2, 5, 3, 4)],
    torch_function("local_response_norm", 3, alpha=0.9, beta=0.75, k=1.0),
    ulps=16,
    terms=4,
    order=2,
)
