"""Pooling (`theano.tensor.signal.pool`)."""

from arignote.engine.ops import (
    max_pool_2d,
    max_pool_2d_same_size,
    max_unpool_2d,
    pool_1d,
    pool_2d,
    pool_3d,
)

__all__ = ["max_pool_2d", "max_pool_2d_same_size", "max_unpool_2d", "pool_1d", "pool_2d", "pool_3d"]
