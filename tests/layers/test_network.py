"""The network: what fits together, how it trains, what it predicts; next to PyTorch and NumPy."""

import numpy as np
import pytest
from scipy.special import log_softmax

from arignote import function
from arignote.compile import objects
from arignote.engine.config import config
from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.grad import grad
from arignote.layers import (
    SGD,
    CheckpointError,
    ConvPoolLayer,
    DivergenceError,
    FullyConnectedLayer,
    Network,
    SoftmaxLayer,
    Watcher,
    tanh,
)


class Silent(Watcher):
    pass


def small(batch=4, mode="reference", **dropout):
    """Return a network for images of 8 x 8 pixels and 3 classes."""
    layers = [
        ConvPoolLayer((2, 1, 3, 3), (batch, 1, 8, 8), rng=1),
        FullyConnectedLayer(2 * 3 * 3, 5, rng=2, **dropout),
        SoftmaxLayer(5, 3),
    ]
    return Network(layers, batch, mode=mode)


def examples(count, seed=0):
    """Return images whose class shows: a bright column, at a place for each class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    images = random.uniform(0, 0.2, (count, 8, 8))
    images[np.arange(count), :, 2 * labels + 1] = 1
    return images.reshape(count, 64), labels


class TestFit:
    def test_attributes(self):
        network = small()
        assert network.x.static_shape == (4, 64)
        assert network.y.static_shape == (4,)
        assert [param.get_value().shape for param in network.params] == [
            (2, 1, 3, 3), (2,), (18, 5), (5,), (5, 3), (3,),
        ]  # fmt: skip
        assert network.cost.ndim == 0

    @pytest.mark.parametrize("above", [FullyConnectedLayer(2000, 100), SoftmaxLayer(2000, 10)])
    def test_inputs_that_the_layer_before_does_not_give(self, above):
        conv = ConvPoolLayer((20, 1, 5, 5), (10, 1, 28, 28))
        with pytest.raises(ShapeError) as caught:
            Network([conv, above, SoftmaxLayer(100, 10)], 10)
        message = str(caught.value)
        assert "2880 = 20*12*12" in message
        assert "2000" in message
        assert "n_in=20*12*12" in message
        assert "test_network.py" in message

    def test_images_that_the_layer_before_does_not_give(self):
        first = ConvPoolLayer((20, 1, 5, 5), (10, 1, 28, 28))
        second = ConvPoolLayer((40, 20, 5, 5), (10, 20, 13, 13))
        with pytest.raises(ShapeError, match=r"2880 = 20\*12\*12[\s\S]*3380 = 20\*13\*13"):
            Network([first, second, SoftmaxLayer(640, 10)], 10)

    def test_numbers_made_into_an_image(self):
        Network(
            [FullyConnectedLayer(10, 64), ConvPoolLayer((2, 1, 3, 3), (4, 1, 8, 8)), SoftmaxLayer(18, 3)], 4
        )

    def test_mini_batch_size_of_a_layer(self):
        with pytest.raises(ShapeError, match=r"layer 0 \(ConvPoolLayer\)[\s\S]*\(8, 1, 8, 8\)[\s\S]*\(4, 1"):
            Network([ConvPoolLayer((2, 1, 3, 3), (4, 1, 8, 8)), SoftmaxLayer(18, 3)], 8)

    @pytest.mark.parametrize("layers", [[], [FullyConnectedLayer(64, 3)]])
    def test_the_last_layer_gives_probabilities(self, layers):
        with pytest.raises(DTypeError, match="the last is a SoftmaxLayer"):
            Network(layers, 4)

    @pytest.mark.parametrize("size", [0, -1, 2.5])
    def test_mini_batch_size(self, size):
        with pytest.raises(InputError, match="`mini_batch_size`"):
            Network([SoftmaxLayer(64, 3)], size)


class TestExpressions:
    def test_cost_is_the_negative_log_likelihood(self):
        network = Network([SoftmaxLayer(6, 3)], 4, mode="reference")
        random = np.random.default_rng(0)
        w = random.normal(size=(6, 3))
        network.layers[0].w.set_value(w)
        x, y = random.normal(size=(4, 6)), np.array([0, 2, 1, 2], "int32")
        cost = function([network.x, network.y], network.cost, mode="reference")
        assert cost(x, y) == pytest.approx(-log_softmax(x @ w, axis=1)[np.arange(4), y].mean(), rel=1e-12)

    def test_regularised_cost(self):
        network = small()
        x, y = examples(4)
        inputs = [network.x, network.y]
        costs = [network.cost, network.regularised_cost(5.0, batches=20), network.regularised_cost(0.0, 20)]
        plain, regularised, without = function(inputs, costs, mode="reference")(x, y)
        squares = sum((layer.w.get_value() ** 2).sum() for layer in network.layers)
        assert regularised == pytest.approx(plain + 0.5 * 5 * squares / 20, rel=1e-12)
        assert without == plain

    def test_updates_go_against_the_gradient(self):
        network = small()
        x, y = examples(4)
        inputs = [network.x, network.y]
        gradients = function(inputs, grad(network.cost, network.params), mode="reference")(x, y)
        before = [param.get_value() for param in network.params]
        function(inputs, updates=SGD(0.25).updates(network.cost, network.params), mode="reference")(x, y)
        for param, value, gradient in zip(network.params, before, gradients, strict=True):
            np.testing.assert_allclose(param.get_value(), value - 0.25 * gradient, rtol=1e-12)


class TestTraining:
    def test_it_learns(self, capsys):
        network = small()
        history = network.SGD(examples(80), 10, 4, 0.5, examples(30, 1), examples(30, 2))
        assert history["training_loss"][-1] < 0.5 * history["training_loss"][0]
        assert history["validation_accuracy"][-1] == network.accuracy(examples(30, 1)) > 0.9
        assert history["test_accuracy"][-1] == network.accuracy(examples(30, 2)) > 0.9
        assert history["epoch"] == list(range(10))
        assert {len(column) for column in history.values()} == {10}
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            f"Epoch {epoch}: validation accuracy {accuracy:.2%}"
            for epoch, accuracy in enumerate(history["validation_accuracy"])
        ]

    def test_batches_in_order_without_the_remainder(self):
        network, by_hand = small(), small()
        images, labels = examples(11)
        history = network.SGD((images, labels), 2, 4, 0.3, examples(3), examples(3), 0.7, watcher=Silent())
        cost = by_hand.regularised_cost(0.7, batches=2)
        step = function(
            [by_hand.x, by_hand.y], cost, updates=SGD(0.3).updates(cost, by_hand.params), mode="reference"
        )
        losses = [float(step(images[i : i + 4], labels[i : i + 4])) for i in (0, 4, 0, 4)]
        assert history["training_loss"] == pytest.approx(
            [np.mean(losses[:2]), np.mean(losses[2:])], rel=1e-12
        )
        for ours, theirs in zip(network.params, by_hand.params, strict=True):
            np.testing.assert_allclose(ours.get_value(), theirs.get_value(), rtol=1e-12)

    def test_a_watcher_stops_after_a_batch(self):
        heard = []

        class Stop(Watcher):
            def after_batch(self, epoch, batch, loss):
                heard.append((epoch, batch, loss))
                return (epoch, batch) == (1, 2)

        history = small().SGD(examples(20), 5, 4, 0.1, examples(3), examples(3), watcher=Stop())
        assert [where[:2] for where in heard] == [
            (0, 0),
            (0, 1),
            (0, 2),
            (0, 3),
            (0, 4),
            (1, 0),
            (1, 1),
            (1, 2),
        ]
        assert history["epoch"] == [0, 1]
        assert history["training_loss"][1] == pytest.approx(np.mean([loss for *_, loss in heard[5:]]))

    def test_dropout_in_training_only(self):
        network = small(p_dropout=0.5)
        images, _ = examples(10)
        network.SGD(examples(8), 1, 4, 0.1, examples(3), examples(3), watcher=Silent())
        np.testing.assert_array_equal(
            network.predict_probabilities(images), network.predict_probabilities(images)
        )

    def test_training_repeats(self):
        runs = [small(p_dropout=0.5) for _ in range(2)]
        for network in runs:
            network.SGD(examples(20), 2, 4, 0.1, examples(3), examples(3), watcher=Silent())
        for one, other in zip(runs[0].params, runs[1].params, strict=True):
            np.testing.assert_array_equal(one.get_value(), other.get_value())

    def test_each_training_drops_other_units(self):
        network = small(p_dropout=0.5)
        start = [param.get_value() for param in network.params]
        ends = []
        for _ in range(2):
            for param, value in zip(network.params, start, strict=True):
                param.set_value(value)
            network.SGD(examples(20), 1, 4, 0.1, examples(3), examples(3), watcher=Silent())
            ends.append(network.params[0].get_value())
        assert (ends[0] != ends[1]).any()

    def test_it_goes_on_from_a_checkpoint(self, tmp_path):
        settings = (4, 0.1, examples(3), examples(3))
        whole, parts = small(p_dropout=0.5), [small(p_dropout=0.5) for _ in range(2)]
        expected = whole.SGD(examples(20), 3, *settings, watcher=Silent())
        parts[0].SGD(examples(20), 1, *settings, watcher=Silent(), checkpoint=tmp_path)
        history = parts[1].SGD(examples(20), 3, *settings, watcher=Silent(), checkpoint=tmp_path)
        assert history["epoch"] == expected["epoch"]
        assert history["training_loss"] == expected["training_loss"]
        for one, other in zip(whole.params, parts[1].params, strict=True):
            np.testing.assert_array_equal(one.get_value(), other.get_value())

    def test_a_checkpoint_of_another_penalty(self, tmp_path):
        settings = (1, 4, 0.1, examples(3), examples(3))
        small().SGD(examples(20), *settings, lmbda=0.1, watcher=Silent(), checkpoint=tmp_path)
        with pytest.raises(CheckpointError, match="penalty"):
            small().SGD(examples(20), *settings, lmbda=0.2, watcher=Silent(), checkpoint=tmp_path)

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_a_rate_that_is_too_large(self):
        with pytest.raises(DivergenceError, match=r"epoch \d+[\s\S]*1e\+300"):
            small().SGD(examples(8), 20, 4, 1e300, examples(3), examples(3), watcher=Silent())

    def test_another_rate_needs_no_other_kernels(self):
        network = small(mode=None)

        def train(eta, lmbda):
            network.SGD(examples(8), 1, 4, eta, examples(3), examples(3), lmbda, watcher=Silent())
            return len(objects._addresses)

        assert train(0.1, 0.2) == train(0.3, 0.4)


class TestArguments:
    @pytest.mark.parametrize(
        ("images", "labels", "error", "message"),
        [
            (np.zeros((8, 63)), np.zeros(8, int), ShapeError, r"\(n, 64\)[\s\S]*\(8, 63\)"),
            (np.zeros(64), np.zeros(8, int), ShapeError, r"images"),
            (np.zeros((8, 64)), np.zeros(7, int), ShapeError, r"labels[\s\S]*\(8,\)[\s\S]*\(7,\)"),
            (np.zeros((8, 64)), np.zeros((8, 3), int), ShapeError, r"labels"),
            (np.zeros((8, 64)), np.zeros(8), DTypeError, r"labels[\s\S]*integers[\s\S]*float64"),
            (np.zeros((8, 64)), np.array([0, 1, 2, 3] * 2), InputError, r"0 to 2[\s\S]*3 at position 3"),
            (np.zeros((8, 64)), np.array([0, -1] * 4), InputError, r"0 to 2[\s\S]*-1 at position 1"),
            (np.full((8, 64), np.nan), np.zeros(8, int), InputError, r"finite[\s\S]*image 0"),
            (np.full((8, 64), "ink"), np.zeros(8, int), DTypeError, r"numbers"),
        ],
    )
    @pytest.mark.parametrize("part", ["training_data", "validation_data", "test_data"])
    def test_data_that_do_not_fit(self, part, images, labels, error, message):
        data = {name: examples(8) for name in ("training_data", "validation_data", "test_data")}
        network = small()
        before = [param.get_value() for param in network.params]
        with pytest.raises(error, match=message) as caught:
            network.SGD(**data | {part: (images, labels)}, epochs=1, mini_batch_size=4, eta=0.1)
        assert part in str(caught.value)
        assert "test_network.py" in str(caught.value)
        for param, value in zip(network.params, before, strict=True):
            np.testing.assert_array_equal(param.get_value(), value)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"training_data": examples(3)}, ShapeError, "at least 4 images[\\s\\S]*3"),
            ({"training_data": None}, DTypeError, r"a pair \(images, labels\)"),
            ({"mini_batch_size": 8}, ShapeError, "the network's, 4[\\s\\S]*mini_batch_size=8"),
            ({"epochs": 0}, InputError, "`epochs`"),
            ({"eta": np.nan}, InputError, "`eta`"),
            ({"lmbda": -1.0}, InputError, "`lmbda`"),
        ],
    )
    def test_settings_that_do_not_fit(self, arguments, error, message):
        data = {name: examples(8) for name in ("training_data", "validation_data", "test_data")}
        settings = {"epochs": 1, "mini_batch_size": 4, "eta": 0.1}
        with pytest.raises(error, match=message):
            small().SGD(**data | settings | arguments)

    def test_arrays_are_taken_in_many_forms(self):
        network = small()
        images, labels = examples(12)
        assert network.accuracy((images.astype("float32"), labels.astype("uint8"))) == network.accuracy(
            (images.astype("float32").tolist(), labels.tolist())
        )
        np.testing.assert_array_equal(
            network.predict(np.asfortranarray(images)), network.predict(images.reshape(12, 1, 8, 8))
        )


class TestPrediction:
    @pytest.mark.parametrize("mode", ["reference", "compiled"])
    @pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
    def test_any_number_of_images(self, mode, count):
        network = small(mode=mode)
        images, _ = examples(250)
        probabilities = network.predict_probabilities(images[:count])
        assert probabilities.shape == (count, 3)
        assert probabilities.dtype == config.floatX
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        one_by_one = [network.predict_probabilities(image) for image in images[:count]]
        np.testing.assert_allclose(probabilities, np.reshape(one_by_one, (count, 3)), rtol=1e-12)
        np.testing.assert_array_equal(network.predict(images[:count]), probabilities.argmax(axis=1))

    def test_one_image(self):
        network = small()
        images, _ = examples(1)
        label = network.predict(images[0])
        assert label.shape == ()
        assert label == network.predict(images)[0]

    def test_it_follows_the_parameters(self):
        network = small()
        images, _ = examples(5)
        before = network.predict_probabilities(images)
        network.layers[-1].b.set_value(np.array([0.0, 9.0, 0.0]))
        assert (network.predict(images) == 1).all()
        assert (network.predict_probabilities(images) != before).all()

    def test_accuracy_of_nothing(self):
        assert np.isnan(small().accuracy((np.empty((0, 64)), np.empty(0, int))))


def torch_losses(torch, network, images, labels, batch, steps, eta, lmbda):
    """Train the same network in PyTorch; return the losses and the parameters."""
    size = len(images) // batch
    params = [torch.tensor(param.get_value(), requires_grad=True) for param in network.params]
    weights = params[::2]
    losses = []
    for step in range(steps):
        rows = slice(step % size * batch, (step % size + 1) * batch)
        signal = torch.tensor(images[rows])
        for layer, w, b in zip(network.layers, weights, params[1::2], strict=True):
            if isinstance(layer, ConvPoolLayer):
                signal = signal.reshape(batch, *layer.input_shape)
                maps = torch.nn.functional.conv2d(signal, w.flip(2, 3))  # PyTorch's is a cross-correlation
                pooled = torch.nn.functional.max_pool2d(maps, layer.poolsize)
                signal = torch.sigmoid(pooled + b[:, None, None])
            else:
                z = signal.flatten(1) @ w + b
                signal = torch.tanh(z) if isinstance(layer, FullyConnectedLayer) else z
        cost = torch.nn.functional.cross_entropy(signal, torch.tensor(labels[rows]))
        cost = cost + 0.5 * lmbda / size * sum((w**2).sum() for w in weights)
        losses.append(cost.item())
        for param, gradient in zip(params, torch.autograd.grad(cost, params), strict=True):
            param.data -= eta * gradient
    return losses, [param.detach().numpy() for param in params]


@pytest.mark.parametrize(("dtype", "convolutions", "batch"), [("float32", 1, 128), ("float64", 2, 10)])
def test_steps_equal_those_of_pytorch(monkeypatch, dtype, convolutions, batch):
    monkeypatch.setattr(config, "floatX", dtype)
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    layers = [ConvPoolLayer((20, 1, 5, 5), (batch, 1, 28, 28), rng=1)]
    if convolutions == 2:
        layers.append(ConvPoolLayer((40, 20, 5, 5), (batch, 20, 12, 12), rng=2))
    n_in = int(np.prod(layers[-1].output_shape))
    layers += [FullyConnectedLayer(n_in, 100, tanh, rng=3), SoftmaxLayer(100, 10)]
    network = Network(layers, batch)
    random = np.random.default_rng(0)
    images = random.uniform(size=(5 * batch, 784)).astype(dtype)
    labels = random.integers(0, 10, 5 * batch)
    losses, params = torch_losses(torch, network, images, labels, batch, 50, 0.05, 0.1)

    class Listen(Watcher):
        heard: list[float] = []  # noqa: RUF012 - one instance

        def after_batch(self, epoch, batch, loss):
            self.heard.append(loss)
            return False

    few = images[:3], labels[:3]
    network.SGD((images, labels), 10, batch, 0.05, few, few, 0.1, watcher=Listen())
    np.testing.assert_allclose(Listen.heard[:5], losses[:5], rtol=1e-6)
    for ours, theirs in zip(network.params, params, strict=True):
        np.testing.assert_allclose(ours.get_value(), theirs, rtol=1e-4, atol=1e-4)
