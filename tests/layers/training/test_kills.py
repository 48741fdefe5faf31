"""Training that is killed, at any moment: every checkpoint reads, and the end is that of a run in peace."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

PROGRAM = """
import sys, time
import numpy as np
from arignote.layers import (
    Adam, BatchNorm, Conv2D, Dense, Dropout, Flatten, Flip, Sequential, Shift, Trainer, Watcher,
    cross_entropy, relu,
)

class Alive(Watcher):
    def after_batch(self, epoch, batch, loss):
        if batch == 0:
            print(epoch, flush=True)
        time.sleep(float(sys.argv[3]))  # so that moments are spread over many epochs
        return False

random = np.random.default_rng(0)
images, labels = random.normal(size=(60, 1, 6, 6)).astype("float32"), random.integers(0, 3, 60)
network = Sequential(
    [Conv2D(3, 3), BatchNorm(), Flatten(), Dropout(0.3), Dense(8, relu), Dense(3)],
    input_shape=(1, 6, 6),
    rng=0,
)
trainer = Trainer(network, cross_entropy, Adam(0.01), seed=3)
trainer.fit(
    (images, labels), int(sys.argv[2]), 4, augment=[Flip(), Shift(1)], checkpoint=sys.argv[1], every=0.002,
    callbacks=[Alive()], validation=(images[:10], labels[:10]),
)
"""


def start(folder, epochs, pause=0.0):
    command = [sys.executable, "-c", PROGRAM, str(folder), str(epochs), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.parametrize(("kills", "epochs"), [(4, 60), pytest.param(200, 600, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path, kills, epochs):
    peace = start(tmp_path / "peace", epochs)
    peace.communicate()
    assert peace.returncode == 0
    random = np.random.default_rng(1)
    killed = 0
    while killed < kills:
        process = start(tmp_path / "war", epochs, 0.001)
        process.stdout.readline()  # it trains
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        killed += 1
        file = tmp_path / "war" / "checkpoint.safetensors"
        if file.exists():
            load_file(file)
    assert killed == kills, "it ended too soon to be killed so often"
    last = start(tmp_path / "war", epochs)
    last.communicate()
    assert last.returncode == 0
    ours, theirs = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("war", "peace"))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
