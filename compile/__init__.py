"""From graph to machine: plan, kernels, native program, cache, threads."""

from arignote.compile.pipeline import Function, function

__all__ = ["Function", "function"]
