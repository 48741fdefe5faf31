"""Networks on disk: what is saved comes back, and what is no network is refused by name."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from arignote.engine.config import config
from arignote.engine.ops import tanh
from arignote.layers import (
    ConvPoolLayer,
    FullyConnectedLayer,
    Network,
    NetworkFileError,
    SoftmaxLayer,
    linear,
    load_network,
    relu,
    save_network,
)

ENTRY = "arignote network 1"


def network(activation=tanh):
    layers = [
        ConvPoolLayer((2, 1, 3, 3), (4, 1, 8, 8), poolsize=(3, 2), activation_fn=activation, rng=1),
        FullyConnectedLayer(2 * 2 * 3, 5, relu, p_dropout=0.25, rng=2),
        FullyConnectedLayer(5, 5, linear, rng=3),
        SoftmaxLayer(5, 3, p_dropout=0.5),
    ]
    made = Network(layers, 4, mode="reference")
    made.layers[-1].w.set_value(np.random.default_rng(4).normal(size=(5, 3)).astype(config.floatX))
    return made


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_network(network(), path)
    return path


def altered(path, tensors=None, metadata=None, **architecture):
    """Write the file again with some of it changed."""
    whole = {ENTRY: json.dumps(described(path) | architecture)}
    save_file(load_file(path) | (tensors or {}), path, metadata=whole if metadata is None else metadata)


def described(path):
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    return json.loads(json.loads(header[8 : 8 + size])["__metadata__"][ENTRY])


def test_what_is_saved_comes_back(each_float, tmp_path):
    original, path = network(), tmp_path / "weights.safetensors"
    save_network(original, path)
    loaded = load_network(path)
    assert loaded.mini_batch_size == 4
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in original.layers]
    images = np.random.default_rng(0).normal(size=(3, 64))
    probabilities = loaded.predict_probabilities(images)
    assert probabilities.dtype == each_float
    np.testing.assert_allclose(probabilities, original.predict_probabilities(images), rtol=1e-5)
    for ours, theirs in zip(original.layers, loaded.layers, strict=True):
        assert repr(ours) == repr(theirs)


def test_names_and_shapes_in_the_file(saved):
    assert {name: array.shape for name, array in load_file(saved).items()} == {
        "0.w": (2, 1, 3, 3),
        "0.b": (2,),
        "1.w": (12, 5),
        "1.b": (5,),
        "2.w": (5, 5),
        "2.b": (5,),
        "3.w": (5, 3),
        "3.b": (3,),
    }
    assert [layer["kind"] for layer in described(saved)["layers"]] == [
        "ConvPoolLayer",
        "FullyConnectedLayer",
        "FullyConnectedLayer",
        "SoftmaxLayer",
    ]


def test_the_dtype_is_that_of_the_program(saved, float32):
    loaded = load_network(saved)
    assert {param.dtype for param in loaded.params} == {"float32"}


def test_saving_replaces_at_the_end(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*paths):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        save_network(network(linear), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


class TestRefusedNetworks:
    def test_an_activation_of_the_users(self, tmp_path):
        with pytest.raises(NetworkFileError, match="elu, gelu, hard_sigmoid, leaky_relu, linear"):
            save_network(network(lambda z: z * 2), tmp_path / "weights.safetensors")
        assert not list(tmp_path.iterdir())

    def test_a_layer_of_the_users(self, tmp_path):
        class SoftmaxAtHome(SoftmaxLayer):
            pass

        with pytest.raises(NetworkFileError, match=r"SoftmaxAtHome[\s\S]*ConvPoolLayer, FullyConnectedLayer"):
            save_network(Network([SoftmaxAtHome(6, 3)], 4), tmp_path / "weights.safetensors")


def without_weight(path):
    tensors = load_file(path)
    del tensors["1.b"]
    whole = {ENTRY: json.dumps(described(path))}
    path.write_bytes(save(tensors, metadata=whole))


def layers_with(path, place, **arguments):
    layers = described(path)["layers"]
    layers[place] |= arguments
    return layers


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(b""), "safetensors"),
        (lambda path: path.write_bytes(b"\x80\x04N." * 100), "safetensors"),
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "safetensors"),
        (lambda path: save_file({"w": np.zeros(3)}, path), "holds no network"),
        (lambda path: altered(path, metadata={"format": "pt"}), "lack"),
        (
            lambda path: altered(path, metadata={ENTRY: "{"}),
            "line 1",
        ),
        (lambda path: altered(path, mini_batch_size="4"), "mini_batch_size"),
        (lambda path: altered(path, layers=None), "NoneType"),
        (lambda path: altered(path, layers=layers_with(path, 0, kind="os.system")), "os.system"),
        (lambda path: altered(path, layers=layers_with(path, 0, activation_fn="eval")), "eval"),
        (lambda path: altered(path, layers=layers_with(path, 1, n_in=13)), "does not fit"),
        (lambda path: altered(path, layers=layers_with(path, 1, n_in=10**18)), "the file holds 133 numbers"),
        (lambda path: altered(path, layers=layers_with(path, 1, more=1)), "more"),
        (
            lambda path: altered(path, layers=layers_with(path, 3, n_out=4)),
            r"3\.w is float64 of shape \(5, 3\)",
        ),
        (lambda path: altered(path, {"1.b": np.zeros(5, int)}), r"1\.b is int64"),
        (lambda path: altered(path, {"9.b": np.zeros(5)}), r"9\.b"),
        (without_weight, r"expected 0\.w, 0\.b"),
    ],
)
def test_files_that_hold_no_network(saved, damage, message):
    damage(saved)
    with pytest.raises(NetworkFileError, match=message) as caught:
        load_network(saved)
    assert str(saved) in str(caught.value)


def test_a_folder_is_no_network(tmp_path):
    with pytest.raises(NetworkFileError):
        load_network(tmp_path)


def test_the_same_network_gives_the_same_file(tmp_path):
    paths = [tmp_path / f"weights {number}" for number in range(8)]
    for path in paths:
        save_network(network(), path)
    assert len({path.read_bytes() for path in paths}) == 1
