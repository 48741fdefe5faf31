"""The packaged digits, and the full sets as found in the folders of a machine."""

import gzip
import hashlib
import os
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arignote.layers.data import datasets, draw, published
from arignote.layers.data.datafiles import idx_bytes, read_idx
from arignote.layers.data.datasets import (
    DatasetError,
    load_clothes,
    load_digits,
    load_fashion_mnist,
    load_mnist,
)

PACKAGED = Path(published.__file__).parent
SAMPLES = {"digits": published.DIGITS, "clothes": published.CLOTHES}
WHOLE = {"digits": published.MNIST, "clothes": published.FASHION_MNIST}
REAL_DATA = Path(os.environ.get("ARIGNOTE_DATA", "."))  # of whoever runs the tests

RANDOM = np.random.default_rng(0)
SMALL = {
    "train-images-idx3-ubyte": RANDOM.integers(0, 256, (60, 28, 28), np.uint8),
    "train-labels-idx1-ubyte": RANDOM.integers(0, 10, 60, np.uint8),
    "t10k-images-idx3-ubyte": RANDOM.integers(0, 256, (10, 28, 28), np.uint8),
    "t10k-labels-idx1-ubyte": RANDOM.integers(0, 10, 10, np.uint8),
}


@pytest.fixture
def small_mnist(monkeypatch):
    """Let a thousandth of MNIST's size stand for MNIST, with sums of its own."""
    parts = tuple(
        published.Part(name, array.shape, hashlib.md5(idx_bytes(array)).hexdigest())
        for name, array in SMALL.items()
    )
    monkeypatch.setattr(datasets, "MNIST", replace(published.MNIST, parts=parts))


@pytest.fixture(autouse=True)
def nothing_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("ARIGNOTE_DATA", raising=False)
    monkeypatch.setattr(published.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))


@pytest.fixture
def real_data():
    if not (REAL_DATA / "mnist").is_dir() or not (REAL_DATA / "fashion-mnist").is_dir():
        pytest.skip(
            "the full data sets are not here: ARIGNOTE_DATA names no folder with mnist and fashion-mnist"
        )
    return REAL_DATA


def write_idx(folder: Path, pack=gzip.compress, suffix=".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in SMALL.items():
        (folder / f"{name}{suffix}").write_bytes(pack(idx_bytes(array)))
    return folder


def write_npz(folder: Path, **changes) -> Path:
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), SMALL.values(), strict=True))
    np.savez_compressed(folder / "mnist.npz", **{**arrays, **changes})
    return folder


def write_pickle(folder: Path, divisor: int = 256) -> Path:
    x, y, test_x, test_y = SMALL.values()

    def pair(images, classes):
        return images.reshape(-1, 784).astype(np.float32) / divisor, classes.astype(np.int64)

    content = pickle.dumps((pair(x[:50], y[:50]), pair(x[50:], y[50:]), pair(test_x, test_y)), protocol=4)
    (folder / "mnist.pkl.gz").write_bytes(gzip.compress(content))
    return folder


def assert_is_small_mnist(dataset):
    x, y, test_x, test_y = SMALL.values()
    expected = (x[:50], y[:50]), (x[50:], y[50:]), (test_x, test_y)
    for (images, labels), (pixels, classes) in zip(dataset, expected, strict=True):
        assert (images.dtype, labels.dtype) == (np.float32, np.int32)
        assert images.flags.c_contiguous
        np.testing.assert_array_equal(images, pixels.reshape(-1, 784).astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(labels, classes)


@pytest.mark.parametrize(
    ("name", "load", "of_each"), [("digits", load_digits, 800), ("clothes", load_clothes, 600)]
)
class TestSamples:
    def test_sizes_balance_and_range(self, name, load, of_each):
        training_data, validation_data, test_data = load()
        for (images, labels), count in ((training_data, of_each), (validation_data, 100), (test_data, 100)):
            assert images.shape == (10 * count, 784)
            assert (images.dtype, labels.dtype) == (np.float32, np.int32)
            assert images.flags.c_contiguous
            assert (images.min(), images.max()) == (0, 1)
            np.testing.assert_array_equal(np.bincount(labels), [count] * 10)

    def test_no_image_is_in_two_parts(self, name, load, of_each):
        rows = [row.tobytes() for split in load() for row in split.images]
        assert len(set(rows)) == len(rows) == 10 * (of_each + 200)

    def test_names_of_the_parts_and_classes(self, name, load, of_each):
        sample = load()
        assert sample.training.images.shape[0] == 10 * of_each
        assert sample.test.labels.shape == (1000,)
        assert len(set(sample.classes)) == 10

    def test_small_enough_to_package(self, name, load, of_each):
        assert sum(file.stat().st_size for file in (PACKAGED / name).glob("*.gz")) < 4_000_000

    def test_a_damaged_file_is_refused_with_both_sums(self, name, load, of_each, monkeypatch, tmp_path):
        for file in (PACKAGED / name).glob("*.gz"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
        damaged = read_idx(PACKAGED / name / "test-labels-idx1-ubyte.gz")
        damaged[0] = (damaged[0] + 1) % 10
        content = idx_bytes(damaged)
        path = tmp_path / name / "test-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(content))
        monkeypatch.setattr(published, "__file__", str(tmp_path / "published.py"))
        with pytest.raises(DatasetError) as caught:
            load()
        for word in (str(path), SAMPLES[name].parts[2][1].md5, hashlib.md5(content).hexdigest()):
            assert word in str(caught.value)

    def test_the_readme_states_the_sums(self, name, load, of_each):
        readme = (PACKAGED / name / "README.md").read_text()
        for pair in SAMPLES[name].parts:
            for part in pair:
                assert f"| `{part.name}` | {part.md5} |" in readme

    def test_drawing_again_gives_the_same_bytes(self, name, load, of_each, real_data, tmp_path):
        draw.draw(draw.SAMPLES[name], real_data / WHOLE[name].folder, tmp_path)
        drawn = sorted(tmp_path.glob("*.gz"))
        assert [file.name for file in drawn] == sorted(file.name for file in (PACKAGED / name).glob("*.gz"))
        for file in drawn:
            packaged = PACKAGED / name / file.name
            assert gzip.decompress(file.read_bytes()) == gzip.decompress(packaged.read_bytes())
            if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same content in other bytes
                assert file.read_bytes() == packaged.read_bytes()


@pytest.mark.usefixtures("small_mnist")
class TestFinding:
    def test_gzipped_and_plain_idx(self, tmp_path):
        assert_is_small_mnist(load_mnist(write_idx(tmp_path / "gzipped")))
        assert_is_small_mnist(load_mnist(write_idx(tmp_path / "plain", bytes, "")))
        assert_is_small_mnist(load_mnist(write_idx(tmp_path / "unpacked by a browser", bytes, ".gz")))

    def test_npz(self, tmp_path):
        assert_is_small_mnist(load_mnist(write_npz(tmp_path)))
        assert_is_small_mnist(
            load_mnist(write_npz(tmp_path, y_train=SMALL["train-labels-idx1-ubyte"].astype(int)))
        )

    @pytest.mark.parametrize("divisor", [255, 256])
    def test_pickle(self, tmp_path, divisor):
        assert_is_small_mnist(load_mnist(write_pickle(tmp_path, divisor)))

    def test_subfolder(self, tmp_path):
        write_idx(tmp_path / "mnist")
        assert_is_small_mnist(load_mnist(str(tmp_path)))

    def test_the_subfolder_comes_before_the_files_of_another_set(self, tmp_path):
        write_idx(tmp_path / "mnist")
        for file in write_idx(tmp_path).glob("*.gz"):
            file.write_bytes(b"another set's file of the same name")
        assert_is_small_mnist(load_mnist(tmp_path))

    def test_variable_then_cache(self, tmp_path, monkeypatch):
        cache = tmp_path / "cache" / "arignote" / "data"
        write_idx(cache / "mnist")
        assert_is_small_mnist(load_mnist())
        named = write_idx(tmp_path / "named")
        (named / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
        monkeypatch.setenv("ARIGNOTE_DATA", str(named))
        with pytest.raises(DatasetError, match="named"):  # so it was looked at first
            load_mnist()
        monkeypatch.setenv("ARIGNOTE_DATA", str(tmp_path / "elsewhere"))
        assert_is_small_mnist(load_mnist())

    def test_a_named_folder_is_not_passed_over(self, tmp_path):
        write_idx(tmp_path / "cache" / "arignote" / "data")
        with pytest.raises(DatasetError, match="was not found"):
            load_mnist(tmp_path / "elsewhere")

    def test_missing_files_are_told_with_places_and_sums(self, tmp_path):
        write_idx(tmp_path)
        (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(DatasetError) as caught:
            load_mnist(tmp_path)
        message = str(caught.value)
        assert f"  {tmp_path / 'mnist'}: no such folder\n" in message
        assert f"  {tmp_path}: not t10k-labels-idx1-ubyte\n" in message
        assert "t10k-labels-idx1-ubyte.gz (md5 ec29112dd5afa0611ce80d1b7f02629c)" in message
        assert "mnist.npz" in message
        assert "mnist.pkl.gz" in message


@pytest.mark.usefixtures("small_mnist")
class TestDamage:
    def test_idx_of_other_content(self, tmp_path):
        write_idx(tmp_path)
        content = idx_bytes(255 - SMALL["train-images-idx3-ubyte"])
        path = tmp_path / "train-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(content))
        with pytest.raises(DatasetError) as caught:
            load_mnist(tmp_path)
        for word in (str(path), datasets.MNIST.parts[0].md5, hashlib.md5(content).hexdigest()):
            assert word in str(caught.value)

    def test_files_of_another_set(self, tmp_path):
        write_idx(tmp_path)
        with pytest.raises(DatasetError, match=r"train-images.* \(60, 28, 28\), expected \(60000, 28, 28\)"):
            load_fashion_mnist(tmp_path)

    @pytest.mark.parametrize("value", [10, 256, -1])
    def test_npz_of_other_content(self, tmp_path, value):
        labels = SMALL["train-labels-idx1-ubyte"].astype(int)
        labels[0] += value
        with pytest.raises(DatasetError, match=r"mnist\.npz: damaged, .*md5 \w{32}, found \w{32}"):
            load_mnist(write_npz(tmp_path, y_train=labels))

    def test_pickle_of_other_scale(self, tmp_path):
        with pytest.raises(DatasetError, match="pixels outside 0 to 1"):
            load_mnist(write_pickle(tmp_path, divisor=1))

    def test_pickle_with_two_pairs(self, tmp_path):
        pair = (np.ones((2, 784), np.float32), np.ones(2, int))
        (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps((pair, pair))))
        with pytest.raises(DatasetError, match="not three pairs of images and labels"):
            load_mnist(tmp_path)


def test_real_mnist(real_data):
    training, validation, test = load_mnist(real_data)
    assert [len(split.images) for split in (training, validation, test)] == [50_000, 10_000, 10_000]
    assert training.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert validation.labels[:3].tolist() == [3, 8, 6]
    assert test.labels[:3].tolist() == [7, 2, 1]
    assert training.images.mean() == pytest.approx(0.1307, abs=1e-3)


def test_real_fashion_mnist(real_data):
    training, validation, test = load_fashion_mnist(real_data)
    assert [len(split.labels) for split in (training, validation, test)] == [50_000, 10_000, 10_000]
    np.testing.assert_array_equal(np.bincount(test.labels), [1000] * 10)
    assert training.labels[:3].tolist() == [9, 0, 0]
