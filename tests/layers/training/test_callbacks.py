"""Callbacks: when they act, and that they go on from a checkpoint."""

import numpy as np
import pytest

from arignote.engine.errors import InputError
from arignote.engine.shared import shared
from arignote.layers import SGD, BestWeights, Dense, EarlyStopping, ReduceOnPlateau, Trainer, cross_entropy

DATA = np.eye(3), np.arange(3)


class Scripted(BestWeights):
    """Sees losses that were written down, instead of those of the network."""

    def __init__(self, losses):
        super().__init__("scripted")
        self._losses, self._sign = losses, -1

    def after_epoch(self, history):
        super().after_epoch({"scripted": [self._losses[history["epoch"][-1]]]})


def trainer(rate=0.5):
    return Trainer(Dense(3).build((3,), rng=0), cross_entropy, SGD(rate), mode="reference")


def test_best_weights_also_over_an_interruption(tmp_path):
    losses = [3.0, 1.0, 2.0, float("nan"), 1.0]
    best = trainer()
    best.fit(DATA, 2, 3)
    parts = trainer()
    parts.fit(DATA, 3, 3, callbacks=[Scripted(losses)], checkpoint=tmp_path)
    resumed = trainer()
    resumed.fit(DATA, 5, 3, callbacks=[Scripted(losses)], checkpoint=tmp_path)
    for ours, theirs in zip(resumed.network.params, best.network.params, strict=True):
        np.testing.assert_array_equal(ours.get_value(), theirs.get_value())


def test_early_stopping_stays_stopped(tmp_path):
    # At a rate of 0 nothing becomes better after the first epoch.
    stopping = {"callbacks": [EarlyStopping(2, "training_loss")], "checkpoint": tmp_path}
    assert len(trainer(0.0).fit(DATA, 9, 3, **stopping)["epoch"]) == 3
    stopping["callbacks"] = [EarlyStopping(2, "training_loss")]
    assert len(trainer(0.0).fit(DATA, 9, 3, **stopping)["epoch"]) == 3


def test_the_rate_is_reduced():
    rate = shared(np.float64(1.0), name="rate")
    reduce = ReduceOnPlateau(rate, factor=0.5, patience=2, least=0.3)
    for loss in (5, 6, 7, 8, 9, 1):
        reduce.after_epoch({"validation_loss": [loss]})
    assert rate.get_value() == 0.3
    more = ReduceOnPlateau(rate, patience=1, monitor="validation_accuracy")
    for accuracy in (0.1, 0.2, 0.3):
        more.after_epoch({"validation_accuracy": [accuracy]})
    assert rate.get_value() == 0.3


def test_a_measurement_that_is_not_there():
    with pytest.raises(InputError, match=r"`monitor`[\s\S]*training_loss[\s\S]*'validation_loss'"):
        trainer().fit(DATA, 1, 3, callbacks=[EarlyStopping()])
