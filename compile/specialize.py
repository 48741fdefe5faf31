"""From a graph with open shapes to one whose extents are all numbers.

At a call, integers decide shapes: the extents of the arguments, and integer scalars such as the `i` of
``x[i * B : (i + 1) * B]``. `Shapes` resolves them into a key, by following nothing but integer scalars and
vectors of a few integers; a graph is specialised once for each key. What stays open in it are offsets: where
a slice begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.errors import GraphError
from arignote.engine.evaluate import infer_into
from arignote.engine.graph import Apply, Constant, Op, Variable, op_name, walk
from arignote.engine.ops.index import Indexing
from arignote.engine.ops.scan import Scan
from arignote.engine.ops.shape import ARange, ShapeOf, is_short
from arignote.engine.origin import inherit
from arignote.engine.rewrite import rewrite
from arignote.engine.rules import SHAPES, SIZED
from arignote.engine.types import TensorType

#: Ops whose shape inputs say more than a shape: where something begins.
_OFFSETS = (Indexing, ARange)


#: The tag that keeps, in a specialised graph, what the open graph knew of a variable's shape.
PROMISED = "promised_shape"


@dataclass(frozen=True)
class Sized(Op):
    """An op whose output shape is stated, because its inputs decide it at each call anew."""

    op: Op
    types: tuple[TensorType, ...]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        """Return what is stated."""
        return self.types

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return what the op does."""
        return self.op.perform(*arrays)

    @property
    def title(self) -> str:
        """The op's."""
        return self.op.title

    @property
    def shape_inputs(self) -> tuple[int, ...] | slice:  # type: ignore[override]  # the base has a constant
        """The shape inputs of the op."""
        return self.op.shape_inputs


@dataclass(frozen=True)
class Specialized:
    """A specialised graph.

    Parameters
    ----------
    outputs : list of Variable
    sources : dict
        For each input of it, the variable of the open graph that it stands for.
    """

    outputs: list[Variable]
    sources: dict[Variable, Variable]

    def source(self, x: Variable) -> Variable:
        """Return the variable of the open graph that an input stands for."""
        return self.sources[x]


Known = dict[Variable, TensorType]
#: Numbers for scalars, arrays for short vectors.
Integers = dict[Variable, Any]


class Shapes:
    """What decides the shapes of a graph.

    Parameters
    ----------
    outputs : sequence of Variable
    """

    def __init__(self, outputs: Sequence[Variable]) -> None:
        self.outputs = list(outputs)
        self.nodes = walk(outputs)
        #: Short integers that depend on the values of integer arguments.
        self.from_arguments: set[Variable] = set()
        self.open = self._nodes_that_integers_size()
        #: Integers that are baked in, though shapes do not tell them.
        self.baked = [node.inputs[place] for node in self.open for place in _untold_places(node)]
        needed = [node.inputs[place] for node in self.open for place in node.shape_places]
        self.prologue = walk([*needed, *(out for node in self.open for out in node.outputs)])
        found = (x for node in self.prologue for x in node.inputs)
        #: The inputs whose shapes the prologue follows, and those of them whose values it follows.
        self.roots = [
            x for x in dict.fromkeys([*found, *needed]) if x.owner is None and not isinstance(x, Constant)
        ]
        self.followed = {x for x in self.roots if _is_argument(x)}

    def _nodes_that_integers_size(self) -> list[Apply]:
        """Return the nodes whose shape inputs depend on integer arguments; collect what does."""
        from_arguments = self.from_arguments
        result = []
        for node in self.nodes:
            if isinstance(node.op, ShapeOf):
                continue
            places = node.shape_places
            if any(_is_argument(node.inputs[p]) or node.inputs[p] in from_arguments for p in places):
                result.append(node)
            if all(map(is_short, node.outputs)) and any(
                _is_argument(x) or x in from_arguments for x in node.inputs
            ):
                from_arguments.update(node.outputs)
        return result

    def resolve(self, types: Known, integers: Integers) -> tuple[Any, ...]:
        """Resolve the shapes that integers decide, and return them; fill in the integers on the way.

        Parameters
        ----------
        types : dict
            The concrete types of `roots`; those of the prologue's variables are added.
        integers : dict
            The values of `followed`; those that follow from them are added.

        Raises
        ------
        GraphError
            If shapes do not fit, or depend on the elements of arrays.
        """
        for node in self.prologue:
            _infer(node, types, integers)
        shapes = [types[out].shape for node in self.open for out in node.outputs]
        numbers = (integers[x] for x in self.baked)
        return (*shapes, *(number if isinstance(number, int) else tuple(number) for number in numbers))

    def specialize(self, types: Known, integers: Integers) -> Specialized:
        """Return the graph for the shapes that `resolve` has seen.

        Parameters
        ----------
        types : dict
            The concrete types of all inputs.
        integers : dict
            As `resolve` left it.
        """
        types, integers = dict(types), dict(integers)
        sources: dict[Variable, Variable] = {}
        mapping: dict[Variable, Variable] = {}

        def stand_in(x: Variable) -> Variable:
            """Make an input of the specialised graph for a variable of the open one."""
            made = Variable(types[x], name=x.name)
            sources[made] = x
            return made

        for x in [*self.outputs, *(x for node in self.nodes for x in node.inputs)]:
            if x.owner is None and x not in mapping:
                mapping[x] = x if isinstance(x, Constant) else stand_in(x)
        opened = set(self.open)
        for node in self.nodes:
            _infer(node, types, integers)
            op, inputs = node.op, [mapping[x] for x in node.inputs]
            if node in opened:
                for place in node.shape_places:
                    x = node.inputs[place]
                    if isinstance(x, Constant):
                        continue
                    # A bound is given by each call; what else there is, is as this specialisation has it.
                    is_bound = isinstance(op, _OFFSETS) and x not in self.baked
                    inputs[place] = stand_in(x) if is_bound else Constant(np.asarray(integers[x], "int64"))
                if isinstance(op, _OFFSETS):
                    op = Sized(op, tuple(types[out] for out in node.outputs))
            with inherit(node.origin):
                made = Apply(op, inputs).outputs
            for old, new in zip(node.outputs, made, strict=True):
                new.name = old.name
                setattr(new.tag, PROMISED, old.static_shape)
                is_fixed = old in integers and old not in self.from_arguments
                mapping[old] = Constant(_array(old, integers)) if is_fixed else new
        return Specialized(rewrite([mapping[x] for x in self.outputs], SHAPES + SIZED), sources)


def _untold_places(node: Apply) -> Sequence[int]:
    """Return the places of integers that decide more than a shape, other than where something begins."""
    if isinstance(node.op, Indexing):
        return node.op.step_places  # how a view lies in memory
    return node.shape_places if isinstance(node.op, Scan) else ()  # how often a loop runs


def _is_argument(x: Variable) -> bool:
    return x.owner is None and not isinstance(x, Constant) and is_short(x)


def _array(x: Variable, integers: Integers) -> np.ndarray:
    return np.asarray(integers[x], x.dtype)


def _infer(node: Apply, types: Known, integers: Integers) -> None:
    """Add a node's output types, and its values where they are short integers that are known."""
    for place in node.shape_places:
        x = node.inputs[place]
        if integers.get(x) is None and not isinstance(x, Constant):
            raise GraphError(
                f"{op_name(node.op)}: its shape depends on {node.inputs[place]!r}, "
                "which is computed from the elements of an array",
                expected="a shape decided by integer inputs and by shapes",
                fix="compile with mode='reference', which computes every op as it comes",
                origin=node.origin,
            )
    infer_into(node, types, integers)
