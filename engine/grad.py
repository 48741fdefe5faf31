"""Symbolic gradients: reverse accumulation over the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import overload

from arignote.engine.errors import DisconnectedInputError, DTypeError, ShapeError
from arignote.engine.graph import Variable, walk
from arignote.engine.ops.shape import ones_like, zeros_like
from arignote.engine.origin import inherit


@overload
def grad(
    cost: Variable,
    wrt: Variable,
    consider_constant: Sequence[Variable] | None = ...,
    disconnected_inputs: str = ...,
) -> Variable: ...
@overload
def grad(
    cost: Variable,
    wrt: Sequence[Variable],
    consider_constant: Sequence[Variable] | None = ...,
    disconnected_inputs: str = ...,
) -> list[Variable]: ...


def grad(
    cost: Variable,
    wrt: Variable | Sequence[Variable],
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Variable | list[Variable]:
    """Return the gradient of a cost as an expression (`theano.tensor.grad`).

    Parameters
    ----------
    cost : scalar Variable
        Floating.
    wrt : Variable or sequence of Variable
        With respect to what: any floating variables of the cost's graph.
    consider_constant : sequence of Variable, optional
        Variables that no gradient passes through.
    disconnected_inputs : {'raise', 'warn', 'ignore'}
        What happens for a variable that the cost does not depend on differentiably: an error, or zeros with
        or without a warning.

    Returns
    -------
    Variable or list of Variable
        Of the shape and dtype of `wrt`; a list for a sequence.

    Raises
    ------
    ShapeError
        If the cost is no scalar.
    DTypeError
        If the cost or a variable is not floating.
    DisconnectedInputError
        If the cost does not depend on a variable.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> grad(x**3, x).eval({x: 2.0})
    array(12.)
    """
    if not isinstance(cost, Variable) or cost.ndim != 0:
        kind = cost.type if isinstance(cost, Variable) else type(cost).__name__
        raise ShapeError(
            "grad: argument `cost`", expected="a scalar", actual=f"{cost!r} of type {kind}",
            fix="reduce it: cost.mean() or cost.sum()",
        )  # fmt: skip
    if not cost.type.is_float:
        raise DTypeError("grad: argument `cost`", expected="a floating scalar", actual=str(cost.type))
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise DTypeError(
            "grad: argument `disconnected_inputs`",
            expected="'raise', 'warn' or 'ignore'",
            actual=repr(disconnected_inputs),
        )
    wanted: list[Variable] = list(wrt) if isinstance(wrt, Sequence) else [wrt]
    for x in wanted:
        if not isinstance(x, Variable) or not x.type.is_float:
            kind = x.type if isinstance(x, Variable) else type(x).__name__
            raise DTypeError(
                "grad: argument `wrt`", expected="floating variables", actual=f"{x!r} of type {kind}"
            )
    gradients = pull_back({cost: ones_like(cost)}, wanted, set(consider_constant or ()))
    result = [gradients[x] if x in gradients else _disconnected(cost, x, disconnected_inputs) for x in wanted]
    return result if isinstance(wrt, Sequence) else result[0]


def pull_back(
    seeds: Mapping[Variable, Variable], wrt: Sequence[Variable], constant: Collection[Variable] = ()
) -> dict[Variable, Variable]:
    """Walk back from variables whose gradients are given, along the nodes that lead to them from `wrt`."""
    reached = set(wrt)
    path = []
    for node in walk(seeds, stop=constant):
        if any(x in reached for x in node.inputs):
            reached.update(node.outputs)
            path.append(node)
    gradients = {x: gradient for x, gradient in seeds.items() if x in reached}
    for node in reversed(path):
        upstream = [gradients.get(out) for out in node.outputs]
        if all(gradient is None for gradient in upstream):
            continue
        with inherit(node.origin):
            for x, term in zip(node.inputs, node.op.vjp(node.inputs, node.outputs, upstream), strict=True):
                if term is None or x not in reached or x in constant or not x.type.is_float:
                    continue
                gradients[x] = gradients[x] + term if x in gradients else term
    return gradients


def _disconnected(cost: Variable, x: Variable, policy: str) -> Variable:
    error = DisconnectedInputError(
        f"grad: the cost does not depend on {x!r}, or only through steps without derivative",
        expected="variables that the cost is computed from",
        actual=f"{x!r} of type {x.type}",
        fix="take it out of `wrt`, or pass disconnected_inputs='ignore' for zeros",
    )
    if policy == "raise":
        raise error
    if policy == "warn":
        import warnings

        warnings.warn(str(error), stacklevel=4)
    return zeros_like(x)
