"""An expression as an op (`theano.OpFromGraph`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, InputError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.inner import InnerGraph, close
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import zeros_like
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import TensorType, upcast
from arignote.engine.undefined import DisconnectedGradient, UndefinedGradient

#: From inputs, outputs, and the gradients of these: a gradient.
Override = Callable[[list[Variable], list[Variable], list[Variable]], Any]


@dataclass(frozen=True)
class FromGraph(Op):
    """An expression of the inputs; a compiled function computes it as if it were written out.

    Parameters
    ----------
    inner : InnerGraph
    name : str
    overrides : tuple of (callable or None)
        For the first inputs, what gives the gradient instead of the expression; None for its own.
    """

    inner: InnerGraph = field(repr=False)
    name: str = field(repr=False)
    overrides: tuple[Override | None, ...] = field(default=(), repr=False)

    @property
    def title(self) -> str:
        """The user's name of it."""
        return self.name

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return self.inner.infer(types, values)

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        from arignote.engine.evaluate import evaluate

        return tuple(evaluate(self.inner.outputs, dict(zip(self.inner.inputs, arrays, strict=True))))

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        overrides = [*self.overrides, *(None for _ in inputs[len(self.overrides) :])]
        terms: list[Variable | None] = [None] * len(inputs)
        if None in overrides:
            terms = self._own_gradients(inputs, gradients)
        given = [zeros_like(x) if g is None else g for x, g in zip(outputs, gradients, strict=True)]
        count = len(self.overrides)
        for place, override in enumerate(overrides):
            if override is not None:
                term = override(list(inputs[:count]), list(outputs), given)
                none = term is None or isinstance(term, DisconnectedGradient)
                terms[place] = None if none else cast(as_variable(term), inputs[place].dtype)
        return terms

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        from arignote.engine.vectorize import vectorize

        own = [
            inner.type() if has_batch else x
            for x, inner, has_batch in zip(inputs, self.inner.inputs, is_batched, strict=True)
        ]
        replace = {old: new for old, new in zip(own, inputs, strict=True) if old is not new}
        return vectorize(self.inner.on(own), replace)

    @test_values_off()
    def _own_gradients(
        self, inputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> list[Variable | None]:
        """Return the gradients of the expression, as the outputs of one more op like this."""
        from arignote.engine.grad import pull_back

        own = [x.type(x.name) for x in self.inner.inputs]
        seeds: dict[Variable, Variable] = {}
        upstream = {}
        for out, gradient in zip(self.inner.on(own), gradients, strict=True):
            if gradient is not None:
                stand_in = gradient.type()
                upstream[stand_in] = gradient
                seeds[out] = seeds[out] + stand_in if out in seeds else stand_in
        found = pull_back(seeds, own)
        wanted = [x for x in own if x in found and not isinstance(found[x], UndefinedGradient)]
        inner = InnerGraph([*own, *upstream], [found[x] for x in wanted])
        made = FromGraph(inner, f"gradient of {self.name}").apply(*inputs, *upstream.values())
        found.update(zip(wanted, made, strict=True))
        return [found.get(x) for x in own]


class OpFromGraph:
    """An expression that can be applied like an op (`theano.OpFromGraph`).

    It costs nothing: a compiled function computes it as if it were written out. It prints as one step, and
    can have a gradient of its own.

    Parameters
    ----------
    inputs : sequence of Variable
    outputs : sequence of Variable
        Expressions of the inputs; shared variables in them stay what they are.
    inline : bool
        Without effect: it is always computed as if it were written out.
    lop_overrides : callable, or a sequence of callables, None and 'default'
        What gives the gradients instead: called with the lists of inputs, outputs and gradients of the
        outputs, it returns a list with a gradient for each input. In a sequence, each entry is for one input,
        and returns its gradient; None stands for no gradient, and 'default' for that of the expression.
    grad_overrides : as `lop_overrides`
        The older form, called with inputs and gradients only.
    name : str, optional

    Raises
    ------
    DTypeError
        In a call, if an argument does not fit its input.

    Examples
    --------
    >>> import arignote.compile
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> hypotenuse = OpFromGraph([x, y], [(x**2 + y**2) ** 0.5])
    >>> float(hypotenuse(3.0, 4.0).eval())
    5.0
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        inline: bool = False,
        lop_overrides: Any = "default",
        grad_overrides: Any = "default",
        name: str | None = None,
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.name = name or type(self).__name__
        self._inner, self._captured = close(self.inputs, self.outputs)
        lop = _overrides(lop_overrides, len(self.inputs))
        older = _overrides(grad_overrides, len(self.inputs))
        if lop and older:
            raise DTypeError("OpFromGraph", expected="lop_overrides or grad_overrides", actual="both")
        self._overrides = lop or tuple(None if each is None else _from_older(each) for each in older)

    def __call__(self, *inputs: Any) -> Any:
        """Return the outputs for other inputs: a variable, or a list of them."""
        if len(inputs) != len(self.inputs):
            raise InputError(
                f"{self.name}", expected=f"{len(self.inputs)} arguments", actual=f"{len(inputs)} of them"
            )
        given = [self._fitted(x, as_variable(value)) for x, value in zip(self.inputs, inputs, strict=True)]
        outputs = FromGraph(self._inner, self.name, self._overrides).apply(*given, *self._captured)
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def _fitted(self, x: Variable, value: Variable) -> Variable:
        if value.ndim != x.ndim or upcast(x.dtype, value.dtype) != x.dtype:
            raise DTypeError(f"{self.name}: input {x!r}", expected=str(x.type), actual=str(value.type))
        return cast(value, x.dtype)


def _overrides(given: Any, count: int) -> tuple[Override | None, ...]:
    """Return an override for each input; none at all where all are the default."""
    if isinstance(given, str) and given == "default":
        return ()
    if callable(given):
        return tuple(_entry_of(given, place) for place in range(count))
    if len(given) != count:
        raise DTypeError("OpFromGraph: overrides", expected=f"{count} of them", actual=repr(given))
    return tuple(_override(each) for each in given)


def _override(given: Any) -> Override | None:
    if isinstance(given, str) and given == "default":
        return None
    return _no_gradient if given is None else given


def _no_gradient(*_: Any) -> None:
    return None


def _entry_of(override: Callable[..., Any], place: int) -> Override:
    def entry(*arguments: Any) -> Any:
        terms = override(*arguments)
        return terms[place] if isinstance(terms, list | tuple) else terms

    return entry


def _from_older(override: Callable[..., Any]) -> Override:
    return lambda inputs, outputs, gradients: override(inputs, gradients)
