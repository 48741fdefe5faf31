"""Normalisation: of the channels of a batch, of each example, and of neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import (
    batch_normalization_test,
    batch_normalization_train,
    layer_normalization,
    local_response_normalization,
    switch,
)
from arignote.engine.ops.normalization import LEAST_EPSILON
from arignote.engine.ops.shape import extents, product
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_count, check_field
from arignote.layers.layer import Layer, Shape, Training, check_axes


@dataclass(eq=False)
class BatchNorm(Layer):
    """Each channel (the first axis of an example) with mean 0 and variance 1 in a batch, scaled and shifted.

    Training normalises by the statistics of its batch, and prediction by running statistics, which a step of
    training moves towards those of its batch (`Training.updates`).

    Parameters
    ----------
    momentum : float
        How much of the batch's statistics enters the running ones, as in PyTorch:
        ``(1 - momentum) * running + momentum * of the batch``. (Other libraries call the rest momentum.)
    epsilon : float
        Added to the variance, at least 1e-5.
    affine : bool
        Whether there are a `gamma` and a `beta`.

    Attributes
    ----------
    gamma, beta : SharedVariable, shape (channels,)
        The scale, at first 1, and the shift, at first 0.
    mean, variance : SharedVariable, shape (channels,)
        The running statistics, at first 0 and 1, which no gradient changes. The variance is the unbiased one.

    Notes
    -----
    A batch with a single number a channel has no variance, and leaves the running statistics as they are.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.

    Examples
    --------
    >>> layer = BatchNorm().build((16, 28, 28))
    >>> layer.output_shape, layer.params, list(layer.parameters)
    ((16, 28, 28), [gamma, beta], ['gamma', 'beta', 'mean', 'variance'])
    """

    momentum: float = 0.1
    epsilon: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        check_field(self, "momentum", at_least=0)
        check_field(self, "epsilon", at_least=LEAST_EPSILON)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        check_axes(self, shapes[0])
        return shapes[0]

    def create(self, rng: np.random.Generator) -> None:
        """Make `gamma`, `beta`, `mean` and `variance`."""
        zeros, ones = np.zeros(self.input_shape[0]), np.ones(self.input_shape[0])
        if self.affine:
            self.gamma = self.add("gamma", ones)
            self.beta = self.add("beta", zeros)
        self.mean = self.add("mean", zeros, trained=False)
        self.variance = self.add("variance", ones, trained=False)

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the normalised examples; see `Layer.output`."""
        (x,) = inputs
        dtype = self.mean.dtype
        gamma = self.gamma if self.affine else np.ones(self.input_shape[:1], dtype)
        beta = self.beta if self.affine else np.zeros(self.input_shape[:1], dtype)
        if training is None:
            return batch_normalization_test(
                x, gamma, beta, self.mean, self.variance, axes="spatial", epsilon=self.epsilon
            )
        # A layer that is applied twice sees two batches, one after the other.
        running = [training.updates.get(state, state) for state in (self.mean, self.variance)]
        y, _, _, *news = batch_normalization_train(
            x, gamma, beta, "spatial", self.epsilon, self.momentum, *running
        )
        batch, _, *image = extents(x)
        several = product([batch, *image]) > 1
        for state, old, new in zip((self.mean, self.variance), running, news, strict=True):
            training.updates[state] = switch(several, new, old)
        return y


@dataclass(eq=False)
class LayerNorm(Layer):
    """Each example with mean 0 and variance 1 along some of its axes, scaled and shifted.

    Parameters
    ----------
    axes : int or tuple of int
        Axes of an example; by default the last.
    epsilon : float
        Added to the variance.

    Attributes
    ----------
    gamma, beta : SharedVariable
        The scale, at first 1, and the shift, at first 0, of the extents of these axes.

    References
    ----------
    J. Ba, J. Kiros, G. Hinton, "Layer normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> LayerNorm(axes=(0, 1, 2)).build((3, 8, 8)).gamma.get_value().shape
    (3, 8, 8)
    """

    axes: int | Sequence[int] = -1
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_field(self, "epsilon", at_least=0)
        self.axes = tuple(self.axes) if isinstance(self.axes, Sequence) else self.axes

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        self._along(shapes[0])
        return shapes[0]

    def _along(self, shape: Shape) -> tuple[int, ...]:
        ndim = len(shape)
        given = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        if not all(isinstance(axis, int) and -ndim <= axis < ndim for axis in given) or not given:
            raise ShapeError(
                "LayerNorm: argument `axes`",
                expected=f"axes of an example of shape {shape}, from {-ndim} to {ndim - 1}",
                actual=repr(self.axes),
                origin=user_line(),
            )
        return tuple(sorted({axis % ndim for axis in given}))

    def create(self, rng: np.random.Generator) -> None:
        """Make `gamma` and `beta`."""
        shape = tuple(self.input_shape[axis] for axis in self._along(self.input_shape))
        self.gamma = self.add("gamma", np.ones(shape))
        self.beta = self.add("beta", np.zeros(shape))

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the normalised examples; see `Layer.output`."""
        axes = self._along(self.input_shape)
        pattern = ["x", *(axes.index(i) if i in axes else "x" for i in range(len(self.input_shape)))]
        gamma, beta = self.gamma.dimshuffle(*pattern), self.beta.dimshuffle(*pattern)
        return layer_normalization(inputs[0], gamma, beta, [axis + 1 for axis in axes], self.epsilon)


@dataclass(eq=False)
class LocalResponseNorm(Layer):
    """Each number divided by a power of the squares of its neighbours in other channels.

    What comes out is ``x / (k + alpha * sum of squares) ** beta``; PyTorch divides its alpha by `n`.

    Parameters
    ----------
    n : int
        How many neighbouring channels count, with the channel in their middle; an odd number.
    k, alpha, beta : float

    References
    ----------
    A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional neural networks",
    NIPS 2012, 3.3.

    Examples
    --------
    >>> LocalResponseNorm().build((96, 27, 27)).output_shape
    (96, 27, 27)
    """

    n: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75

    def __post_init__(self) -> None:
        check_count(self, "n")
        if self.n % 2 == 0:
            raise InputError(
                "LocalResponseNorm: argument `n`",
                expected="an odd number",
                actual=repr(self.n),
                origin=user_line(),
            )
        for name in ("k", "alpha", "beta"):
            check_field(self, name)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        check_axes(self, shapes[0])
        return shapes[0]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the normalised examples; see `Layer.output`."""
        return local_response_normalization(inputs[0], self.n, self.k, self.alpha, self.beta)
