"""The networks that benchmarks train: small ones, as books have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Net:
    """Convolutions with 2x2 max-pooling, then dense layers; the last has no activation but softmax."""

    name: str
    convolutions: tuple[tuple[int, int], ...]  # (filters, size) of each
    dense: tuple[int, ...]
    activation: str
    rate: float

    def weights(self, rng: np.random.Generator, dtype: str = "float32") -> list[np.ndarray]:
        """Return w, b of every layer."""
        result, channels, extent = [], 1, 28
        for filters, size in self.convolutions:
            scale = np.sqrt(4 / (filters * size * size))
            result += [rng.normal(0, scale, (filters, channels, size, size)), rng.normal(0, 1, filters)]
            channels, extent = filters, (extent - size + 1) // 2
        width = channels * extent * extent
        for n_out in self.dense:
            result += [rng.normal(0, np.sqrt(1 / width), (width, n_out)), rng.normal(0, 0.1, n_out)]
            width = n_out
        return [array.astype(dtype) for array in result]


NETS = (
    Net("conv 20@5x5, dense 100, 10", ((20, 5),), (100, 10), "sigmoid", 0.1),
    Net("conv 20@5x5, conv 40@5x5, dense 1000, 1000, 10", ((20, 5), (40, 5)), (1000, 1000, 10), "relu", 0.03),
)
