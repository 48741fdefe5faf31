"""Ops that users write, in Theano's form: `make_node`, `perform` into storage, and `grad`.

An op of the library itself is an `arignote.engine.graph.Op`, which says what it is in fewer words. Here a
user's op is put into such a one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from arignote.engine.errors import DTypeError, InputError
from arignote.engine.graph import Apply, Variable, as_variable
from arignote.engine.graph import Op as GraphOp
from arignote.engine.ops.elementwise import cast
from arignote.engine.ops.shape import zeros_like
from arignote.engine.origin import user_line
from arignote.engine.shared import conform
from arignote.engine.types import TensorType
from arignote.engine.undefined import DisconnectedGradient, grad_undefined


class Op:
    """Base of ops in Theano's form (`theano.Op`); they run in Python, between native programs.

    A subclass has

    - ``make_node(self, *inputs)``, which returns ``Apply(self, inputs, outputs)`` with new variables as
      outputs; or, instead, the lists `itypes` and `otypes`;
    - ``perform(self, node, inputs, output_storage)``, which puts the array of each output into the first
      place of its entry of `output_storage`; the inputs are read-only;
    - for gradients ``grad(self, inputs, output_gradients)``, or ``L_op(self, inputs, outputs,
      output_gradients)``, which returns a variable for each input; or the result of
      `arignote.gradient.grad_undefined`, or of `DisconnectedType()`. R-operators are derived from it.
    - `__props__`, the names of the attributes that make two ops of the class equal, so that they are computed
      once; without it, and without `__eq__`, an op equals only itself.

    `infer_shape`, `c_code` and `view_map` are not used.

    Examples
    --------
    >>> import arignote.compile
    >>> class Double(Op):
    ...     __props__ = ()
    ...     def make_node(self, x):
    ...         x = as_variable(x)
    ...         return Apply(self, [x], [x.type()])
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = inputs[0] * 2
    ...     def grad(self, inputs, output_gradients):
    ...         return [output_gradients[0] * 2]
    >>> Double()(np.array([1.0, 2.0])).eval()
    array([2., 4.])
    """

    itypes: Sequence[TensorType] | None = None
    otypes: Sequence[TensorType] | None = None
    default_output: int | None = None

    def make_node(self, *inputs: Any) -> Apply:
        """Make a node, by `itypes` and `otypes`.

        Raises
        ------
        DTypeError
            If an input has another dtype or rank.
        """
        if self.itypes is None or self.otypes is None:
            raise NotImplementedError(f"{type(self).__name__}.make_node, or itypes and otypes")
        variables = [as_variable(x) for x in inputs]
        if [(x.dtype, x.ndim) for x in variables] != [(kind.dtype, kind.ndim) for kind in self.itypes]:
            raise DTypeError(
                f"{self}: inputs",
                expected=", ".join(map(str, self.itypes)),
                actual=", ".join(str(x.type) for x in variables),
            )
        return Apply(self, variables, [kind() for kind in self.otypes])

    def perform(self, node: Any, inputs: list[np.ndarray], output_storage: list[list[Any]]) -> None:
        """Compute the outputs into the storage."""
        raise NotImplementedError(f"{type(self).__name__}.perform")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Make a node; return its output, or a list where there are several or ``return_list=True``."""
        as_list = options.pop("return_list", False)
        outputs = list(self.make_node(*inputs, **options).outputs)
        if self.default_output is not None and not as_list:
            return outputs[self.default_output]
        return outputs[0] if len(outputs) == 1 and not as_list else outputs

    def declaring(self, outputs: Sequence[Variable]) -> GraphOp:
        """Return the op of the graph that computes outputs of these types.

        Theano's types know of a shape what is 1; so an op may declare ``x.type()`` and give another extent.
        """
        kinds = [x.type.with_shape(1 if extent == 1 else None for extent in x.static_shape) for x in outputs]
        return Custom(self, tuple(kinds))

    @property
    def title(self) -> str:
        """Its name for people: that of its class, or function."""
        return str(self)

    def _props(self) -> tuple[Any, ...] | None:
        names = getattr(self, "__props__", None)
        return None if names is None else tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Op):
            return NotImplemented
        return self is other or (self._props() is not None and self._props() == other._props())

    def __hash__(self) -> int:
        props = self._props()
        return object.__hash__(self) if props is None else hash((type(self), props))

    def __repr__(self) -> str:
        return type(self).__name__

    __str__ = __repr__


@dataclass(frozen=True)
class Custom(GraphOp):
    """A user's op in the graph.

    Parameters
    ----------
    op : Op
    outputs : tuple of TensorType
        As its node declared them.
    """

    op: Op = field(repr=False)
    outputs: tuple[TensorType, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """The user's op's."""
        return self.op.title

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return self.outputs

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        views = [array.view() for array in arrays]
        for view in views:
            view.flags.writeable = False
        storage: list[list[Any]] = [[None] for _ in self.outputs]
        node = SimpleNamespace(
            op=self.op,
            inputs=[TensorType(str(array.dtype), array.shape)() for array in arrays],
            outputs=[kind() for kind in self.outputs],
        )
        self.op.perform(node, views, storage)
        return tuple(
            self._checked(place, entry[0], kind)
            for place, (entry, kind) in enumerate(zip(storage, self.outputs, strict=True))
        )

    def _checked(self, place: int, value: Any, kind: TensorType) -> np.ndarray:
        where = f"{self.title}: output {place}"
        if value is None:
            raise InputError(where, expected=f"an array in output_storage[{place}][0]", actual="None")
        if isinstance(value, np.ndarray) and value.dtype != kind.dtype:
            raise DTypeError(
                where, expected=f"an array of {kind.dtype}, as its node declares", actual=str(value.dtype)
            )
        return conform(value, kind, where)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        given = [zeros_like(x) if g is None else g for x, g in zip(outputs, gradients, strict=True)]
        op: Any = self.op
        if hasattr(op, "L_op"):
            terms = op.L_op(list(inputs), list(outputs), given)
        elif hasattr(op, "grad"):
            terms = op.grad(list(inputs), given)
        else:
            return [grad_undefined(self, place, x, "no `grad`") for place, x in enumerate(inputs)]
        if len(terms) != len(inputs):
            raise InputError(
                f"{self.title}.grad", expected=f"{len(inputs)} gradients, one an input",
                actual=repr(terms), origin=user_line(),
            )  # fmt: skip
        return [self._fitted(place, x, t) for place, (x, t) in enumerate(zip(inputs, terms, strict=True))]

    def _fitted(self, place: int, x: Variable, term: Any) -> Variable | None:
        """Return a gradient that the user gave in the dtype of its input."""
        if term is None or isinstance(term, DisconnectedGradient):
            return None
        gradient = as_variable(term)
        if gradient.ndim != x.ndim:
            raise InputError(
                f"{self.title}.grad: gradient {place}", expected=f"{x.ndim} dimensions, as of {x!r}",
                actual=str(gradient.type), origin=user_line(),
            )  # fmt: skip
        return cast(gradient, x.dtype) if x.type.is_float and gradient.dtype != x.dtype else gradient


class FunctionOp(Op):
    """A Python function as an op; made by `as_op`."""

    __props__ = ("function", "itypes", "otypes")

    def __init__(
        self, function: Callable[..., Any], itypes: Sequence[TensorType], otypes: Sequence[TensorType]
    ) -> None:
        self.function, self.itypes, self.otypes = function, tuple(itypes), tuple(otypes)

    def perform(self, node: Any, inputs: list[np.ndarray], output_storage: list[list[Any]]) -> None:
        """Call the function."""
        result = self.function(*inputs)
        results = list(result) if isinstance(result, list | tuple) else [result]
        if len(results) != len(output_storage):
            raise InputError(
                f"{self!r}", expected=f"{len(output_storage)} results", actual=f"{len(results)} of them"
            )
        for storage, value in zip(output_storage, results, strict=True):
            storage[0] = value

    def __repr__(self) -> str:
        return self.function.__name__

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        # The function's name now means the op.
        return _imported, (self.function.__module__, self.function.__qualname__)


def _imported(module: str, name: str) -> Any:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def as_op(
    itypes: TensorType | Sequence[TensorType],
    otypes: TensorType | Sequence[TensorType],
    infer_shape: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], FunctionOp]:
    """Make ops of Python functions of arrays (`theano.compile.ops.as_op`), as a decorator.

    Parameters
    ----------
    itypes, otypes : TensorType, or a list of them
        Of the arguments and the results, such as ``[arignote.tensor.dmatrix]``.
    infer_shape : callable, optional
        Without effect: the shapes are those of the results.

    Returns
    -------
    callable
        From a function to an op, which has no gradient.

    Raises
    ------
    DTypeError
        If something else is given for a type.

    Examples
    --------
    >>> import arignote.compile
    >>> from arignote.engine.makers import MAKERS
    >>> @as_op(itypes=[MAKERS["dvector"]], otypes=[MAKERS["dscalar"]])
    ... def spread(x):
    ...     return np.asarray(x.max() - x.min())
    >>> spread(np.array([1.0, 5.0, 2.0])).eval()
    array(4.)
    """
    kinds = [_types("itypes", itypes), _types("otypes", otypes)]
    return lambda function: FunctionOp(function, *kinds)


def _types(argument: str, given: Any) -> list[TensorType]:
    kinds = list(given) if isinstance(given, list | tuple) else [given]
    if not all(isinstance(kind, TensorType) for kind in kinds):
        raise DTypeError(f"as_op: {argument}", expected="types such as tensor.dmatrix", actual=repr(given))
    return kinds
