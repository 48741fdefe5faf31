"""Normalisation: of batches, of neighbouring channels, of layers. All are expressions of other ops.

The mean and variance of many numbers are taken in two passes, ``mean((x - mean(x))**2)``: one pass,
``mean(x**2) - mean(x)**2``, cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops.elementwise import cast, sqr, sqrt, true_div
from arignote.engine.ops.pooling import pool_2d
from arignote.engine.ops.reduce import normalize_axes
from arignote.engine.ops.shape import dimshuffle, extents, product, reshape
from arignote.engine.ops.statistics import mean as mean_of

LEAST_EPSILON = 1e-5


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Variable:
    """Shift and scale by given statistics: ``(inputs - mean) * gamma / std + beta``.

    Parameters
    ----------
    inputs, gamma, beta, mean, std : Variable
        Floating, and broadcast against each other.
    mode : {'low_mem', 'high_mem'}
        Theano's choice of an implementation; there is one here.

    Returns
    -------
    Variable

    Raises
    ------
    DTypeError
        For another mode.

    Notes
    -----
    The definition is that of Theano's ``theano.tensor.nnet.bn.batch_normalization``.

    Examples
    --------
    >>> import arignote.compile
    >>> batch_normalization([1.0, 2.0, 3.0], gamma=2.0, beta=1.0, mean=2.0, std=0.5).eval()
    array([-3.,  1.,  5.])
    """
    if mode not in ("low_mem", "high_mem"):
        raise DTypeError(
            "batch_normalization: argument `mode`", expected="'low_mem' or 'high_mem'", actual=repr(mode)
        )
    x, scale, shift, average, deviation = map(as_variable, (inputs, gamma, beta, mean, std))
    return (x - average) * (scale / deviation) + shift


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: Any = "per-activation",
    epsilon: float = 1e-4,
    running_average_factor: Any = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> tuple[Variable, ...]:
    """Normalise a batch by its own statistics (`theano.tensor.nnet.bn.batch_normalization_train`).

    Parameters
    ----------
    inputs : Variable
        The batch, floating.
    gamma, beta : Variable
        Scale and shift: of the shape of `inputs` with extents of 1 along `axes`, or without these axes.
    axes : {'per-activation', 'spatial'} or tuple of int
        The axes over which statistics are taken: the first; all but the second; or those.
    epsilon : float
        Added to the variance; at least 1e-5.
    running_average_factor : float or scalar
        How much of the batch's statistics enters the running ones.
    running_mean, running_var : Variable, optional
        The running statistics so far, of the shape of `gamma`: both or none.

    Returns
    -------
    out : Variable
        ``(inputs - mean) * gamma * invstd + beta``.
    mean, invstd : Variable
        The batch's mean, and 1 / sqrt(variance + epsilon); of the shape of `gamma`.
    new_running_mean, new_running_var : Variable
        Only if running statistics are given: ``running * (1 - factor) + batch's * factor``, with the unbiased
        variance, that is m / (m - 1) of the batch's, for m numbers each.

    Raises
    ------
    ShapeError, DTypeError
        If axes, ranks or epsilon do not fit, or one of the running statistics is missing.

    Notes
    -----
    The definition is Theano 1.0's. Gradients flow through the statistics.

    Examples
    --------
    >>> import arignote.compile
    >>> out, mean, invstd = batch_normalization_train([[1.0, 8], [3, 8]], [1.0, 1.0], [0.0, 5.0])
    >>> out.eval().round(3)
    array([[-1.,  5.],
           [ 1.,  5.]])
    """
    name, x = "batch_normalization_train", _floating("batch_normalization_train", inputs)
    reduced = _axes(name, axes, x.ndim)
    least = _epsilon(name, epsilon, x.dtype)
    if (running_mean is None) != (running_var is None):
        raise DTypeError(
            f"{name}: running statistics", expected="both running_mean and running_var, or none", actual="one"
        )
    given = {"gamma": gamma, "beta": beta}
    if running_mean is not None:
        given |= {"running_mean": running_mean, "running_var": running_var}
    scale, shift, *running = _parameters(name, given, reduced, x)

    average = mean_of(x, axis=reduced, keepdims=True)
    centred = x - average
    variance = mean_of(sqr(centred), axis=reduced, keepdims=True)
    inverse = true_div(1, sqrt(variance + least))
    statistics = [average, inverse]
    if running:
        count = cast(product([extents(x)[axis] for axis in reduced]), x.dtype)
        factor = cast(as_variable(running_average_factor), x.dtype)
        unbiased = variance * (count / (count - 1))
        statistics += [
            old * (1 - factor) + new * factor for old, new in zip(running, (average, unbiased), strict=True)
        ]
    kept = [axis for axis in range(x.ndim) if axis not in reduced]
    if as_variable(gamma).ndim != x.ndim:
        statistics = [dimshuffle(each, *kept) for each in statistics]
    return (centred * (scale * inverse) + shift, *statistics)


def batch_normalization_test(
    inputs: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    axes: Any = "per-activation",
    epsilon: float = 1e-4,
) -> Variable:
    """Normalise by given statistics (`theano.tensor.nnet.bn.batch_normalization_test`).

    Parameters
    ----------
    inputs, gamma, beta, axes, epsilon
        As for :func:`batch_normalization_train`.
    mean, var : Variable
        Of the shape of `gamma`: usually the running statistics of training.

    Returns
    -------
    Variable
        ``(inputs - mean) * gamma / sqrt(var + epsilon) + beta``.

    Raises
    ------
    ShapeError, DTypeError
        As for :func:`batch_normalization_train`.

    Examples
    --------
    >>> import arignote.compile
    >>> batch_normalization_test([[1.0], [3.0]], [2.0], [1.0], [2.0], [0.9999]).eval()
    array([[-1.],
           [ 3.]])
    """
    name, x = "batch_normalization_test", _floating("batch_normalization_test", inputs)
    given = {"gamma": gamma, "beta": beta, "mean": mean, "var": var}
    scale, shift, average, variance = _parameters(name, given, _axes(name, axes, x.ndim), x)
    return (x - average) * (scale / sqrt(variance + _epsilon(name, epsilon, x.dtype))) + shift


def layer_normalization(
    inputs: Any, gamma: Any = None, beta: Any = None, axes: Any = -1, epsilon: float = 1e-5
) -> Variable:
    """Normalise every case by its own statistics.

    Parameters
    ----------
    inputs : Variable
        Floating.
    gamma, beta : Variable, optional
        Scale and shift, broadcast against `inputs`.
    axes : int or sequence of int
        The axes over which statistics are taken.
    epsilon : float
        Added to the variance.

    Returns
    -------
    Variable
        ``(inputs - mean) / sqrt(variance + epsilon) * gamma + beta``.

    Raises
    ------
    ShapeError, DTypeError
        If an axis does not exist, or `inputs` is not floating.

    Notes
    -----
    The definition is that of Ba, Kiros and Hinton, "Layer Normalization" (2016).

    Examples
    --------
    >>> import arignote.compile
    >>> layer_normalization([[1.0, 3.0], [2.0, 2.0]], epsilon=0).eval({})[0]
    array([-1.,  1.])
    """
    x = _floating("layer_normalization", inputs)
    reduced = normalize_axes(axes, x.ndim, "layer_normalization")
    centred = x - mean_of(x, axis=reduced, keepdims=True)
    variance = mean_of(sqr(centred), axis=reduced, keepdims=True)
    out = centred / sqrt(variance + _constant(epsilon, x.dtype))
    out = out if gamma is None else out * as_variable(gamma)
    return out if beta is None else out + as_variable(beta)


def local_response_normalization(
    inputs: Any, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Variable:
    """Divide by a power of the squares of neighbouring channels.

    Parameters
    ----------
    inputs : Variable
        (batch, channels, ...), floating.
    n : int
        How many neighbouring channels count, with the channel in their middle; an odd number.
    k, alpha, beta : float

    Returns
    -------
    Variable
        ``inputs / (k + alpha * sum of squares) ** beta``.

    Raises
    ------
    ShapeError, DTypeError
        If there are no channels, `n` is no odd number, or `inputs` is not floating.

    Notes
    -----
    The definition, and the values by default, are those of Krizhevsky, Sutskever and Hinton, "ImageNet
    Classification with Deep Convolutional Neural Networks" (2012), 3.3. Some libraries divide alpha by n.

    Examples
    --------
    >>> import arignote.compile
    >>> local_response_normalization(np.ones((1, 3, 1)), n=3, k=0, alpha=1, beta=0.5).eval().round(3).ravel()
    array([0.707, 0.577, 0.707])
    """
    x = _floating("local_response_normalization", inputs)
    if x.ndim < 2:
        raise ShapeError(
            "local_response_normalization: argument `inputs`",
            expected="two dimensions or more: (batch, channels, ...)",
            actual=f"{x!r} of type {x.type}",
        )
    if n < 1 or n % 2 == 0:
        raise ShapeError(
            "local_response_normalization: argument `n`", expected="an odd number", actual=repr(n)
        )
    shape = extents(x)
    planes = reshape(sqr(x), (shape[0], shape[1], product(shape[2:])))
    sums = pool_2d(planes, (n, 1), ignore_border=True, stride=(1, 1), pad=(n // 2, 0), mode="sum")
    weighted = _constant(k, x.dtype) + _constant(alpha, x.dtype) * reshape(sums, shape)
    return x * weighted ** _constant(-beta, x.dtype)


def _floating(name: str, value: Any) -> Variable:
    x = as_variable(value)
    if not x.type.is_float:
        raise DTypeError(
            f"{name}: argument `inputs`",
            expected="float32 or float64",
            actual=f"{x!r} of type {x.type}",
            fix="cast it: cast(x, 'floatX')",
        )
    return x


def _constant(number: float, dtype: str) -> Variable:
    """Return a number in the inputs' dtype, so that it does not widen them."""
    return as_variable(np.asarray(number, dtype))


def _epsilon(name: str, epsilon: float, dtype: str) -> Variable:
    if not epsilon >= LEAST_EPSILON:
        raise DTypeError(
            f"{name}: argument `epsilon`", expected=f"at least {LEAST_EPSILON:g}", actual=repr(epsilon)
        )
    return _constant(epsilon, dtype)


def _axes(name: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes to reduce over, from Theano's words for them."""
    if isinstance(axes, str):
        if axes not in ("per-activation", "spatial"):
            raise DTypeError(
                f"{name}: argument `axes`",
                expected="'per-activation', 'spatial' or a tuple of axes",
                actual=repr(axes),
            )
        axes = (0,) if axes == "per-activation" else (0, *range(2, ndim))
    reduced = normalize_axes(tuple(axes) if isinstance(axes, list | tuple) else axes, ndim, name)
    if not reduced:
        raise ShapeError(f"{name}: argument `axes`", expected="one axis or more", actual=repr(axes))
    return tuple(sorted(reduced))


def _parameters(name: str, given: dict[str, Any], reduced: Sequence[int], x: Variable) -> list[Variable]:
    """Return parameters of the dtype of the result, with an extent of 1 along the reduced axes."""
    kept = [axis for axis in range(x.ndim) if axis not in reduced]
    pattern = ["x" if axis in reduced else kept.index(axis) for axis in range(x.ndim)]
    variables = {key: as_variable(value) for key, value in given.items()}
    rank = variables["gamma"].ndim
    for key, variable in variables.items():
        if variable.ndim != rank or rank not in (x.ndim, len(kept)):
            raise ShapeError(
                f"{name}: argument `{key}`",
                expected=f"{len(kept)} dimensions, one for each axis that is kept, or {x.ndim} for all",
                actual=f"{variable!r} of type {variable.type}",
                fix="drop the axes that are averaged over, or insert axes of extent 1 in their place",
            )
    if rank != x.ndim:
        return [dimshuffle(variable, *pattern) for variable in variables.values()]
    return [_flat(name, key, variable, reduced) for key, variable in variables.items()]


def _flat(name: str, key: str, variable: Variable, reduced: Sequence[int]) -> Variable:
    """Promise an extent of 1 along the reduced axes."""
    from arignote.engine.ops.shape import SpecifyShape

    shape = tuple(1 if axis in reduced else None for axis in range(variable.ndim))
    return SpecifyShape(f"{name}: argument `{key}`", "axes", shape)(variable)
