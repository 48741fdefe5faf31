"""Random streams (`theano.tensor.shared_randomstreams`)."""

from arignote.engine.ops import RandomStreams

__all__ = ["RandomStreams"]
