"""Rows of ops in Theano's form."""

from __future__ import annotations

import numpy as np

import arignote
from arignote import tensor as T
from cases.table import normal, row


class SquareAndSum(arignote.Op):
    __props__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return arignote.Apply(self, [x], [x.type(), T.dscalar()])

    def perform(self, node, inputs, output_storage):
        (x,) = inputs
        output_storage[0][0] = self.factor * x**2
        output_storage[1][0] = np.asarray(x.sum())

    def grad(self, inputs, output_gradients):
        return [2 * self.factor * inputs[0] * output_gradients[0] + output_gradients[1]]


row(
    "a user's op",
    lambda x: SquareAndSum(3.0)(x)[0] * SquareAndSum(3.0)(T.tanh(x))[1],
    [normal(2, 3)],
    lambda x: 3 * x**2 * np.tanh(x).sum(),
    ulps=64,
    order=2,
)
