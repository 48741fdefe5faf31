"""The plan of a compiled function as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from arignote.compile.arena import Lifetime
from arignote.compile.build import Built, lifetimes
from arignote.compile.lowering import PlannedStep
from arignote.compile.sizes import size_text
from arignote.compile.views import Argument, Literal, Result, Temporary, View, Window, root
from arignote.engine.errors import place_of
from arignote.engine.graph import op_name, walk


def explained(built: Built) -> str:
    """Return the plan of one specialisation.

    The steps in the order in which they run, each with its op, kernel, the user's line, the ops that its loop
    fuses, and where it reads and writes; then the values for which nothing runs.
    """
    lives = lifetimes(built.steps)
    steps = [line for number, step in enumerate(built.steps) for line in _step(number, step, built, lives)]
    views = [f"    {line}" for line in _unrun(built)]
    alone = sum(buffer.size for buffer in lives)
    kernels = len({step.spec for step in built.steps})
    lines = [
        f"{len(built.steps)} steps with {kernels} kernels; arena {size_text(built.arena)} for "
        f"{len(lives)} temporaries of {size_text(alone)} in all",
        *steps,
    ]
    if views:
        lines += ["  nothing runs for:", *views]
    return "\n".join(lines)


def _step(number: int, step: PlannedStep, built: Built, lives: Mapping[Temporary, Lifetime]) -> Iterator[str]:
    shape = "x".join(map(str, step.writes[0].shape)) or "scalar"
    origin = step.node.origin
    place = f"   {place_of(origin)}" if origin is not None else ""
    kernel = f"{step.spec.module.rpartition('.')[2]}:{step.spec.function}"
    yield f"  {number:3d}  {op_name(step.op)} {step.writes[0].dtype} {shape}  kernel {kernel}{place}"
    group = built.groups.get(step.node, ())
    if len(group) > 1:
        names = Counter(op_name(node.op) for node in group)
        texts = (f"{count} {name}" if count > 1 else name for name, count in names.items())
        yield f"       fuses {', '.join(texts)}"
    yield f"       reads {', '.join(dict.fromkeys(map(_place, step.reads))) or 'nothing'}"
    in_place = {root(view.buffer) for view in step.reads} & {root(view.buffer) for view in step.writes}
    for view in step.writes:
        text = f"       writes {_place(view)}"
        if root(view.buffer) in in_place:
            text += ", in place"
        elif earlier := _taken_over(view, number, lives):
            text += f", memory that step {earlier[-1]} no longer needs"
        yield text


def _place(view: View) -> str:
    buffer = root(view.buffer)
    if isinstance(buffer, Temporary):
        return f"arena[{buffer.offset}:{buffer.offset + buffer.size}]"
    if isinstance(buffer, Argument):
        return f"rows of {buffer.variable!r}" if isinstance(view.buffer, Window) else repr(buffer.variable)
    if isinstance(buffer, Literal):
        return str(buffer.value.reshape(())) if buffer.value.size == 1 else "a constant"
    return "a new array" if isinstance(buffer, Result) else "memory"


def _taken_over(view: View, number: int, lives: Mapping[Temporary, Lifetime]) -> list[int]:
    """Return which steps' memory a step writes over, if it is the first to use its own."""
    own = root(view.buffer)
    if not isinstance(own, Temporary) or lives[own][0] != number:
        return []
    return sorted(
        first
        for buffer, (first, last) in lives.items()
        if last < number
        and buffer.offset < own.offset + own.size
        and own.offset < buffer.offset + buffer.size
    )


def _unrun(built: Built) -> Iterator[str]:
    """Yield the values that are views of others."""
    computed = {
        (view.buffer, view.offset, view.shape, view.strides) for step in built.steps for view in step.writes
    }
    counted: Counter[str] = Counter()
    for node in walk(built.graph.outputs):
        for x in node.outputs:
            view = built.views.get(x)
            if view is not None and (view.buffer, view.offset, view.shape, view.strides) not in computed:
                counted[f"{op_name(node.op)} {x.type}: a view of {_place(view)}"] += 1
    for text, count in counted.items():
        yield text + (f" ({count} times)" if count > 1 else "")
