"""Random streams under their second name (`theano.sandbox.rng_mrg`)."""

from arignote.engine.ops import RandomStreams

MRG_RandomStreams = RandomStreams

__all__ = ["MRG_RandomStreams"]
