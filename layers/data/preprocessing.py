"""Preprocessing that is fitted to the training set, and then applied to every other.

Each way of it is a few settings with a method `fit`; what that returns is a map of examples, which can be
undone and kept: `arrays` and `description` of it are what `restored` makes it from.

Statistics are computed in float64 and piece by piece, so that neither a large set nor a file mapped to memory
is copied. Variances divide by the number of examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_choice, check_count, check_field

_PIECE = 1 << 22  # numbers that are converted to float64 at once: 32 MB

Per = Literal["pixel", "channel"]
_Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Scaling:
    """The map ``(x - shift) / scale``, fitted by `MeanSubtraction` or `Normalisation`.

    Attributes
    ----------
    shift, scale : ndarray of float64
        Of the shape of one example, or ``(channels, 1, 1)``.
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]

    def transform(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return examples of shape (n, ...), mapped; floats keep their dtype, integers become float32."""
        return _mapped(x, self.shift.shape, lambda piece: (piece - self.shift) / self.scale)

    def inverse(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return what `transform` made `x` of, up to rounding."""
        return _mapped(x, self.shift.shape, lambda piece: piece * self.scale + self.shift)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return what has to be kept, by name."""
        return {"shift": self.shift, "scale": self.scale}

    def description(self) -> dict[str, Any]:
        """Return what has to be kept as JSON."""
        return {"kind": "scaling"}


@dataclass(frozen=True, eq=False)
class Whitening:
    """The map ``(x - mean) @ forward`` of flattened examples, fitted by `PCAWhitening` or `ZCAWhitening`.

    Attributes
    ----------
    mean : ndarray of float64, shape (features,)
    forward : ndarray of float64, shape (features, components)
    backward : ndarray of float64, shape (components, features)
        What undoes it: exactly if there are as many components as features, else as nearly as they can.
    shape, transformed_shape : tuple of int
        Of one example, before and after.
    """

    mean: NDArray[np.float64]
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    shape: tuple[int, ...]
    transformed_shape: tuple[int, ...]

    def transform(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return examples of shape (n, ...), mapped; floats keep their dtype, integers become float32."""
        return _mapped(x, self.shape, lambda rows: (rows - self.mean) @ self.forward, self.transformed_shape)

    def inverse(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return what `transform` made `x` of, up to rounding and what is lost with components left out."""
        return _mapped(x, self.transformed_shape, lambda rows: rows @ self.backward + self.mean, self.shape)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return what has to be kept, by name."""
        return {"mean": self.mean, "forward": self.forward, "backward": self.backward}

    def description(self) -> dict[str, Any]:
        """Return what has to be kept as JSON."""
        shapes = {"shape": list(self.shape), "transformed_shape": list(self.transformed_shape)}
        return {"kind": "whitening", **shapes}


@dataclass(frozen=True)
class MeanSubtraction:
    """Subtract the mean of the training examples.

    Parameters
    ----------
    per : {'pixel', 'channel'}
        Whether each pixel (each feature) has its mean, or each channel of images of shape (n, channels, ...).

    Examples
    --------
    >>> fitted = MeanSubtraction().fit([[1.0, 2.0], [3.0, 6.0]])
    >>> fitted.transform([[0.0, 0.0]])
    array([[-2., -4.]])
    """

    per: Per = "pixel"

    def __post_init__(self) -> None:
        check_choice(self, "per", ("pixel", "channel"))

    def fit(self, training: ArrayLike) -> Scaling:
        """Return the map for the mean of `training`, of shape (n, ...).

        Raises
        ------
        ShapeError, DTypeError, InputError
            For examples that are none, no numbers, or not finite.
        """
        mean = _mean(_examples("MeanSubtraction", training), self.per)
        return Scaling(mean, np.ones_like(mean))


@dataclass(frozen=True)
class Normalisation:
    """Subtract the mean of the training examples, and divide by their standard deviation.

    Parameters
    ----------
    per : {'pixel', 'channel'}
        Whether each pixel (each feature) has its own, or each channel of images of shape (n, channels, ...).

    Notes
    -----
    What does not vary is not divided.

    Examples
    --------
    >>> fitted = Normalisation("pixel").fit([[1.0, 5.0], [3.0, 5.0]])
    >>> fitted.transform([[1.0, 5.0], [2.0, 6.0]])
    array([[-1.,  0.],
           [ 0.,  1.]])
    """

    per: Per = "channel"

    def __post_init__(self) -> None:
        check_choice(self, "per", ("pixel", "channel"))

    def fit(self, training: ArrayLike) -> Scaling:
        """Return the map for the mean and the deviation of `training`, of shape (n, ...).

        Raises
        ------
        ShapeError, DTypeError, InputError
            For examples that are none, no numbers, or not finite.
        """
        examples = _examples("Normalisation", training)
        mean = _mean(examples, self.per)
        deviation = np.sqrt(_mean(examples, self.per, lambda piece: np.square(piece - mean)))
        # Of equal numbers, nothing is left but the rounding of their mean.
        return Scaling(mean, np.where(deviation <= 1e-12 * np.abs(mean), 1.0, deviation))


@dataclass(frozen=True)
class PCAWhitening:
    """Turn examples to their principal components, each divided by its deviation.

    Parameters
    ----------
    components : int or float, optional
        How many to keep, the strongest first: a number, or, as a float up to 1.0, the share of the variance
        that they have together. By default all.
    epsilon : float
        Is added to each variance before its root divides: more of it dampens weak components, which are
        noise.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0.1]])
    >>> z = PCAWhitening(components=2).fit(x).transform(x)
    >>> np.allclose(np.cov(z.T, bias=True), np.eye(2), atol=1e-4)
    True
    """

    components: int | float | None = None
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_field(self, "epsilon", at_least=0)
        if self.components is not None and not isinstance(self.components, float):
            check_count(self, "components")
        elif self.components is not None and not 0 < self.components <= 1:
            raise InputError(
                "PCAWhitening: argument `components`, as a share of the variance",
                expected="a float above 0 and up to 1.0",
                actual=repr(self.components),
                origin=user_line(),
            )

    def fit(self, training: ArrayLike) -> Whitening:
        """Return the map for the components of `training`, of shape (n, ...), to shape (n, components).

        Raises
        ------
        ShapeError, DTypeError, InputError
            For examples that are none, no numbers, not finite, or have fewer features than components.
        """
        examples = _examples("PCAWhitening", training)
        mean, variances, directions = _principal(examples)
        count = self._count(variances)
        deviations = _deviations("PCAWhitening", variances[:count], self.epsilon)
        directions = directions[:, :count]
        return Whitening(
            mean, directions / deviations, (directions * deviations).T, examples.shape[1:], (count,)
        )

    def _count(self, variances: NDArray[np.float64]) -> int:
        if self.components is None:
            return len(variances)
        if isinstance(self.components, float):
            shares = np.cumsum(variances) / max(variances.sum(), np.finfo(float).tiny)
            return min(int(np.searchsorted(shares, self.components * (1 - 1e-12))) + 1, len(variances))
        if self.components > len(variances):
            raise InputError(
                "PCAWhitening: argument `components`",
                expected=f"at most {len(variances)}, the features of an example",
                actual=repr(self.components),
                origin=user_line(),
            )
        return self.components


@dataclass(frozen=True)
class ZCAWhitening:
    """Decorrelate the features of examples, changing each as little as possible: images stay images.

    Parameters
    ----------
    epsilon : float
        Is added to each variance before its root divides: more of it dampens weak components, which are
        noise.

    References
    ----------
    A. J. Bell, T. J. Sejnowski, "The independent components of natural scenes are edge filters", Vision
    Research 37(23), 1997.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 2)) @ np.array([[2, 1], [0, 1]])
    >>> z = ZCAWhitening().fit(x).transform(x)
    >>> np.allclose(np.cov(z.T, bias=True), np.eye(2), atol=1e-4)
    True
    """

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_field(self, "epsilon", at_least=0)

    def fit(self, training: ArrayLike) -> Whitening:
        """Return the map for the covariance of `training`, of shape (n, ...), to examples of the same shape.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For examples that are none, no numbers, or not finite.
        """
        examples = _examples("ZCAWhitening", training)
        mean, variances, directions = _principal(examples)
        deviations = _deviations("ZCAWhitening", variances, self.epsilon)
        forward, backward = (directions / deviations) @ directions.T, (directions * deviations) @ directions.T
        return Whitening(mean, forward, backward, examples.shape[1:], examples.shape[1:])


def restored(
    description: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]]
) -> Scaling | Whitening:
    """Return the fitted map that `description` and `arrays` were taken from.

    Parameters
    ----------
    description : mapping
    arrays : mapping of str to ndarray

    Returns
    -------
    Scaling or Whitening

    Raises
    ------
    InputError
        If they belong to no such map.

    Examples
    --------
    >>> fitted = MeanSubtraction().fit([[1.0, 2.0], [3.0, 6.0]])
    >>> restored(fitted.description(), fitted.arrays()).shift
    array([2., 4.])
    """
    try:
        if description["kind"] == "scaling":
            shift, scale = arrays["shift"], arrays["scale"]
            if shift.shape == scale.shape:
                return Scaling(shift, scale)
        elif description["kind"] == "whitening":
            mean, forward, backward = arrays["mean"], arrays["forward"], arrays["backward"]
            shape, transformed = tuple(description["shape"]), tuple(description["transformed_shape"])
            sizes = prod(shape), prod(transformed)
            if mean.shape == sizes[:1] and forward.shape == sizes and backward.shape == sizes[::-1]:
                return Whitening(mean, forward, backward, shape, transformed)
    except (KeyError, TypeError, AttributeError):
        pass
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    raise InputError(
        "restored: no description of fitted preprocessing with its arrays",
        expected="what `description()` and `arrays()` return",
        actual=f"{description!r} with arrays of shapes {shapes}",
        origin=user_line(),
    )


def _examples(method: str, training: ArrayLike) -> NDArray[Any]:
    array = np.asarray(training)
    argument = f"{method}.fit: argument `training`"
    if array.dtype.kind not in "biuf":
        actual = f"dtype {array.dtype}"
        raise DTypeError(argument, expected="an array of numbers", actual=actual, origin=user_line())
    if array.ndim < 2 or array.size == 0:
        raise ShapeError(
            argument,
            expected="shape (n, ...), with at least one example of at least one number",
            actual=f"shape {array.shape}",
            origin=user_line(),
        )
    for start, piece in _pieces(array):
        if not np.isfinite(piece).all():
            broken = start + int(np.isfinite(piece.reshape(len(piece), -1)).all(axis=1).argmin())
            actual = f"NaN or infinity in example {broken}"
            raise InputError(argument, expected="finite numbers", actual=actual, origin=user_line())
    return array


def _pieces(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield consecutive examples in float64, a few at a time, with the number of the first."""
    count = max(1, _PIECE // max(1, prod(array.shape[1:])))
    for start in range(0, len(array), count):
        yield start, array[start : start + count].astype(np.float64)


def _mean(examples: NDArray[Any], per: Per, of: _Map = np.positive) -> NDArray[np.float64]:
    """Return the mean of something for each pixel or channel; it broadcasts with an example."""
    axes = 0 if per == "pixel" else (0, *range(2, examples.ndim))
    numbers = len(examples) if per == "pixel" else examples.size // examples.shape[1]
    sums = [of(piece).sum(axes, keepdims=True)[0] for _, piece in _pieces(examples)]
    total: NDArray[np.float64] = np.sum(sums, axis=0)
    return total / numbers


def _principal(
    examples: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean, and the variances along the principal directions, the largest first, with these."""
    features = prod(examples.shape[1:])
    mean = _mean(examples, "pixel").reshape(features)
    covariance = np.zeros((features, features))
    for _, piece in _pieces(examples):
        rows = piece.reshape(len(piece), features) - mean
        covariance += rows.T @ rows
    variances, directions = np.linalg.eigh(covariance / len(examples))
    directions = directions[:, ::-1]
    # A direction is as good as its opposite; the one whose largest entry is positive is taken everywhere.
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(features)]
    return mean, np.maximum(variances[::-1], 0), directions * np.where(largest < 0, -1.0, 1.0)


def _deviations(method: str, variances: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    # What rounding leaves of a variance of 0; dividing by it would blow up noise.
    if epsilon == 0 and variances[-1] <= len(variances) * np.finfo(float).eps * variances[0]:
        raise InputError(
            f"{method}.fit: the training examples do not vary in every direction",
            expected="more examples than features, none of which follows from others",
            actual="a variance of 0, and epsilon=0",
            fix=f"{method}(epsilon=1e-5)",
            origin=user_line(),
        )
    deviations: NDArray[np.float64] = np.sqrt(variances + epsilon)
    return deviations


def _mapped(
    x: ArrayLike, shape: tuple[int, ...], of_piece: _Map, new_shape: tuple[int, ...] | None = None
) -> NDArray[np.floating[Any]]:
    """Apply a map to examples of a shape, piece by piece; with `new_shape`, to their rows of numbers."""
    array = np.asarray(x)
    fits = array.shape[1:] == shape
    if new_shape is None and array.ndim == len(shape) + 1:  # where each channel has its own, any pixels fit
        sides = zip(shape[1:], array.shape[2:], strict=True)
        fits = array.shape[1] == shape[0] and all(mine in (1, theirs) for mine, theirs in sides)
    if array.dtype.kind not in "biuf":
        actual = f"dtype {array.dtype}"
        raise DTypeError("preprocessing: argument `x`", expected="numbers", actual=actual, origin=user_line())
    if not fits:
        raise ShapeError(
            "preprocessing: argument `x`",
            expected=f"examples like those it was fitted to: shape {('n', *shape)}".replace("'", ""),
            actual=f"shape {array.shape}",
            origin=user_line(),
        )
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
    result = np.empty((len(array), *(array.shape[1:] if new_shape is None else new_shape)), dtype)
    for start, piece in _pieces(array):
        rows = piece if new_shape is None else piece.reshape(len(piece), prod(shape))
        result[start : start + len(piece)] = of_piece(rows).reshape(len(piece), *result.shape[1:])
    return result
