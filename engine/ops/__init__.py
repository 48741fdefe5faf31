"""The ops of the graph, and their functions under Theano's names."""

from arignote.engine.ops.conv import conv2d
from arignote.engine.ops.dot import dot
from arignote.engine.ops.elementwise import (
    abs_,
    add,
    and_,
    cast,
    ceil,
    cos,
    eq,
    exp,
    expm1,
    floor,
    ge,
    gt,
    int_div,
    invert,
    isinf,
    isnan,
    le,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    mod,
    mul,
    neg,
    neq,
    or_,
    pow,
    relu,
    sgn,
    sigmoid,
    sin,
    softplus,
    sqr,
    sqrt,
    sub,
    switch,
    tanh,
    true_div,
    xor,
)
from arignote.engine.ops.index import getitem
from arignote.engine.ops.pool import max_pool_2d, pool_2d
from arignote.engine.ops.random import RandomStreams
from arignote.engine.ops.reduce import argmax, max, mean, min, prod, sum
from arignote.engine.ops.shape import (
    alloc,
    arange,
    dimshuffle,
    flatten,
    ones,
    ones_like,
    reshape,
    shape,
    stack,
    transpose,
    zeros,
    zeros_like,
)
from arignote.engine.ops.softmax import (
    binary_crossentropy,
    categorical_crossentropy,
    logsoftmax,
    softmax,
)

__all__ = [
    "RandomStreams", "abs_", "add", "alloc", "and_", "arange", "argmax", "binary_crossentropy", "cast",
    "categorical_crossentropy", "ceil", "conv2d", "cos", "dimshuffle", "dot", "eq", "exp", "expm1", "flatten", "floor",
    "ge", "getitem", "gt", "int_div", "invert", "isinf", "isnan", "le", "log", "log1p", "logsoftmax", "lt", "max",
    "max_pool_2d", "maximum", "mean", "min", "minimum", "mod", "mul", "neg", "neq", "ones", "ones_like", "or_",
    "pool_2d", "pow", "prod", "relu", "reshape", "sgn", "shape", "sigmoid", "sin", "softmax", "softplus", "sqr",
    "sqrt", "stack", "sub", "sum", "switch", "tanh", "transpose", "true_div", "xor", "zeros", "zeros_like",
]  # fmt: skip
