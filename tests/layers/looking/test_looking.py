"""Looks into networks, next to nets whose answers are known, and to PyTorch's gradients."""

import numpy as np
import pytest

from arignote.engine.errors import InputError, ShapeError
from arignote.layers import (
    Activate,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Residual,
    Sequential,
    looking,
    relu,
    softmax,
)

IMAGES = np.random.default_rng(0).normal(size=(3, 2, 9, 8))


def network(softened=False):
    layers = [Conv2D(4, 3, activation=relu), MaxPool2D(2), Conv2D(5, 2, activation=relu), Dense(6)]
    return Sequential(layers + [Activate(softmax)] * softened, input_shape=(2, 9, 8), rng=1)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch")


def torch_scores(torch, net, x, rectify=None):
    """Return the maps of the last convolution and the scores, in PyTorch."""
    functional = torch.nn.functional
    rectify = rectify or torch.relu
    w = {name: torch.tensor(each.variable.get_value()) for name, each in net.parameters.items()}
    h = functional.max_pool2d(rectify(functional.conv2d(x, w["0.w"], w["0.b"])), 2)
    maps = rectify(functional.conv2d(h, w["2.w"], w["2.b"]))
    return maps, maps.flatten(1) @ w["3.w"] + w["3.b"]


class TestAgainstTorch:
    classes = (0, 5, 2)

    def gradient(self, torch, rectify=None):
        x = torch.tensor(IMAGES, requires_grad=True)
        _, scores = torch_scores(torch, network(), x, rectify)
        scores[range(3), list(self.classes)].sum().backward()
        return x.grad.numpy()

    def test_saliency(self, torch):
        expected = np.abs(self.gradient(torch)).max(axis=1)
        np.testing.assert_allclose(looking.saliency(network(), IMAGES, self.classes), expected, rtol=1e-10)

    def test_scores_before_the_softmax(self, torch):
        expected = np.abs(self.gradient(torch)).max(axis=1)
        found = looking.saliency(network(softened=True), IMAGES, self.classes, layer="3")
        np.testing.assert_allclose(found, expected, rtol=1e-10)

    def test_guided_backpropagation(self, torch):
        class Guided(torch.autograd.Function):
            @staticmethod
            def forward(context, x):
                context.save_for_backward(x)
                return x.clamp(min=0)

            @staticmethod
            def backward(context, gradient):
                (x,) = context.saved_tensors
                return gradient.clamp(min=0) * (x > 0)

        expected = self.gradient(torch, Guided.apply)
        assert not np.allclose(expected, self.gradient(torch))
        found = looking.guided_backpropagation(network(), IMAGES, self.classes)
        np.testing.assert_allclose(found, expected, rtol=1e-10)

    def test_grad_cam(self, torch):
        maps, scores = torch_scores(torch, network(), torch.tensor(IMAGES, requires_grad=True))
        maps.retain_grad()
        scores[range(3), list(self.classes)].sum().backward()
        weights = maps.grad.mean(dim=(2, 3), keepdim=True)
        expected = torch.relu((weights * maps).sum(dim=1)).detach().numpy()
        found = looking.grad_cam(network(), IMAGES, "2", self.classes)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_feature_maps_are_those_of_the_first_layers():
    net = network()
    first = Sequential(net.layers[:2], input_shape=(2, 9, 8))
    np.testing.assert_allclose(looking.feature_maps(net, IMAGES, "1"), first.predict(IMAGES), rtol=1e-12)
    assert looking.feature_maps(net, IMAGES[0], "").shape == (1, 6)


def test_parts_within_parts():
    block = Residual(Sequential([Conv2D(2, 3, padding="half"), Conv2D(2, 3, padding="half")]))
    net = Sequential([block, Dense(3)], input_shape=(2, 9, 8), rng=0)
    inner, whole = (looking.feature_maps(net, IMAGES, name) for name in ("0.body", "0"))
    np.testing.assert_allclose(whole, inner + IMAGES, rtol=1e-12)


def test_classes_are_what_the_network_predicts():
    net = network()
    predicted = net.predict(IMAGES).argmax(axis=1)
    np.testing.assert_array_equal(looking.saliency(net, IMAGES), looking.saliency(net, IMAGES, predicted))


def test_no_images():
    assert looking.saliency(network(), IMAGES[:0]).shape == (0, 9, 8)
    assert looking.feature_maps(network(), IMAGES[:0], "0").shape == (0, 4, 7, 6)


class TestMaximise:
    def net(self):
        net = Sequential([Flatten(), Dense(2)], input_shape=(1, 2, 2))
        net[1].w.set_value(np.array([[3.0, 0.1], [-1.0, 0.1], [0.5, 0.1], [-2.0, 0.1]]))
        return net

    def test_pixels_follow_the_signs_of_the_weights(self):
        found = looking.maximise(self.net(), "1", [0, 1])
        np.testing.assert_allclose(found.reshape(2, 4), [[1, 0, 1, 0], [1, 1, 1, 1]], atol=1e-6)

    def test_l1_leaves_out_what_is_worth_less(self):
        found = looking.maximise(self.net(), "1", 0, l1=1.0)
        np.testing.assert_allclose(found.reshape(4), [1, 0, 0, 0], atol=1e-6)

    def test_l2_has_its_summit_where_the_derivative_is_zero(self):
        # The maximum of w * x - c * x**2 lies at w / (2 c).
        found = looking.maximise(self.net(), "1", 0, l2=2.0, limits=None, steps=2000, rate=0.001)
        np.testing.assert_allclose(found.reshape(4), [0.75, -0.25, 0.125, -0.5], atol=0.005)

    def test_a_filter_is_answered_by_itself(self):
        net = Sequential([Conv2D(3, 4)], input_shape=(1, 4, 4), rng=3)
        found = looking.maximise(net, "0", 1, l2=1.0, limits=None, steps=3000, rate=0.001)
        np.testing.assert_allclose(found[0], net[0].w.get_value()[1] / 2, atol=0.005)

    def test_the_seed_decides(self):
        net = network()
        first, again = (looking.maximise(net, "2", [0, 4], steps=3, seed=5) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert (first != looking.maximise(net, "2", [0, 4], steps=3, seed=6)).any()

    def test_it_begins_where_it_is_told_to(self):
        found = looking.maximise(network(), "3", [1, 2], steps=0, start=IMAGES[0])
        np.testing.assert_array_equal(found, np.stack([IMAGES[0]] * 2))


class TestOcclusion:
    def test_only_what_is_seen_matters(self):
        net = Sequential([Flatten(), Dense(2)], input_shape=(1, 5, 5))
        weights = np.zeros((5, 5, 2))
        weights[1, 3, 0] = 2.0
        net[1].w.set_value(weights.reshape(25, 2))
        falls = looking.occlusion(net, np.ones((1, 5, 5)), size=2, classes=0)
        expected = np.zeros((4, 4))
        expected[0:2, 2:4] = 2.0
        np.testing.assert_allclose(falls, expected, atol=1e-12)

    def test_strides(self):
        assert looking.occlusion(network(), IMAGES[0], size=(3, 2), stride=(2, 3)).shape == (4, 3)


class TestReceptiveField:
    @pytest.mark.parametrize(
        ("layer", "unit", "expected"),
        [
            ("0", (0, 2, 3), ((2, 5), (3, 6))),
            ("1", (0, 1, 1), ((2, 6), (2, 6))),
            ("2", (0, 0, 1), ((0, 6), (2, 8))),
            ("3", (0,), ((0, 8), (0, 8))),
        ],
    )
    def test_it_is_what_the_windows_reach(self, layer, unit, expected):
        # By hand: 3 pixels; 2 windows of stride 1 below a pooling of 2 make 4; 2 of those at stride 2 make 6.
        found = looking.receptive_field(network(), layer, unit)
        assert found == tuple(slice(*each) for each in expected)


@pytest.mark.parametrize(
    ("look", "error", "message"),
    [
        (lambda net: looking.feature_maps(net, IMAGES, "7"), InputError, r"`layer`[\s\S]*'3'[\s\S]*'7'"),
        (lambda net: looking.saliency(net, IMAGES[:, :1]), ShapeError, r"`images`[\s\S]*\(2, 9, 8\)"),
        (lambda net: looking.saliency(net, IMAGES, 6), InputError, r"`classes`[\s\S]*0 to 5"),
        (lambda net: looking.grad_cam(net, IMAGES, "3"), InputError, r"`layer`[\s\S]*gives maps"),
        (lambda net: looking.maximise(net, "2", 5), InputError, r"`units`[\s\S]*0 to 4"),
        (lambda net: looking.occlusion(net, IMAGES[0], size=10), InputError, r"fits into it"),
        (lambda net: looking.receptive_field(net, "2", (0, 9, 9)), InputError, r"`unit`"),
    ],
)
def test_errors(look, error, message):
    with pytest.raises(error, match=message):
        look(network())


@pytest.mark.parametrize("channels", [1, 3])
def test_each_look_is_one_call_to_a_picture(channels, tmp_path):
    net = Sequential([Conv2D(4, 3, activation=relu), Dense(6)], input_shape=(channels, 9, 8), rng=1)
    images = np.random.default_rng(1).uniform(size=(2, channels, 9, 8))
    pictures = [
        looking.draw_feature_maps(net, images[0], "0"),
        looking.draw_saliency(net, images),
        looking.draw_saliency(net, images, by_guide=True),
        looking.draw_maximised(net, "1", [0, 1], steps=2),
        looking.draw_grad_cam(net, images[0], "0"),
        looking.draw_occlusion(net, images[0]),
        looking.draw_receptive_field(net, images[0], "0"),
    ]
    shown = [4, 4, 4, 2, 2, 2, 2]
    for picture, count in zip(pictures, shown, strict=True):
        assert len([axes for axes in picture.figure.axes if axes.images]) == count
