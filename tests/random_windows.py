"""Convolutions and poolings at random: what they are asked for, and what PyTorch makes of it in float64.

A set of options is drawn first, then arrays of several shapes for it, which share the kernels of the first.
Everything here is built of PyTorch's differentiable functions, so that it has all derivatives too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from arignote import tensor as T

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


@dataclass(frozen=True)
class Convolution:
    """A convolution's options; `padding` are those numbers that `border_mode` stands for."""

    rank: int
    dtype: str
    groups: int
    channels: int  # in a group
    filters: int  # in a group
    taps: tuple
    border_mode: object
    padding: tuple
    stride: tuple
    dilation: tuple
    flip: bool
    unshared: bool

    @classmethod
    def draw(cls, rng, unshared=False):
        rank = 2 if unshared else int(rng.choice([1, 2, 2, 2, 3]))
        taps, stride, dilation = (
            tuple(int(n) for n in rng.choice(numbers, rank))
            for numbers in ([1, 2, 3, 3, 4], [1, 1, 2, 3], [1, 1, 2])
        )
        spans = [(t - 1) * d for t, d in zip(taps, dilation, strict=True)]
        mode = rng.choice(["valid", "full", "half", "number", "numbers", "pairs"])
        pairs = [tuple(int(n) for n in rng.integers(0, 4, 2)) for _ in taps]
        padding = {
            "valid": [(0, 0)] * rank,
            "full": [(span, span) for span in spans],
            "half": [((span + 1) // 2, (span + 1) // 2) for span in spans],
            "number": [(pairs[0][0],) * 2] * rank,
            "numbers": [(low, low) for low, _ in pairs],
            "pairs": pairs,
        }[mode]
        given = {"number": pairs[0][0], "numbers": tuple(low for low, _ in pairs), "pairs": tuple(pairs)}
        if rank == 1 and mode == "numbers":
            given["numbers"] = pairs[0][0]
        counts = (int(n) for n in (rng.choice([1, 1, 2, 3]), rng.integers(1, 5), rng.integers(1, 6)))
        return cls(
            rank,
            str(rng.choice(["float32", "float32", "float64"])),
            *counts,
            taps,
            given.get(mode, str(mode)),
            tuple(padding),
            stride,
            dilation,
            bool(rng.integers(2)),
            unshared,
        )

    def outputs(self, image):
        return tuple(
            (extent + sum(pads) - (taps - 1) * dilation - 1) // stride + 1
            for extent, pads, taps, dilation, stride in zip(
                image, self.padding, self.taps, self.dilation, self.stride, strict=True
            )
        )

    def operands(self, rng):
        """Draw images, filters and what the maps are multiplied by."""
        image = []
        for pads, taps, dilation in zip(self.padding, self.taps, self.dilation, strict=True):
            least = max(1, (taps - 1) * dilation + 1 - sum(pads))
            image.append(least + int(rng.integers(0, (40, 20, 7)[self.rank - 1])))
        n, out = int(rng.choice([0, 1, 2, 3, 5])), self.outputs(image)
        filters = (self.groups * self.filters, *(out if self.unshared else ()), self.channels, *self.taps)
        shapes = (n, self.groups * self.channels, *image), filters, (n, self.groups * self.filters, *out)
        return [rng.standard_normal(shape).astype(self.dtype) for shape in shapes]

    def terms(self, x, w, p):
        """Return how many products are added up in the maps, and in the gradients of images and filters."""
        taps = int(np.prod(self.taps))
        return self.channels * taps, self.filters * taps, len(x) * int(np.prod(p.shape[2:]))

    def ours(self, x, w):
        options = {
            "border_mode": self.border_mode,
            "subsample": self.stride if self.rank > 1 else self.stride[0],
            "filter_dilation": self.dilation if self.rank > 1 else self.dilation[0],
            "filter_flip": self.flip,
            "num_groups": self.groups,
        }
        if self.unshared:
            options["unshared"] = True
        return getattr(T.nnet, f"conv{self.rank}d")(x, w, **options)

    def theirs(self, x, w):
        x = functional.pad(x, [pad for pads in reversed(self.padding) for pad in pads])
        w = torch.flip(w, list(range(-self.rank, 0))) if self.flip else w
        if not self.unshared:
            convolve = getattr(functional, f"conv{self.rank}d")
            return convolve(x, w, stride=self.stride, dilation=self.dilation, groups=self.groups)
        # What PyTorch has no option for, from the definition: the pixels under each place times its filters.
        for axis in (0, 1):
            x = x.unfold(2 + axis, (self.taps[axis] - 1) * self.dilation[axis] + 1, self.stride[axis])
        x = x[..., :: self.dilation[0], :: self.dilation[1]]
        x = x.reshape(len(x), self.groups, self.channels, *x.shape[2:])
        w = w.reshape(self.groups, self.filters, *w.shape[1:])
        maps = torch.einsum("ngcpqrs,gkpqcrs->ngkpq", x, w)
        return maps.reshape(len(maps), self.groups * self.filters, *maps.shape[3:])


@dataclass(frozen=True)
class Pool:
    """A pooling's options."""

    rank: int
    dtype: str
    window: tuple
    stride: tuple
    pad: tuple
    ignore_border: bool
    mode: str

    @classmethod
    def draw(cls, rng):
        rank = int(rng.choice([1, 2, 2, 2, 3]))
        window = tuple(int(n) for n in rng.integers(1, 5, rank))
        stride = tuple(int(n) for n in rng.integers(1, 5, rank))
        ignore_border = bool(rng.integers(2))
        pad = tuple(int(rng.integers(0, size)) if ignore_border else 0 for size in window)
        dtype = str(rng.choice(["float32", "float32", "float64"]))
        return cls(rank, dtype, window, stride, pad, ignore_border, str(rng.choice(MODES)))

    def outputs(self, image):
        if self.ignore_border:
            return tuple(
                (extent + 2 * pad - window) // stride + 1
                for extent, window, stride, pad in zip(image, self.window, self.stride, self.pad, strict=True)
            )
        # Theano's rule: all windows that begin in the image, but none that lies in the one before it.
        return tuple(
            (extent - 1) // stride + 1
            if stride >= window
            else max(0, extent - 1 - window + stride) // stride + 1
            for extent, window, stride in zip(image, self.window, self.stride, strict=True)
        )

    def operands(self, rng):
        """Draw images, some with many ties, and what the pooled are multiplied by."""
        least = [
            max(1, window - 2 * pad) if self.ignore_border else 1
            for window, pad in zip(self.window, self.pad, strict=True)
        ]
        image = [extent + int(rng.integers(0, (60, 40, 9)[self.rank - 1])) for extent in least]
        leading = int(rng.integers(0, 4)), int(rng.integers(1, 4))  # PyTorch wants a channel
        x = rng.standard_normal((*leading, *image))
        x = np.round(x) if rng.integers(2) else x
        p = rng.standard_normal((*leading, *self.outputs(image)))
        return [x.astype(self.dtype), p.astype(self.dtype)]

    def terms(self, x, p):
        """Return how many roundings there are in the result and in the gradient, three for a mean."""
        size = int(np.prod(self.window))
        return size + 3, size + 3

    def ours(self, x):
        pool = getattr(T.signal.pool, f"pool_{self.rank}d")
        one = (lambda each: each[0]) if self.rank == 1 else tuple
        options = {"stride": one(self.stride), "pad": one(self.pad), "mode": self.mode}
        return pool(x, one(self.window), self.ignore_border, **options)

    def theirs(self, x):
        """Pool what is padded, behind it so that windows that reach over the border are whole."""
        out = self.outputs(x.shape[2:])
        behind = [
            (count - 1) * stride + window - extent - pad
            for count, stride, window, extent, pad in zip(
                out, self.stride, self.window, x.shape[2:], self.pad, strict=True
            )
        ]
        sides = [each for pads in zip(reversed(self.pad), reversed(behind), strict=True) for each in pads]
        if self.mode == "max":
            padded = functional.pad(x, sides, value=-torch.inf)
            return getattr(functional, f"max_pool{self.rank}d")(padded, self.window, self.stride)
        sums = getattr(functional, f"avg_pool{self.rank}d")
        size = int(np.prod(self.window))
        result = sums(functional.pad(x, sides), self.window, self.stride) * size
        if self.mode == "sum":
            return result
        if self.mode == "average_inc_pad":
            both = [pad for pad in reversed(self.pad) for _ in (0, 1)]
            within = functional.pad(torch.ones_like(x), both, value=1)
            behind = [each - pad for each, pad in zip(behind, self.pad, strict=True)]
            sides = [each for after in reversed(behind) for each in (0, after)]
            return result / (sums(functional.pad(within, sides), self.window, self.stride) * size)
        return result / (sums(functional.pad(torch.ones_like(x), sides), self.window, self.stride) * size)
