"""Layers of any form on disk: what comes back, and that damaged files are refused."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from arignote.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    FullyConnectedLayer,
    Graph,
    He,
    Input,
    Layer,
    NetworkFileError,
    Residual,
    Sequential,
    load,
    relu,
    save,
)


@dataclass(eq=False)
class Scale(Layer):
    initial: float = 1.0

    def infer(self, *shapes):
        return shapes[0]

    def create(self, rng):
        self.factor = self.add("factor", np.full(self.input_shape, self.initial))

    def output(self, *inputs, training=None):
        return inputs[0] * self.factor


def sequence():
    block = Residual(Conv2D(2, 3, padding="half", initialiser=He()))
    layers = [Conv2D(2, (3, 3), padding=((1, 0), (0, 1)), activation=relu), BatchNorm(), block, Flatten()]
    return Sequential(
        [*layers, Dense(3, relu), FullyConnectedLayer(3, 4, rng=0)], input_shape=(1, 5, 5), rng=0
    )


def graph():
    same = Conv2D(2, 3, padding="half", activation=relu)
    image = Input((2, 5, 5))
    first = same(image)
    return Graph(image, Dense(3)(same(first) + first), rng=0)


@pytest.mark.parametrize("make", [sequence, graph])
def test_what_is_saved_comes_back(tmp_path, make):
    layer, path = make(), tmp_path / "layer.safetensors"
    save(layer, path)
    loaded = load(path)
    assert list(loaded.parameters) == list(layer.parameters)
    assert len(loaded.params) == len(layer.params)
    images = np.random.default_rng(0).normal(size=(4, *layer.input_shape))
    np.testing.assert_array_equal(loaded.predict(images), layer.predict(images))
    before = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == before


def test_a_layer_of_the_users(tmp_path):
    path = tmp_path / "layer.safetensors"
    save(Sequential([Scale(2.0), Dense(2)], input_shape=(3,)), path)
    with pytest.raises(NetworkFileError, match=r"Scale[\s\S]*kinds="):
        load(path)
    np.testing.assert_array_equal(load(path, kinds=[Scale])[0].factor.get_value(), [2, 2, 2])


def test_a_function_of_the_users(tmp_path):
    with pytest.raises(NetworkFileError, match=r"lambda[\s\S]*relu"):
        save(Dense(2, lambda z: z).build((3,)), tmp_path / "layer.safetensors")


def test_a_description_of_more_than_the_file_holds(tmp_path):
    path = tmp_path / "layer.safetensors"
    save(Dense(2).build((3,)), path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    words = json.loads(header["__metadata__"]["arignote layer 1"])
    words["layer"]["arguments"]["units"] = 10**12
    header["__metadata__"]["arignote layer 1"] = json.dumps(words)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + size :])
    with pytest.raises(NetworkFileError, match="more parameters than it holds"):
        load(path)


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path, count):
    path = tmp_path / "layer.safetensors"
    save(sequence(), path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(count):
        damaged = bytearray(whole)
        kind = random.integers(3)
        place = int(random.integers(len(whole) if random.integers(4) == 0 else 3000))
        if kind == 0:
            damaged[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            del damaged[place : place + int(random.integers(1, 50))]
        else:
            damaged[place:place] = bytes(random.integers(32, 127, random.integers(1, 9), dtype="uint8"))
        path.write_bytes(damaged)
        try:
            load(path)  # a flipped bit of a weight is a weight
        except NetworkFileError:
            refused += 1
    assert refused > count / 2
