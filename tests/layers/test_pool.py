"""Pooling layers, next to PyTorch and NumPy."""

import numpy as np
import pytest

from arignote.engine.errors import ShapeError
from arignote.layers import (
    AdaptiveAveragePool2D,
    AdaptiveMaxPool2D,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
)

IMAGES = {1: (3, 13), 2: (3, 11, 9), 3: (2, 6, 7, 8)}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("arguments", [(2,), (3, 2, 1), (3, 1, 0)])
class TestWindows:
    def test_maxima_as_torch(self, torch, same_as_torch, dimensions, arguments):
        kind = [MaxPool1D, MaxPool2D, MaxPool3D][dimensions - 1]
        module = getattr(torch.nn, f"MaxPool{dimensions}d")(*arguments)
        same_as_torch(kind(*arguments).build(IMAGES[dimensions]), module, 2)

    def test_means_as_torch(self, torch, same_as_torch, dimensions, arguments):
        kind = [AveragePool1D, AveragePool2D, AveragePool3D][dimensions - 1]
        module = getattr(torch.nn, f"AvgPool{dimensions}d")(*arguments, count_include_pad=False)
        same_as_torch(kind(*arguments).build(IMAGES[dimensions]), module, 2)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (5, 3), (11, 9), (13, 2)])
@pytest.mark.parametrize("shape", [(3, 11, 9), (2, 10, 12)])
class TestAdaptive:
    def test_means_as_torch(self, torch, same_as_torch, shape, size):
        same_as_torch(AdaptiveAveragePool2D(size).build(shape), torch.nn.AdaptiveAvgPool2d(size), 2)

    def test_maxima_as_torch(self, torch, same_as_torch, shape, size):
        same_as_torch(AdaptiveMaxPool2D(size).build(shape), torch.nn.AdaptiveMaxPool2d(size), 2)


@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 5), (4, 7, 5, 3)])
@pytest.mark.parametrize("examples", [0, 1, 3])
def test_global_pools(evaluate, each_float, shape, examples):
    x = np.random.default_rng(0).normal(size=(examples, *shape)).astype(each_float)
    numbers = x.reshape(examples, 4, np.prod(shape[1:]))
    for layer, expected in ((GlobalAveragePool(), numbers.mean(2)), (GlobalMaxPool(), numbers.max(2))):
        got = evaluate(layer.build(shape), x).output
        assert got.dtype == each_float
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [MaxPool2D(2), AveragePool2D(3, 2), AdaptiveAveragePool2D(2)])
@pytest.mark.parametrize("examples", [0, 1, 5])
def test_any_number_of_examples(evaluate, layer, examples):
    layer.build((3, 9, 9))
    x = np.random.default_rng(0).normal(size=(5, 3, 9, 9))
    np.testing.assert_array_equal(evaluate(layer, x[:examples]).output, evaluate(layer, x).output[:examples])


@pytest.mark.parametrize("layer", [MaxPool1D(2), AveragePool3D(2), AdaptiveMaxPool2D(2)])
def test_examples_of_another_rank(layer):
    with pytest.raises(ShapeError, match=r"axes, channels first[\s\S]*\(7,\)"):
        layer.build((7,))


def test_a_window_that_does_not_fit():
    with pytest.raises(ShapeError, match="at least one window fits"):
        MaxPool2D(12).build((3, 11, 9))


@pytest.mark.parametrize("argument", ["size", "stride"])
def test_windows_that_are_none(argument):
    with pytest.raises(ShapeError, match=f"AveragePool2D: argument `{argument}`"):
        AveragePool2D(**({"size": 2} | {argument: 0}))
