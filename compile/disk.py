"""The disk cache: object files in a folder of the user's alone.

Whatever happens to the folder or the files costs a recompile, never a wrong result: a file is used only if
it is whole and bears the key it is asked for. Its content is never interpreted but by the linker.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .sizes import parse_size

__all__ = ["CacheInfo", "CacheWarning", "cache_info", "clear_cache", "digest", "load", "store"]

MAGIC = b"arignote kernel object, version 1\n"

DEFAULT_LIMIT = 1 << 30  # bytes

#: Finding out what the folder holds takes longer than writing a file, so it is done at a process's first
#: store, and again when it has written this part of the limit; the part is kept free until then.
_PART_KEPT_FREE = 16

#: What a process that was killed left half written; a living one takes milliseconds.
_ABANDONED = 3600.0  # seconds

_warned = False
_may_write = 0  # bytes, before the folder has to be looked at again


class CacheWarning(UserWarning):
    """The disk cache cannot be used as it should be; results are not affected."""


def digest(*parts: bytes) -> bytes:
    """Digest a sequence of byte strings, told apart from every other sequence.

    Parameters
    ----------
    *parts : bytes

    Returns
    -------
    bytes
        32 bytes.
    """
    state = hashlib.blake2b(digest_size=32)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def load(key: bytes) -> bytes | None:
    """Read the object file of a key.

    Parameters
    ----------
    key : bytes
        Digest of all that decides the content.

    Returns
    -------
    bytes or None
        None if there is no such file, or none that is whole and bears this key.
    """
    try:
        path = _folder() / key.hex()
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn_unused(error)
        return None
    size = len(_header(key, b""))
    image = content[size:]
    if content[:size] != _header(key, image):
        return None
    with suppress(OSError):  # it may be gone by now, or the disk be read-only
        os.utime(path)  # the least recently used files go first
    return image


def store(key: bytes, image: bytes) -> None:
    """Write an object file, so that any other process sees all of it or nothing.

    Parameters
    ----------
    key : bytes
        As for `load`.
    image : bytes
        The object file.
    """
    import tempfile

    try:
        folder = _folder()
        descriptor, partial = tempfile.mkstemp(dir=folder, prefix=key.hex(), suffix=".partial")
        try:
            with open(descriptor, "wb") as file:
                file.write(_header(key, image) + image)
            os.replace(partial, folder / key.hex())
        except OSError:
            os.unlink(partial)
            raise
        _keep_to_limit(folder, len(image))
    except OSError as error:
        _warn_unused(error)


@dataclass(frozen=True)
class CacheInfo:
    """What the cache holds.

    Attributes
    ----------
    folder : Path
    files : int
    bytes : int
        Of all files together.
    limit : int
        The most bytes that the files may have: `ARIGNOTE_CACHE_SIZE`, or 1 GiB.
    """

    folder: Path
    files: int
    bytes: int
    limit: int


def cache_info() -> CacheInfo:
    """Look at what the cache holds.

    Returns
    -------
    CacheInfo

    Raises
    ------
    OSError
        If the folder cannot be used.
    ValueError
        If `ARIGNOTE_CACHE_SIZE` is no size.
    """
    folder = _folder()
    sizes = [entry.size for entry in _entries(folder)]
    return CacheInfo(folder, len(sizes), sum(sizes), _limit())


def clear_cache() -> None:
    """Remove all files of the cache, and nothing else that may be in its folder.

    Raises
    ------
    OSError
        If the folder cannot be used, or a file cannot be removed.
    """
    for entry in _entries(_folder()):
        entry.path.unlink(missing_ok=True)


@dataclass(frozen=True, order=True)
class _Entry:
    """A file of the cache; the least recently used one is the smallest."""

    used: float
    size: int
    path: Path


def _entries(folder: Path) -> Iterator[_Entry]:
    """Find the cache's files; others may lie there too, and other processes may remove some meanwhile."""
    for path in folder.iterdir():
        if re.fullmatch(r"[0-9a-f]{64}(.*\.partial)?", path.name):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield _Entry(status.st_mtime, status.st_size, path)


def _limit() -> int:
    named = os.environ.get("ARIGNOTE_CACHE_SIZE")
    try:
        return DEFAULT_LIMIT if named is None else parse_size(named)
    except ValueError as error:
        raise ValueError(f"ARIGNOTE_CACHE_SIZE: {error}") from None


def _keep_to_limit(folder: Path, written: int) -> None:
    """Remove the least recently used files if, with what has just been written, there may be too many."""
    global _may_write
    _may_write -= written
    if _may_write > 0:
        return
    try:
        limit = _limit()
    except ValueError as error:
        _warn(f"{error}; the limit is {DEFAULT_LIMIT} bytes")
        limit = DEFAULT_LIMIT
    _may_write = limit // _PART_KEPT_FREE
    entries = sorted(_entries(folder))
    surplus = sum(entry.size for entry in entries) - (limit - _may_write)
    now = time.time()
    for entry in entries:
        is_partial = entry.path.suffix == ".partial"
        if now - entry.used > _ABANDONED if is_partial else surplus > 0:
            surplus -= entry.size
            entry.path.unlink(missing_ok=True)


def _header(key: bytes, image: bytes) -> bytes:
    return MAGIC + key + digest(key, image)


def _folder() -> Path:
    """Return the folder, made if necessary; raise OSError if it cannot be made or trusted."""
    named = os.environ.get("ARIGNOTE_CACHE_DIR")
    if named:
        folder = Path(named)
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("arignote")) / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    if status.st_mode & 0o022:
        raise PermissionError(f"other users can write to {folder}: make it yours alone with chmod 700")
    return folder


def _warn_unused(error: OSError) -> None:
    _warn(
        f"compiled kernels are not kept on disk, every process compiles them anew: {error}. "
        "ARIGNOTE_CACHE_DIR names another folder."
    )


def _warn(message: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(message, CacheWarning, stacklevel=3)
