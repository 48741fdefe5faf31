"""A function with its arguments: for loops that fill the same arrays again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .compiled import Function


class Bound:
    """A call with fixed arrays; made by `Function.bind`.

    Called without arguments, it reads what its argument arrays hold at that moment, and writes its results to
    the same arrays every time: copy what has to outlast the next call. So it neither checks nor allocates
    anything, and takes half the time of a call.

    Attributes
    ----------
    arguments : tuple of ndarray
        What it reads.
    """

    def __init__(self, function: Function, arguments: Sequence[np.ndarray]) -> None:
        self.arguments = tuple(arguments)
        self._function = function
        self._natives: object = None
        self._results: list[np.ndarray] = []

    def __repr__(self) -> str:
        return f"<{self._function!r} of {len(self.arguments)} bound arrays>"

    def __call__(self) -> Any:
        """Compute the outputs, and apply the updates.

        Raises
        ------
        ShapeError, GraphError
            As for the function.
        """
        function = self._function
        with function._lock:
            if self._natives is not function._natives:  # the first call, or they have been made anew
                self._prepare()
            results = self._call()
            if results is None:
                self._prepare()
                results = self._call()
        return function._returned(results)

    def _prepare(self) -> None:
        function = self._function
        self._natives = natives = function._natives
        # Of a function that is one native program, the program itself is called.
        native = natives[0] if len(natives) == 1 and function._call == natives[0].call else None
        self._call: Callable[[], Any] = (native and native.bound(self.arguments)) or self._copied

    def _copied(self) -> list[np.ndarray]:
        """Call the function as ever, and copy what it returns into the arrays of the first time."""
        results = self._function._call(list(self.arguments))
        if [result.shape for result in results] != [result.shape for result in self._results]:
            self._results = results
        for kept, result in zip(self._results, results, strict=True):
            np.copyto(kept, result)
        return self._results
