"""What an elementwise op is: a scalar formula, its dtypes, its broadcasting and its partial derivatives.

A formula is a Python expression over the operands `x`, `y`, `z` and the functions of `FUNCTIONS`. NumPy
evaluates it on whole arrays in the reference mode; the compiler inlines it into loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import CodeType
from typing import Any, ClassVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.types import TensorType, float_dtype, upcast

OPERANDS = ("x", "y", "z")


def _of_scipy(name: str) -> Callable[..., Any]:
    """Return a function of SciPy's, which is imported when it is first called."""

    def function(*operands: Any) -> Any:
        return getattr(import_module("scipy.special"), name)(*operands)

    return function


def _gammaln(x: Any) -> Any:
    """Return log(abs(gamma(x))), which grows without bound on both sides, as libm has it."""
    return np.where(np.isneginf(x), np.inf, _of_scipy("gammaln")(x))


def _modular_power(x: Any, y: Any) -> Any:
    """Return ``x ** y`` modulo the range of the dtype, `y` read as unsigned."""
    base = np.asarray(x)
    return np.power(base.astype("uint64"), np.asarray(y).astype("uint64")).astype(base.dtype)


#: What formulas may call, with its meaning in NumPy or SciPy.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{
        name: getattr(np, name)
        for name in (
            "abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "ceil", "cos",
            "cosh", "exp", "exp2", "expm1", "floor", "isinf", "isnan", "log", "log10", "log1p", "log2",
            "maximum", "minimum", "rint", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "where",
        )
    },
    **{name: _of_scipy(name) for name in ("erf", "erfc", "erfcinv", "erfinv", "gamma", "polygamma")},
    "gammaln": _gammaln,
    "modular_power": _modular_power,
}  # fmt: skip


@cache
def _compiled(formula: str) -> CodeType:
    return compile(formula, f"<formula {formula}>", "eval")


def broadcast_shape(types: Sequence[TensorType], name: str) -> tuple[int | None, ...]:
    """Return the shape that operands of one rank broadcast to.

    Raises
    ------
    ShapeError
        If two extents differ and neither is 1.
    """
    result: list[int | None] = []
    for axis in range(types[0].ndim):
        extents = {kind.shape[axis] for kind in types} - {1}
        known = sorted(extent for extent in extents if extent is not None)
        if len(known) > 1:
            raise ShapeError(
                f"{name}: the operands' shapes do not fit together",
                expected=f"equal extents, or 1, in dimension {axis}",
                actual=" and ".join(str(kind) for kind in types),
            )
        result.append(known[0] if known else None if extents else 1)
    return tuple(result)


class Elementwise(Op):
    """An op that computes each element of its output from the elements at the same place of its inputs."""

    formula: ClassVar[str]

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        """Return the dtype of the result; by default that which holds all operands."""
        return upcast(*dtypes)

    def operand_dtypes(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        """Return the dtype each operand is converted to before the formula; by default the result's."""
        return (self.output_dtype(dtypes),) * len(dtypes)

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        """Broadcast the shapes, upcast the dtypes."""
        shape = broadcast_shape(types, type(self).__name__.lower())
        return [TensorType(self.output_dtype([kind.dtype for kind in types]), shape)]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Evaluate the formula with NumPy."""
        dtypes = [str(array.dtype) for array in arrays]
        operands = {
            name: array.astype(dtype)
            for name, array, dtype in zip(OPERANDS, arrays, self.operand_dtypes(dtypes), strict=False)
        }
        with np.errstate(all="ignore"):  # infinities and NaN are results like others
            result = eval(_compiled(self.formula), {"__builtins__": {}, **FUNCTIONS}, operands)
            return (np.asarray(result).astype(self.output_dtype(dtypes)),)

    def of_integers(self, values: Sequence[int], dtype: str) -> int:
        """Evaluate the formula on whole numbers: for extents and indices, which are needed before any array.

        Parameters
        ----------
        values : sequence of int
        dtype : str
            The result's, to which it wraps.
        """
        operands = dict(zip(OPERANDS, values, strict=False))
        try:
            result = int(eval(_compiled(self.formula), {"__builtins__": {}, **FUNCTIONS}, operands))
        except ZeroDivisionError:  # as in arrays
            return 0
        bits = 8 * np.dtype(dtype).itemsize
        sign = 0 if dtype.startswith("uint") else 1 << (bits - 1)
        return (result + sign) % (1 << bits) - sign

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        """Multiply by the partial derivatives; sum over the dimensions that were broadcast."""
        (gradient,) = gradients
        assert gradient is not None
        terms = self.pull_back(gradient, outputs[0], *inputs)
        return [None if term is None else sum_to(term, x) for term, x in zip(terms, inputs, strict=True)]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        """Broadcast over the batch, since operands of lower rank get axes in front."""
        return self.apply(*inputs)

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        """Return `g` times the partial derivative by each operand; None where there is none."""
        return (None,) * len(operands)

    def apply(self, *inputs: Any) -> tuple[Variable, ...]:
        """Give all operands one rank, with broadcasting dimensions in front, and make the node."""
        from arignote.engine.ops.shape import dimshuffle

        operands = [as_variable(x) for x in inputs]
        rank = max(x.ndim for x in operands)
        return super().apply(
            *(
                x if x.ndim == rank else dimshuffle(x, *("x",) * (rank - x.ndim), *range(x.ndim))
                for x in operands
            )
        )


def sum_to(term: Variable, x: Variable) -> Variable:
    """Sum a gradient over the dimensions in which `x` was broadcast, and give it the dtype of `x`."""
    from arignote.engine.ops.elementwise.logic import cast
    from arignote.engine.ops.reduce import sum

    axes = [
        axis
        for axis, (mine, theirs) in enumerate(zip(x.broadcastable, term.broadcastable, strict=True))
        if mine and not theirs
    ]
    if axes:
        term = sum(term, axis=axes, keepdims=True)
    return cast(term, x.dtype) if x.type.is_float else term


class FloatFunction(Elementwise):
    """A function of real numbers: integers are converted to floats."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*(float_dtype(dtype) for dtype in dtypes))


class Arithmetic(Elementwise):
    """Arithmetic of numbers: bools count as int8."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        return upcast(*("int8" if dtype == "bool" else dtype for dtype in dtypes))


class NoBools(Elementwise):
    """Arithmetic that bools have none of, as in Theano and NumPy."""

    def output_dtype(self, dtypes: Sequence[str]) -> str:
        result = upcast(*dtypes)
        if result == "bool":
            name = type(self).__name__.lower()
            raise DTypeError(
                f"{name} of bools",
                expected="numbers",
                actual=", ".join(dtypes),
                fix="write ~x for the negation, x ^ y for the difference; or cast(x, 'int8')",
            )
        return result


class Step(Elementwise):
    """A function that is constant between its steps: its derivative is 0, not missing."""

    def pull_back(self, g: Variable, out: Variable, *operands: Variable) -> Sequence[Variable | None]:
        from arignote.engine.ops.shape import zeros_like

        return [zeros_like(x) if x.type.is_float else None for x in operands]


def elementwise_function(
    op: Elementwise, name: str, summary: str, example: str, value: str, folds: bool = False
) -> Callable[..., Variable]:
    """Make the function of an op: `name(*operands)`.

    Parameters
    ----------
    op : Elementwise
    name, summary : str
    example, value : str
        The arguments of a call, and the repr of its value.
    folds : bool
        Whether it takes more than two operands, and joins them from the left.
    """
    arity = sum(operand in _compiled(op.formula).co_names for operand in OPERANDS)

    def function(*operands: Any) -> Variable:
        if len(operands) != arity and not (folds and len(operands) > arity):
            raise TypeError(f"{name} takes {arity} operand(s), {len(operands)} given")
        result = op(*operands[:arity])
        for operand in operands[arity:]:
            result = op(result, operand)
        return result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{summary}

    The operands are variables, numbers or arrays; they broadcast in dimensions that are statically 1.
    Elementwise: `{op.formula}`.

    Examples
    --------
    >>> import arignote.compile
    >>> {name}({example}).eval()
    {value}
    """
    return function
