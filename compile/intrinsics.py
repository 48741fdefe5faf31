"""From the words of a kernel's arguments to typed pointers, which numba has no spelling for."""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from arignote.compile.kernels.plan import PlanePlan, flat

WORD = ir.IntType(64)
TABLE = types.CPointer(types.int64)


def pointer_to(dtype: str) -> Callable[..., Any]:
    """Make the function that reads a word as the address of an array.

    Parameters
    ----------
    dtype : str
        NumPy's name of the element type.

    Returns
    -------
    callable
        ``(int64) -> CPointer(dtype)``, for use inside compiled code.
    """
    result = types.CPointer(getattr(types, dtype))

    @intrinsic
    def pointer(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(result))

        return result(types.int64), codegen

    return pointer


def cast_to(dtype: str) -> Callable[..., Any]:
    """Make the function that reads a pointer of any type as a pointer to elements of `dtype`."""
    result = types.CPointer(getattr(types, dtype))

    @intrinsic
    def cast(typingctx: Any, pointer: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(result))

        return result(pointer), codegen

    return cast


def _advance(typingctx: Any, pointer: Any, elements: Any) -> Any:
    """Step a pointer by a number of elements."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        return builder.gep(arguments[0], [arguments[1]], source_etype=element)

    return pointer(pointer, types.int64), codegen


advance: Any = intrinsic(_advance)


def _opaque(typingctx: Any, number: Any) -> Any:
    """Return an integer of which LLVM is not to know how it was computed.

    Its analyses of addresses unfold where each part comes from: a place that is split off a task's number by
    divisions, one after the other, costs seconds.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.asm(ir.FunctionType(WORD, [WORD]), "", "=r,0", arguments, side_effect=False)

    return types.int64(types.int64), codegen


opaque: Any = intrinsic(_opaque)


def table_of(values: Sequence[int]) -> Callable[..., Any]:
    """Make the function that gives a table of constants.

    Parameters
    ----------
    values : sequence of int
        The constants.

    Returns
    -------
    callable
        ``() -> CPointer(int64)``, for use inside compiled code.
    """

    @intrinsic
    def table(typingctx: Any) -> Any:
        return TABLE(), lambda context, builder, signature, arguments: _constants(builder, values)

    return table


def sizes_of(plan: PlanePlan, after: int) -> Callable[..., Any]:
    """Make the function that gives a kernel its sizes: constants, or words of its arguments.

    Parameters
    ----------
    plan : PlanePlan
        Says which sizes there are, and whether they are baked in.
    after : int
        How many words the other arguments are.

    Returns
    -------
    callable
        ``(args) -> sizes``, for use inside compiled code: the plan's named tuple, with an int64 for each
        integer and a pointer to the first for each tuple.
    """
    sizes = plan.sizes
    kinds = [TABLE if isinstance(size, tuple) else types.int64 for size in sizes]
    result = types.BaseTuple.from_types(kinds, type(sizes))

    @intrinsic
    def read(typingctx: Any, args: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words, first = (_constants(builder, flat(sizes)), 0) if plan.promised else (arguments[0], after)
            values = []
            for size in sizes:
                place = builder.gep(words, [WORD(first)], source_etype=WORD)
                is_table = isinstance(size, tuple)
                values.append(place if is_table else builder.load(place, typ=WORD))
                first += len(size) if is_table else 1
            return context.make_tuple(builder, result, values)

        return result(args), codegen

    return read


def _constants(builder: Any, values: Sequence[int]) -> Any:
    array = cgutils.create_constant_array(WORD, [WORD(value) for value in values])
    return builder.bitcast(cgutils.global_constant(builder, "table", array), WORD.as_pointer())
