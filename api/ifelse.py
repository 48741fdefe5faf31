"""The lazy choice between two expressions (`theano.ifelse`)."""

from arignote.engine.ops.control import ifelse

__all__ = ["ifelse"]
