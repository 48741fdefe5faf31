"""The older home of pooling (`theano.tensor.signal.downsample`)."""

from arignote.engine.ops import max_pool_2d, max_pool_2d_same_size

__all__ = ["max_pool_2d", "max_pool_2d_same_size"]
