import pytest

from arignote.engine.config import config


@pytest.fixture(params=["float64", "float32"])
def each_float(request, monkeypatch):
    """Run the test with either value of `config.floatX`."""
    monkeypatch.setattr(config, "floatX", request.param)
    return request.param


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")
