"""Functions for neural networks (`theano.tensor.nnet`)."""

from arignote.engine.ops import (
    binary_crossentropy,
    categorical_crossentropy,
    causal_conv1d,
    conv1d,
    conv2d,
    conv2d_transpose,
    conv3d,
    layer_normalization,
    local_response_normalization,
    logsoftmax,
    relu,
    separable_conv2d,
    separable_conv3d,
    sigmoid,
    softmax,
    softplus,
)

from . import abstract_conv, bn, conv, neighbours

__all__ = [
    "abstract_conv",
    "binary_crossentropy",
    "bn",
    "categorical_crossentropy",
    "causal_conv1d",
    "conv",
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "layer_normalization",
    "local_response_normalization",
    "logsoftmax",
    "neighbours",
    "relu",
    "separable_conv2d",
    "separable_conv3d",
    "sigmoid",
    "softmax",
    "softplus",
]
