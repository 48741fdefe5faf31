"""What graphs are made of (`theano.gof`)."""

from arignote.engine.graph import Apply, Constant, Variable
from arignote.engine.ops.custom import Op

from . import graph

__all__ = ["Apply", "Constant", "Op", "Variable", "graph"]
