"""Batch normalisation (`theano.tensor.nnet.bn`)."""

from arignote.engine.ops import batch_normalization, batch_normalization_test, batch_normalization_train

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
