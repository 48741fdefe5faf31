"""Functions of signals (`theano.tensor.signal`)."""

from . import downsample, pool

__all__ = ["downsample", "pool"]
