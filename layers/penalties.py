"""Penalties on large weights, to be added to a cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arignote.engine.errors import InputError
from arignote.engine.graph import Variable
from arignote.engine.ops import abs_, sqr, sum
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_field
from arignote.layers.scalars import scalar_like


def l1(params: Sequence[Variable]) -> Variable:
    """Return the sum of the absolute values of all elements.

    Parameters
    ----------
    params : sequence of Variable
        At least one.

    Returns
    -------
    scalar

    Raises
    ------
    InputError
        For no parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import arignote.compile
    >>> from arignote.engine.shared import shared
    >>> w, k = shared(np.array([1.0, -2.0])), shared(np.array([[3.0]]))
    >>> float(l1([w, k]).eval())
    6.0
    """
    return _total("l1", abs_, params)


def l2(params: Sequence[Variable]) -> Variable:
    """Return the sum of the squares of all elements.

    The penalty of Nielsen's book is ``0.5 * lmbda * l2(weights) / batches``.

    Parameters
    ----------
    params : sequence of Variable
        At least one.

    Returns
    -------
    scalar

    Raises
    ------
    InputError
        For no parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import arignote.compile
    >>> from arignote.engine.shared import shared
    >>> w, k = shared(np.array([1.0, -2.0])), shared(np.array([[3.0]]))
    >>> float(l2([w, k]).eval())
    14.0
    """
    return _total("l2", sqr, params)


@dataclass(frozen=True)
class WeightPenalty:
    """A penalty times its strength: what `Trainer` takes, and what its checkpoints compare.

    Parameters
    ----------
    strength : float
        At least 0.
    size : callable
        From the weights to a scalar: `l2` or `l1`.

    Examples
    --------
    >>> import numpy as np
    >>> import arignote.compile
    >>> from arignote.engine.shared import shared
    >>> float(WeightPenalty(0.5, l1)([shared(np.array([1.0, -2.0]))]).eval())
    1.5
    """

    strength: float
    size: Callable[[Sequence[Variable]], Variable] = l2

    def __post_init__(self) -> None:
        check_field(self, "strength", at_least=0)

    def __call__(self, weights: Sequence[Variable]) -> Variable:
        """Return the scalar, of the dtype of the weights."""
        size = self.size(weights)
        return scalar_like(size, self.strength) * size


def _total(name: str, size: Callable[[Variable], Variable], params: Sequence[Variable]) -> Variable:
    if not params:
        raise InputError(
            f"{name}: argument `params`", expected="at least one", actual="none", origin=user_line()
        )
    total, *others = (sum(size(param)) for param in params)
    for other in others:
        total = total + other
    return total
