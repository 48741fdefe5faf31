"""The kinds of file that data sets come in: IDX, npz, and a pickle of arrays.

A file may be truncated, altered, or written to do harm. So nothing is reserved on the word of a header, no
code in a file is run, and whatever is wrong ends as a `DatasetError` that names the file.
"""

import gzip
import math
import os
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

StrPath = str | os.PathLike[str]


class DatasetError(Exception):
    """A data file is missing, damaged, or not what its name promises."""


def read_idx(path: StrPath, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Read an array from an IDX file, gzipped or not.

    Parameters
    ----------
    path : path
        The file. Whether it is gzipped is seen from its content, not from its name.
    shape : tuple of int, optional
        The shape that the array must have. It is compared with the header before the rest is read.

    Returns
    -------
    ndarray
        The array in the machine's byte order, with the shape and the dtype that the file states.

    Raises
    ------
    DatasetError
        If the file cannot be read, is no IDX file, has another shape, or holds more or fewer bytes than its
        header promises.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "The IDX file format",
    http://yann.lecun.com/exdb/mnist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     file.flush()
    ...     read_idx(file.name)
    array([7, 2, 1], dtype=uint8)
    """
    try:
        with Path(path).open("rb") as raw:
            gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if gzipped else raw
            found_shape, dtype = _read_idx_header(stream)
            if shape is not None and found_shape != shape:
                raise ValueError(f"the array has the shape {found_shape}, expected {shape}")
            promised = math.prod(found_shape) * dtype.itemsize
            possible = os.fstat(raw.fileno()).st_size * (_DEFLATE_RATIO if gzipped else 1)
            if promised > possible:
                raise ValueError(
                    f"the header promises an array of shape {found_shape}, {promised} bytes; "
                    f"a file of this size holds at most {possible}"
                )
            content = _read_promised(stream, promised)
        array = np.frombuffer(content, dtype).reshape(found_shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(f"{path}: not a readable IDX file: {error}") from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return the content of the IDX file that holds `array`.

    Parameters
    ----------
    array : ndarray of uint8
        Of any shape.

    Returns
    -------
    bytes
        What `read_idx` reads `array` from.

    Examples
    --------
    >>> idx_bytes(np.array([7, 2, 1], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 03 07 02 01'
    """
    return bytes([0, 0, _IDX_UINT8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def read_npz(path: StrPath, shapes: Mapping[str, tuple[int, ...]]) -> list[NDArray[Any]]:
    """Read arrays of integers from an npz file.

    Unlike `numpy.load`, which reserves what a header promises, this compares each header with what is
    expected.

    Parameters
    ----------
    path : path
        The file.
    shapes : mapping of str to tuple of int
        The names of the arrays to read and the shapes that they must have.

    Returns
    -------
    list of ndarray
        The arrays, in the order of `shapes`.

    Raises
    ------
    DatasetError
        If the file cannot be read, or lacks one of these arrays.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     np.savez(file, y=np.array([7, 2, 1], np.uint8))
    ...     file.flush()
    ...     read_npz(file.name, {"y": (3,)})
    [array([7, 2, 1], dtype=uint8)]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_npy(archive, name, shape) for name, shape in shapes.items()]
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        raise DatasetError(f"{path}: not a readable npz file: {error}") from error


def read_pickled_pairs(path: StrPath, most_bytes: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Read pairs of arrays from a gzipped pickle, such as the ``mnist.pkl.gz`` of deeplearning.net.

    A pickle is a program. This one can build nothing but tuples, numbers, text and arrays: it knows no name
    except those that NumPy's arrays need.

    Parameters
    ----------
    path : path
        The file.
    most_bytes : int
        How much the file may hold unpacked.

    Returns
    -------
    list of (ndarray, ndarray)
        The pairs.

    Raises
    ------
    DatasetError
        If the file cannot be read, unpacks to more than `most_bytes`, or holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> pairs = [(np.array([0.5, 1.0]), np.array([7, 2]))]
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(gzip.compress(pickle.dumps(pairs, protocol=4)))
    ...     file.flush()
    ...     read_pickled_pairs(file.name, most_bytes=1000)
    [(array([0.5, 1. ]), array([7, 2]))]
    """
    try:
        with gzip.open(path) as stream:
            content = _read_up_to(cast(IO[bytes], stream), most_bytes + 1)
        if len(content) > most_bytes:
            raise ValueError(f"it unpacks to more than {most_bytes} bytes")
        pairs = _ArrayUnpickler(BytesIO(content), encoding="latin-1").load()
        return [(first.array(), second.array()) for first, second in pairs]
    except Exception as error:  # a damaged pickle makes the unpickler raise almost anything
        raise DatasetError(f"{path}: not a readable pickle of pairs of arrays: {error}") from error


_IDX_UINT8 = 0x08
_IDX_DTYPES = {_IDX_UINT8: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DEFLATE_RATIO = 1032  # deflate, which gzip uses, never packs better than 1032 : 1


def _read_idx_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES:
        raise ValueError(f"it starts with the bytes {magic.hex(' ') or '(none)'}")
    dimensions = magic[3]
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(f"it ends within its header, which announces {dimensions} sizes")
    return tuple(np.frombuffer(sizes, ">u4").tolist()), np.dtype(_IDX_DTYPES[magic[2]])


def _read_npy(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{name} is of npy version {version}, expected (1, 0)")
        with warnings.catch_warnings():  # NumPy warns of a header written by Python 2, as some files have
            warnings.simplefilter("ignore")
            found_shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
        if found_shape != shape or dtype.kind not in "iu" or fortran_order:
            raise ValueError(f"{name} is of {dtype}, shape {found_shape}; expected integers, shape {shape}")
        content = _read_promised(stream, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(content, dtype).reshape(shape)


def _read_promised(stream: IO[bytes], promised: int) -> bytearray:
    """Read the `promised` bytes, and see that the stream ends there, where gzip and zip check their sums."""
    content = _read_up_to(stream, promised + 1)
    if len(content) != promised:
        found = "more" if len(content) > promised else str(len(content))
        raise ValueError(f"its header promises {promised} bytes, it holds {found}")
    return content


def _read_up_to(stream: IO[bytes], size: int) -> bytearray:
    """Read at most `size` bytes, in pieces: a stream reserves at once all that one read asks for."""
    content = bytearray()
    while len(content) < size and (piece := stream.read(min(size - len(content), 1 << 20))):
        content += piece
    return content


class _PickledDtype:
    """What a pickle says of a dtype. NumPy's own would let a pickle alter a dtype that the program shares."""

    def __init__(self, code: str, *_: object) -> None:
        self._code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._byte_order = state[1]

    def dtype(self) -> np.dtype[Any]:
        if self._code not in ("u1", "i4", "i8", "f4", "f8"):
            raise ValueError(f"arrays of {self._code!r} are not expected")
        return np.dtype(self._code).newbyteorder(self._byte_order)


class _PickledArray:
    """What a pickle says of an array: data, which becomes an array when all of it is read."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self._shape, self._dtype, _fortran_order, self._content = state

    def array(self) -> NDArray[Any]:
        # Python 2 wrote bytes as text; read as latin-1, each of its characters is a byte.
        content = self._content.encode("latin-1") if isinstance(self._content, str) else self._content
        return np.frombuffer(content, self._dtype.dtype()).reshape(self._shape)


# The unpickler written in Python, because the one in C lets a few bytes reserve gigabytes (a memo index).
class _ArrayUnpickler(pickle._Unpickler):
    _names = {  # noqa: RUF012 - a constant
        ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy", "ndarray"): _PickledArray,
        ("numpy", "dtype"): _PickledDtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it, only NumPy arrays are")
        return self._names[module, name]
