"""Walks over graphs under Theano's names (`theano.gof.graph`)."""

from __future__ import annotations

from collections.abc import Iterable

from arignote.engine.graph import Apply, Variable, walk


def ancestors(
    variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None
) -> list[Variable]:
    """Return the variables that others depend on, themselves included, inputs first where possible.

    Parameters
    ----------
    variable_list : iterable of Variable
    blockers : iterable of Variable, optional
        Variables behind which the walk does not go.
    """
    wanted = list(variable_list)
    found: dict[Variable, None] = {}
    for node in walk(wanted, stop=blockers or ()):
        found.update(dict.fromkeys([*node.inputs, *node.outputs]))
    found.update(dict.fromkeys(wanted))
    return list(found)


def inputs(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """Return the variables without an owner that others depend on, constants and shared ones included.

    Parameters
    ----------
    variable_list : iterable of Variable
    blockers : iterable of Variable, optional
        Variables behind which the walk does not go.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> inputs([x * y])
    [x, y]
    """
    return [x for x in ancestors(variable_list, blockers) if x.owner is None]


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """Return the nodes between inputs and outputs, every node behind those it needs."""
    return walk(outputs, stop=inputs)


list_of_nodes = io_toposort
