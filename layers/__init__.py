"""Networks: layers, losses, training, data, saving.

>>> from arignote.layers import ConvPoolLayer, FullyConnectedLayer, Network, SoftmaxLayer, load_digits
>>> network = Network([SoftmaxLayer(n_in=784, n_out=10)], mini_batch_size=10)
>>> network.predict(load_digits().test.images).shape
(1000,)
"""

from arignote.layers.activations import (
    elu,
    gelu,
    hard_sigmoid,
    leaky_relu,
    linear,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from arignote.layers.book import ConvPoolLayer, FullyConnectedLayer, SoftmaxLayer
from arignote.layers.clipping import clip_by_norm, clip_by_value, constrained, global_norm, max_norm
from arignote.layers.containers import Add, Branches, Composite, Concatenate, Residual, Sequential, Step
from arignote.layers.conv import (
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    DepthwiseConv2D,
    SeparableConv2D,
)
from arignote.layers.data.augmentation import Crop, Flip, Rotate, Shift, expand_one_pixel
from arignote.layers.data.batches import Batch, Batches
from arignote.layers.data.datasets import load_clothes, load_digits, load_fashion_mnist, load_mnist
from arignote.layers.data.folders import ImageFolder, load_image_folder
from arignote.layers.data.preprocessing import MeanSubtraction, Normalisation, PCAWhitening, ZCAWhitening
from arignote.layers.data.sizes import pad_to_one_size
from arignote.layers.data.weights import class_weights
from arignote.layers.dense import Activate, Bias, Dense, Dropout, Flatten, Reshape
from arignote.layers.embedding import Embedding
from arignote.layers.graph import Graph, Input, Node
from arignote.layers.initialisers import (
    Constant,
    Fans,
    Glorot,
    He,
    Initialiser,
    LeCun,
    Nielsen,
    Normal,
    Orthogonal,
    Uniform,
    conv_fans,
)
from arignote.layers.lambdas import Lambda
from arignote.layers.layer import Layer, Training
from arignote.layers.losses import (
    binary_cross_entropy,
    binary_hinge,
    cross_entropy,
    cross_entropy_of_probabilities,
    hinge,
    huber,
    kl_divergence,
    mean_absolute_error,
    mean_squared_error,
)
from arignote.layers.metrics import PerClass, accuracy, confusion_matrix, precision_recall, top_k_accuracy
from arignote.layers.nets import lenet, resnet
from arignote.layers.network import Network
from arignote.layers.normalization import BatchNorm, LayerNorm, LocalResponseNorm
from arignote.layers.optimisers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Descent,
    Optimiser,
    RMSprop,
)
from arignote.layers.penalties import WeightPenalty, l1, l2
from arignote.layers.pool import (
    AdaptiveAveragePool2D,
    AdaptiveMaxPool2D,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
)
from arignote.layers.published import load_weights
from arignote.layers.receptive import Field, Window
from arignote.layers.recurrent import GRU, LSTM, RNN
from arignote.layers.saving import load, load_network, save, save_network
from arignote.layers.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseSquareRoot,
    MultiStepDecay,
    OneCycle,
    PolynomialDecay,
    Schedule,
    StepDecay,
    WarmUp,
)
from arignote.layers.summary import Summary
from arignote.layers.tensorfiles import NetworkFileError
from arignote.layers.training.callbacks import BestWeights, EarlyStopping, ReduceOnPlateau
from arignote.layers.training.checkpoints import CheckpointError
from arignote.layers.training.loop import DivergenceError
from arignote.layers.training.trainer import Trainer
from arignote.layers.watching import Watcher

FullyConnected = FullyConnectedLayer

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Activate",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AdaptiveAveragePool2D",
    "AdaptiveMaxPool2D",
    "Add",
    "AveragePool1D",
    "AveragePool2D",
    "AveragePool3D",
    "Batch",
    "BatchNorm",
    "Batches",
    "BestWeights",
    "Bias",
    "Branches",
    "CheckpointError",
    "Composite",
    "Concatenate",
    "Constant",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvPoolLayer",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
    "CosineDecay",
    "Crop",
    "Dense",
    "DepthwiseConv2D",
    "Descent",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "ExponentialDecay",
    "Fans",
    "Field",
    "Flatten",
    "Flip",
    "FullyConnected",
    "FullyConnectedLayer",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Glorot",
    "Graph",
    "He",
    "ImageFolder",
    "Initialiser",
    "Input",
    "InverseSquareRoot",
    "Lambda",
    "Layer",
    "LayerNorm",
    "LeCun",
    "LocalResponseNorm",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MeanSubtraction",
    "MultiStepDecay",
    "Network",
    "NetworkFileError",
    "Nielsen",
    "Node",
    "Normal",
    "Normalisation",
    "OneCycle",
    "Optimiser",
    "Orthogonal",
    "PCAWhitening",
    "PerClass",
    "PolynomialDecay",
    "RMSprop",
    "ReduceOnPlateau",
    "Reshape",
    "Residual",
    "Rotate",
    "Schedule",
    "SeparableConv2D",
    "Sequential",
    "Shift",
    "SoftmaxLayer",
    "Step",
    "StepDecay",
    "Summary",
    "Trainer",
    "Training",
    "Uniform",
    "WarmUp",
    "Watcher",
    "WeightPenalty",
    "Window",
    "ZCAWhitening",
    "accuracy",
    "binary_cross_entropy",
    "binary_hinge",
    "class_weights",
    "clip_by_norm",
    "clip_by_value",
    "confusion_matrix",
    "constrained",
    "conv_fans",
    "cross_entropy",
    "cross_entropy_of_probabilities",
    "elu",
    "expand_one_pixel",
    "gelu",
    "global_norm",
    "hard_sigmoid",
    "hinge",
    "huber",
    "kl_divergence",
    "l1",
    "l2",
    "leaky_relu",
    "lenet",
    "linear",
    "load",
    "load_clothes",
    "load_digits",
    "load_fashion_mnist",
    "load_image_folder",
    "load_mnist",
    "load_network",
    "load_weights",
    "max_norm",
    "mean_absolute_error",
    "mean_squared_error",
    "pad_to_one_size",
    "precision_recall",
    "relu",
    "resnet",
    "save",
    "save_network",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
    "top_k_accuracy",
]

if __name__ != "arignote.layers":
    raise ImportError("import arignote.layers; the folder layers/ is a part of the package arignote")
