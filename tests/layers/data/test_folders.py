"""Folders of images: classes, one size for all, parts drawn by a seed, and files that are no images."""

import threading

import numpy as np
import pytest
from PIL import Image, ImageOps

from arignote.engine.errors import InputError
from arignote.layers import Batches, ImageFolder, load_image_folder
from arignote.layers.data.datafiles import DatasetError

RANDOM = np.random.default_rng(0)


def picture(rows: int, columns: int, mode: str = "RGB") -> Image.Image:
    smooth = Image.fromarray(RANDOM.integers(0, 256, (4, 4, 3), np.uint8))
    return smooth.resize((columns, rows)).convert(mode)


@pytest.fixture
def folder(tmp_path):
    """Seven cats and ten dogs of different sizes, one of them deeper down, among files of other kinds."""
    for name, count in (("dogs", 10), ("cats", 7)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for number in range(count):
            place = "deeper" if number == 3 else "."
            picture(20 + number, 30 - number).save(tmp_path / name / place / f"{number}.png")
        (tmp_path / name / "notes.txt").write_text("not an image")
        (tmp_path / name / ".hidden.png").write_text("not an image")
    (tmp_path / ".cache").mkdir()
    picture(9, 9).save(tmp_path / "loose.png")
    return tmp_path


def pixels(image: Image.Image) -> np.ndarray:
    array = np.asarray(image, np.float32) / np.float32(255)
    return array.reshape(image.height, image.width, -1).transpose(2, 0, 1)


def test_classes_are_sorted_subfolders(folder):
    images = ImageFolder(folder, size=8)
    assert images.classes == ("cats", "dogs")
    assert images.labels.tolist() == [0] * 7 + [1] * 10
    assert [path.name for path in images.paths[:7]] == [f"{n}.png" for n in (0, 1, 2, 4, 5, 6, 3)]
    assert len(images) == 17
    assert len(ImageFolder(str(folder), size=8)) == 17


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(24, 32), (8, 8), (50, 11), 16])
@pytest.mark.parametrize("fit", ["pad", "crop", "resize"])
def test_one_size(folder, mode, size, fit):
    images = ImageFolder(folder, size, mode, fit)
    found, labels = images.read(np.array([9, 0]))
    rows, columns = (size, size) if isinstance(size, int) else size
    assert (found.shape, found.dtype) == ((2, len(mode), rows, columns), np.float32)
    assert labels.tolist() == [1, 0]
    for place, array in zip((9, 0), found, strict=True):
        original = Image.open(images.paths[place]).convert(mode)
        expected = {"pad": ImageOps.pad, "crop": ImageOps.fit, "resize": Image.Image.resize}[fit]
        np.testing.assert_array_equal(array, pixels(expected(original, (columns, rows))))


def test_images_that_are_all_alike_need_no_size(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            picture(6, 5).save(tmp_path / name / f"{number}.png")
    dataset = load_image_folder(tmp_path, mode="RGB")
    assert dataset.training.images.shape == (6, 3, 6, 5)
    assert dataset.test.images.shape == (0, 3, 6, 5)
    picture(6, 7).save(tmp_path / "b" / "other.png")
    with pytest.raises(
        DatasetError, match=r"other\.png: 6 x 7 pixels, the first image has 6 x 5; pass `size`"
    ):
        load_image_folder(tmp_path)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("L", 200), ("1", 255), ("I;16", 200), ("P", 200), ("LA", 200), ("RGBA", 200), ("CMYK", 200)],
)
def test_modes_of_files(tmp_path, stored, shown):
    (tmp_path / "a").mkdir()
    grey = np.full((5, 4), shown, np.uint8)
    image = Image.fromarray(grey.astype(np.uint16) * 257) if stored == "I;16" else Image.fromarray(grey)
    image = image if stored == "I;16" else image.convert(stored)
    image.save(tmp_path / "a" / ("1.tif" if stored == "CMYK" else "1.png"))
    for mode in ("L", "RGB"):
        images, _ = ImageFolder(tmp_path, mode=mode).read(np.arange(1))
        np.testing.assert_allclose(images, shown / 255, atol=0.01)


def test_floats_do_not_tell_what_is_white(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.ones((5, 4), np.float32)).save(tmp_path / "a" / "1.tif")
    with pytest.raises(DatasetError, match=r"1\.tif: .*floats"):
        ImageFolder(tmp_path, size=4).load()


def test_photographs_stand_upright_and_are_decoded_small(tmp_path):
    (tmp_path / "a").mkdir()
    upright = picture(1200, 800)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter when shown
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a" / "1.jpg", quality=95, exif=exif)
    images, _ = ImageFolder(tmp_path, size=(60, 40), mode="RGB").read(np.arange(1))
    assert np.abs(images[0] - pixels(upright.resize((40, 60)))).max() < 0.03


class TestParts:
    def test_shares_of_each_class(self, folder):
        parts = ImageFolder(folder, size=8).split(validation=0.2, test=0.3, seed=1)
        counts = [np.bincount(part.labels, minlength=2).tolist() for part in parts]
        assert counts == [[3, 5], [2, 2], [2, 3]]
        paths = [path for part in parts for path in part.paths]
        assert len(set(paths)) == len(paths) == 17

    def test_the_seed_decides(self, folder):
        def paths(seed):
            return [part.paths for part in ImageFolder(folder, size=8).split(0.2, 0.3, seed)]

        assert paths(1) == paths(1)
        assert paths(1) != paths(2)

    def test_training_images_are_mixed(self, folder):
        training, _, _ = ImageFolder(folder, size=8).split()
        assert sorted(training.labels.tolist()) != training.labels.tolist()

    def test_loading_is_reading(self, folder):
        dataset = load_image_folder(folder, 8, "RGB", "crop", validation=0.2, test=0.3, seed=1)
        assert dataset.classes == ("cats", "dogs")
        parts = ImageFolder(folder, 8, "RGB", "crop").split(0.2, 0.3, 1)
        for (images, labels), part in zip(dataset, parts, strict=True):
            expected = part.read(np.arange(len(part)))
            np.testing.assert_array_equal(images, expected[0])
            np.testing.assert_array_equal(labels, expected[1])
            assert images.flags.c_contiguous

    @pytest.mark.parametrize("shares", [(-0.1, 0), (0, -0.1), (0.5, 0.5), (float("nan"), 0)])
    def test_shares_that_leave_nothing(self, folder, shares):
        with pytest.raises(InputError, match="together less than 1"):
            ImageFolder(folder, size=8).split(*shares)


def test_batches_read_folders_ahead(folder):
    images = ImageFolder(folder, size=8)
    all_images, labels = images.load()
    order = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(2,)))
    places = np.arange(17)
    order.shuffle(places)
    found = list(Batches(images, 4, seed=5).epoch(2))
    np.testing.assert_array_equal(np.concatenate([batch.inputs for batch in found]), all_images[places])
    np.testing.assert_array_equal(np.concatenate([batch.targets for batch in found]), labels[places])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("arignote batches")]


class TestErrors:
    def test_all_files_that_are_no_images_are_named(self, folder):
        for name in ("cats/5.png", "dogs/deeper/3.png", "dogs/7.png"):
            (folder / name).write_bytes(b"not an image")
        with pytest.raises(DatasetError) as caught:
            load_image_folder(folder, 8, validation=0.3, test=0.3)
        for name in ("cats/5.png", "dogs/deeper/3.png", "dogs/7.png"):
            assert f"{folder / name}: cannot be read as an image" in str(caught.value)
        assert "cats/1.png" not in str(caught.value)

    def test_a_long_list_is_cut(self, folder):
        for number in range(30):
            (folder / "cats" / f"bad{number:02}.png").write_bytes(b"not an image")
        with pytest.raises(DatasetError, match=r"30 of 47 images cannot be used(?s:.*)and 10 more$"):
            ImageFolder(folder, 8).load()

    def test_a_bad_file_among_batches(self, folder):
        (folder / "cats" / "5.png").write_bytes(b"not an image")
        with pytest.raises(DatasetError, match=r"cats/5\.png: cannot be read as an image"):
            list(Batches(ImageFolder(folder, 8), 4).epoch())

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (None, "no such folder"),
            (["1.png"], "no subfolders; put the images of each class into one"),
            (
                ["a/1.png", "b/1.txt", "c/.png"],
                "no images in the subfolders b, c; images are files",
            ),
        ],
    )
    def test_folders_without_images(self, tmp_path, files, message):
        for name in files or []:
            (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "x" / name).write_bytes(b"")
        with pytest.raises(DatasetError, match=message) as caught:
            ImageFolder(tmp_path / "x")
        assert str(tmp_path / "x") in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, "`size`"),
            ({"size": (1, 2, 3)}, "`size`"),
            ({"size": 2.5}, "`size`"),
            ({"size": (4, 0)}, "`size`"),
            ({"size": 4, "mode": "RGBA"}, "'L' or 'RGB'"),
            ({"size": 4, "fit": "stretch"}, "'pad' or 'crop' or 'resize'"),
        ],
    )
    def test_settings_that_do_not_fit(self, folder, options, message):
        with pytest.raises(InputError, match=message):
            ImageFolder(folder, **options)
