"""A network: layers one upon the other, their cost, and its descent.

The network and its training are those of ``network3.py`` in M. Nielsen, "Neural Networks and Deep Learning",
chapter 6, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import Function, function
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import RandomStreams, mean
from arignote.engine.origin import user_line
from arignote.engine.types import TensorType
from arignote.layers.arguments import check_number, check_whole
from arignote.layers.book import SoftmaxLayer
from arignote.layers.containers import Sequential
from arignote.layers.data.datafiles import StrPath
from arignote.layers.examples import checked_images, checked_labels, in_chunks
from arignote.layers.layer import Layer, Training
from arignote.layers.losses import cross_entropy_of_probabilities
from arignote.layers.metrics import accuracy
from arignote.layers.optimisers import SGD
from arignote.layers.penalties import WeightPenalty
from arignote.layers.training.trainer import Trainer
from arignote.layers.watching import EpochPrinter, History, Watcher


class Network:
    """Layers one upon the other, ready to train and to predict.

    Parameters
    ----------
    layers : sequence of Layer
        From the images to the classes; the last one is a `SoftmaxLayer`.
    mini_batch_size : int
        The number of images of a training step.
    seed : int
        Of the masks of dropout.
    mode : {'compiled', 'reference'}, optional
        How to compute; see `arignote.function`.

    Attributes
    ----------
    layers : list of Layer
    mini_batch_size : int
    params : list of SharedVariable
        The parameters of all layers.
    x : matrix, shape (mini_batch_size, pixels)
        The images of a training step.
    y : integer vector, shape (mini_batch_size,)
        Their labels.
    output : matrix, shape (mini_batch_size, classes)
        The probabilities that the network predicts for `x`.
    cost : scalar
        What training lowers: the mean of ``-log(p)`` over the images, with `p` the probability of the right
        label, and dropout in the layers that have it.

    Raises
    ------
    ShapeError
        If layers do not fit each other or the mini-batch size.

    Examples
    --------
    >>> from arignote.layers import ConvPoolLayer, FullyConnectedLayer, SoftmaxLayer
    >>> network = Network(
    ...     [
    ...         ConvPoolLayer(filter_shape=(20, 1, 5, 5), image_shape=(10, 1, 28, 28), poolsize=(2, 2)),
    ...         FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100),
    ...         SoftmaxLayer(n_in=100, n_out=10),
    ...     ],
    ...     mini_batch_size=10,
    ... )
    >>> network.x.static_shape, network.output.ndim
    ((10, 784), 2)
    """

    def __init__(
        self, layers: Sequence[Layer], mini_batch_size: int, seed: int = 0, mode: str | None = None
    ) -> None:
        self.layers = list(layers)
        self.mini_batch_size = mini_batch_size
        self._mode, self._seed, self._trainings = mode, seed, 0
        check_whole("Network: argument `mini_batch_size`", mini_batch_size, 1)
        _check_fit(self.layers, mini_batch_size)
        self.body = Sequential(self.layers, self._input_shape)
        self.params = self.body.params
        self.x = TensorType(self._dtype, (mini_batch_size, prod(self._input_shape)))("x")
        self.y = TensorType("int32", (mini_batch_size,))("y")
        self.output = self.body.output(self.x)
        learning = self.body.output(self.x, training=Training(RandomStreams(seed)))
        self.cost = mean(cross_entropy_of_probabilities(learning, self.y))

    @property
    def _dtype(self) -> str:
        return self.params[0].dtype

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.layers[0].input_shape

    @property
    def _classes(self) -> int:
        return self.layers[-1].output_shape[0]

    def regularised_cost(self, lmbda: float, batches: int) -> Variable:
        """Return the cost with a penalty on large weights.

        Parameters
        ----------
        lmbda : float
            The strength of the penalty.
        batches : int
            The number of mini-batches of the training data.

        Returns
        -------
        scalar
            ``cost + 0.5 * lmbda * (sum of all squared weights) / batches``.
        """
        return (
            self.cost if lmbda == 0 else self.cost + WeightPenalty(0.5 * lmbda / batches)(self.body.weights)
        )

    def SGD(  # noqa: N802 - the name in the book
        self,
        training_data: tuple[ArrayLike, ArrayLike],
        epochs: int,
        mini_batch_size: int,
        eta: float,
        validation_data: tuple[ArrayLike, ArrayLike],
        test_data: tuple[ArrayLike, ArrayLike],
        lmbda: float = 0.0,
        watcher: Watcher | None = None,
        checkpoint: StrPath | None = None,
    ) -> History:
        """Train by stochastic gradient descent, mini-batch after mini-batch, in the order of the data.

        Images at the end of the training data that fill no mini-batch are left out.

        Parameters
        ----------
        training_data, validation_data, test_data : (array_like of float, array_like of int)
            Images of shape (n, pixels), and labels of shape (n,) that count from 0.
        epochs : int
            How often to go through the training data.
        mini_batch_size : int
            The network's.
        eta : float
            The learning rate: each parameter changes by ``-eta`` times its gradient.
        lmbda : float
            The strength of L2 regularisation; see `regularised_cost`.
        watcher : Watcher, optional
            Hears of each batch and epoch, and may stop the training. By default the validation accuracy of
            each epoch is printed.
        checkpoint : path of a folder, optional
            Where to keep the state of training; see `Trainer.fit`. The same call goes on from there.

        Returns
        -------
        dict of str to list of float
            One number an epoch under each of ``"epoch"`` (counted from 0), ``"training_loss"`` (the mean cost
            of its batches, each before its update), ``"validation_accuracy"`` and ``"test_accuracy"`` (shares
            of images, 0 to 1), ``"seconds"`` (of its batches; the first epoch's include compiling) and
            ``"digits_per_second"``. An epoch that was stopped counts with what it did.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For data or settings that do not fit; before anything is trained.
        DivergenceError
            If the cost becomes infinite or not a number.
        """
        check_whole("SGD: argument `epochs`", epochs, 1)
        check_number("SGD: argument `eta`", eta, at_least=0)
        check_number("SGD: argument `lmbda`", lmbda, at_least=0)
        if mini_batch_size != self.mini_batch_size:
            raise ShapeError(
                "SGD: argument `mini_batch_size`",
                expected=f"the network's, {self.mini_batch_size}",
                actual=repr(mini_batch_size),
                fix=f"Network(layers, mini_batch_size={mini_batch_size})",
                origin=user_line(),
            )
        images, labels = self._checked(training_data, "training_data")
        batches = len(images) // mini_batch_size
        if batches == 0:
            raise ShapeError(
                "SGD: training_data does not fill one mini-batch",
                expected=f"at least {mini_batch_size} images",
                actual=str(len(images)),
                origin=user_line(),
            )
        validation = self._checked(validation_data, "validation_data")
        test = self._checked(test_data, "test_data")

        trainer = Trainer(
            self.body,
            cross_entropy_of_probabilities,
            SGD(eta),
            metrics=[accuracy],
            penalty=None if lmbda == 0 else WeightPenalty(0.5 * lmbda / batches),
            seed=self._seed + self._trainings,  # each training drops other units
            mode=self._mode,
        )
        self._trainings += 1
        history = trainer.fit(
            (images, labels),
            epochs,
            mini_batch_size,
            shuffle=False,
            drop_last=True,
            validation={"validation": validation, "test": test},
            callbacks=[_BookNames(EpochPrinter() if watcher is None else watcher)],
            checkpoint=checkpoint,
        )
        return _renamed(history)

    def accuracy(self, data: tuple[ArrayLike, ArrayLike]) -> float:
        """Return the share of images that the network classifies as their labels say.

        Parameters
        ----------
        data : (array_like of float, array_like of int)
            Images of shape (n, pixels), and labels of shape (n,) that count from 0.

        Returns
        -------
        float
            From 0 to 1; NaN for no images.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For data that do not fit.
        """
        images, labels = self._checked(data, "data")
        return accuracy(self._probabilities(images), labels)

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable class of each image.

        Parameters
        ----------
        images : array_like, shape (n, pixels) or (pixels,)
            Any number of images, or one.

        Returns
        -------
        ndarray of int64, shape (n,) or ()

        Raises
        ------
        ShapeError, DTypeError, InputError
            For images that do not fit.
        """
        labels: NDArray[np.int64] = np.asarray(self.predict_probabilities(images).argmax(axis=-1))
        return labels

    def predict_probabilities(self, images: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the probability of each class for each image.

        Parameters
        ----------
        images : array_like, shape (n, pixels) or (pixels,)
            Any number of images, or one.

        Returns
        -------
        ndarray of the parameters' dtype, shape (n, classes) or (classes,)

        Raises
        ------
        ShapeError, DTypeError, InputError
            For images that do not fit.
        """
        array = np.asarray(images)
        single = array.shape == (prod(self._input_shape),)
        rows = checked_images(array[np.newaxis] if single else array, self._input_shape, self._dtype)
        probabilities = self._probabilities(rows)
        return probabilities[0] if single else probabilities

    @cached_property
    def _classify(self) -> Function:
        images = TensorType(self._dtype, (None, prod(self._input_shape)))("images")
        return function([images], self.body.output(images), mode=self._mode, name="prediction")

    def _probabilities(self, images: NDArray[Any]) -> NDArray[np.floating[Any]]:
        return in_chunks(self._classify, images)

    def _checked(
        self, data: tuple[ArrayLike, ArrayLike], argument: str
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.int32]]:
        try:
            images, labels = data
        except (TypeError, ValueError):
            raise DTypeError(
                f"argument `{argument}`",
                expected="a pair (images, labels)",
                actual=type(data).__name__,
                origin=user_line(),
            ) from None
        rows = checked_images(images, self._input_shape, self._dtype, f"argument `{argument}`: images")
        return rows, checked_labels(labels, len(rows), self._classes, f"argument `{argument}`: labels")


#: The columns of the book's history, and what the trainer calls them.
_HISTORY = {
    "epoch": "epoch",
    "training_loss": "training_loss",
    "validation_accuracy": "validation_accuracy",
    "test_accuracy": "test_accuracy",
    "seconds": "seconds",
    "digits_per_second": "examples_per_second",
}


class _BookNames(Watcher):
    """Passes on what it hears, under the names of the book."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def before_training(self, trainer: Trainer) -> None:
        self._watcher.before_training(trainer)

    def after_batch(self, epoch: int, batch: int, loss: float) -> bool:
        return self._watcher.after_batch(epoch, batch, loss)

    def after_epoch(self, history: History) -> bool | None:
        return self._watcher.after_epoch(_renamed(history))

    def after_training(self, history: History) -> None:
        self._watcher.after_training(_renamed(history))

    def state(self) -> dict[str, Any]:
        return self._watcher.state()

    def restore(self, state: dict[str, Any]) -> None:
        self._watcher.restore(state)


def _renamed(history: History) -> History:
    return {name: list(history[theirs]) for name, theirs in _HISTORY.items()}


def _check_fit(layers: Sequence[Layer], mini_batch_size: int) -> None:
    if not layers or not isinstance(layers[-1], SoftmaxLayer):
        raise DTypeError(
            "Network: argument `layers`",
            expected="layers of which the last is a SoftmaxLayer, since the cost is made of probabilities",
            actual=", ".join(type(layer).__name__ for layer in layers) or "none",
            origin=user_line(),
        )
    for place, layer in enumerate(layers):
        shape = layer.input_shape
        made_for = getattr(layer, "mini_batch_size", None)  # only layers of the book state it
        if made_for not in (None, mini_batch_size):
            raise ShapeError(
                f"Network: the mini-batch size of {_named(layers, place)}",
                expected=f"the network's, {mini_batch_size}: image_shape={(mini_batch_size, *shape)}",
                actual=f"image_shape={(made_for, *shape)}",
                origin=user_line(),
            )
    for place, (below, above) in enumerate(pairwise(layers)):
        given, taken = below.output_shape, above.input_shape
        # Images are taken apart into numbers, and numbers made into images, as long as they are as many.
        if given == taken or (prod(given) == prod(taken) and 1 in (len(given), len(taken))):
            continue
        raise ShapeError(
            f"Network: {_named(layers, place + 1)} does not fit on {_named(layers, place)}",
            expected=f"an input of {_product(given)}, which is what layer {place} gives",
            actual=f"an input of {_product(taken)}",
            fix=f"n_in={'*'.join(map(str, given))}"
            if len(taken) == 1
            else f"image_shape=({mini_batch_size}, channels, rows, columns) that fits",
            origin=user_line(),
        )


def _named(layers: Sequence[Layer], place: int) -> str:
    return f"layer {place} ({type(layers[place]).__name__})"


def _product(shape: tuple[int, ...]) -> str:
    return " = ".join([str(prod(shape)), *(["*".join(map(str, shape))] if len(shape) > 1 else [])])
