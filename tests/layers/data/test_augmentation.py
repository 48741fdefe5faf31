"""Varied images: against other ways to write the same, and the book's program."""

import numpy as np
import pytest
from scipy import ndimage

from arignote.engine.errors import InputError, ShapeError
from arignote.layers import Crop, Flip, Rotate, Shift, expand_one_pixel

IMAGES = np.random.default_rng(0).integers(1, 255, (200, 3, 9, 7), np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def every(images, transform, dtype):
    out = transform(images.astype(dtype), rng())
    assert out.dtype == dtype
    return out


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64"])
def test_a_shifted_image_is_one_of_all_shifts(dtype):
    moved = every(IMAGES, Shift(2), dtype)
    seen = set()
    for image, out in zip(IMAGES, moved, strict=True):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(ndimage.shift(image, (0, down, right), order=0), out)
        ]
        assert len(fits) == 1
        seen.update(fits)
    assert len(seen) == 25


def test_what_comes_in_is_the_fill():
    assert set(np.unique(Shift(3, fill=9)(np.ones((20, 1, 4, 4)), rng()))) == {1, 9}


@pytest.mark.parametrize("padding", [0, 2])
def test_a_crop_is_a_part(padding):
    crops = Crop((5, 7), padding)(IMAGES, rng())
    assert crops.shape == (200, 3, 5, 7)
    around = ((0, 0), (padding, padding), (padding, padding))
    seen = set()
    for image, out in zip(IMAGES, crops, strict=True):
        padded = np.pad(image, around)
        fits = [
            (top, left)
            for top in range(padded.shape[1] - 4)
            for left in range(padded.shape[2] - 6)
            if np.array_equal(padded[:, top : top + 5, left : left + 7], out)
        ]
        assert fits
        seen.update(fits[:1])
    assert len(seen) == (5 + 2 * padding) * (1 + 2 * padding)


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 2), ("vertical", 1)])
def test_about_half_of_the_images_are_flipped(direction, axis):
    flipped = Flip(direction)(IMAGES, rng())
    mirrored = [np.array_equal(np.flip(image, axis), out) for image, out in zip(IMAGES, flipped, strict=True)]
    kept = [np.array_equal(image, out) for image, out in zip(IMAGES, flipped, strict=True)]
    assert np.all(np.add(mirrored, kept) == 1)
    assert 70 < sum(mirrored) < 130


def test_a_positive_angle_turns_counterclockwise():
    # A stroke to the right of the centre, turned by less than a quarter counterclockwise, points up.
    image = np.zeros((64, 1, 21, 21), np.float32)
    image[:, 0, 10, 11:20] = 1
    angles = rng().uniform(-60, 60, 64)
    turned = Rotate(60)(image, rng())
    rows, columns = np.indices((21, 21)) - 10
    for angle, out in zip(angles, turned[:, 0], strict=True):
        direction = np.degrees(np.arctan2(-(out * rows).sum(), (out * columns).sum()))
        assert direction == pytest.approx(angle, abs=1.5)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_turning_by_right_angles(dtype, monkeypatch):
    image = IMAGES[:1, :, :7].astype(dtype)

    class Quarter:
        def uniform(self, low, high, size):
            return np.full(size, high)

    np.testing.assert_allclose(Rotate(90)(image, Quarter()), np.rot90(image, axes=(2, 3)), atol=1)


def test_images_stay_as_they_are():
    images = IMAGES.copy()
    for transform in (Shift(1), Crop((4, 4)), Flip(), Rotate(10)):
        assert not np.shares_memory(transform(images, rng()), images)
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize("transform", [Shift(1), Crop((4, 4)), Flip(), Rotate(10)], ids=repr)
def test_sizes_zero_and_one_and_errors(transform):
    assert transform(IMAGES[:0], rng()).shape[0] == 0
    assert transform(IMAGES[:1, :1], rng()).shape[:2] == (1, 1)
    with pytest.raises(ShapeError, match=r"shape \(n, channels, rows, columns\)"):
        transform(IMAGES.reshape(200, -1), rng())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shift(-1), "`pixels`"),
        (lambda: Shift(1.5), "`pixels`"),
        (lambda: Crop((0, 3)), "`size`"),
        (lambda: Crop((3, 3), padding=-1), "`padding`"),
        (lambda: Flip("diagonal"), "'horizontal' or 'vertical'"),
        (lambda: Rotate(float("nan")), "`degrees`"),
    ],
)
def test_settings_that_do_not_fit(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_part_larger_than_the_image():
    with pytest.raises(ShapeError, match="at least 12 rows and 5 columns"):
        Crop((12, 5), padding=1)(IMAGES, rng())


def expanded_as_in_the_book(images, labels):
    """What ``expand_mnist.py`` makes of flat images of 28 x 28, before it shuffles."""
    pairs = []
    for x, y in zip(images, labels, strict=True):
        pairs.append((x, y))
        image = np.reshape(x, (-1, 28))
        for d, axis, index_position, index in [
            (1, 0, "first", 0), (-1, 0, "first", 27), (1, 1, "last", 0), (-1, 1, "last", 27),
        ]:  # fmt: skip
            new = np.roll(image, d, axis)
            if index_position == "first":
                new[index, :] = np.zeros(28)
            else:
                new[:, index] = np.zeros(28)
            pairs.append((np.reshape(new, 784), y))
    return pairs


def test_expansion_is_the_books():
    images = np.random.default_rng(1).random((7, 784), np.float32)
    labels = np.arange(7, dtype=np.int32)
    expanded, relabelled = expand_one_pixel(images, labels, seed=3)
    assert (expanded.shape, expanded.dtype, relabelled.dtype) == ((35, 784), np.float32, np.int32)
    books = sorted((x.tolist(), int(y)) for x, y in expanded_as_in_the_book(images, labels))
    assert sorted(zip(expanded.tolist(), relabelled.tolist(), strict=True)) == books
    assert relabelled[:14].tolist() != sorted(relabelled[:14].tolist())
    again, _ = expand_one_pixel(images.reshape(7, 1, 28, 28), labels, seed=3)
    np.testing.assert_array_equal(again.reshape(35, 784), expanded)
    other, _ = expand_one_pixel(images, labels, seed=4)
    assert not np.array_equal(other, expanded)


@pytest.mark.parametrize("shape", [(0, 784), (3, 1), (2, 5, 1), (2, 3, 4, 6)])
def test_expansion_of_odd_shapes(shape):
    expanded, labels = expand_one_pixel(np.ones(shape, np.uint8), np.zeros(shape[0], int))
    assert expanded.shape == (5 * shape[0], *shape[1:])
    assert labels.shape == (5 * shape[0],)


@pytest.mark.parametrize("shape", [(5, 10), (5,), ()])
def test_expansion_of_what_is_no_square(shape):
    with pytest.raises(ShapeError, match="square images"):
        expand_one_pixel(np.zeros(shape), np.zeros(shape[:1]))


def test_expansion_with_labels_missing():
    with pytest.raises(ShapeError, match="one for each image: 5"):
        expand_one_pixel(np.zeros((5, 4)), np.zeros(4))
