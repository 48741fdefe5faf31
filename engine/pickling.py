"""Graphs through pickle: node by node, so that depth is no limit."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from arignote.engine.graph import Apply


class _Now(threading.local):
    in_order = False


_now = _Now()


class NodesFirst:
    """Nodes, each behind those it needs; what has been pickled behind them descends into no chain of nodes.

    It is loaded as a list. While its entries are pickled, variables do not ask for the nodes that they depend
    on: these have gone before.

    Parameters
    ----------
    nodes : iterable of Apply
    """

    def __init__(self, nodes: Iterable[Apply]) -> None:
        self._nodes = nodes

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, self._in_order()

    def _in_order(self) -> Iterator[Apply]:
        before, _now.in_order = _now.in_order, True
        try:
            yield from self._nodes
        finally:
            _now.in_order = before


def is_in_order() -> bool:
    """Tell whether nodes are being pickled, each behind those it needs."""
    return _now.in_order
