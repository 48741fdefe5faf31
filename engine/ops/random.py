"""Random numbers: counter-based, so that they are the same in every mode and at any number of threads.

Element i of a draw is Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1,
2, 3", SC 2011) of the counter `drawn + i` under the key `seed`. A stream's state is the int64 vector (seed,
drawn).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, InputError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.elementwise import cast, cos, log1p, lt, sqrt
from arignote.engine.ops.reduce import sum
from arignote.engine.ops.shape import as_extents
from arignote.engine.shared import SharedVariable, shared
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


class RandomStreams:
    """Streams of random numbers whose state advances with every call (`theano.tensor.shared_randomstreams`).

    Parameters
    ----------
    seed : int, optional
        The same seed gives the same numbers, in every mode and at any number of threads.

    Examples
    --------
    >>> from arignote.compile import function
    >>> draw = function([], RandomStreams(seed=1).binomial(size=(4,), n=1, p=0.5))
    >>> draw().shape
    (4,)
    """

    def __init__(self, seed: int | None = None) -> None:
        self.state_updates: list[tuple[SharedVariable, Variable]] = []
        self._seeds = np.random.SeedSequence(seed)

    def seed(self, seed: int | None = None) -> None:
        """Start all streams anew."""
        self._seeds = np.random.SeedSequence(seed)
        for state, _ in self.state_updates:
            state.set_value(self._new_state())

    def _new_state(self) -> np.ndarray:
        words = self._seeds.spawn(1)[0].generate_state(1, "uint64")
        return np.array([words.view("int64")[0], 0], "int64")

    def uniform(
        self,
        size: Any = (),
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Return numbers drawn uniformly from [low, high)."""
        dtype = dtype or "floatX"
        sample = self._draw(size, dtype)
        if (low, high) == (0.0, 1.0):
            return sample
        start, stop = (cast(as_variable(bound), dtype) for bound in (low, high))
        return start + sample * (stop - start)

    def normal(
        self,
        size: Any = (),
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Return numbers drawn from the normal distribution of mean `avg` and standard deviation `std`.

        Each is made of two uniform numbers (Box and Muller, 1958). The finest of these limit it to 5.8
        standard deviations in float32, and to 8.6 in float64.
        """
        dtype = dtype or "floatX"
        uniform = self._draw([2, *as_extents(size, "normal")], dtype)
        radius = sqrt(log1p(-uniform[0]) * -2)
        angle = uniform[1] * cast(as_variable(2 * math.pi), dtype)
        return cast(as_variable(avg), dtype) + radius * cos(angle) * cast(as_variable(std), dtype)

    def binomial(
        self, size: Any = (), n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: str = "int64"
    ) -> Variable:
        """Return numbers of successes in `n` trials of probability `p`.

        Parameters
        ----------
        size : shape
            Numbers, integer scalars, or an integer vector such as ``x.shape``.
        n : int
        p : float or scalar
        dtype : str

        Raises
        ------
        DTypeError, InputError
            If `n` is no number of at least 0.
        """
        if isinstance(n, Variable) or int(n) != n or n < 0:
            raise DTypeError(
                "binomial: argument `n`", expected="a whole number of at least 0", actual=repr(n)
            )
        p = as_variable(p)
        draws = p.dtype if p.type.is_float else config.floatX
        if n == 1:
            return cast(lt(self._draw(size, draws), p), dtype)
        trials = self._draw([int(n), *as_extents(size, "binomial")], draws)
        return cast(sum(lt(trials, p), axis=0), dtype)

    def _draw(self, size: Any, dtype: str) -> Variable:
        state = shared(self._new_state(), name="random state")
        op = Uniform(config.floatX if dtype == "floatX" else dtype)
        sample, advanced = op.apply(state, *as_extents(size, "random draw"))
        state.default_update = advanced
        self.state_updates.append((state, advanced))
        return sample
