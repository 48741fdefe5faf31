"""Convolutional layers, next to PyTorch and SciPy."""

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

from arignote.engine.errors import ShapeError
from arignote.layers import (
    Constant,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    DepthwiseConv2D,
    Glorot,
    SeparableConv2D,
    relu,
)

IMAGES = {1: (4, 15), 2: (4, 9, 8), 3: (4, 6, 5, 7)}
TORCH = {"w": "weight", "b": "bias"}
ARGUMENTS = [
    {},
    {"stride": 2, "padding": 1},
    {"groups": 2, "dilation": 2},
    {"groups": 2, "stride": 2, "padding": 2, "bias": False},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
class TestAsTorch:
    def test_convolution(self, torch, same_as_torch, dimensions, arguments):
        layer = [Conv1D, Conv2D, Conv3D][dimensions - 1](6, 3, **arguments).build(IMAGES[dimensions])
        module = getattr(torch.nn, f"Conv{dimensions}d")(4, 6, 3, **arguments)
        same_as_torch(layer, module, 2, weights=TORCH)

    def test_transposed(self, torch, same_as_torch, dimensions, arguments):
        kind = [ConvTranspose1D, ConvTranspose2D, ConvTranspose3D][dimensions - 1]
        extra = {"output_padding": 1} if "stride" in arguments else {}
        layer = kind(6, 3, **arguments, **extra).build(IMAGES[dimensions])
        module = getattr(torch.nn, f"ConvTranspose{dimensions}d")(4, 6, 3, **arguments, **extra)
        same_as_torch(layer, module, 2, weights=TORCH)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_as_torch(torch, same_as_torch, multiplier):
    layer = DepthwiseConv2D((3, 2), multiplier, stride=(2, 1), padding=1).build(IMAGES[2])
    module = torch.nn.Conv2d(4, 4 * multiplier, (3, 2), stride=(2, 1), padding=1, groups=4)
    same_as_torch(layer, module, 2, weights=TORCH)


def test_separable_as_torch(torch, same_as_torch):
    layer = SeparableConv2D(5, 3, multiplier=2, padding="half").build(IMAGES[2])
    module = torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False), torch.nn.Conv2d(8, 5, 1)
    )
    names = {"depthwise.w": "0.weight", "pointwise.w": "1.weight", "pointwise.b": "1.bias"}
    same_as_torch(layer, module, 2, weights=names)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("padding", "mode"), [("valid", "valid"), ("half", "same"), ("full", "full")])
def test_convolution_as_scipy(evaluate, each_float, flip, padding, mode):
    layer = Conv2D(3, 3, padding=padding, flip=flip, activation=relu, bias_initialiser=Constant(0.1))
    layer.build(IMAGES[2], rng=0)
    x = np.random.default_rng(1).normal(size=(2, *IMAGES[2])).astype(each_float)
    by = convolve2d if flip else correlate2d
    w = layer.w.get_value()
    maps = np.array([[sum(map(lambda a, b: by(a, b, mode), image, filters)) for filters in w] for image in x])
    got = evaluate(layer, x).output
    assert got.dtype == each_float
    np.testing.assert_allclose(got, np.maximum(maps + 0.1, 0), rtol=1e-4, atol=1e-5)


def test_transposed_is_the_transpose(evaluate):
    """<conv(x), y> = <x, transposed(y)>, whatever the padding."""
    random = np.random.default_rng(0)
    for padding in ("valid", "half", "full", (2, 0), ((1, 2), (0, 1))):
        arguments = {"stride": (2, 1), "padding": padding, "dilation": (1, 2), "bias": False, "flip": True}
        conv = Conv2D(6, (3, 2), **arguments).build((4, 10, 8), rng=0)
        room = (10 + sum(np.array(_sides(padding, (3, 3))[0])) - 3) % 2
        back = ConvTranspose2D(4, (3, 2), **arguments, output_padding=(room, 0)).build(conv.output_shape)
        assert back.output_shape == (4, 10, 8)
        back.w.set_value(conv.w.get_value())
        x, y = random.normal(size=(2, 4, 10, 8)), random.normal(size=(2, *conv.output_shape))
        np.testing.assert_allclose(
            np.vdot(evaluate(conv, x).output, y), np.vdot(x, evaluate(back, y).output), rtol=1e-10
        )


def _sides(padding, reach):
    """Return the padding of the rows and of the columns, for windows of such a reach."""
    if isinstance(padding, str):
        return [{"valid": (0, 0), "half": (r // 2, r // 2), "full": (r - 1, r - 1)}[padding] for r in reach]
    return [side if isinstance(side, tuple) else (side, side) for side in padding]


@pytest.mark.parametrize(
    "layer",
    [Conv2D(2, 3), DepthwiseConv2D(3), SeparableConv2D(2, 3), ConvTranspose2D(2, 3, 2)],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("examples", [0, 1, 3])
def test_any_number_of_examples(evaluate, layer, examples):
    layer.build((2, 6, 7), rng=0)
    x = np.random.default_rng(0).normal(size=(3, 2, 6, 7))
    got = evaluate(layer, x[:examples], mode="compiled").output
    assert got.shape == (examples, *layer.output_shape)
    np.testing.assert_allclose(got, evaluate(layer, x).output[:examples], rtol=1e-10, atol=1e-12)


class TestInitialWeights:
    def test_groups_count_their_own_channels(self):
        layer = Conv2D(400, 3, groups=4, initialiser=Glorot("normal")).build((400, 9, 9), rng=0)
        w = layer.w.get_value()
        assert w.var() == pytest.approx(2 / (100 * 9 + 100 * 9), rel=5 * np.sqrt(2 / w.size))

    def test_a_transposed_convolution_takes_channels_in(self):
        layer = ConvTranspose2D(10, 3, initialiser=Fanned()).build((20, 9, 9))
        assert layer.w.get_value().shape == (20, 10, 3, 3)
        assert Fanned.seen == (20 * 9, 10 * 9)


class Fanned(Constant):
    def __call__(self, rng, shape, fans):
        Fanned.seen = tuple(fans)
        return np.zeros(shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(8, 3).build((28, 28)), r"3 axes, channels first[\s\S]*\(28, 28\)"),
        (lambda: Conv2D(8, 3).build(()), r"channels first[\s\S]*\(\)"),
        (lambda: Conv2D(8, 3).build((784,)), r"put a Reshape"),
        (lambda: Conv2D(8, 3, groups=2).build((3, 9, 9)), r"`groups`[\s\S]*a divisor of the 3 channels"),
        (
            lambda: Conv2D(9, 3, groups=2).build((4, 9, 9)),
            r"`groups`[\s\S]*of the 9 filters",
        ),
        (lambda: Conv2D(8, 10).build((3, 9, 9)), r"do not fit into the image"),
        (lambda: Conv2D(8, 3, padding="same"), r"Conv2D: argument `padding`"),
        (lambda: Conv2D(0, 3), r"Conv2D: argument `filters`"),
        (lambda: Conv1D(8, 3, stride=0), r"Conv1D: argument `stride`"),
        (lambda: Conv3D(8, (3, 3)), r"Conv3D: argument `size`[\s\S]*3 whole numbers"),
        (lambda: DepthwiseConv2D(3, 0), r"DepthwiseConv2D: argument `multiplier`"),
        (lambda: ConvTranspose2D(8, 3, 2, output_padding=2), r"`output_padding`[\s\S]*stride"),
        (
            lambda: ConvTranspose2D(8, 3, padding=9).build((3, 9, 9)),
            r"`padding`[\s\S]*\(-7, -7\)",
        ),
    ],
)
def test_what_does_not_fit(make, message):
    with pytest.raises(ShapeError, match=message) as caught:
        make()
    assert "test_conv.py" in str(caught.value)
