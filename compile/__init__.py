"""From graph to machine: plan, kernels, native program, cache, threads."""

from arignote.compile.pipeline import Function, function

__all__ = ["Function", "function"]

if __name__ != "arignote.compile":
    raise ImportError("import arignote.compile; the folder compile/ is a part of the package arignote")
