"""Test values: every node computed while the graph is built (`config.compute_test_value`)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import MissingInputError
from arignote.engine.graph import Apply, Constant, Variable
from arignote.engine.shared import SharedVariable, conform


class _Off(threading.local):
    off = False


_state = _Off()


@contextmanager
def test_values_off() -> Iterator[None]:
    """Compute no test values inside the block or function: its variables stand for others."""
    before, _state.off = _state.off, True
    try:
        yield
    finally:
        _state.off = before


def get_test_value(x: Variable) -> np.ndarray | None:
    """Return the test value of a variable: its ``tag.test_value``, its own value, or None.

    Raises
    ------
    DTypeError, ShapeError
        If the value does not fit the variable's type.
    """
    if isinstance(x, Constant):
        return x.value
    if isinstance(x, SharedVariable):
        return x.storage
    value = getattr(x.tag, "test_value", None)
    return None if value is None else conform(value, x.type, f"test value of {x!r}")


def compute_test_values(node: Apply) -> None:
    """Give the outputs of a new node test values, from those of its inputs.

    Raises
    ------
    MissingInputError
        If an input has none, and the setting is 'raise'.
    GraphError
        What the op raises, with the user's line.
    """
    if _state.off:
        return
    from arignote.engine.evaluate import perform

    values = []
    for x in node.inputs:
        value = get_test_value(x)
        if value is None:
            if x.owner is None:  # what is computed has none because an input has none, of which was told
                _report(node, x)
            return
        values.append(value)
    for out, result in zip(node.outputs, perform(node, values), strict=True):
        out.tag.test_value = np.asarray(result)


def _report(node: Apply, x: Variable) -> None:
    error = MissingInputError(
        f"{x!r} has no test value",
        fix=f"set {x!r}.tag.test_value to an array of type {x.type}, or compute_test_value to 'ignore'",
        origin=node.origin,
    )
    if config.compute_test_value == "raise":
        raise error
    if config.compute_test_value == "warn":
        warnings.warn(str(error), stacklevel=5)
