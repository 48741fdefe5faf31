"""Variables that stand for arrays (`theano.tensor.var`)."""

from arignote.engine.graph import Constant as TensorConstant
from arignote.engine.tensorvariable import TensorVariable

__all__ = ["TensorConstant", "TensorVariable"]
