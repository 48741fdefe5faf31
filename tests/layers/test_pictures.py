"""The pictures are read back: that they are whole, and show what they should."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from arignote.layers.pictures import draw_confusion_matrix, draw_filters, draw_learning_curve

HISTORY = {
    "epoch": [1, 2, 3],
    "training_loss": [0.9, 0.4, 0.2],
    "validation_accuracy": [0.8, 0.95, 0.93],
    "training_accuracy": [0.82, 0.97, 0.99],
}


def colours(path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), float) / 255


def has_colour(picture: np.ndarray, colour) -> bool:
    return bool((np.abs(picture - colour).max(axis=2) < 0.02).sum() > 20)


class TestLearningCurve:
    def test_both_lines_are_drawn(self, tmp_path):
        draw_learning_curve(HISTORY, tmp_path / "curve.png")
        picture = colours(tmp_path / "curve.png")
        assert has_colour(picture, np.array([0xC2, 0x41, 0x0C]) / 255)
        assert has_colour(picture, np.array([0x1D, 0x4E, 0xD8]) / 255)

    @pytest.mark.parametrize(
        "history",
        [
            {name: HISTORY[name] for name in ("epoch", "training_loss", "validation_accuracy")},
            {name: values[:1] for name, values in HISTORY.items()},
            HISTORY | {"training_loss": [0.9, np.nan, np.inf]},
            HISTORY | {"validation_accuracy": [np.nan] * 3},
            HISTORY | {"another": [1]},
            HISTORY | {"validation_loss": [0.8, 0.5, 0.6]},
        ],
        ids=[
            "no training accuracy",
            "one epoch",
            "diverged",
            "never validated",
            "more lists",
            "validation loss",
        ],
    )
    def test_odd_histories(self, tmp_path, history):
        draw_learning_curve(history, tmp_path / "curve.png")
        assert colours(tmp_path / "curve.png").std() > 0

    @pytest.mark.parametrize(
        "history",
        [{}, {"epoch": [1]}, HISTORY | {"epoch": [1, 2]}, {name: [] for name in HISTORY}],
        ids=["empty", "lists missing", "lengths differ", "no epoch"],
    )
    def test_incomplete_histories_are_refused(self, tmp_path, history):
        with pytest.raises(ValueError, match="history needs epoch, training_loss, validation_accuracy"):
            draw_learning_curve(history, tmp_path / "curve.png")
        assert not list(tmp_path.iterdir())


class TestFilters:
    @pytest.mark.parametrize(
        "shape", [(20, 1, 5, 5), (1, 1, 1, 1), (7, 2, 3, 9), (130, 8, 3, 3), (12, 3, 7, 7)]
    )
    def test_shapes(self, tmp_path, shape):
        draw_filters(np.random.default_rng(0).normal(size=shape), tmp_path / "filters.png")
        assert colours(tmp_path / "filters.png").std() > 0

    def test_the_scale_is_symmetric_about_zero(self, tmp_path):
        weights = np.zeros((1, 1, 2, 2), np.float32)
        weights[0, 0, 0] = 3, -1.5
        draw_filters(weights, tmp_path / "filters.png")
        picture = colours(tmp_path / "filters.png")
        from matplotlib import colormaps

        for share in (1.0, 0.25, 0.5):
            assert has_colour(picture, colormaps["RdBu_r"](share)[:3])

    def test_three_channels_are_red_green_and_blue(self, tmp_path):
        weights = np.full((1, 3, 2, 2), -1.0)
        weights[0, 0, 0, 0] = weights[0, 1, 1, 1] = 1
        draw_filters(weights, tmp_path / "filters.png")
        picture = colours(tmp_path / "filters.png")
        assert has_colour(picture, (1, 0, 0))
        assert has_colour(picture, (0, 1, 0))

    def test_zero_filters(self, tmp_path):
        draw_filters(np.zeros((4, 1, 3, 3)), tmp_path / "filters.png")
        assert colours(tmp_path / "filters.png").std() > 0

    @pytest.mark.parametrize(
        "filters", [np.zeros((5, 5)), np.zeros((0, 1, 5, 5)), np.full((1, 1, 2, 2), np.nan)]
    )
    def test_other_arrays_are_refused(self, tmp_path, filters):
        with pytest.raises(ValueError, match="filters must be"):
            draw_filters(filters, tmp_path / "filters.png")
        assert not list(tmp_path.iterdir())


class TestConfusionMatrix:
    def test_colours_are_shares_of_the_class(self, tmp_path):
        draw_confusion_matrix([[6, 2], [0, 800]], tmp_path / "confusion.png", ["cat", "dog"])
        picture = colours(tmp_path / "confusion.png")
        from matplotlib import colormaps

        assert all(has_colour(picture, colormaps["Blues"](share)[:3]) for share in (0.0, 0.25, 0.75, 1.0))

    @pytest.mark.parametrize("classes", [1, 20, 130])
    def test_sizes(self, tmp_path, classes):
        draw_confusion_matrix(np.zeros((classes, classes), int), tmp_path / "confusion.png")
        assert colours(tmp_path / "confusion.png").std() > 0

    @pytest.mark.parametrize(
        ("matrix", "classes", "message"),
        [
            (np.ones((2, 3), int), None, "matrix must be"),
            (np.ones((0, 0), int), None, "matrix must be"),
            (np.ones((2, 2)), None, "matrix must be"),
            ([[1, -1], [0, 1]], None, "matrix must be"),
            ([[1, 0], [0, 1]], ["cat"], "classes must be 2 names"),
        ],
    )
    def test_others_are_refused(self, tmp_path, matrix, classes, message):
        with pytest.raises(ValueError, match=message):
            draw_confusion_matrix(matrix, tmp_path / "confusion.png", classes)
        assert not list(tmp_path.iterdir())


def test_a_picture_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "curve.png"
    draw_learning_curve(HISTORY, path)
    before = path.read_bytes()

    def full_disk(self, file, **_):
        file.write_bytes(b"half a picture")
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.backends.backend_agg.FigureCanvasAgg.print_figure", full_disk)
        with pytest.raises(OSError, match="no space left"):
            draw_learning_curve({name: values[:2] for name, values in HISTORY.items()}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        draw_learning_curve(HISTORY, tmp_path / "none" / "curve.png")


def test_matplotlib_comes_only_with_a_picture_and_pyplot_never(tmp_path):
    program = f"""
import sys
from arignote.layers.pictures import draw_filters
assert "matplotlib" not in sys.modules
draw_filters([[[[1.0]]]], {str(tmp_path / "filters.png")!r})
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
