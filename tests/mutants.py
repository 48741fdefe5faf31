"""Damaged and hostile copies of files, and what becomes of whoever reads them.

`survey` runs a reader in a process of its own, `read_each` with a limit on its memory: a crash, a hang or a
blow-up is an outcome like others then.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

#: How files of many kinds begin.
MAGICS = (
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"%PDF",
    b"%!PS-Adobe",
    b"\x7fELF",
    b"\x80\x04",
    b"\x93NUMPY\x01\0",
)
#: Numbers at the ends of their ranges, which a header may promise.
EXTREMES = (0, *(2**bits - low for bits in (7, 8, 15, 16, 31, 32, 63, 64) for low in (0, 1)))


def mutants(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged copies of a file, each kind of damage in turn.

    Bits turned over; bytes replaced, taken out, put in; the end cut off or made longer; another magic at the
    start; numbers at the ends of their ranges; stretches of 0, of 255 and of other places.
    """
    random = np.random.default_rng(seed)

    def somewhere(near_the_start: bool = False) -> int:
        return int(random.integers(min(len(content), 64) if near_the_start else len(content)))

    def extreme() -> bytes:
        size = int(random.choice([1, 2, 4, 8]))
        number = EXTREMES[random.integers(len(EXTREMES))] % 256**size
        return number.to_bytes(size, "big" if random.random() < 0.5 else "little")

    for number in range(count):
        copy = bytearray(content)
        place, length = somewhere(), int(random.integers(1, 17))
        match number % 12:
            case 0:
                copy[place] ^= 1 << int(random.integers(8))
            case 1:
                copy[place] = int(random.integers(256))
            case 2:
                for each in random.integers(len(copy), size=length):
                    copy[each] = int(random.integers(256))
            case 3:
                del copy[place:]
            case 4:
                del copy[somewhere(near_the_start=True) :]
            case 5:
                del copy[place : place + length]
            case 6:
                copy[place:place] = random.bytes(length)
            case 7:
                magic = MAGICS[random.integers(len(MAGICS))]
                copy[: len(magic)] = magic
            case 8 | 9:
                written = extreme()
                start = somewhere(near_the_start=number % 12 == 9)
                copy[start : start + len(written)] = written
            case 10:
                copy += content if random.random() < 0.3 else random.bytes(length)
            case 11:
                other = somewhere()
                stretches = (bytes(length), b"\xff" * length, content[other : other + length])
                copy[place : place + length] = stretches[random.integers(3)]
        yield bytes(copy)


def read_each(
    read: Callable[[Path], object],
    files: Sequence[bytes],
    name: str,
    errors: type[Exception],
    most_bytes: int,
) -> dict[str, int]:
    """Read each file in turn, and count what became of it.

    Parameters
    ----------
    read : function
        Reads a file; it raises AssertionError for a wrong result.
    files : sequence of bytes
        The first one is whole. What comes up with it, such as imports, does not count as memory.
    name : str
        What the files are called.
    errors : type
        How a file is to be refused; the message names it.
    most_bytes : int
        How much memory may be reserved for one.

    Returns
    -------
    dict of str to int
        How many were ``"read"`` and ``"refused"``; anything else is a failure: ``"out of memory"``, or an
        error. The memory that was in use at most, in excess of that for the whole file, is ``"bytes"``.
    """
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folder" / name
        path.parent.mkdir(parents=True)
        for number, content in enumerate(files):
            path.write_bytes(content)
            try:
                read(path)
                outcome = "read"
            except errors as error:
                if number == 0:
                    raise
                outcome = "refused" if str(path) in str(error) else f"the file is not named: {error}"
                cause: BaseException | None = error
                while cause := cause.__cause__ or cause.__context__:
                    if isinstance(cause, MemoryError):
                        outcome = "out of memory"
            except Exception as error:
                if number == 0:
                    raise
                outcome = f"{type(error).__name__}: {error} (mutant {number})"
            outcomes[outcome] += 1
            if number == 0:
                used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                limit = pages * os.sysconf("SC_PAGE_SIZE") + most_bytes
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    outcomes["bytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) << 10
    return outcomes


def survey(module: str, function: str, *arguments: object, silent: bool = True) -> dict[str, int]:
    """Return what a function of a module, given by its file, returns in a process of its own.

    A crash and a hang are errors, and so is, if it is to be `silent`, what is written to the terminal.
    """
    result = subprocess.run(
        [sys.executable, "-W", "error", __file__, module, function, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, f"status {result.returncode}\n{result.stderr[-4000:]}"
    assert not (silent and result.stderr), result.stderr[-4000:]
    outcomes: dict[str, int] = json.loads(result.stdout)
    return outcomes


if __name__ == "__main__":
    file, function, arguments = sys.argv[1:]
    specification = importlib.util.spec_from_file_location("surveyed", file)
    loaded = importlib.util.module_from_spec(specification)
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # what imports warn of is none of the readers' business
        specification.loader.exec_module(loaded)
    print(json.dumps(getattr(loaded, function)(*json.loads(arguments))))
