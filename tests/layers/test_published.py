"""Weights of PyTorch's layers, and of such as Keras has, give here what they give there."""

import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from arignote.engine.errors import InputError
from arignote.layers import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    Lambda,
    NetworkFileError,
    Sequential,
    load_weights,
    relu,
)


def correlated(images, filters):
    """Return the correlation of images (n, rows, columns, channels) with filters in Keras's order of axes."""
    windows = np.lib.stride_tricks.sliding_window_view(images, filters.shape[:2], axis=(1, 2))
    return np.einsum("nyxihw,hwio->nyxo", windows, filters)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def keras_like(random):
    shapes = {"conv/kernel": (3, 2, 4, 5), "conv/bias": (5,), "fc/kernel": (6 * 5 * 5, 3), "fc/bias": (3,)}
    return {name: random.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def network():
    channels_last = Lambda(lambda x: x.dimshuffle(0, 2, 3, 1))
    layers = [Conv2D(5, (3, 2), activation=relu), channels_last, Flatten(), Dense(3)]
    return Sequential(layers, input_shape=(4, 8, 6), rng=1)


NAMES = {"0.w": "conv/kernel", "0.b": "conv/bias", "3.w": "fc/kernel", "3.b": "fc/bias"}


def values(layer):
    return {name: each.variable.get_value() for name, each in layer.parameters.items()}


@pytest.mark.parametrize("kind", ["npz", "mapping", "hdf5"])
def test_weights_of_keras(tmp_path, random, kind):
    weights = keras_like(random)
    source = tmp_path / "weights"
    if kind == "npz":
        with source.open("wb") as file:
            np.savez(file, **weights)
    elif kind == "hdf5":
        h5py = pytest.importorskip("h5py", reason="HDF5 is read by h5py, which is optional")
        with h5py.File(source, "w") as file:
            for name, array in weights.items():
                file[name] = array
    else:
        source = weights
    layer = network()
    load_weights(layer, source, NAMES, layout="HWIO")
    images = random.normal(size=(2, 8, 6, 4))
    hidden = np.maximum(correlated(images, weights["conv/kernel"]) + weights["conv/bias"], 0)
    wanted = hidden.reshape(2, -1) @ weights["fc/kernel"] + weights["fc/bias"]
    np.testing.assert_allclose(layer.predict(images.transpose(0, 3, 1, 2)), wanted, rtol=1e-4, atol=1e-4)


def test_weights_of_pytorch(tmp_path, random):
    torch = pytest.importorskip("torch", reason="PyTorch's network is what is compared with")
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, (3, 2), groups=2),
        torch.nn.BatchNorm2d(6),
        torch.nn.Flatten(),
        torch.nn.Linear(180, 3),
    )
    theirs[1].running_mean += 0.5
    theirs[1].running_var *= 2
    state = {name: each.numpy() for name, each in theirs.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    ours = Sequential([Conv2D(6, (3, 2), groups=2), BatchNorm(), Flatten(), Dense(3)], input_shape=(4, 8, 6))
    words = {"w": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
    words |= {"mean": "running_mean", "variance": "running_var"}

    def names(name):
        number, word = name.split(".")
        return f"{number}.{words[word]}"

    with pytest.raises(NetworkFileError, match=r"1\.num_batches_tracked is not used"):
        load_weights(ours, tmp_path / "weights.safetensors", names, dense="OI")
    load_weights(ours, tmp_path / "weights.safetensors", names, dense="OI", strict=False)
    images = random.normal(size=(2, 4, 8, 6)).astype("float32")
    wanted = theirs.eval()(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(ours.predict(images), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "kernel", "axes"),
    [
        (Conv1D(5, 3), (4, 9), (3, 4, 5), (2, 1, 0)),
        (Conv3D(5, (1, 2, 3)), (4, 5, 5, 5), (1, 2, 3, 4, 5), (4, 3, 0, 1, 2)),
        # Keras's transposed convolution: (rows, columns, filters, channels); depthwise: multiplier last.
        (ConvTranspose2D(5, (2, 3)), (4, 6, 6), (2, 3, 5, 4), (3, 2, 0, 1)),
        (DepthwiseConv2D((2, 3), multiplier=5), (4, 6, 6), (2, 3, 4, 5), (2, 3, 0, 1)),
    ],
    ids=["Conv1D", "Conv3D", "ConvTranspose2D", "DepthwiseConv2D"],
)
def test_filters_last_of_every_kind(random, layer, shape, kernel, axes):
    layer.build(shape)
    weights = {"w": random.normal(size=kernel).astype("float32"), "b": layer.b.get_value()}
    load_weights(layer, weights, layout="HWIO")
    wanted = weights["w"].transpose(axes).reshape(layer.w.get_value().shape)
    np.testing.assert_array_equal(layer.w.get_value(), wanted)


def test_all_that_does_not_fit_is_named_and_nothing_changes(random):
    layer, weights = network(), keras_like(random)
    before = values(layer)
    del weights["conv/bias"]
    weights["fc/bias"] = np.array(["a", "b", "c"])
    weights["fc/kernel"] = weights["fc/kernel"].T
    weights["head/bias"] = np.zeros(3)
    with pytest.raises(NetworkFileError) as error:
        load_weights(layer, weights, NAMES)
    message = str(error.value)
    for part in (
        "0.w (there conv/kernel) is of shape (3, 2, 4, 5); expected (5, 4, 3, 2), "
        "which layout='HWIO' makes of it",
        "0.b (there conv/bias) is missing",
        "which dense='OI' makes of it",
        "3.b (there fc/bias) is of dtype <U1; expected numbers",
        "head/bias is not used",
    ):
        assert part in message
    after = values(layer)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_code_is_never_read(tmp_path):
    layer = Dense(2).build((3,))
    np.savez(tmp_path / "objects.npz", w=np.array([print], object), b=np.zeros(2))
    with zipfile.ZipFile(tmp_path / "torch.pt", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"w": 1}))
    (tmp_path / "pickle").write_bytes(pickle.dumps({"w": 1}))
    for name, message in (
        ("objects.npz", "allow_pickle"),
        ("torch.pt", "safetensors.torch.save_file"),
        ("pickle", "cannot be read"),
        ("missing", "No such file"),
    ):
        with pytest.raises(NetworkFileError, match=message):
            load_weights(layer, tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "OHWI"}, "argument `layout`"),
        ({"dense": "NC"}, "argument `dense`"),
        ({"names": {"v": "kernel"}}, "names of parameters: w, b"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        load_weights(Dense(2).build((3,)), {}, **arguments)
