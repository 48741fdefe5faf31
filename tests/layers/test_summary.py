"""The summary of networks, next to what is published of them."""

import numpy as np
import pytest

from arignote.engine.config import config
from arignote.engine.errors import GraphError
from arignote.layers import (
    GRU,
    LSTM,
    RNN,
    Activate,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    ConvPoolLayer,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    FullyConnectedLayer,
    GlobalAveragePool,
    Graph,
    Initialiser,
    Input,
    MaxPool2D,
    Residual,
    Sequential,
    lenet,
    relu,
)

IMAGE = (3, 224, 224)


class Zeros(Initialiser):
    """Zeros that take no memory until they are copied: some of these networks are large."""

    def _draw(self, rng, shape, fans):
        return np.broadcast_to(0.0, shape)


ZEROS = Zeros()


def conv(filters, size, stride=1, padding="half", **arguments):
    return Conv2D(filters, size, stride, padding, initialiser=ZEROS, **arguments)


def normalised(*arguments, act=True, **more):
    return [conv(*arguments, bias=False, **more), BatchNorm(), *([Activate(relu)] if act else [])]


def dense(*units):
    return [Dense(n, initialiser=ZEROS) for n in units]


def alexnet():
    """A. Krizhevsky et al., 2012, with the groups that were a graphics card each."""
    return [
        conv(96, 11, 4, "valid"),
        MaxPool2D(3, 2),
        conv(256, 5, groups=2),
        MaxPool2D(3, 2),
        conv(384, 3),
        conv(384, 3, groups=2),
        conv(256, 3, groups=2),
        MaxPool2D(3, 2),
        *dense(4096, 4096, 1000),
    ]


def vgg16():
    """K. Simonyan, A. Zisserman, 2015: configuration D."""
    layers = []
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [*(conv(filters, 3) for _ in range(count)), MaxPool2D(2)]
    return [*layers, *dense(4096, 4096, 1000)]


def mobilenet():
    """A. Howard et al., 2017."""
    layers = normalised(32, 3, 2)
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5):
        layers += separable(filters, stride)
    return [*layers, *separable(1024, 2), *separable(1024, 1), GlobalAveragePool(), *dense(1000)]


def separable(filters, stride):
    depthwise = DepthwiseConv2D(3, stride=stride, padding="half", bias=False, initialiser=ZEROS)
    return [depthwise, BatchNorm(), Activate(relu), *normalised(filters, 1)]


def resnet18():
    layers = [*normalised(64, 7, 2), MaxPool2D(3, 2, 1)]
    for filters, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        body = [*normalised(filters, 3, stride), *normalised(filters, 3, act=False)]
        shortcut = Sequential(normalised(filters, 1, stride, act=False)) if stride > 1 else None
        layers += [Residual(Sequential(body), shortcut), Activate(relu)]
    return [*layers, GlobalAveragePool(), *dense(1000)]


def resnet50(strided="first"):
    """K. He et al., 2016, with the stride in the first block of a stage, or in the last."""
    layers = [*normalised(64, 7, 2), MaxPool2D(3, 2, 1)]
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        halves = {"first": 0 if stage > 0 else None, "last": count - 1 if stage < 3 else None}[strided]
        for block in range(count):
            stride = 2 if block == halves else 1
            body = [
                *normalised(filters, 1),
                *normalised(filters, 3, stride),
                *normalised(4 * filters, 1, act=False),
            ]
            shortcut = MaxPool2D(1, stride) if stride > 1 else None
            if block == 0:
                shortcut = Sequential(normalised(4 * filters, 1, stride, act=False))
            layers += [Residual(Sequential(body), shortcut), Activate(relu)]
    return [*layers, GlobalAveragePool(), *dense(1000)]


@pytest.mark.parametrize(
    ("layers", "shape", "parameters", "multiply_adds"),
    [
        (alexnet, (3, 227, 227), 60_965_224, 724_406_816),
        (vgg16, IMAGE, 138_357_544, 15_470_264_320),
        (mobilenet, IMAGE, 4_231_976, 568_740_352),
        (resnet18, IMAGE, 11_689_512, 1_814_073_344),
        (resnet50, IMAGE, 25_557_032, 4_089_184_256),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_published_sizes(float32, layers, shape, parameters, multiply_adds):
    """Of the authors' papers, and to the last digit as model zoos list them."""
    summary = Sequential(layers(), shape).summary()
    assert summary.trained == parameters
    assert summary.multiply_adds == multiply_adds


@pytest.mark.parametrize(
    ("layers", "field"),
    [
        (lambda: alexnet()[:-3], 195),
        (lambda: vgg16()[:-3], 212),
        (lambda: mobilenet()[:-2], 315),
        (lambda: resnet50("last")[:-2], 483),
    ],
    ids=["alexnet", "vgg16", "mobilenet", "resnet50"],
)
def test_published_receptive_fields(float32, layers, field):
    """A. Araujo, W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks", 2019."""
    last = Sequential(layers(), IMAGE).summary().rows[-1]
    assert last.field.size == (field, field)
    assert last.field.step == (32, 32)


def test_convolutions_hold_the_work_and_dense_layers_the_parameters(float32):
    rows = Sequential(vgg16(), IMAGE).summary().rows
    convolutions, others = rows[:-3], rows[-3:]
    assert sum(row.multiply_adds for row in convolutions) > 0.99 * sum(row.multiply_adds for row in rows)
    assert sum(row.trained for row in others) > 0.89 * sum(row.trained for row in rows)


class TestReceptiveFields:
    """Next to where the gradient of one output is not zero."""

    @pytest.mark.parametrize(
        "layers",
        [
            [Conv2D(2, 3, padding="half"), Conv2D(2, (5, 3), stride=2, dilation=(1, 2))],
            [Conv2D(2, 3), AveragePool2D(2), Conv2D(2, 3), AveragePool2D(3, 2, 1)],
            [Residual(Sequential([Conv2D(1, 3, padding="half"), Conv2D(1, 5, padding="half")])), BatchNorm()],
            [Residual(Conv2D(1, 3, padding="half"), Conv2D(1, 7, padding="half"))],
            [Conv2D(2, 3, stride=2), ConvTranspose2D(2, 4, stride=2), Conv2D(1, 3)],
            [Conv2D(2, 3, stride=3), ConvTranspose2D(2, (5, 3), stride=(3, 2), dilation=(2, 1))],
        ],
    )
    def test_by_gradients(self, evaluate, layers):
        network = Sequential(layers, (1, 40, 40), rng=0)
        field = network.summary().rows[-1].field
        ours = evaluate(network, np.ones((1, 1, 40, 40)))
        sizes = []
        middle = [extent // 2 for extent in network.output_shape[1:]]
        for row in range(3):  # of a transposed convolution neighbours differ; one of them sees most
            for column in range(3):
                ours.projection[:] = 0
                ours.projection[0, 0, middle[0] + row, middle[1] + column] = 1
                seen = np.nonzero(ours.gradients()[0][0, 0])
                sizes.append([place.max() - place.min() + 1 for place in seen])
        assert tuple(np.max(sizes, axis=0)) == field.size

    def test_of_the_longest_path_of_a_graph(self):
        image = Input((1, 20, 20))
        short = Conv2D(2, 3, padding="half")(image)
        long = Conv2D(2, 5, padding="half")(Conv2D(2, 3, padding="half")(image))
        rows = Graph(image, short + long).summary().rows
        assert [row.field.size for row in rows] == [(3, 3), (3, 3), (7, 7), (7, 7)]

    def test_dense_layers_see_everything(self):
        assert [row.field is None for row in lenet().summary().rows] == [False] * 5 + [True] * 3


@pytest.mark.parametrize(("kind", "gates"), [(RNN, 1), (LSTM, 4), (GRU, 3)])
def test_the_work_of_recurrent_layers(kind, gates):
    assert kind(8).build((5, 3)).multiply_adds == 5 * gates * (8 * 3 + 8 * 8)


def test_the_work_of_a_transposed_convolution_is_that_of_the_convolution():
    conv = Conv2D(6, 4, stride=2, padding=1, groups=2).build((4, 12, 12))
    back = ConvTranspose2D(4, 4, stride=2, padding=1, groups=2).build(conv.output_shape)
    assert conv.multiply_adds == back.multiply_adds == 6 * 6 * 6 * 2 * 16


def test_a_layer_that_is_applied_twice_works_twice_and_has_its_parameters_once():
    twice = Dense(4)
    summary = Sequential([twice, twice], (4,)).summary()
    assert [row.trained for row in summary.rows] == [20, 0]
    assert [row.multiply_adds for row in summary.rows] == [16, 16]
    assert summary.multiply_adds == 32


@pytest.mark.parametrize("floats", ["float32", "float64"])
def test_memory_and_state(monkeypatch, floats):
    monkeypatch.setattr(config, "floatX", floats)
    network = Sequential([Conv2D(4, 3), BatchNorm(), Dropout(0.5)], (1, 10, 10))
    summary = network.summary()
    assert {row.memory for row in summary.rows} == {4 * 64 * np.dtype(floats).itemsize}
    assert summary.memory == sum(row.memory for row in summary.rows)
    assert (summary.trained, summary.state) == (40 + 8, 8)


def test_the_layers_of_the_book():
    network = Sequential([ConvPoolLayer((20, 1, 5, 5), (10, 1, 28, 28)), FullyConnectedLayer(2880, 100)])
    summary = network.build((1, 28, 28)).summary()
    assert summary.trained == 20 * 26 + 2881 * 100
    assert summary.multiply_adds == 20 * 24 * 24 * 25 + 2880 * 100
    assert [row.name for row in summary.rows] == ["0.0", "0.1", "0.2", "0.3", "1.0", "1.1"]


def test_a_layer_by_itself():
    (row,) = Dense(4).build((6,)).summary().rows
    assert (row.kind, row.trained, row.multiply_adds, row.output_shape) == ("Dense", 28, 24, (4,))


def test_a_layer_that_is_not_built():
    with pytest.raises(GraphError, match=r"a layer that is built[\s\S]*build\(shape of one example\)"):
        Sequential([Dense(4)]).summary()


def test_looking_leaves_parameters_where_they_are():
    layer = Dense(4).build((6,))
    layer.summary()
    assert not layer.w.lent
