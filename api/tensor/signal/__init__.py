"""Functions of signals (`theano.tensor.signal`)."""

from arignote.engine.names import hints

from . import conv, downsample, pool

__all__ = ["conv", "downsample", "pool"]

__getattr__ = hints(__name__)
