"""Errors that say where, what was expected, what came, and what to write instead."""

from __future__ import annotations

import linecache
import os
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from arignote.engine.origin import Origin


class GraphError(Exception):
    """Base of the errors of this library; also a `ValueError` or a `TypeError`, as Python users expect.

    Parameters
    ----------
    summary : str
        What went wrong, naming the op and the argument.
    expected, actual : str, optional
        What the op wanted and what it was given.
    fix : str, optional
        What to write instead.
    origin : Origin, optional
        The user's line that made the failing node.
    """

    def __init__(
        self,
        summary: str,
        *,
        expected: str = "",
        actual: str = "",
        fix: str = "",
        origin: Origin | None = None,
    ) -> None:
        super().__init__(summary)
        self.summary, self.expected, self.actual, self.fix = summary, expected, actual, fix
        self.origin = origin

    def __str__(self) -> str:
        lines = [self.summary]
        if self.origin is not None:
            lines.append(f"  at:       {describe(self.origin)}")
        for label, text in (("expected", self.expected), ("actual", self.actual), ("fix", self.fix)):
            if text:
                lines.append(f"  {label + ':':<9} {text}")
        return "\n".join(lines)


class ShapeError(GraphError, ValueError):
    """Shapes, ranks or axes that do not fit."""


class DTypeError(GraphError, TypeError):
    """A dtype, or a kind of argument, that does not fit."""


class ConfigError(GraphError, ValueError):
    """A value that a setting does not have."""


class InputError(GraphError, ValueError):
    """Values that an op cannot take, such as an index out of range."""


class LinearAlgebraError(InputError, np.linalg.LinAlgError):
    """A matrix that an op of linear algebra cannot take, such as a singular one."""


class AllocationError(GraphError, MemoryError):
    """An array for which there is no memory."""


class DisconnectedInputError(GraphError, ValueError):
    """A derivative with respect to something the cost does not depend on."""


class UndefinedGradientError(GraphError, TypeError):
    """A derivative of an op that has none there (Theano's `NullTypeGradError`)."""


class GradientError(GraphError, ArithmeticError):
    """A symbolic gradient that differs from the numeric one (`verify_grad`)."""


class MissingInputError(GraphError, ValueError):
    """A graph that needs a value nobody gives."""


class UnusedInputError(GraphError, ValueError):
    """An input of a function that nothing uses."""


class DebugError(GraphError, ArithmeticError):
    """A kernel whose result differs from its op's meaning in NumPy (mode 'debug')."""


class NotFiniteError(GraphError, ArithmeticError):
    """A NaN or an infinity where there was none before (mode 'nan_guard')."""


class short_traceback:  # noqa: N801 - a context
    """Let a traceback end where the user's lines do: errors of this library say what happened further in."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, GraphError):
            raise error.with_traceback(None) from None


def describe(origin: Origin) -> str:
    """Return ``file:line in function: source`` of a line of the user's."""
    source = linecache.getline(origin.filename, origin.line).strip()
    place = f"{_cell(origin.filename) or origin.filename}:{origin.line} in {origin.function}"
    return f"{place}: {source}" if source else place


def place_of(origin: Origin) -> str:
    """Return ``file.py:line`` of a line of the user's."""
    return f"{_cell(origin.filename) or os.path.basename(origin.filename)}:{origin.line}"


def _cell(filename: str) -> str | None:
    """Return what IPython calls the cell of a notebook that runs as a file of this name: ``In[5]``."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    cell = shell.compile.format_code_name(filename) if shell is not None else None
    return cell[1] if cell else None
