"""Checkpoints: values that the way back computes anew instead of keeping them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from arignote.engine.errors import GraphError
from arignote.engine.graph import Constant, Op, Variable, clone_replace, walk
from arignote.engine.types import TensorType


@dataclass(frozen=True)
class Checkpoint(Op):
    """The first inputs, whose gradient is that of their expressions, made anew; compiling takes it out.

    Inputs: the values; what is kept, `kept` of them; and the other variables that the values depend on.
    """

    values: int
    kept: int

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return types[: self.values]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return arrays[: self.values]

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        from arignote.engine.grad import pull_back

        values, given = inputs[: self.values], inputs[self.values :]
        present = [gradient for gradient in gradients if gradient is not None]
        # Behind the gradients, so that nothing is computed anew before it is needed; and not equal to what
        # was computed on the way forward, so that the two do not merge.
        late = [After().apply(x, *present)[0] for x in given[: self.kept]]
        again = clone_replace(values, dict(zip(given, late, strict=False)))
        seeds: dict[Variable, Variable] = {}
        for x, gradient in zip(again, gradients, strict=True):
            if gradient is not None:
                seeds[x] = seeds[x] + gradient if x in seeds else gradient
        sources = [*late, *given[self.kept :]]
        found = pull_back(seeds, sources)
        return [*(None for _ in values), *(found.get(x) if x.type.is_float else None for x in sources)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self.apply(*inputs)


@dataclass(frozen=True)
class After(Op):
    """The first input, which is there no sooner than the others."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return types[:1]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return arrays[:1]

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        return [*gradients, *(None for _ in inputs[1:])]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        return self.apply(*inputs)


@overload
def checkpoint(outputs: Variable, inputs: Variable | Sequence[Variable]) -> Variable: ...
@overload
def checkpoint(outputs: Sequence[Variable], inputs: Variable | Sequence[Variable]) -> list[Variable]: ...


def checkpoint(
    outputs: Variable | Sequence[Variable], inputs: Variable | Sequence[Variable]
) -> Variable | list[Variable]:
    """Return expressions whose gradient computes anew what lies between `inputs` and them.

    Without it, a gradient keeps all values of the way forward that it needs. With it, it keeps the inputs
    alone and computes the rest a second time: less memory for more work. A network of n equal layers with a
    checkpoint behind every sqrt(n) of them keeps about 2 * sqrt(n) values of layers instead of n.

    Parameters
    ----------
    outputs : Variable or sequence of Variable
    inputs : Variable or sequence of Variable
        What is kept: variables that the outputs are computed from.

    Returns
    -------
    Variable or list of Variable
        The same values; go on with these. Each of several depends on all that any of them is computed from.

    Raises
    ------
    GraphError
        If the outputs depend on none of the inputs.

    Notes
    -----
    T. Chen, B. Xu, C. Zhang, C. Guestrin: "Training deep nets with sublinear memory cost", 2016.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.grad import grad
    >>> from arignote.engine.ops import exp, sin
    >>> x = TensorType("float64", ())("x")
    >>> y = checkpoint(exp(sin(x)), x)
    >>> grad(y, x).eval({x: 0.0})
    array(1.)
    """
    values = [outputs] if isinstance(outputs, Variable) else list(outputs)
    kept = [inputs] if isinstance(inputs, Variable) else list(inputs)
    nodes = walk(values, stop=kept)
    needed = {x for node in nodes for x in node.inputs}
    if needed.isdisjoint(kept):
        raise GraphError(
            "checkpoint: argument `inputs`",
            expected="variables that the outputs are computed from",
            actual=f"{kept!r}, on which {values!r} do not depend",
        )
    leaves: dict[Variable, Any] = {}
    for node in nodes:
        leaves.update((x, None) for x in node.inputs if x.owner is None and not isinstance(x, Constant))
    others = [x for x in leaves if x not in set(kept)]
    results = Checkpoint(len(values), len(kept)).apply(*values, *kept, *others)
    return results[0] if isinstance(outputs, Variable) else list(results)
