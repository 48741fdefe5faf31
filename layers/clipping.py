"""Bounds: of gradients before a step, and of parameters after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from arignote.engine.errors import InputError
from arignote.engine.graph import Variable
from arignote.engine.ops import cast, clip, maximum, minimum, sqr, sqrt, sum
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable
from arignote.layers.arguments import check_number
from arignote.layers.optimisers import Updates
from arignote.layers.penalties import l2
from arignote.layers.scalars import scalar_like


def clip_by_value(gradients: Sequence[Variable], limit: float) -> list[Variable]:
    """Return gradients with every element cut to ``-limit .. limit``.

    Parameters
    ----------
    gradients : sequence of Variable
    limit : float

    Returns
    -------
    list of Variable

    Raises
    ------
    InputError
        For a limit that is not positive.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.graph import as_variable
    >>> clip_by_value([as_variable([3.0, -0.5])], 1.0)[0].eval()
    array([ 1. , -0.5])
    """
    check_number("clip_by_value: argument `limit`", limit, above=0)
    return [
        clip(gradient, scalar_like(gradient, -limit), scalar_like(gradient, limit)) for gradient in gradients
    ]


def clip_by_norm(gradients: Sequence[Variable], limit: float) -> list[Variable]:
    """Return gradients scaled down together, so that the norm of all their elements is at most `limit`.

    As PyTorch's `clip_grad_norm_`: the factor is ``min(1, limit / (norm + 1e-6))``.

    R. Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.

    Parameters
    ----------
    gradients : sequence of Variable
    limit : float

    Returns
    -------
    list of Variable

    Raises
    ------
    InputError
        For a limit that is not positive.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.graph import as_variable
    >>> [each.eval().round(4) for each in clip_by_norm([as_variable([3.0]), as_variable([4.0])], 1.0)]
    [array([0.6]), array([0.8])]
    """
    check_number("clip_by_norm: argument `limit`", limit, above=0)
    if not gradients:
        return []
    norm = global_norm(gradients)
    factor = minimum(scalar_like(norm, limit) / (norm + scalar_like(norm, 1e-6)), 1)
    return [gradient * cast(factor, gradient.dtype) for gradient in gradients]


def global_norm(gradients: Sequence[Variable]) -> Variable:
    """Return the root of the sum of the squares of all elements of all gradients, a scalar.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.graph import as_variable
    >>> float(global_norm([as_variable([3.0]), as_variable([4.0])]).eval())
    5.0
    """
    return sqrt(l2(gradients))


def max_norm(weights: Variable, limit: float, axis: int | Sequence[int] = 0) -> Variable:
    """Return weights of which each unit's are scaled down, so that their norm is at most `limit`.

    G. Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.

    Parameters
    ----------
    weights : Variable
        Such as the new value of a parameter in updates; see `constrained`.
    limit : float
    axis : int or sequence of int
        The axes along which the weights of one unit lie: 0 for the weights (n_in, n_out) of a dense layer,
        (1, 2, 3) for the filters of a convolution.

    Returns
    -------
    Variable

    Raises
    ------
    InputError
        For a limit that is not positive.
    ShapeError
        For an axis that `weights` does not have.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.graph import as_variable
    >>> max_norm(as_variable([[3.0, 0.3], [4.0, 0.4]]), 1.0).eval()
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    check_number("max_norm: argument `limit`", limit, above=0)
    norm = sqrt(sum(sqr(weights), axis=axis, keepdims=True))
    # Where the norm is larger it is divided by, elsewhere the limit: never by 0.
    return weights * (scalar_like(norm, limit) / maximum(norm, scalar_like(norm, limit)))


def constrained(
    updates: Updates, constraints: Mapping[SharedVariable, Callable[[Variable], Variable]]
) -> Updates:
    """Return updates of which some new values are changed, to keep a constraint after every step.

    Parameters
    ----------
    updates : list of (SharedVariable, Variable)
    constraints : mapping of SharedVariable to callable
        For each parameter, from its new value to one that keeps the constraint.

    Returns
    -------
    list of (SharedVariable, Variable)

    Raises
    ------
    InputError
        For a constraint on what the updates do not change.

    Examples
    --------
    >>> import numpy as np
    >>> from arignote.compile import function
    >>> from arignote.engine.shared import shared
    >>> from arignote.layers import SGD
    >>> w = shared(np.array([[0.0], [0.0]]), name="w")
    >>> updates = SGD(1.0).updates((w - np.array([[3.0], [4.0]])).sum(), [w])
    >>> step = function([], updates=constrained(updates, {w: lambda value: max_norm(value, 1.0)}))
    >>> step()
    >>> float(np.linalg.norm(w.get_value()).round(6))
    1.0
    """
    unknown = set(constraints) - {variable for variable, _ in updates}
    if unknown:
        raise InputError(
            "constrained: argument `constraints`",
            expected="variables that the updates change",
            actual=", ".join(sorted(map(repr, unknown))),
            origin=user_line(),
        )
    return [
        (variable, constraints[variable](value) if variable in constraints else value)
        for variable, value in updates
    ]
