"""Rewrites: those that are built in, and one's own.

A rule is a function that takes a node and returns what stands for its output, or None to leave it alone:

>>> from arignote import function, tensor as T
>>> from arignote.engine.ops.elementwise import Neg, Sin
>>> from arignote.rewriting import inputs_of, rule
>>> @rule(Sin, keeps="exact")
... def sine_of_negative(node):
...     '''sin(-x) = -sin(x).'''
...     inner = inputs_of(node.inputs[0], Neg)
...     return None if inner is None else -T.sin(inner[0])
>>> x = T.dvector("x")
>>> f = function([x], T.sin(-x), rules=[sine_of_negative])
>>> f.fgraph.outputs
[<Neg float64(?)>]
"""

from arignote.engine.patterns import inputs_of, is_filled_with, stands_for
from arignote.engine.printing.trace import Trace, rewrite_trace
from arignote.engine.rewrite import Rule, rewrite, rule
from arignote.engine.rules import ALL

__all__ = [
    "ALL",
    "Rule",
    "Trace",
    "inputs_of",
    "is_filled_with",
    "rewrite",
    "rewrite_trace",
    "rule",
    "stands_for",
]
