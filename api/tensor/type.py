"""Types of arrays (`theano.tensor.type`)."""

from arignote.engine.types import TensorType

__all__ = ["TensorType"]
