"""Convolutions and their explicit gradients (`theano.tensor.nnet.abstract_conv`).

The classes are Theano's: made with the parameters of a convolution, and called with its operands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from arignote.engine.graph import Variable
from arignote.engine.ops import (
    bilinear_kernel_1D,
    bilinear_kernel_2D,
    bilinear_upsampling,
    causal_conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    separable_conv2d,
    separable_conv3d,
)

__all__ = [
    "AbstractConv2d",
    "AbstractConv2d_gradInputs",
    "AbstractConv2d_gradWeights",
    "AbstractConv3d",
    "AbstractConv3d_gradInputs",
    "AbstractConv3d_gradWeights",
    "bilinear_kernel_1D",
    "bilinear_kernel_2D",
    "bilinear_upsampling",
    "causal_conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights",
    "separable_conv2d",
    "separable_conv3d",
]


@dataclass(frozen=True)
class _Parameters:
    """The parameters of a convolution.

    Parameters
    ----------
    imshp, kshp : tuple of int or None, optional
        What is known of the shapes of images and filters.
    border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
        As for `arignote.tensor.nnet.conv2d`; `unshared` for two axes only.
    """

    imshp: Any = None
    kshp: Any = None
    border_mode: Any = "valid"
    subsample: Any = 1
    filter_flip: bool = True
    filter_dilation: Any = 1
    num_groups: int = 1
    unshared: bool = False

    def _options(self) -> dict[str, Any]:
        names = ("border_mode", "subsample", "filter_flip", "filter_dilation", "num_groups")
        options = {name: getattr(self, name) for name in names}
        return options | ({"unshared": True} if self.unshared else {})

    def _known(self, shape: Any, spatial: Any, leading: int = 2) -> list[Any]:
        """Return what is known of a shape, of which the call gives all but the leading extents."""
        axes = list(spatial) if isinstance(spatial, list | tuple) else [spatial[i] for i in range(self._rank)]
        return [*([None] * leading if shape is None else shape[:leading]), *axes]

    _rank: ClassVar[int]
    _function: ClassVar[Callable[..., Variable]]


class AbstractConv2d(_Parameters):
    """Called with images and filters, their convolution.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> images, filters = T.tensor4("images"), T.tensor4("filters")
    >>> convolve = AbstractConv2d(imshp=(1, 1, 8, 8), kshp=(2, 1, 3, 3), border_mode="full")
    >>> convolve(images, filters).static_shape
    (1, 2, 10, 10)
    """

    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv2d)

    def __call__(self, img: Any, kern: Any) -> Variable:
        """Return the maps."""
        return self._function(img, kern, self.imshp, self.kshp, **self._options())


class AbstractConv3d(AbstractConv2d):
    """The same for images that have a depth."""

    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv3d)


class AbstractConv2d_gradInputs(_Parameters):  # noqa: N801  # the name is Theano\'s
    """Called with filters, the gradient of the maps, and the images' rows and columns: the images' gradient.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> filters, maps = T.ftensor4("filters"), T.ftensor4("maps")
    >>> op = AbstractConv2d_gradInputs(kshp=(8, 3, 3, 3), subsample=(2, 2))
    >>> op(filters, maps, (11, 11)).static_shape
    (None, 3, 11, 11)
    """

    _rank = 2
    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv2d_grad_wrt_inputs)

    def __call__(self, kern: Any, topgrad: Any, shape: Any) -> Variable:
        """Return the images' gradient."""
        return self._function(
            topgrad, kern, self._known(self.imshp, shape), filter_shape=self.kshp, **self._options()
        )


class AbstractConv3d_gradInputs(AbstractConv2d_gradInputs):  # noqa: N801  # the name is Theano\'s
    """The same for images that have a depth."""

    _rank = 3
    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv3d_grad_wrt_inputs)


class AbstractConv2d_gradWeights(_Parameters):  # noqa: N801  # the name is Theano\'s
    """Called with images, the gradient of the maps, and the filters' rows and columns: the filters' gradient.

    Examples
    --------
    >>> from arignote import tensor as T
    >>> images, maps = T.ftensor4("images"), T.ftensor4("maps")
    >>> op = AbstractConv2d_gradWeights(imshp=(None, 3, 11, 11), subsample=(2, 2))
    >>> op(images, maps, (3, 3)).static_shape
    (None, 3, 3, 3)
    """

    _rank = 2
    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv2d_grad_wrt_weights)

    def __call__(self, img: Any, topgrad: Any, shape: Any) -> Variable:
        """Return the filters' gradient."""
        known = self._known(self.kshp, shape, leading=2 + self._rank * self.unshared)
        return self._function(img, topgrad, known, input_shape=self.imshp, **self._options())


class AbstractConv3d_gradWeights(AbstractConv2d_gradWeights):  # noqa: N801  # the name is Theano\'s
    """The same for images that have a depth."""

    _rank = 3
    _function: ClassVar[Callable[..., Variable]] = staticmethod(conv3d_grad_wrt_weights)
