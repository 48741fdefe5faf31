"""The loop: a step repeated over the rows of sequences, with states that one step hands to later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from arignote.engine.batching import all_batched, batch_extent
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.graph import Op, Variable, clone_replace, known_integer
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.shape import SpecifyShape, dimshuffle
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import TensorType

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
        from arignote.engine.ops.scan_gradient import Backward

        return Backward(self, inputs, outputs, gradients).gradients()

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
    _, of_sequences, of_initials, of_shared = op.parts(is_batched)
    # Rows stay in front, for the steps to take; every state has a batch, since a step may bring one into it.
    initials = [_swapped(x) for x in all_batched(initials, of_initials, count)]
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
