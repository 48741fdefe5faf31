"""Well-known networks, as functions of the shape of an image and the number of classes.

Their outputs are logits, for a loss that takes the softmax itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.engine.errors import InputError
from arignote.engine.origin import user_line
from arignote.layers.activations import relu, tanh
from arignote.layers.containers import Residual, Sequential
from arignote.layers.conv import Conv2D
from arignote.layers.dense import Activate, Dense, Flatten
from arignote.layers.initialisers import He
from arignote.layers.layer import Layer, Rng
from arignote.layers.normalization import BatchNorm
from arignote.layers.pool import AveragePool2D, GlobalAveragePool


def lenet(input_shape: Sequence[int] = (1, 28, 28), classes: int = 10, rng: Rng = None) -> Sequential:
    """Return LeNet-5, as it is built today: with averages for subsampling, and filters that see all channels.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, rows and columns of an image: at least 12 of each of these.
    classes : int
    rng : numpy.random.Generator or int, optional
        As for `Layer.build`.

    Returns
    -------
    Sequential
        From images to logits.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE, 1998.

    Examples
    --------
    >>> sum(w.get_value().size for w in lenet().params)
    61706
    """
    return Sequential(
        [
            Conv2D(6, 5, padding=2, activation=tanh),
            AveragePool2D(2),
            Conv2D(16, 5, activation=tanh),
            AveragePool2D(2),
            Flatten(),
            Dense(120, tanh),
            Dense(84, tanh),
            Dense(classes),
        ],
        input_shape,
        rng,
    )


def resnet(
    input_shape: Sequence[int] = (3, 32, 32),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    rng: Rng = None,
) -> Sequential:
    """Return a residual network for small images.

    A convolution, three stages of blocks with `width`, twice and four times as many channels, of which the
    second and third halve rows and columns, the mean of each channel, and a dense layer. A block is two
    convolutions of 3 x 3 around which a shortcut leads: the input itself, or where the shape changes a
    convolution of 1 x 1. Each convolution is followed by a normalisation of the batch.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, rows and columns of an image.
    classes : int
    depth : int
        The number of convolutions in a row, and the dense layer: 6 n + 2, for n blocks a stage.
    width : int
        The channels of the first stage.
    rng : numpy.random.Generator or int, optional
        As for `Layer.build`.

    Returns
    -------
    Sequential
        From images to logits.

    Raises
    ------
    InputError
        For another depth.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, 4.2.

    Examples
    --------
    >>> network = resnet((1, 28, 28), depth=8)
    >>> network[-3].output_shape, network.output_shape
    ((64, 7, 7), (10,))
    """
    blocks, rest = divmod(depth - 2, 6)
    if blocks < 1 or rest:
        raise InputError(
            "resnet: argument `depth`",
            expected="6 n + 2, with n the blocks of a stage: 8, 14, 20, 32 ...",
            actual=repr(depth),
            origin=user_line(),
        )
    layers: list[Layer] = [*_normalised(width, 3, 1), Activate(relu)]
    for stage in range(3):
        for block in range(blocks):
            shrinks = stage > 0 and block == 0
            layers += residual_block(width * 2**stage, stride=2 if shrinks else 1, project=shrinks)
    return Sequential([*layers, GlobalAveragePool(), Dense(classes)], input_shape, rng)


def residual_block(filters: int, stride: int = 1, project: bool = False) -> list[Layer]:
    """Return two convolutions of 3 x 3 with a shortcut around them, and the activation that follows.

    Parameters
    ----------
    filters : int
    stride : int
        Of the first convolution.
    project : bool
        Whether the shortcut is a convolution of 1 x 1 instead of the input itself; needed where the shape
        changes.
    """
    body = [*_normalised(filters, 3, stride), Activate(relu), *_normalised(filters, 3, 1)]
    shortcut = Sequential(_normalised(filters, 1, stride)) if project else None
    return [Residual(Sequential(body), shortcut), Activate(relu)]


def _normalised(filters: int, size: int, stride: int) -> list[Layer]:
    convolution = Conv2D(filters, size, stride, padding="half", bias=False, initialiser=He())
    return [convolution, BatchNorm()]
