"""Rewriting: small named rules, and the driver that applies them.

A rule is a function that takes a node and returns what stands for its outputs, or None. Its docstring
states the equation; its tag says what the equation keeps:

- ``exact``: the same bits;
- ``rounding``: the same value but for rounding;
- ``poles``: the same value but for rounding, except where one side is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Constant, Op, Variable, graph_inputs, rebuild, walk
from arignote.engine.origin import inherit

Keeps = Literal["exact", "rounding", "poles"]
Transform = Callable[[Apply], "Variable | Sequence[Variable] | None"]

#: Arrays up to this size are computed ahead; larger ones would only take memory.
FOLDED_BYTES = 1 << 16


@dataclass(frozen=True)
class Rule:
    """A rewrite of nodes whose op is of certain classes.

    Parameters
    ----------
    transform : callable
        From a node to the variable, or the sequence of variables, that replace its outputs; None to leave it.
    ops : tuple of op classes
    keeps : {'exact', 'rounding', 'poles'}
    """

    transform: Transform
    ops: tuple[type[Op], ...]
    keeps: Keeps

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.transform.__name__

    @property
    def equation(self) -> str:
        """What it states."""
        return (self.transform.__doc__ or "").strip()


def rule(*ops: type[Op], keeps: Keeps) -> Callable[[Transform], Rule]:
    """Make a rule of a function."""
    return lambda transform: Rule(transform, ops, keeps)


@dataclass(frozen=True)
class Step:
    """One application of a rule: its name, and what became of what."""

    rule: str
    before: Apply
    after: tuple[Variable, ...]


def rewrite(
    outputs: Sequence[Variable], rules: Iterable[Rule], trace: list[Step] | None = None
) -> list[Variable]:
    """Return outputs with the rules applied until none fits, equal nodes merged, and constants computed.

    Parameters
    ----------
    outputs : sequence of Variable
    rules : iterable of Rule
        Those for one op are tried in this order.
    trace : list of Step, optional
        Where each application is recorded.
    """
    by_op: dict[type[Op], list[Rule]] = {}
    for each in rules:
        for op in each.ops:
            by_op.setdefault(op, []).append(each)
    driver = _Driver(by_op, trace)
    outputs = list(outputs)
    while True:
        rewritten = driver.run(outputs)
        if all(new is old for new, old in zip(rewritten, outputs, strict=True)):
            return rewritten
        outputs = rewritten


class _Driver:
    """One pass over the graph, inputs first, with memory of the nodes and constants that exist."""

    def __init__(self, rules: dict[type[Op], list[Rule]], trace: list[Step] | None) -> None:
        self.rules = rules
        self.trace = trace
        self.nodes: dict[Any, tuple[Variable, ...]] = {}
        self.constants: dict[Any, Constant] = {}
        self.done: set[Variable] = set()  # merged and rewritten in this pass

    def run(self, outputs: Sequence[Variable]) -> list[Variable]:
        self.nodes.clear()  # their variables may have been replaced since
        self.done = {x for x in graph_inputs(outputs) if not isinstance(x, Constant)}
        mapping: dict[Variable, Variable] = {}
        for node in walk(outputs):
            inputs = [self._merged_constant(mapping.get(x, x)) for x in node.inputs]
            new = self._merged_node(rebuild(node, inputs))
            for before, after in zip(node.outputs, new, strict=True):
                if after is not before:
                    mapping[before] = after
        return [mapping.get(x, x) for x in outputs]

    def _merged_constant(self, x: Variable) -> Variable:
        """Merge constants that are equal in type and bits (0.0 and -0.0 are not)."""
        if not isinstance(x, Constant):
            return x
        merged = self.constants.setdefault((x.type, x.value.tobytes()), x)
        self.done.add(merged)
        return merged

    def _merged_node(self, outputs: tuple[Variable, ...]) -> tuple[Variable, ...]:
        """Return what stands for the outputs of a node whose inputs are merged and rewritten already.

        Where a rule makes one node of such inputs, that is rewritten in turn: a rule that goes down a chain,
        as from the shape of a sum to that of its operand, would need as many passes as the chain is long.
        """
        keys = []
        while True:
            node = outputs[0].owner
            assert node is not None
            key = (typed(node.op), node.inputs)
            known = self.nodes.get(key)
            if known is not None:
                outputs = known
                break
            keys.append(key)
            after = self._folded(node) or self._applied(node)
            if after is None:
                break
            outputs = after
            made = after[0].owner
            if made is None or made.outputs != after or not self.done.issuperset(made.inputs):
                break
        self.nodes.update(dict.fromkeys(keys, outputs))
        self.done.update(outputs)
        return outputs

    def _folded(self, node: Apply) -> tuple[Variable, ...] | None:
        """Compute a node whose inputs are constants."""
        if not node.inputs or not all(isinstance(x, Constant) for x in node.inputs):
            return None
        for kind in (out.type for out in node.outputs):
            if None in kind.shape or math.prod(kind.shape) * np.dtype(kind.dtype).itemsize > FOLDED_BYTES:  # type: ignore[arg-type]  # no None is left
                return None
        try:
            values = node.op.perform(*(x.value for x in node.inputs if isinstance(x, Constant)))
        except GraphError as error:
            error.origin = error.origin or node.origin
            raise
        return tuple(self._merged_constant(Constant(value)) for value in values)

    def _applied(self, node: Apply) -> tuple[Variable, ...] | None:
        for each in self.rules.get(type(node.op), ()):
            with inherit(node.origin):
                result = each.transform(node)
            if result is None:
                continue
            after = (result,) if isinstance(result, Variable) else tuple(result)
            _check_types(each, node, after)
            for old, new in zip(node.outputs, after, strict=True):
                if not vars(new.tag):  # what is said of a variable holds for what stands for it
                    new.tag = old.tag
            if self.trace is not None:
                self.trace.append(Step(each.name, node, after))
            return after
        return None


def typed(value: Any) -> Any:
    """Return a key that tells apart parameters that Python calls equal: 1, True and 1.0; 0.0 and -0.0."""
    if isinstance(value, Op):
        return type(value), tuple(
            typed(getattr(value, name)) for name in getattr(value, "__dataclass_fields__", ())
        )
    if isinstance(value, tuple):
        return tuple(typed(entry) for entry in value)
    return type(value), repr(value) if isinstance(value, float) else value


def _check_types(applied: Rule, node: Apply, after: tuple[Variable, ...]) -> None:
    """Hold every rule to keep the dtype and the rank: a rule that does not is a bug in the rule."""
    for old, new in zip(node.outputs, after, strict=True):
        if old.dtype != new.dtype or old.ndim != new.ndim:
            raise AssertionError(f"rule {applied.name} turned {old.type} into {new.type} ({node!r})")
