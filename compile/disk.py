"""The disk cache: object files in a folder of the user's alone.

Whatever happens to the folder or the files costs a recompile, never a wrong result: a file is used only if
it is whole and bears the key it is asked for. Its content is never interpreted but by the linker.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

__all__ = ["CacheWarning", "digest", "load", "store"]

MAGIC = b"arignote kernel object, version 1\n"

_warned = False


class CacheWarning(UserWarning):
    """The disk cache cannot be used: kernels are compiled anew in every process."""


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
        content = (_folder() / key.hex()).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(error)
        return None
    size = len(_header(key, b""))
    image = content[size:]
    return image if content[:size] == _header(key, image) else None


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
        descriptor, partial = tempfile.mkstemp(dir=folder, suffix=".partial")
        try:
            with open(descriptor, "wb") as file:
                file.write(_header(key, image) + image)
            os.replace(partial, folder / key.hex())
        except OSError:
            os.unlink(partial)
            raise
    except OSError as error:
        _warn(error)


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


def _warn(error: OSError) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"compiled kernels are not kept on disk, every process compiles them anew: {error}. "
            "ARIGNOTE_CACHE_DIR names another folder.",
            CacheWarning,
            stacklevel=2,
        )
