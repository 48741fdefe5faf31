"""arignote: a Theano-style symbolic graph engine for convolutional networks on the CPU.

Write an expression over symbolic variables, ask for its gradient as another expression, and compile both into
native code:

>>> import numpy as np
>>> import arignote
>>> from arignote import tensor as T
>>> x = T.dvector("x")
>>> cost = T.sum(T.nnet.sigmoid(x) ** 2)
>>> f = arignote.function([x], [cost, arignote.grad(cost, x)])
>>> f(np.zeros(2))
[array(0.5), array([0.25, 0.25])]

What is here
------------
function, shared, grad, clone
    Compile expressions, make variables that keep their value, differentiate, replace variables.
Lop, Rop, vectorize, checkpoint
    Products with Jacobians, expressions over a batch, and gradients that compute values anew.
gradient
    All there is of derivatives: Jacobians, Hessians, what changes gradients, and their check.
scan, map, reduce, foldl, foldr
    Loops over the rows of sequences; `scan_module.until` ends one.
config
    `config.floatX`: the default floating dtype.
tensor
    The tensor language; usually imported as `T`.
layers
    Networks built on it, ready to train; imported when first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from arignote import gof, gradient, ifelse, printing, sandbox, scalar, scan_module, tensor
from arignote.compile import In, Mode, OpFromGraph, Out, function
from arignote.engine.clone import clone
from arignote.engine.config import config
from arignote.engine.derivatives import Lop, Rop, subgraph_grad
from arignote.engine.grad import grad
from arignote.engine.graph import Apply, Constant, Variable
from arignote.engine.names import unknown_name
from arignote.engine.ops import dot
from arignote.engine.ops.checkpoint import checkpoint
from arignote.engine.ops.custom import Op
from arignote.engine.ops.loops import foldl, foldr, map, reduce, scan
from arignote.engine.shared import shared
from arignote.engine.vectorize import vectorize
from arignote.printing import pp

__version__ = "0.1.0"

__all__ = [
    "Apply",
    "Constant",
    "In",
    "Lop",
    "Mode",
    "Op",
    "OpFromGraph",
    "Out",
    "Rop",
    "Variable",
    "checkpoint",
    "clone",
    "config",
    "dot",
    "foldl",
    "foldr",
    "function",
    "gof",
    "grad",
    "gradient",
    "ifelse",
    "layers",
    "map",
    "pp",
    "printing",
    "reduce",
    "sandbox",
    "scalar",
    "scan",
    "scan_module",
    "shared",
    "subgraph_grad",
    "tensor",
    "vectorize",
]


def __getattr__(name: str) -> ModuleType:
    # Layers bring the data readers along, which a user of expressions alone does not need.
    if name == "layers":
        return importlib.import_module("arignote.layers")
    raise unknown_name(__name__, name)
