"""A specialised program with its memory, ready to run."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np

from arignote.compile.aligned import aligned_empty
from arignote.compile.build import Built, allocation_error
from arignote.compile.lowering import PlannedStep
from arignote.compile.objects import kernel_addresses
from arignote.compile.program import Program, Relocation, Step, StepError
from arignote.compile.spec import KernelSpec
from arignote.compile.threads import DRIVER
from arignote.compile.views import Argument, Buffer, Literal, Temporary, View, Window
from arignote.engine.errors import GraphError
from arignote.engine.graph import Variable


class Arena:
    """Memory that all programs of a function share; it grows to what the largest needs."""

    def __init__(self) -> None:
        self._allocate(0)

    def address(self, size: int) -> int:
        """Return the address of at least `size` bytes."""
        if self._size < size:
            self._allocate(size)
        return self._address

    def _allocate(self, size: int) -> None:
        self._memory = aligned_empty(size)
        self._size, self._address = size, address_of(self._memory)


#: Stands for the arena among the buffers of a program.
_ARENA = Buffer()


class Executable:
    """A program for one specialisation.

    Parameters
    ----------
    built : Built
    variables : sequence of Variable
        Whose values `run` is given: the inputs, and the shared variables.
    arena : Arena

    Attributes
    ----------
    first_step : int or None
        The number of its first step in a profile.
    """

    def __init__(self, built: Built, variables: Sequence[Variable], arena: Arena) -> None:
        self.built = built
        self.first_step: int | None = None
        self._arena, self._arena_size = arena, built.arena
        self._results = [*built.results, *built.renewed.values()]
        given: list[Buffer] = [*map(Argument, variables), *self._results]
        self._places = {buffer: place for place, buffer in enumerate(given)}
        self._arena_place = self._place(_ARENA)
        relocations = []
        steps = []
        address = _kernels(built.steps)
        for number, planned in enumerate(built.steps):
            words = []
            for place, argument in enumerate(planned.arguments):
                if isinstance(argument, View):
                    relocations.append(self._relocation(number, place, argument))
                    argument = 0
                elif isinstance(argument, KernelSpec):
                    argument = address[argument]
                words.append(argument)
            steps.append(Step(address[planned.spec], words, planned.tasks, planned.scratch))
        self.program = Program(steps, relocations, len(self._places), arrays=len(given))
        self._arrays = memoryview(self.program.arrays)
        self._words = memoryview(self.program.buffers)
        self._integers: list[tuple[int, Variable]] = []
        self._windows: list[tuple[int, Window]] = []
        for buffer, place in list(self._places.items())[len(given) :]:
            if isinstance(buffer, Literal):
                self._words[place] = address_of(buffer.value)
            elif isinstance(buffer, Argument):
                self._integers.append((place, buffer.variable))
            elif isinstance(buffer, Window):
                self._windows.append((place, buffer))
        self._shapes = [(result.shape, np.dtype(result.dtype)) for result in self._results]

    def _relocation(self, step: int, argument: int, view: View) -> Relocation:
        offset = view.offset * view.itemsize
        if isinstance(view.buffer, Temporary):
            return Relocation(step, argument, self._arena_place, view.buffer.offset + offset)
        return Relocation(step, argument, self._place(view.buffer), offset)

    def _place(self, buffer: Buffer) -> int:
        """Return the number of a buffer; a window comes behind its parent."""
        if buffer not in self._places and isinstance(buffer, Window):
            self._place(_ARENA if isinstance(buffer.parent, Temporary) else buffer.parent)
        return self._places.setdefault(buffer, len(self._places))

    def run(
        self,
        arrays: Sequence[np.ndarray],
        integers: Mapping[Variable, int],
        results: list[np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """Run the program.

        Parameters
        ----------
        arrays : sequence of ndarray
            The contiguous, aligned values of the variables, in their order.
        integers : mapping of Variable to int
            The integers that decide shapes.
        results : list of ndarray, optional
            What an earlier run has returned: to be written to again.

        Returns
        -------
        list of ndarray
            The results, then the new arrays of the renewed shared variables.

        Raises
        ------
        GraphError
            If a kernel refuses a value, or there is no memory; no shared variable is changed.
        """
        words, objects = self._words, self._arrays
        try:
            if results is None:
                results = [np.empty(shape, dtype) for shape, dtype in self._shapes]
            if self._arena_size:
                words[self._arena_place] = self._arena.address(self._arena_size)
        except MemoryError:
            raise allocation_error(self.built) from None
        place = 0
        for array in arrays:
            objects[place] = id(array)
            place += 1
        for array in results:
            objects[place] = id(array)
            place += 1
        if self._integers or self._windows:
            values = [*arrays, *results]
            scalars = [np.asarray(integers[x], x.dtype) for _, x in self._integers]
            for (place, _), scalar in zip(self._integers, scalars, strict=True):
                words[place] = address_of(scalar)
            for place, window in self._windows:
                words[place] = self._base(window.parent, values) + window.offset_of(integers)
        try:
            self.program.run()
        except StepError as failure:
            raise self._explained(failure, [*arrays, *results]) from None
        return results

    def _base(self, buffer: Buffer, values: Sequence[np.ndarray]) -> int:
        """Return the address of a buffer."""
        if isinstance(buffer, Temporary):
            return self._words[self._arena_place] + buffer.offset
        place = self._places[buffer]
        return address_of(values[place]) if place < len(values) else self._words[place]

    def _explained(self, failure: StepError, values: Sequence[np.ndarray]) -> GraphError:
        step = self.built.steps[failure.step]
        if step.diagnosis is None:
            raise AssertionError(f"{step.node!r} failed with status {failure.status}, and cannot say why")
        diagnose, views = step.diagnosis
        error = diagnose([self._read(view, values) for view in views], failure.status)
        error.origin = error.origin or step.node.origin
        return error

    def _read(self, view: View, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return a copy of the elements of a view."""
        if not view.size:
            return np.empty(view.shape, view.dtype)
        reaches = [(extent - 1) * stride for extent, stride in zip(view.shape, view.strides, strict=True)]
        before = sum(reach for reach in reaches if reach < 0)
        span = sum(abs(reach) for reach in reaches) + 1
        address = self._base(view.buffer, values) + (view.offset + before) * view.itemsize
        data = ctypes.string_at(address, span * view.itemsize)
        strides = [stride * view.itemsize for stride in view.strides]
        return np.ndarray(view.shape, view.dtype, data, -before * view.itemsize, strides)


def _kernels(steps: Sequence[PlannedStep]) -> dict[KernelSpec, int]:
    """Load the kernels of the steps and the driver, all together, and return their addresses."""
    # The driver first: it takes longest to build, and the rest can be shared out meanwhile.
    specs = [DRIVER, *(step.spec for step in steps)]
    specs += [word for step in steps for word in step.arguments if isinstance(word, KernelSpec)]
    return dict(zip(specs, kernel_addresses(specs), strict=True))


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address
