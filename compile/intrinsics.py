"""From the words of a kernel's arguments to typed pointers, which numba has no spelling for."""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


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


def table_of(values: Sequence[int]) -> Callable[..., Any]:
    """Make the function that looks a constant up by its index, which is not checked.

    Parameters
    ----------
    values : sequence of int
        The constants.

    Returns
    -------
    callable
        ``(int64) -> int64``, for use inside compiled code.
    """
    word = ir.IntType(64)

    @intrinsic
    def look_up(typingctx: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = cgutils.create_constant_array(word, [word(value) for value in values])
            table = builder.bitcast(cgutils.global_constant(builder, "table", array), word.as_pointer())
            return builder.load(builder.gep(table, arguments, source_etype=word), typ=word)

        return types.int64(types.int64), codegen

    return look_up
