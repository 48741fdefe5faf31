"""The trainer: steps next to NumPy's and PyTorch's, weights, evaluation, arguments, resumption."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image
from scipy.special import log_softmax

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.ops import sqr, sum
from arignote.engine.types import TensorType
from arignote.layers import (
    SGD,
    Adam,
    Batches,
    BatchNorm,
    CheckpointError,
    Conv2D,
    Dense,
    DivergenceError,
    Dropout,
    Flatten,
    Flip,
    ImageFolder,
    MaxPool2D,
    Sequential,
    Trainer,
    Watcher,
    accuracy,
    cross_entropy,
    mean_squared_error,
    relu,
)
from arignote.layers.data.datafiles import DatasetError


def examples(count, seed=0):
    """Return images of 4 x 4 whose class shows."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    images = random.normal(size=(count, 1, 4, 4))
    images[np.arange(count), 0, labels, labels] += 4
    return images, labels


def linear(optimiser=None, **settings):
    """Return a trainer of 16 inputs and 3 classes, without a hidden layer."""
    network = Sequential([Flatten(), Dense(3)], input_shape=(1, 4, 4), rng=0)
    return Trainer(network, cross_entropy, optimiser or SGD(0.1), **settings)


def deep(seed=0, mode="reference", rate=0.01):
    """Return a trainer of a network with all kinds of state."""
    layers = [Conv2D(3, 3, bias=False), BatchNorm(), MaxPool2D(2), Flatten(), Dense(6, relu), Dropout(0.4)]
    network = Sequential([*layers, Dense(3)], input_shape=(1, 4, 4), rng=0)
    return Trainer(network, cross_entropy, Adam(rate), metrics=[accuracy], seed=seed, mode=mode)


def values(trainer):
    return {name: variable.get_value() for name, variable in trainer.state.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def by_hand(trainer, images, labels, weights):
    """Return the gradient of the weighted mean of the cross-entropy of a linear network, by its formula."""
    w, b = (param.get_value() for param in trainer.network.params)
    x = images.reshape(len(images), -1)
    z = x @ w + b
    shares = weights / weights.sum()
    cost = -(log_softmax(z, axis=1)[np.arange(len(x)), labels] * shares).sum()
    delta = (np.exp(log_softmax(z, axis=1)) - np.eye(3)[labels]) * shares[:, None]
    return cost, x.T @ delta, delta.sum(axis=0)


class TestSteps:
    @pytest.mark.parametrize("by_class", [False, True])
    @pytest.mark.parametrize("by_example", [False, True])
    def test_a_weighted_step(self, by_class, by_example):
        of_class = np.array([0.5, 2.0, 0.0])
        trainer = linear(mode="reference", class_weights=of_class if by_class else None)
        images, labels = examples(9)
        weights = np.random.default_rng(1).uniform(size=9) if by_example else None
        total = np.ones(9) if weights is None else weights
        total = total * of_class[labels] if by_class else total
        cost, *gradients = by_hand(trainer, images, labels, total)
        before = [param.get_value() for param in trainer.network.params]
        assert trainer.step(images, labels, weights) == pytest.approx(cost, rel=1e-12)
        for param, value, gradient in zip(trainer.network.params, before, gradients, strict=True):
            np.testing.assert_allclose(param.get_value(), value - 0.1 * gradient, rtol=1e-10, atol=1e-14)

    def test_a_batch_of_which_nothing_counts(self):
        trainer = linear(mode="reference")
        before = values(trainer)
        assert trainer.step(*examples(3), np.zeros(3)) == 0
        assert_same(values(trainer), before)

    def test_penalty_and_clip(self):
        def clip(gradients):
            return [gradient.clip(-0.01, 0.01) for gradient in gradients]

        trainer = linear(mode="reference", penalty=lambda params: 3 * sum(sqr(params[0])), clip=clip)
        images, labels = examples(9)
        cost, for_w, for_b = by_hand(trainer, images, labels, np.ones(9))
        w, b = (param.get_value() for param in trainer.network.params)
        assert trainer.step(images, labels) == pytest.approx(cost + 3 * (w**2).sum(), rel=1e-12)
        for param, old, gradient in zip(trainer.network.params, (w, b), (for_w + 6 * w, for_b), strict=True):
            expected = old - 0.1 * gradient.clip(-0.01, 0.01)
            np.testing.assert_allclose(param.get_value(), expected, rtol=1e-10)

    def test_pytorch_trains_the_same(self):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        network = Sequential(
            [Conv2D(3, 3), BatchNorm(), MaxPool2D(2), Flatten(), Dense(3)], input_shape=(1, 4, 4), rng=0
        )
        theirs = torch.nn.Sequential(
            torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
            torch.nn.Linear(3, 3),
        ).double()  # fmt: skip
        with torch.no_grad():
            for layer, ours in ((theirs[0], network[0]), (theirs[4], network[4])):
                layer.weight[:] = torch.tensor(
                    ours.w.get_value().T if layer is theirs[4] else ours.w.get_value()
                )
                layer.bias[:] = torch.tensor(ours.b.get_value())
        images, labels = examples(25)
        trainer = Trainer(network, cross_entropy, Adam(0.01))
        history = trainer.fit((images, labels), 3, 10, shuffle=False)
        optimiser = torch.optim.Adam(theirs.parameters(), 0.01)
        means = []
        for _ in range(3):
            losses = []
            for rows in (slice(0, 10), slice(10, 20), slice(20, 25)):
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(
                    theirs(torch.tensor(images[rows])), torch.tensor(labels[rows])
                )
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
            means.append(np.mean(losses))
        np.testing.assert_allclose(history["training_loss"], means, rtol=1e-8)
        theirs.eval()
        expected = theirs(torch.tensor(images)).detach().numpy()
        np.testing.assert_allclose(network.predict(images), expected, rtol=1e-6, atol=1e-8)

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    @pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
    def test_divergence(self):
        network = Dense(1).build((2,), rng=0)
        target = TensorType("float64", (None, 1))
        trainer = Trainer(network, mean_squared_error, SGD(1e300), target=target, mode="reference")
        with pytest.raises(DivergenceError, match=r"epoch 0[\s\S]*learning_rate=1e\+300"):
            trainer.fit((np.ones((20, 2)), np.zeros((20, 1))), 1, 5)


class TestData:
    def test_arrays_batches_and_generators_are_the_same(self):
        images, labels = examples(20)

        def made(epoch):
            for batch in Batches((images, labels), 6, seed=5).epoch(epoch):
                yield batch.inputs, batch.targets

        sources = [((images, labels), 6), (Batches((images, labels), 6, seed=5), None), (made, None)]
        trained = []
        for source, size in sources:
            trainer = linear(mode="reference", seed=5)
            trainer.fit(source, 2, size)
            trained.append(values(trainer))
        assert_same(trained[0], trained[1])
        assert_same(trained[0], trained[2])

    def test_weights_of_examples(self):
        images, labels = examples(20)
        kept = np.arange(20) < 10
        one, other = linear(mode="reference"), linear(mode="reference")
        one.fit((images, labels), 1, 20, weights=kept.astype(float), shuffle=False)
        other.fit((images[:10], labels[:10]), 1, 10, shuffle=False)
        for ours, theirs in zip(one.network.params, other.network.params, strict=True):
            np.testing.assert_allclose(ours.get_value(), theirs.get_value(), rtol=1e-12)

    def test_images_as_rows_of_bytes(self):
        images, labels = examples(10)
        whole = np.clip(images * 20, 0, 255).astype("uint8")
        one, other = linear(mode="reference"), linear(mode="reference")
        one.fit((whole.reshape(10, 16), labels.astype("int64")), 1, 5)
        other.fit((whole.astype(float), labels), 1, 5)
        assert_same(values(one), values(other))

    def test_targets_of_another_type(self):
        network = Dense(2).build((3,), rng=0)
        target = TensorType("float64", (None, 2))
        trainer = Trainer(network, mean_squared_error, SGD(0.1), target=target)
        random = np.random.default_rng(0)
        x, w = random.normal(size=(60, 3)), random.normal(size=(3, 2))
        trainer.fit((x, x @ w), 60, 10)
        np.testing.assert_allclose(network.w.get_value(), w, atol=1e-6)

    @pytest.mark.parametrize(
        ("data", "size", "error", "message"),
        [
            ((np.zeros((3, 5)), np.zeros(3, int)), 1, ShapeError, r"`data`: inputs[\s\S]*16"),
            ((np.zeros((3, 16)), np.zeros(2, int)), 1, ShapeError, r"`data`: labels"),
            ((np.zeros((3, 16)), np.array([0, 3, 0])), 1, InputError, "0 to 2"),
            ((np.zeros((3, 16)), np.zeros(3)), 1, DTypeError, "integers"),
            ((np.zeros((3, 16)), np.zeros(3, int)), None, InputError, "`batch_size`"),
            ((np.zeros((0, 16)), np.zeros(0, int)), 1, ShapeError, "at least 1"),
            (7, None, DTypeError, "`source`"),
            ([], None, InputError, "at least one batch"),
            ([(np.zeros((3, 5)), np.zeros(3, int))], None, ShapeError, "inputs of a batch"),
        ],
    )
    def test_data_that_do_not_fit(self, data, size, error, message):
        trainer = linear(mode="reference")
        before = values(trainer)
        with pytest.raises(error, match=message):
            trainer.fit(data, 1, size)
        assert_same(values(trainer), before)

    def test_settings_that_do_not_fit(self):
        with pytest.raises(InputError, match="`epochs`"):
            linear().fit(examples(4), 0, 2)
        with pytest.raises(InputError, match="`network`"):
            Trainer(Flatten().build((3,)), cross_entropy, SGD(0.1))
        with pytest.raises(ShapeError, match="`loss`"):
            Trainer(Dense(3).build((3,)), lambda z, y: cross_entropy(z, y).mean(), SGD(0.1))


class TestEvaluation:
    def test_loss_and_metrics(self):
        trainer = linear(mode="reference", metrics=[accuracy])
        images, labels = examples(250)
        z = trainer.network.predict(images)
        found = trainer.evaluate((images, labels))
        expected = -log_softmax(z, axis=1)[np.arange(250), labels].mean()
        assert found == {"loss": pytest.approx(expected, rel=1e-12), "accuracy": accuracy(z, labels)}

    def test_of_nothing(self):
        found = linear(metrics=[accuracy]).evaluate((np.zeros((0, 16)), np.zeros(0, int)))
        assert all(np.isnan(value) for value in found.values())

    def test_history(self):
        trainer = deep()
        history = trainer.fit(examples(20), 3, 6, validation={"one": examples(5, 1), "two": examples(5, 2)})
        assert set(history) == {
            "epoch", "training_loss", "one_loss", "one_accuracy", "two_loss", "two_accuracy", "seconds",
            "examples_per_second",
        }  # fmt: skip
        assert history["epoch"] == [0, 1, 2]
        assert history["two_loss"][-1] == trainer.evaluate(examples(5, 2))["loss"]

    def test_prediction(self):
        trainer = deep(mode=None)
        images, _ = examples(205)
        together = trainer.network.predict(images)
        assert together.shape == (205, 3)
        np.testing.assert_allclose(trainer.network.predict(images[7:8])[0], together[7], rtol=1e-9)
        assert trainer.network.predict(images[:0]).shape == (0, 3)


class Stop(Watcher):
    """Stops after so many batches, counted over all epochs."""

    def __init__(self, batches):
        self.left = batches

    def after_batch(self, epoch, batch, loss):
        self.left -= 1
        return self.left == 0


class TestResumption:
    @pytest.mark.parametrize("batches", [1, 3, 4, 5, 8, 11])
    def test_to_the_same_bits(self, tmp_path, batches):
        settings = {"epochs": 3, "batch_size": 6, "validation": examples(7, 1), "augment": Flip()}
        whole = deep()
        expected = whole.fit(examples(20), **settings)
        deep().fit(examples(20), **settings, callbacks=[Stop(batches)], checkpoint=tmp_path)
        # Another process would have other objects, of other values at first.
        resumed = deep()
        for variable in resumed.state.values():
            variable.set_value(np.full_like(variable.get_value(), 3))
        history = resumed.fit(examples(20), **settings, callbacks=[Stop(10**9)], checkpoint=tmp_path)
        assert_same(values(resumed), values(whole))
        for name in ("epoch", "training_loss", "validation_loss", "validation_accuracy"):
            assert history[name] == expected[name], name

    def test_more_epochs(self, tmp_path):
        whole, parts = deep(), deep()
        whole.fit(examples(20), 4, 6)
        for epochs in (2, 2, 4):
            history = parts.fit(examples(20), epochs, 6, checkpoint=tmp_path)
            assert history["epoch"] == list(range(epochs))
        assert_same(values(parts), values(whole))

    def test_every_batch(self, tmp_path):
        written = []

        class Look(Watcher):
            def after_batch(self, epoch, batch, loss):
                written.append(sorted(os.listdir(tmp_path)))
                return False

        deep().fit(examples(20), 1, 6, callbacks=[Look()], checkpoint=tmp_path, every=0)
        assert written == [[], *[["checkpoint.safetensors"]] * 3]

    @pytest.mark.parametrize(
        ("seed", "rate", "count", "size", "message"),
        [
            (1, 0.01, 20, 6, "seed is 1 here and 0 there"),
            (0, 0.02, 20, 6, "learning_rate is 0.02 here and 0.01 there"),
            (0, 0.01, 20, 7, "batch_size is 7 here and 6 there"),
            (0, 0.01, 21, 6, "shape.0 is 21 here and 20 there"),
        ],
    )
    def test_another_training(self, tmp_path, seed, rate, count, size, message):
        deep().fit(examples(20), 1, 6, checkpoint=tmp_path)
        other = deep(seed, rate=rate)
        before = values(other)
        with pytest.raises(CheckpointError, match=message):
            other.fit(examples(count), 2, size, checkpoint=tmp_path)
        assert_same(values(other), before)

    def test_other_examples(self, tmp_path):
        deep().fit(examples(20), 1, 6, checkpoint=tmp_path)
        with pytest.raises(CheckpointError, match="checksum"):
            deep().fit(examples(20, seed=3), 2, 6, checkpoint=tmp_path)

    def test_another_network(self, tmp_path):
        deep().fit(examples(20), 1, 6, checkpoint=tmp_path)
        with pytest.raises(CheckpointError, match=r"network\.arguments\.layers"):
            linear().fit(examples(20), 2, 6, checkpoint=tmp_path)

    @pytest.fixture
    def interruptible(self):
        """Ctrl-C interrupts, also in a process that was started in the background, where it is ignored."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    def test_an_interruption_waits_for_the_step(self, tmp_path, interruptible):
        class Interrupt(Watcher):
            def after_batch(self, epoch, batch, loss):
                if (epoch, batch) == (1, 1):
                    signal.raise_signal(signal.SIGINT)
                return False

        whole, parts = deep(), deep()
        whole.fit(examples(20), 3, 6)
        with pytest.raises(KeyboardInterrupt):
            parts.fit(examples(20), 3, 6, callbacks=[Interrupt()], checkpoint=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        deep().fit(examples(20), 3, 6, callbacks=[Interrupt()], checkpoint=tmp_path)
        again = deep()
        again.fit(examples(20), 3, 6, callbacks=[Interrupt()], checkpoint=tmp_path)
        assert_same(values(again), values(whole))

    def test_what_a_killed_process_left_is_removed(self, tmp_path):
        (tmp_path / ".checkpoint.safetensors.123").write_bytes(b"half")
        deep().fit(examples(20), 1, 6, checkpoint=tmp_path)
        assert os.listdir(tmp_path) == ["checkpoint.safetensors"]

    def test_the_settings_are_json(self):
        trainer = deep()
        assert json.loads(json.dumps(trainer.settings)) == trainer.settings


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_folder_of_images_is_read_in_the_size_of_the_network(tmp_path, channels, mode):
    shades = {"dark": (20, 30, 40), "light": (220, 230, 240)}
    for name, shade in shades.items():
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (9 + number, 7), shade).save(tmp_path / name / f"{number}.png")
    images = ImageFolder(tmp_path, (6, 5), mode).load()
    histories = []
    for data in (tmp_path, str(tmp_path), images):
        network = Sequential([Flatten(), Dense(2)], input_shape=(channels, 6, 5), rng=0)
        trainer = Trainer(network, cross_entropy, SGD(0.1), metrics=[accuracy], mode="reference")
        history = trainer.fit(data, 3, 3, validation=data)
        histories.append({name: history[name] for name in ("training_loss", "validation_accuracy")})
        assert trainer.evaluate(data)["loss"] == history["validation_loss"][-1]
    assert histories[0] == histories[1] == histories[2]


def test_folders_that_do_not_fit_the_network_are_refused(tmp_path):
    for name in "abcd":
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "1.png")
    with pytest.raises(ShapeError, match="at most 3, the outputs of the network"):
        linear().fit(tmp_path, 1, 2)
    network = Sequential([Dense(3)], input_shape=(16,), rng=0)
    with pytest.raises(ShapeError, match="a network of images"):
        Trainer(network, cross_entropy, SGD(0.1)).fit(tmp_path, 1, 2)
    with pytest.raises(DatasetError, match="no such folder"):
        linear().fit(tmp_path / "elsewhere", 1, 2)
