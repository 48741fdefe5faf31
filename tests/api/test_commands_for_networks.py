"""The commands for networks of the user's: train, summary, draw; what predict reads, and the doctor."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from arignote.__main__ import main
from arignote.commands import doctor
from arignote.engine.config import config
from arignote.layers import Network, SoftmaxLayer, load, load_digits, save_network
from arignote.layers.data import datasets

NET = """
from arignote.layers import Conv2D, Dense, Flatten, Lambda, MaxPool2D, Sequential

def net(*shape):
    layers = [Conv2D(2, 3), MaxPool2D(4), Flatten(), Dense({classes})]
    return Sequential(layers, input_shape=shape, rng=0)

network = net(1, 28, 28)
coloured = net(3, 12, 10)
unbuilt = Sequential([Dense(10)])
number = 3
lambdas = Sequential([Flatten(), Lambda(lambda x: 2 * x), Dense(10)], input_shape=(1, 28, 28))
"""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Work in a folder with a network's file; undo what commands set for their process."""
    monkeypatch.setattr(config, "floatX", "float64")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET.format(classes=10))
    (tmp_path / "two.py").write_text(NET.format(classes=2))
    return tmp_path


@pytest.fixture
def few_digits(monkeypatch):
    parts = [datasets.Split(part.images[:60], part.labels[:60]) for part in load_digits()]
    monkeypatch.setattr(datasets, "load_digits", lambda: datasets.Dataset(*parts))


@pytest.fixture
def photographs(place):
    for name, shade in (("day", 250), ("night", 5)):
        (place / "photographs" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (20, 30), (shade,) * 3).save(place / "photographs" / name / f"{number}.png")


def run(capsys, *arguments):
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


class TestTrain:
    def test_it_goes_on_where_it_was(self, few_digits, place, capsys):
        status, output, errors = run(
            capsys, "train", "net.py", "--epochs=2", "--optimiser=adam", "--rate=0.01"
        )
        assert (status, errors) == (0, "")
        *epochs, last = output.splitlines()
        assert [line.partition(":")[0] for line in epochs] == ["Epoch 0", "Epoch 1"]
        assert last.startswith("test accuracy ")
        first = json.loads((place / "net/history.json").read_text())
        status, output, _ = run(capsys, "train", "net.py", "--epochs=3", "--optimiser=adam", "--rate=0.01")
        assert output.startswith("Epoch 2: ")
        more = json.loads((place / "net/history.json").read_text())
        assert more["training_loss"][:2] == first["training_loss"]
        assert more["training_loss"][2] < first["training_loss"][0]
        assert (place / "net/learning_curve.png").exists()

    def test_a_checkpoint_of_other_settings(self, few_digits, capsys):
        assert run(capsys, "train", "net.py", "--epochs=1")[0] == 0
        status, _, errors = run(capsys, "train", "net.py", "--epochs=1", "--regularisation=0.1")
        assert status == 2
        assert "--out: net/checkpoint.safetensors: is of another training (penalty" in errors

    def test_images_in_folders(self, photographs, place, capsys):
        arguments = ["two.py:coloured", "--data=photographs", "--epochs=3", "--batch=4", "--out=out"]
        status, output, errors = run(capsys, "train", *arguments)
        assert (status, errors) == (0, "")
        assert output.splitlines()[-1] == "test accuracy 100.00%"
        images = ["photographs/night/3.png", "photographs/day"]
        status, output, _ = run(capsys, "predict", "--weights=out/weights.safetensors", "--json", *images)
        assert status == 0
        found = [json.loads(line) for line in output.splitlines()]
        assert [each["label"] for each in found] == ["night"] + ["day"] * 10
        for each in found:
            assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-5)

    def test_ctrl_c_keeps_what_was_learnt(self, place):
        command = [sys.executable, "-m", "arignote", "train", "net.py", "--batch=100"]
        pipe = subprocess.PIPE
        with subprocess.Popen([*command, "--epochs=1000"], stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout.readline().startswith("Epoch 0: ")
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert errors == ""
        assert output.splitlines()[-1] == "interrupted; the same command goes on from net"
        assert load("net/weights.safetensors").output_shape == (10,)
        again = subprocess.run([*command, "--epochs=1"], capture_output=True, text=True)
        assert again.returncode == 0
        assert not again.stdout.startswith("Epoch 0: ")

    def test_a_network_that_gives_probabilities(self, few_digits, place, capsys):
        save_network(Network([SoftmaxLayer(784, 10)], 2), "weights.safetensors")
        assert run(capsys, "train", "weights.safetensors", "--epochs=1")[0] == 0
        history = json.loads((place / "weights/history.json").read_text())
        assert history["training_loss"][0] < np.log(10)  # that of a network that knows nothing
        assert json.loads((place / "weights/examples.json").read_text())["probabilities"]

    def test_what_it_wrote_can_be_trained_on(self, few_digits, place, capsys):
        assert run(capsys, "train", "net.py", "--epochs=2")[0] == 0
        weights = "net/weights.safetensors"
        assert load(weights).output_shape == (10,)
        assert "Conv2D" in run(capsys, "summary", weights)[1]
        assert run(capsys, "train", weights, "--epochs=1")[0] == 0
        first, more = (
            json.loads((place / folder / "history.json").read_text())["training_loss"]
            for folder in ("net", "weights")
        )
        assert more[0] < first[1]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["none.py"], "none.py: no such file"),
            (["net.py:missing"], "net.py: has no variable `missing`"),
            (["net.py:lambdas"], "cannot be saved"),
            (["net.py:number"], "net.py: `number` is no layer: it is of type int"),
            (["net.py:unbuilt"], "write unbuilt.build(shape of one example)"),
            (["bad.py"], "bad.py:2: ZeroDivisionError"),
            (["net.py", "--data", "nowhere"], "--data: nowhere is none of `digits` and `clothes`"),
            (
                ["net.py:coloured", "--data", "digits"],
                "takes examples of shape (3, 12, 10); those of digits have shape (784,)",
            ),
            (["two.py"], "two.py: gives (2,) of an example; expected (10,)"),
            (["net.py", "--batch", "8001"], "--batch: more than the 8000 training examples"),
            (["net.py", "--loss", "guess"], "--loss"),
            (["--loss", "hinge"], "--loss: is for a network of yours"),
        ],
    )
    def test_arguments_that_do_not_fit(self, place, capsys, arguments, message):
        (place / "bad.py").write_text("a = 1\nb = a / 0\n")
        status, output, errors = run(capsys, "train", *arguments)
        assert status in (1, 2)
        assert output == ""
        assert message in errors
        assert not list(place.rglob("*.safetensors"))
        assert not (place / "net").exists()


class TestSummary:
    def test_a_file(self, capsys):
        status, output, _ = run(capsys, "summary", "net.py:coloured")
        assert status == 0
        assert "Conv2D" in output
        assert "2 x 10 x 8" in output

    def test_saved_weights(self, capsys):
        save_network(Network([SoftmaxLayer(784, 10)], 2), "weights.safetensors")
        status, output, _ = run(capsys, "summary", "weights.safetensors")
        assert status == 0
        assert "7,850" in output


class TestDraw:
    @pytest.mark.parametrize(
        ("name", "start"),
        [("graph.svg", b"<svg"), ("graph.html", b"<!doctype html"), ("graph.png", b"\x89PNG")],
    )
    def test_kinds(self, place, capsys, name, start):
        status, output, _ = run(capsys, "draw", "net.py", "--out", name)
        assert (status, output) == (0, f"{name}\n")
        content = (place / name).read_bytes()
        assert content.lower().startswith(start.lower())
        assert name.endswith(".png") or b"Conv" in content

    def test_another_kind(self, capsys):
        status, _, errors = run(capsys, "draw", "net.py", "--out", "graph.txt")
        assert status == 2
        assert "graph.txt does not end in one of .svg, .html, .png" in errors


class TestPredict:
    @pytest.fixture
    def weights(self, place):
        """Save a network, and an image of a digit in a folder."""
        save_network(Network([SoftmaxLayer(784, 10)], 2), "weights.safetensors")
        (place / "scans/deep").mkdir(parents=True)
        pixels = (255 * load_digits().test.images[0].reshape(28, 28)).astype(np.uint8)
        for name in ("scans/b.png", "scans/deep/a.png"):
            Image.fromarray(pixels).save(name)
        (place / "scans/notes.txt").touch()
        return "--weights=weights.safetensors"

    def test_a_folder_as_json(self, weights, capsys):
        status, output, errors = run(capsys, "predict", weights, "--json", "scans")
        assert (status, errors) == (0, "")
        found = [json.loads(line) for line in output.splitlines()]
        assert [each["file"] for each in found] == ["scans/b.png", "scans/deep/a.png"]
        for each in found:
            shares = each["probabilities"]
            assert list(shares) == list("0123456789")
            assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
            assert shares[each["label"]] == max(shares.values())

    def test_the_standard_input(self, weights, place, capsys, monkeypatch):
        def given(content):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
            return run(capsys, "predict", weights, "-")

        status, output, _ = given((place / "scans/b.png").read_bytes())
        assert status == 0
        assert output.startswith("standard input: ")
        status, _, errors = given(b"no image")
        assert status == 1
        assert errors.startswith("arignote predict: standard input: cannot be read as an image")

    def test_a_folder_without_images(self, weights, place, capsys):
        (place / "empty").mkdir()
        status, output, errors = run(capsys, "predict", weights, "empty", "scans/b.png")
        assert status == 1
        assert len(output.splitlines()) == 1
        assert errors == "arignote predict: empty: no images in this folder\n"


class TestDoctor:
    def test_a_sound_machine(self, capsys):
        status, output, _ = run(capsys, "doctor")
        said = dict(line.split(maxsplit=1) for line in output.splitlines())
        assert status == 0
        assert said["numpy"] == np.__version__
        assert "bits" in said["processor"]
        assert said["self-test"].startswith("ok (")

    def test_what_is_broken_does_not_hide_the_rest(self, capsys, monkeypatch):
        def broken():
            raise OSError("disk full")

        monkeypatch.setattr(doctor, "_cache", broken)
        monkeypatch.setattr(doctor, "_self_test", lambda: "ok")
        status, output, _ = run(capsys, "doctor")
        assert status == 1
        assert "failed: OSError: disk full" in output
        assert output.splitlines()[-1].endswith(" ok")


def test_commands_import_nothing_heavy():
    program = "import sys, arignote.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split()
    assert "arignote.commands.train" in loaded
    assert not {"numba", "PIL", "arignote.layers", "arignote.commands.training"} & set(loaded)
