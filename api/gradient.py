"""Derivatives: as products, as matrices, changed on their way, and checked (`theano.gradient`)."""

from arignote.compile.verify import numeric_grad, verify_grad
from arignote.engine.derivatives import Lop, Rop, hessian, hessian_vector_product, jacobian, subgraph_grad
from arignote.engine.errors import DisconnectedInputError, GradientError, UndefinedGradientError
from arignote.engine.grad import grad
from arignote.engine.ops.checkpoint import checkpoint
from arignote.engine.ops.gradient import (
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)
from arignote.engine.undefined import DisconnectedGradient, UndefinedGradient, grad_undefined
from arignote.engine.vectorize import vectorize

DisconnectedType = DisconnectedGradient
NullType = UndefinedGradient
NullTypeGradError = UndefinedGradientError
consider_constant = zero_grad
grad_not_implemented = grad_undefined

__all__ = [
    "DisconnectedGradient",
    "DisconnectedInputError",
    "DisconnectedType",
    "GradientError",
    "Lop",
    "NullType",
    "NullTypeGradError",
    "Rop",
    "UndefinedGradient",
    "UndefinedGradientError",
    "checkpoint",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "numeric_grad",
    "subgraph_grad",
    "undefined_grad",
    "vectorize",
    "verify_grad",
    "zero_grad",
]
