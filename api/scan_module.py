"""What a step of a loop may return, under Theano's name."""

from arignote.engine.ops.loops import foldl, foldr, map, reduce, scan, until

__all__ = ["foldl", "foldr", "map", "reduce", "scan", "until"]
