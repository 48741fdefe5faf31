"""What training tells of itself while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arignote.layers.training.trainer import Trainer

History = dict[str, list[float]]


class Watcher:
    """Hears of training as it goes, and may stop it; override what you want to hear of.

    Examples
    --------
    >>> class StopWhenLow(Watcher):
    ...     def after_batch(self, epoch, batch, loss):
    ...         return loss < 0.01
    """

    def before_training(self, trainer: Trainer) -> None:
        """Hear that training begins, or goes on from a checkpoint.

        Parameters
        ----------
        trainer : Trainer
            Whose network, optimiser and state are those that are trained.
        """

    def after_batch(self, epoch: int, batch: int, loss: float) -> bool:
        """Hear of a batch, and tell whether to stop after it.

        Parameters
        ----------
        epoch, batch : int
            Counted from 0.
        loss : float
            The cost of the batch before its update.
        """
        return False

    def after_epoch(self, history: History) -> bool | None:
        """Hear of an epoch, which may have been stopped early, and tell whether it was the last.

        Parameters
        ----------
        history : dict of str to list of float
            As `Trainer.fit` returns it; the epoch's values are the last ones.
        """
        return None

    def after_training(self, history: History) -> None:
        """Hear that training has ended, or was stopped; not after an error."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint is to keep: arrays, and what JSON can say."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned, before training goes on."""


class EpochPrinter(Watcher):
    """Prints the validation accuracy after each epoch."""

    def after_epoch(self, history: History) -> None:
        """Print a line."""
        print(epoch_line(history))


def epoch_line(history: History) -> str:
    """Return what is to be said of the last epoch.

    >>> epoch_line({"epoch": [0, 1], "validation_accuracy": [0.9, 0.951]})
    'Epoch 1: validation accuracy 95.10%'
    """
    return f"Epoch {history['epoch'][-1]}: validation accuracy {history['validation_accuracy'][-1]:.2%}"
