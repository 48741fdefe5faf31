"""The command line, as a user meets it: what it prints, what it writes, and how it ends."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from arignote.__main__ import main
from arignote.commands.digits import _Interruption, _interruption
from arignote.engine.config import config
from arignote.layers import Network, SoftmaxLayer, load_digits, save_network
from arignote.layers.data import datasets

FILES = ["filters.png", "history.json", "learning_curve.png", "weights.safetensors"]
COMMAND = [sys.executable, "-W", "error", "-m", "arignote"]


@pytest.fixture(autouse=True)
def settings_of_the_process(monkeypatch):
    """Undo what the command sets for its process."""
    monkeypatch.setattr(config, "floatX", "float64")


@pytest.fixture
def few_digits(monkeypatch):
    """Make the packaged digits few, so that training is quick."""
    parts = [datasets.Split(part.images[:60], part.labels[:60]) for part in load_digits()]
    monkeypatch.setattr(datasets, "load_digits", lambda: datasets.Dataset(*parts))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train for one epoch in a process of its own; return the folder it ran in, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run([*COMMAND, "train", "--epochs", "2"], cwd=folder, capture_output=True, text=True)
    return folder, done


def error_of(capsys, *arguments):
    """Return the error line of a command that must fail for its arguments."""
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    output, errors = capsys.readouterr()
    assert status == 2
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("arignote")
    return errors


class TestTrain:
    def test_what_it_prints(self, trained):
        _, done = trained
        assert done.stderr == ""  # no bar where there is no terminal
        assert done.returncode == 0
        *epochs, last = done.stdout.splitlines()
        for number, line in enumerate(epochs):
            assert re.fullmatch(rf"Epoch {number}: validation accuracy \d\d\.\d\d%", line)
        assert len(epochs) == 2
        assert float(re.fullmatch(r"test accuracy (\d\d\.\d\d)%", last)[1]) > 80

    def test_what_it_writes(self, trained):
        folder, done = trained
        assert sorted(path.name for path in (folder / "digits").iterdir()) == FILES
        history = json.loads((folder / "digits/history.json").read_text())
        assert history["epoch"] == [0, 1]
        assert f"test accuracy {history['test_accuracy'][-1]:.2%}" == done.stdout.splitlines()[-1]
        for name in ("filters.png", "learning_curve.png"):
            with Image.open(folder / "digits" / name) as picture:
                picture.verify()
        assert load_file(folder / "digits/weights.safetensors")["1.w"].shape == (2880, 100)

    def test_options(self, few_digits, tmp_path, capsys):
        folder = tmp_path / "a" / "b"
        options = [
            "--epochs=2",
            "--batch=20",
            "--rate=0.1",
            "--regularisation=0.5",
            "--threads=1",
            "--seed=3",
        ]
        assert main(["train", "--out", str(folder), *options]) == 0
        assert sorted(path.name for path in folder.iterdir()) == FILES
        history = json.loads((folder / "history.json").read_text())
        assert history["training_loss"][0] > 2
        first = (folder / "weights.safetensors").read_bytes()
        assert main(["train", "--out", str(folder), *options]) == 0
        assert (folder / "weights.safetensors").read_bytes() == first  # the same seed, the same network
        options[-1] = "--seed=4"
        assert main(["train", "--out", str(folder), *options]) == 0
        assert (folder / "weights.safetensors").read_bytes() != first

    def test_the_bar_on_a_terminal(self, tmp_path):
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 120))
        command = [*COMMAND, "train", "--epochs", "1", "--out", tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True) as process:
            os.close(slave)
            shown = b""
            while process.poll() is None or select.select([master], [], [], 0)[0]:
                if select.select([master], [], [], 0.1)[0]:
                    try:
                        shown += os.read(master, 4096)
                    except OSError:  # how Linux says that the other side is closed
                        break
            assert process.stdout.read().splitlines()[-1].startswith("test accuracy ")
        os.close(master)
        bar = shown.decode()
        assert re.search(r"100%.* 8000/8000 .*digits/s, loss \d\.\d+, accuracy \d\d", bar), bar


class TestInterruption:
    def test_ctrl_c_stops_after_the_batch(self, tmp_path):
        command = [*COMMAND, "train", "--epochs", "1000", "--out", tmp_path / "digits"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            first = process.stdout.readline()
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        assert first.startswith("Epoch 0: validation accuracy ")
        assert process.returncode == 130
        assert errors == ""
        assert "interrupted in epoch" in output.splitlines()[-2]
        assert output.splitlines()[-1].startswith("test accuracy ")
        assert sorted(path.name for path in (tmp_path / "digits").iterdir()) == FILES

    def test_the_reader_of_the_output_goes(self, tmp_path):
        command = [*COMMAND, "train", "--epochs", "2", "--out", tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 1

    def test_the_second_one_is_not_caught(self):
        before = signal.getsignal(signal.SIGINT)
        with _interruption() as interruption:
            assert isinstance(interruption, _Interruption)
            assert not interruption.requested
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.requested
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is before


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "train | predict"),
            (["teach"], "teach"),
            (["train", "--epochs", "-1"], "--epochs: '-1' is not a whole number of at least 1"),
            (["train", "--epochs", "0"], "--epochs"),
            (["train", "--batch", "2.5"], "--batch: '2.5' is not a whole number"),
            (["train", "--batch", "8001"], "--batch: more than the 8000 training digits"),
            (["train", "--rate", "0"], "--rate: '0' is not a number greater than 0"),
            (["train", "--rate", "nan"], "--rate"),
            (["train", "--regularisation", "-0.1"], "--regularisation"),
            (["train", "--seed", "-1"], "--seed"),
            (["train", "--threads", "0"], "--threads: '0' is not a whole number from 1 to 256"),
            (["train", "--colour", "red"], "--colour"),
            (["predict"], "FILE"),
            (
                ["predict", "seven.png"],
                "no weights at digits/weights.safetensors: run `arignote train`",
            ),
        ],
    )
    def test_arguments_that_do_not_fit(self, capsys, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        assert message in error_of(capsys, *arguments)
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_cannot_be_written(self, capsys, tmp_path):
        (tmp_path / "file").touch()
        message = error_of(capsys, "train", "--out", str(tmp_path / "file"))
        assert "--out: cannot write" in message
        assert str(tmp_path / "file") in message

    def test_data_that_are_not_there(self, capsys, tmp_path):
        assert main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
        errors = capsys.readouterr().err
        assert f"--data: MNIST was not found. Looked for its files in:\n  {tmp_path}" in errors

    def test_threads_of_the_environment(self, capsys, tmp_path, monkeypatch):
        from arignote.compile import threads

        monkeypatch.setenv("ARIGNOTE_NUM_THREADS", "many")
        threads._default_num_threads.cache_clear()
        monkeypatch.setattr(threads, "_num_threads", None)
        assert "ARIGNOTE_NUM_THREADS" in error_of(capsys, "train", "--out", str(tmp_path))

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_a_rate_that_is_too_large(self, few_digits, capsys, tmp_path):
        assert main(["train", "--rate", "1e38", "--out", str(tmp_path)]) == 1
        errors = capsys.readouterr().err
        assert re.fullmatch(r"arignote train: error: .*epoch \d+.*smaller --rate\n", errors)

    def test_version(self, capsys):
        with pytest.raises(SystemExit) as end:
            main(["--version"])
        assert end.value.code == 0
        assert re.fullmatch(r"arignote \d+\.\d+\.\d+\n", capsys.readouterr().out)


class TestPredict:
    @pytest.fixture
    def pictures(self, tmp_path):
        """Write test digits as a scan would have them: larger, dark on light."""
        paths = []
        for number in range(5):
            digit = load_digits().test.images[number].reshape(28, 28)
            path = tmp_path / f"digit {number}.png"
            Image.fromarray((255 * (1 - digit)).astype(np.uint8)).resize((112, 112)).save(path)
            paths.append(str(path))
        return paths

    def test_it_reads_digits(self, trained, pictures):
        folder, _ = trained
        done = subprocess.run([*COMMAND, "predict", *pictures], cwd=folder, capture_output=True, text=True)
        assert done.stderr == ""
        assert done.returncode == 0
        labels = load_digits().test.labels
        right = 0
        for path, label, line in zip(pictures, labels[:5], done.stdout.splitlines(), strict=True):
            digit, each = re.fullmatch(rf"{re.escape(path)}: (\d)  \((.*)\)", line).groups()
            shares = {int(d): float(p) for d, p in re.findall(r"(\d): (\d+\.\d)%", each)}
            assert list(shares) == list(range(10))
            assert sum(shares.values()) == pytest.approx(100, abs=0.5)  # rounded to 0.1 each
            assert max(shares, key=shares.get) == int(digit)
            right += digit == str(label)
        assert right >= 4

    def test_one_bad_file_among_good_ones(self, trained, pictures, capsys, tmp_path):
        folder, _ = trained
        (tmp_path / "broken.png").write_bytes(b"no image")
        bad = [str(tmp_path / name) for name in ("broken.png", "none.png")]
        files = [pictures[0], *bad, pictures[1], pictures[0]]
        weights = str(folder / "digits/weights.safetensors")
        assert main(["predict", "--weights", weights, *files]) == 1
        output, errors = capsys.readouterr()
        assert len(output.splitlines()) == 3
        assert "broken.png" in errors.splitlines()[0]
        assert "none.png: no such file" in errors.splitlines()[1]
        assert output.splitlines()[0] == output.splitlines()[2]

    def test_weights_that_are_no_network(self, capsys, tmp_path, pictures):
        weights = tmp_path / "weights"
        weights.write_bytes(b"\x80\x04N.")
        message = error_of(capsys, "predict", "--weights", str(weights), pictures[0])
        assert f"{weights}: cannot be read" in message

    def test_a_network_that_reads_no_digits(self, capsys, tmp_path, pictures):
        weights = tmp_path / "weights"
        save_network(Network([SoftmaxLayer(6, 3)], 2), weights)
        message = error_of(capsys, "predict", "--weights", str(weights), pictures[0])
        assert f"{weights}: this network reads no digits" in message


def test_nothing_is_imported_before_it_is_needed():
    program = "import sys, arignote.__main__, arignote.layers; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split()
    assert "arignote.layers.network" in loaded
    assert not {"numba", "networkx", "matplotlib", "PIL", "tqdm", "safetensors"} & set(loaded)
