"""One digit in many files: all should come out as MNIST shows it."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from arignote.layers.data.datasets import load_digits
from arignote.layers.data.images import ImageError, read_digit_image

DIGITS = load_digits().test
EXAMPLES = [int(np.flatnonzero(DIGITS.labels == digit)[0]) for digit in range(10)]


def as_image(example: int) -> Image.Image:
    """A digit of MNIST, white on black, 28 x 28."""
    return Image.fromarray(np.rint(DIGITS.images[example] * 255).astype(np.uint8).reshape(28, 28))


def large(example: int) -> Image.Image:
    return as_image(example).resize((420, 420), Image.Resampling.BICUBIC)


def on_page(digit: Image.Image) -> Image.Image:
    """The digit in black, away from the middle of a white page."""
    page = Image.new("L", (1300, 900), 255)
    page.paste(ImageOps.invert(digit), (800, 60))
    return page


def with_alpha(digit: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGBA", digit.size, colour)
    image.putalpha(digit)
    return image


def noisy_photograph(digit: Image.Image) -> Image.Image:
    page = 60 + 0.5 * np.asarray(on_page(digit), float)
    noise = np.random.default_rng(0).normal(0, 6, page.shape)
    shade = np.linspace(-15, 15, page.shape[1])
    return Image.fromarray(np.clip(page + noise + shade, 0, 255).astype(np.uint8))


VARIANTS = {
    "light on dark": lambda digit: digit,
    "dark on light": ImageOps.invert,
    "on a page": on_page,
    "half the size": lambda digit: digit.resize((210, 210)),
    "RGB": lambda digit: digit.convert("RGB"),
    "blue on yellow": lambda digit: ImageOps.colorize(digit, "lightyellow", "darkblue"),
    "palette": lambda digit: ImageOps.colorize(digit, "white", "red").quantize(32),
    "1 bit": lambda digit: on_page(digit).convert("1", dither=Image.Dither.NONE),
    "16 bits": lambda digit: Image.fromarray(np.asarray(digit).astype(np.uint16) * 257),
    "black on transparency": lambda digit: with_alpha(digit, (0, 0, 0)),
    "white on transparency": lambda digit: with_alpha(digit, (255, 255, 255)),
    "grey with transparency": lambda digit: with_alpha(digit, (40, 40, 40)).convert("LA"),
    "noisy photograph": noisy_photograph,
}


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.fixture
def read(tmp_path):
    def read(image: Image.Image, name: str = "digit.png", **options) -> np.ndarray:
        image.save(tmp_path / name, **options)
        digit = read_digit_image(tmp_path / name)
        assert (digit.shape, digit.dtype) == ((784,), np.float32)
        assert digit.min() >= 0
        assert digit.max() <= 1
        return digit

    return read


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_image_of_mnist_stays_as_it_is(read, example):
    np.testing.assert_array_equal(read(as_image(example)), DIGITS.images[example])
    np.testing.assert_allclose(read(ImageOps.invert(as_image(example))), DIGITS.images[example], atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_variants_give_nearly_the_same_array(read, variant):
    for example in EXAMPLES:
        reference = read(large(example))
        assert correlation(read(variant(large(example))), reference) > 0.9


def test_the_enlarged_digits_come_back_as_mnist_had_them(read):
    # A whole pixel of shift, where the centre lies between two, costs most of what is missing from 1.
    correlations = [correlation(read(large(example)), DIGITS.images[example]) for example in EXAMPLES]
    assert np.median(correlations) > 0.95
    assert min(correlations) > 0.7


@pytest.mark.parametrize(
    ("name", "options"), [("d.jpg", {"quality": 50}), ("d.gif", {}), ("d.bmp", {}), ("d.tiff", {})]
)
def test_kinds_of_file(read, name, options):
    assert correlation(read(on_page(large(EXAMPLES[5])), name, **options), read(large(EXAMPLES[5]))) > 0.95


def test_exif_orientation(read):
    upright = on_page(large(EXAMPLES[7]))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter when shown
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    assert correlation(read(turned, "d.jpg", exif=exif), read(upright)) > 0.99


def test_box_and_centre_of_mass(read):
    for example in EXAMPLES:
        digit = read(on_page(large(example))).reshape(28, 28)
        rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        centre = (
            np.array([digit.sum(axis=1) @ np.arange(28), digit.sum(axis=0) @ np.arange(28)]) / digit.sum()
        )
        np.testing.assert_allclose(centre, 14, atol=0.51)


def test_mnist_itself_has_its_centres_there():
    images = DIGITS.images.reshape(-1, 28, 28)
    mass = images.sum(axis=(1, 2))
    assert np.abs((images.sum(axis=2) @ np.arange(28)) / mass - 14).max() < 0.51
    assert np.abs((images.sum(axis=1) @ np.arange(28)) / mass - 14).max() < 0.51


@pytest.mark.parametrize("box", [(10, 10, 10, 10), (10, 50, 190, 50), (100, 10, 100, 190), (0, 0, 60, 120)])
def test_dots_lines_and_blocks(read, box):
    image = Image.new("L", (200, 200), 255)
    image.paste(0, (box[0], box[1], box[2] + 1, box[3] + 1))
    digit = read(image).reshape(28, 28)
    assert digit.max() == 1
    assert max(np.ptp(np.flatnonzero(digit.any(axis=axis))) for axis in (0, 1)) == 19


def test_a_thin_stroke_is_full_ink(read):
    image = Image.new("L", (800, 800), 255)
    image.paste(200, (100, 100, 105, 700))
    image.paste(200, (100, 695, 500, 700))
    assert read(image).max() == 1


class TestErrors:
    @pytest.mark.parametrize("shade", [0, 128, 255])
    @pytest.mark.parametrize("size", [(28, 28), (1, 1), (300, 200)])
    def test_blank(self, read, shade, size):
        with pytest.raises(ImageError, match=r"digit\.png: the image is blank"):
            read(Image.new("L", size, shade))

    def test_faint_noise_is_blank(self, read):
        noise = np.random.default_rng(0).integers(245, 256, (100, 100), np.uint8)
        with pytest.raises(ImageError, match="blank"):
            read(Image.fromarray(noise))

    def test_wholly_transparent_is_blank(self, read):
        with pytest.raises(ImageError, match="blank"):
            read(Image.new("RGBA", (50, 50), (255, 0, 0, 0)))

    def test_missing(self, tmp_path):
        with pytest.raises(ImageError, match=r"none\.png: no such file"):
            read_digit_image(tmp_path / "none.png")

    @pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a\x01"])
    def test_no_image(self, tmp_path, content):
        path = tmp_path / "text.png"
        path.write_bytes(content)
        with pytest.raises(ImageError, match=r"text\.png: cannot be read as an image"):
            read_digit_image(path)

    def test_folder(self, tmp_path):
        with pytest.raises(ImageError, match="cannot be read as an image"):
            read_digit_image(tmp_path)

    @pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (1, 70_000)])
    def test_decompression_bomb(self, tmp_path, size):
        def chunk(kind: bytes, content: bytes) -> bytes:
            return (
                struct.pack(">I", len(content))
                + kind
                + content
                + struct.pack(">I", zlib.crc32(kind + content))
            )

        path = tmp_path / "bomb.png"
        header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        )
        with pytest.raises(ImageError, match=r"bomb\.png: too large"):
            read_digit_image(path)
