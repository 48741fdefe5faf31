"""Recurrent layers: a state that goes from step to step of a sequence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable, as_variable
from arignote.engine.ops import alloc, dot, sigmoid, tanh
from arignote.engine.ops.loops import scan
from arignote.engine.ops.shape import extents
from arignote.engine.origin import user_line
from arignote.layers.activations import Activation
from arignote.layers.initialisers import Constant, Fans, Glorot, Initialiser, Orthogonal
from arignote.layers.layer import Layer, Shape, Training, checked_shape
from arignote.layers.receptive import Field


class _Recurrent(Layer):
    """What recurrent layers have in common: the loop, and weights for a number of gates."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1  # the first is what the layer gives

    units: int
    return_sequences: bool
    backwards: bool
    initialiser: Initialiser
    recurrent_initialiser: Initialiser
    bias_initialiser: Initialiser

    def __post_init__(self) -> None:
        (self.units,) = checked_shape(f"{type(self).__name__}: argument `units`", self.units, 1)

    def infer(self, *shapes: Shape) -> Shape:
        """Return the number of units, with that of steps before it if all steps are returned."""
        (shape,) = shapes
        if len(shape) != 2:
            raise ShapeError(
                f"{type(self).__name__}: the input",
                expected="examples of shape (steps, features)",
                actual=f"examples of shape {shape}",
                origin=user_line(),
            )
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def create(self, rng: np.random.Generator) -> None:
        """Make `w`, `u` and `b`: a matrix, or a vector, for each gate, side by side."""
        features = self.input_shape[1]
        for name, inputs, initialiser in (
            ("w", features, self.initialiser),
            ("u", self.units, self.recurrent_initialiser),
        ):
            fans = Fans(inputs, self.units)
            parts = [initialiser(rng, (inputs, self.units), fans) for _ in range(self.gates)]
            setattr(self, name, self.add(name, np.concatenate(parts, axis=1), penalised=True))
        bias = self.bias_initialiser(rng, (self.gates * self.units,), Fans(features, self.units))
        self.b = self.add("b", bias)

    w: Variable
    u: Variable

    @abstractmethod
    def step(self, x: Variable, *states: Variable) -> Sequence[Variable]:
        """Return the next states.

        Parameters
        ----------
        x : matrix, shape (examples, gates * units)
            ``dot(input, w) + b``.
        *states : matrix, shape (examples, units)
        """

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the states, all or the last ones; see `Layer.output`."""
        (x,) = inputs
        examples = extents(x)[0]
        zeros = alloc(as_variable(np.zeros((), x.dtype)), examples, self.units)
        results, _ = scan(
            lambda row, *states: list(self.step(dot(row, self.w) + self.b, *states)),
            sequences=x.dimshuffle(1, 0, 2),
            outputs_info=[zeros] * self.states,
            n_steps=self.input_shape[0],
            go_backwards=self.backwards,
            name=type(self).__name__,
            return_list=True,
        )
        if not self.return_sequences:
            last: Variable = results[0][-1]
            return last
        states: Variable = results[0][::-1] if self.backwards else results[0]
        return states.dimshuffle(1, 0, 2)

    def _gate(self, z: Variable, place: int) -> Variable:
        return z[:, place * self.units : (place + 1) * self.units]

    @property
    def multiply_adds(self) -> int:
        """``steps * gates * units * (features + units)``."""
        steps, features = self.input_shape
        return steps * self.gates * self.units * (features + self.units)

    def receptive_field(self, *fields: Field | None) -> None:
        """Return None, for all of the input."""


@dataclass(eq=False)
class RNN(_Recurrent):
    """A state that each step makes anew: ``h = activation(dot(x, w) + dot(h, u) + b)``.

    Parameters
    ----------
    units : int
        The numbers of a state, which begins as zeros.
    return_sequences : bool
        Whether the states of all steps come out, or the last one only.
    backwards : bool
        Whether the steps are taken from the last to the first. States of all steps still stand in the order
        of the input, so that `Branches` can put two layers, one each way, side by side.
    activation : callable
        From an expression to an expression.
    initialiser, recurrent_initialiser, bias_initialiser : Initialiser
        Of `w`, `u` and `b`.

    Attributes
    ----------
    w : SharedVariable, shape (features, units)
    u : SharedVariable, shape (units, units)
    b : SharedVariable, shape (units,)

    Examples
    --------
    >>> RNN(32).build((28, 8)).output_shape
    (32,)
    """

    gates = 1

    units: int
    return_sequences: bool = False
    backwards: bool = False
    activation: Activation = tanh
    initialiser: Initialiser = field(default_factory=Glorot)
    recurrent_initialiser: Initialiser = field(default_factory=Orthogonal)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def step(self, x: Variable, *states: Variable) -> Sequence[Variable]:
        """Return the next state."""
        return (self.activation(x + dot(states[0], self.u)),)


@dataclass(eq=False)
class LSTM(_Recurrent):
    """A state, and a memory that gates let in, keep and let out.

    With the gates `i`, `f`, `o`, each ``sigmoid(dot(x, w) + dot(h, u) + b)``, and ``g = tanh(...)`` likewise,
    the memory is ``c = f * c + i * g`` and the state ``h = o * tanh(c)``.

    Parameters
    ----------
    units, return_sequences, backwards, initialiser, recurrent_initialiser, bias_initialiser
        As for `RNN`.

    Attributes
    ----------
    w : SharedVariable, shape (features, 4 * units)
        Side by side for `i`, `f`, `g` and `o`, the order of PyTorch, whose matrices are the transposes.
    u : SharedVariable, shape (units, 4 * units)
    b : SharedVariable, shape (4 * units,)
        The sum of PyTorch's two.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; with the gate to
    forget of F. Gers et al., 2000.

    Examples
    --------
    >>> LSTM(32, return_sequences=True).build((28, 8)).output_shape
    (28, 32)
    """

    gates, states = 4, 2

    units: int
    return_sequences: bool = False
    backwards: bool = False
    initialiser: Initialiser = field(default_factory=Glorot)
    recurrent_initialiser: Initialiser = field(default_factory=Orthogonal)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def step(self, x: Variable, *states: Variable) -> Sequence[Variable]:
        """Return the next state and memory."""
        h, c = states
        z = x + dot(h, self.u)
        enter, keep, leave = (sigmoid(self._gate(z, place)) for place in (0, 1, 3))
        c = keep * c + enter * tanh(self._gate(z, 2))
        return leave * tanh(c), c


@dataclass(eq=False)
class GRU(_Recurrent):
    """A state of which a gate decides how much is kept, and another how much the new one sees of the old.

    With the gates `r` and `z`, each ``sigmoid(dot(x, w) + dot(h, u) + b)``, and the candidate
    ``n = tanh(dot(x, w) + b + r * (dot(h, u) + d))``, the state is ``h = (1 - z) * n + z * h``.

    Parameters
    ----------
    units, return_sequences, backwards, initialiser, recurrent_initialiser, bias_initialiser
        As for `RNN`.

    Attributes
    ----------
    w : SharedVariable, shape (features, 3 * units)
        Side by side for `r`, `z` and `n`, the order of PyTorch, whose matrices are the transposes.
    u : SharedVariable, shape (units, 3 * units)
    b : SharedVariable, shape (3 * units,)
        The sum of PyTorch's two for `r` and `z`, and for `n` its first.
    d : SharedVariable, shape (units,)
        PyTorch's second bias for `n`.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014; the gate `r` acts behind the product, as in PyTorch and cuDNN.

    Examples
    --------
    >>> GRU(32).build((28, 8)).output_shape
    (32,)
    """

    gates = 3

    units: int
    return_sequences: bool = False
    backwards: bool = False
    initialiser: Initialiser = field(default_factory=Glorot)
    recurrent_initialiser: Initialiser = field(default_factory=Orthogonal)
    bias_initialiser: Initialiser = field(default_factory=Constant)

    def create(self, rng: np.random.Generator) -> None:
        """Make `w`, `u`, `b` and `d`."""
        super().create(rng)
        fans = Fans(self.input_shape[1], self.units)
        self.d = self.add("d", self.bias_initialiser(rng, (self.units,), fans))

    def step(self, x: Variable, *states: Variable) -> Sequence[Variable]:
        """Return the next state."""
        (h,) = states
        y = dot(h, self.u)
        reset, keep = (sigmoid(self._gate(x, place) + self._gate(y, place)) for place in (0, 1))
        new = tanh(self._gate(x, 2) + reset * (self._gate(y, 2) + self.d))
        return ((1 - keep) * new + keep * h,)
