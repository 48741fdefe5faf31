"""The functions of tensors in one module (`theano.tensor.basic`)."""

from arignote.engine.makers import as_tensor_variable, constant, tensor  # noqa: F401 - re-exported
from arignote.engine.ops import *  # noqa: F403 - all of them, by the list that they come with
