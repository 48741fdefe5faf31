"""Products with a logarithm that are 0 where their factor is (`theano.tensor.xlogx`)."""

from arignote.engine.ops import xlogx, xlogy0

__all__ = ["xlogx", "xlogy0"]
