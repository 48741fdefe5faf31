"""Max-pooled convolutions, and their first and second derivatives, at random: exactly what PyTorch computes.

All numbers are small integers, so that no sum is rounded in any order, and maxima are often tied.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_windows import Convolution, Pool

from arignote import function, grad
from arignote import tensor as T

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

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
    """Return the pooled maps, their gradients, and the gradients of these along directions."""
    pooled = make(*operands)
    first = gradients_of((pooled * projection).sum(), operands)
    along = sum((g * d).sum() for g, d in zip(first, directions, strict=True))
    return [pooled, *first, *gradients_of(along, [*operands, projection])]


def activated(activation, pool, maps, seed):
    """Return maps that are pooled and activated, in one order or the other."""
    return pool(activation(maps)) if seed % 2 else activation(pool(maps))


@pytest.mark.parametrize("seed", range(16))
def test_maxima_and_derivatives_are_pytorchs(seed):
    rng = np.random.default_rng([3, seed])
    is_promised = bool(rng.integers(2))
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


def test_maps_that_somebody_else_reads_are_written():
    rng = np.random.default_rng(0)
    x, w = integers(rng, 2, 3, 9, 8, dtype="float32"), integers(rng, 4, 3, 3, 3, dtype="float32")
    images, filters = T.ftensor4(), T.ftensor4()
    maps = T.nnet.conv2d(images, filters, filter_flip=False)
    found = function([images, filters], [maps, T.signal.pool.pool_2d(maps, (2, 2), ignore_border=True)])(x, w)
    expected = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w))
    np.testing.assert_array_equal(found[0], expected.numpy())
    np.testing.assert_array_equal(found[1], torch.nn.functional.max_pool2d(expected, 2).numpy())


def test_a_window_with_a_pixel_that_is_not_a_number_has_no_maximum():
    x = np.zeros((1, 1, 6, 6), "float32")
    x[0, 0, 4, 1] = np.nan
    images, filters = T.ftensor4(), T.ftensor4()
    maps = T.nnet.conv2d(images, filters)
    pooled = T.signal.pool.pool_2d(maps, (2, 2), ignore_border=True)
    found = function([images, filters], pooled)(x, np.ones((3, 1, 1, 1), "float32"))
    assert np.isnan(found[0, :, 2, 0]).all()
    assert np.isnan(found).sum() == 3
