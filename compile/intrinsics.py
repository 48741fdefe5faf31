"""From the words of a kernel's arguments to typed pointers, which numba has no spelling for."""

from numba.core import types
from numba.extending import intrinsic


def pointer_to(dtype):
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
    def pointer(typingctx, address):
        def codegen(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(result))

        return result(types.int64), codegen

    return pointer


def cast_to(dtype):
    """Make the function that reads a pointer of any type as a pointer to elements of `dtype`."""
    result = types.CPointer(getattr(types, dtype))

    @intrinsic
    def cast(typingctx, pointer):
        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(result))

        return result(pointer), codegen

    return cast


@intrinsic
def advance(typingctx, pointer, elements):
    """Step a pointer by a number of elements."""

    def codegen(context, builder, signature, arguments):
        element = context.get_data_type(signature.args[0].dtype)
        return builder.gep(arguments[0], [arguments[1]], source_etype=element)

    return pointer(pointer, types.int64), codegen
