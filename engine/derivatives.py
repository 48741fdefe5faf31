"""Products with Jacobians, and whole ones: all of them made of vjps.

A vjp is linear in the gradient u that comes in, so its derivative by u is the other product: with
``L(u) = u' J`` we have ``d/du <L(u), v> = J v``. No op needs a rule of its own for that, and u itself is
gone from the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.grad import Constants, as_given, as_list, grad, gradients_of, like
from arignote.engine.graph import Variable, clone_replace
from arignote.engine.ops.elementwise import cast, eq
from arignote.engine.ops.shape import arange, dimshuffle, extents, ones_like, product, reshape, zeros_like
from arignote.engine.testvalue import test_values_off
from arignote.engine.vectorize import vectorize


def Lop(  # noqa: N802 - Theano's name
    f: Variable | Sequence[Variable],
    wrt: Variable | Sequence[Variable],
    eval_points: Any,
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the product of a row vector and a Jacobian, u' J (`theano.gradient.Lop`): a vjp.

    Parameters
    ----------
    f : Variable, or list or tuple of Variable
        Floating, of any shapes.
    wrt : Variable, or list or tuple of Variable
    eval_points : Variable or array_like, or a list of them
        u: one for each of `f`, of its shape.
    consider_constant, disconnected_inputs
        As in `grad`.

    Returns
    -------
    Variable, list or tuple
        Of the shapes of `wrt`, as it was given: the sum over `f` and its elements of ``u[i] * df[i]/dwrt``.

    Raises
    ------
    ShapeError, DTypeError
        If the points do not fit `f`.
    DisconnectedInputError
        If nothing of `f` depends on a variable.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> Lop(x**2, x, [1.0, 10.0]).eval({x: [3.0, 4.0]})
    array([ 6., 80.])
    """
    outputs = _floating(f, "Lop")
    seeds: dict[Variable, Variable] = {}
    for x, point in zip(outputs, _points(outputs, f, eval_points, "Lop"), strict=True):
        seeds[x] = seeds[x] + point if x in seeds else point
    wanted = as_list(wrt, "Lop")
    return as_given(gradients_of(seeds, wanted, consider_constant, disconnected_inputs), wrt)


@test_values_off()
def Rop(  # noqa: N802 - Theano's name
    f: Variable | Sequence[Variable],
    wrt: Variable | Sequence[Variable],
    eval_points: Any,
    disconnected_outputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """Return the product of a Jacobian and a column vector, J v (`theano.gradient.Rop`): a jvp.

    Parameters
    ----------
    f : Variable, or list or tuple of Variable
        Floating, of any shapes.
    wrt : Variable, or list or tuple of Variable
    eval_points : Variable or array_like, or a list of them
        v: one for each of `wrt`, of its shape.
    disconnected_outputs : {'raise', 'warn', 'ignore'}
        What happens for one of `f` that depends on nothing of `wrt`.
    return_disconnected : {'zero', 'none', 'disconnected'}
        What stands for its derivative, as in `grad`.

    Returns
    -------
    Variable, list or tuple
        Of the shapes of `f`, as it was given: the derivatives along v.

    Raises
    ------
    ShapeError, DTypeError
        If the points do not fit `wrt`.
    DisconnectedInputError
        If one of `f` depends on nothing of `wrt`.

    Notes
    -----
    Computing it costs about as much as computing `f`.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> Rop(x.prod(), x, [1.0, 10.0]).eval({x: [3.0, 4.0]})
    array(34.)
    """
    outputs, wanted = _floating(f, "Rop"), as_list(wrt, "Rop")
    points = _points(wanted, wrt, eval_points, "Rop")
    cotangents = {x: x.type(f"cotangent of {x!r}") for x in dict.fromkeys(outputs)}
    slopes = gradients_of(cotangents, wanted, None, "ignore", "none")
    seeds: dict[Variable, Variable] = {}
    for slope, point in zip(slopes, points, strict=True):
        if slope is not None:
            seeds[slope] = seeds[slope] + point if slope in seeds else point
    wrt_cotangents = [cotangents[x] for x in outputs]
    found = gradients_of(seeds, wrt_cotangents, None, disconnected_outputs, return_disconnected)
    # What is left of the cotangents is their shapes.
    present = [x for x in found if x is not None]
    cleaned = iter(clone_replace(present, {u: zeros_like(x) for x, u in cotangents.items()}))
    return as_given([None if x is None else next(cleaned) for x in found], f)


@test_values_off()
def jacobian(
    expression: Variable,
    wrt: Variable | Sequence[Variable],
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the matrix of first derivatives (`theano.gradient.jacobian`).

    Parameters
    ----------
    expression : Variable
        Floating, of any shape.
    wrt : Variable, or list or tuple of Variable
    consider_constant, disconnected_inputs
        As in `grad`.

    Returns
    -------
    Variable, list or tuple
        For each of `wrt`, as it was given: of the shape of `expression` followed by that of the variable;
        the element ``[i, j]`` is ``dexpression[i]/dwrt[j]``.

    Raises
    ------
    DTypeError
        If the expression is not floating.
    DisconnectedInputError
        If the expression does not depend on a variable.

    Notes
    -----
    All rows are computed at once: the vjp of one row, vectorized over the rows.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> jacobian(x**2, x).eval({x: [3.0, 4.0]})
    array([[6., 0.],
           [0., 8.]])
    """
    (output,) = _floating(expression, "jacobian")
    wanted = as_list(wrt, "jacobian")
    if not output.ndim:
        return as_given(grad(output, wanted, consider_constant, disconnected_inputs, add_names=False), wrt)
    row = output.type("row")
    slopes = gradients_of({output: row}, wanted, consider_constant, disconnected_inputs)
    shape = extents(output)
    count = product(shape)
    places = arange(count)
    unit = cast(eq(dimshuffle(places, 0, "x"), dimshuffle(places, "x", 0)), output.dtype)
    rows = vectorize([x for x in slopes if x is not None], {row: reshape(unit, (count, *shape))})
    clean = clone_replace(rows, {row: zeros_like(output)})  # what is left of it is its shape
    return as_given(
        [reshape(each, (*shape, *extents(x))) for each, x in zip(clean, wanted, strict=True)], wrt
    )


def hessian(
    cost: Variable,
    wrt: Variable | Sequence[Variable],
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the matrix of second derivatives (`theano.gradient.hessian`).

    Parameters
    ----------
    cost : scalar Variable
        Floating.
    wrt : Variable, or list or tuple of Variable
        Of any shapes.
    consider_constant, disconnected_inputs
        As in `grad`.

    Returns
    -------
    Variable, list or tuple
        For each of `wrt`, as it was given: of its shape twice; the element ``[i, j]`` is
        ``d2cost/dwrt[i]dwrt[j]``. Derivatives across two variables are not in it: `jacobian` of a gradient
        gives them.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> hessian(x.prod(), x).eval({x: [3.0, 4.0]})
    array([[0., 1.],
           [1., 0.]])
    """
    wanted = as_list(wrt, "hessian")
    slopes = grad(cost, wanted, consider_constant, disconnected_inputs, add_names=False)
    # A cost that is linear has a Hessian too, of zeros.
    rows = [jacobian(g, x, consider_constant, "ignore") for g, x in zip(slopes, wanted, strict=True)]
    return as_given(rows, wrt)


def hessian_vector_product(
    cost: Variable,
    wrt: Variable | Sequence[Variable],
    p: Any,
    consider_constant: Constants = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the product of the Hessian and a vector, without the Hessian.

    Parameters
    ----------
    cost : scalar Variable
        Floating.
    wrt : Variable, or list or tuple of Variable
    p : Variable or array_like, or a list of them
        The vector: one part for each of `wrt`, of its shape.
    consider_constant, disconnected_inputs
        As in `grad`.

    Returns
    -------
    Variable, list or tuple
        Of the shapes of `wrt`, as it was given; derivatives across two of `wrt` are in it.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> hessian_vector_product(x.prod(), x, [1.0, 10.0]).eval({x: [3.0, 4.0]})
    array([10.,  1.])
    """
    wanted = as_list(wrt, "hessian_vector_product")
    slopes = grad(cost, wanted, consider_constant, disconnected_inputs, add_names=False)
    points = _points(wanted, wrt, p, "hessian_vector_product")
    # The Hessian is symmetric: the row vector times it is it times the column vector.
    return as_given(Lop(slopes, wanted, points, consider_constant, "ignore"), wrt)


def subgraph_grad(
    wrt: Sequence[Variable],
    end: Sequence[Variable],
    start: Mapping[Variable, Any] | None = None,
    cost: Variable | None = None,
    details: bool = False,
) -> Any:
    """Return gradients through a part of a graph (`theano.gradient.subgraph_grad`).

    Parameters
    ----------
    wrt : sequence of Variable
        With respect to what gradients are wanted.
    end : sequence of Variable
        Where the walk back ends.
    start : mapping of Variable to Variable or array_like, optional
        Variables where it starts, and their gradients: those that an earlier call gave for its `end`.
    cost : scalar Variable, optional
        A cost of this part, which is added to what starts.
    details : bool
        Whether to return too, for `end`, which part is due to `start` and which to `cost`.

    Returns
    -------
    tuple of lists of Variable
        The gradients with respect to `wrt`, and to `end`; zeros where nothing depends on a variable. With
        `details`: and of `end` due to `start`, and due to `cost`.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.types import TensorType
    >>> x, w = TensorType("float64", ())("x"), TensorType("float64", ())("w")
    >>> hidden = x**2
    >>> (by_w,), (by_hidden,) = subgraph_grad([w], [hidden], cost=hidden * w)
    >>> (by_x,), _ = subgraph_grad([x], [x], start={hidden: by_hidden})
    >>> by_x.eval({x: 3.0, w: 5.0})
    array(30.)
    """
    wanted = [*wrt, *end]
    started = {x: like(gradient, x, "subgraph_grad: start") for x, gradient in (start or {}).items()}
    due_to_start = gradients_of(started, wanted, end, "ignore")
    due_to_cost = gradients_of({} if cost is None else {cost: ones_like(cost)}, wanted, end, "ignore")
    both = [one + other for one, other in zip(due_to_start, due_to_cost, strict=True)]
    count = len(wrt)
    parts = (due_to_start[count:], due_to_cost[count:]) if details else ()
    return (both[:count], both[count:], *parts)


def _floating(f: Any, name: str) -> list[Variable]:
    outputs = as_list(f, name, "f")
    for x in outputs:
        if not x.type.is_float:
            raise DTypeError(
                f"{name}: argument `f`", expected="floating variables", actual=f"{x!r} of type {x.type}"
            )
    return outputs


def _points(variables: Sequence[Variable], given: Any, points: Any, name: str) -> list[Variable]:
    """Return what is given for each of the variables, which were given alone or as a list."""
    values = list(points) if isinstance(given, list | tuple) else [points]
    if len(values) != len(variables):
        raise ShapeError(
            f"{name}: the number of points",
            expected=f"{len(variables)}, one a variable",
            actual=str(len(values)),
        )
    return [like(value, x, name) for value, x in zip(values, variables, strict=True)]
