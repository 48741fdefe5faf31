"""A product of matrices and the loop that reads it, a few rows at a time.

The gradient of a weight matrix is a product of few terms an element, and is read once: by the update. To
write it as a whole costs more than its arithmetic. So a task computes some rows of it in scratch memory and
runs the loop over these, with the kernels that would have run over all of it.

    arguments: the header; for each step of a block, and then of the last block, a row; the arguments of these
    steps, and behind each step's the bytes by which they move from one block to the next
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from arignote.compile.kernels.elementwise import lower_group
from arignote.compile.lowering import PlannedStep, Steps, lower, promised_shape, shape_of
from arignote.compile.spec import KernelSpec
from arignote.compile.specialize import PROMISED
from arignote.compile.views import View
from arignote.engine.graph import Apply, Variable
from arignote.engine.ops.dot import Dot
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.types import TensorType

BLOCK_BYTES = 16 << 10  # of a product: it stays in the first-level cache
LEAST_ROWS = 5  # of a block: those of a register tile
MOST_TERMS = 32  # of an element of the product: from here on, writing it costs little beside computing it
LEAST_BYTES = 2 << 20  # of the product: a smaller one stays in the second-level cache anyway

# The header.
BLOCKS = 0  # number of blocks
PRODUCT = 1  # bytes of scratch memory before the product: for the arguments of a step
MEMORY = 2  # bytes of scratch memory before that of the steps
HEADER = 3

KERNEL, ARGUMENTS, WORDS, TASKS, STEP_ROW = range(5)  # address, place, number, number; size of a row
STEPS = 2  # the product and the loop
IN_SCRATCH = -1  # stands for the bytes by which an address moves that is the product's in scratch memory


def blocks() -> Callable[..., int]:
    """Build the kernel, whose tasks are blocks."""
    from arignote.compile import concurrency as native
    from arignote.compile.intrinsics import cast_to

    address_of, call_kernel, words_of = native.address_of, native.call_kernel, cast_to("int64")

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        words = words_of(scratch)
        start = address_of(words, 0)
        for task in range(begin, end):
            first = STEPS if task == args[BLOCKS] - 1 else 0
            for step in range(first, first + STEPS):
                row = HEADER + step * STEP_ROW
                place, count = args[row + ARGUMENTS], args[row + WORDS]
                for i in range(count):
                    distance = args[place + count + i]
                    moved = args[place + i] + task * distance
                    words[i] = start + args[PRODUCT] if distance == IN_SCRATCH else moved
                status = call_kernel(args[row + KERNEL], start, start + args[MEMORY], 0, args[row + TASKS])
                if status != 0:
                    return status
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def products(
    groups: Mapping[Apply, Sequence[Apply]],
    readers: Mapping[Variable, Sequence[Apply | None]],
) -> dict[Apply, Apply]:
    """Return, for each group of elementwise nodes that reads a product block by block, the product's node."""
    result: dict[Apply, Apply] = {}
    loops = Counter(member for members in groups.values() for member in members)
    for root, members in groups.items():
        if not isinstance(root.op, Elementwise):
            continue
        for x in dict.fromkeys(x for member in members for x in member.inputs):
            alone = {member for member in members if loops[member] == 1}
            if root not in result and _is_suited(x, root) and alone.issuperset(readers[x]):
                assert x.owner is not None
                result[root] = x.owner
    return result


def _is_suited(x: Variable, root: Apply) -> bool:
    """Tell whether a variable is a product of the group's shape that is cheap to compute, but large."""
    if x.owner is None or not isinstance(x.owner.op, Dot) or not x.dtype.startswith("float"):
        return False
    a, shape = x.owner.inputs[0], shape_of(x)
    if len(shape) != 2 or shape != shape_of(root.outputs[0]) or shape[1] == 1:
        return False
    size = shape[0] * shape[1] * np.dtype(x.dtype).itemsize
    return shape_of(a)[-1] <= MOST_TERMS and size >= LEAST_BYTES and shape[0] > _rows(x)


def _rows(x: Variable) -> int:
    """Return the rows of a block."""
    line = shape_of(x)[1] * np.dtype(x.dtype).itemsize
    return max(1, BLOCK_BYTES // line // LEAST_ROWS) * LEAST_ROWS


def lower_blocks(steps: Steps, members: Sequence[Apply], root: Apply, product: Apply) -> None:
    """Add the step of a product and the group that reads it."""
    out = product.outputs[0]
    (count, columns), rows = shape_of(out), _rows(out)
    number = -(-count // rows)
    target = steps.allocate(root.outputs[0])
    whole = _Block(steps, members, product, target, rows)
    last = _Block(steps, members, product, target, count - (number - 1) * rows)
    before = _whole_lines(8 * max(len(step.arguments) for block in (whole, last) for step in block.steps))
    memory = before + _whole_lines(rows * columns * target.itemsize)
    arguments: list[int | View | KernelSpec] = [number, before, memory]
    place = HEADER + 2 * STEPS * STEP_ROW
    tail: list[int | View | KernelSpec] = []
    for block in (whole, last):
        for step, distances in zip(block.steps, whole.distances, strict=True):
            words = [0 if block.is_product(word) else word for word in step.arguments]
            # A last block of one row may have another number of extents, but the same arrays.
            moves = iter(distances)
            moving = [next(moves) if isinstance(word, View) else 0 for word in step.arguments]
            arguments += [step.spec, place + len(tail), len(words), step.tasks]
            tail += [*words, *moving]
    reads = [steps.view(x) for node in (product, *members) for x in node.inputs if x in steps.views]
    steps.step(
        KernelSpec.of("blocks:blocks"),
        root,
        reads=reads,
        writes=[target],
        arguments=[*arguments, *tail],
        tasks=number,
        scratch=memory + max(step.scratch for block in (whole, last) for step in block.steps),
        flops=number * sum(step.flops for step in whole.steps),
    )


def _views(step: PlannedStep) -> list[View]:
    return [word for word in step.arguments if isinstance(word, View)]


def _whole_lines(size: int) -> int:
    """Round bytes up to cache lines."""
    return -(-size // 64) * 64


class _Block:
    """The steps of the first rows of a product and its group.

    Attributes
    ----------
    steps : list of PlannedStep
    distances : list of list of int
        For each step, the bytes by which its arrays move from one block of so many rows to the next.
    """

    def __init__(
        self, steps: Steps, members: Sequence[Apply], product: Apply, target: View, rows: int
    ) -> None:
        self._outer, self._inner, self._rows = steps, Steps(steps.graph), rows
        self._all_rows = target.shape[0]
        a, b = product.inputs
        made = Apply(product.op, [self._first_rows(a), self._stand_in(b, steps.view(b))]).outputs[0]
        setattr(made.tag, PROMISED, (None, promised_shape(product.outputs[0])[1]))
        self._product = self._inner.temporary(made.dtype, shape_of(made))
        self._inner.set_destination(made, self._product)
        assert made.owner is not None
        lower(self._inner, made.owner)
        mapping = {product.outputs[0]: made}
        group = []
        for member in members:
            for x in member.inputs:
                if x not in mapping:
                    mapping[x] = self._operand(x)
            node = Apply(member.op, [mapping[x] for x in member.inputs])
            group.append(node)
            mapping[member.outputs[0]] = node.outputs[0]
            setattr(node.outputs[0].tag, PROMISED, (None, promised_shape(member.outputs[0])[1]))
        root = group[-1]
        self._inner.set_destination(root.outputs[0], target.sliced([slice(0, rows)]))
        lower_group(self._inner, group, root)
        self.steps: list[PlannedStep] = self._inner.planned
        assert len(self.steps) == STEPS
        left = self._inner.view(made.owner.inputs[0])
        product_step, loop = self.steps
        self.distances = [
            [self._distance(word, moves=word == left) for word in _views(product_step)],
            [self._distance(word, moves=True) for word in _views(loop)],
        ]

    def is_product(self, word: int | View | KernelSpec) -> bool:
        """Tell whether an argument is the address of the product."""
        return isinstance(word, View) and word.buffer is self._product.buffer

    def _distance(self, word: View, *, moves: bool) -> int:
        if self.is_product(word):
            return IN_SCRATCH
        return self._rows * word.strides[0] * word.itemsize if moves else 0

    def _first_rows(self, x: Variable) -> Variable:
        made = self._stand_in(x, self._outer.view(x).sliced([slice(0, self._rows)]))
        setattr(made.tag, PROMISED, (None, *promised_shape(x)[1:]))
        return made

    def _operand(self, x: Variable) -> Variable:
        """Return what stands for an operand of the group: some rows, unless it is broadcast along them."""
        shape = shape_of(x)
        is_row_by_row = len(shape) == 2 and shape[0] == self._all_rows
        return self._first_rows(x) if is_row_by_row else self._stand_in(x, self._outer.view(x))

    def _stand_in(self, x: Variable, view: View) -> Variable:
        made = Variable(TensorType(x.dtype, view.shape))
        setattr(made.tag, PROMISED, promised_shape(x))
        self._inner.views[made] = view
        return made
