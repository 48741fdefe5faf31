"""What `function` makes: an expression that one can call."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal
from weakref import WeakSet

import numpy as np

from arignote.compile.bound import Bound
from arignote.compile.build import check_update
from arignote.compile.explain import explained
from arignote.compile.io import In
from arignote.compile.mode import ModeName
from arignote.compile.profile import Profile
from arignote.compile.stages import Native, Stage, split, value_of
from arignote.compile.watch import Debug, NanGuard
from arignote.engine.errors import DTypeError, GraphError
from arignote.engine.evaluate import Compute, evaluate, perform
from arignote.engine.graph import Variable, ancestors, clone_replace, walk
from arignote.engine.pickling import NodesFirst
from arignote.engine.rewrite import Rule
from arignote.engine.shared import SharedVariable, conform
from arignote.engine.structure import FunctionGraph
from arignote.engine.trim import simplify

#: How outputs are returned: not at all, one, as a list, or by these names.
Returns = Literal["nothing", "one", "list"] | tuple[str, ...]


class Function:
    """A compiled expression; made by `function`.

    Called with the values of the inputs, in order or by name, it returns the outputs as new arrays: one, a
    list, a dict, or None, as `function` was told. Calls from several threads take turns.

    Attributes
    ----------
    name : str or None
    profile : Profile or None
        The times, if it was compiled with ``profile=True``.
    """

    def __init__(
        self,
        inputs: Sequence[In],
        outputs: Sequence[Variable],
        updates: Sequence[tuple[SharedVariable, Variable]],
        *,
        returns: Returns,
        mode: ModeName,
        name: str | None,
        profile: bool,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.name = name
        self.profile = Profile() if profile else None
        self._arguments = list(inputs)
        self._inputs = [each.variable for each in inputs]
        self._defaults = {
            place: conform(each.value, each.variable.type, f"In: value of {each!r}", copy=True)
            for place, each in enumerate(inputs)
            if each.value is not None
        }
        self._returns, self._mode = returns, mode
        expressions = [*outputs, *(new for _, new in updates)]
        self._written, self._rules = expressions, tuple(rules)
        if mode != "reference":
            with (self.profile or Profile()).stage("rewrite"):
                expressions = simplify(expressions, rules)
        self._outputs, news = expressions[: len(outputs)], expressions[len(outputs) :]
        self._updates = [(variable, new) for (variable, _), new in zip(updates, news, strict=True)]
        self._prepare()

    def _prepare(self) -> None:
        """Make what is derived from the graph, or belongs to this process."""
        self._dtypes = [np.dtype(x.dtype) for x in self._inputs]
        self._lock = threading.Lock()
        _functions.add(self)
        self._plan()

    def _plan(self) -> None:
        """Make what is called; native code and arenas come with the first call."""
        # What is called knows nothing of this function: in a cycle, arenas would live until a collection.
        self._natives: list[Native] = []
        if self._mode != "compiled":
            compute: Compute = {"reference": perform, "debug": Debug(), "nan_guard": NanGuard()}[self._mode]
            if self.profile is not None:
                compute = self.profile.watched(compute)
            self._call = partial(_evaluated, self._inputs, self._outputs, self._updates, compute)
            return
        stages = split(self._outputs, self._updates, self.profile)
        if stages:
            self._call = partial(_staged, self._inputs, self._outputs, stages)
            self._natives = [native for stage in stages for native in stage.natives]
        else:
            expressions = [*self._outputs, *(new for _, new in self._updates)]
            updated = [variable for variable, _ in self._updates]
            native = Native(self._inputs, expressions, updated, self.profile)
            self._natives = [native]
            self._call = native.call

    def __getstate__(self) -> dict[str, Any]:
        """Keep the graph and the state, never native code."""
        kept = {
            key: value
            for key, value in self.__dict__.items()
            if key not in ("_dtypes", "_lock", "_call", "_natives", "_written", "_rules")
        }
        return {"nodes": NodesFirst(walk([*self._outputs, *(new for _, new in self._updates)])), **kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        del state["nodes"]
        self.__dict__.update(state)
        self._written, self._rules = [*self._outputs, *(new for _, new in self._updates)], ()
        self._prepare()

    @property
    def fgraph(self) -> FunctionGraph:
        """What it computes: the expressions as they were rewritten."""
        return FunctionGraph(self._inputs, self._outputs, self._updates)

    @property
    def written(self) -> tuple[list[Variable], Sequence[Rule]]:
        """The outputs and new values as they were written, and the further rules: see `rewrite_trace`."""
        return self._written, self._rules

    @property
    def maker(self) -> SimpleNamespace:
        """Where Theano's programs look for `fgraph`."""
        return SimpleNamespace(fgraph=self.fgraph)

    @property
    def planned(self) -> FunctionGraph | None:
        """The graph of the latest plan: its extents are numbers, and it tells which nodes share a loop.

        A function that has not been called, or is cut into stages, has none.
        """
        plans = self._natives[0].built if len(self._natives) == 1 else []
        if not plans or len(plans[-1].graph.outputs) != len(self._outputs) + len(self._updates):
            return None
        built = plans[-1]
        returned = len(self._outputs)
        outputs, news = built.graph.outputs[:returned], built.graph.outputs[returned:]
        return FunctionGraph(
            [made for x in self._inputs for made, source in built.graph.sources.items() if source is x],
            outputs,
            [(variable, new) for (variable, _), new in zip(self._updates, news, strict=True)],
            {node: end for end, group in built.groups.items() for node in group},
            built.graph.sources,
        )

    def explain(self) -> str:
        """Return the plans as text: what runs, what is fused and in place, where memory is re-used.

        There is a plan for each set of shapes that the function has been called with.

        Examples
        --------
        >>> from arignote.compile import function
        >>> from arignote.engine.types import TensorType
        >>> x = TensorType("float64", (None,))("x")
        >>> f = function([x], (x * 2 + 1).sum())
        >>> print(f.explain())
        no plan yet: it is made for the shapes of a call; call the function once
        >>> f([1.0, 2.0])
        array(8.)
        >>> print(f.explain().splitlines()[2].strip())
        fuses Mul, Add, Sum
        """
        if self._mode != "compiled":
            return f"no plan: in mode {self._mode!r} the nodes run one by one"
        texts = [explained(built) for native in self._natives for built in native.built]
        return "\n\n".join(texts) or (
            "no plan yet: it is made for the shapes of a call; call the function once"
        )

    def _repr_html_(self) -> str:
        """Return the interactive picture that Jupyter shows."""
        from arignote.engine.printing import draw

        return draw(self)._repr_html_()

    def __repr__(self) -> str:
        return f"<function {self.name or ''}({', '.join(map(repr, self._inputs))})>"

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Compute the outputs, and apply the updates.

        Raises
        ------
        TypeError
            For a wrong number of arguments, or an unknown name.
        DTypeError, ShapeError
            For a value that does not fit its input.
        GraphError
            What an op raises, with the line that made it. No shared variable has changed then.
        """
        if named or len(args) != len(self._dtypes):
            args = self._ordered(args, named)
        arrays = list(args)
        for place, dtype in enumerate(self._dtypes):
            value = arrays[place]
            if type(value) is not np.ndarray or value.dtype is not dtype or not value.flags.carray:
                arrays[place] = self._conformed(place, value)
        try:
            with self._lock:
                results = self._call(arrays)
        except GraphError as error:  # it names the user's line; what is further in helps nobody
            raise error.with_traceback(None) from None
        return results[0] if self._returns == "one" else self._returned(results)

    def _returned(self, results: list[np.ndarray]) -> Any:
        """Return the results in the form that `function` was told."""
        if self._returns == "list":
            return results
        if isinstance(self._returns, tuple):
            return dict(zip(self._returns, results, strict=True))
        return results[0] if self._returns == "one" else None

    def bind(self, *args: Any, **named: Any) -> Bound:
        """Return the call with these arrays, for loops that fill them again and again.

        A bound call reads what the arrays hold when it is called, and returns the same result arrays, written
        anew, every time. It takes about half the time of a call, which matters for functions of a few
        microseconds.

        Parameters
        ----------
        *args, **named
            As for a call. Arrays must have the input's dtype and be C-contiguous and aligned, since they are
            kept, not copied; scalars and lists become arrays of their own, see `Bound.arguments`.

        Returns
        -------
        Bound
            To be called without arguments.

        Raises
        ------
        DTypeError
            For an array that would have to be converted.
        TypeError, ShapeError
            As for a call.

        Examples
        --------
        >>> from arignote.compile import function
        >>> from arignote.engine.types import TensorType
        >>> x = TensorType("float64", (None,))("x")
        >>> buffer = np.zeros(3)
        >>> doubled = function([x], 2 * x).bind(buffer)
        >>> for value in range(3):
        ...     buffer[:] = value
        ...     print(doubled())
        [0. 0. 0.]
        [2. 2. 2.]
        [4. 4. 4.]
        """
        arrays = list(self._ordered(args, named))
        for place, value in enumerate(arrays):
            arrays[place] = self._conformed(place, value)
            if isinstance(value, np.ndarray) and arrays[place] is not value:
                raise DTypeError(
                    f"bind: argument {place} of {self!r}",
                    expected=f"a C-contiguous, aligned array of {self._dtypes[place]}",
                    actual=f"dtype {value.dtype}, strides {value.strides}, shape {value.shape}",
                    fix="bind a converted copy, np.ascontiguousarray(value, dtype), and fill that",
                )
        return Bound(self, arrays)

    def copy(
        self,
        share_memory: bool = False,
        swap: Mapping[SharedVariable, SharedVariable] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: bool = False,
    ) -> Function:
        """Return another function of the same expressions.

        Parameters
        ----------
        share_memory : bool
            Without effect: a function has its own memory for what it computes on the way.
        swap : dict, optional
            Shared variables, and others of the same type that stand for them.
        delete_updates : bool
            Whether it leaves shared variables as they are.
        name : str, optional
            By default the same.
        profile : bool
            Measure every step.

        Raises
        ------
        DTypeError
            If a shared variable is swapped for something else, or is not used.

        Examples
        --------
        >>> from arignote.compile import function
        >>> from arignote.engine.shared import shared
        >>> here, there = shared(1.0), shared(10.0)
        >>> count = function([], here, updates=[(here, here + 1)])
        >>> count_there = count.copy(swap={here: there})
        >>> float(count_there()), float(there.get_value()), float(here.get_value())
        (10.0, 11.0, 1.0)
        """
        swapped = dict(swap or {})
        expressions = [*self._outputs, *(new for _, new in self._updates)]
        used = {*ancestors(expressions), *(variable for variable, _ in self._updates)}
        for old, new in swapped.items():
            if not isinstance(new, SharedVariable) or old not in used or old.type != new.type:
                raise DTypeError(
                    f"copy: swap of {old!r}",
                    expected=f"a shared variable of the function, and one of its type {old.type}",
                    actual=f"{old!r} and {new!r}",
                )
        expressions = clone_replace(expressions, swapped)
        targets = [swapped.get(variable, variable) for variable, _ in self._updates]
        updates = zip(targets, expressions[len(self._outputs) :], strict=True)
        return Function(
            self._arguments,
            expressions[: len(self._outputs)],
            [] if delete_updates else list(updates),
            returns=self._returns,
            mode=self._mode,
            name=name or self.name,
            profile=profile,
        )

    def free(self) -> None:
        """Give back the memory for what is computed on the way; the next call takes it anew."""
        with self._lock:
            self._plan()

    def _ordered(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Put arguments that are given by name in their places, and defaults where none is given."""
        values = dict(enumerate(args))
        for name, value in named.items():
            places = [place for place, each in enumerate(self._arguments) if each.keyword == name]
            if len(places) != 1 or places[0] in values:
                problem = {0: "no input of that name", 1: "given twice"}.get(len(places), "of several inputs")
                raise TypeError(f"{self!r}: argument {name!r}: {problem}; the inputs are {self._inputs}")
            values[places[0]] = value
        values = {**self._defaults, **values}
        if len(args) > len(self._inputs) or len(values) < len(self._inputs):
            missing = [x for place, x in enumerate(self._inputs) if place not in values]
            raise TypeError(
                f"{self!r} takes {len(self._inputs)} arguments, {len(args) + len(named)} given"
                + (f"; missing: {missing}" if missing else "")
            )
        return tuple(values[place] for place in range(len(self._inputs)))

    def _conformed(self, place: int, value: Any) -> np.ndarray:
        given = self._arguments[place]
        x, where = given.variable, f"argument {place} of {self!r}: input {given!r}"
        if given.strict and (not isinstance(value, np.ndarray) or value.dtype != x.dtype):
            raise DTypeError(
                where, expected=f"an array of {x.dtype}, since strict=True",
                actual=str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__,
            )  # fmt: skip
        return conform(value, x.type, where, downcast=given.allow_downcast)


_functions: WeakSet[Function] = WeakSet()


def _renew_interrupted() -> None:
    """Make anew, in the child of a fork, the functions that other threads of the parent were calling.

    Those threads are not in the child: their locks would never be released, nor their programs finished.
    """
    for called in list(_functions):
        if called._lock.locked():
            called._prepare()


os.register_at_fork(after_in_child=_renew_interrupted)


def _staged(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    stages: Sequence[Stage],
    arrays: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Compute the outputs and apply the updates, stage by stage."""
    values = dict(zip(inputs, arrays, strict=True))
    for stage in stages:
        stage.run(values)
    # A value may be returned twice, or be an argument: every result is an array of its own.
    return [np.array(value_of(x, values)) for x in outputs]


def _evaluated(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Variable]],
    compute: Compute,
    arrays: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Compute the outputs node by node, and apply the updates."""
    for x, array in zip(inputs, arrays, strict=True):
        if not x.type.admits(array.shape):
            conform(array, x.type, f"function: input {x!r}")
    news = [new for _, new in updates]
    results = evaluate([*outputs, *news], dict(zip(inputs, arrays, strict=True)), compute)
    returned, values = results[: len(outputs)], results[len(outputs) :]
    for (variable, _), value in zip(updates, values, strict=True):
        check_update(variable, value.shape)
    returned = [np.array(value, order="C") for value in returned]
    for (variable, _), value in zip(updates, values, strict=True):
        variable.set_value(value)
    return returned
