"""From graph to machine: plan, kernels, native program, cache, threads."""

from arignote.compile import mode, ops
from arignote.compile.compiled import Function
from arignote.compile.io import In, Out
from arignote.compile.mode import Mode, get_default_mode, get_mode
from arignote.compile.pipeline import function
from arignote.engine.ops.custom import as_op
from arignote.engine.ops.fromgraph import OpFromGraph
from arignote.engine.shared import SharedVariable, shared

__all__ = [
    "Function",
    "In",
    "Mode",
    "OpFromGraph",
    "Out",
    "SharedVariable",
    "as_op",
    "function",
    "get_default_mode",
    "get_mode",
    "mode",
    "ops",
    "shared",
]

if __name__ != "arignote.compile":
    raise ImportError("import arignote.compile; the folder compile/ is a part of the package arignote")
