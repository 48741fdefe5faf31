"""Images of different sizes in one array."""

import numpy as np
import pytest

from arignote.engine.errors import InputError, ShapeError
from arignote.layers import pad_to_one_size

RANDOM = np.random.default_rng(0)
IMAGES = [RANDOM.random((3, rows, columns), np.float32) for rows, columns in ((4, 6), (5, 3), (1, 1), (0, 2))]


@pytest.mark.parametrize("size", [None, (5, 6), (9, 8)])
@pytest.mark.parametrize("position", ["centre", "corner"])
def test_as_numpy_pads(size, position):
    padded = pad_to_one_size(IMAGES, size, fill=-1, position=position)
    rows, columns = size or (5, 6)
    assert padded.dtype == np.float32
    for image, found in zip(IMAGES, padded, strict=True):
        above, left = (rows - image.shape[1]) // 2, (columns - image.shape[2]) // 2
        if position == "corner":
            above, left = 0, 0
        widths = (above, rows - image.shape[1] - above), (left, columns - image.shape[2] - left)
        np.testing.assert_array_equal(found, np.pad(image, ((0, 0), *widths), constant_values=-1))


def test_grey_images_and_dtypes():
    padded = pad_to_one_size([np.ones((2, 2), np.uint8), np.ones((3, 1), np.float32)])
    assert (padded.shape, padded.dtype) == ((2, 3, 2), np.float32)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([], {}, ShapeError, "at least one image"),
        ([np.zeros(3)], {}, ShapeError, "image 0"),
        (
            [np.zeros((1, 2, 2)), np.zeros((3, 2, 2))],
            {},
            ShapeError,
            r"image 1",
        ),
        (IMAGES, {"size": (4, 6)}, ShapeError, r"image 1.*\n.*\n.*at most 4 rows and 6 columns"),
        (IMAGES, {"position": "left"}, InputError, "'centre' or 'corner'"),
    ],
)
def test_what_does_not_fit(images, options, error, message):
    with pytest.raises(error, match=message):
        pad_to_one_size(images, **options)
