import errno
import os
import tempfile
import time
import warnings
from pathlib import Path

import pytest

from arignote.__main__ import main
from arignote.compile import disk, objects
from arignote.compile.disk import CacheInfo, CacheWarning, cache_info, clear_cache
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


@pytest.mark.parametrize("change", ["_host_features", "version"])
def test_file_of_another_machine_is_not_used(change, empty_cache, forget, monkeypatch):
    kernel_address(SCALE)
    (own,) = empty_cache.iterdir()
    whole = own.read_bytes()
    with monkeypatch.context() as elsewhere:
        if change == "version":
            elsewhere.setattr("importlib.metadata.version", lambda package: "0.1")
        else:
            elsewhere.setattr(objects, "_host_features", lambda: "")
        objects.machine_digest.cache_clear()
        forget()
        kernel_address(SCALE)
        assert cache_statistics().compiled == 1
    objects.machine_digest.cache_clear()
    (other,) = set(empty_cache.iterdir()) - {own}
    forget()
    kernel_address(SCALE)
    assert cache_statistics().loaded == 1  # both are kept, for machines that share the folder
    other.replace(own)
    forget()
    kernel_address(SCALE)
    assert cache_statistics().compiled == 1
    assert own.read_bytes() == whole


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


def test_read_only_folder_is_still_read(empty_cache, forget, monkeypatch):
    def refuse(*args, **named):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    kernel_address(SCALE)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    forget()
    kernel_address(SCALE)
    assert cache_statistics().loaded == 1
    with pytest.warns(CacheWarning, match="Read-only file system"):
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


NETWORK = """
import hashlib
import numpy as np
from arignote import function, grad, shared
from arignote import tensor as T

random = np.random.default_rng(0)
images = random.standard_normal((10, 1, 8, 8), "float32")
labels = np.arange(10, dtype="int32")
w = shared(random.standard_normal((4, 1, 3, 3), "float32"))
v = shared(random.standard_normal((144, 10), "float32") / np.float32(10))
x, y = T.ftensor4("x"), T.ivector("y")
features = T.tanh(T.nnet.conv2d(x, w))
cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(features.flatten(2), v)), y).mean()
step = function([x, y], cost, updates=[(p, p - np.float32(0.1) * grad(cost, p)) for p in (w, v)])
for _ in range(3):
    step(images, labels)
print(hashlib.sha256(w.get_value().tobytes() + v.get_value().tobytes()).hexdigest())
"""
COUNTS = """
from arignote.compile.objects import cache_statistics

print(cache_statistics().compiled, cache_statistics().loaded)
"""


@pytest.mark.parametrize("count", [2, pytest.param(16, marks=pytest.mark.slow)])
def test_processes_fill_an_empty_cache_together(count, empty_cache, start_python):
    processes = [start_python(NETWORK + COUNTS) for _ in range(count)]
    outputs = [process.communicate(timeout=600) for process in processes]
    assert {errors for _, errors in outputs} == {""}
    digests, counts = zip(*(output.splitlines() for output, _ in outputs), strict=True)
    assert len(set(digests)) == 1
    kernels = {sum(map(int, each.split())) for each in counts}
    assert kernels == {len(list(empty_cache.iterdir()))}
    process = start_python(NETWORK + COUNTS)
    assert process.communicate(timeout=60)[0].split() == [digests[0], "0", str(*kernels)]


def test_warm_start_of_a_network_does_not_import_numba(empty_cache, run_python):
    cold = run_python(NETWORK + COUNTS)
    warm = run_python(NETWORK + COUNTS + "import sys; print('numba' in sys.modules)\n").splitlines()
    assert warm[0] == cold.splitlines()[0]
    assert warm[1].split()[0] == "0"
    assert warm[2] == "False"


UNUSABLE = {
    "full disk": "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))",
    "no home": "import os; del os.environ['ARIGNOTE_CACHE_DIR']; os.environ['HOME'] = '/dev/null'; "
    "os.environ.pop('XDG_CACHE_HOME', None)",
    "open to others": "import os; os.chmod(os.environ['ARIGNOTE_CACHE_DIR'], 0o777)",
}
TWO_KERNELS = """
import warnings
import arignote
from arignote import tensor as T

x = T.dvector("x")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(arignote.function([x], [(x * 2).sum(), x + 1])([1.0, 2.0]))
print(*(warning.category.__name__ for warning in caught))
"""


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
def test_function_without_a_cache_warns_once_and_is_right(spoil, empty_cache, run_python):
    empty_cache.mkdir()
    output = run_python(f"{spoil}\n{TWO_KERNELS}{COUNTS}")
    assert output == "[array(6.), array([2., 3.])]\nCacheWarning\n3 0\n"  # the driver is a kernel too
    assert not list(empty_cache.iterdir())


# ------------------------------------------------------------------------------------------ size


@pytest.fixture
def fill(empty_cache, forget):
    """Return a function that stores files of 1000 bytes, used a day ago and later in their order."""

    def fill(names):
        for number, name in enumerate(names):
            disk.store(disk.digest(name.encode()), bytes(1000 - len(disk._header(b"k" * 32, b""))))
            used = time.time() - 86_400 + number
            os.utime(empty_cache / disk.digest(name.encode()).hex(), (used, used))

    return fill


def kept(names):
    return "".join(name for name in names if disk.load(disk.digest(name.encode())) is not None)


def test_least_recently_used_files_go_first(empty_cache, fill, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 10_000)
    fill("abcdefgh")
    assert disk.load(disk.digest(b"b")) is not None  # a hit counts as a use
    monkeypatch.setattr(disk, "_may_write", 0)
    monkeypatch.setenv("ARIGNOTE_CACHE_SIZE", "5000")
    disk.store(disk.digest(b"i"), bytes(900))
    assert cache_info().bytes <= 5000
    assert kept("abcdefghi") == "bghi"


def test_limit_holds_however_much_is_written(empty_cache, fill, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 0)
    monkeypatch.setenv("ARIGNOTE_CACHE_SIZE", "40K")
    for number in range(120):
        disk.store(disk.digest(b"%d" % number), bytes(1000))
        assert cache_info().bytes <= 40 * 1024
    assert cache_info().files > 30


def test_folder_is_seldom_looked_at(empty_cache, fill, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 0)
    looks = []
    entries = disk._entries
    monkeypatch.setattr(disk, "_entries", lambda folder: looks.append(folder) or entries(folder))
    fill(map(str, range(100)))
    assert len(looks) == 1


def test_size_of_nothing_keeps_nothing_and_fails_nothing(empty_cache, forget, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 0)
    monkeypatch.setenv("ARIGNOTE_CACHE_SIZE", "0")
    kernel_address(SCALE)
    assert not list(empty_cache.iterdir())


def test_size_that_is_none_warns_once(empty_cache, forget, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 0)
    monkeypatch.setenv("ARIGNOTE_CACHE_SIZE", "plenty")
    with pytest.warns(CacheWarning, match="ARIGNOTE_CACHE_SIZE.*'plenty'"):
        kernel_address(SCALE)
    assert len(list(empty_cache.iterdir())) == 1
    with pytest.raises(ValueError, match="ARIGNOTE_CACHE_SIZE"):
        cache_info()


def test_half_written_files_go_once_they_are_abandoned(empty_cache, fill, monkeypatch):
    monkeypatch.setattr(disk, "_may_write", 10_000)
    fill("a")
    abandoned, fresh = (empty_cache / f"{32 * code}x.partial" for code in ("00", "11"))
    for path in (abandoned, fresh):
        path.write_bytes(bytes(10))
    os.utime(abandoned, (time.time() - 7200,) * 2)
    monkeypatch.setattr(disk, "_may_write", 0)
    disk.store(disk.digest(b"b"), b"")
    assert (abandoned.exists(), fresh.exists(), kept("ab")) == (False, True, "ab")


def test_processes_prune_one_folder_together(empty_cache, start_python):
    program = (
        "import os; from arignote.compile import disk\n"
        "for number in range(300):\n"
        "    key = disk.digest(b'%d' % (number % 50))\n"
        "    image = disk.load(key)\n"
        "    assert image is None or image == bytes(1000)\n"
        "    disk.store(key, bytes(1000))\n"
    )
    processes = [start_python(program, ARIGNOTE_CACHE_SIZE="20K") for _ in range(4)]
    assert [process.communicate(timeout=60) for process in processes] == [("", "")] * 4
    assert cache_info().bytes <= 20 * 1024 + 4 * 1100


def test_clearing_leaves_what_is_not_the_caches(empty_cache, fill, capsys):
    fill("abc")
    (empty_cache / "notes.txt").write_text("mine")
    assert cache_info() == CacheInfo(empty_cache, 3, 3000, 1 << 30)
    assert main(["cache", "info"]) == 0
    assert capsys.readouterr().out == f"{empty_cache}: 3 files, 2.9 KiB of at most 1.0 GiB\n"
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"removed 3 files, 2.9 KiB from {empty_cache}\n"
    assert [path.name for path in empty_cache.iterdir()] == ["notes.txt"]
    clear_cache()
    assert cache_info().files == 0


def test_command_says_what_is_wrong_with_the_folder(empty_cache, capsys):
    empty_cache.mkdir(mode=0o777)
    empty_cache.chmod(0o777)
    assert main(["cache", "info"]) == 1
    assert "chmod 700" in capsys.readouterr().err
