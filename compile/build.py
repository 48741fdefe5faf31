"""From a specialised graph to the steps of a program.

The order keeps one promise: whatever can fail, or reads a shared variable's old value, comes before the
first write to a shared variable. So a call that fails leaves every shared variable as it was.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arignote.compile.arena import Lifetime, place
from arignote.compile.fusion import fuse
from arignote.compile.kernels.blocks import lower_blocks, products
from arignote.compile.kernels.elementwise import lower_group
from arignote.compile.lowering import PlannedStep, Steps, data_inputs, lower, shape_of
from arignote.compile.sizes import size_text
from arignote.compile.specialize import Specialized
from arignote.compile.views import Argument, Buffer, Result, Temporary, View, root
from arignote.engine.errors import AllocationError, ShapeError
from arignote.engine.graph import Apply, Variable, op_name, walk
from arignote.engine.ops.elementwise import Cast, Elementwise
from arignote.engine.origin import Origin
from arignote.engine.types import Shape


@dataclass(frozen=True)
class Built:
    """A program, but for addresses.

    Parameters
    ----------
    steps : list of PlannedStep
    results : list of Result
        The arrays that are returned, in order.
    renewed : dict of Variable to Result
        The shared variables that get a new array, because their shape changes.
    arena : int
        Bytes of the arena.
    graph : Specialized
    groups : dict of Apply to list of Apply
        The nodes that share a loop, under the one whose value it gives.
    views : dict of Variable to View
        Where the values lie.
    """

    steps: list[PlannedStep]
    results: list[Result]
    renewed: dict[Variable, Result]
    arena: int
    graph: Specialized
    groups: dict[Apply, list[Apply]]
    views: dict[Variable, View]

    @property
    def nbytes(self) -> int:
        """Bytes that a call needs, for the arena and the results."""
        return self.arena + sum(result.nbytes for result in (*self.results, *self.renewed.values()))


def build(
    graph: Specialized,
    returned: int,
    updated: Sequence[Variable],
    shapes: Mapping[Variable, tuple[int, ...]],
    views: Mapping[Variable, View] | None = None,
) -> Built:
    """Plan a specialised graph.

    Parameters
    ----------
    graph : Specialized
        Its outputs are those that are returned, then the new values of the updated variables.
    returned : int
        How many are returned.
    updated : sequence of Variable
        Shared ones, or those that an iteration of a loop writes to.
    shapes : mapping
        The shapes that they have before the call.
    views : mapping, optional
        Where inputs of the graph lie, if not in arguments of their own.
    """
    steps = Steps(graph)
    steps.views.update(views or {})
    outputs, news = graph.outputs[:returned], graph.outputs[returned:]
    # A node that only decides a shape need not be computed: the shape is known.
    nodes = walk(_nearest_first(graph.outputs), inputs_of=data_inputs)
    groups = fuse(nodes, set(graph.outputs))
    fused = {member for group in groups.values() for member in group}
    readers: dict[Variable, list[Apply | None]] = defaultdict(list)
    for x in graph.outputs:
        readers[x].append(None)
    for node in nodes:
        for x in data_inputs(node):
            readers[x].append(node)
    steps.readers = readers

    for x, variable in zip(news, updated, strict=True):
        check_update(variable, shape_of(x), x.origin)
    in_place = _in_place_updates(graph, outputs, news, updated, shapes, nodes, groups)
    blocked = {
        group: product
        for group, product in products(groups, readers).items()
        # What runs behind the first write to a shared variable reads none that is written to.
        if group.outputs[0] not in in_place
        or not {_source(graph, x) for x in product.inputs}.intersection(updated)
    }
    in_blocks = set(blocked.values())

    def lower_loop(node: Apply, promised: Shape | None = None) -> None:
        if node in blocked:
            lower_blocks(steps, groups[node], node, blocked[node])
        else:
            lower_group(steps, groups[node], node, promised)

    results = [Result(shape_of(x), x.dtype) for x in outputs]
    renewed: dict[Variable, Result] = {}
    _set_destinations(steps, outputs, results, set(news))

    for node in nodes:
        if node in groups:
            if node.outputs[0] not in in_place:
                lower_loop(node)
        elif node not in fused and node not in in_blocks:
            lower(steps, node)
    for x, result in zip(outputs, results, strict=True):
        target = View.contiguous(result, x.dtype, result.shape)
        if steps.view(x) != target:
            steps.copy(steps.view(x), target, _node_of(x))

    # From here on, shared variables are written to: first copies of values that are there already, then the
    # loops that compute in place, each of which reads no other variable that is written to.
    late: list[tuple[View, View, Apply]] = []
    for x, variable in zip(news, updated, strict=True):
        if x in in_place or graph.sources.get(x) is variable:
            continue
        if shape_of(x) == shapes[variable]:
            target = View.contiguous(Argument(variable), x.dtype, shape_of(x))
            late.append((_kept_from_writes(steps, x, updated), target, _node_of(x)))
        else:
            renewed[variable] = Result(shape_of(x), x.dtype)
            steps.copy(steps.view(x), View.contiguous(renewed[variable], x.dtype, shape_of(x)), _node_of(x))
    for x, variable in in_place.items():
        steps.set_destination(x, View.contiguous(Argument(variable), x.dtype, shape_of(x)))
        assert x.owner is not None
        lower_loop(x.owner, shape_of(x))
    for source, target, node in late:
        steps.copy(source, target, node)

    arena = place(lifetimes(steps.planned))
    built = Built(steps.planned, results, renewed, arena, graph, groups, steps.views)
    if built.nbytes > sys.maxsize:  # no address reaches that far, and kernels do not count as far
        raise allocation_error(built)
    return built


def allocation_error(built: Built) -> AllocationError:
    """Return the error for a program without memory: it names the node whose value takes the most."""
    written = [(view, step) for step in built.steps for view in step.writes]
    value, step = max(
        (pair for pair in written if not isinstance(root(pair[0].buffer), Argument)),
        key=lambda pair: pair[0].nbytes,
    )
    return AllocationError(
        f"{op_name(step.op)}: no memory for {size_text(value.nbytes)}, "
        f"an array of shape {value.shape} and dtype {value.dtype}",
        actual=f"{size_text(built.arena)} for intermediate values in all, "
        f"{size_text(built.nbytes - built.arena)} for results",
        origin=step.node.origin,
    )


def check_update(variable: Variable, shape: tuple[int, ...], origin: Origin | None = None) -> None:
    """Refuse a new value whose shape is not of the variable's type."""
    if not variable.type.admits(shape):
        raise ShapeError(
            f"update of {variable!r}", expected=str(variable.type), actual=f"shape {shape}", origin=origin
        )


def _nearest_first(outputs: Sequence[Variable]) -> list[Variable]:
    """Return the outputs in the order of the longest ways to them.

    Of gradients, the last layer's comes first: what it is computed from is free before the way back goes on.
    """
    depths: dict[Variable, int] = {}
    for node in walk(outputs, inputs_of=data_inputs):
        depth = 1 + max((depths.get(x, 0) for x in data_inputs(node)), default=0)
        depths.update(dict.fromkeys(node.outputs, depth))
    return sorted(outputs, key=lambda x: depths.get(x, 0))


def _node_of(x: Variable) -> Apply:
    """Return the node that computes a variable; for an input, a node that says it is passed on."""
    return x.owner if x.owner is not None else Apply(Cast(x.dtype), [x])


def _set_destinations(
    steps: Steps, outputs: Sequence[Variable], results: Sequence[Result], news: set[Variable]
) -> None:
    """Let steps write what is returned into the returned array, unless it is needed in another place too."""
    for x, result in zip(outputs, results, strict=True):
        if x.owner is not None and x not in news and outputs.count(x) == 1:
            steps.set_destination(x, View.contiguous(result, x.dtype, result.shape))


def _in_place_updates(
    graph: Specialized,
    outputs: Sequence[Variable],
    news: Sequence[Variable],
    updated: Sequence[Variable],
    shapes: Mapping[Variable, tuple[int, ...]],
    nodes: Sequence[Apply],
    groups: Mapping[Apply, list[Apply]],
) -> dict[Variable, Variable]:
    """Return the new values that an elementwise loop may write over the old ones.

    It may if the loop reads no other variable that is written to, reads the old value only element by
    element, in its own shape, and nobody else needs the new value. All such loops run behind everything
    else.
    """
    readers: dict[Variable, set[Apply]] = defaultdict(set)
    for node in nodes:
        for x in data_inputs(node):
            readers[x].add(node)
    writable = set(updated)
    result: dict[Variable, Variable] = {}
    for x, variable in zip(news, updated, strict=True):
        if x.owner not in groups or not isinstance(x.owner.op, Elementwise) or readers[x]:
            continue
        if x in outputs or list(news).count(x) > 1 or shape_of(x) != shapes[variable]:
            continue
        reads = {y for member in groups[x.owner] for y in member.inputs}
        sources = {_source(graph, y) for y in reads} & writable
        is_aligned = all(y.owner is None for y in reads if _source(graph, y) is variable)
        if sources <= {variable} and is_aligned:
            result[x] = variable
    return result


def _source(graph: Specialized, x: Variable) -> Variable | None:
    """Return the shared variable or input whose memory a variable may be a view of."""
    while x.owner is not None:
        if isinstance(x.owner.op, Elementwise) or not x.owner.inputs:
            return None
        x = x.owner.inputs[0]
    return graph.sources.get(x)


def _kept_from_writes(steps: Steps, x: Variable, updated: Sequence[Variable]) -> View:
    """Return a view of a new value that no write to a shared variable changes, copied where it has to be."""
    view = steps.view(x)
    buffer = root(view.buffer)
    if isinstance(buffer, Argument) and buffer.variable in updated:
        return steps.copy(view, steps.temporary(view.dtype, view.shape), _node_of(x))
    return view


def lifetimes(steps: Sequence[PlannedStep]) -> dict[Temporary, Lifetime]:
    """Return the temporaries, each with the first and the last step that touch it."""
    lives: dict[Temporary, Lifetime] = {}
    for place_, step in enumerate(steps):
        for view in (*step.reads, *step.writes):
            buffer: Buffer = root(view.buffer)
            if isinstance(buffer, Temporary):
                lives[buffer] = (lives.get(buffer, (place_, place_))[0], place_)
    return lives
