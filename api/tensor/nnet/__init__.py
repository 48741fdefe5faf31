"""Functions for neural networks (`theano.tensor.nnet`)."""

from arignote.engine.ops import (
    binary_crossentropy,
    categorical_crossentropy,
    causal_conv1d,
    conv1d,
    conv2d,
    conv2d_transpose,
    conv3d,
    logsoftmax,
    relu,
    separable_conv2d,
    separable_conv3d,
    sigmoid,
    softmax,
    softplus,
)

from . import abstract_conv, conv

__all__ = [
    "abstract_conv",
    "binary_crossentropy",
    "categorical_crossentropy",
    "causal_conv1d",
    "conv",
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "logsoftmax",
    "relu",
    "separable_conv2d",
    "separable_conv3d",
    "sigmoid",
    "softmax",
    "softplus",
]
