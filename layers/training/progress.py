"""A progress bar for terminals and notebooks; lines for logs."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from arignote.layers.data.batches import Batches
from arignote.layers.watching import History, Watcher

if TYPE_CHECKING:
    pass


class Progress(Watcher):
    """Shows how training goes: a bar over the batches of each epoch, or a line for each epoch in a file.

    Parameters
    ----------
    batches : Batches
    epochs : int
    to : bool or path
        The file to append lines to; True for a bar.
    """

    def __init__(self, batches: Batches, epochs: int, to: bool | str | PathLike[str]) -> None:
        self._batches, self._epochs, self._to = batches, epochs, to
        self._bar: Any = None

    def after_batch(self, epoch: int, batch: int, loss: float) -> bool:
        """Move the bar."""
        if self._to is True:
            if self._bar is None:
                self._bar = self._new_bar(epoch, batch)
            self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self._bar.update()
        return False

    def _new_bar(self, epoch: int, batch: int) -> Any:
        from tqdm.auto import tqdm

        try:
            total: int | None = len(self._batches)
        except TypeError:  # batches made elsewhere may not tell
            total = None
        text = f"epoch {epoch + 1}/{self._epochs}"
        return tqdm(total=total, initial=batch, desc=text, unit="batch", dynamic_ncols=True)

    def after_epoch(self, history: History) -> None:
        """Write what was measured next to the bar, or to the file."""
        text = measured(history)
        if self._bar is not None:
            self._bar.set_postfix_str(text)
            self._bar.close()
            self._bar = None
        elif isinstance(self._to, str | PathLike):
            with open(self._to, "a") as file:
                file.write(f"epoch {history['epoch'][-1] + 1}/{self._epochs}: {text}\n")


def measured(history: History) -> str:
    """Return the measurements of the last epoch in words.

    >>> measured({"epoch": [0], "training_loss": [0.52], "seconds": [2.0]})
    'training loss 0.52, seconds 2'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {values[-1]:.4g}" for name, values in history.items() if name != "epoch"
    )
