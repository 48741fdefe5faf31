import shutil

import numpy as np
import pytest

import arignote
from arignote import function, grad
from arignote import tensor as T
from arignote.layers import ConvPoolLayer, FullyConnectedLayer, Network, SoftmaxLayer


@pytest.fixture
def float32():
    before, arignote.config.floatX = arignote.config.floatX, "float32"
    yield
    arignote.config.floatX = before


@pytest.fixture
def book(float32):
    """The training step of the book's network, called once."""
    network = Network(
        [
            ConvPoolLayer(filter_shape=(20, 1, 5, 5), image_shape=(10, 1, 28, 28), poolsize=(2, 2)),
            FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100),
            SoftmaxLayer(n_in=100, n_out=10),
        ],
        mini_batch_size=10,
    )
    slopes = grad(network.cost, network.params)
    updates = [(p, p - np.float32(0.1) * slope) for p, slope in zip(network.params, slopes, strict=True)]
    step = function([network.x, network.y], network.cost, updates=updates)
    step(np.zeros((10, 784), "float32"), np.zeros(10, "int32"))
    return step


def dense(x, w, b):
    z = T.dot(x, w) + b
    return T.tanh(z) * 0.9 + 0.1 * z


@pytest.fixture
def deep_network(float32):
    """A train function of more than 500 nodes: twenty layers made by a function, and their updates."""
    x = T.fmatrix("x")
    h, params = x, []
    for i in range(20):
        w = arignote.shared(np.zeros((8, 8), "float32"), f"w{i}")
        b = arignote.shared(np.zeros(8, "float32"), f"b{i}")
        params += [w, b]
        h = dense(h, w, b)
    cost = T.sqr(h - x).mean()
    velocities = [arignote.shared(np.zeros_like(p.get_value()), f"v_{p.name}") for p in params]
    updates = []
    for p, slope, v in zip(params, grad(cost, params), velocities, strict=True):
        new = np.float32(0.9) * v - np.float32(0.1) * slope
        updates += [(v, new), (p, p + new)]
    return function([x], cost, updates=updates)


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium that opens files of this machine and nothing else."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync",
        "disable-background-networking", "disable-component-update", "window-size=1400,1000",
        "host-resolver-rules=MAP * ~NOTFOUND", f"user-data-dir={tmp_path / 'browser'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield window
    window.quit()
