"""Ops that work element by element, or reorder axes (`theano.tensor.elemwise`)."""

from arignote.engine.ops.elementwise import Elementwise as Elemwise
from arignote.engine.ops.shape import DimShuffle

__all__ = ["DimShuffle", "Elemwise"]
