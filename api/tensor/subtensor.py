"""Assignment to parts of arrays (`theano.tensor.subtensor`)."""

from arignote.engine.ops import inc_subtensor, set_subtensor, take

__all__ = ["inc_subtensor", "set_subtensor", "take"]
