"""Callbacks: what watches the measurements of epochs, and acts on them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable
from arignote.layers.arguments import check_count, check_field
from arignote.layers.watching import History, Watcher

if TYPE_CHECKING:
    from arignote.layers.training.trainer import Trainer


class _Monitor(Watcher):
    """Knows the best value of one measurement, and how many epochs ago that was."""

    def __init__(self, monitor: str, maximise: bool | None = None) -> None:
        self.monitor = monitor
        self._sign = 1 if (not monitor.endswith("loss") if maximise is None else maximise) else -1
        self._best, self._waited = -inf, 0

    def _improved(self, history: History) -> bool:
        """Take in the last epoch, and return whether it was the best."""
        if self.monitor not in history:
            raise InputError(
                f"{type(self).__name__}: argument `monitor`",
                expected=f"a measurement of the history: {', '.join(history)}",
                actual=repr(self.monitor),
                origin=user_line(),
            )
        value = self._sign * history[self.monitor][-1]  # NaN is never better
        improved = bool(value > self._best)
        if improved:
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        return improved

    def state(self) -> dict[str, Any]:
        """Return the best value and how long ago it was."""
        return {"best": self._best, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._best, self._waited = float(state["best"]), int(state["waited"])


class EarlyStopping(_Monitor):
    """Ends training when a measurement has not become better for some epochs.

    Parameters
    ----------
    patience : int
        How many epochs without a better value end it.
    monitor : str
        A name of the history.
    maximise : bool, optional
        Whether more is better; by default it is, but for losses.

    Examples
    --------
    >>> stop = EarlyStopping(patience=2)
    >>> [stop.after_epoch({"validation_loss": [loss]}) for loss in (0.5, 0.4, 0.6, 0.45)]
    [False, False, False, True]
    """

    def __init__(
        self, patience: int = 5, monitor: str = "validation_loss", maximise: bool | None = None
    ) -> None:
        super().__init__(monitor, maximise)
        self.patience = patience
        check_count(self, "patience")

    def after_epoch(self, history: History) -> bool:
        """Tell whether it was the last epoch."""
        self._improved(history)
        return self._waited >= self.patience


class BestWeights(_Monitor):
    """Keeps the parameters of the best epoch, and gives them to the network when training has ended.

    Parameters
    ----------
    monitor : str
        A name of the history.
    maximise : bool, optional
        Whether more is better; by default it is, but for losses.
    """

    def __init__(self, monitor: str = "validation_loss", maximise: bool | None = None) -> None:
        super().__init__(monitor, maximise)
        self._kept: dict[str, NDArray[Any]] = {}
        self._parameters: dict[str, SharedVariable] = {}

    def before_training(self, trainer: Trainer) -> None:
        """Know the network, whose running means are kept too."""
        self._parameters = {
            name: parameter.variable for name, parameter in trainer.network.parameters.items()
        }

    def after_epoch(self, history: History) -> None:
        """Keep the parameters if the epoch was the best."""
        if self._improved(history):
            self._kept = {name: variable.get_value() for name, variable in self._parameters.items()}

    def after_training(self, history: History) -> None:
        """Set the network to what was kept."""
        for name, value in self._kept.items():
            self._parameters[name].set_value(value)

    def state(self) -> dict[str, Any]:
        """Return the best value and the parameters."""
        return super().state() | self._kept

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().restore(state)
        self._kept = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}


class ReduceOnPlateau(_Monitor):
    """Multiplies the learning rate when a measurement has not become better for some epochs.

    Parameters
    ----------
    learning_rate : SharedVariable
        The optimiser's.
    factor : float
        Above 0 and below 1.
    patience : int
        How many epochs without a better value lower it.
    monitor : str
        A name of the history.
    least : float
        What it is not lowered below.
    maximise : bool, optional
        Whether more is better; by default it is, but for losses.

    Examples
    --------
    >>> from arignote.engine.shared import shared
    >>> rate = shared(0.5)
    >>> reduce = ReduceOnPlateau(rate, factor=0.5, patience=1)
    >>> for loss in (0.5, 0.6, 0.4):
    ...     reduce.after_epoch({"validation_loss": [loss]})
    >>> float(rate.get_value())
    0.25
    """

    def __init__(
        self,
        learning_rate: SharedVariable,
        factor: float = 0.1,
        patience: int = 5,
        monitor: str = "validation_loss",
        least: float = 0.0,
        maximise: bool | None = None,
    ) -> None:
        super().__init__(monitor, maximise)
        self.learning_rate, self.factor, self.patience, self.least = learning_rate, factor, patience, least
        check_field(self, "factor", above=0, below=1)
        check_count(self, "patience")
        check_field(self, "least", at_least=0)

    def after_epoch(self, history: History) -> None:
        """Lower the rate if it is time."""
        if not self._improved(history) and self._waited >= self.patience:
            self._waited = 0
            lower = max(float(self.learning_rate.get_value()) * self.factor, self.least)
            self.learning_rate.set_value(np.asarray(lower, self.learning_rate.dtype))
