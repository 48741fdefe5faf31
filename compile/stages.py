"""The program tree: native programs, and what Python does between them.

Most functions are one native program. A node whose op has no kernel is computed by NumPy: the *host*. It
cuts the graph into stages, the native programs before and after it; so does an integer that is computed
from the elements of an array and decides a shape. An `ifelse` is a *branch*: each side is a function of its
own, and only one is called. A *loop* is a step of a native program, unless its own steps need the host: then
they are a function that is called for each.

Shared variables are written to by the last stage alone, so a call that fails in any stage changes none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from arignote.compile.build import Built, build
from arignote.compile.executable import Arena, Executable
from arignote.compile.lowering import is_native
from arignote.compile.profile import Profile
from arignote.compile.specialize import Shapes
from arignote.engine.evaluate import Compute, perform
from arignote.engine.graph import Apply, Constant, Variable, clone_replace, graph_inputs, walk
from arignote.engine.ops.control import IfElse
from arignote.engine.ops.scan import Scan
from arignote.engine.ops.shape import ShapeOf, is_short
from arignote.engine.shared import SharedVariable, conform
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import TensorType

Values = dict[Variable, np.ndarray]

#: Programs a stage keeps, one for each set of shapes; the least recently used goes first.
MOST_SPECIALIZATIONS = 64


class Stage(Protocol):
    """A part of a function.

    Attributes
    ----------
    natives : sequence of Native
        The native programs it runs.
    """

    natives: Sequence[Native]

    def run(self, values: Values) -> None:
        """Compute, from the values of inputs and earlier stages, more of them."""


class Native:
    """A native program for every set of shapes.

    Parameters
    ----------
    inputs : sequence of Variable
        Whose values are given; shared variables are found.
    outputs : sequence of Variable
        What is computed, and after it the new values of `updated`.
    updated : sequence of SharedVariable
    profile : Profile or None
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        updated: Sequence[SharedVariable],
        profile: Profile | None,
    ) -> None:
        self._updated, self._profile = list(updated), profile
        self._returned = len(outputs) - len(self._updated)
        self._shared = [x for x in graph_inputs(outputs) if isinstance(x, SharedVariable)]
        self._shared.extend(x for x in self._updated if x not in self._shared)
        self._variables = [*inputs, *self._shared]
        self._shapes = Shapes(outputs)
        self._roots = [(self._variables.index(x), x) for x in self._shapes.roots]
        self._executables: OrderedDict[Any, Executable] = OrderedDict()
        self._arena = Arena()

    def call(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Compute the outputs from the values of the inputs, and apply the updates."""
        for variable in self._updated:
            if variable.lent:  # somebody else holds the array: they keep it, and the variable gets its own
                variable.set_value(variable.storage)
        for variable in self._shared:
            arrays.append(variable.storage)
        key: Any = tuple([array.shape for array in arrays])
        shapes = self._shapes
        integers: dict[Variable, int] = {}
        if shapes.prologue:
            integers = {
                x: arrays[place] if x.ndim else int(arrays[place])
                for place, x in self._roots
                if x in shapes.followed
            }
            types = {x: TensorType(x.dtype, arrays[place].shape) for place, x in self._roots}
            key += shapes.resolve(types, integers)
        executable = self._executables.get(key)
        if executable is None:
            executable = self._kept(key, arrays, integers)
        elif len(self._executables) > 1:
            self._executables.move_to_end(key)
        run = executable.run if self._profile is None else self._profile.measured(executable)
        results = run(arrays, integers)
        renewed = executable.built.renewed
        if not renewed:
            return results
        for variable, array in zip(renewed, results[self._returned :], strict=True):
            variable.set_value(array, borrow=True)
            variable.lent = False
        return results[: self._returned]

    def _kept(self, key: Any, arrays: list[np.ndarray], integers: dict[Variable, int]) -> Executable:
        """Make the program for a set of shapes, and keep it."""
        executable = self._specialized(self._types(arrays), integers)
        self._executables[key] = executable
        if len(self._executables) > MOST_SPECIALIZATIONS:
            self._executables.popitem(last=False)
        return executable

    def bound(self, arguments: Sequence[np.ndarray]) -> Callable[[], list[np.ndarray] | None] | None:
        """Return the call with these arguments that writes its results to the same arrays every time.

        It returns None once a shared variable has got another shape. There is none where integers decide
        shapes, where an update changes one, or where steps are measured.
        """
        if self._shapes.prologue or self._profile:
            return None
        arrays = [*arguments, *(variable.storage for variable in self._shared)]
        key = tuple([array.shape for array in arrays])
        executable = self._executables.get(key) or self._kept(key, arrays, {})
        if executable.built.renewed:
            return None
        shared = list(enumerate(self._shared, len(arguments)))
        results = None

        def call() -> list[np.ndarray] | None:
            nonlocal results
            for variable in self._updated:
                if variable.lent:
                    variable.set_value(variable.storage)
            for place, variable in shared:
                storage = variable.storage
                if storage is not arrays[place]:
                    if storage.shape != arrays[place].shape:
                        return None
                    arrays[place] = storage
            results = executable.run(arrays, {}, results)
            return results

        return call

    @property
    def built(self) -> list[Built]:
        """The plans of the specialisations that are kept, the latest last."""
        return [executable.built for executable in self._executables.values()]

    def _types(self, arrays: Sequence[np.ndarray]) -> dict[Variable, TensorType]:
        """Return the types of the values, their extents all numbers."""
        for x, array in zip(self._variables, arrays, strict=True):
            if not x.type.admits(array.shape):
                conform(array, x.type, f"function: input {x!r}")
        return {x: TensorType(x.dtype, array.shape) for x, array in zip(self._variables, arrays, strict=True)}

    def _specialized(self, types: dict[Variable, TensorType], integers: dict[Variable, int]) -> Executable:
        profile = self._profile or Profile()
        with profile.stage("specialize"), test_values_off():
            graph = self._shapes.specialize(types, integers)
        with profile.stage("plan"):
            extents = {x: x.storage.shape for x in self._shared}
            built = build(graph, self._returned, self._updated, extents)
        with profile.stage("kernels"):
            return Executable(built, self._variables, self._arena)


class _Part:
    """A native program as one of several stages: it takes and gives values by name."""

    def __init__(
        self,
        outputs: Sequence[Variable],
        updates: Sequence[tuple[SharedVariable, Variable]],
        computed: Iterable[Variable],
        profile: Profile | None,
    ) -> None:
        expressions = [*outputs, *(new for _, new in updates)]
        stand_ins = {x: Variable(x.type, name=x.name) for x in computed}
        cut = clone_replace(expressions, dict(stand_ins))
        found = {x: x for x in graph_inputs(cut) if not isinstance(x, Constant | SharedVariable)}
        found.update({stand_in: x for x, stand_in in stand_ins.items() if stand_in in found})
        self._sources = list(found.values())
        self._outputs = list(outputs)
        self._native = Native(list(found), cut, [variable for variable, _ in updates], profile)
        self.natives = [self._native]

    def run(self, values: Values) -> None:
        results = self._native.call([values[x] for x in self._sources])
        values.update(zip(self._outputs, results, strict=True))


class _Host:
    """A node that NumPy computes."""

    natives: Sequence[Native] = ()

    def __init__(self, node: Apply, compute: Compute) -> None:
        self._node, self._compute = node, compute

    def run(self, values: Values) -> None:
        results = self._compute(self._node, [value_of(x, values) for x in self._node.inputs])
        for x, result in zip(self._node.outputs, results, strict=True):
            values[x] = np.require(result, x.dtype, ["C", "A"])


class _Repeated:
    """Computes a loop that is not native throughout: its step is a function of its own, called by Python."""

    def __init__(self) -> None:
        self._step: Callable[..., list[np.ndarray]] | None = None

    def __call__(self, node: Apply, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        from arignote.compile.pipeline import function

        op = node.op
        assert isinstance(op, Scan)
        if self._step is None:
            self._step = function(op.inner.inputs, list(op.inner.outputs), on_unused_input="ignore")
        step = self._step
        return perform(node, arrays, lambda *arrays: op.repeat(arrays, lambda given: step(*given)))


class _Branch:
    """A lazy choice between two functions, each compiled when it is first needed."""

    natives: Sequence[Native] = ()  # those of its functions are their own

    def __init__(self, node: Apply, leaves: Mapping[Variable, Sequence[Variable]]) -> None:
        self._out, (self._condition, *self._sides) = node.outputs[0], node.inputs
        self._leaves = leaves
        self._functions: dict[Variable, Callable[..., np.ndarray]] = {}

    def run(self, values: Values) -> None:
        side = self._sides[0 if value_of(self._condition, values) else 1]
        if side not in self._functions:
            self._functions[side] = self._compiled(side)
        values[self._out] = self._functions[side](*(values[x] for x in self._leaves[side]))

    def _compiled(self, side: Variable) -> Callable[..., np.ndarray]:
        from arignote.compile.pipeline import function

        inputs = {x: Variable(x.type, name=x.name) for x in self._leaves[side]}
        (expression,) = clone_replace([side], dict(inputs))
        return function(list(inputs.values()), expression, on_unused_input="ignore")


def value_of(x: Variable, values: Values) -> np.ndarray:
    """Return the value of a variable: a constant's or a shared one's own, or what has been computed."""
    if isinstance(x, Constant):
        return x.value
    return x.storage if isinstance(x, SharedVariable) else values[x]


def split(
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Variable]],
    profile: Profile | None,
) -> list[Stage]:
    """Return the stages that compute the outputs and apply the updates.

    Parameters
    ----------
    outputs : sequence of Variable
    updates : sequence of (SharedVariable, Variable)
    profile : Profile or None

    Returns
    -------
    list of Stage
        Empty where no cut is needed.
    """
    expressions = [*outputs, *(new for _, new in updates)]
    eager = walk(expressions, inputs_of=_eager_inputs)
    leaves = _leaves(eager)

    def inputs_of(node: Apply) -> Sequence[Variable]:
        if not isinstance(node.op, IfElse):
            return node.inputs
        sides = node.inputs[1:]
        return [node.inputs[0], *(x for side in sides for x in leaves[side])]

    levels = _Levels(walk(expressions, inputs_of=inputs_of), inputs_of)
    last = max(levels.available.values(), default=0)
    if last == 0:
        return []
    stages: list[Stage] = []
    for level in range(last + 1):
        own = [node for node in levels.nodes if levels.of[node] == level]
        natives = [node for node in own if is_native(node.op)]
        made = dict.fromkeys(x for node in natives for x in node.outputs)  # in an order that repeats
        elsewhere = {
            x
            for node in levels.nodes
            for x in inputs_of(node)
            if levels.of[node] != level or not is_native(node.op)
        }
        wanted = [x for x in made if x in elsewhere or x in outputs or (level < last and x in expressions)]
        computed = [x for x, first in levels.available.items() if x not in made and first <= level]
        new_values = updates if level == last else ()
        if wanted or new_values:
            stages.append(_Part(wanted, new_values, computed, profile))
        for node in own:
            if isinstance(node.op, IfElse):
                stages.append(_Branch(node, leaves))
            elif not is_native(node.op):
                compute = _Repeated() if isinstance(node.op, Scan) else perform
                stages.append(_Host(node, profile.watched(compute) if profile else compute))
    return stages


def _eager_inputs(node: Apply) -> Sequence[Variable]:
    """Return the inputs that are computed in any case: of a choice, only the condition."""
    return node.inputs[:1] if isinstance(node.op, IfElse) else node.inputs


def _leaves(eager: Sequence[Apply]) -> dict[Variable, list[Variable]]:
    """Return, for each side of each choice, the variables it is computed from that are there in any case."""
    computed = {x for node in eager for x in node.outputs}
    result = {}
    for node in eager:
        for side in node.inputs[1:] if isinstance(node.op, IfElse) else ():
            inside = walk([side], stop=computed)
            needed = dict.fromkeys(x for inner in inside for x in inner.inputs)
            found = [x for x in needed if x in computed or x.owner is None] or [side]
            result[side] = [x for x in found if not isinstance(x, Constant | SharedVariable)]
    return result


class _Levels:
    """The stage that each node belongs to.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which inputs come first.
    inputs_of : callable

    Attributes
    ----------
    of : dict of Apply to int
        A host node belongs to the stage after whose native program it runs.
    available : dict of Variable to int
        The first stage whose native program can use a value.
    """

    def __init__(self, nodes: Sequence[Apply], inputs_of: Callable[[Apply], Sequence[Variable]]) -> None:
        self.nodes = nodes
        self.of: dict[Apply, int] = {}
        self.available: dict[Variable, int] = {}
        self._resolved: dict[Variable, int] = {}  # the first stage in which an integer is known beforehand
        for node in nodes:
            level = max((self.available.get(x, 0) for x in inputs_of(node)), default=0)
            native = is_native(node.op)
            if native:
                level = max([level, *(self._known(node.inputs[place]) for place in node.shape_places)])
            self.of[node] = level
            for x in node.outputs:
                self.available[x] = level if native else level + 1
                self._resolved[x] = self._known_from(node, x)

    def _known(self, x: Variable) -> int:
        """Return the first stage in which an integer is known beforehand: an array given is, in the next."""
        return self._resolved.get(x, 0 if is_short(x) else 1)

    def _known_from(self, node: Apply, x: Variable) -> int:
        """Return the first stage in which an output is known before its native program runs."""
        available = self.available[x]
        if isinstance(node.op, ShapeOf):
            return available
        if not is_short(x):
            return available + 1
        if not is_native(node.op):
            return available
        return min(available + 1, max([available, *map(self._known, node.inputs)]))
