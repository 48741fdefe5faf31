"""Loops under Theano's names: `scan`, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, GraphError, ShapeError
from arignote.engine.graph import Variable, ancestors, as_variable, clone_replace, known_integer
from arignote.engine.inner import close, free_variables
from arignote.engine.ops.elementwise import cast, minimum, neq
from arignote.engine.ops.scan import Scan, State, promised
from arignote.engine.ops.shape import ShapeOf
from arignote.engine.shared import SharedVariable
from arignote.engine.testvalue import test_values_off
from arignote.engine.types import upcast

Updates = dict[SharedVariable, Variable]


@dataclass(frozen=True)
class Until:
    """What a step returns to end the loop; made by `until`."""

    condition: Variable


def until(condition: Any) -> Until:
    """Return what ends a loop behind the step whose condition is true (`theano.scan_module.until`).

    A step returns it behind its outputs, or behind its updates. The loop gives the values of that step too.

    Parameters
    ----------
    condition : scalar

    Examples
    --------
    >>> import arignote.compile
    >>> def double(x):
    ...     return x * 2, until(x * 2 > 50)
    >>> powers, _ = scan(double, outputs_info=as_variable(1), n_steps=100)
    >>> powers.eval()
    array([ 2,  4,  8, 16, 32, 64], dtype=int8)
    """
    test = as_variable(condition)
    if test.ndim:
        raise DTypeError("until: condition", expected="a scalar", actual=f"{test!r} of type {test.type}")
    return Until(test if test.dtype == "bool" else neq(test, 0))


@test_values_off()
def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: Any = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, Updates]:
    """Repeat a step over sequences, each time from the values of earlier steps (`theano.scan`).

    A compiled function runs the loop natively. Only what is used of the results is kept: of a loop whose last
    values alone are used, and not differentiated, nothing else.

    Parameters
    ----------
    fn : callable
        Makes the expressions of a step. It is called once, with variables for: each sequence at each of its
        taps, each output at each of its taps, and the non_sequences. It returns the outputs; or updates of
        shared variables, as a dict or as pairs; or `until(condition)`; or a tuple of these.
    sequences : variable, dict, or list of them, optional
        Step t takes row t. ``dict(input=x, taps=[-1, 0])`` takes rows t - 1 and t, the first step being the
        first for which all taps are there.
    outputs_info : list, optional
        For each output: None if no step needs earlier values of it; the value before the first step, if steps
        need the latest; or ``dict(initial=x, taps=[-2, -1])``, where the rows of `x` are the values before
        the first step, the earliest first.
    non_sequences : list, optional
        What `fn` gets unchanged in every step. Other variables that it uses are found by themselves; but what
        they are computed from belongs to the step then, random draws included.
    n_steps : int or integer scalar, optional
        By default as many as the shortest sequence has rows for.
    truncate_gradient : int
        Through how many steps, counted from the last, the gradient is followed; -1 for all.
    go_backwards : bool
        Take the sequences from their ends.
    mode, profile, allow_gc
        Accepted for Theano's programs: the function that contains the loop decides.
    name : str, optional
        For errors.
    strict : bool
        Whether using shared variables that are not in `non_sequences` is an error.
    return_list : bool
        Whether a single output is returned in a list too.

    Returns
    -------
    outputs : Variable, list of Variable, or None
        Of each output all values, those of the first step first; without the initial ones.
    updates : dict of SharedVariable to Variable
        For `function`: the values after the last step of shared variables that the steps update, states of
        random streams included.

    Raises
    ------
    DTypeError, ShapeError
        For arguments, or results of `fn`, that do not fit each other.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.ops.shape import arange
    >>> zero = as_variable(0).astype("int64")
    >>> totals, _ = scan(lambda x, total: total + x, sequences=arange(5), outputs_info=zero)
    >>> totals.eval()
    array([ 0,  1,  3,  6, 10])
    """
    label = f"scan {name}" if name else "scan"
    takes = [_Sequence.of(entry, label) for entry in _listed(sequences)]
    infos = [_Output.of(entry, place, label) for place, entry in enumerate(_listed(outputs_info))]
    given = [as_variable(x) for x in _listed(non_sequences)]
    steps, rows = _steps(takes, n_steps, go_backwards, label)

    slices = [slice_ for each in takes for slice_ in each.slices]
    values = [value for info in infos for value in info.values]
    returned = _Returned.of(fn(*slices, *values, *given), label)
    if not infos:
        infos = [_Output(None, (), [], place) for place in range(len(returned.outputs))]
    if len(infos) != len(returned.outputs):
        raise ShapeError(
            f"{label}: the step returns {len(returned.outputs)} outputs",
            expected=f"{len(infos)}, one for each entry of outputs_info",
            actual=f"{returned.outputs}",
            fix="put None into outputs_info for each output that no step needs earlier values of",
        )
    # What is given is the same in every step, however it is computed.
    opaque = {x: Variable(x.type, name=x.name) for x in given if x.owner is not None}
    made = [info.fitted(out, label) for info, out in zip(infos, returned.outputs, strict=True)]
    condition = [] if returned.condition is None else [returned.condition]
    cut = iter(clone_replace([*made, *condition, *returned.updates.values()], dict(opaque)))
    made, condition = [next(cut) for _ in made], [next(cut) for _ in condition]
    updates = _with_defaults(dict(zip(returned.updates, cut, strict=True)), [*made, *condition])
    known = [*slices, *values, *given, *opaque.values(), *updates]
    if strict:
        _check_strict(known, [*made, *condition, *updates.values()], label)

    recurrent = [(info, new) for info, new in zip(infos, made, strict=True) if info.initial is not None]
    old: dict[Variable, Variable] = {x: Variable(x.type, name=x.name) for x in updates}
    initials = [info.initial for info, _ in recurrent if info.initial is not None]
    initials += [variable.dimshuffle("x", *range(variable.ndim)) for variable in updates]
    news = [new for _, new in recurrent] + [_of_update(x, new, label) for x, new in updates.items()]
    collected = [new for info, new in zip(infos, made, strict=True) if info.initial is None]
    inner, captured = close(
        [*slices, *values, *old.values()],
        clone_replace([*promised(news, initials), *collected, *condition], old),
        lift=True,
    )
    shared = clone_replace(captured, {stand_in: x for x, stand_in in opaque.items()})
    states = [State(info.taps) for info, _ in recurrent] + [State((-1,)) for _ in updates]
    op = Scan(inner, len(slices), tuple(states), bool(condition), truncate_gradient, name or "")
    results = list(op.apply(steps, *rows, *initials, *shared))
    ran = results.pop() if condition else None

    last = {
        variable: results[place][-1 if ran is None else ran]
        for place, variable in enumerate(updates, len(recurrent))
    }
    kept, rest = iter(results[: len(recurrent)]), iter(results[len(states) :])
    outputs = [
        _behind(next(rest), 0, ran) if info.initial is None else _behind(next(kept), -min(info.taps), ran)
        for info in infos
    ]
    if return_list or len(outputs) > 1:
        return outputs, last
    return (outputs[0] if outputs else None), last


def _behind(rows: Variable, first: int, ran: Variable | None) -> Variable:
    """Return the values of the steps that ran: from a row on."""
    if ran is None:
        return rows[first:] if first else rows
    return rows[first : ran + first]


def _listed(entries: Any) -> list[Any]:
    if entries is None:
        return []
    return list(entries) if isinstance(entries, list | tuple) else [entries]


def _taps(entry: Mapping[str, Any], default: int) -> tuple[int, ...]:
    taps = entry.get("taps")
    return (default,) if taps is None else tuple(int(tap) for tap in _listed(taps))


@dataclass(frozen=True)
class _Sequence:
    """A sequence, with a variable for the row at each tap."""

    array: Variable
    taps: tuple[int, ...]
    slices: list[Variable]

    @classmethod
    def of(cls, entry: Any, label: str) -> _Sequence:
        described = entry if isinstance(entry, Mapping) else {"input": entry}
        array, taps = as_variable(described["input"]), _taps(described, 0)
        if not array.ndim:
            raise ShapeError(
                f"{label}: sequences", expected="arrays, of which each step takes a row",
                actual=f"{array!r} of type {array.type}", fix="give it as one of non_sequences",
            )  # fmt: skip
        row = array.type.with_shape(array.static_shape[1:])
        return cls(array, taps, [row(_named(array, tap)) for tap in taps])

    def rows(self, go_backwards: bool) -> list[Variable]:
        """Return, for each tap, the sequence whose row t is the one for step t."""
        first, last = min(*self.taps, 0), max(*self.taps, 0)
        result = []
        for tap in self.taps:
            rows = self.array
            if first != last:
                rows = rows[tap - first : None if tap == last else tap - last]
            result.append(rows[::-1] if go_backwards else rows)
        return result


def _named(array: Variable, tap: int) -> str | None:
    return f"{array.name}[t{tap:+d}]".replace("+0", "") if array.name else None


@dataclass(frozen=True)
class _Output:
    """An entry of outputs_info: the initial rows of a state, and a variable for the value at each tap."""

    initial: Variable | None
    taps: tuple[int, ...]
    values: list[Variable]
    place: int

    @classmethod
    def of(cls, entry: Any, place: int, label: str) -> _Output:
        described = entry if isinstance(entry, Mapping) else {"initial": entry}
        if described.get("initial") is None:
            if described.get("taps") is not None:
                raise GraphError(
                    f"{label}: outputs_info[{place}]", expected="an initial value, since it has taps",
                    actual=repr(entry), fix="write dict(initial=..., taps=...)",
                )  # fmt: skip
            return cls(None, (), [], place)
        taps = _taps(described, -1)
        if not taps or max(taps) >= 0 or len(set(taps)) < len(taps):
            raise GraphError(
                f"{label}: outputs_info[{place}]: taps",
                expected="negative numbers, each once: earlier values are all there is",
                actual=str(taps),
            )
        value = described["initial"]
        if isinstance(value, float):  # as Python writes it, without a dtype
            value = np.asarray(value, config.floatX)
        initial = as_variable(value)
        if taps == (-1,):
            initial = initial.dimshuffle("x", *range(initial.ndim))
        else:
            if not initial.ndim:
                raise ShapeError(
                    f"{label}: outputs_info[{place}]: initial",
                    expected=f"{-min(taps)} rows: the values before the first step, the earliest first",
                    actual=f"{initial!r} of type {initial.type}",
                )
            initial = initial[: -min(taps)]
        row = initial.type.with_shape(initial.static_shape[1:])
        named = as_variable(value)
        return cls(initial, taps, [row(_named(named, tap)) for tap in taps], place)

    def fitted(self, new: Variable, label: str) -> Variable:
        """Return the new value in the dtype of the initial one, if that loses nothing."""
        if self.initial is None:
            return new
        row = self.initial.type.with_shape(self.initial.static_shape[1:])
        if new.ndim != row.ndim:
            raise ShapeError(
                f"{label}: output {self.place} has {new.ndim} dimensions, its initial value {row.ndim}",
                expected=str(row),
                actual=str(new.type),
                fix="give an initial value of the shape of a step's result, such as T.zeros_like(...)"
                + ("" if self.taps == (-1,) else "; with taps, one such for each row"),
                origin=new.origin,
            )
        if upcast(new.dtype, row.dtype) != row.dtype:
            wide = upcast(new.dtype, row.dtype)
            raise DTypeError(
                f"{label}: output {self.place} is {new.dtype}, its initial value {row.dtype}",
                expected=str(row),
                actual=str(new.type),
                fix=f"cast(initial, {wide!r}), or cast the step's result to {row.dtype!r}",
                origin=new.origin,
            )
        return cast(new, row.dtype)


def _steps(
    takes: Sequence[_Sequence], n_steps: Any, go_backwards: bool, label: str
) -> tuple[Variable, list[Variable]]:
    """Return the number of steps, and the sequences, each with as many rows."""
    rows = [each for take in takes for each in take.rows(go_backwards)]
    if n_steps is None and not rows:
        raise GraphError(
            f"{label}: how many steps?", expected="sequences, or n_steps", actual="neither",
            fix="give n_steps=...",
        )  # fmt: skip
    if n_steps is not None:
        steps = as_variable(n_steps)
        if steps.ndim or not steps.type.is_integer:
            raise DTypeError(
                f"{label}: n_steps", expected="an integer", actual=f"{steps!r} of type {steps.type}",
                fix="cast(n_steps, 'int64')",
            )  # fmt: skip
        number = known_integer(steps)
        steps = cast(steps, "int64") if number is None else as_variable(np.int64(number))
    else:
        lengths = list(dict.fromkeys(_length(each) for each in rows))
        steps = lengths[0]
        for length in lengths[1:]:
            steps = minimum(steps, length)
        if len(lengths) == 1:
            return steps, rows
    return steps, [each[:steps] for each in rows]


def _length(rows: Variable) -> Variable:
    extent = rows.static_shape[0]
    return ShapeOf(0)(rows) if extent is None else as_variable(extent).astype("int64")


@dataclass(frozen=True)
class _Returned:
    """What a step returns."""

    outputs: list[Variable]
    updates: Updates
    condition: Variable | None

    @classmethod
    def of(cls, returned: Any, label: str) -> _Returned:
        """Tell apart outputs, updates and the condition."""
        found: dict[str, Any] = {}
        for entry in (
            returned if _kind(returned) is None and isinstance(returned, tuple | list) else [returned]
        ):
            kind = _kind(entry)
            if kind is None or kind in found:
                raise GraphError(
                    f"{label}: what the step returns",
                    expected="outputs, or updates, or until(condition), or a tuple of these",
                    actual=repr(returned),
                )
            found[kind] = entry
        outputs = [as_variable(x) for x in _listed(found.get("outputs"))]
        updates = {old: as_variable(new) for old, new in dict(found.get("updates", ())).items()}
        ends = found.get("until")
        return cls(outputs, updates, None if ends is None else ends.condition)


def _kind(entry: Any) -> str | None:
    """Tell whether what a step returns is 'outputs', 'updates' or 'until'; None if it is none of these."""
    if isinstance(entry, Until):
        return "until"
    if isinstance(entry, Mapping):
        return "updates" if all(isinstance(key, SharedVariable) for key in entry) else None
    if isinstance(entry, list | tuple):
        if entry and all(
            isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], SharedVariable)
            for pair in entry
        ):
            return "updates"
        return "outputs" if all(_is_value(x) for x in entry) else None
    return "outputs" if entry is None or _is_value(entry) else None


def _is_value(x: Any) -> bool:
    return isinstance(x, Variable | int | float) or hasattr(x, "__array__")


def _with_defaults(updates: Updates, outputs: Sequence[Variable]) -> Updates:
    """Return the updates with the default updates of the shared variables that a step depends on."""
    pending = [*outputs, *updates.values()]
    while pending:
        found = [x for x in ancestors(pending) if isinstance(x, SharedVariable) and x not in updates]
        pending = []
        for variable in found:
            if variable.default_update is not None:
                updates[variable] = variable.default_update
                pending.append(variable.default_update)
    return updates


def _of_update(variable: SharedVariable, new: Variable, label: str) -> Variable:
    """Return the new value of a shared variable in its dtype, if that loses nothing."""
    if new.ndim != variable.ndim or upcast(new.dtype, variable.dtype) != variable.dtype:
        raise DTypeError(
            f"{label}: update of {variable!r}",
            expected=str(variable.type),
            actual=str(new.type),
            fix=f"cast the expression to {variable.dtype!r}",
            origin=new.origin,
        )
    return cast(new, variable.dtype)


def _check_strict(known: Sequence[Variable], outputs: Sequence[Variable], label: str) -> None:
    missing = free_variables(known, outputs)
    if missing:
        raise GraphError(
            f"{label}: strict=True, and the step uses {missing[0]!r}",
            expected="nothing but what it is called with",
            actual=f"{missing[0]!r} of type {missing[0].type}",
            fix="add it to non_sequences",
        )


def map(
    fn: Callable[..., Any],
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """Apply a step to every row of sequences (`theano.map`): `scan` without states.

    Examples
    --------
    >>> import arignote.compile
    >>> squares, _ = map(lambda x: x**2, as_variable([1.0, 2.0, 3.0]))
    >>> squares.eval()
    array([1., 4., 9.])
    """
    return scan(
        fn, sequences, None, non_sequences,
        truncate_gradient=truncate_gradient, go_backwards=go_backwards, mode=mode, name=name,
    )  # fmt: skip


def reduce(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """Fold the rows of sequences into one value (`theano.reduce`): the last of each output of `scan`.

    Examples
    --------
    >>> import arignote.compile
    >>> product, _ = reduce(lambda x, y: x * y, as_variable([2.0, 3.0, 4.0]), 1.0)
    >>> float(product.eval())
    24.0
    """
    outputs, updates = scan(
        fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, mode=mode, name=name
    )
    return ([x[-1] for x in outputs] if isinstance(outputs, list) else outputs[-1]), updates


def foldl(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """Fold sequences from their beginnings (`theano.foldl`): see `reduce`."""
    return reduce(fn, sequences, outputs_info, non_sequences, mode=mode, name=name)


def foldr(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """Fold sequences from their ends (`theano.foldr`): see `reduce`."""
    return reduce(fn, sequences, outputs_info, non_sequences, go_backwards=True, mode=mode, name=name)
