import errno
import os
import warnings
from pathlib import Path

import pytest
from arignote.compile import disk
from arignote.compile.disk import CacheWarning
from arignote.compile.objects import cache_statistics, kernel_address
from arignote.compile.spec import KernelSpec

SCALE = KernelSpec.of("native_samples.kernels:scale", factor=2.5)
OTHER = KernelSpec.of("native_samples.kernels:scale", factor=-1.0)


def flip(position):
    def damage(content):
        changed = bytearray(content)
        changed[position] ^= 1
        return bytes(changed)

    return damage


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "last byte gone": lambda content: content[:-1],
    "header only": lambda content: content[: len(disk.MAGIC) + 64],
    "appended": lambda content: content + b"\0",
    "first bit": flip(0),
    "key": flip(len(disk.MAGIC)),
    "checksum": flip(len(disk.MAGIC) + 40),
    "payload": flip(200),
    "last bit": flip(-1),
    "other version": lambda content: content.replace(b"version 1", b"version 0"),
    "foreign": lambda content: b"\x80\x04\x95cos\nsystem\n(S'false'\ntR." * 50,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_replaced(damage, empty_cache, forget):
    kernel_address(SCALE)
    (path,) = empty_cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    forget()
    kernel_address(SCALE)
    assert (cache_statistics().compiled, cache_statistics().loaded) == (1, 0)
    assert path.read_bytes() == whole


def test_swapped_files_are_replaced(empty_cache, forget):
    kernel_address(SCALE)
    kernel_address(OTHER)
    first, second = empty_cache.iterdir()
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    forget()
    kernel_address(SCALE)
    kernel_address(OTHER)
    assert cache_statistics().compiled == 2
    assert (first.read_bytes(), second.read_bytes()) == (one, two)


def test_whole_file_that_cannot_be_linked_is_replaced(empty_cache, forget):
    kernel_address(SCALE)
    (path,) = empty_cache.iterdir()
    whole = path.read_bytes()
    disk.store(bytes.fromhex(path.name), b"no object file")
    forget()
    kernel_address(SCALE)
    assert cache_statistics().compiled == 1
    assert path.read_bytes() == whole


def test_folder_is_for_the_user_alone(empty_cache, forget):
    kernel_address(SCALE)
    assert empty_cache.stat().st_mode & 0o777 == 0o700
    (path,) = empty_cache.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_folder_that_others_can_write_to_is_not_used(mode, empty_cache, forget):
    kernel_address(SCALE)
    empty_cache.chmod(mode)
    forget()
    with pytest.warns(CacheWarning, match="other users can write"):
        kernel_address(SCALE)
    kernel_address(OTHER)  # warnings are errors here: the first was the last
    assert (cache_statistics().compiled, cache_statistics().loaded) == (2, 0)
    assert len(list(empty_cache.iterdir())) == 1


def test_folder_of_another_user_is_not_used(empty_cache, forget, monkeypatch):
    kernel_address(SCALE)
    forget()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.warns(CacheWarning, match="another user"):
        kernel_address(SCALE)
    assert cache_statistics().compiled == 1


def test_folder_that_cannot_be_made(empty_cache, forget):
    empty_cache.write_text("a file in its place")
    with pytest.warns(CacheWarning, match="not kept on disk"):
        kernel_address(SCALE)
    kernel_address(OTHER)
    assert cache_statistics().compiled == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_still_read(empty_cache, forget):
    kernel_address(SCALE)
    empty_cache.chmod(0o500)
    forget()
    kernel_address(SCALE)
    assert cache_statistics().loaded == 1
    with pytest.warns(CacheWarning, match="not kept on disk"):
        kernel_address(OTHER)


def test_full_disk(empty_cache, forget, monkeypatch):
    def replace(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.warns(CacheWarning, match="No space left"):
        kernel_address(SCALE)
    kernel_address(OTHER)
    assert not list(empty_cache.iterdir())


def test_no_warning_if_nothing_is_wrong(empty_cache, forget):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel_address(SCALE)
        forget()
        kernel_address(SCALE)


def test_default_folder_is_the_users_cache(monkeypatch, tmp_path, forget):
    monkeypatch.delenv("ARIGNOTE_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert disk.load(bytes(32)) is None
    (folder,) = [path for path in Path(tmp_path).rglob("kernels") if path.is_dir()]
    assert folder.parent.name == "arignote"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_processes_fill_an_empty_cache_together(empty_cache, start_python):
    program = (
        "from arignote.compile.objects import *; from arignote.compile.spec import KernelSpec\n"
        "for factor in (1.0, 2.0):\n"
        "    kernel_address(KernelSpec.of('native_samples.kernels:scale', factor=factor))\n"
        "print(cache_statistics().compiled + cache_statistics().loaded)\n"
    )
    processes = [start_python(program) for _ in range(8)]
    assert [process.communicate(timeout=60) for process in processes] == [("2\n", "")] * 8
    assert len(list(empty_cache.iterdir())) == 2
