"""Expressions as text, and values on their way (`theano.printing`)."""

from arignote.engine.ops.control import Print
from arignote.engine.printing import pprint

__all__ = ["Print", "pprint"]
