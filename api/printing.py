"""Expressions and functions as text, formulas and pictures, and values on their way (`theano.printing`)."""

from arignote.engine.ops.control import Print
from arignote.engine.origin import scope
from arignote.engine.printing import debugprint, draw, latex, pprint, pydotprint
from arignote.engine.printing.trace import rewrite_trace

pp = pprint

__all__ = [
    "Print",
    "debugprint",
    "draw",
    "latex",
    "pp",
    "pprint",
    "pydotprint",
    "rewrite_trace",
    "scope",
]
