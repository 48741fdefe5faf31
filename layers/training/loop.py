"""The loop over epochs and batches: the one there is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.engine.errors import GraphError, InputError
from arignote.engine.origin import user_line
from arignote.layers.data.batches import Batches
from arignote.layers.training.checkpoints import Checkpoint, Place
from arignote.layers.watching import History, Watcher

if TYPE_CHECKING:
    from arignote.layers.training.trainer import Trainer


class DivergenceError(GraphError, ArithmeticError):
    """Training whose cost is no longer a number."""


def train(
    trainer: Trainer,
    batches: Batches,
    epochs: int,
    measured: Mapping[str, Batches | None],
    listeners: Sequence[Watcher],
    checkpoint: Checkpoint | None,
) -> History:
    """Train from where the checkpoint is, or from the beginning; see `Trainer.fit`."""
    place = Place() if checkpoint is None else checkpoint.restored()
    with _deferred_interrupt() as interruption:
        for listener in listeners:
            listener.before_training(trainer)
        while place.epoch < epochs and not place.finished:
            stopped = _epoch(trainer, batches, place, listeners, checkpoint, interruption)
            _close_epoch(trainer, measured, place)
            last = [listener.after_epoch(place.history) for listener in listeners]  # all of them hear
            place.finished = any(last)
            if stopped:  # in the middle of an epoch, where its checkpoint is
                break
            if checkpoint is not None:
                checkpoint.write(place)
            interruption.check()
    for listener in listeners:
        listener.after_training(place.history)
    return place.history


def _epoch(
    trainer: Trainer,
    batches: Batches,
    place: Place,
    listeners: Sequence[Watcher],
    checkpoint: Checkpoint | None,
    interruption: _Interruption,
) -> bool:
    """Go on with an epoch to its end, or until a listener stops it; return whether one did."""
    hear = [listener.after_batch for listener in listeners]
    losses, before, start = place.losses, place.seconds, perf_counter()
    with closing(batches.epoch(place.epoch, start=len(losses))) as rest:
        for batch in rest:
            loss = trainer.step(*batch)
            if not isfinite(loss):
                raise DivergenceError(
                    f"the cost of batch {len(losses)} in epoch {place.epoch} is {loss}",
                    expected="a finite cost",
                    actual=f"the steps were too large, with {trainer.optimiser}",
                    fix="train a new network with a smaller learning rate",
                    origin=user_line(),
                )
            losses.append(loss)
            place.examples += len(batch.inputs)
            answers = [after(place.epoch, len(losses) - 1, loss) for after in hear]
            stopped = any(answers)
            if checkpoint is not None and (stopped or interruption.requested or checkpoint.is_due()):
                place.seconds = before + perf_counter() - start
                checkpoint.write(place)
            interruption.check()
            if stopped:
                break
        else:
            stopped = False
    place.seconds = before + perf_counter() - start
    if not losses:
        raise InputError(
            f"fit: epoch {place.epoch}", expected="at least one batch", actual="none", origin=user_line()
        )
    return stopped


def _close_epoch(trainer: Trainer, measured: Mapping[str, Batches | None], place: Place) -> None:
    """Evaluate, write the epoch's row of the history, and go on to the next one."""
    row: dict[str, float] = {"epoch": place.epoch, "training_loss": float(np.mean(place.losses))}
    for name, examples in measured.items():
        row |= {f"{name}_{what}": value for what, value in trainer.measure(examples).items()}
    row |= {"seconds": place.seconds, "examples_per_second": place.examples / place.seconds}
    for name, value in row.items():
        place.history.setdefault(name, []).append(value)
    place.next_epoch()


class _Interruption:
    requested = False

    def check(self) -> None:
        """Raise the interruption, if there was one."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def _deferred_interrupt() -> Iterator[_Interruption]:
    """Turn Ctrl-C into a request that waits for the end of a step; the second one waits for nothing.

    In the middle of a step it would leave parameters that no checkpoint can tell the place of.
    """
    interruption = _Interruption()
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield interruption  # somebody else sees to it
        return

    def request(number: int, frame: Any) -> None:
        interruption.requested = True
        signal.signal(signal.SIGINT, handler)

    signal.signal(signal.SIGINT, request)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, handler)
