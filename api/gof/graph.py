"""Walks over graphs (`theano.gof.graph`)."""

from arignote.engine.graph import Apply, Constant, Variable
from arignote.engine.structure import is_same_graph
from arignote.engine.traversal import ancestors, inputs, io_toposort, list_of_nodes

__all__ = [
    "Apply",
    "Constant",
    "Variable",
    "ancestors",
    "inputs",
    "io_toposort",
    "is_same_graph",
    "list_of_nodes",
]
