"""Random streams under their second name (`theano.sandbox.rng_mrg`)."""

from arignote.engine.ops import MRG_RandomStreams

__all__ = ["MRG_RandomStreams"]
