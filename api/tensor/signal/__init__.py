"""Functions of signals (`theano.tensor.signal`)."""

from . import conv, downsample, pool

__all__ = ["conv", "downsample", "pool"]
