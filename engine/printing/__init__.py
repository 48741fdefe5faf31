"""Expressions and functions as text, formulas and pictures."""

from arignote.engine.printing.dot import pydotprint
from arignote.engine.printing.latex import latex
from arignote.engine.printing.notation import pprint
from arignote.engine.printing.page import d3viz, draw
from arignote.engine.printing.tree import debugprint

__all__ = ["d3viz", "debugprint", "draw", "latex", "pprint", "pydotprint"]
