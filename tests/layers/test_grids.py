"""The pictures are read back: that they are whole, and show what they should where they should."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from arignote.layers.grids import draw_grids, draw_images


def pixels(picture) -> np.ndarray:
    data, facts = picture._repr_png_()
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert image.size == (2 * facts["width"], 2 * facts["height"])
        assert facts["alt"] == picture.text
        return np.asarray(image.convert("RGB"), int)


def share(picture: np.ndarray, which: np.ndarray) -> float:
    return float(which.sum() / which.size)


def reddish(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] > picture[..., 2] + 40


def bluish(picture: np.ndarray) -> np.ndarray:
    return picture[..., 2] > picture[..., 0] + 40


class TestGrids:
    def test_signs_have_their_colours(self):
        picture = pixels(draw_grids([[3.0, -3.0], [0.0, np.nan]]))
        rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
        assert share(picture, reddish(picture[:rows, :columns])) > 0.5
        assert share(picture, bluish(picture[:rows, columns:])) > 0.5
        assert not reddish(picture[rows + 8 :]).any()
        assert not bluish(picture[rows + 8 :]).any()

    def test_the_numbers_are_written(self):
        texts = draw_grids({"some": [[1.0, -2.5], [1 / 3, np.nan]]}).figure.axes[0].texts
        assert [text.get_text() for text in texts] == ["1", "\N{MINUS SIGN}2.5", "0.333"]

    def test_cells_of_all_grids_are_of_one_size(self):
        figure = draw_grids({"wide": np.ones((3, 7)), "high": np.ones((9, 2)), "one": [[1]]}).figure
        cells = [axes.get_position().width * figure.get_size_inches()[0] / n
                 for axes, n in zip(figure.axes, (7, 2, 1), strict=True)]  # fmt: skip
        np.testing.assert_allclose(cells, cells[0])

    def test_titles_do_not_run_into_each_other(self):
        figure = draw_grids({"a title that is long": [[1]], "and another one": [[2]]}).figure
        figure.canvas.draw()
        left, right = (axes.title.get_window_extent() for axes in figure.axes)
        assert left.x1 < right.x0
        assert left.x0 >= 0

    def test_windows_are_framed(self):
        grids = {"image": np.zeros((5, 5)), "map": np.zeros((3, 3))}
        figure = draw_grids(grids, {"image": [(0, 0, 3, 3), (2, 2, 3, 3)], "map": (1, 2, 1, 1)}).figure
        frames = [[patch.get_bbox().bounds for patch in axes.patches] for axes in figure.axes]
        assert frames == [[(-0.5, -0.5, 3, 3), (1.5, 1.5, 3, 3)], [(1.5, 0.5, 1, 1)]]

    @pytest.mark.parametrize("grid", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.zeros((33, 2)), 1.0])
    def test_what_is_no_small_matrix_is_refused(self, grid):
        with pytest.raises(ValueError, match="grids: 'it' must be a matrix"):
            draw_grids({"it": grid})

    def test_a_window_without_its_grid_is_refused(self):
        with pytest.raises(ValueError, match="no grid 'maps', only map"):
            draw_grids({"map": np.eye(2)}, {"maps": (0, 0, 1, 1)})

    def test_nothing_is_refused(self):
        with pytest.raises(ValueError, match="nothing to draw"):
            draw_grids({})


class TestImages:
    def test_each_image_has_its_own_range(self):
        axes = draw_images({"dim": np.array([[0, 0.1]]), "bright": np.array([[5.0, 9]])}).figure.axes
        assert [axes[0].images[0].get_clim(), axes[1].images[0].get_clim()] == [(0, 0.1), (5, 9)]

    def test_limits_hold_for_all(self):
        axes = draw_images({"dim": [[0, 0.1]], "bright": [[5.0, 9]]}, limits=(0, 10)).figure.axes
        assert [each.images[0].get_clim() for each in axes] == [(0, 10)] * 2

    def test_signed_images_share_a_range_about_zero(self):
        picture = draw_images({"one": [[-1.0, 0.5]], "other": [[0.0, 4.0]]}, signed=True)
        assert [each.images[0].get_clim() for each in picture.figure.axes] == [(-4, 4)] * 2
        assert reddish(pixels(picture)).any()

    def test_colour_images(self):
        red = np.zeros((4, 4, 3))
        red[..., 0] = 1
        assert share(red, reddish(pixels(draw_images({"red": red})))) > 0.5

    @pytest.mark.parametrize(
        ("count", "columns", "rows"), [(20, 10, 2), (7, None, 2), (3, None, 1), (1, 4, 1)]
    )
    def test_rows(self, count, columns, rows):
        picture = draw_images(np.ones((count, 5, 4)), columns)
        assert picture.figure.axes[0].get_gridspec().nrows == rows
        assert sum(bool(axes.images) for axes in picture.figure.axes) == count
        assert repr(picture) == f"<picture: images: {count} of 5 x 4>" or count == 1

    def test_a_matrix_is_one_image(self):
        assert repr(draw_images(np.eye(28))) == "<picture: images: (28 x 28)>"

    @pytest.mark.parametrize("image", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.zeros(3)])
    def test_what_is_no_image_is_refused(self, image):
        with pytest.raises(ValueError, match="images: 'it' must be"):
            draw_images({"it": image})


def test_matplotlib_comes_only_with_a_picture_and_pyplot_never():
    program = """
import sys
from arignote.layers.grids import draw_grids
assert "matplotlib" not in sys.modules
draw_grids([[1.0]])._repr_png_()
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
