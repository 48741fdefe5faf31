"""Initialisers: what parameters are before training.

An initialiser draws from a generator of the caller's, so that whoever holds the seed gets the same parameters
again. Its fields are plain numbers and words, so that a saved network can name it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arignote.engine.errors import ShapeError
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_choice, check_field


class Fans(NamedTuple):
    """How many inputs an output depends on, and how many outputs depend on an input.

    Of the weights (n_in, n_out) of a dense layer these are n_in and n_out.
    """

    fan_in: int
    fan_out: int


def conv_fans(shape: Sequence[int]) -> Fans:
    """Return the fans of the filters of a convolution.

    Parameters
    ----------
    shape : sequence of int
        Number of filters, channels of a filter, and its extents: rows and columns, in two dimensions.

    Returns
    -------
    Fans
        ``channels * prod(extents)`` and ``filters * prod(extents)``.

    Examples
    --------
    >>> conv_fans((20, 1, 5, 5))
    Fans(fan_in=25, fan_out=500)
    """
    if len(shape) < 3:
        raise ShapeError(
            "conv_fans: argument `shape`",
            expected="(filters, channels, *extents of a filter)",
            actual=str(tuple(shape)),
            origin=user_line(),
        )
    filters, channels, *extents = shape
    return Fans(channels * prod(extents), filters * prod(extents))


class Blank(np.random.Generator):
    """Stands for a generator where parameters are to be read from a file: zeros, so many and no more.

    So a description that asks for more than the file holds is refused before there is memory for it.

    Parameters
    ----------
    count : int
        How many numbers the file holds.
    """

    def __init__(self, count: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._left = count

    def taken(self, shape: Sequence[int]) -> NDArray[np.float64]:
        """Return zeros, or raise a ValueError where there are not as many left."""
        self._left -= prod(shape)
        if self._left < 0:
            raise ValueError(f"it describes more parameters than it holds, one of shape {tuple(shape)}")
        return np.zeros(shape)


class Initialiser(ABC):
    """How a parameter begins."""

    def __call__(self, rng: np.random.Generator, shape: Sequence[int], fans: Fans) -> NDArray[np.float64]:
        """Draw a parameter.

        Parameters
        ----------
        rng : numpy.random.Generator
        shape : sequence of int
        fans : Fans
            Of the layer's weights, also where the parameter is its bias.

        Returns
        -------
        ndarray of float64, shape `shape`
        """
        if isinstance(rng, Blank):
            return rng.taken(shape)
        return self._draw(rng, tuple(shape), fans)

    @abstractmethod
    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Constant(Initialiser):
    """The same number everywhere.

    Examples
    --------
    >>> Constant(0.1)(np.random.default_rng(0), (3,), Fans(2, 3))
    array([0.1, 0.1, 0.1])
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_field(self, "value")

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]:
        return np.full(shape, self.value, np.float64)


@dataclass(frozen=True)
class Normal(Initialiser):
    """Normal numbers of a mean and a standard deviation."""

    std: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_field(self, "std", at_least=0)
        check_field(self, "mean")

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]:
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform(Initialiser):
    """Numbers from `low` to `high`, all alike probable."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_field(self, "low")
        check_field(self, "high", at_least=self.low)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]:
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class _Scaled(Initialiser):
    """Numbers of mean 0 and a variance that depends on the fans, normal or uniform.

    The base of the initialisers that keep the size of signals from layer to layer. The normal distribution is
    not cut off.
    """

    distribution: str = "normal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_choice(self, "distribution", ("normal", "uniform"))
        check_field(self, "gain", at_least=0)

    @abstractmethod
    def _variance(self, fans: Fans) -> float:
        """Return the variance at a gain of 1."""

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]:
        std = self.gain * sqrt(self._variance(fans))
        if self.distribution == "normal":
            return rng.normal(0.0, std, shape)
        limit = sqrt(3) * std  # the variance of uniform numbers in -limit .. limit is limit^2 / 3
        return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class Glorot(_Scaled):
    """Variance ``gain^2 * 2 / (fan_in + fan_out)``: for activations that are linear around 0, such as tanh.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010.

    Parameters
    ----------
    distribution : {'uniform', 'normal'}
    gain : float
        What the standard deviation is multiplied by.

    Examples
    --------
    >>> w = Glorot()(np.random.default_rng(0), (300, 100), Fans(300, 100))
    >>> bool(abs(w).max() <= (6 / 400) ** 0.5)
    True
    """

    distribution: str = "uniform"

    def _variance(self, fans: Fans) -> float:
        return 2 / (fans.fan_in + fans.fan_out)


@dataclass(frozen=True)
class He(_Scaled):
    """Variance ``gain^2 * 2 / fan_in``: for relu, which lets half of its inputs pass.

    K. He et al., "Delving deep into rectifiers", 2015.

    Parameters
    ----------
    distribution : {'normal', 'uniform'}
    gain : float
        What the standard deviation is multiplied by: ``(1 + slope**2) ** -0.5`` for a relu with a slope
        below 0.
    """

    def _variance(self, fans: Fans) -> float:
        return 2 / fans.fan_in


@dataclass(frozen=True)
class LeCun(_Scaled):
    """Variance ``gain^2 / fan_in``: what comes out varies as what goes in; for selu.

    Y. LeCun et al., "Efficient BackProp", 1998.

    Parameters
    ----------
    distribution : {'normal', 'uniform'}
    gain : float
        What the standard deviation is multiplied by.
    """

    def _variance(self, fans: Fans) -> float:
        return 1 / fans.fan_in


@dataclass(frozen=True)
class Nielsen(_Scaled):
    """Variance ``gain^2 / fan_out``: that of ``network3.py``, which also has biases begin as ``Normal()``.

    M. Nielsen, "Neural Networks and Deep Learning", chapter 6, 2015.

    Parameters
    ----------
    distribution : {'normal', 'uniform'}
    gain : float
        What the standard deviation is multiplied by: below a pooling, the root of the size of its windows, of
        which it passes on one output each.

    Examples
    --------
    >>> w = Nielsen()(np.random.default_rng(0), (784, 100), Fans(784, 100))
    >>> bool(abs(w.std() - 0.1) < 1e-3)
    True
    """

    def _variance(self, fans: Fans) -> float:
        return 1 / fans.fan_out


@dataclass(frozen=True)
class Orthogonal(Initialiser):
    """Rows, or columns if they are fewer, that are orthogonal to each other and of length `gain`.

    Of filters, each is one row. All such matrices are alike probable.

    A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    2013.

    Parameters
    ----------
    gain : float

    Raises
    ------
    ShapeError
        For a parameter of fewer than two dimensions.

    Examples
    --------
    >>> w = Orthogonal()(np.random.default_rng(0), (3, 2), Fans(3, 2))
    >>> np.allclose(w.T @ w, np.eye(2))
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_field(self, "gain", at_least=0)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...], fans: Fans) -> NDArray[np.float64]:
        if len(shape) < 2:
            raise ShapeError(
                "Orthogonal: the parameter",
                expected="two dimensions or more",
                actual=f"shape {shape}",
                fix="Constant() for a bias",
                origin=user_line(),
            )
        rows, columns = shape[0], prod(shape[1:])
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        # QR is unique, and so the distribution uniform, once the diagonal of r is positive.
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(self.gain * (q.T if rows < columns else q)).reshape(shape)


#: The initialisers that a saved network may name.
INITIALISERS: dict[str, type[Initialiser]] = {
    kind.__name__: kind for kind in (Constant, Glorot, He, LeCun, Nielsen, Normal, Orthogonal, Uniform)
}
