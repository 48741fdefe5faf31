"""Max-pooled convolutions, and their first and second derivatives, at random: exactly what PyTorch computes.

All numbers are small integers, so that no sum is rounded in any order, and maxima are often tied.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

from random_windows import Convolution, Pool  # noqa: E402

from arignote import function, grad  # noqa: E402
from arignote import tensor as T  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_cache")


def drawn(rng):
    """Return the options of a convolution and of a pooling in two dimensions."""
    convolution = pool = None
    while convolution is None or convolution.rank != 2:
        convolution = Convolution.draw(rng)
    while pool is None or pool.rank != 2 or pool.stride == (1, 1):
        pool = Pool.draw(rng)
    if rng.integers(2):  # as networks have it
        convolution = replace(convolution, dilation=(1, 1), groups=1)
        convolution = replace(convolution, border_mode="valid", padding=((0, 0), (0, 0)))
        convolution = replace(convolution, channels=int(rng.choice([1, 3, 20, 36])))
    return convolution, replace(pool, mode="max")


def integers(rng, *shape, dtype):
    return rng.integers(-2, 3, shape).astype(dtype)


def results(make, gradients_of, operands, projection, directions):
    """Return the gradients of images and filters, and the gradients of these along directions."""
    cost = (make(*operands) * projection).sum()
    first = gradients_of(cost, operands)
    along = sum((g * d).sum() for g, d in zip(first, directions, strict=True))
    return [*first, *gradients_of(along, [*operands, projection])]


def activated(activation, pool, maps, seed):
    """Return maps that are pooled and activated, in one order or the other."""
    return pool(activation(maps)) if seed % 2 else activation(pool(maps))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_promised", [True, False])
def test_derivatives_are_pytorchs(seed, is_promised):
    rng = np.random.default_rng([3, seed])
    convolution, pool = drawn(rng)
    dtype = convolution.dtype
    x, w, _ = convolution.operands(rng)
    x = integers(
        rng,
        int(rng.choice([0, 1, 3, 5])),
        *x.shape[1:2],
        *(extent + 9 for extent in x.shape[2:]),
        dtype=dtype,
    )
    w = integers(rng, *w.shape, dtype=dtype)
    maps = (len(x), len(w), *pool.outputs(convolution.outputs(x.shape[2:])))
    arrays = [
        x,
        w,
        integers(rng, *maps, dtype=dtype),
        *(integers(rng, *y.shape, dtype=dtype) for y in (x, w)),
    ]

    variables = [T.TensorType(dtype, y.shape if is_promised else [None] * y.ndim)() for y in arrays]
    ours = results(
        lambda x, w: activated(T.nnet.relu, pool.ours, convolution.ours(x, w), seed),
        lambda cost, wrt: grad(cost, wrt, disconnected_inputs="ignore"),
        variables[:2],
        variables[2],
        variables[3:],
    )
    found = function(variables, ours, on_unused_input="ignore")(*arrays)

    tensors = [torch.from_numpy(y).double().requires_grad_() for y in arrays]
    theirs = results(
        lambda x, w: activated(torch.relu, pool.theirs, convolution.theirs(x, w), seed),
        lambda cost, wrt: torch.autograd.grad(
            cost, wrt, create_graph=True, allow_unused=True, materialize_grads=True
        ),
        tensors[:2],
        tensors[2],
        tensors[3:],
    )
    for actual, expected in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(actual, expected.detach().numpy(), f"{convolution}, {pool}")
