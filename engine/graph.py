"""The graph: variables, applies, ops, and the walks over them.

An `Apply` joins an `Op` with its input variables and makes its output variables. Graphs only ever grow:
rewriting makes new nodes. All walks are iterative, so that depth is no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, GraphError
from arignote.engine.operators import TensorOperators
from arignote.engine.origin import Origin, user_line
from arignote.engine.types import Shape, TensorType, constant_array


class Op:
    """What a node computes; an equal op on equal inputs is the same node.

    Subclasses are frozen dataclasses whose fields are the op's parameters. An op states its type and shape
    inference, its meaning in NumPy, and its derivative.
    """

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        """Return the output types for input types.

        Written once and used twice: while the graph is built, where extents may be unknown, and when
        shapes are there, where all of them are integers.

        Parameters
        ----------
        types : sequence of TensorType
            One an input.
        values : sequence of int or None
            The value of each input that is an integer scalar and known already, such as an extent of a
            reshape; None for all others.
        """
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs for input arrays: the meaning of the op, against which kernels are tested."""
        raise NotImplementedError(f"{type(self).__name__}.perform")

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        """Return the gradient of a cost with respect to each input, given those with respect to the outputs.

        None stands for no gradient: at an input, that the outputs do not depend on it differentiably.
        """
        raise NotImplementedError(f"{type(self).__name__}.vjp")

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        """Return the outputs for inputs of which some have a batch axis in front: see `vectorize`.

        Parameters
        ----------
        inputs : sequence of Variable
        is_batched : sequence of bool
            For each input, whether it has a batch axis; at least one has.

        Returns
        -------
        sequence of Variable, or None
            The outputs with a batch axis in front, or without one where nothing of the batch is in them. None
            if the op has no rule for these inputs.
        """
        return None

    @property
    def title(self) -> str:
        """The name of the op for people: its class."""
        return type(self).__name__

    #: The inputs whose integer values decide the shape of the outputs.
    shape_inputs: tuple[int, ...] | slice = ()

    def apply(self, *inputs: Any) -> tuple[Variable, ...]:
        """Make a node and return its outputs; inputs that are no variables become constants."""
        return Apply(self, [as_variable(x) for x in inputs]).outputs

    def __call__(self, *inputs: Any) -> Variable:
        """Make a node and return its first output."""
        return self.apply(*inputs)[0]


class Variable(TensorOperators):
    """An array that has no value yet: an input, or an output of a node.

    Parameters
    ----------
    type : TensorType
    owner : Apply, optional
        The node that computes it; None for an input.
    index : int
        Which output of the owner it is.
    name : str, optional
    """

    def __init__(
        self, type: TensorType, owner: Apply | None = None, index: int = 0, name: str | None = None
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name = name
        self.tag = SimpleNamespace()
        self._compiled: dict[tuple[Variable, ...], Callable[..., Any]] | None = None

    @property
    def compiled(self) -> dict[tuple[Variable, ...], Callable[..., Any]]:
        """The functions that `eval` has made, by the inputs they take."""
        if self._compiled is None:
            self._compiled = {}
        return self._compiled

    def __getstate__(self) -> dict[str, Any]:
        from arignote.engine.pickling import NodesFirst, is_in_order

        state = {**self.__dict__, "_compiled": None}
        if self.owner is None or is_in_order():
            return state
        return {"nodes": NodesFirst(walk([self])), **state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state.pop("nodes", None)
        self.__dict__.update(state)

    def clone(self, name: str | None = None) -> Variable:
        """Return an input of the same type, with the same name and tag."""
        made = self.type(name or self.name)
        made.tag = SimpleNamespace(**vars(self.tag))
        return made

    @property
    def dtype(self) -> str:
        """The dtype's name."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each dimension, whether it is statically 1."""
        return self.type.broadcastable

    @property
    def static_shape(self) -> Shape:
        """What is known of the shape before there is a value."""
        return self.type.shape

    @property
    def origin(self) -> Origin | None:
        """The user's line that made it."""
        return self.owner.origin if self.owner is not None else None

    def eval(self, inputs: Mapping[Variable, Any] | None = None) -> np.ndarray:
        """Compute the value, given those of the inputs.

        The compiled function is kept: the next call with the same inputs compiles nothing.

        Examples
        --------
        >>> import arignote.compile
        >>> x = TensorType("float64", (None,))("x")
        >>> (x * 2).eval({x: [1.0, 2.0]})
        array([2., 4.])
        """
        if _evaluator is None:
            raise GraphError("eval", expected="`import arignote`, which brings the compiler")
        return _evaluator(self, dict(inputs or {}))

    def __repr__(self) -> str:
        return self.name or f"<{self._describe()} {self.type}>"

    def _describe(self) -> str:
        return "input" if self.owner is None else op_name(self.owner.op)

    def __bool__(self) -> bool:
        # As in Theano: `if input:` asks whether there is a variable, `if x > 0:` cannot be answered.
        if self.owner is None or self.dtype != "bool":
            return True
        raise DTypeError(
            "a symbolic variable has no truth value",
            actual=repr(self),
            fix="use arignote.tensor.switch(condition, a, b), or eq(a, b) to compare values",
        )


class Constant(Variable):
    """A variable whose value never changes.

    Parameters
    ----------
    value : number or array
        Copied and made read-only.
    """

    def __init__(self, value: Any, name: str | None = None) -> None:
        array = np.array(constant_array(value), order="C")
        array.flags.writeable = False
        super().__init__(TensorType(str(array.dtype), array.shape), name=name)
        self.value = array

    def __repr__(self) -> str:
        return self.name or (str(self.value) if self.value.ndim == 0 else f"<constant {self.type}>")


class Apply:
    """A node: an op on its inputs.

    Parameters
    ----------
    op : Op, or with `outputs` an `arignote.Op`
    inputs : sequence of Variable
    outputs : sequence of Variable, optional
        Of the types that a user's op declares; the node makes its own like them.

    Raises
    ------
    GraphError
        What the op's inference raises, with the user's line.
    """

    __slots__ = ("inputs", "op", "origin", "outputs")

    def __init__(
        self, op: Any, inputs: Sequence[Variable], outputs: Sequence[Variable] | None = None
    ) -> None:
        self.op: Op = op if outputs is None else op.declaring(outputs)
        self.inputs = tuple(inputs)
        self.origin = user_line()
        try:
            types = self.op.infer([x.type for x in self.inputs], [known_integer(x) for x in self.inputs])
        except GraphError as error:
            error.origin = error.origin or self.origin
            raise
        names = [None] * len(types) if outputs is None else [x.name for x in outputs]
        self.outputs = tuple(Variable(kind, self, i, names[i]) for i, kind in enumerate(types))
        if config.compute_test_value != "off":
            from arignote.engine.testvalue import compute_test_values

            compute_test_values(self)

    @property
    def shape_places(self) -> range | tuple[int, ...]:
        """The places of the inputs whose integer values decide the shape of the outputs."""
        places = self.op.shape_inputs
        return range(len(self.inputs))[places] if isinstance(places, slice) else places

    def __repr__(self) -> str:
        return f"{op_name(self.op)}({', '.join(map(repr, self.inputs))})"


def op_name(op: Op) -> str:
    """Return the name of an op for people."""
    return op.title


_evaluator: Callable[[Variable, dict[Variable, Any]], np.ndarray] | None = None


def register_evaluator(evaluate: Callable[[Variable, dict[Variable, Any]], np.ndarray]) -> None:
    """Tell `Variable.eval` how to compute; the compiler calls this, since the graph does not know it."""
    global _evaluator
    _evaluator = evaluate


def as_variable(x: Any, name: str | None = None) -> Variable:
    """Return a variable as it is, anything else as a constant (`theano.tensor.as_tensor_variable`).

    Raises
    ------
    DTypeError
        If it is not made of numbers.
    """
    if isinstance(x, Variable):
        return x
    if isinstance(x, list | tuple) and any(isinstance(entry, Variable) for entry in x):
        from arignote.engine.ops.join import stacklists

        return stacklists(x)
    return Constant(x, name=name)


def known_integer(x: Variable) -> int | None:
    """Return the value of a constant integer scalar, None for anything else."""
    if isinstance(x, Constant) and x.ndim == 0 and x.type.is_integer:
        return int(x.value)
    return None


def _all_inputs(node: Apply) -> Sequence[Variable]:
    return node.inputs


def walk(
    outputs: Iterable[Variable],
    stop: Iterable[Variable] = (),
    inputs_of: Callable[[Apply], Sequence[Variable]] = _all_inputs,
) -> list[Apply]:
    """Return the nodes that the outputs depend on, every node behind those it needs.

    Parameters
    ----------
    outputs : iterable of Variable
    stop : iterable of Variable
        Variables behind which the walk does not go.
    inputs_of : callable, optional
        The inputs of a node that it follows; all of them by default.
    """
    order: list[Apply] = []
    done: set[Apply] = set()
    stopped = set(stop)
    pending = [(x.owner, False) for x in reversed(list(outputs)) if x.owner is not None and x not in stopped]
    while pending:
        node, expanded = pending.pop()
        if expanded:
            order.append(node)
        elif node not in done:
            done.add(node)
            pending.append((node, True))
            pending.extend(
                (x.owner, False)
                for x in reversed(inputs_of(node))
                if x.owner is not None and x.owner not in done and x not in stopped
            )
    return order


def ancestors(outputs: Iterable[Variable]) -> list[Variable]:
    """Return all variables that the outputs depend on, themselves included, inputs first where possible."""
    outputs = list(outputs)
    found: dict[Variable, None] = {}
    for node in walk(outputs):
        found.update(dict.fromkeys(node.inputs))
        found.update(dict.fromkeys(node.outputs))
    found.update(dict.fromkeys(outputs))
    return list(found)


def graph_inputs(outputs: Iterable[Variable]) -> list[Variable]:
    """Return the variables without an owner that the outputs depend on, constants included."""
    return [x for x in ancestors(outputs) if x.owner is None]


def rebuild(node: Apply, inputs: Sequence[Variable]) -> tuple[Variable, ...]:
    """Return the node's outputs on other inputs; the node's own outputs where nothing changed."""
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node.outputs
    from arignote.engine.origin import inherit

    with inherit(node.origin):
        outputs = Apply(node.op, inputs).outputs
    for new, old in zip(outputs, node.outputs, strict=True):
        new.name = old.name
        new.tag = old.tag
    return outputs


def clone_replace(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """Return the outputs with variables replaced by others (`theano.clone`).

    Raises
    ------
    DTypeError
        If a replacement has another dtype or rank than what it replaces.
    """
    for old, new in replace.items():
        if old.dtype != new.dtype or old.ndim != new.ndim:
            raise DTypeError(f"replacement of {old!r}", expected=str(old.type), actual=str(new.type))
    mapping = dict(replace)
    for node in walk(outputs, stop=replace):
        rebuilt = rebuild(node, [mapping.get(x, x) for x in node.inputs])
        for before, after in zip(node.outputs, rebuilt, strict=True):
            mapping.setdefault(before, after)
    return [mapping.get(x, x) for x in outputs]
