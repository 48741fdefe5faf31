"""Shared variables (`theano.tensor.sharedvar`)."""

from arignote.engine.shared import SharedVariable
from arignote.engine.shared import SharedVariable as TensorSharedVariable

__all__ = ["SharedVariable", "TensorSharedVariable"]
