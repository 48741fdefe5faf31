"""Thousands of damaged network files: a clear error each, or a network; no crash, little memory."""

import json
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from mutants import mutants, read_each, survey

from arignote.layers import (
    FullyConnectedLayer,
    Network,
    NetworkFileError,
    SoftmaxLayer,
    load_network,
    save_network,
)


def network_file() -> bytes:
    network = Network(
        [FullyConnectedLayer(n_in=20, n_out=8), SoftmaxLayer(n_in=8, n_out=3)], mini_batch_size=2
    )
    with tempfile.TemporaryDirectory() as folder:
        save_network(network, Path(folder) / "network.safetensors")
        return (Path(folder) / "network.safetensors").read_bytes()


def headers(content: bytes, count: int, seed: int):
    """Yield safetensors files whose headers are well formed, and lie or exaggerate."""
    random = np.random.default_rng(seed)
    (length,) = struct.unpack("<Q", content[:8])
    original, data = content[8 : 8 + length], content[8 + length :]
    for number in range(count):
        header = json.loads(original)
        name = str(random.choice([key for key in header if key != "__metadata__"]))
        tensor, metadata = header[name], header["__metadata__"]
        entry = str(random.choice(list(metadata)))
        match number % 8:
            case 0:
                tensor["shape"] = (2 ** random.integers(0, 63, random.integers(5))).tolist()
            case 1:
                tensor["data_offsets"] = (2 ** random.integers(0, 63, 2)).tolist()
            case 2:
                tensor["dtype"] = str(random.choice(["F64", "BF16", "U8", "F8_E4M3", "C64", "F32 "]))
            case 3:
                tensor["shape"] = [tensor["shape"]]
            case 4:
                metadata[entry] = str(random.choice(["[", '{"a":'])) * 100_000
            case 5:
                metadata[entry] = str(random.choice(["null", "[]", "{}", "1e999", "NaN", '"text"', ""]))
            case 6:
                figures = [place for place, letter in enumerate(metadata[entry]) if letter.isdigit()]
                place = int(random.choice(figures))
                large = str(2 ** int(random.integers(0, 80)))
                metadata[entry] = metadata[entry][:place] + large + metadata[entry][place + 1 :]
            case 7:
                del header[name]
        packed = json.dumps(header).encode()
        packed += b" " * (-len(packed) % 8)
        yield struct.pack("<Q", len(packed)) + packed + data


def network_files(kind: str, count: int, seed: int) -> dict[str, int]:
    """Let damaged copies of a network file be loaded."""
    content = network_file()
    damaged = {"safetensors": mutants, "safetensors header": headers}[kind](content, count, seed)

    def read(path: Path) -> None:
        assert load_network(path).predict(np.zeros((2, 20))).shape == (2,)

    name = "network.safetensors"
    return read_each(read, [content, *damaged], name, NetworkFileError, most_bytes=512 << 20)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("count", [64, pytest.param(2500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["safetensors", "safetensors header"])
def test_network_files(kind, count):
    outcomes = survey(__file__, "network_files", kind, count, 3)
    assert outcomes.pop("bytes") < 128 << 20
    assert set(outcomes) <= {"read", "refused"}, outcomes
    assert sum(outcomes.values()) == count + 1
    assert outcomes["refused"] > count // 2
