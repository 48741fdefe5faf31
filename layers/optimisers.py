"""Optimisers: from gradients to the updates of parameters, as `arignote.function` takes them.

What an optimiser remembers from step to step (velocities, moments, the number of steps) lives in shared
variables, which its updates change like the parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import abs_, cast, maximum, sqr, sqrt
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable, shared
from arignote.layers.arguments import check_field
from arignote.layers.scalars import scalar_like

#: A number; a shared scalar, to be set between steps; or a schedule: from the number of steps to a rate.
LearningRate = float | SharedVariable | Callable[[Variable], Variable]

Updates = list[tuple[SharedVariable, Variable]]
Memory = Mapping[str, Variable]
Stepped = tuple[Variable, dict[str, Variable]]


@dataclass(frozen=True)
class Descent:
    """What an optimiser makes of gradients.

    Parameters
    ----------
    updates : list of (SharedVariable, Variable)
        One step of the parameters and of the state.
    state : dict of str to SharedVariable
        All that a step depends on besides parameters and gradients, to be saved and restored:
        ``"0.velocity"`` of the first parameter and so on, ``"steps"``, and ``"learning_rate"`` if that is a
        shared variable. The names depend on nothing but the optimiser and the order of the parameters.
    """

    updates: Updates
    state: dict[str, SharedVariable]


class Optimiser(ABC):
    """A rule for the steps of parameters along their gradients.

    A learning rate is a float; or a shared scalar that is set between steps; or a schedule, from the number
    of steps before to a rate, as in `arignote.layers.schedules`.

    Parameters have any floating dtype, and what is remembered of each has the same. Groups of parameters that
    are to be treated differently have an optimiser each, and the sum of their updates.
    """

    learning_rate: LearningRate
    weight_decay: float

    #: Whether the formula depends on the number of steps.
    _counts: ClassVar[bool] = False

    def updates(self, cost: Variable, params: Sequence[SharedVariable]) -> Updates:
        """Return one step down the gradient of a cost.

        Parameters
        ----------
        cost : scalar
        params : sequence of SharedVariable

        Returns
        -------
        list of (SharedVariable, Variable)
            As `arignote.function` takes them. Each call has a state of its own, which begins anew.

        Raises
        ------
        DTypeError, ShapeError, InputError
            For parameters or gradients that do not fit.
        DisconnectedInputError
            If the cost does not depend on a parameter.

        Examples
        --------
        >>> from arignote.compile import function
        >>> w = shared(np.float64(3.0), name="w")
        >>> step = function([], w, updates=SGD(learning_rate=0.25).updates(w**2, [w]))
        >>> [float(step()) for _ in range(3)]
        [3.0, 1.5, 0.75]
        """
        return self.descent(grad(cost, list(params)), params).updates

    def descent(self, gradients: Sequence[Variable], params: Sequence[SharedVariable]) -> Descent:
        """Return one step along gradients, such as clipped ones, and the state that it changes.

        Parameters
        ----------
        gradients : sequence of Variable
            One for each parameter, of its shape.
        params : sequence of SharedVariable

        Returns
        -------
        Descent

        Raises
        ------
        DTypeError, ShapeError, InputError
            For parameters or gradients that do not fit.

        Examples
        --------
        >>> w = shared(np.zeros(3), name="w")
        >>> list(Adam().descent([w - 1], [w]).state)
        ['steps', '0.mean', '0.mean_square']
        """
        params = list(params)
        _check(type(self).__name__, gradients, params)
        steps = shared(np.int64(0), name="steps")
        state: dict[str, SharedVariable] = {}
        updates: Updates = []
        if isinstance(self.learning_rate, SharedVariable):
            state["learning_rate"] = self.learning_rate
        if self._counts or callable(self.learning_rate):
            state["steps"] = steps
            updates.append((steps, steps + 1))
        rate = self._rate(steps)
        for place, (param, gradient) in enumerate(zip(params, gradients, strict=True)):
            memory = {
                name: SharedVariable(
                    param.type, np.full_like(param.storage, initial), f"{param.name or place}.{name}"
                )
                for name, initial in self._memory().items()
            }
            state |= {f"{place}.{name}": variable for name, variable in memory.items()}
            after, remembered = self._step(param, self._decayed(param, gradient), memory, rate, steps + 1)
            updates.append((param, after))
            updates += [(memory[name], value) for name, value in remembered.items()]
        return Descent(updates, state)

    def _rate(self, steps: Variable) -> Variable:
        """Return the learning rate of this step, a float64 scalar."""
        given = self.learning_rate
        if isinstance(given, Variable):
            return cast(given, "float64")
        if not callable(given):
            return as_variable(np.float64(given))
        rate = as_variable(given(steps))
        if rate.ndim:
            raise ShapeError(
                f"{type(self).__name__}: the learning rate that the schedule gives",
                expected="a scalar",
                actual=str(rate.type),
                origin=user_line(),
            )
        return cast(rate, "float64")

    def _decayed(self, param: Variable, gradient: Variable) -> Variable:
        """Return the gradient, with that of the penalty ``weight_decay / 2 * sum(param**2)``."""
        gradient = cast(gradient, param.dtype)
        return gradient + scalar_like(param, self.weight_decay) * param if self.weight_decay else gradient

    def _memory(self) -> dict[str, float]:
        """Return the names of what is remembered of each parameter, with what it is before the first step."""
        return {}

    @abstractmethod
    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        """Return what a parameter becomes, and what is remembered of it.

        Parameters
        ----------
        w, g : Variable
            The parameter and its gradient.
        memory : mapping of str to Variable
            What was remembered of it.
        rate : float64 scalar
            The learning rate.
        n : integer scalar
            The number of this step, counted from 1.
        """

    def _check_fields(self) -> None:
        """Refuse a learning rate or weight decay that cannot be."""
        rate = self.learning_rate
        if isinstance(rate, Variable):
            if not isinstance(rate, SharedVariable) or rate.ndim or not rate.type.is_float:
                raise DTypeError(
                    f"{type(self).__name__}: argument `learning_rate`",
                    expected="a shared scalar of float32 or float64, among variables",
                    actual=f"{rate!r} of type {rate.type}",
                    fix="shared(0.1); or a function from the number of steps to an expression",
                    origin=user_line(),
                )
        elif not callable(rate):
            check_field(self, "learning_rate", at_least=0)
        check_field(self, "weight_decay", at_least=0)


@dataclass(frozen=True)
class SGD(Optimiser):
    """Gradient descent, with or without momentum, as PyTorch's.

    ``velocity = momentum * velocity + gradient; param -= learning_rate * velocity``; with `nesterov`,
    ``param -= learning_rate * (momentum * velocity + gradient)`` with the new velocity. The learning rate is
    not within the velocity, so that a change of it takes hold at once.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    momentum : float
        From 0 to less than 1.
    nesterov : bool
        Whether to look ahead along the velocity: I. Sutskever et al., "On the importance of initialization
        and momentum in deep learning", 2013.
    weight_decay : float
        How much of the parameter is added to its gradient.

    Examples
    --------
    >>> from arignote.compile import function
    >>> w = shared(np.float64(1.0), name="w")
    >>> step = function([], w, updates=SGD(0.5, momentum=0.5).updates(w, [w]))
    >>> [float(step()) for _ in range(3)]
    [1.0, 0.5, -0.25]
    """

    learning_rate: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "momentum", at_least=0, below=1)
        if self.nesterov and not self.momentum:
            raise InputError(
                "SGD: argument `nesterov`",
                expected="a momentum to look ahead along",
                actual=f"nesterov={self.nesterov}, momentum={self.momentum}",
                fix="SGD(..., momentum=0.9, nesterov=True)",
                origin=user_line(),
            )

    def _memory(self) -> dict[str, float]:
        return {"velocity": 0.0} if self.momentum else {}

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        rate = scalar_like(w, rate)
        if not self.momentum:
            return w - rate * g, {}
        momentum = scalar_like(w, self.momentum)
        velocity = momentum * memory["velocity"] + g
        direction = momentum * velocity + g if self.nesterov else velocity
        return w - rate * direction, {"velocity": velocity}


@dataclass(frozen=True)
class Adagrad(Optimiser):
    """Steps that are shorter the larger the gradients have been so far.

    J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    initial_sum : float
        What the sums of squared gradients begin with.
    epsilon : float
        Added to the root of the sum.
    weight_decay : float
        How much of the parameter is added to its gradient.
    """

    learning_rate: LearningRate = 0.01
    initial_sum: float = 0.0
    epsilon: float = 1e-10
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "initial_sum", at_least=0)
        check_field(self, "epsilon", at_least=0)

    def _memory(self) -> dict[str, float]:
        return {"sum_of_squares": self.initial_sum}

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        squares = memory["sum_of_squares"] + sqr(g)
        change = g / (sqrt(squares) + scalar_like(w, self.epsilon))
        return w - scalar_like(w, rate) * change, {"sum_of_squares": squares}


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """Steps divided by the root of a running mean of squared gradients.

    T. Hinton, "Neural networks for machine learning", lecture 6e, 2012; `centered` is of A. Graves,
    "Generating sequences with recurrent neural networks", 2013.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    rho : float
        The share of the running means that stays in each step (PyTorch's `alpha`).
    epsilon : float
        Added to the root.
    momentum : float
        Of the divided gradients, as in `SGD`.
    centered : bool
        Whether to divide by the deviation of the gradients from their own running mean.
    weight_decay : float
        How much of the parameter is added to its gradient.
    """

    learning_rate: LearningRate = 0.01
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "rho", at_least=0, below=1)
        check_field(self, "epsilon", at_least=0)
        check_field(self, "momentum", at_least=0, below=1)

    def _memory(self) -> dict[str, float]:
        names = ["mean_square", *["mean"] * self.centered, *["velocity"] * (self.momentum > 0)]
        return dict.fromkeys(names, 0.0)

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        square = _running_mean(memory["mean_square"], sqr(g), self.rho)
        remembered = {"mean_square": square}
        if self.centered:
            mean = remembered["mean"] = _running_mean(memory["mean"], g, self.rho)
            square = maximum(square - sqr(mean), 0)  # rounding may leave it below
        change = g / (sqrt(square) + scalar_like(w, self.epsilon))
        if self.momentum:
            change = remembered["velocity"] = scalar_like(w, self.momentum) * memory["velocity"] + change
        return w - scalar_like(w, rate) * change, remembered


@dataclass(frozen=True)
class Adadelta(Optimiser):
    """Steps as large as the running mean of the steps before, against that of the gradients.

    M. Zeiler, "ADADELTA: an adaptive learning rate method", 2012, where the learning rate is 1.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    rho : float
        The share of the running means that stays in each step.
    epsilon : float
        Added to the means, within the roots.
    weight_decay : float
        How much of the parameter is added to its gradient.
    """

    learning_rate: LearningRate = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "rho", at_least=0, below=1)
        check_field(self, "epsilon", at_least=0)

    def _memory(self) -> dict[str, float]:
        return {"mean_square": 0.0, "mean_square_change": 0.0}

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        epsilon = scalar_like(w, self.epsilon)
        square = _running_mean(memory["mean_square"], sqr(g), self.rho)
        change = sqrt(memory["mean_square_change"] + epsilon) / sqrt(square + epsilon) * g
        changes = _running_mean(memory["mean_square_change"], sqr(change), self.rho)
        return w - scalar_like(w, rate) * change, {"mean_square": square, "mean_square_change": changes}


@dataclass(frozen=True)
class Adam(Optimiser):
    """Steps along a running mean of gradients, divided by the root of that of their squares.

    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015; `amsgrad` is of S. Reddi et al.,
    "On the convergence of Adam and beyond", 2018.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    beta1, beta2 : float
        The shares of the running means that stay in each step.
    epsilon : float
        Added to the root.
    weight_decay : float
        How much of the parameter is added to its gradient.
    amsgrad : bool
        Whether to divide by the largest mean square so far.
    """

    learning_rate: LearningRate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    _counts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "beta1", at_least=0, below=1)
        check_field(self, "beta2", at_least=0, below=1)
        check_field(self, "epsilon", at_least=0)

    def _memory(self) -> dict[str, float]:
        names = ["mean", "mean_square", *["largest_mean_square"] * self.amsgrad]
        return dict.fromkeys(names, 0.0)

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        mean = _running_mean(memory["mean"], g, self.beta1)
        square = _running_mean(memory["mean_square"], sqr(g), self.beta2)
        remembered = {"mean": mean, "mean_square": square}
        if self.amsgrad:
            square = remembered["largest_mean_square"] = maximum(memory["largest_mean_square"], square)
        # The means began at 0; what they miss is made up for in the scalars, once for all elements.
        rate = scalar_like(w, rate / _missing(self.beta1, n))
        root = sqrt(square) / scalar_like(w, sqrt(_missing(self.beta2, n)))
        return w - rate * mean / (root + scalar_like(w, self.epsilon)), remembered


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, with parameters that shrink by the weight decay and gradients that do not know of it.

    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon, amsgrad
        As for `Adam`.
    weight_decay : float
        Each step multiplies parameters by ``1 - learning_rate * weight_decay``, too.
    """

    weight_decay: float = 0.01

    def _decayed(self, param: Variable, gradient: Variable) -> Variable:
        return cast(gradient, param.dtype)

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        kept = scalar_like(w, np.float64(1) - rate * np.float64(self.weight_decay))
        return super()._step(kept * w, g, memory, rate, n)


@dataclass(frozen=True)
class Adamax(Optimiser):
    """Adam with the largest gradients so far, as they fade, in place of the mean of squares.

    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015, section 7.1.

    Parameters
    ----------
    learning_rate : float, SharedVariable or schedule
    beta1, beta2 : float
        The shares of the running mean and of the largest gradient that stay in each step.
    epsilon : float
        Added to the size of a gradient.
    weight_decay : float
        How much of the parameter is added to its gradient.
    """

    learning_rate: LearningRate = 0.002
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    _counts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_fields()
        check_field(self, "beta1", at_least=0, below=1)
        check_field(self, "beta2", at_least=0, below=1)
        check_field(self, "epsilon", at_least=0)

    def _memory(self) -> dict[str, float]:
        return {"mean": 0.0, "largest": 0.0}

    def _step(self, w: Variable, g: Variable, memory: Memory, rate: Variable, n: Variable) -> Stepped:
        mean = _running_mean(memory["mean"], g, self.beta1)
        faded = scalar_like(w, self.beta2) * memory["largest"]
        largest = maximum(faded, abs_(g) + scalar_like(w, self.epsilon))
        rate = scalar_like(w, rate / _missing(self.beta1, n))
        return w - rate * mean / largest, {"mean": mean, "largest": largest}


#: The optimisers that a saved state of training may name.
OPTIMISERS: dict[str, type[Optimiser]] = {
    kind.__name__: kind for kind in (Adadelta, Adagrad, Adam, AdamW, Adamax, RMSprop, SGD)
}


def _running_mean(mean: Variable, value: Variable, kept: float) -> Variable:
    return scalar_like(mean, kept) * mean + scalar_like(mean, 1 - kept) * value


def _missing(kept: float, step: Variable) -> Variable:
    """Return what part of its values a running mean that began at 0 has, a float64 scalar."""
    return np.float64(1) - as_variable(np.float64(kept)) ** step


def _check(name: str, gradients: Sequence[Variable], params: Sequence[SharedVariable]) -> None:
    if len(gradients) != len(params):
        raise ShapeError(
            f"{name}: argument `gradients`",
            expected=f"one for each of the {len(params)} parameters",
            actual=f"{len(gradients)} gradients",
            origin=user_line(),
        )
    for place, param in enumerate(params):
        if not isinstance(param, SharedVariable) or not param.type.is_float:
            raise DTypeError(
                f"{name}: argument `params`",
                expected="shared variables of float32 or float64",
                actual=f"{param!r}, {getattr(param, 'type', type(param).__name__)}, at position {place}",
                origin=user_line(),
            )
        if param in params[:place]:
            raise InputError(
                f"{name}: argument `params`",
                expected="each parameter once",
                actual=f"{param!r} at positions {params.index(param)} and {place}",
                origin=user_line(),
            )
        if gradients[place].ndim != param.ndim:
            raise ShapeError(
                f"{name}: the gradient of {param!r}",
                expected=f"{param.ndim} dimensions, as the parameter has",
                actual=str(gradients[place].type),
                origin=user_line(),
            )
