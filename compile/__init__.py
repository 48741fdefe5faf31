"""From graph to machine: plan, kernels, native program, cache, threads."""

from arignote.compile.io import In, Out
from arignote.compile.mode import Mode, get_default_mode, get_mode
from arignote.compile.pipeline import Function, function
from arignote.engine.shared import SharedVariable, shared

__all__ = [
    "Function",
    "In",
    "Mode",
    "Out",
    "SharedVariable",
    "function",
    "get_default_mode",
    "get_mode",
    "shared",
]

if __name__ != "arignote.compile":
    raise ImportError("import arignote.compile; the folder compile/ is a part of the package arignote")
