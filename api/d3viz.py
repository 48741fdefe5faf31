"""Interactive pictures (`theano.d3viz`)."""

from arignote.engine.printing import d3viz

__all__ = ["d3viz"]
