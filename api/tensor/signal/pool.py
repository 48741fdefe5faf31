"""Pooling (`theano.tensor.signal.pool`)."""

from arignote.engine.ops import max_pool_2d, pool_2d

__all__ = ["max_pool_2d", "pool_2d"]
