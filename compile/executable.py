"""A specialised program with its memory, ready to run."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import numpy as np

from arignote.compile.aligned import aligned_empty
from arignote.compile.build import Built
from arignote.compile.objects import kernel_address
from arignote.compile.program import Program, Relocation, Step, StepError
from arignote.compile.views import Argument, Buffer, Literal, Result, Temporary, View, Window
from arignote.engine.errors import GraphError
from arignote.engine.graph import Variable
from arignote.engine.shared import SharedVariable


class Arena:
    """Memory that all programs of a function share; it grows to what the largest needs."""

    def __init__(self) -> None:
        self.memory = aligned_empty(0)

    def address(self, size: int) -> int:
        """Return the address of at least `size` bytes."""
        if self.memory.nbytes < size:
            self.memory = aligned_empty(size)
        return address_of(self.memory)


class Executable:
    """A program for one specialisation.

    Parameters
    ----------
    built : Built
    arena : Arena
    """

    def __init__(self, built: Built, arena: Arena) -> None:
        self.built = built
        self.arena = arena
        self._places: dict[Buffer | None, int] = {None: 0}  # the arena is buffer 0
        relocations = []
        steps = []
        for number, planned in enumerate(built.steps):
            words = []
            for place, argument in enumerate(planned.arguments):
                if isinstance(argument, View):
                    relocations.append(self._relocation(number, place, argument))
                words.append(0 if isinstance(argument, View) else argument)
            steps.append(Step(kernel_address(planned.spec), words, planned.tasks, planned.scratch))
        self.program = Program(steps, relocations, len(self._places))
        self._inputs: list[tuple[int, Variable]] = []
        self._shared: list[tuple[int, SharedVariable]] = []
        self._results: list[tuple[int, Result]] = []
        self._windows: list[tuple[int, Window]] = []
        for buffer, place in self._places.items():
            if isinstance(buffer, Literal):
                self.program.buffers[place] = address_of(buffer.value)
            elif isinstance(buffer, Argument) and isinstance(buffer.variable, SharedVariable):
                self._shared.append((place, buffer.variable))
            elif isinstance(buffer, Argument):
                self._inputs.append((place, buffer.variable))
            elif isinstance(buffer, Result):
                self._results.append((place, buffer))
            elif isinstance(buffer, Window):
                self._windows.append((place, buffer))

    def _relocation(self, step: int, argument: int, view: View) -> Relocation:
        offset = view.offset * view.itemsize
        if isinstance(view.buffer, Temporary):
            return Relocation(step, argument, 0, view.buffer.offset + offset)
        return Relocation(step, argument, self._place(view.buffer), offset)

    def _place(self, buffer: Buffer) -> int:
        """Return the number of a buffer; a window comes behind its parent."""
        if isinstance(buffer, Window) and not isinstance(buffer.parent, Temporary):
            self._place(buffer.parent)
        return self._places.setdefault(buffer, len(self._places))

    def run(
        self, values: Mapping[Variable, np.ndarray], integers: dict[Variable, int]
    ) -> tuple[list[np.ndarray], dict[SharedVariable, np.ndarray]]:
        """Run the program.

        Parameters
        ----------
        values : mapping
            The contiguous, aligned values of the inputs.
        integers : dict
            The integers that decide shapes.

        Returns
        -------
        results : list of ndarray
        renewed : dict
            New arrays of shared variables whose shape changes.

        Raises
        ------
        GraphError
            If a kernel refuses a value; no shared variable is changed.
        """
        addresses = self.program.buffers
        addresses[0] = self.arena.address(self.built.arena)
        alive = []
        for place, variable in self._inputs:
            value = values.get(variable)
            if value is None:
                value = np.asarray(integers[variable], variable.dtype)
                alive.append(value)
            addresses[place] = address_of(value)
        for place, shared in self._shared:
            addresses[place] = address_of(shared.storage)
        arrays: dict[Result, np.ndarray] = {}
        for place, result in self._results:
            arrays[result] = np.empty(result.shape, result.dtype)
            addresses[place] = address_of(arrays[result])
        for place, window in self._windows:
            addresses[place] = self._base(window.parent) + window.offset_of(integers)
        try:
            self.program.run()
        except StepError as failure:
            raise self._explained(failure) from None
        returned = [arrays[x] if x in arrays else np.empty(x.shape, x.dtype) for x in self.built.results]
        return returned, {x: arrays.get(r, np.empty(r.shape, r.dtype)) for x, r in self.built.renewed.items()}

    def _base(self, buffer: Buffer) -> int:
        if isinstance(buffer, Temporary):
            return int(self.program.buffers[0]) + buffer.offset
        return int(self.program.buffers[self._place(buffer)])

    def _explained(self, failure: StepError) -> GraphError:
        step = self.built.steps[failure.step]
        if step.diagnosis is None:
            raise AssertionError(f"{step.node!r} failed with status {failure.status}, and cannot say why")
        diagnose, views = step.diagnosis
        error = diagnose([self._read(view) for view in views], failure.status)
        error.origin = step.node.origin
        return error

    def _read(self, view: View) -> np.ndarray:
        """Return a copy of the elements of a contiguous view."""
        address = self._base(view.buffer) + view.offset * view.itemsize
        data = ctypes.string_at(address, view.size * view.itemsize)
        return np.frombuffer(data, view.dtype).reshape(view.shape)


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address
