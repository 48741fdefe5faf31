"""Variables that stand for arrays (`theano.tensor.var`)."""

from arignote.engine.graph import Constant as TensorConstant
from arignote.engine.graph import Variable as TensorVariable

__all__ = ["TensorConstant", "TensorVariable"]
