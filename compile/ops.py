"""Ops of Python functions, where Theano has them (`theano.compile.ops`)."""

from arignote.engine.ops.custom import FunctionOp, as_op

__all__ = ["FunctionOp", "as_op"]
