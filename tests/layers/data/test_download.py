"""Data sets fetched from servers, all on this machine: mirrors that are right, wrong, cut short, or gone."""

import gzip
import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from arignote.layers.data import datasets, published
from arignote.layers.data.datafiles import DatasetError, idx_bytes
from arignote.layers.data.datasets import load_mnist

RANDOM = np.random.default_rng(0)
ARRAYS = (
    RANDOM.integers(0, 256, (60, 28, 28), np.uint8),
    RANDOM.integers(0, 10, 60, np.uint8),
    RANDOM.integers(0, 256, (10, 28, 28), np.uint8),
    RANDOM.integers(0, 10, 10, np.uint8),
)
NAMES = [part.name for part in published.MNIST.parts]
FILES = {f"{name}.gz": gzip.compress(idx_bytes(a)) for name, a in zip(NAMES, ARRAYS, strict=True)}


class Handler(BaseHTTPRequestHandler):
    """Serves FILES from the folder ``/right/``, and what goes wrong with them from others."""

    def do_GET(self):
        _, how, name = self.path.split("/")
        self.server.asked.append(self.path)
        content = FILES[name]
        if how == "wrong":
            content = content[:-1] + b"x"
        self.send_response(503 if how == "busy" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if how == "truncated" else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """A server on a free port of this machine; `asked` lists what was asked of it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mirrors(server, monkeypatch, tmp_path):
    """Let a thousandth of MNIST's size stand for MNIST, to be had from folders of the server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(published.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.delenv("ARIGNOTE_DATA", raising=False)

    def use(*hows):
        monkeypatch.setattr(
            datasets,
            "MNIST",
            replace(
                published.MNIST,
                parts=tuple(
                    published.Part(name, array.shape, hashlib.md5(idx_bytes(array)).hexdigest())
                    for name, array in zip(NAMES, ARRAYS, strict=True)
                ),
                gzipped_md5=tuple(hashlib.md5(content).hexdigest() for content in FILES.values()),
                mirrors=tuple(
                    how if "://" in how else f"http://127.0.0.1:{server.server_port}/{how}/" for how in hows
                ),
            ),
        )

    return use


def assert_downloaded(dataset, folder):
    np.testing.assert_array_equal(dataset.test.labels, ARRAYS[3])
    np.testing.assert_array_equal(dataset.test.images, ARRAYS[2].reshape(10, 784) / np.float32(255))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES


def test_a_good_mirror(mirrors, server, tmp_path):
    mirrors("right")
    assert_downloaded(load_mnist(tmp_path, download=True), tmp_path / "mnist")
    assert server.asked == [f"/right/{name}" for name in FILES]
    load_mnist(tmp_path, download=True)
    load_mnist(tmp_path)
    assert len(server.asked) == 4


def test_without_a_folder_it_goes_to_the_cache(mirrors, tmp_path):
    mirrors("right")
    assert_downloaded(load_mnist(download=True), tmp_path / "cache" / "data" / "mnist")


@pytest.mark.parametrize("bad", ["wrong", "truncated", "busy", "http://127.0.0.1:1/"])
def test_a_bad_mirror_is_passed_over_once(mirrors, server, tmp_path, bad):
    mirrors(bad, "right")
    assert_downloaded(load_mnist(tmp_path, download=True), tmp_path / "mnist")
    assert len([path for path in server.asked if path.startswith("/right/")]) == 4
    assert len([path for path in server.asked if path.startswith(f"/{bad}/")]) <= 1


def test_no_good_mirror_tells_all_that_was_tried_and_leaves_nothing(mirrors, server, tmp_path):
    mirrors("wrong", "truncated", "busy", "http://127.0.0.1:1/")
    with pytest.raises(DatasetError) as caught:
        load_mnist(tmp_path, download=True)
    message = str(caught.value)
    assert f"MNIST could not be downloaded to {tmp_path / 'mnist'}" in message
    name = next(iter(FILES))
    for how in ("wrong", "truncated", "busy"):
        assert f"http://127.0.0.1:{server.server_port}/{how}/{name}: " in message
    for word in (f"http://127.0.0.1:1/{name}: ", hashlib.md5(FILES[name]).hexdigest(), "503", *FILES):
        assert word in message
    assert list((tmp_path / "mnist").iterdir()) == []


def test_what_is_there_is_kept_and_what_is_missing_or_damaged_is_fetched(mirrors, server, tmp_path):
    mirrors("right")
    (tmp_path / "mnist").mkdir()
    first, second, *rest = FILES
    (tmp_path / "mnist" / first).write_bytes(FILES[first])
    (tmp_path / "mnist" / second).write_bytes(b"cut short")
    assert_downloaded(load_mnist(tmp_path, download=True), tmp_path / "mnist")
    assert server.asked == [f"/right/{name}" for name in (second, *rest)]


def test_a_folder_that_cannot_be_made(mirrors, tmp_path):
    mirrors("right")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"could not be downloaded to .*file"):
        load_mnist(tmp_path / "file", download=True)


def test_nothing_is_fetched_unasked(mirrors, server, tmp_path):
    mirrors("right")
    with pytest.raises(DatasetError, match="pass download=True"):
        load_mnist(tmp_path)
    assert server.asked == []
