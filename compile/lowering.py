"""From nodes to steps: what each op becomes.

A *lowering* is a function that takes the steps so far and a node, and either names the view that
the node's output is, or adds steps that compute it. Each lives beside the kernels it uses, in `kernels/`.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.compile.spec import KernelSpec
from arignote.compile.specialize import PROMISED, Sized, Specialized
from arignote.compile.views import Argument, Buffer, Literal, Temporary, View
from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply, Constant, Op, Variable, op_name
from arignote.engine.types import Shape

#: An error for the element that a kernel's status points at, given the arrays of the step's node.
Diagnosis = Callable[[Sequence[np.ndarray], int], GraphError]


@dataclass(frozen=True)
class PlannedStep:
    """One kernel of a program under construction.

    Parameters
    ----------
    spec : KernelSpec
    arguments : tuple of int, View and KernelSpec
        A view stands for the address of its first element, a spec for that of the kernel.
    tasks, scratch : int
        Number of tasks; bytes of scratch memory a thread needs.
    node : Apply
        What it computes, for errors and the profile.
    reads, writes : tuple of View
        The views it touches, for lifetimes.
    diagnosis : tuple of (callable, views), optional
        How to word a failure: the function, and the views whose values it takes.
    flops : int
        Floating-point operations, for the profile; 0 for steps that only move elements.
    """

    spec: KernelSpec
    arguments: tuple[int | View | KernelSpec, ...]
    tasks: int
    scratch: int
    node: Apply
    reads: tuple[View, ...]
    writes: tuple[View, ...]
    diagnosis: tuple[Diagnosis, tuple[View, ...]] | None
    flops: int

    @property
    def bytes(self) -> int:
        """The bytes that it reads and writes, each element of each view once."""
        return sum(view.distinct_bytes for view in {*self.reads, *self.writes})

    @property
    def op(self) -> Op:
        """What it computes, by the name that the user knows."""
        return _unsized(self.node.op)


class Steps:
    """The steps of a program under construction, and the view of every variable that has one.

    Parameters
    ----------
    graph : Specialized
    """

    def __init__(self, graph: Specialized) -> None:
        self.graph = graph
        self.planned: list[PlannedStep] = []
        self.views: dict[Variable, View] = {}
        self._destinations: dict[Variable, View] = {}
        self._allocated: set[Variable] = set()
        #: Who reads the value of a variable, as often as it is read; None stands for the caller.
        self.readers: Mapping[Variable, Sequence[Apply | None]] = {}

    def view(self, x: Variable) -> View:
        """Return where the value of a variable lies."""
        if x not in self.views:
            if x.owner is not None:
                raise AssertionError(f"{x!r} is used before it is computed")
            buffer: Buffer = Literal(x.value) if isinstance(x, Constant) else Argument(self.graph.source(x))
            self.views[x] = View.contiguous(buffer, x.dtype, shape_of(x))
        return self.views[x]

    def contiguous(self, x: Variable, node: Apply) -> View:
        """Return a contiguous view of a variable's value, copied where it has to be.

        Its strides are those of a contiguous array along axes of extent 1 too: kernels compute with them.
        """
        view = self.view(x)
        if view.is_contiguous:
            return view.reshaped(view.shape)
        return self.copy(view, self.temporary(view.dtype, view.shape), node)

    def copy(self, source: View, target: View, node: Apply) -> View:
        """Add a step that copies; return the target."""
        from arignote.compile.kernels.elementwise import copy

        copy(self, source, target, node)
        return target

    def temporary(self, dtype: str, shape: Sequence[int]) -> View:
        """Return new memory of the arena."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return View.contiguous(Temporary(size), dtype, shape)

    def set_destination(self, x: Variable, view: View) -> None:
        """Say where the value of a variable that a step computes is to be written."""
        self._destinations[x] = view

    def allocate(self, x: Variable) -> View:
        """Return contiguous memory for the value of a variable that a step is about to compute."""
        view = self._destinations.get(x)
        self.views[x] = view if view is not None else self.temporary(x.dtype, shape_of(x))
        self._allocated.add(x)
        return self.views[x]

    def overwrite(self, old: Variable, x: Variable) -> View | None:
        """Give a variable the memory of a value that its node alone reads; None if that must stay."""
        view = self.views[old]
        if len(self.readers[old]) > 1 or old not in self._allocated or not isinstance(view.buffer, Temporary):
            return None
        self.alias(x, view)
        self._allocated.add(x)
        return view

    def alias(self, x: Variable, view: View) -> None:
        """Say that the value of a variable is a view, for which nothing has to run."""
        self.views[x] = view

    def step(
        self,
        spec: KernelSpec,
        node: Apply,
        *,
        reads: Sequence[View],
        writes: Sequence[View],
        arguments: Sequence[int | View | KernelSpec],
        tasks: int,
        scratch: int = 0,
        diagnosis: tuple[Diagnosis, tuple[View, ...]] | None = None,
        flops: int = 0,
    ) -> None:
        """Add a step; one without tasks is left out."""
        if tasks > 0:
            self.planned.append(
                PlannedStep(
                    spec,
                    tuple(arguments),
                    tasks,
                    scratch,
                    node,
                    tuple(reads),
                    tuple(writes),
                    diagnosis,
                    flops,
                )
            )


def shape_of(x: Variable) -> tuple[int, ...]:
    """Return the shape of a variable of a specialised graph, whose extents are all known."""
    if any(extent is None for extent in x.static_shape):
        raise AssertionError(f"{x!r} of type {x.type} is not specialised")
    return tuple(int(extent) for extent in x.static_shape if extent is not None)


def promised_shape(x: Variable, otherwise: Shape | None = None) -> Shape:
    """Return what the open graph says of a variable's shape.

    Where a rewrite has made the variable since, that is `otherwise`, by default nothing.
    """
    promised: Shape = getattr(x.tag, PROMISED, (None,) * x.ndim if otherwise is None else otherwise)
    return promised


#: Takes the steps, the op and the node; the op is the node's, or what a `Sized` wraps.
Lowering = Callable[[Steps, Any, Apply], None]


@dataclass(frozen=True)
class Registered:
    """A lowering, whether its kernel reads the inputs that decide shapes as data too, and for which ops."""

    lower: Lowering
    reads_shape_inputs: bool
    when: Callable[[Any], bool]


_lowerings: dict[type[Op], Registered] = {}

#: The modules in which lowerings are registered, each beside the kernels it uses.
_MODULES = (
    "conv",
    "dot",
    "elementwise",
    "index",
    "join",
    "neighbours",
    "order",
    "pool",
    "random",
    "scan",
    "shape",
    "softmax",
)


def lowers(
    *ops: type[Op], reads_shape_inputs: bool = False, when: Callable[[Any], bool] = lambda op: True
) -> Callable[[Lowering], Lowering]:
    """Register a lowering for ops of these classes, or those of them for which `when` holds."""

    def register(lower: Lowering) -> Lowering:
        for op in ops:
            _lowerings[op] = Registered(lower, reads_shape_inputs, when)
        return lower

    return register


def is_native(op: Op) -> bool:
    """Tell whether an op has a lowering; NumPy computes those that have none, between native programs."""
    found = _find(op)
    return found is not None and found.when(_unsized(op))


def lower(steps: Steps, node: Apply) -> None:
    """Add what a node becomes to the steps."""
    op = _unsized(node.op)
    _registered(op).lower(steps, op, node)


def data_inputs(node: Apply) -> list[Variable]:
    """Return the inputs whose values a node's kernel reads; those that only decide shapes are left out."""
    if _registered(_unsized(node.op)).reads_shape_inputs:
        return list(node.inputs)
    return [x for place, x in enumerate(node.inputs) if place not in node.shape_places]


def _unsized(op: Op) -> Op:
    return op.op if isinstance(op, Sized) else op


@functools.cache
def _import_lowerings() -> None:
    for module in _MODULES:
        importlib.import_module(f"arignote.compile.kernels.{module}")


def _registered(op: Op) -> Registered:
    found = _find(op)
    if found is None:
        raise AssertionError(f"{op_name(op)} has no lowering")
    return found


def _find(op: Op) -> Registered | None:
    _import_lowerings()
    return next((_lowerings[kind] for kind in type(op).__mro__ if kind in _lowerings), None)
