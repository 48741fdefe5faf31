"""The fields of a layer describe it: as plain values, which JSON holds, they make it again."""

import inspect
import json
from dataclasses import MISSING, fields, is_dataclass

import pytest

import arignote.layers
from arignote.layers import (
    GRU,
    LSTM,
    RNN,
    Activate,
    AdaptiveAveragePool2D,
    AdaptiveMaxPool2D,
    Add,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    BatchNorm,
    Bias,
    Composite,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvPoolLayer,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Embedding,
    Flatten,
    FullyConnectedLayer,
    GlobalAveragePool,
    GlobalMaxPool,
    He,
    Initialiser,
    Lambda,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Orthogonal,
    Reshape,
    SeparableConv2D,
    SoftmaxLayer,
    relu,
    tanh,
)
from arignote.layers.activations import ACTIVATIONS
from arignote.layers.initialisers import INITIALISERS

LAYERS = [
    (Activate(tanh), (5,)),
    (AdaptiveAveragePool2D((2, 3)), (2, 9, 9)),
    (AdaptiveMaxPool2D(2), (2, 9, 9)),
    (Add(), (3,)),
    (AveragePool1D(2), (2, 9)),
    (AveragePool2D(3, 2, 1), (2, 9, 9)),
    (AveragePool3D(2), (2, 4, 4, 4)),
    (BatchNorm(0.2, affine=False), (3, 4)),
    (Bias(He()), (3, 4)),
    (Concatenate(1), (3, 4)),
    (Conv1D(3, 2), (2, 9)),
    (Conv2D(4, (3, 2), 2, ((1, 0), (0, 2)), groups=2, activation=relu, initialiser=He()), (2, 9, 9)),
    (Conv3D(3, 2, padding="half"), (1, 4, 4, 4)),
    (ConvPoolLayer((4, 1, 3, 3), (10, 1, 8, 8)), (1, 8, 8)),
    (ConvTranspose1D(3, 2), (2, 9)),
    (ConvTranspose2D(3, 2, 2, output_padding=1), (2, 9, 9)),
    (ConvTranspose3D(3, 2), (1, 4, 4, 4)),
    (Dense(3, relu, bias=False), (2, 5)),
    (DepthwiseConv2D(3, 2), (2, 9, 9)),
    (Dropout(0.25, inverted=False), (5,)),
    (Embedding(9, 2), (5,)),
    (Flatten(), (2, 5)),
    (FullyConnectedLayer(6, 3, p_dropout=0.5), (6,)),
    (GRU(3, True), (4, 2)),
    (GlobalAveragePool(), (2, 5)),
    (GlobalMaxPool(), (2, 5)),
    (LSTM(3, backwards=True), (4, 2)),
    (LayerNorm((0, 1)), (2, 5)),
    (LocalResponseNorm(3), (2, 5)),
    (MaxPool1D(2), (2, 9)),
    (MaxPool2D(2, ignore_border=False), (2, 9, 9)),
    (MaxPool3D(2), (2, 4, 4, 4)),
    (RNN(3, activation=relu, recurrent_initialiser=Orthogonal(0.5)), (4, 2)),
    (Reshape((5, 2)), (2, 5)),
    (SeparableConv2D(3, 3), (2, 9, 9)),
    (SoftmaxLayer(6, 3), (6,)),
]
#: Of layers, or of a function of the user's, rather than of plain values.
OTHERS = {"Branches", "Graph", "Residual", "Sequential", Lambda.__name__}


def described(value):
    """Return what JSON holds of a field: activations and initialisers by name."""
    if isinstance(value, Initialiser):
        return {"kind": type(value).__name__} | {f.name: getattr(value, f.name) for f in fields(value)}
    names = {function: name for name, function in ACTIVATIONS.items()}
    return names[value] if callable(value) else value


def made(name, value):
    if name.endswith("initialiser"):
        arguments = dict(value)
        return INITIALISERS[arguments.pop("kind")](**arguments)
    return ACTIVATIONS[value] if "activation" in name else value


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS])
def test_the_fields_make_it_again(layer, shape):
    description = {field.name: described(getattr(layer, field.name)) for field in fields(layer)}
    loaded = json.loads(json.dumps(description))
    again = type(layer)(**{name: made(name, value) for name, value in loaded.items()})
    assert repr(again) == repr(layer)
    assert again.build(shape, rng=0).output_shape == layer.build(shape, rng=0).output_shape
    assert [w.get_value().shape for w in again.params] == [w.get_value().shape for w in layer.params]


def test_no_layer_is_left_out():
    kinds = {
        kind
        for kind in vars(arignote.layers).values()
        if inspect.isclass(kind) and issubclass(kind, Layer) and kind not in (Layer, Composite)
    }
    assert {kind.__name__ for kind in kinds} == {type(layer).__name__ for layer, _ in LAYERS} | OTHERS


@pytest.mark.parametrize("name", ["Branches", "Lambda", "Residual"])
def test_layers_of_layers_are_described_by_their_fields_too(name):
    kind = getattr(arignote.layers, name)
    assert is_dataclass(kind)
    assert any(field.default is MISSING for field in fields(kind))
