"""Functions for neural networks (`theano.tensor.nnet`)."""

from arignote.engine.ops import (
    binary_crossentropy,
    categorical_crossentropy,
    conv2d,
    logsoftmax,
    relu,
    sigmoid,
    softmax,
    softplus,
)

from . import conv

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "conv",
    "conv2d",
    "logsoftmax",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
]
