"""Checks of the numbers that initialisers, optimisers and their like are given."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import NoReturn

import numpy as np

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line


def check_number(
    owner: object,
    name: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse a field that is no finite number, or outside of its bounds.

    Parameters
    ----------
    owner : object
        Whose attribute it is.
    name : str
        The attribute.
    above, at_least, below : float, optional
        The bounds.

    Raises
    ------
    InputError
        Names the class, the field and its bounds.
    """
    value = getattr(owner, name)
    is_number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if (
        not is_number
        or (above is not None and not value > above)
        or (at_least is not None and not value >= at_least)
        or (below is not None and not value < below)
    ):
        bounds = (("above", above), ("of at least", at_least), ("below", below))
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        _refuse(owner, name, f"a finite number {said}".rstrip())


def check_count(owner: object, name: str, *, at_least: int = 1) -> None:
    """Refuse a field that is no whole number of at least `at_least`."""
    value = getattr(owner, name)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < at_least:
        _refuse(owner, name, f"a whole number of at least {at_least}")


def check_choice(owner: object, name: str, choices: tuple[str, ...]) -> None:
    """Refuse a field that is none of the words."""
    if getattr(owner, name) not in choices:
        _refuse(owner, name, " or ".join(map(repr, choices)))


def _refuse(owner: object, name: str, expected: str) -> NoReturn:
    raise InputError(
        f"{type(owner).__name__}: argument `{name}`",
        expected=expected,
        actual=repr(getattr(owner, name)),
        origin=user_line(),
    )
