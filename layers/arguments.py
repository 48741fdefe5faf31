"""Checks of the numbers and words that losses, optimisers and their like are given."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line


def check_number(
    argument: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse what is no finite number, or outside of its bounds.

    Parameters
    ----------
    argument : str
        What the number is, for the error.
    value : object
    above, at_least, below : float, optional
        The bounds.

    Raises
    ------
    InputError
        Names the argument, its bounds, and the value.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if (
        not is_number
        or (above is not None and not value > above)
        or (at_least is not None and not value >= at_least)
        or (below is not None and not value < below)
    ):
        bounds = (("above", above), ("of at least", at_least), ("below", below))
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        _refuse(argument, value, f"a finite number {said}".rstrip())


def check_field(owner: object, name: str, **bounds: float | None) -> None:
    """Refuse a field of a class that is no finite number, or outside of its bounds; see `check_number`."""
    check_number(_field(owner, name), getattr(owner, name), **bounds)


def check_whole(argument: str, value: Any, least: int) -> None:
    """Refuse what is no whole number, or below the least."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        _refuse(argument, value, f"a whole number of at least {least}")


def check_count(owner: object, name: str, least: int = 1) -> None:
    """Refuse a field that is no whole number, or below the least."""
    check_whole(_field(owner, name), getattr(owner, name), least)


def check_choice(owner: object, name: str, choices: tuple[str, ...]) -> None:
    """Refuse a field that is none of the words."""
    if getattr(owner, name) not in choices:
        _refuse(_field(owner, name), getattr(owner, name), " or ".join(map(repr, choices)))


def _field(owner: object, name: str) -> str:
    return f"{type(owner).__name__}: argument `{name}`"


def _refuse(argument: str, value: object, expected: str) -> NoReturn:
    raise InputError(argument, expected=expected, actual=repr(value), origin=user_line())
