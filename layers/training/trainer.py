"""The trainer: a network, its cost, the gradients and the updates of a step; and the loop over batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import Function, function
from arignote.engine.errors import InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import RandomStreams, eq, mean, sum, switch
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable
from arignote.engine.types import TensorType
from arignote.layers.data.augmentation import Transform
from arignote.layers.data.batches import Batches
from arignote.layers.data.folders import ImageFolder
from arignote.layers.description import described
from arignote.layers.examples import CHUNK, check_whole_dtype, checked_images, checked_labels
from arignote.layers.layer import Layer, Training
from arignote.layers.losses import Loss
from arignote.layers.optimisers import Optimiser
from arignote.layers.training.checkpoints import Checkpoint
from arignote.layers.training.loop import train
from arignote.layers.training.progress import Progress
from arignote.layers.watching import History, Watcher

#: From predictions and targets to a number, as arrays.
Metric = Callable[[NDArray[Any], NDArray[Any]], float]
#: From parameters to a scalar to add to the cost.
Penalty = Callable[[Sequence[SharedVariable]], Variable]
#: From gradients to those that the optimiser is given.
Clip = Callable[[Sequence[Variable]], Sequence[Variable]]


class Trainer:
    """Trains a network: its cost, gradients and updates as expressions, and the loop over batches.

    Parameters
    ----------
    network : Layer
        Any layer that is built, up to a whole network, with one input.
    loss : callable
        From the output, of shape (n, *output_shape), and the targets to one number for each example, of
        shape (n,).
    optimiser : Optimiser
    metrics : sequence or mapping of callables
        From all predictions and targets, as arrays, to a number; by name, else each has its own.
    penalty : callable, optional
        From ``network.weights`` to a scalar that is added to the cost.
    clip : callable, optional
        From the gradients to those that are followed.
    class_weights : array_like of float, shape (classes,), optional
        What the examples of each class count; see `class_weights`.
    target : TensorType, optional
        The type of the targets of a batch; by default an int32 vector: a label for each example.
    seed : int
        Of the masks of dropout, of the order of examples, and of their augmentation.
    mode : {'compiled', 'reference', ...}, optional
        How to compute; see `arignote.function`.

    Attributes
    ----------
    x : Variable, shape (n, *input_shape)
        The inputs of a batch.
    y : Variable, shape (n, ...)
        Its targets.
    output : Variable, shape (n, *output_shape)
        What the network makes of `x` in training.
    cost : scalar
        What a step lowers: the mean of the losses, weighted by class if there are such weights, plus the
        penalty.
    gradients : list of Variable
        Of the cost, with respect to ``network.params``; clipped.
    updates : list of (SharedVariable, Variable)
        What a step makes of parameters, of what the optimiser remembers, and of the layers' own state.
    state : dict of str to SharedVariable
        All that training changes, under the names that checkpoints give it.

    Raises
    ------
    GraphError, ShapeError, DTypeError
        If network, loss and target do not fit.

    Examples
    --------
    >>> from arignote.layers import SGD, Dense, Flatten, Sequential, accuracy, cross_entropy, load_digits
    >>> network = Sequential([Flatten(), Dense(10)], input_shape=(1, 28, 28), rng=0)
    >>> trainer = Trainer(network, cross_entropy, SGD(0.1), metrics=[accuracy])
    >>> digits = load_digits()
    >>> history = trainer.fit(digits.training, epochs=3, batch_size=10, validation=digits.validation)
    >>> history["validation_accuracy"][-1] > 0.8
    True
    """

    def __init__(
        self,
        network: Layer,
        loss: Loss,
        optimiser: Optimiser,
        *,
        metrics: Sequence[Metric] | Mapping[str, Metric] = (),
        penalty: Penalty | None = None,
        clip: Clip | None = None,
        class_weights: ArrayLike | None = None,
        target: TensorType | None = None,
        seed: int = 0,
        mode: str | None = None,
    ) -> None:
        self.network, self.optimiser, self.seed = network, optimiser, seed
        self.metrics: dict[str, Metric] = (
            dict(metrics) if isinstance(metrics, Mapping) else {each.__name__: each for each in metrics}
        )
        self._loss, self._mode = loss, mode
        self._input_shape = network.input_shape
        params = network.params
        if not params:
            raise InputError(
                "Trainer: argument `network`",
                expected="a network with parameters to train",
                actual=f"{network!r}, which has none",
                origin=user_line(),
            )
        self._dtype = params[0].dtype
        (self._input_dtype,) = network.input_dtypes
        self.x = TensorType(self._input_dtype, (None, *self._input_shape))("x")
        self.y = (target or TensorType("int32", (None,)))("y")
        self._weights = TensorType(self._dtype, (None,))("weights")
        self._class_weights = None if class_weights is None else np.asarray(class_weights, self._dtype)
        self._penalty, self._clip = penalty, clip

        training = Training(RandomStreams(seed))
        self.output = network.output(self.x, training=training)
        self._losses = self._each(self.output)
        self.cost = self._cost([])
        self.gradients = self._gradients(self.cost)
        descent = optimiser.descent(self.gradients, params)
        self.updates = [*descent.updates, *training.updates.items()]
        self.state = (
            {f"network.{name}": each.variable for name, each in network.parameters.items()}
            | {f"optimiser.{name}": variable for name, variable in descent.state.items()}
            | {f"random.{n}": state for n, (state, _) in enumerate(training.streams.updates())}
        )
        self._steps: dict[bool, Function] = {}
        self._evaluation: Function | None = None

    def _each(self, output: Variable) -> Variable:
        losses = self._loss(output, self.y)
        if not isinstance(losses, Variable) or losses.ndim != 1:
            raise ShapeError(
                "Trainer: argument `loss`",
                expected="a function that gives a vector: a number for each example",
                actual=str(losses.type) if isinstance(losses, Variable) else type(losses).__name__,
                fix="take the mean over all axes but the first; the trainer takes that over the examples",
                origin=user_line(),
            )
        return losses

    def _cost(self, weights: list[Variable]) -> Variable:
        """Return the weighted mean of the losses, plus the penalty."""
        if self._class_weights is not None:
            weights = [*weights, as_variable(self._class_weights)[self.y]]
        if weights:
            counts = weights[0] if len(weights) == 1 else weights[0] * weights[1]
            total = sum(counts)
            # A batch in which nothing counts has no cost, rather than 0 / 0.
            cost = sum(counts * self._losses) / switch(
                eq(total, 0), as_variable(np.ones((), self._dtype)), total
            )
        else:
            cost = mean(self._losses)
        return cost if self._penalty is None else cost + self._penalty(self.network.weights)

    def _gradients(self, cost: Variable) -> list[Variable]:
        gradients = grad(cost, list[Variable](self.network.params))
        return list(gradients if self._clip is None else self._clip(gradients))

    def _step(self, weighted: bool) -> Function:
        """Return the function from a batch to its cost, which applies the updates."""
        if weighted not in self._steps:
            inputs, cost, givens = [self.x, self.y], self.cost, {}
            if weighted:
                inputs.append(self._weights)
                cost = self._cost([self._weights])
                givens = dict(zip(self.gradients, self._gradients(cost), strict=True))
            self._steps[weighted] = function(
                inputs, cost, updates=self.updates, givens=givens, mode=self._mode, name="training step"
            )
        return self._steps[weighted]

    def step(self, inputs: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> float:
        """Take one step, and return the cost before it.

        Parameters
        ----------
        inputs : array_like, shape (n, *input_shape) or (n, as many numbers)
        targets : array_like, shape (n, ...)
        weights : array_like of float, shape (n,), optional
            What each example counts.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For a batch that does not fit; nothing has changed then.
        """
        x = self._fitting(np.asarray(inputs))
        if weights is None:
            return float(self._step(False)(x, targets))
        return float(self._step(True)(x, targets, np.asarray(weights, self._dtype)))

    def _fitting(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return inputs in the shape and dtype of the network."""
        if inputs.shape[1:] != self._input_shape:
            if inputs.shape[1:] != (prod(self._input_shape),):
                raise ShapeError(
                    "the inputs of a batch",
                    expected=f"shape (n, {', '.join(map(str, self._input_shape))})",
                    actual=f"shape {inputs.shape}",
                    origin=user_line(),
                )
            inputs = inputs.reshape(len(inputs), *self._input_shape)
        if inputs.dtype == self._input_dtype:
            return inputs
        check_whole_dtype(inputs, self._input_dtype, "the inputs of a batch")
        return inputs.astype(self._input_dtype)

    def fit(
        self,
        data: Any,
        epochs: int,
        batch_size: int | None = None,
        *,
        validation: Any = None,
        weights: ArrayLike | None = None,
        shuffle: bool = True,
        augment: Transform | Sequence[Transform] = (),
        drop_last: bool = False,
        callbacks: Sequence[Watcher] = (),
        progress: bool | str | PathLike[str] = False,
        checkpoint: str | PathLike[str] | None = None,
        every: float = 60.0,
    ) -> History:
        """Train.

        Parameters
        ----------
        data : pair of arrays, path, Batches, or what `Batches` take
            The examples: (inputs, targets); or a folder of images, as `ImageFolder` reads it, made to have
            the size of the network's input, grey or in colour as that has one channel or three; or batches
            made elsewhere; or examples that are read from files.
        epochs : int
            How often to go through them.
        batch_size : int, optional
            The number of examples of a step; not for `Batches` and for batches made elsewhere.
        validation : like `data`, or mapping of str to such, optional
            What to evaluate after each epoch; by default under the name "validation".
        weights, shuffle, augment, drop_last
            See `Batches`; not for `Batches`.
        callbacks : sequence of Watcher
            Hear of each batch and epoch, and may stop the training.
        progress : bool or path
            Whether to show a bar, on terminals and in notebooks; or a file to which each epoch writes a line.
        checkpoint : path of a folder, optional
            Where to keep the state of training. If there is a checkpoint, training goes on from there, and
            ends with the same bits as if it had not been interrupted.
        every : float
            The seconds between checkpoints, which are also written at the end of each epoch and when Ctrl-C
            stops the training.

        Returns
        -------
        dict of str to list of float
            One number an epoch under each of ``"epoch"`` (counted from 0), ``"training_loss"`` (the mean cost
            of its batches, each before its update), ``"validation_loss"`` and ``"validation_<metric>"`` (or
            under the other names of `validation`), ``"seconds"`` (of its batches; the first epoch's include
            compiling) and ``"examples_per_second"``. An epoch that was stopped counts with what it did.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For data or settings that do not fit.
        DivergenceError
            If the cost becomes infinite or not a number.
        CheckpointError
            If the checkpoint cannot be read, or is of another network, or of other settings.
        """
        if not isinstance(epochs, int | np.integer) or epochs < 1:
            raise InputError(
                "fit: argument `epochs`",
                expected="a whole number of at least 1",
                actual=repr(epochs),
                origin=user_line(),
            )
        batches = self._batches(
            data,
            "data",
            batch_size,
            weights=weights,
            shuffle=shuffle,
            augment=augment,
            drop_last=drop_last,
            seed=self.seed,
        )
        measured = {name: self._measured(each, name) for name, each in _named(validation).items()}
        listeners = [*callbacks, *([Progress(batches, epochs, progress)] if progress is not False else [])]
        kept = None
        if checkpoint is not None:
            settings = self.settings | {
                "data": described(batches.settings),
                "validation": {name: each and described(each.settings) for name, each in measured.items()},
            }
            kept = Checkpoint(checkpoint, self.state, settings, callbacks, every)
        return train(self, batches, epochs, measured, listeners, kept)

    def _batches(self, data: Any, argument: str, batch_size: int | None, **settings: Any) -> Batches:
        if isinstance(data, Batches):
            return data
        if isinstance(data, tuple) and len(data) == 2:
            inputs, targets = data
            if not isinstance(inputs, np.memmap):  # what is mapped may be larger than memory: batch by batch
                name = f"argument `{argument}`"
                inputs = checked_images(inputs, self._input_shape, self._input_dtype, f"{name}: inputs")
                inputs = inputs.reshape(len(inputs), *self._input_shape)
                if self.y.type == TensorType("int32", (None,)) and len(self.network.output_shape) == 1:
                    (classes,) = self.network.output_shape
                    targets = checked_labels(targets, len(inputs), max(classes, 2), f"{name}: labels")
            data = inputs, targets
        elif isinstance(data, str | PathLike):
            data = self._folder(Path(data), argument)
        elif isinstance(data, list) or callable(data) or hasattr(data, "__next__"):
            batch_size = None
        return Batches(data, batch_size, **settings)

    def _folder(self, folder: Path, argument: str) -> ImageFolder:
        """Return the images of a folder, of the size that the network wants."""
        if len(self._input_shape) != 3 or self._input_shape[0] not in (1, 3):
            raise ShapeError(
                f"argument `{argument}`: a folder of images",
                expected="a network of images of shape (1, rows, columns) or (3, rows, columns)",
                actual=f"{self._input_shape}",
                origin=user_line(),
            )
        channels, rows, columns = self._input_shape
        images = ImageFolder(folder, (rows, columns), "L" if channels == 1 else "RGB")
        outputs = self.network.output_shape
        if len(outputs) == 1 and len(images.classes) > max(outputs[0], 2):
            raise ShapeError(
                f"argument `{argument}`: the classes of a folder",
                expected=f"at most {max(outputs[0], 2)}, the outputs of the network",
                actual=f"{len(images.classes)} in {folder}",
                origin=user_line(),
            )
        return images

    def evaluate(self, data: Any) -> dict[str, float]:
        """Return the mean loss of examples, without dropout and without the penalty, and the metrics.

        Parameters
        ----------
        data : pair of arrays, path, Batches, or what `Batches` take

        Returns
        -------
        dict of str to float
            ``"loss"``, and each metric. Examples count by the weights that `Batches` bring, in the loss.

        Raises
        ------
        ShapeError, DTypeError, InputError
            For data that do not fit.
        """
        return self.measure(self._measured(data, "data"))

    def _measured(self, data: Any, argument: str) -> Batches | None:
        """Return examples to evaluate; None for arrays of none."""
        if isinstance(data, tuple) and len(data) == 2 and len(data[1]) == 0:
            return None
        return self._batches(data, argument, CHUNK, shuffle=False)

    def measure(self, batches: Batches | None) -> dict[str, float]:
        """Return what `evaluate` does; NaN everywhere for None."""
        if batches is None:
            return dict.fromkeys(["loss", *self.metrics], np.nan)
        if self._evaluation is None:
            output = self.network.output(self.x)
            self._evaluation = function(
                [self.x, self.y], [output, self._each(output)], mode=self._mode, name="evaluation"
            )
        outputs, targets, losses, weights = [], [], [], []
        for batch in batches.epoch(0):
            output, loss = self._evaluation(self._fitting(batch.inputs), batch.targets)
            losses.append(loss)
            weights.append(np.ones(len(loss)) if batch.weights is None else batch.weights)
            if self.metrics:
                outputs.append(output)
                targets.append(batch.targets)
        total = float(np.concatenate(weights).sum()) if weights else 0.0
        loss = np.concatenate(losses) @ np.concatenate(weights) / total if total else np.nan
        values = {"loss": float(loss)}
        if self.metrics:
            predicted, wanted = np.concatenate(outputs), np.concatenate(targets)
            values |= {name: float(metric(predicted, wanted)) for name, metric in self.metrics.items()}
        return values

    @property
    def settings(self) -> dict[str, Any]:
        """What training depends on besides its data, as JSON can say it."""
        return {
            "network": described(self.network),
            "input_shape": list(self._input_shape),
            "dtype": self._dtype,
            "loss": described(self._loss),
            "metrics": described(self.metrics),
            "optimiser": described(self.optimiser),
            "penalty": described(self._penalty),
            "clip": described(self._clip),
            "class_weights": described(self._class_weights),
            "seed": self.seed,
        }


def _named(validation: Any) -> dict[str, Any]:
    if validation is None:
        return {}
    return dict(validation) if isinstance(validation, Mapping) else {"validation": validation}
