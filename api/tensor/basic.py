"""The functions of tensors in one module (`theano.tensor.basic`)."""

from arignote.engine.ops import *  # noqa: F403 - all of them, by the list that they come with
