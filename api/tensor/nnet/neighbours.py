"""Patches of images as rows of a matrix (`theano.tensor.nnet.neighbours`)."""

from arignote.engine.ops import images2neibs, neibs2images

__all__ = ["images2neibs", "neibs2images"]
