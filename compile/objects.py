"""Kernels as native code: built once per machine, kept on disk as object files, linked into the process.

A kernel goes Python function -> LLVM text (numba) -> object file (llvmlite) -> address (LLVM's ORC linker).
Only the object file is kept, and it is linked in the process that made it too, so that a cold and a warm
process run identical code. A warm process imports llvmlite but not numba.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite
import llvmlite.binding as llvm

from . import disk

if TYPE_CHECKING:
    from .spec import KernelSpec

__all__ = [
    "CacheStatistics",
    "build",
    "cache_statistics",
    "kernel_address",
    "kernel_addresses",
    "link",
    "machine_digest",
    "target_machine",
]


@dataclass(frozen=True)
class CacheStatistics:
    """What `kernel_address` did in this process.

    Attributes
    ----------
    compiled : int
        Kernels that were built, because no valid object file was found.
    loaded : int
        Kernels that were linked from an object file on disk.
    reused : int
        Requests for a kernel that was in the process already.
    seconds : float
        Time spent compiling.
    """

    compiled: int = 0
    loaded: int = 0
    reused: int = 0
    seconds: float = 0.0


def _source_digest() -> bytes:
    """Digest the sources of this package: any of them may decide what a builder makes."""
    return disk.digest(*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("**/*.py"))))


# Taken when the sources are imported, or an edit in between would file the old code under the new digest.
_SOURCES = _source_digest()

_lock = threading.Lock()
_addresses: dict[KernelSpec, int] = {}
_statistics = CacheStatistics()
_libraries = itertools.count()


def _renew_lock() -> None:
    # Another thread of the parent may have held the lock; in the child it would never be released.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def cache_statistics() -> CacheStatistics:
    """Count what was compiled, loaded and reused in this process so far.

    Returns
    -------
    CacheStatistics
    """
    return _statistics


def kernel_address(spec: KernelSpec) -> int:
    """Give the native address of a kernel, building it if this machine never has.

    The kernel stays loaded for the life of the process. Safe to call from several threads.

    Parameters
    ----------
    spec : KernelSpec
        Its builder is imported and called only if no object file is found.

    Returns
    -------
    int
        Address of `int64 kernel(int64* args, uint8* scratch, int64 begin, int64 end)`.

    Raises
    ------
    TypeError
        If the kernel needs the Python runtime: it can raise an exception, or it allocates.
    Exception
        Whatever the import of the builder, the builder or numba raise.

    Warns
    -----
    CacheWarning
        Once in a process, if the cache folder cannot be used.
    """
    return kernel_addresses([spec])[0]


def kernel_addresses(specs: Sequence[KernelSpec]) -> list[int]:
    """Give the native addresses of several kernels; those to build are built in less time than one by one.

    As `kernel_address` otherwise.
    """
    with _lock:
        wanted = [spec for spec in dict.fromkeys(specs) if spec not in _addresses]
        _count(reused=len(specs) - len(wanted))
        missing = []
        for spec in wanted:
            address = _loaded(_key(spec))
            if address is None:
                missing.append(spec)
            else:
                _addresses[spec] = address
                _count(loaded=1)
        if missing:
            _build_missing(missing)
        return [_addresses[spec] for spec in specs]


def _count(**more: float) -> None:
    global _statistics
    _statistics = replace(
        _statistics, **{name: getattr(_statistics, name) + amount for name, amount in more.items()}
    )


# Keys


@functools.cache
def machine_digest() -> bytes:
    """Digest everything but the spec that decides what an object file holds."""
    from importlib.metadata import version

    facts = (
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        _host_features(),
        version("numba"),
        llvmlite.__version__,
    )
    return disk.digest(disk.MAGIC, _SOURCES, *(fact.encode() for fact in facts))


def _host_features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot ask every system; the name of the CPU implies most of them
        return ""


@functools.cache
def _foreign_source(module: str) -> bytes:
    """Source of a builder's module outside this package, which `_SOURCES` does not cover."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"no module {module!r} to build a kernel with", name=module)
    return Path(found.origin).read_bytes()


def _key(spec: KernelSpec) -> bytes:
    foreign = not spec.module.startswith(f"{__package__}.")
    return disk.digest(machine_digest(), spec.text.encode(), _foreign_source(spec.module) if foreign else b"")


def _symbol(key: bytes) -> str:
    return f"arignote_{key.hex()}"


# Compiling


@functools.cache
def target_machine() -> Any:
    """Return LLVM's description of this machine, for which kernels are compiled."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # for inline assembly
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=_host_features(),
        opt=3,
        # Position independent code of the small model is what the linker places anywhere, with stubs to reach
        # libm; the large model would load every constant's address through a register.
        reloc="pic",
        codemodel="small",
    )


def _build_missing(specs: Sequence[KernelSpec]) -> None:
    """Build kernels, link them into the process, and keep their object files."""
    from .helpers import build_all
    from .threads import get_num_threads

    images = {}
    started = time.perf_counter()
    with _garbage_left():
        for spec, image in build_all(specs, build, get_num_threads() - 1, machine_digest()):
            images[_key(spec)] = image
            _addresses[spec] = link(image, _symbol(_key(spec)))
            now = time.perf_counter()
            _count(compiled=1, seconds=now - started)
            started = now
    if _source_digest() == _SOURCES:
        for key, image in images.items():
            disk.store(key, image)


def build(spec: KernelSpec) -> bytes:
    """Build a kernel.

    Parameters
    ----------
    spec : KernelSpec

    Returns
    -------
    bytes
        The object file.

    Raises
    ------
    TypeError, Exception
        As `kernel_address` does.
    """
    machine = target_machine()  # first: numba generates code too, and relies on what this sets up
    from .frontend import needs_runtime, optimized, translate

    symbol = _symbol(_key(spec))
    function = getattr(importlib.import_module(spec.module), spec.function)(**dict(spec.parameters))
    module = optimized(translate(function, symbol), symbol, machine)
    if runtime := needs_runtime(module):
        raise TypeError(
            f"kernel {spec.text} needs the Python runtime ({', '.join(runtime)}): "
            "a kernel must not raise, allocate or touch objects; report errors by its status"
        )
    return bytes(machine.emit_object(module))


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Put off the collection of cycles: Numba makes so many objects that it would run all the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# Linking


@functools.cache
def _linker() -> Any:
    llvm.initialize_native_target()
    return llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)


def link(image: bytes, symbol: str) -> int:
    """Link an object file into the process and return the address of its symbol."""
    library = llvm.JITLibraryBuilder().add_object_img(image).add_current_process().export_symbol(symbol)
    # A name serves once, even if linking fails; so the count of attempts is the name.
    tracker = library.link(_linker(), f"library{next(_libraries)}")
    address = int(tracker[symbol])
    # Never unloaded, not even when the interpreter drops its globals: worker threads may still run it.
    tracker.detach()
    return address


def _loaded(key: bytes) -> int | None:
    """Link the object file on disk; None if there is none that fits this process."""
    image = disk.load(key)
    if image is None:
        return None
    try:
        return link(image, _symbol(key))
    except RuntimeError:  # of llvmlite's: the file asks for a symbol that this process lacks
        return None
