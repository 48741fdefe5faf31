"""A loop under change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arignote.engine.batching import fold
from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Variable, clone_replace, walk
from arignote.engine.inner import close
from arignote.engine.ops.dot import Dot
from arignote.engine.ops.elementwise import Add
from arignote.engine.ops.index import Entry, IncSubtensor
from arignote.engine.ops.scan import Scan, State
from arignote.engine.ops.shape import DimShuffle, dimshuffle
from arignote.engine.vectorize import vectorize


@dataclass(eq=False)
class Slot:
    """An output of a loop, and the output of a step that it is made of.

    Parameters
    ----------
    place : int
        Among the outputs of the loop; -1 for a new one.
    new : Variable
        The step's output.
    state : State or None
        None for a value that is only collected, and for the condition.
    taps : list of Variable
        The step's inputs that are its earlier values.
    initial : Variable or None
    is_used, is_last : bool
        Whether it is used, and of a state, whether its last values alone are.
    """

    place: int
    new: Variable
    state: State | None = None
    taps: Sequence[Variable] = ()
    initial: Variable | None = None
    is_used: bool = True
    is_last: bool = False


#: What each step adds to a state, made of these variables of a step; and what adds all of it to the initial
#: value, given the variables of all steps.
Sum = tuple[Sequence[Variable], Callable[[Variable, dict[Variable, Variable]], Variable]]


class Loop:
    """A loop whose step and inputs change.

    Parameters
    ----------
    op : Scan
    inputs : sequence of Variable

    Attributes
    ----------
    slots : list of Slot
        The states, the collected values, the condition.
    rows : dict of Variable to Variable
        For each input of a step that is a row, the sequence.
    shared : dict of Variable to Variable
        For each input of a step that is the same in all, what it is outside.
    """

    def __init__(self, op: Scan, inputs: Sequence[Variable]) -> None:
        self.op = op
        self.steps, sequences, initials, shared = op.parts(inputs)
        rows, taps, common = op.inputs_of_step()
        self.rows = dict(zip(rows, sequences, strict=True))
        self.shared = dict(zip(common, shared, strict=True))
        self.slots = [Slot(place, new) for place, new in enumerate(op.inner.outputs)]
        for slot, state, values, initial in zip(self.slots, op.states, taps, initials, strict=False):
            slot.state, slot.taps, slot.initial = state, values, initial
        self._behind: list[tuple[Slot, list[Sum]]] = []

    @property
    def _inputs(self) -> list[Variable]:
        return [*self.rows, *(x for slot in self.slots for x in slot.taps), *self.shared]

    def _nodes(self) -> list[Apply]:
        return walk([slot.new for slot in self.slots], stop=self._inputs)

    def _needed(self, slots: Sequence[Slot]) -> set[Variable]:
        wanted = [slot.new for slot in slots]
        return set(wanted).union(*(node.inputs for node in walk(wanted, stop=self._inputs)))

    def change(self, function: Callable[[Sequence[Variable]], Sequence[Variable]]) -> None:
        """Replace the outputs of a step by what a function makes of them."""
        for slot, new in zip(self.slots, function([slot.new for slot in self.slots]), strict=True):
            slot.new = new

    def drop_unused(self) -> None:
        """Drop the outputs that are not used, but for states that others depend on."""
        if self.op.until:
            self.slots[-1].is_used = True
        live = [slot for slot in self.slots if slot.is_used]
        while True:
            needed = self._needed(live)
            read = [slot for slot in self.slots if slot in live or not needed.isdisjoint(slot.taps)]
            if len(read) == len(live):
                break
            live = read
        self.slots = live

    def merge_rows(self) -> None:
        """Take each sequence once."""
        first_of: dict[Variable, Variable] = {}
        for row, sequence in self.rows.items():
            first_of.setdefault(sequence, row)
        kept = set(first_of.values())
        twice = {row: first_of[sequence] for row, sequence in self.rows.items() if row not in kept}
        if twice:
            self.change(lambda outputs: clone_replace(outputs, twice))
            self.rows = {row: self.rows[row] for row in first_of.values()}

    def multiply_before(self) -> None:
        """Compute products of vectors with what is the same in every step before the loop, all rows at once.

        A vector reads the whole matrix for itself. Products of matrices are as fast one by one, while what
        they make is in the cache.
        """
        of_rows, with_product = set(self.rows), set[Variable]()
        of_states = {x for slot in self.slots for x in slot.taps}
        wanted = dict.fromkeys(slot.new for slot in self.slots)
        for node in self._nodes():
            if any(x in of_states for x in node.inputs):
                of_states.update(node.outputs)
                wanted.update(dict.fromkeys(node.inputs))
            elif any(x in of_rows for x in node.inputs):
                of_rows.update(node.outputs)
                is_of_vector = isinstance(node.op, Dot) and 1 in node.outputs[0].static_shape
                if is_of_vector or any(x in with_product for x in node.inputs):
                    with_product.update(node.outputs)
        found = [x for x in wanted if x in with_product]
        if not found:
            return
        try:
            batched = vectorize(found, self.rows)
        except GraphError:  # an op without a rule: the loop stays as it is
            return
        new_rows = [Variable(x.type) for x in found]
        self.rows.update(zip(new_rows, clone_replace(batched, self.shared), strict=True))
        self.change(lambda outputs: clone_replace(outputs, dict(zip(found, new_rows, strict=True))))

    def sum_behind(self) -> None:
        """Compute states that only add up something behind the loop, from the collected terms.

        The sum over steps of A_t B_t is the product of all A_t side by side with all B_t below each other;
        the sum of parts at places that steps pick is one increment at all places.
        """
        if self.op.until:  # rows behind the last step would join in
            return
        users: dict[Variable, int] = {}
        for node in self._nodes():
            for x in node.inputs:
                users[x] = users.get(x, 0) + 1
        for slot in self.slots:
            users[slot.new] = users.get(slot.new, 0) + 1
        collected = {slot.new for slot in self.slots if slot.state is None}
        for slot in list(self.slots):
            sums = self._sums(slot, users)
            terms = [x for parts, _ in sums for x in parts]
            if not sums or any(x in self.shared or (x.owner is None and x not in self.rows) for x in terms):
                continue
            for x in terms:
                if x not in self.rows and x not in collected:
                    collected.add(x)
                    self.slots.append(Slot(-1, x))
            self.slots.remove(slot)
            self._behind.append((slot, sums))

    def _sums(self, slot: Slot, users: dict[Variable, int]) -> list[Sum]:
        """Return what each step adds to a state, if that is all it does with it and can be done behind."""
        if not slot.is_last or slot.state is None or slot.state.taps != (-1,):
            return []
        (old,), pending = slot.taps, [slot.new]
        sums: list[Sum] = []
        is_carried = False
        while pending:
            x = pending.pop()
            if x is old:
                is_carried = users[old] == 1
                continue
            if x.owner is None or users[x] != 1 or x.broadcastable != slot.new.broadcastable:
                return []
            found = _sum_of_product(x) or _sum_of_parts(x)
            if found is not None:
                sums.append(found)
            if found is not None and isinstance(x.owner.op, IncSubtensor):
                pending.append(x.owner.inputs[0])
            elif isinstance(x.owner.op, Add):
                pending.extend(x.owner.inputs)
            elif found is None:
                return []
        return sums if is_carried else []

    def results(self, node: Apply) -> list[tuple[Slot, Variable]]:
        """Make the loop, and return what stands for each of its outputs; nothing where none has changed."""
        states = [slot for slot in self.slots if slot.state is not None]
        others = [slot for slot in self.slots if slot.state is None]
        condition = [slot for slot in others if self.op.until and slot.place == len(node.outputs) - 1]
        ordered = [*states, *(slot for slot in others if slot not in condition), *condition]
        needed = self._needed(ordered)
        rows = {row: sequence for row, sequence in self.rows.items() if row in needed}
        own = [*rows, *(x for slot in states for x in slot.taps)]
        inner, captured = close(own, [slot.new for slot in ordered], lift=True)
        op = Scan(
            inner,
            len(rows),
            tuple(State(slot.state.taps, not slot.is_last) for slot in states if slot.state is not None),
            self.op.until,
            self.op.truncate,
            self.op.name,
        )
        initials = [slot.initial for slot in states if slot.initial is not None]
        inputs = [self.steps, *rows.values(), *initials, *clone_replace(captured, self.shared)]
        if op == node.op and all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
            return []
        outputs = op.apply(*inputs) if ordered else ()
        known = {slot.new: out for slot, out in zip(ordered, outputs, strict=True) if slot.state is None}
        known.update(self.rows)
        made = [pair for pair in zip(ordered, outputs, strict=True) if pair[0].place >= 0]
        for slot, sums in self._behind:
            assert slot.initial is not None
            total = slot.initial[0]
            for terms, add_to in sums:
                total = add_to(total, {x: known[x] for x in terms})
            made.append((slot, dimshuffle(total, "x", *range(total.ndim))))
        return made


def _base(x: Variable) -> Variable:
    """Return the variable that one is a view of."""
    while x.owner is not None and isinstance(x.owner.op, DimShuffle):
        (x,) = x.owner.inputs
    return x


def _sum_of_parts(x: Variable) -> Sum | None:
    """Return the sum over steps of parts that are added at integers."""
    assert x.owner is not None
    op, (_, *parts) = x.owner.op, x.owner.inputs
    if not isinstance(op, IncSubtensor) or op.set_instead_of_inc or set(op.pattern) != {Entry.INTEGER}:
        return None

    def add_to(total: Variable, known: dict[Variable, Variable]) -> Variable:
        pattern = (Entry.ARRAY,) * (len(parts) - 1)
        return IncSubtensor(pattern, set_instead_of_inc=False)(total, *(known[x] for x in parts))

    return parts, add_to


def _sum_of_product(x: Variable) -> Sum | None:
    """Return the sum over steps of a product, or a view of it."""
    product = _base(x)
    if product.owner is None or not isinstance(product.owner.op, Dot):
        return None
    factors = product.owner.inputs

    def add_to(total: Variable, known: dict[Variable, Variable]) -> Variable:
        left, right = vectorize(factors, known)
        summed = Dot()(dimshuffle(fold(dimshuffle(left, 0, 2, 1)), 1, 0), fold(right))
        return total + clone_replace([x], {product: summed})[0]

    return [_base(x) for x in factors], add_to
