"""The networks that benchmarks train: small ones, as books have them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Net:
    """Convolutions, most with 2x2 max-pooling, then dense layers; the last has no activation but softmax.

    Parameters
    ----------
    name : str
    convolutions : tuple of (int, int)
        Filters and size of each.
    dense : tuple of int
    activation : {'sigmoid', 'relu'}
    rate : float
        Of learning.
    image : (int, int)
        Channels, and rows or columns.
    pads : tuple of int
        Zeros around the images of each convolution; by default none.
    unpooled : tuple of int
        Which convolutions have no pooling behind them.
    dropout : float
        Of the hidden dense layers.
    batches : tuple of int
        What it is measured with.
    """

    name: str
    convolutions: tuple[tuple[int, int], ...]
    dense: tuple[int, ...]
    activation: str
    rate: float
    image: tuple[int, int] = (1, 28)
    pads: tuple[int, ...] = ()
    unpooled: tuple[int, ...] = ()
    dropout: float = 0.0
    batches: tuple[int, ...] = (10, 128)

    def pad(self, layer: int) -> int:
        """Return the zeros around the images of a convolution."""
        return self.pads[layer] if self.pads else 0

    def weights(self, rng: np.random.Generator, dtype: str = "float32") -> list[np.ndarray]:
        """Return w, b of every layer."""
        result: list[np.ndarray] = []
        channels, extent = self.image
        for layer, (filters, size) in enumerate(self.convolutions):
            scale = np.sqrt(4 / (filters * size * size))
            result += [rng.normal(0, scale, (filters, channels, size, size)), rng.normal(0, 1, filters)]
            channels, extent = filters, extent + 2 * self.pad(layer) - size + 1
            extent = extent if layer in self.unpooled else extent // 2
        width = channels * extent * extent
        for n_out in self.dense:
            result += [rng.normal(0, np.sqrt(1 / width), (width, n_out)), rng.normal(0, 0.1, n_out)]
            width = n_out
        return [array.astype(dtype) for array in result]


NETS = (
    Net("conv 20@5x5, dense 100, 10", ((20, 5),), (100, 10), "sigmoid", 0.1),
    Net("conv 20@5x5, conv 40@5x5, dense 1000, 1000, 10", ((20, 5), (40, 5)), (1000, 1000, 10), "relu", 0.03),
)
LARGER = (
    replace(NETS[1], name="the same with dropout", dropout=0.5),
    Net("LeNet", ((6, 5), (16, 5)), (120, 84, 10), "sigmoid", 0.1, pads=(2, 0), batches=(256,)),
    Net(
        "3x32x32, 2x conv 32@3x3, 2x conv 64@3x3, dense 512, 10",
        ((32, 3), (32, 3), (64, 3), (64, 3)),
        (512, 10),
        "relu",
        0.01,
        image=(3, 32),
        pads=(1, 1, 1, 1),
        unpooled=(0, 2),
        batches=(64,),
    ),
)
