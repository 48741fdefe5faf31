"""Symbolic gradients: reverse accumulation over the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, overload

from arignote.engine.config import config
from arignote.engine.errors import (
    DisconnectedInputError,
    DTypeError,
    GraphError,
    ShapeError,
    UndefinedGradientError,
)
from arignote.engine.graph import Variable, as_variable, graph_inputs, walk
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import ones_like, zeros_like
from arignote.engine.origin import inherit
from arignote.engine.shared import SharedVariable
from arignote.engine.undefined import DisconnectedGradient, UndefinedGradient

Constants = Sequence[Variable] | Variable | None


@overload
def grad(
    cost: Variable | None,
    wrt: Variable,
    consider_constant: Constants = ...,
    disconnected_inputs: str = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: str = ...,
    null_gradients: str = ...,
) -> Variable: ...
@overload
def grad(
    cost: Variable | None,
    wrt: list[Variable],
    consider_constant: Constants = ...,
    disconnected_inputs: str = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: str = ...,
    null_gradients: str = ...,
) -> list[Variable]: ...
@overload
def grad(
    cost: Variable | None,
    wrt: tuple[Variable, ...],
    consider_constant: Constants = ...,
    disconnected_inputs: str = ...,
    add_names: bool = ...,
    known_grads: Mapping[Variable, Any] | None = ...,
    return_disconnected: str = ...,
    null_gradients: str = ...,
) -> tuple[Variable, ...]: ...


def grad(
    cost: Variable | None,
    wrt: Variable | Sequence[Variable],
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Any] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """Return the gradient of a cost as an expression (`theano.gradient.grad`).

    Parameters
    ----------
    cost : scalar Variable, or None
        Floating. None where `known_grads` says all that is known of it.
    wrt : Variable, or list or tuple of Variable
        With respect to what: any variables, inner ones too. Integers count as the real numbers they are,
        where a floating result is computed from them directly.
    consider_constant : Variable or sequence of Variable, optional
        Variables that no gradient passes through.
    disconnected_inputs : {'raise', 'warn', 'ignore'}
        What happens for a variable that the cost does not depend on differentiably: an error, or what
        `return_disconnected` says with or without a warning.
    add_names : bool
        Name the gradients '(dcost/dx)' where cost and variable have names.
    known_grads : mapping of Variable to Variable or array_like, optional
        Variables, and the gradients of the cost with respect to them; these take the place of computed ones.
    return_disconnected : {'zero', 'none', 'disconnected'}
        What stands for the gradient of such a variable: zeros, None, or a `DisconnectedGradient`.
    null_gradients : {'raise', 'return'}
        What happens where an op says that its derivative is undefined: an error, or an `UndefinedGradient`.

    Returns
    -------
    Variable, list or tuple
        Of the shape and dtype of `wrt`, as it was given; those of integers are floating.

    Raises
    ------
    ShapeError
        If the cost is no scalar, or a known gradient has another rank than its variable.
    DTypeError
        If the cost is not floating, or for an argument that is none of those listed.
    DisconnectedInputError
        If the cost does not depend on a variable.
    UndefinedGradientError
        If a gradient leads through a derivative that is undefined.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> grad(x**3, x).eval({x: 2.0})
    array(12.)
    >>> y = x**2
    >>> grad(None, x, known_grads={y: 10.0}).eval({x: 2.0})
    array(40.)
    """
    known = {x: like(gradient, x, "grad: known_grads") for x, gradient in (known_grads or {}).items()}
    if cost is not None:
        _check_cost(cost)
        known.setdefault(cost, ones_like(cost))
    elif not known:
        raise GraphError("grad: argument `cost`", expected="a cost, or known_grads", actual="neither")
    wanted = as_list(wrt, "grad")
    result = gradients_of(
        known, wanted, consider_constant, disconnected_inputs, return_disconnected, null_gradients, total=True
    )
    for x, gradient in zip(wanted, result, strict=True):
        if add_names and gradient is not None and gradient.name is None and cost is not None:
            gradient.name = f"(d{cost.name}/d{x.name})" if cost.name and x.name else None
    return as_given(result, wrt)


def gradients_of(
    seeds: Mapping[Variable, Variable],
    wrt: Sequence[Variable],
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
    total: bool = False,
) -> list[Any]:
    """Return the gradients with respect to variables, given those with respect to others.

    The arguments are those of `pull_back`, and the options of `grad`.
    """
    disconnected_inputs = _choice("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore"))
    return_disconnected = _choice(
        "return_disconnected", return_disconnected, ("zero", "none", "disconnected")
    )
    null_gradients = _choice("null_gradients", null_gradients, ("raise", "return"))
    constant = [consider_constant] if isinstance(consider_constant, Variable) else consider_constant or ()
    gradients = pull_back(seeds, wrt, constant, total)
    result: list[Any] = []
    for x in wrt:
        gradient = gradients.get(x)
        if isinstance(gradient, UndefinedGradient) and null_gradients == "raise":
            raise UndefinedGradientError(
                f"grad: the gradient with respect to {x!r} is undefined",
                expected="ops that are differentiable on all paths from it to the cost",
                actual=gradient.reason,
                fix="cut the path with disconnected_grad or zero_grad, or pass null_gradients='return'",
            )
        if gradient is None:
            result.append(_disconnected(x, disconnected_inputs, return_disconnected))
        else:
            result.append(gradient)
    return result


def pull_back(
    seeds: Mapping[Variable, Variable],
    wrt: Sequence[Variable],
    constant: Collection[Variable] = (),
    total: bool = False,
) -> dict[Variable, Variable]:
    """Walk back from variables whose gradients are given, along the nodes that lead to them from `wrt`.

    Parameters
    ----------
    seeds : mapping of Variable to Variable
        Variables, and their gradients.
    wrt : sequence of Variable
    constant : collection of Variable
        Variables that no gradient passes through.
    total : bool
        Whether the given gradients are all there is to these variables; otherwise what reaches them on paths
        to other seeds is added.

    Returns
    -------
    dict
        The gradients with respect to those of `wrt` that the seeds depend on, and to what lies between.
    """
    wanted = set(wrt)
    reached = set(wrt)
    path = []
    for node in walk(seeds, stop=constant):
        if any(x in reached for x in node.inputs):
            reached.update(node.outputs)
            path.append(node)
    gradients = {x: gradient for x, gradient in seeds.items() if x in reached}
    stopped = set(constant)
    fixed = set(seeds) if total else set()
    for node in reversed(path):
        upstream = [None if out in stopped else gradients.get(out) for out in node.outputs]
        if all(gradient is None for gradient in upstream):
            continue
        undefined = next((each for each in upstream if isinstance(each, UndefinedGradient)), None)
        with inherit(node.origin, is_gradient=True):
            terms: Sequence[Variable | None]
            if undefined is not None:
                terms = [undefined] * len(node.inputs)
            else:
                terms = node.op.vjp(node.inputs, node.outputs, upstream)
            for x, term in zip(node.inputs, terms, strict=True):
                if term is None or x not in reached or x in fixed or not (x.type.is_float or x in wanted):
                    continue
                present = gradients.get(x)
                if present is None or isinstance(term, UndefinedGradient):
                    gradients[x] = term
                elif not isinstance(present, UndefinedGradient):
                    gradients[x] = present + term
    return gradients


def as_list(variables: Any, name: str, argument: str = "wrt") -> list[Variable]:
    """Return one variable, or a sequence of them, as a list.

    Raises
    ------
    DTypeError
        For anything that is no variable.
    """
    result = list(variables) if isinstance(variables, list | tuple) else [variables]
    for x in result:
        if not isinstance(x, Variable):
            raise DTypeError(
                f"{name}: argument `{argument}`",
                expected="a variable, or a list of variables",
                actual=f"{x!r} of type {type(x).__name__}",
            )
    return result


def as_given(results: Sequence[Any], given: Any) -> Any:
    """Return results as a list, a tuple or alone: as an argument was given."""
    if isinstance(given, list | tuple):
        return type(given)(results) if type(given) in (list, tuple) else list(results)
    return results[0]


def like(value: Any, x: Variable, name: str) -> Variable:
    """Return a gradient or a direction as a variable of the dtype of `x`.

    Raises
    ------
    ShapeError
        If it has another rank.
    """
    given = as_variable(value)
    if given.ndim != x.ndim:
        raise ShapeError(f"{name}: what is given for {x!r}", expected=str(x.type), actual=str(given.type))
    return cast(given, x.dtype if x.type.is_float else config.floatX)


def zeros_for(x: Variable) -> Variable:
    """Return the gradient with respect to what nothing depends on."""
    return zeros_like(x, None if x.type.is_float else config.floatX)


def _check_cost(cost: Any) -> None:
    if not isinstance(cost, Variable) or cost.ndim != 0:
        kind = cost.type if isinstance(cost, Variable) else type(cost).__name__
        raise ShapeError(
            "grad: argument `cost`", expected="a scalar", actual=f"{cost!r} of type {kind}",
            fix="reduce it: cost.mean() or cost.sum()",
        )  # fmt: skip
    if not cost.type.is_float:
        raise DTypeError("grad: argument `cost`", expected="a floating scalar", actual=str(cost.type))


def _choice(argument: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return one of the choices; Theano spells some of them in capitals."""
    if str(value).lower() not in choices:
        expected = ", ".join(repr(choice) for choice in choices[:-1]) + f" or {choices[-1]!r}"
        raise DTypeError(f"grad: argument `{argument}`", expected=expected, actual=repr(value))
    return str(value).lower()


def _renamed(x: Variable) -> str:
    """Return a hint where a name of the program may not mean the shared variable any more."""
    shared = [y for y in graph_inputs([x]) if isinstance(y, SharedVariable)]
    if x.owner is None or not shared:
        return ""
    return f"it is computed from {shared[0]!r}: was that name given to something else? Otherwise "


def _disconnected(x: Variable, policy: str, returned: str) -> Variable | None:
    error = DisconnectedInputError(
        f"grad: the cost does not depend on {x!r}, or only through steps without derivative",
        expected="variables that the cost is computed from",
        actual=f"{x!r} of type {x.type}",
        fix=_renamed(x) + "take it out of `wrt`, or pass disconnected_inputs='ignore' for zeros",
    )
    if policy == "raise":
        raise error
    if policy == "warn":
        import warnings

        warnings.warn(str(error), stacklevel=3)
    if returned == "none":
        return None
    return zeros_for(x) if returned == "zero" else DisconnectedGradient(x.type, error.summary)
