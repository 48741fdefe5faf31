"""Inputs and outputs of functions, with what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arignote.engine.graph import Variable


@dataclass(frozen=True, eq=False)
class In:
    """An input of a function (`theano.In`).

    Parameters
    ----------
    variable : Variable
    name : str, optional
        The keyword of calls; by default the variable's name.
    value : array_like, optional
        What it is where a call gives nothing.
    mutable : bool
        Without effect: a function never writes to its arguments.
    strict : bool
        Whether only an array of the very dtype is taken.
    allow_downcast : bool, optional
        Whether arguments may lose precision; by default as `function` is told.
    borrow : bool, optional
        Without effect: arguments are only read.

    Examples
    --------
    >>> from arignote.compile.pipeline import function
    >>> from arignote.engine.types import TensorType
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> f = function([x, In(y, value=1.0, name="step")], x + y)
    >>> float(f(2.0)), float(f(2.0, step=5.0))
    (3.0, 7.0)
    """

    variable: Variable
    name: str | None = None
    value: Any = None
    mutable: bool = False
    strict: bool = False
    allow_downcast: bool | None = None
    borrow: bool | None = None

    @property
    def keyword(self) -> str | None:
        """The name by which a call may give it."""
        return self.name or self.variable.name

    def __repr__(self) -> str:
        return repr(self.variable)


@dataclass(frozen=True, eq=False)
class Out:
    """An output of a function (`theano.Out`).

    Parameters
    ----------
    variable : Variable
    borrow : bool
        Without effect: results are arrays of their own.
    """

    variable: Any
    borrow: bool = False
