"""Loops: the steps of a body, walked natively as often as it takes.

A loop is one kernel. Its arguments hold the steps of the body, their arguments, and which of those are
addresses that move on with each iteration: those of the rows of sequences and of kept values. So nothing is
planned, and nothing but a pointer added to, from one iteration to the next. The body may contain loops.

    arguments: the header; for each step of the body a row; for each address that moves a row; the arguments
    of the body's steps
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from arignote.compile.build import Built, build
from arignote.compile.kernels.elementwise import fill
from arignote.compile.lowering import Diagnosis, PlannedStep, Steps, is_native, lowers
from arignote.compile.spec import KernelSpec
from arignote.compile.specialize import Shapes
from arignote.compile.views import Argument, Buffer, Row, Temporary, View
from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Constant, Variable, clone_replace, known_integer, rebuild
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.axes import broadcast_to, shape_padaxis
from arignote.engine.ops.index import Entry, Indexing, Subtensor, place_of_arrays, roles
from arignote.engine.ops.scan import Scan
from arignote.engine.ops.shape import ShapeOf, dimshuffle, extents, is_short
from arignote.engine.origin import inherit
from arignote.engine.types import TensorType

# The header.
ITERATIONS = 0  # number of iterations
STEPS = 1  # number of steps of the body
MOVES = 2  # number of addresses that move
UNTIL = 3  # address of the condition that ends the loop, or 0
RAN = 4  # address of the number of iterations that ran, or 0
FAILURE = 5  # address of the place for: the step of the body that failed, the iteration, the status
HEADER = 6

KERNEL, ARGUMENTS, TASKS, STEP_ROW = range(4)  # address, place among the arguments, number; size of a row
WORD, BYTES, MOVE_ROW = range(3)  # which argument moves, by how much; size of a row


def loop() -> Callable[..., int]:
    """Build the kernel of a loop, a single task."""
    from arignote.compile import concurrency as native
    from arignote.compile.intrinsics import cast_to, pointer_to

    address_of, words_at, call_kernel = native.address_of, native.words_at, native.call_kernel
    words_of = cast_to("int64")
    bools_at = pointer_to("uint8")

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        steps, moves = args[STEPS], args[MOVES]
        first_move = HEADER + steps * STEP_ROW
        last_move = first_move + moves * MOVE_ROW
        memory = address_of(words_of(scratch), 0)
        ran = 0
        status = 0
        while ran < args[ITERATIONS] and status == 0:
            for step in range(steps):
                row = HEADER + step * STEP_ROW
                status = call_kernel(
                    args[row + KERNEL], address_of(args, args[row + ARGUMENTS]), memory, 0, args[row + TASKS]
                )
                if status != 0:
                    failure = words_at(args[FAILURE])
                    failure[0], failure[1], failure[2] = step, ran, status
                    break
            ran += 1
            for row in range(first_move, last_move, MOVE_ROW):
                args[args[row + WORD]] += args[row + BYTES]
            if args[UNTIL] != 0 and bools_at(args[UNTIL])[0] != 0:
                break
        # An enclosing loop finds the addresses as it left them.
        for row in range(first_move, last_move, MOVE_ROW):
            args[args[row + WORD]] -= args[row + BYTES] * ran
        if args[RAN] != 0:
            words_at(args[RAN])[0] = ran
        return status

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def _is_native(op: Scan) -> bool:
    """Tell whether all that a step does is native, and has the same shapes in every iteration."""
    return _native_body(op) is not None


#: For the inner graph of a loop and the number of its inputs that vary: what `_native_body` made of it.
_bodies: WeakKeyDictionary[InnerGraph, dict[int, InnerGraph | None]] = WeakKeyDictionary()


def _native_body(op: Scan) -> InnerGraph | None:
    """Return the step made of native ops only; None where that cannot be."""
    varying = op.sequences + op.taps
    known = _bodies.setdefault(op.inner, {})
    if varying not in known:
        known[varying] = _made_native(op.inner, set(op.inner.inputs[varying:]))
    return known[varying]


def _made_native(inner: InnerGraph, shared: set[Variable]) -> InnerGraph | None:
    fixed = set(inner.sizing & shared)  # integers that are known when the loop is planned
    mapping: dict[Variable, Variable] = {}
    for node in inner.nodes:
        inputs = [mapping.get(x, x) for x in node.inputs]
        decided = all(_is_known(inputs[place], fixed) for place in node.shape_places)
        if isinstance(node.op, Indexing) and not decided:
            with inherit(node.origin):
                made = _by_data(node.op, inputs, fixed)
            if made is None:
                return None
            mapping[node.outputs[0]] = made
            continue
        if not decided or not is_native(node.op):
            return None
        outputs = rebuild(node, inputs)
        mapping.update(zip(node.outputs, outputs, strict=True))
        decides = all(map(is_short, outputs))
        if isinstance(node.op, ShapeOf) or (decides and all(_is_known(x, fixed) for x in inputs)):
            fixed.update(outputs)
    return InnerGraph(inner.inputs, [mapping.get(x, x) for x in inner.outputs])


def _is_known(x: Variable, fixed: Collection[Variable]) -> bool:
    return x in fixed or isinstance(x, Constant)


def _by_data(op: Indexing, inputs: Sequence[Variable], fixed: Collection[Variable]) -> Variable | None:
    """Return the same by arrays of one index, since an iteration's own data says which.

    None where data says how slices are bounded.
    """
    index = list(zip(inputs[op.first :], roles(op.pattern), strict=True))
    if not all(_is_known(x, fixed) for x, role in index if role not in ("integer", "array")):
        return None
    array = next((x for x, role in index if role == "array"), None)
    made = replace(op, pattern=tuple(Entry.ARRAY if e is Entry.INTEGER else e for e in op.pattern))
    if array is not None:
        given = [broadcast_to(x, extents(array)) if role == "integer" else x for x, role in index]
        return made(*inputs[: op.first], *given)
    given = [dimshuffle(x, "x") if role == "integer" else x for x, role in index]
    place = place_of_arrays(made.pattern)  # of an axis of extent 1
    if isinstance(op, Subtensor):
        part = made(inputs[0], *given)
        return dimshuffle(part, *(axis for axis in range(part.ndim) if axis != place))
    return made(inputs[0], shape_padaxis(inputs[1], place), *given)


@lowers(Scan, when=_is_native)
def lower_scan(steps: Steps, op: Scan, node: Apply) -> None:
    """Plan the body as a program of its own, and lay its steps into the arguments of one step."""
    count = known_integer(node.inputs[0])
    assert count is not None
    _, sequences, initials, shared = op.parts(node.inputs)
    targets = [steps.allocate(x) for x in node.outputs]
    of_states, of_collected = targets[: len(op.states)], targets[len(op.states) :][: op.collected]
    ran = targets[-1] if op.until else None
    for state, initial, target in zip(op.states, initials, of_states, strict=True):
        steps.copy(steps.view(initial), target.sliced([slice(state.depth)]), node)
        if op.until and state.kept:
            fill(steps, "0", target.sliced([slice(state.depth, None)]), node)
    if ran is not None:
        for target in (ran, *of_collected):
            fill(steps, "0", target, node)
    if count == 0:
        return

    inner = _native_body(op)
    assert inner is not None
    news = inner.outputs[: len(op.states)]
    sizing = {x for x, own in zip(inner.inputs, op.inner.inputs, strict=True) if own in op.inner.sizing}
    constants: dict[Variable, Variable] = {}
    rows: dict[Variable, Row] = {}  # where the inputs of an iteration lie
    places: dict[Buffer, Row] = {}  # where the results of an iteration, and what it writes over, lie
    inputs = iter(inner.inputs)
    for sequence in sequences:
        rows[next(inputs)] = Row.of(steps.view(sequence))
    returned: list[Variable] = []
    results: list[Row] = []
    old: list[Variable] = []
    new: list[Variable] = []
    for state, target, value in zip(op.states, of_states, news, strict=True):
        values = {tap: next(inputs) for tap in state.taps}
        if state.kept:
            for tap, x in values.items():
                rows[x] = Row.of(target.sliced([slice(state.depth + tap, None)]))
            returned.append(value)
            results.append(Row.of(target.sliced([slice(state.depth, None)])))
            continue
        # The last values move up by one in each iteration, as variables do that are updated.
        row = TensorType(target.dtype, target.shape[1:])
        ages = [values[tap] if tap in values else Variable(row) for tap in range(-state.depth, 0)]
        for place, x in enumerate(ages):
            places[Argument(x)] = Row(target.sliced([place]), 0)
        old.extend(ages)
        new.extend([*ages[1:], value])
    for x, outer in zip(inputs, shared, strict=True):
        if x in sizing:
            constants[x] = Constant(np.asarray(known_integer(outer), x.dtype))
        else:
            rows[x] = Row(steps.view(outer), 0)
    returned.extend(inner.outputs[len(news) : len(news) + op.collected])
    results.extend(Row.of(target) for target in of_collected)
    if op.until:
        condition = steps.temporary("bool", ())
        returned.append(inner.outputs[-1])
        results.append(Row(condition, 0))

    body = _planned(clone_replace([*returned, *new], constants), old, rows, places)
    places.update(zip(body.results, results, strict=True))
    memory = steps.temporary("uint8", (body.arena,))
    failure = steps.temporary("int64", (3,))
    flat = _Flat(body, memory, places)
    arguments: list[int | View | KernelSpec] = [0] * HEADER
    arguments[ITERATIONS], arguments[STEPS], arguments[MOVES] = count, len(body.steps), len(flat.moves)
    arguments[FAILURE] = failure
    if ran is not None:
        arguments[UNTIL], arguments[RAN] = condition, ran
    first = HEADER + STEP_ROW * len(body.steps) + MOVE_ROW * len(flat.moves)
    for step, begin in zip(body.steps, flat.begins, strict=True):
        arguments += [step.spec, first + begin, step.tasks]
    for word, distance in flat.moves:
        arguments += [first + word, distance]
    touched = [steps.view(x) for x in node.inputs[1:]]
    diagnose, views = _diagnosis(op, body.steps, flat, count)
    steps.step(
        KernelSpec.of("scan:loop"),
        node,
        reads=[*touched, *of_states],
        writes=[*targets, memory, failure, *([condition] if op.until else [])],
        arguments=[*arguments, *flat.arguments],
        tasks=1,
        scratch=max((step.scratch for step in body.steps), default=0),
        diagnosis=(diagnose, (failure, *views)),
        flops=count * sum(step.flops for step in body.steps),
    )


def _planned(
    outputs: Sequence[Variable],
    old: Sequence[Variable],
    rows: Mapping[Variable, Row],
    places: Mapping[Buffer, Row],
) -> Built:
    """Plan the program of one iteration: it returns values, and writes new ones over the old."""
    types = {x: TensorType(x.dtype, row.base.shape) for x, row in rows.items()}
    for x in old:
        types[x] = TensorType(x.dtype, places[Argument(x)].base.shape)
    graph = Shapes(outputs).specialize(types, {})
    views = {
        stand_in: View(row, row.base.dtype, row.base.shape, row.base.strides)
        for stand_in, x in graph.sources.items()
        if (row := rows.get(x)) is not None
    }
    shapes = {x: shape for x in old if None not in (shape := types[x].shape)}
    return build(graph, len(outputs) - len(old), old, shapes, views)


class _Flat:
    """The arguments of the body's steps in one row.

    Attributes
    ----------
    arguments : list of int, View and KernelSpec
    begins : list of int
        Where those of each step begin.
    moves : list of (int, int)
        Which of them move, and by how many bytes in each iteration.
    """

    def __init__(self, body: Built, memory: View, places: Mapping[Buffer, Row]) -> None:
        self._memory, self._places = memory, places
        self.arguments: list[int | View | KernelSpec] = []
        self.begins: list[int] = []
        self.moves: list[tuple[int, int]] = []
        for step in body.steps:
            self.begins.append(len(self.arguments))
            for argument in step.arguments:
                if isinstance(argument, View):
                    argument, distance = self.outside(argument)
                    if distance:
                        self.moves.append((len(self.arguments), distance * argument.itemsize))
                self.arguments.append(argument)

    def outside(self, view: View) -> tuple[View, int]:
        """Return the view in the first iteration, and the elements by which it moves on in each."""
        buffer = view.buffer
        if isinstance(buffer, Temporary):
            offset = buffer.offset // view.itemsize + view.offset
            return replace(view, buffer=self._memory.buffer, offset=offset), 0
        row = buffer if isinstance(buffer, Row) else self._places.get(buffer)
        if row is None:
            return view, 0
        return replace(view, buffer=row.base.buffer, offset=row.base.offset + view.offset), row.stride


def _diagnosis(
    op: Scan, body: Sequence[PlannedStep], flat: _Flat, count: int
) -> tuple[Diagnosis, tuple[View, ...]]:
    """Return what words a failure of the body, and the views that it takes, those of all iterations."""
    views: list[View] = []
    parts: dict[int, slice] = {}
    for number, step in enumerate(body):
        if step.diagnosis is not None:
            begin = len(views)
            for view in step.diagnosis[1]:
                outside, distance = flat.outside(view)
                views.append(
                    replace(outside, shape=(count, *outside.shape), strides=(distance, *outside.strides))
                )
            parts[number] = slice(begin, len(views))

    def diagnose(arrays: Sequence[np.ndarray], status: int) -> GraphError:
        number, iteration, status = (int(word) for word in arrays[0])
        step = body[number]
        assert step.diagnosis is not None, f"{step.node!r} failed with status {status}, and cannot say why"
        error = step.diagnosis[0]([array[iteration] for array in arrays[1:][parts[number]]], status)
        error.origin = error.origin or step.node.origin
        return op.located(error, iteration)

    return diagnose, tuple(views)
