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
from arignote.engine.ops.scan import Scan, State
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
    targets = [steps.allocate(x) for x in node.outputs]
    _begin(steps, op, node, targets)
    if count == 0:
        return
    condition = steps.temporary("bool", ()) if op.until else None
    body = _Body(steps, op, node, targets, condition)
    built = body.planned()
    memory = steps.temporary("uint8", (built.arena,))
    failure = steps.temporary("int64", (3,))
    flat = _Flat(built, memory, body.places)
    arguments: list[int | View | KernelSpec] = [0] * HEADER
    arguments[ITERATIONS], arguments[STEPS], arguments[MOVES] = count, len(built.steps), len(flat.moves)
    arguments[FAILURE] = failure
    if condition is not None:
        arguments[UNTIL], arguments[RAN] = condition, targets[-1]
    first = HEADER + STEP_ROW * len(built.steps) + MOVE_ROW * len(flat.moves)
    for step, begin in zip(built.steps, flat.begins, strict=True):
        arguments += [step.spec, first + begin, step.tasks]
    for word, distance in flat.moves:
        arguments += [first + word, distance]
    diagnose, views = _diagnosis(op, built.steps, flat, count)
    steps.step(
        KernelSpec.of("scan:loop"),
        node,
        reads=[*(steps.view(x) for x in node.inputs[1:]), *targets],
        writes=[*targets, memory, failure, *([] if condition is None else [condition])],
        arguments=[*arguments, *flat.arguments],
        tasks=1,
        scratch=max((step.scratch for step in built.steps), default=0),
        diagnosis=(diagnose, (failure, *views)),
        flops=count * sum(step.flops for step in built.steps),
    )


def _begin(steps: Steps, op: Scan, node: Apply, targets: Sequence[View]) -> None:
    """Copy the initial values of states to their places, and fill with zeros what may never be reached."""
    _, _, initials, _ = op.parts(node.inputs)
    for state, initial, target in zip(op.states, initials, targets, strict=False):
        steps.copy(steps.view(initial), target.sliced([slice(state.depth)]), node)
        if op.until and state.kept:
            fill(steps, "0", target.sliced([slice(state.depth, None)]), node)
    if op.until:
        for target in targets[len(op.states) :]:
            fill(steps, "0", target, node)


class _Body:
    """The program of an iteration: what it computes, and where what it reads and writes lies.

    Attributes
    ----------
    places : dict of Buffer to Row
        Where the results of its plan lie, and the values that it writes over.
    """

    def __init__(
        self, steps: Steps, op: Scan, node: Apply, targets: Sequence[View], condition: View | None
    ) -> None:
        inner = _native_body(op)
        assert inner is not None
        _, sequences, _, shared = op.parts(node.inputs)
        inputs, outputs = iter(inner.inputs), iter(inner.outputs)
        self.places: dict[Buffer, Row] = {}
        self._rows = {next(inputs): Row.of(steps.view(sequence)) for sequence in sequences}
        self._returned: list[tuple[Variable, Row]] = []
        self._updated: list[tuple[Variable, Variable]] = []
        self._constants: dict[Variable, Variable] = {}
        for state, target in zip(op.states, targets, strict=False):
            self._add_state(state, target, [next(inputs) for _ in state.taps], next(outputs))
        collected = targets[len(op.states) : len(op.states) + op.collected]
        self._returned.extend((next(outputs), Row.of(target)) for target in collected)
        if condition is not None:
            self._returned.append((next(outputs), Row(condition, 0)))
        first = len(op.inner.inputs) - len(shared)
        for x, own, outer in zip(inputs, op.inner.inputs[first:], shared, strict=True):
            if own in op.inner.sizing:
                self._constants[x] = Constant(np.asarray(known_integer(outer), x.dtype))
            else:
                self._rows[x] = Row(steps.view(outer), 0)

    def _add_state(self, state: State, target: View, values: Sequence[Variable], new: Variable) -> None:
        if state.kept:
            for tap, x in zip(state.taps, values, strict=True):
                self._rows[x] = Row.of(target.sliced([slice(state.depth + tap, None)]))
            self._returned.append((new, Row.of(target.sliced([slice(state.depth, None)]))))
            return
        # The last values move up by one in each iteration, as variables do that are updated.
        at, row = dict(zip(state.taps, values, strict=True)), TensorType(target.dtype, target.shape[1:])
        ages = [at[tap] if tap in at else Variable(row) for tap in range(-state.depth, 0)]
        self.places.update((Argument(x), Row(target.sliced([i]), 0)) for i, x in enumerate(ages))
        self._updated.extend(zip(ages, [*ages[1:], new], strict=True))

    def planned(self) -> Built:
        """Plan the program: it returns values, and writes new ones over old ones."""
        old = [x for x, _ in self._updated]
        outputs = [*(x for x, _ in self._returned), *(new for _, new in self._updated)]
        shapes = {x: self.places[Argument(x)].base.shape for x in old}
        types = {x: TensorType(x.dtype, shape) for x, shape in shapes.items()}
        types.update((x, TensorType(x.dtype, row.base.shape)) for x, row in self._rows.items())
        graph = Shapes(clone_replace(outputs, self._constants)).specialize(types, {})
        views = {
            stand_in: View(row, row.base.dtype, row.base.shape, row.base.strides)
            for stand_in, x in graph.sources.items()
            if (row := self._rows.get(x)) is not None
        }
        built = build(graph, len(self._returned), old, shapes, views)
        self.places.update(zip(built.results, (row for _, row in self._returned), strict=True))
        return built


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
