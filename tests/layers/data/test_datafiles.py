"""Reading the kinds of file that data sets come in, whole, damaged and hostile."""

import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from arignote.layers.data.datafiles import DatasetError, idx_bytes, read_idx, read_npz, read_pickled_pairs

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.arange(6, dtype=np.uint8)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def python2_pickle(value: object) -> bytes:
    """Pickle as Python 2 and its NumPy did: bytes are `str`, and NumPy's modules have no underscore."""

    class Python2Pickler(pickle._Pickler):
        dispatch: ClassVar = dict(pickle._Pickler.dispatch)

        def save_str(self, content: bytes) -> None:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
            self.memoize(content)

        dispatch[bytes] = save_str

    file = io.BytesIO()
    Python2Pickler(file, protocol=2, fix_imports=True).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")


class TestIdx:
    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
    def test_what_is_written_is_read(self, tmp_path, pack):
        path = write(tmp_path / "any name", pack(idx_bytes(PIXELS)))
        read = read_idx(path)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, PIXELS)
        np.testing.assert_array_equal(read_idx(str(path), shape=PIXELS.shape), PIXELS)

    @given(arrays(np.uint8, array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)))
    def test_every_shape(self, tmp_path_factory, array):
        read = read_idx(write(tmp_path_factory.getbasetemp() / "shape.idx", idx_bytes(array)))
        assert read.shape == array.shape
        np.testing.assert_array_equal(read, array)

    @pytest.mark.parametrize(
        ("code", "dtype"), [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
    )
    def test_every_dtype_comes_in_native_order(self, tmp_path, code, dtype):
        array = np.array([1, 2, 100], dtype)
        path = write(tmp_path / "x", bytes([0, 0, code, 1, 0, 0, 0, 3]) + array.tobytes())
        read = read_idx(path)
        assert read.dtype == np.dtype(dtype).newbyteorder("=")
        assert read.dtype.isnative
        np.testing.assert_array_equal(read, array)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"starts with the bytes \(none\)"),
            (b"\x89PNG", "starts with the bytes 89 50 4e 47"),
            (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "starts with the bytes 00 00 07 01"),
            (bytes([0, 0, 8, 3, 0, 0, 0, 1]), "ends within its header, which announces 3 sizes"),
            (idx_bytes(PIXELS)[:-1], "promises 120 bytes, it holds 119"),
            (idx_bytes(PIXELS) + b"x", "promises 120 bytes, it holds more"),
            (bytes([0, 0, 8, 3]) + b"\xff" * 12, "holds at most 16"),
            (bytes([0, 0, 14, 255]) + b"\xff" * 1020, "holds at most 1024"),
            (bytes([0, 0, 8, 3]) + bytes(4) + b"\xff" * 8, "array is too big"),
            (bytes([0, 0, 8, 70]) + bytes([0, 0, 0, 1] * 70) + b"x", "maximum"),
            (gzip.compress(idx_bytes(PIXELS))[:-9], "end-of-stream marker"),
            (gzip.compress(idx_bytes(PIXELS))[:-8] + bytes(8), "CRC check failed"),
        ],
    )
    def test_malformed_files_are_refused_by_name(self, tmp_path, content, message):
        path = write(tmp_path / "bad.idx", content)
        with pytest.raises(DatasetError, match=message) as caught:
            read_idx(path)
        assert str(path) in str(caught.value)

    def test_unexpected_shape(self, tmp_path):
        path = write(tmp_path / "x", idx_bytes(PIXELS))
        with pytest.raises(DatasetError, match=r"shape \(6, 5, 4\), expected \(7, 5, 4\)"):
            read_idx(path, shape=(7, 5, 4))

    def test_missing_file_and_folder(self, tmp_path):
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(DatasetError, match=path.name):
                read_idx(path)

    def test_a_lying_header_reserves_nothing(self, tmp_path):
        # 900 MB promised, which a gzip file of this size could hold, and 4 MB there.
        content = bytes([0, 0, 8, 1]) + struct.pack(">I", 900 << 20) + bytes(4 << 20)
        path = write(tmp_path / "x.gz", gzip.compress(content) + os.urandom(1 << 20))
        tracemalloc.start()
        try:
            with pytest.raises(DatasetError):
                read_idx(path)
            assert tracemalloc.get_traced_memory()[1] < 20 << 20
        finally:
            tracemalloc.stop()


class TestNpz:
    SHAPES: ClassVar = {"x": PIXELS.shape, "y": LABELS.shape}

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    @pytest.mark.parametrize("dtype", ["u1", ">i4", "i8"])
    def test_arrays_of_integers(self, tmp_path, save, dtype):
        save(tmp_path / "a.npz", y=LABELS.astype(dtype), x=PIXELS)
        x, y = read_npz(tmp_path / "a.npz", self.SHAPES)
        np.testing.assert_array_equal(x, PIXELS)
        np.testing.assert_array_equal(y, LABELS)

    def test_header_written_by_python_2(self, tmp_path):
        npy = io.BytesIO()
        np.save(npy, LABELS)
        header = npy.getvalue().replace(b"(6,), }  ", b"(6L,), } ")
        assert header != npy.getvalue()
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("y.npy", header)
        (y,) = read_npz(tmp_path / "a.npz", {"y": LABELS.shape})
        np.testing.assert_array_equal(y, LABELS)

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"x": PIXELS}, "y.npy"),
            ({"x": PIXELS, "y": LABELS[:5]}, r"shape \(5,\)"),
            ({"x": PIXELS, "y": LABELS.astype(float)}, "y is of float64"),
            ({"x": PIXELS, "y": np.array([object()] * 6)}, "y is of object"),
            ({"x": np.asfortranarray(PIXELS), "y": LABELS}, "x is of uint8"),
        ],
    )
    def test_other_arrays_are_refused(self, tmp_path, arrays, message):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(DatasetError, match=message) as caught:
            read_npz(tmp_path / "a.npz", self.SHAPES)
        assert str(tmp_path / "a.npz") in str(caught.value)


class TestPickle:
    PAIRS = ((PIXELS[:, 0].astype(np.float32) / 256, LABELS.astype(np.int64)),) * 3
    MOST = 20_000

    def read(self, path: Path, content: bytes):
        return read_pickled_pairs(write(path / "p.pkl.gz", gzip.compress(content)), self.MOST)

    @pytest.mark.parametrize(
        "dump", [python2_pickle, *(lambda value, p=p: pickle.dumps(value, protocol=p) for p in (3, 4))]
    )
    def test_pairs(self, tmp_path, dump):
        for pair in self.read(tmp_path, dump(self.PAIRS)):
            for read, written in zip(pair, self.PAIRS[0], strict=True):
                assert read.dtype == written.dtype
                np.testing.assert_array_equal(read, written)

    def test_byte_order(self, tmp_path):
        pair = (PIXELS.astype(">f8"), LABELS.astype(">i4"))
        ((pixels, labels),) = self.read(tmp_path, pickle.dumps((pair,), protocol=4))
        np.testing.assert_array_equal(pixels, PIXELS)
        np.testing.assert_array_equal(labels, LABELS)

    def test_the_python_2_pickle_of_this_test_is_one(self):
        content = python2_pickle(self.PAIRS).replace(b"numpy.core", b"numpy._core")
        np.testing.assert_array_equal(pickle.loads(content, encoding="latin1")[0][0], self.PAIRS[0][0])

    @pytest.mark.parametrize("function", [os.system, eval, np.load, np.dtype.newbyteorder, io.open])
    def test_no_function_can_be_called(self, tmp_path, function):
        class Call:
            def __reduce__(self):
                return function, (f"touch {tmp_path / 'harm'}",)

        with pytest.raises(DatasetError, match="not allowed in it, only NumPy arrays are"):
            self.read(tmp_path, pickle.dumps(((Call(), LABELS),)))
        assert not (tmp_path / "harm").exists()

    def test_a_shared_dtype_cannot_be_altered(self, tmp_path):
        class Alter:
            def __reduce__(self):
                return np.dtype, ("f4",), (3, ">", None, None, None, -1, -1, 0)

        with pytest.raises(DatasetError):
            self.read(tmp_path, pickle.dumps(((Alter(), Alter()),)))
        assert np.dtype("f4").isnative

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (((LABELS,),), "not enough values"),
            ((("text", LABELS),), "'str' object"),
            (((LABELS.astype(object), LABELS),), "arrays of 'O8' are not expected"),
            (((np.zeros(3000), LABELS),), "unpacks to more than 20000 bytes"),
            (None, "NoneType"),
        ],
    )
    def test_other_content_is_refused(self, tmp_path, value, message):
        with pytest.raises(DatasetError, match=message):
            self.read(tmp_path, pickle.dumps(value, protocol=4))

    def test_a_bomb_is_not_unpacked(self, tmp_path):
        path = write(tmp_path / "bomb.pkl.gz", gzip.compress(bytes(100 << 20)))
        tracemalloc.start()
        try:
            with pytest.raises(DatasetError, match="unpacks to more than"):
                read_pickled_pairs(path, self.MOST)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
