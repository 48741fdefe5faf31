"""`function`: from expressions to something one can call."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from arignote.compile.compiled import Function, Returns
from arignote.compile.io import In, Out
from arignote.compile.mode import Mode, resolve
from arignote.engine.blame import entry_of
from arignote.engine.config import config
from arignote.engine.errors import (
    DTypeError,
    MissingInputError,
    ShapeError,
    UnusedInputError,
    short_traceback,
)
from arignote.engine.graph import (
    Constant,
    Variable,
    ancestors,
    as_variable,
    clone_replace,
    register_evaluator,
)
from arignote.engine.ops.elementwise import cast
from arignote.engine.rewrite import Rule
from arignote.engine.shared import SharedVariable
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import upcast

Pairs = Mapping[Any, Any] | Iterable[tuple[Any, Any]]


def function(
    inputs: Sequence[Variable | In],
    outputs: Any = None,
    mode: str | Mode | None = None,
    updates: Pairs | None = None,
    givens: Pairs | None = None,
    no_default_updates: bool | Sequence[SharedVariable] = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: bool | None = None,
    on_unused_input: str | None = None,
    rules: Sequence[Rule] = (),
) -> Function:
    """Compile expressions into a function (`theano.function`).

    Parameters
    ----------
    inputs : sequence of Variable or In
        What the function is called with.
    outputs : Variable, sequence of Variable, dict of them by name, or None; each may be an Out
        What it returns: an array, a list of arrays, a dict of arrays, or None.
    mode : {'compiled', 'reference', 'debug', 'nan_guard'} or Mode, optional
        'compiled' (the default, also 'FAST_RUN') runs native kernels; 'reference' (also 'FAST_COMPILE') runs
        each op in NumPy; 'debug' ('DebugMode') runs both, node by node, and names the first op that differs;
        'nan_guard' ('NanGuardMode') names the first op that is given or makes a NaN or an infinity.
        By default `config.mode`.
    updates : dict, or sequence of pairs
        For shared variables, the expressions of their new values. All are computed from the old values; a
        call that fails changes none.
    givens : dict, or sequence of pairs
        Variables, shared ones and those inside of the graph included, and what stands for them in the
        outputs and updates.
    no_default_updates : bool, or sequence of SharedVariable
        Leave out the default updates of all shared variables, such as the states of random streams, or of
        these.
    accept_inplace : bool
        Without effect: no op works in place.
    name : str, optional
        For messages.
    rebuild_strict : bool
        With False, a given may lose precision to fit the dtype of its variable.
    allow_input_downcast : bool, optional
        Whether arguments may lose precision: yes, no, or (None) only Python floats.
    profile : bool, optional
        Measure every step: see `Function.profile`. By default `config.profile`.
    on_unused_input : {'raise', 'warn', 'ignore'}, optional
        What happens for an input that nothing depends on. By default `config.on_unused_input`.
    rules : sequence of Rule
        Rewrites of one's own, tried before the built-in ones: see `arignote.rewriting`.

    Returns
    -------
    Function

    Raises
    ------
    MissingInputError
        If the expressions need a variable that is no input.
    UnusedInputError
        For an input that nothing depends on.
    DTypeError, ShapeError
        For an update or a given that does not fit its variable.

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> square = function([x], x**2)
    >>> square([1.0, 2.0, 3.0])
    array([1., 4., 9.])
    >>> function([x], {"square": x**2, "sum": x.sum()})([1.0, 2.0])["sum"]
    array(3.)
    """
    with short_traceback(), test_values_off():
        arguments = _arguments(inputs, allow_input_downcast)
        returns, expressions = _returned(outputs)
        new_values = _updates(updates)
        replace = {
            as_variable(old): _given(as_variable(old), new, rebuild_strict)
            for old, new in _pairs(givens, "givens")
        }
        every = [*expressions, *new_values.values()]
        if no_default_updates is not True:
            left_out = set(no_default_updates or ())
            for x in ancestors([*every, *replace.values()]):
                update = x.default_update if isinstance(x, SharedVariable) and x not in left_out else None
                if update is not None:
                    new_values.setdefault(x, update)
            every = [*expressions, *new_values.values()]
        every = clone_replace(every, replace)
        variables = [each.variable for each in arguments]
        _check_inputs(variables, every, on_unused_input or config.on_unused_input)
        # An input may stand inside of the graph: what computes it is cut off.
        cut = {x: Variable(x.type, name=x.name) for x in variables if x.owner is not None}
        every = clone_replace(every, dict(cut))
        return Function(
            [dataclasses.replace(each, variable=cut.get(each.variable, each.variable)) for each in arguments],
            every[: len(expressions)],
            list(zip(new_values, every[len(expressions) :], strict=True)),
            returns=returns,
            mode=resolve(mode),
            name=name,
            profile=config.profile if profile is None else bool(profile),
            rules=rules,
        )


def _arguments(inputs: Any, allow_downcast: bool | None) -> list[In]:
    if not isinstance(inputs, list | tuple):
        raise DTypeError(
            "function: inputs", expected="a list of variables", actual=repr(inputs), fix=f"write [{inputs!r}]"
        )
    arguments = [each if isinstance(each, In) else In(each) for each in inputs]
    for place, each in enumerate(arguments):
        if not isinstance(each.variable, Variable) or isinstance(each.variable, Constant | SharedVariable):
            raise DTypeError(
                f"function: input {place}", expected="a variable such as matrix('x')", actual=repr(each),
                fix="shared variables and constants are found by themselves: leave them out",
            )  # fmt: skip
    if len({each.variable for each in arguments}) < len(arguments):
        raise DTypeError("function: inputs", expected="each variable once", actual=repr(inputs))
    return [
        each if each.allow_downcast is not None else dataclasses.replace(each, allow_downcast=allow_downcast)
        for each in arguments
    ]


def _returned(outputs: Any) -> tuple[Returns, list[Variable]]:
    """Return how the outputs are returned, and their expressions."""
    returns: Returns
    if isinstance(outputs, Mapping):
        if not all(isinstance(key, str) for key in outputs):
            raise DTypeError("function: outputs", expected="strings as keys", actual=repr(outputs))
        returns, given = tuple(outputs), list(outputs.values())
    elif isinstance(outputs, list | tuple):
        returns, given = "list", list(outputs)
    else:
        returns, given = ("nothing", []) if outputs is None else ("one", [outputs])
    return returns, [as_variable(x.variable if isinstance(x, Out) else x) for x in given]


def _pairs(pairs: Pairs | None, argument: str) -> list[tuple[Any, Any]]:
    if isinstance(pairs, set | frozenset):
        raise DTypeError(
            f"function: {argument}", expected="a dict, or a list of pairs", actual="a set, which has no order"
        )
    result = list(pairs.items() if isinstance(pairs, Mapping) else pairs or ())
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in result):
        raise DTypeError(
            f"function: {argument}", expected="a dict, or pairs (variable, expression)", actual=repr(result)
        )
    return [(old, new) for old, new in result]


def _updates(updates: Pairs | None) -> dict[SharedVariable, Variable]:
    result: dict[SharedVariable, Variable] = {}
    for variable, new in _pairs(updates, "updates"):
        if not isinstance(variable, SharedVariable):
            raise DTypeError(
                "function: updates", expected="shared variables to update", actual=repr(variable)
            )
        if variable in result:
            raise DTypeError(
                "function: updates", expected="one update a variable", actual=f"two of {variable!r}"
            )
        result[variable] = _fitted(variable, as_variable(new), f"function: update of {variable!r}")
    return result


def _given(old: Variable, new: Any, strict: bool) -> Variable:
    given = as_variable(new)
    return _fitted(old, given if strict else cast(given, old.dtype), f"function: given for {old!r}")


def _fitted(old: Variable, new: Variable, where: str) -> Variable:
    """Return an expression in the dtype of the variable it stands for, if that loses nothing."""
    if new.ndim != old.ndim:
        entry = entry_of(new, lambda x: x.ndim <= old.ndim) if new.ndim > old.ndim else ""
        raise ShapeError(
            where,
            expected=f"{old.ndim} dimensions ({old.type})",
            actual=f"{new.type}{entry and f'; {entry}'}",
            origin=new.origin,
        )
    if upcast(old.dtype, new.dtype) != old.dtype:
        entry = entry_of(new, lambda x: x.dtype != new.dtype)
        raise DTypeError(
            where,
            expected=old.dtype,
            actual=f"{new!r} of type {new.type}{entry and f'; {entry}'}",
            fix=f"cast the expression to {old.dtype}, or make what it is computed from {old.dtype} "
            "(constants such as learning rates, labels, config.floatX)",
            origin=new.origin,
        )
    return cast(new, old.dtype)


def _check_inputs(inputs: Sequence[Variable], outputs: Sequence[Variable], on_unused: str) -> None:
    used = set(ancestors(outputs))
    for x in inputs:
        if x in used or on_unused == "ignore":
            continue
        error = UnusedInputError(
            f"function: input {x!r} is not used",
            expected="inputs that an output or an update depends on",
            fix="leave it out, or pass on_unused_input='ignore'",
        )
        if on_unused == "raise":
            raise error
        import warnings

        warnings.warn(str(error), stacklevel=3)
    given = set(inputs)
    missing = []
    pending, seen = list(outputs), set()
    while pending:  # walk back, but not through the inputs
        x = pending.pop()
        if x in seen or x in given:
            continue
        seen.add(x)
        if x.owner is not None:
            pending.extend(x.owner.inputs)
        elif not isinstance(x, Constant | SharedVariable):
            missing.append(x)
    if missing:
        raise MissingInputError(
            f"function: the expressions depend on {missing[0]!r}, which is no input",
            expected=f"{missing[0]!r} of type {missing[0].type} among the inputs, or in givens",
            actual=f"inputs {list(inputs)}",
            fix=f"add it: function([..., {missing[0]!r}], ...)",
        )


def _evaluate(expression: Variable, values: dict[Variable, Any]) -> np.ndarray:
    """Compute an expression, by a function that is kept for the next time that it has the same inputs."""
    given = tuple(values)
    if given not in expression.compiled:
        expression.compiled[given] = function(list(given), expression, on_unused_input="ignore")
    result: np.ndarray = expression.compiled[given](*values.values())
    return result


register_evaluator(_evaluate)
