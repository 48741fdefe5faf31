"""Weights published elsewhere, read into layers: with other names and orders of axes, and never as code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line
from arignote.layers.conv import DepthwiseConv2D, Filters
from arignote.layers.data.datafiles import StrPath
from arignote.layers.dense import Dense
from arignote.layers.layer import Layer
from arignote.layers.tensorfiles import NetworkFileError, read_safetensors

#: Orders of the axes of filters: Output, Input, and Depth, Height and Width.
_FIRST, _LAST = ("OIW", "OIHW", "OIDHW"), ("WIO", "HWIO", "DHWIO")


def load_weights(
    layer: Layer,
    source: StrPath | Mapping[str, ArrayLike],
    names: Mapping[str, str] | Callable[[str], str] | None = None,
    *,
    layout: str = "OIHW",
    dense: Literal["IO", "OI"] = "IO",
    strict: bool = True,
) -> None:
    """Set the parameters of a layer, up to a whole network, to weights that were published elsewhere.

    Parameters
    ----------
    layer : Layer
        That is built.
    source : path or mapping of str to array_like
        A safetensors, npz or (if h5py is installed) HDF5 file, told apart by what is in it; or arrays by
        name. Nothing is unpickled.
    names : mapping of str to str, or callable, optional
        From the names in `layer.parameters` to those in the source; what a mapping lacks has the same name.
    layout : {'OIHW', 'HWIO'}
        The axes of filters in the source: filters first, as here and in PyTorch, or last, as in Keras and
        TensorFlow; written for any number of dimensions ("WIO" and "DHWIO" say the same as "HWIO").
    dense : {'IO', 'OI'}
        The axes of the matrix of a `Dense`: inputs first, as here and in Keras, or last, as in PyTorch.
    strict : bool
        Whether all of the source is to be used.

    Raises
    ------
    NetworkFileError
        If the file cannot be read, or arrays are missing, left over, or of another shape or kind; it names
        them all, and no parameter has changed.
    InputError
        If an argument is none of these words, or `names` has a name that is no parameter's.

    Notes
    -----
    Networks with their channels last also flatten them last. To read a `Dense` behind such a flattening, put
    ``Lambda(lambda x: x.dimshuffle(0, 2, 3, 1))`` before `Flatten`. Recurrent layers order their gates as
    their `w` tells, and no library's are turned into those.

    Examples
    --------
    >>> from arignote.layers import Dense
    >>> layer = Dense(2).build((3,))
    >>> published = {"fc.weight": np.arange(6).reshape(2, 3), "fc.bias": np.zeros(2)}
    >>> load_weights(layer, published, {"w": "fc.weight", "b": "fc.bias"}, dense="OI")
    >>> layer.w.get_value().tolist()
    [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    """
    layer.check_built()
    for argument, word, words in (("layout", layout, _FIRST + _LAST), ("dense", dense, ("IO", "OI"))):
        if word not in words:
            raise InputError(
                f"load_weights: argument `{argument}`",
                expected=" or ".join(map(repr, words)),
                actual=repr(word),
                origin=user_line(),
            )
    if isinstance(source, Mapping):
        arrays, where = {name: np.asarray(array) for name, array in source.items()}, "load_weights"
    else:
        arrays, where = _read(Path(source)), str(source)
    variables = {name: parameter.variable for name, parameter in layer.parameters.items()}
    theirs = _their_names(list(variables), names)
    owners = dict(_owners(layer))
    filters_last = layout in _LAST

    values, problems = {}, []
    for name, variable in variables.items():
        said = name if theirs[name] == name else f"{name} (there {theirs[name]})"
        array = arrays.get(theirs[name])
        if array is None:
            problems.append(f"{said} is missing")
            continue
        shape = variable.storage.shape
        turned = _turned(array, owners[name], name, filters_last, dense)
        if array.dtype.kind not in "fiu":
            problems.append(f"{said} is of dtype {array.dtype}; expected numbers")
        elif turned.shape != shape:
            fits = [
                fix
                for last, order, fix in (
                    (not filters_last, dense, f"layout={'OIHW' if filters_last else 'HWIO'!r}"),
                    (filters_last, dense[::-1], f"dense={dense[::-1]!r}"),
                )
                if _turned(array, owners[name], name, last, order).shape == shape
            ]
            hint = f", which {fits[0]} makes of it" if fits else ""
            changed = f", turned to {turned.shape}" if turned.shape != array.shape else ""
            problems.append(f"{said} is of shape {array.shape}{changed}; expected {shape}{hint}")
        else:
            values[name] = turned
    if strict:
        problems += [f"{name} is not used" for name in arrays if name not in theirs.values()]
    if problems:
        raise NetworkFileError("\n  ".join([f"{where}: these weights do not fit {layer!r:.200}:", *problems]))
    for name, value in values.items():
        variables[name].set_value(value.astype(variables[name].dtype))


def _their_names(ours: list[str], names: Mapping[str, str] | Callable[[str], str] | None) -> dict[str, str]:
    """Return the name in the source of each parameter."""
    if names is None:
        return {name: name for name in ours}
    if not isinstance(names, Mapping):
        return {name: names(name) for name in ours}
    if unknown := [name for name in names if name not in ours]:
        raise InputError(
            "load_weights: argument `names`",
            expected=f"names of parameters: {', '.join(ours)}",
            actual=", ".join(unknown),
            origin=user_line(),
        )
    return {name: names.get(name, name) for name in ours}


def _owners(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """Yield the names of the parameters, and the layer that made each."""
    waiting = [("", layer)]
    while waiting:
        prefix, part = waiting.pop()
        inner = part.parts
        of_parts = {f"{name}.{each}" for name, step in inner.items() for each in step.parameters}
        yield from ((prefix + name, part) for name in part.parameters if name not in of_parts)
        waiting += [(f"{prefix}{name}.", step) for name, step in inner.items()]


def _turned(array: NDArray[Any], owner: Layer, name: str, filters_last: bool, dense: str) -> NDArray[Any]:
    """Return an array of the source with its axes as they are here."""
    if name.rpartition(".")[2] != "w":
        return array
    if isinstance(owner, Dense):
        return array.T if dense == "OI" else array
    if not (isinstance(owner, Filters) and filters_last and array.ndim == owner.dimensions + 2):
        return array
    if isinstance(owner, DepthwiseConv2D):
        rows, columns, channels, multiplier = array.shape
        return array.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, rows, columns)
    return np.moveaxis(array, (-1, -2), (0, 1))


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, whose first bytes tell its kind."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"PK"):
            return _read_npz(path)
        return _read_hdf5(path) if start == b"\x89HDF\r\n\x1a\n" else read_safetensors(path)[0]
    except (OSError, ValueError, BadZipFile, MemoryError, EOFError) as error:
        raise NetworkFileError(f"{path}: cannot be read: {error}") from error


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if strange := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise NetworkFileError(
            f"{path}: holds {strange[0]}, which is no array; PyTorch's own files are pickles, which can hold "
            "code: write the state_dict with safetensors.torch.save_file"
        )
    return arrays


def _read_hdf5(path: Path) -> dict[str, NDArray[Any]]:
    try:
        import h5py
    except ImportError as error:
        raise NetworkFileError(f"{path}: HDF5 files are read by h5py, which is not installed") from error
    arrays: dict[str, NDArray[Any]] = {}

    def keep(name: str, part: Any) -> None:
        if isinstance(part, h5py.Dataset):
            arrays[name] = np.asarray(part)

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return arrays
