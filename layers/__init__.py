"""Networks: layers, losses, training, data, saving.

>>> from arignote.layers import ConvPoolLayer, FullyConnectedLayer, Network, SoftmaxLayer, load_digits
>>> network = Network([SoftmaxLayer(n_in=784, n_out=10)], mini_batch_size=10)
>>> network.predict(load_digits().test.images).shape
(1000,)
"""

from arignote.layers.activations import linear, relu, sigmoid, tanh
from arignote.layers.book import ConvPoolLayer, FullyConnectedLayer, SoftmaxLayer
from arignote.layers.containers import Add, Residual, Sequential
from arignote.layers.conv import Conv1D, Conv2D, Conv3D
from arignote.layers.data.augmentation import Crop, Flip, Rotate, Shift, expand_one_pixel
from arignote.layers.data.batches import Batch, Batches
from arignote.layers.data.datasets import load_clothes, load_digits, load_fashion_mnist, load_mnist
from arignote.layers.data.preprocessing import MeanSubtraction, Normalisation, PCAWhitening, ZCAWhitening
from arignote.layers.data.sizes import pad_to_one_size
from arignote.layers.data.weights import class_weights
from arignote.layers.dense import Activate, Bias, Dense, Dropout, Flatten, Reshape
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
    dense_fans,
)
from arignote.layers.layer import Layer, Training
from arignote.layers.network import DivergenceError, Network
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
from arignote.layers.pool import AveragePool2D, GlobalAveragePool, MaxPool2D
from arignote.layers.saving import NetworkFileError, load_network, save_network
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
from arignote.layers.watching import Watcher

FullyConnected = FullyConnectedLayer

__all__ = [
    "SGD",
    "Activate",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Add",
    "AveragePool2D",
    "Batch",
    "Batches",
    "Bias",
    "Constant",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvPoolLayer",
    "CosineDecay",
    "Crop",
    "Dense",
    "Descent",
    "DivergenceError",
    "Dropout",
    "ExponentialDecay",
    "Fans",
    "Flatten",
    "Flip",
    "FullyConnected",
    "FullyConnectedLayer",
    "GlobalAveragePool",
    "Glorot",
    "Graph",
    "He",
    "Initialiser",
    "Input",
    "InverseSquareRoot",
    "Layer",
    "LeCun",
    "MaxPool2D",
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
    "PolynomialDecay",
    "RMSprop",
    "Reshape",
    "Residual",
    "Rotate",
    "Schedule",
    "Sequential",
    "Shift",
    "SoftmaxLayer",
    "StepDecay",
    "Training",
    "Uniform",
    "WarmUp",
    "Watcher",
    "ZCAWhitening",
    "class_weights",
    "conv_fans",
    "dense_fans",
    "expand_one_pixel",
    "linear",
    "load_clothes",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_network",
    "pad_to_one_size",
    "relu",
    "save_network",
    "sigmoid",
    "tanh",
]

if __name__ != "arignote.layers":
    raise ImportError("import arignote.layers; the folder layers/ is a part of the package arignote")
