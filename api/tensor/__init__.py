"""The tensor language, under Theano's names; usually imported as `T`.

>>> from arignote import tensor as T
>>> x = T.fmatrix("x")
>>> T.nnet.relu(T.dot(x, x.T)).type
TensorType(dtype='float32', shape=(None, None))

Makers of variables are `scalar`, `vector`, `row`, `col`, `matrix`, `tensor3`, `tensor4` and `tensor5`, of
dtype `floatX`; with a prefix (b, w, i, l, f, d) of dtype int8, int16, int32, int64, float32 or float64; and
their plurals.
"""

from arignote.engine.grad import grad
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.makers import MAKERS, PLURALS
from arignote.engine.ops import (
    abs_,
    add,
    alloc,
    and_,
    arange,
    argmax,
    cast,
    ceil,
    cos,
    dimshuffle,
    dot,
    eq,
    exp,
    expm1,
    flatten,
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
    max,
    maximum,
    mean,
    min,
    minimum,
    mod,
    mul,
    neg,
    neq,
    ones,
    ones_like,
    or_,
    pow,
    prod,
    reshape,
    sgn,
    shape,
    sin,
    sqr,
    sqrt,
    stack,
    sub,
    sum,
    switch,
    tanh,
    transpose,
    true_div,
    xor,
    zeros,
    zeros_like,
)
from arignote.engine.types import TensorType

from . import nnet, shared_randomstreams, signal

as_tensor_variable = as_variable
constant = Constant
TensorVariable = Variable

globals().update(MAKERS)
globals().update(PLURALS)

__all__ = [
    "Constant",
    "TensorType",
    "TensorVariable",
    "Variable",
    "abs_",
    "add",
    "alloc",
    "and_",
    "arange",
    "argmax",
    "as_tensor_variable",
    "cast",
    "ceil",
    "constant",
    "cos",
    "dimshuffle",
    "dot",
    "eq",
    "exp",
    "expm1",
    "flatten",
    "floor",
    "ge",
    "grad",
    "gt",
    "int_div",
    "invert",
    "isinf",
    "isnan",
    "le",
    "log",
    "log1p",
    "lt",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mod",
    "mul",
    "neg",
    "neq",
    "nnet",
    "ones",
    "ones_like",
    "or_",
    "pow",
    "prod",
    "reshape",
    "sgn",
    "shape",
    "shared_randomstreams",
    "signal",
    "sin",
    "sqr",
    "sqrt",
    "stack",
    "sub",
    "sum",
    "switch",
    "tanh",
    "transpose",
    "true_div",
    "xor",
    "zeros",
    "zeros_like",
    *MAKERS,
    *PLURALS,
]
