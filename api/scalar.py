"""What Theano says of dtypes (`theano.scalar`)."""

from arignote.engine.types import upcast

__all__ = ["upcast"]
