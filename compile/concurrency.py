"""What numba lacks for threads: atomic words, calls through pointers, and waiting.

Imports numba, so only builders of kernels import this module. Words are 64-bit integers behind a
`CPointer(int64)`. Reading and adding are sequentially consistent; writing only releases, for it shall not
wait until other cores know of it.
"""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .intrinsics import pointer_to

WORD = ir.IntType(64)
POINTER = ir.PointerType()
BYTES = 8

# Functions of the C library, the same on Linux and macOS; addresses are passed as integers.
sched_yield = types.ExternalFunction("sched_yield", types.int32())
clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.int64))
pthread_mutex_lock = types.ExternalFunction("pthread_mutex_lock", types.int32(types.int64))
pthread_mutex_unlock = types.ExternalFunction("pthread_mutex_unlock", types.int32(types.int64))
pthread_cond_wait = types.ExternalFunction("pthread_cond_wait", types.int32(types.int64, types.int64))
pthread_cond_broadcast = types.ExternalFunction("pthread_cond_broadcast", types.int32(types.int64))


words_at: Any = pointer_to("int64")


def _place(builder: Any, words: Any, index: Any) -> Any:
    return builder.gep(words, [index], source_etype=WORD)


@intrinsic
def address_of(typingctx: Any, words: Any, index: Any) -> Any:
    """Return the address of a word."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(_place(builder, *arguments), WORD)

    return types.int64(words, types.int64), codegen


@intrinsic
def load(typingctx: Any, words: Any, index: Any) -> Any:
    """Read a word atomically."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_place(builder, *arguments), "seq_cst", BYTES, typ=WORD)

    return types.int64(words, types.int64), codegen


@intrinsic
def store(typingctx: Any, words: Any, index: Any, value: Any) -> Any:
    """Write a word atomically."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, index, value = arguments
        builder.store_atomic(value, _place(builder, words, index), "release", BYTES)
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64), codegen


@intrinsic
def add(typingctx: Any, words: Any, index: Any, value: Any) -> Any:
    """Add to a word atomically and return what it was before."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, index, value = arguments
        return builder.atomic_rmw("add", _place(builder, words, index), value, "seq_cst")

    return types.int64(words, types.int64, types.int64), codegen


@intrinsic
def call_kernel(typingctx: Any, kernel: Any, arguments: Any, scratch: Any, begin: Any, end: Any) -> Any:
    """Call a kernel by its address; its arguments and scratch memory are given by theirs."""

    def codegen(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
        kernel, arguments, scratch, begin, end = operands
        function = ir.FunctionType(WORD, [POINTER, POINTER, WORD, WORD])
        return builder.call(
            builder.inttoptr(kernel, function.as_pointer()),
            [builder.inttoptr(arguments, POINTER), builder.inttoptr(scratch, POINTER), begin, end],
        )

    return types.int64(*[types.int64] * 5), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tell the core that this thread is spinning."""
    instruction = {"x86_64": "pause", "arm64": "yield", "aarch64": "yield"}.get(platform.machine(), "")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.asm(ir.FunctionType(ir.VoidType(), []), instruction, "", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(), codegen
