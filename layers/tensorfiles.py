"""Files of arrays and words: safetensors, of which the metadata hold one entry of JSON.

Nothing in them is code, and nothing is unpickled. One entry, since two would stand in any order, and the same
content should always give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arignote.engine.shared import SharedVariable
from arignote.layers.data.datafiles import StrPath
from arignote.layers.files import replacing


class NetworkFileError(Exception):
    """What cannot be saved, or a file that holds something else than is wanted."""


def write_tensors(path: StrPath, arrays: Mapping[str, NDArray[Any]], entry: str, words: Any) -> None:
    """Write arrays, and words under the name of an entry."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacing(path) as unfinished:
        try:
            save_file(contiguous, unfinished, metadata={entry: json.dumps(words)})
        except SafetensorError as error:  # what the disk says, in its own words
            raise OSError(f"{path}: cannot be written: {error}") from error


def read_safetensors(path: StrPath) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file.

    The header is compared with the length of the file before memory for an array is taken.

    Raises
    ------
    NetworkFileError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return arrays, file.metadata() or {}
    except (OSError, SafetensorError, MemoryError, TypeError, ValueError, AttributeError) as error:
        # Of a dtype that NumPy lacks, the reader only says that an attribute is missing.
        raise NetworkFileError(f"{path}: cannot be read as a safetensors file: {error}") from error


def read_tensors(path: StrPath, entry: str, what: str) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return the arrays, and the words under the name of an entry.

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged, or holds something else.
    """
    arrays, metadata = read_safetensors(path)
    if entry not in metadata:
        raise NetworkFileError(f"{path}: holds no {what}: its metadata lack {entry!r}")
    try:
        return arrays, json.loads(metadata[entry])
    except (ValueError, RecursionError) as error:
        raise NetworkFileError(f"{path}: {entry!r} in its metadata is no JSON: {error}") from error


def set_values(
    path: StrPath, variables: Mapping[str, SharedVariable], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Set shared variables to arrays of the same names, shapes and kinds; all of them, or none.

    Raises
    ------
    NetworkFileError
        Names all that is missing, superfluous, or of another shape or kind.
    """
    problems = [f"{name} is missing" for name in variables if name not in arrays]
    problems += [f"{name} is not wanted" for name in arrays if name not in variables]
    for name, variable in variables.items():
        array, wanted = arrays.get(name), variable.storage
        if array is not None and (array.shape != wanted.shape or array.dtype.kind != wanted.dtype.kind):
            problems.append(
                f"{name} is {array.dtype} of shape {array.shape}; expected {wanted.dtype} of {wanted.shape}"
            )
    if problems:
        more = len(problems) - _LISTED
        raise NetworkFileError(
            f"{path}: " + "; ".join(problems[:_LISTED]) + (f"; and {more} more" if more > 0 else "")
        )
    for name, variable in variables.items():
        variable.set_value(arrays[name].astype(variable.dtype))


_LISTED = 50
