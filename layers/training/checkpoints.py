"""Checkpoints: the whole state of training in one file, to go on from to the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arignote.engine.shared import SharedVariable
from arignote.layers.data.datafiles import StrPath
from arignote.layers.description import differences
from arignote.layers.files import remove_unfinished
from arignote.layers.tensorfiles import NetworkFileError, read_tensors, set_values, write_tensors
from arignote.layers.watching import History, Watcher

_ENTRY = "arignote training 1"  # with the version of what it holds
_FILE = "checkpoint.safetensors"


class CheckpointError(NetworkFileError):
    """A checkpoint that cannot be read, or of another training than the one that is to go on."""


@dataclass
class Place:
    """How far training has come.

    Attributes
    ----------
    epoch : int
        The one that it is in.
    losses : list of float
        The costs of the batches of this epoch.
    examples : int
        How many these batches had.
    seconds : float
        The time they took.
    history : dict of str to list of float
        Of the epochs before.
    finished : bool
        Whether a callback has ended it.
    """

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    examples: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=dict)
    finished: bool = False

    def next_epoch(self) -> None:
        """Go to the beginning of the next epoch."""
        self.epoch, self.losses, self.examples, self.seconds = self.epoch + 1, [], 0, 0.0


class Checkpoint:
    """The file in which a training keeps its state.

    Parameters
    ----------
    folder : path
    variables : mapping of str to SharedVariable
        All that training changes.
    settings : dict
        What it depends on: training goes on only under the same ones.
    callbacks : sequence of Watcher
    every : float
        The seconds from one checkpoint to the next.
    """

    def __init__(
        self,
        folder: StrPath,
        variables: Mapping[str, SharedVariable],
        settings: dict[str, Any],
        callbacks: Sequence[Watcher],
        every: float,
    ) -> None:
        self.path = Path(folder) / _FILE
        self._variables, self._callbacks, self._every = variables, callbacks, every
        kinds = [type(each).__qualname__ for each in callbacks]
        self._settings = settings | {"callbacks": kinds}
        self._written = monotonic()

    def is_due(self) -> bool:
        """Return whether the last checkpoint is long ago."""
        return monotonic() - self._written >= self._every

    def write(self, place: Place) -> None:
        """Write a checkpoint; whoever reads meanwhile sees the one before."""
        arrays = {name: variable.storage for name, variable in self._variables.items()}
        heard = []
        for number, callback in enumerate(self._callbacks):
            state = callback.state()
            arrays |= {
                f"callback.{number}.{name}": value
                for name, value in state.items()
                if isinstance(value, np.ndarray)
            }
            heard.append({name: value for name, value in state.items() if not isinstance(value, np.ndarray)})
        words = {"settings": self._settings, "place": asdict(place), "callbacks": heard}
        write_tensors(self.path, arrays, _ENTRY, words)
        self._written = monotonic()

    def restored(self) -> Place:
        """Set all variables and callbacks to the checkpoint, if there is one, and return its place.

        Raises
        ------
        CheckpointError
            If it cannot be read, or is of another training; nothing has changed then.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.path)
        if not self.path.exists():
            return Place()
        try:
            arrays, words = read_tensors(self.path, _ENTRY, "state of training")
            place, settings, heard = _checked(words)
            self._compare(settings)
            of_callbacks = [name for name in arrays if name.startswith("callback.")]
            heard_arrays = {name: arrays.pop(name) for name in of_callbacks}
            set_values(self.path, self._variables, arrays)
            self._restore_callbacks(heard, heard_arrays)
        except CheckpointError:
            raise
        except NetworkFileError as error:
            raise CheckpointError(str(error)) from error
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{self.path}: not a state of training that this version knows: {error!r}"
            ) from error
        return place

    def _compare(self, settings: dict[str, Any]) -> None:
        found = list(islice(differences(self._settings, settings), 10))
        if found:
            raise CheckpointError(
                f"{self.path}: is of another training ({'; '.join(found)}); "
                "go on with the same network, settings and data, or give another folder"
            )

    def _restore_callbacks(self, heard: Sequence[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        for number, (callback, state) in enumerate(zip(self._callbacks, heard, strict=True)):
            prefix = f"callback.{number}."
            own = {name[len(prefix) :]: each for name, each in arrays.items() if name.startswith(prefix)}
            callback.restore(state | own)


def _checked(words: Any) -> tuple[Place, dict[str, Any], list[Any]]:
    """Return the parts of what a checkpoint says, if it says what a `Place` needs."""
    place = Place(**words["place"])
    counts = (place.epoch, place.examples)
    numbers = [place.seconds, *place.losses, *(each for row in place.history.values() for each in row)]
    rows = {len(row) for row in place.history.values()}
    if (
        not all(type(count) is int and 0 <= count < 2**53 for count in counts)
        or not all(type(number) in (int, float) for number in numbers)
        or type(place.finished) is not bool
        or rows - {place.epoch}
    ):
        raise ValueError("its place is no place")
    return place, words["settings"], words["callbacks"]
