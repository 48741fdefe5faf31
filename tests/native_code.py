"""Functions as LLVM's code, and loaded outside of any cache."""

import ctypes
import itertools

from arignote.compile.objects import link, target_machine

SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
SYMBOLS = (f"function{number}" for number in itertools.count())


def native_code(function, symbol="kernel"):
    """Return the optimised LLVM module of a function such as builders of kernels return."""
    machine = target_machine()
    from arignote.compile.frontend import optimized, translate

    return optimized(translate(function, symbol), symbol, machine)


def loaded(function):
    """Load such a function; it takes addresses, then the range of tasks."""
    symbol = next(SYMBOLS)
    return SIGNATURE(link(target_machine().emit_object(native_code(function, symbol)), symbol))
