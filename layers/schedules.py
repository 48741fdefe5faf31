"""Learning rates that change from step to step, as expressions of the number of steps.

A schedule is called with the number of steps that came before, 0 at the first. Being an expression, it is
computed within the training step. It is one of float64, whatever `config.floatX` is, so that steps count
exactly; hence the `np.float64` around fields, since Python's floats would follow that setting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from arignote.engine.errors import InputError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import cast, clip, cos, floor, ge, minimum, sqrt, switch
from arignote.engine.origin import user_line
from arignote.layers.arguments import check_count, check_field


class Schedule(ABC):
    """A learning rate, as an expression of the number of steps."""

    def __call__(self, step: Any) -> Variable:
        """Return the rate.

        Parameters
        ----------
        step : integer scalar
            How many steps came before.

        Returns
        -------
        Variable
            A float64 scalar.
        """
        return self._rate(cast(as_variable(step), "float64"))

    @abstractmethod
    def _rate(self, step: Variable) -> Variable: ...


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``initial * factor ** floor(step / every)``: PyTorch's `StepLR`.

    Parameters
    ----------
    initial : float
    every : int
        After how many steps the rate changes.
    factor : float

    Examples
    --------
    >>> import arignote.compile
    >>> rate = StepDecay(0.5, every=100, factor=0.5)
    >>> [float(rate(step).eval()) for step in (0, 99, 100, 200)]
    [0.5, 0.5, 0.25, 0.125]
    """

    initial: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_field(self, "initial", at_least=0)
        check_count(self, "every")
        check_field(self, "factor", above=0)

    def _rate(self, step: Variable) -> Variable:
        return np.float64(self.initial) * np.float64(self.factor) ** floor(step / self.every)


@dataclass(frozen=True)
class MultiStepDecay(Schedule):
    """`initial`, multiplied by `factor` once more from each of the milestones on: PyTorch's `MultiStepLR`.

    Parameters
    ----------
    initial : float
    milestones : sequence of int
        Numbers of steps, in ascending order.
    factor : float

    Examples
    --------
    >>> import arignote.compile
    >>> rate = MultiStepDecay(0.5, milestones=(10, 15), factor=0.5)
    >>> [float(rate(step).eval()) for step in (9, 10, 15)]
    [0.5, 0.25, 0.125]
    """

    initial: float
    milestones: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_field(self, "initial", at_least=0)
        check_field(self, "factor", above=0)
        object.__setattr__(self, "milestones", tuple(self.milestones))  # a list, where a file says it
        are_whole = all(isinstance(milestone, int | np.integer) for milestone in self.milestones)
        if not are_whole or list(self.milestones) != sorted(self.milestones):
            raise InputError(
                "MultiStepDecay: argument `milestones`",
                expected="numbers of steps in ascending order",
                actual=repr(self.milestones),
                origin=user_line(),
            )

    def _rate(self, step: Variable) -> Variable:
        rate = as_variable(np.float64(self.initial))
        for milestone in self.milestones:
            rate = rate * switch(ge(step, milestone), np.float64(self.factor), 1)
        return rate


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """``initial * factor ** step``: PyTorch's `ExponentialLR`.

    Parameters
    ----------
    initial : float
    factor : float

    Examples
    --------
    >>> import arignote.compile
    >>> float(ExponentialDecay(0.5, factor=0.5)(2).eval())
    0.125
    """

    initial: float
    factor: float

    def __post_init__(self) -> None:
        check_field(self, "initial", at_least=0)
        check_field(self, "factor", above=0)

    def _rate(self, step: Variable) -> Variable:
        return np.float64(self.initial) * np.float64(self.factor) ** step


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """``final + (initial - final) * (1 - step / steps) ** power``, then `final`: PyTorch's `PolynomialLR`.

    With a power of 1, the rate falls in a straight line.

    Parameters
    ----------
    initial : float
    steps : int
        After how many the rate is `final`.
    final : float
    power : float

    Examples
    --------
    >>> import arignote.compile
    >>> rate = PolynomialDecay(1.0, steps=4, final=0.5)
    >>> [float(rate(step).eval()) for step in (0, 1, 4, 5)]
    [1.0, 0.875, 0.5, 0.5]
    """

    initial: float
    steps: int
    final: float = 0.0
    power: float = 1.0

    def __post_init__(self) -> None:
        check_field(self, "initial", at_least=0)
        check_count(self, "steps")
        check_field(self, "final", at_least=0)
        check_field(self, "power", above=0)

    def _rate(self, step: Variable) -> Variable:
        left = 1 - _share(step, 0, self.steps)
        return np.float64(self.final) + np.float64(self.initial - self.final) * left ** np.float64(self.power)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """From `initial` to `final` along half a wave, then `final`: one fall of PyTorch's `CosineAnnealingLR`.

    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Parameters
    ----------
    initial : float
    steps : int
        After how many the rate is `final`.
    final : float

    Examples
    --------
    >>> import arignote.compile
    >>> rate = CosineDecay(1.0, steps=10)
    >>> [round(float(rate(step).eval()), 3) for step in (0, 5, 10, 11)]
    [1.0, 0.5, 0.0, 0.0]
    """

    initial: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        check_field(self, "initial", at_least=0)
        check_count(self, "steps")
        check_field(self, "final", at_least=0)

    def _rate(self, step: Variable) -> Variable:
        share = _share(step, 0, self.steps)
        return _along_cosine(np.float64(self.initial), np.float64(self.final), share)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to `peak` and down to next to nothing, along two half waves: PyTorch's `OneCycleLR`.

    L. Smith and N. Topin, "Super-convergence", 2018.

    Parameters
    ----------
    peak : float
    steps : int
        Of the whole cycle; the rate stays as it is in the last one.
    rise : float
        The share of the steps that it takes to the peak.
    initial_divisor, final_divisor : float
        The first rate is ``peak / initial_divisor``, and the last one the first divided by `final_divisor`.

    Examples
    --------
    >>> import arignote.compile
    >>> rate = OneCycle(1.0, steps=11, rise=0.5454545454545454)
    >>> [round(float(rate(step).eval()), 3) for step in (0, 5, 10)]
    [0.04, 1.0, 0.0]
    """

    peak: float
    steps: int
    rise: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 1e4

    def __post_init__(self) -> None:
        check_field(self, "peak", at_least=0)
        check_count(self, "steps")
        check_field(self, "rise", above=0, below=1)
        check_field(self, "initial_divisor", above=0)
        check_field(self, "final_divisor", above=0)

    def _rate(self, step: Variable) -> Variable:
        first = self.peak / self.initial_divisor
        # The first of n steps is number 0, so the last of a share is one less than that share of n.
        top, last = np.float64(self.rise * self.steps - 1), self.steps - 1
        rising = _along_cosine(np.float64(first), np.float64(self.peak), _share(step, 0, top))
        falling = _along_cosine(
            np.float64(self.peak), np.float64(first / self.final_divisor), _share(step, top, last)
        )
        return switch(step < top, rising, falling)


@dataclass(frozen=True)
class InverseSquareRoot(Schedule):
    """``peak * min(n / warm_up, sqrt(warm_up / n))`` at the n-th step.

    A. Vaswani et al., "Attention is all you need", 2017, where the peak is ``(d_model * warm_up) ** -0.5``.

    Parameters
    ----------
    peak : float
    warm_up : int
        The step at which the rate is `peak`.

    Examples
    --------
    >>> import arignote.compile
    >>> rate = InverseSquareRoot(1.0, warm_up=4)
    >>> [float(rate(step).eval()) for step in (0, 1, 3, 15)]
    [0.25, 0.5, 1.0, 0.5]
    """

    peak: float
    warm_up: int

    def __post_init__(self) -> None:
        check_field(self, "peak", at_least=0)
        check_count(self, "warm_up")

    def _rate(self, step: Variable) -> Variable:
        share = (step + 1) / self.warm_up
        return np.float64(self.peak) * minimum(share, 1 / sqrt(share))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A rate, or schedule, that is reached in a straight line.

    PyTorch's `LinearLR`, followed by another of its schedules.

    Parameters
    ----------
    after : float or Schedule
        What it is afterwards; the steps of a schedule count from the end of the warm-up.
    steps : int
        How many the warm-up takes.
    start : float
        The share of the rate to begin with.

    Examples
    --------
    >>> import arignote.compile
    >>> rate = WarmUp(ExponentialDecay(1.0, 0.5), steps=4, start=0.0)
    >>> [float(rate(step).eval()) for step in (0, 1, 4, 5)]
    [0.0, 0.25, 1.0, 0.5]
    """

    after: float | Schedule
    steps: int
    start: float = 1 / 3

    def __post_init__(self) -> None:
        if not isinstance(self.after, Schedule):
            check_field(self, "after", at_least=0)
        check_count(self, "steps")
        check_field(self, "start", at_least=0)

    def _rate(self, step: Variable) -> Variable:
        share = _share(step, 0, self.steps)
        factor = np.float64(self.start) + np.float64(1 - self.start) * share
        after = clip(step - self.steps, 0, np.float64(np.inf))
        return factor * (self.after(after) if isinstance(self.after, Schedule) else np.float64(self.after))


#: The schedules that a saved state of training may name.
SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind
    for kind in (
        CosineDecay,
        ExponentialDecay,
        InverseSquareRoot,
        MultiStepDecay,
        OneCycle,
        PolynomialDecay,
        StepDecay,
        WarmUp,
    )
}


def _share(step: Variable, first: float, last: float) -> Variable:
    """Return how far a step is from the first to the last, from 0 to 1."""
    return clip((step - first) / (last - first), 0, 1)


def _along_cosine(start: float, end: float, share: Variable) -> Variable:
    """Return what is between `start` and `end` at a share of half a wave."""
    return end + (start - end) * (1 + cos(np.float64(pi) * share)) / 2
