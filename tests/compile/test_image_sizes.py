"""Images of any size go through kernels that were compiled for the first."""

import resource

import numpy as np
import pytest

from arignote import function, grad
from arignote import tensor as T
from arignote.compile.objects import cache_statistics
from arignote.tensor.nnet import conv2d, relu
from arignote.tensor.signal.pool import pool_2d

pytestmark = pytest.mark.usefixtures("own_cache")


def convolution_and_pooling(mode):
    """Return a function of images, filters and a factor of the cost: maps and the cost's gradients.

    The factor is no constant, or gradients of small images would be computed before the call.
    """
    x, w, scale = T.ftensor4("x"), T.ftensor4("w"), T.fscalar("scale")
    maps = relu(conv2d(x, w, filter_shape=(4, 2, 3, 3), border_mode="half", subsample=(2, 1)))
    maxima = pool_2d(maps, (2, 2), ignore_border=True)
    means = pool_2d(maps, (3, 3), ignore_border=False, stride=(2, 2), mode="average_exc_pad")
    cost = scale * ((maxima**2).sum() + (means**2).sum())
    return function([x, w, scale], [maxima, means, *grad(cost, [x, w])], mode=mode)


def images(rng):
    """Return one to three images of two channels, of any size."""
    return rng.standard_normal((rng.integers(1, 4), 2, *rng.integers(4, 90, 2))).astype("float32")


def test_other_sizes_compile_nothing():
    compiled, reference = convolution_and_pooling(None), convolution_and_pooling("reference")
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4, 2, 3, 3)).astype("float32")
    compiled(images(rng), w, 0.5)
    before = cache_statistics()
    for _ in range(40):
        x = images(rng)
        for found, expected in zip(compiled(x, w, 0.5), reference(x, w, 0.5), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())
    after = cache_statistics()
    assert (after.compiled, after.loaded) == (before.compiled, before.loaded)


@pytest.mark.slow
def test_a_thousand_sizes_take_no_more_memory_than_a_hundred():
    compiled = convolution_and_pooling(None)
    rng = np.random.default_rng(1)
    w = rng.standard_normal((4, 2, 3, 3)).astype("float32")
    compiled(np.zeros((3, 2, 90, 90), "float32"), w, 0.5)  # as large as any
    peaks = []
    for sizes in (100, 900):
        for _ in range(sizes):
            compiled(images(rng), w, 0.5)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[1] <= 1.01 * peaks[0]
