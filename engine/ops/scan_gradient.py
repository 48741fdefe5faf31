"""The gradient of a loop, which is a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.engine.graph import Variable, ancestors, as_variable, clone_replace
from arignote.engine.inner import InnerGraph
from arignote.engine.ops.elementwise import cast, minimum
from arignote.engine.ops.getitem import set_subtensor
from arignote.engine.ops.scan import Scan, State, promised
from arignote.engine.ops.shape import Alloc, dimshuffle, extents, zeros, zeros_like
from arignote.engine.undefined import UndefinedGradient


class Backward:
    """The gradient of a loop: a loop over its steps in reverse, each computed anew from the kept states.

    What a step adds to the gradient of the value that a state had `tap` steps before is itself a state of
    the loop in reverse, read at that tap: there, that earlier step comes as many steps later.

    Parameters
    ----------
    op : Scan
    inputs, outputs : sequence of Variable
        Of the loop.
    gradients : sequence of Variable or None
        With respect to the outputs.
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
        self.first = as_variable(0) if op.truncate < 0 else self.ran - self.steps
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
        seeds, carried, local = self._through_a_step()
        lost = {x: gradient for x, gradient in local.items() if isinstance(gradient, UndefinedGradient)}
        undefined = next((lost[x] for x in self.values if x in lost), None)
        if undefined is not None:  # then those of all earlier steps are
            return [None, *(undefined for _ in (*self.sequences, *self.initials, *self.shared))]

        summed = [place for place, x in enumerate(self.common) if x in local and x not in lost]
        differentiated = [place for place, x in enumerate(self.rows) if x in local and x not in lost]
        sums = [Variable(self.common[place].type) for place in summed]
        terms = [cast(local[self.common[place]], self.common[place].dtype) for place in summed]
        step = [
            *(cast(local[self.values[place]], x.dtype) for place, x in carried.items()),
            *(total + term for total, term in zip(sums, terms, strict=True)),
            *(cast(local[self.rows[place]], self.rows[place].dtype) for place in differentiated),
        ]
        step, kept = self._with_kept_values(step)
        sequences = {**self._sequences(seeds), **kept}

        taps = list(self.op.per_tap(self.initials))
        states = [State((taps[place][2],)) for place in carried] + [State((-1,)) for _ in summed]
        initials = [
            Alloc()(np.zeros((), x.dtype), -taps[place][2], *extents(taps[place][0])[1:])
            for place, x in carried.items()
        ]
        for place in summed:
            zero = zeros_like(self.shared[place])
            initials.append(dimshuffle(zero, "x", *range(zero.ndim)))
        backward = Scan(
            InnerGraph([*sequences, *carried.values(), *sums, *self.common], promised(step, initials)),
            len(sequences),
            tuple(states),
            name=f"gradient of {self.op.name}" if self.op.name else "gradient",
        )
        results = backward.apply(self.steps, *sequences.values(), *initials, *self.shared)

        of_initials = self._of_initials(dict(zip(carried, results, strict=False)))
        of_shared: list[Variable | None] = [lost.get(x) for x in self.common]
        for place, total in zip(summed, results[len(carried) :], strict=False):
            of_shared[place] = total[-1]
        of_sequences: list[Variable | None] = [lost.get(x) for x in self.rows]
        for place, rows in zip(differentiated, results[len(states) :], strict=True):
            of_sequences[place] = self._whole(rows[::-1], self.sequences[place])
        return [None, *of_sequences, *of_initials, *of_shared]

    def _through_a_step(self) -> tuple[dict[int, Variable], dict[int, Variable], dict[Variable, Variable]]:
        """Follow the gradient back through a step.

        Returns
        -------
        seeds : dict of int to Variable
            For the place of an output of a step, what the cost adds to its gradient.
        carried : dict of int to Variable
            For the place of a tap, what the step that read there adds to the gradient of the value.
        local : dict of Variable to Variable
            For each input of a step that the cost depends on, the gradient.
        """
        incoming = [*self.state_gradients, *self.collected_gradients]
        seeds = {
            place: Variable(self.results[place].type)
            for place, gradient in enumerate(incoming)
            if gradient is not None
        }
        carried: dict[int, Variable] = {}
        while True:  # what is carried may lead to more
            local = self._local(seeds, carried)
            found = {place for place, x in enumerate(self.values) if x in local} - set(carried)
            if not found:
                return seeds, dict(sorted(carried.items())), local
            carried.update({place: Variable(self.values[place].type) for place in found})

    def _sequences(self, seeds: dict[int, Variable]) -> dict[Variable, Variable]:
        """Return the sequences of the loop in reverse, under the inputs of a step that are their rows."""
        depths = [state.depth for state in self.op.states]
        result = {x: self._rows(sequence) for x, sequence in zip(self.rows, self.sequences, strict=True)}
        values = self.op.per_tap(self.outputs[: len(depths)])
        for x, (buffer, state, tap) in zip(self.values, values, strict=True):
            result[x] = self._values(buffer, state.depth + tap)
        for place, x in seeds.items():
            if place < len(depths):
                result[x] = self._values(self.state_gradients[place], depths[place])
            else:
                result[x] = self._rows(self.collected_gradients[place - len(depths)])
        return result

    def _with_kept_values(self, step: Sequence[Variable]) -> tuple[list[Variable], dict[Variable, Variable]]:
        """Return the outputs of a step as made of the new values that states keep, and those as sequences.

        They need not be computed again.
        """
        used = set(ancestors(step))
        kept: dict[Variable, Variable] = {}
        sequences: dict[Variable, Variable] = {}
        for new, buffer, state in zip(self.results, self.outputs, self.op.states, strict=False):
            if new in used and new not in kept and new.owner is not None:
                kept[new] = Variable(new.type)
                sequences[kept[new]] = self._values(buffer, state.depth)
        return clone_replace(step, kept), sequences

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
