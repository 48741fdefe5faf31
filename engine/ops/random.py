"""Random numbers: counter-based, so that they are the same in every mode and at any number of threads.

Element i of a draw is Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1,
2, 3", SC 2011) of the counter `drawn + i` under the key `seed`. A stream's state is the int64 vector (seed,
drawn).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arignote.engine.errors import InputError, ShapeError
from arignote.engine.graph import Op, Variable
from arignote.engine.types import TensorType

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
ROUNDS = 20


def threefry(seed: int, counters: np.ndarray) -> np.ndarray:
    """Return the 64 random bits of each counter.

    Parameters
    ----------
    seed : int
        The key: 64 bits, low word first.
    counters : uint64 array

    Returns
    -------
    uint64 array
        The two 32-bit words of the block, the first one low.
    """
    key = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    key.append(key[0] ^ key[1] ^ PARITY)
    words = [np.uint32(word) for word in key]
    a = (counters & np.uint64(0xFFFFFFFF)).astype("uint32") + words[0]
    b = (counters >> np.uint64(32)).astype("uint32") + words[1]
    with np.errstate(over="ignore"):
        for round_ in range(ROUNDS):
            shift = ROTATIONS[round_ % 8]
            a = a + b
            b = (b << np.uint32(shift) | b >> np.uint32(32 - shift)) ^ a
            if round_ % 4 == 3:
                injection = round_ // 4 + 1
                a = a + words[injection % 3]
                b = b + words[(injection + 1) % 3] + np.uint32(injection)
    result: np.ndarray = a.astype("uint64") | b.astype("uint64") << np.uint64(32)
    return result


@dataclass(frozen=True)
class Uniform(Op):
    """Numbers in [0, 1), and the next state; inputs: the state, and an integer scalar per extent."""

    dtype: str
    shape_inputs = slice(1, None)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        if any(extent is not None and extent < 0 for extent in values[1:]):
            raise InputError(
                "random draw: size", expected="extents of at least 0", actual=str(tuple(values[1:]))
            )
        return [TensorType(self.dtype, tuple(values[1:])), types[0]]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        state, *shape = arrays
        extents = [int(extent) for extent in shape]
        seed, drawn = (int(word) for word in state)
        count = math.prod(extents)
        bits = threefry(seed, np.arange(drawn, drawn + count, dtype="uint64"))
        # The highest bits, as many as the significand holds: all results are multiples of its last place.
        digits = 24 if self.dtype == "float32" else 53
        sample = (bits >> np.uint64(64 - digits)).astype(self.dtype) * np.asarray(2.0**-digits, self.dtype)
        return sample.reshape(extents), state + np.array([0, count], "int64")

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None] * len(inputs)


@dataclass(frozen=True)
class Categorical(Op):
    """Which category each of some uniform numbers stands for.

    Inputs: the numbers, and a matrix whose rows are probabilities. The numbers, in row-major order, take its
    rows in turn. The last category has what the others leave.
    """

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        uniform, p = types
        rows, categories = p.shape
        known = [extent for extent in uniform.shape if extent is not None]
        count = math.prod(known) if len(known) == uniform.ndim else None
        if categories == 0 or (None not in (rows, count) and count and (not rows or count % rows)):
            raise ShapeError(
                "multinomial: probabilities",
                expected="at least one category, and a row for each number drawn, or one for all",
                actual=f"{p} for {uniform}",
            )
        return [uniform.with_dtype("int64")]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        uniform, p = arrays
        rows, categories = p.shape
        below = np.cumsum(p[:, :-1], axis=1)
        row = np.arange(uniform.size) % max(rows, 1)
        met = uniform.reshape(-1, 1) < below[row]
        found = np.where(met.any(axis=1), met.argmax(axis=1) if categories > 1 else 0, categories - 1)
        return (found.reshape(uniform.shape).astype("int64"),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [None, None]
