"""The loop: a step repeated over the rows of sequences, with states that one step hands to later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from arignote.engine.batching import batch_extent, spread
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.graph import Op, Variable, ancestors, clone_replace, known_integer
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.elementwise import cast, minimum
from arignote.engine.ops.index import set_subtensor
from arignote.engine.ops.shape import Alloc, SpecifyShape, dimshuffle, extents, zeros, zeros_like
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import TensorType
from arignote.engine.undefined import UndefinedGradient

Each = TypeVar("Each")

#: Computes the outputs of one step from its inputs.
StepFunction = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]


@dataclass(frozen=True)
class State:
    """How a state is read, and whether all its values are wanted.

    Parameters
    ----------
    taps : tuple of int
        Negative: the steps, relative to its own, whose values a step reads.
    kept : bool
        Whether the loop gives all values, or only the last `depth` of them.
    """

    taps: tuple[int, ...]
    kept: bool = True

    @property
    def depth(self) -> int:
        """Number of values that are there before the first step."""
        return -min(self.taps)


class Parts(NamedTuple):
    """The inputs of a loop, or what stands for them, by what they are."""

    steps: Any
    sequences: list[Any]
    initials: list[Any]
    shared: list[Any]


@dataclass(frozen=True)
class Scan(Op):
    """A loop (`theano.scan` makes it).

    Inputs: the number of steps; sequences, of which step t takes row t; the initial values of the states, as
    many rows each as the state is deep; what all steps share. The inputs of a step are the rows of the
    sequences, the values of each state at its taps, and what is shared; its outputs are the new values of the
    states, the values that are collected, and with `until` a condition that makes the step the last one.

    Outputs: for each state all its values, the initial ones first, or its last ones; the collected values;
    with `until` the number of steps that ran, behind which kept and collected values are zero.

    Parameters
    ----------
    inner : InnerGraph
        A step.
    sequences : int
        How many there are.
    states : tuple of State
    until : bool
    truncate : int
        Through how many of the last steps the gradient is followed; all if it is negative.
    name : str
        For errors.
    """

    inner: InnerGraph
    sequences: int
    states: tuple[State, ...]
    until: bool = False
    truncate: int = -1
    name: str = ""

    @property
    def shape_inputs(self) -> tuple[int, ...]:  # type: ignore[override]  # the base has a constant
        """The number of steps, and those shared integers that decide shapes inside of a step."""
        first = 1 + self.sequences + len(self.states)
        inside = len(self.inner.inputs) - self.taps - self.sequences
        shared = self.inner.inputs[len(self.inner.inputs) - inside :]
        return (0, *(first + place for place, x in enumerate(shared) if x in self.inner.sizing))

    @property
    def taps(self) -> int:
        """How many values of states a step reads."""
        return sum(len(state.taps) for state in self.states)

    @property
    def collected(self) -> int:
        """How many values of each step are collected."""
        return len(self.inner.outputs) - len(self.states) - self.until

    def parts(self, inputs: Sequence[Any]) -> Parts:
        """Tell apart the inputs, or what stands for them."""
        first = 1 + self.sequences
        last = first + len(self.states)
        return Parts(inputs[0], list(inputs[1:first]), list(inputs[first:last]), list(inputs[last:]))

    def per_tap(self, states: Sequence[Each]) -> Iterator[tuple[Each, State, int]]:
        """Return what stands for each state once for each of its taps, with the state and the tap."""
        for each, state in zip(states, self.states, strict=True):
            for tap in state.taps:
                yield each, state, tap

    def inputs_of_step(self) -> tuple[list[Variable], list[list[Variable]], list[Variable]]:
        """Return the inputs of a step: rows of sequences, the values of each state, and what is shared."""
        inputs = iter(self.inner.inputs)
        rows = [next(inputs) for _ in range(self.sequences)]
        return rows, [[next(inputs) for _ in state.taps] for state in self.states], list(inputs)

    def outputs_of_step(self) -> tuple[list[Variable], list[Variable], list[Variable]]:
        """Return the outputs of a step: new values of states, what is collected, and the condition if any."""
        outputs = list(self.inner.outputs)
        first, last = len(self.states), len(self.states) + self.collected
        return outputs[:first], outputs[first:last], outputs[last:]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        _, sequences, initials, shared = self.parts(types)
        steps = values[0]
        self._check(steps, sequences, initials)
        given = [kind.with_shape(kind.shape[1:]) for kind in sequences]
        given.extend(kind.with_shape(kind.shape[1:]) for kind, _, _ in self.per_tap(initials))
        given.extend(shared)
        if all(None not in kind.shape for kind in types):
            inside = [None] * (len(given) - len(shared))
            results = self.inner.infer(given, [*inside, *values[len(values) - len(shared) :]])
        else:
            results = [x.type for x in self.inner.outputs]
        outputs = []
        for place, (state, initial, new) in enumerate(zip(self.states, initials, results, strict=False)):
            self._check_state(place, initial.with_shape(initial.shape[1:]), new)
            rows = state.depth if not state.kept else None if steps is None else steps + state.depth
            outputs.append(initial.with_shape([rows, *initial.shape[1:]]))
        collected = results[len(self.states) : len(self.states) + self.collected]
        outputs.extend(kind.with_shape([steps, *kind.shape]) for kind in collected)
        return [*outputs, TensorType("int64", ())] if self.until else outputs

    def _check(
        self, steps: int | None, sequences: Sequence[TensorType], initials: Sequence[TensorType]
    ) -> None:
        where = f"scan {self.name}".strip()
        if steps is not None and steps < 0:
            raise ShapeError(
                f"{where}: n_steps", expected="at least 0", actual=str(steps),
                fix="go_backwards=True takes the sequences from their ends",
            )  # fmt: skip
        for place, kind in enumerate(sequences):
            if steps is not None and kind.shape[0] is not None and kind.shape[0] != steps:
                raise ShapeError(
                    f"{where}: sequence {place}",
                    expected=f"{steps} rows, one for each step",
                    actual=f"{kind}, from where the steps begin to take rows",
                    fix="give a longer sequence, or smaller n_steps",
                )
        for place, (state, kind) in enumerate(zip(self.states, initials, strict=True)):
            if kind.shape[0] is not None and kind.shape[0] != state.depth:
                raise ShapeError(
                    f"{where}: initial values of state {place}",
                    expected=f"{state.depth} rows, since a step reads {state.taps}",
                    actual=str(kind),
                )

    def _check_state(self, place: int, old: TensorType, new: TensorType) -> None:
        """Hold a state to one shape: kernels and shapes behind it rely on it."""
        if old.dtype != new.dtype or old.ndim != new.ndim:
            raise DTypeError(f"scan: new value of state {place}", expected=str(old), actual=str(new))
        for mine, theirs in zip(old.shape, new.shape, strict=True):
            if mine != theirs and mine is not None and theirs is not None:
                raise ShapeError(
                    f"scan {self.name}".strip() + f": the shape of state {place} changes",
                    expected=f"a new value of the shape of the initial one, {old}",
                    actual=str(new),
                    fix="let the initial value have the shape that each step gives",
                )

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        from arignote.engine.evaluate import evaluate

        def step(values: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
            return evaluate(self.inner.outputs, dict(zip(self.inner.inputs, values, strict=True)))

        return self.repeat(arrays, step)

    def repeat(self, arrays: Sequence[np.ndarray], step: StepFunction) -> tuple[np.ndarray, ...]:
        """Compute the outputs, given what computes a step."""
        kinds = self.infer(
            [TensorType(str(array.dtype), array.shape) for array in arrays],
            [int(array) if array.ndim == 0 and array.dtype.kind in "iu" else None for array in arrays],
        )
        count, sequences, initials, shared = self.parts(arrays)
        states = [list(initial) for initial in initials]
        collected: list[list[np.ndarray]] = [[] for _ in range(self.collected)]
        ran = 0
        while ran < int(count):
            values = [np.asarray(sequence[ran]) for sequence in sequences]
            values.extend(np.asarray(rows[tap]) for rows, _, tap in self.per_tap(states))
            try:
                results = step([*values, *shared])
            except GraphError as error:
                raise self.located(error, ran) from None
            ran += 1
            for place, (rows, state) in enumerate(zip(states, self.states, strict=True)):
                new, old = results[place], np.asarray(rows[-1])
                self._check_state(place, *(TensorType(str(x.dtype), x.shape) for x in (old, new)))
                rows.append(new)
                if not state.kept:
                    del rows[0]
            for rows, value in zip(collected, results[len(states) :], strict=False):
                rows.append(value)
            if self.until and results[-1]:
                break
        outputs = []
        for rows, kind in zip([*states, *collected], kinds, strict=False):
            shape = rows[0].shape if rows else tuple(extent or 0 for extent in kind.shape[1:])
            array = np.zeros((len(rows) if kind.shape[0] is None else kind.shape[0], *shape), kind.dtype)
            for place, row in enumerate(rows):
                array[place] = row
            outputs.append(array)
        return (*outputs, np.asarray(ran, "int64")) if self.until else tuple(outputs)

    def located(self, error: GraphError, iteration: int) -> GraphError:
        """Say in an error of a step which step it was."""
        error.summary += f" (step {iteration} of scan{' ' * bool(self.name)}{self.name})"
        return error

    @test_values_off()
    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return _Backward(self, inputs, outputs, gradients).gradients()

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return _over_batch(self, inputs, is_batched)


def _over_batch(
    op: Scan, inputs: Sequence[Variable], is_batched: Sequence[bool]
) -> Sequence[Variable] | None:
    """Return the outputs of one loop whose steps each take all entries of a batch."""
    from arignote.engine.vectorize import vectorize

    if op.until or is_batched[0]:  # entries would end behind different steps
        return None
    count = batch_extent(inputs, is_batched)
    steps, sequences, initials, shared = op.parts(inputs)
    _, of_sequences, _, of_shared = op.parts(is_batched)
    # Rows stay in front, for the steps to take; every state has a batch, since a step may bring one into it.
    initials = [
        _swapped(x if one else spread(x, count))
        for x, one in zip(initials, op.parts(is_batched).initials, strict=True)
    ]
    sequences = [_swapped(x) if one else x for x, one in zip(sequences, of_sequences, strict=True)]
    one_of = [*of_sequences, *(True for _ in range(op.taps)), *of_shared]
    extent = known_integer(count)
    new = {
        x: x.type.with_shape((extent, *x.static_shape) if one else x.static_shape)(x.name)
        for x, one in zip(op.inner.inputs, one_of, strict=True)
    }
    batches = {x: made for (x, made), one in zip(new.items(), one_of, strict=True) if one}
    common = {x: made for x, made in new.items() if x not in batches}
    if not batches:
        return None
    outputs = clone_replace(vectorize(op.inner.outputs, batches), common)
    inner = InnerGraph(new.values(), outputs)
    results = Scan(inner, op.sequences, op.states, op.until, op.truncate, op.name).apply(
        steps, *sequences, *initials, *shared
    )
    return [_swapped(x) for x in results]


def _swapped(x: Variable) -> Variable:
    """Exchange the first two axes: rows, and the batch."""
    return dimshuffle(x, 1, 0, *range(2, x.ndim))


def promised(news: Sequence[Variable], initials: Sequence[Variable]) -> list[Variable]:
    """Return a step's outputs, the new values of states with what is known of the shapes of initial ones."""
    result = list(news)
    for place, (new, initial) in enumerate(zip(news, initials, strict=False)):
        shape = initial.static_shape[1:]
        if any(mine not in (None, theirs) for mine, theirs in zip(shape, new.static_shape, strict=True)):
            promise = SpecifyShape(f"scan: the new value of state {place}", "the initial value", shape)
            result[place] = promise(new)
    return result


class _Backward:
    """The gradient of a loop: a loop over its steps in reverse, each computed anew from the kept states.

    What a step adds to the gradient of the value that a state had `tap` steps before is itself a state of
    the loop in reverse, read at that tap: there, that earlier step comes as many steps later.
    """

    def __init__(
        self,
        op: Scan,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        gradients: Sequence[Variable | None],
    ) -> None:
        self.op, self.outputs = op, outputs
        self.count, self.sequences, self.initials, self.shared = op.parts(inputs)
        if any(not state.kept for state in op.states):
            raise AssertionError("a loop is differentiated before its states are dropped")
        self.state_gradients = gradients[: len(op.states)]
        self.collected_gradients = gradients[len(op.states) : len(op.states) + op.collected]
        self.ran = outputs[-1] if op.until else self.count
        self.steps = self.ran if op.truncate < 0 else minimum(self.ran, op.truncate)
        self.first = self.ran - self.steps
        #: Whether the steps of the loop in reverse are all steps that were asked for.
        self.is_whole = op.truncate < 0 and not op.until
        # The step computed anew: its inputs, and the variables that the gradients of its outputs are.
        self.given = [Variable(x.type, name=x.name) for x in op.inner.inputs]
        self.results = op.inner.on(self.given)
        first, last = op.sequences, op.sequences + op.taps
        self.rows, self.values = self.given[:first], self.given[first:last]
        self.common = self.given[last:]

    def gradients(self) -> list[Variable | None]:
        """Return the gradients with respect to the inputs of the loop."""
        op = self.op
        seeds = {
            place: Variable(self.results[place].type)
            for place, gradient in enumerate([*self.state_gradients, *self.collected_gradients])
            if gradient is not None
        }
        carried: dict[int, Variable] = {}  # the place of a tap: what later steps add there
        while True:
            local = self._local(seeds, carried)
            found = {place for place, x in enumerate(self.values) if x in local} - set(carried)
            if not found:
                break
            carried.update({place: Variable(self.values[place].type) for place in found})
        lost = {x: gradient for x, gradient in local.items() if isinstance(gradient, UndefinedGradient)}
        undefined = next((lost[x] for x in self.values if x in lost), None)
        if undefined is not None:  # then those of all earlier steps are
            return [None, *(undefined for _ in (*self.sequences, *self.initials, *self.shared))]
        local = {x: gradient for x, gradient in local.items() if x not in lost}
        carried = dict(sorted(carried.items()))

        depths = [state.depth for state in op.states]
        buffers = self.outputs[: len(op.states)]
        pairs = [(x, self._rows(sequence)) for x, sequence in zip(self.rows, self.sequences, strict=True)]
        for x, (buffer, state, tap) in zip(self.values, op.per_tap(buffers), strict=True):
            pairs.append((x, self._values(buffer, state.depth + tap)))
        for place, x in seeds.items():
            if place < len(depths):
                pairs.append((x, self._values(self.state_gradients[place], depths[place])))
            else:
                pairs.append((x, self._rows(self.collected_gradients[place - len(depths)])))
        taps = list(op.per_tap(self.initials))
        summed = [place for place, x in enumerate(self.common) if x in local]
        differentiated = [place for place, x in enumerate(self.rows) if x in local]
        sums = [Variable(self.common[place].type) for place in summed]
        step = [
            *(cast(local[self.values[place]], x.dtype) for place, x in carried.items()),
            *(x + cast(local[self.common[place]], x.dtype) for place, x in zip(summed, sums, strict=True)),
            *(cast(local[self.rows[place]], self.rows[place].dtype) for place in differentiated),
        ]
        # The new values of the states need not be computed again: they are kept.
        kept = {
            new: Variable(new.type)
            for new in dict.fromkeys(self.results[: len(op.states)])
            if new.owner is not None
        }
        used = set(ancestors(step)) & set(kept)
        step = clone_replace(step, {new: kept[new] for new in used})
        for place, new in enumerate(self.results[: len(op.states)]):
            if new in used:
                used.remove(new)
                pairs.append((kept[new], self._values(buffers[place], depths[place])))

        states = [State((taps[place][2],)) for place in carried] + [State((-1,)) for _ in summed]
        initials = [
            Alloc()(np.zeros((), x.dtype), -taps[place][2], *extents(taps[place][0])[1:])
            for place, x in carried.items()
        ]
        initials += [
            zeros_like(self.shared[place]).dimshuffle("x", *range(self.shared[place].ndim))
            for place in summed
        ]
        given = [*(x for x, _ in pairs), *carried.values(), *sums, *self.common]
        backward = Scan(
            InnerGraph(given, promised(step, initials)),
            len(pairs),
            tuple(states),
            name=f"gradient of {op.name}".strip() if op.name else "gradient",
        )
        results = backward.apply(self.steps, *(sequence for _, sequence in pairs), *initials, *self.shared)

        by_tap = dict(zip(carried, results, strict=False))
        of_initials = self._of_initials(by_tap)
        of_shared: list[Variable | None] = [lost.get(x) for x in self.common]
        for place, total in zip(summed, results[len(carried) :], strict=False):
            of_shared[place] = total[-1]
        of_sequences: list[Variable | None] = [lost.get(x) for x in self.rows]
        for place, rows in zip(differentiated, results[len(states) :], strict=True):
            of_sequences[place] = self._whole(rows[::-1], self.sequences[place])
        return [None, *of_sequences, *of_initials, *of_shared]

    def _local(self, seeds: dict[int, Variable], carried: dict[int, Variable]) -> dict[Variable, Variable]:
        """Return the gradients of a step with respect to its inputs, from those of its outputs."""
        from arignote.engine.grad import pull_back

        totals: dict[Variable, Variable] = {}
        terms = [(self.results[place], gradient) for place, gradient in seeds.items()]
        places = self.op.per_tap(range(len(self.op.states)))
        for number, (place, _, _) in enumerate(places):
            if number in carried:
                terms.append((self.results[place], carried[number]))
        for result, term in terms:
            totals[result] = totals[result] + term if result in totals else term
        wrt = [x for x in self.given if x.type.is_float]
        found = pull_back(totals, wrt)
        return {x: found[x] for x in wrt if x in found}

    def _values(self, buffer: Variable | None, shift: int) -> Variable:
        """Return the rows of a state's values for the steps, moved on by `shift`, the last one first."""
        assert buffer is not None
        return buffer[self.first + shift : self.ran + shift][::-1]

    def _rows(self, sequence: Variable | None) -> Variable:
        """Return the rows of a sequence that belong to the steps, the last one first."""
        assert sequence is not None
        return sequence[::-1] if self.is_whole else sequence[self.first : self.ran][::-1]

    def _whole(self, rows: Variable, sequence: Variable) -> Variable:
        """Return the gradient of a sequence from that of the rows that belong to the steps."""
        if self.is_whole:
            return rows
        return set_subtensor(zeros_like(sequence, rows.dtype)[self.first : self.ran], rows)

    def _of_initials(self, by_tap: dict[int, Variable]) -> list[Variable | None]:
        """Return the gradients of the initial values: those of the first steps add up to them."""
        result: list[Variable | None] = []
        number = 0
        for initial, state, gradient in zip(self.initials, self.op.states, self.state_gradients, strict=True):
            total = None if gradient is None else gradient[: state.depth]
            for tap in state.taps:
                if number in by_tap:
                    rows = by_tap[number]
                    if self.op.truncate >= 0:  # steps that the gradient is not followed to add nothing
                        longer = [self.ran - tap, *extents(rows)[1:]]
                        rows = set_subtensor(zeros(longer, rows.dtype)[: self.steps - tap], rows)
                    rows = rows[tap:][::-1]
                    if -tap != state.depth:
                        rows = set_subtensor(zeros_like(initial, rows.dtype)[state.depth + tap :], rows)
                    total = rows if total is None else total + rows
                number += 1
            result.append(total)
        return result
