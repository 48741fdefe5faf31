"""Builders, named `native_samples.kernels:<function>` in a spec.

Addresses in `args` are those of arrays of float64 or of 64-bit words.
"""

import math


def _pointers():
    from arignote.compile.intrinsics import pointer_to

    return pointer_to("float64"), pointer_to("int64")


def scale(factor):
    """y[i] = factor * x[i]; args: x, y."""
    floats, _ = _pointers()

    def kernel(args, scratch, begin, end):
        x, y = floats(args[0]), floats(args[1])
        for i in range(begin, end):
            y[i] = factor * x[i]
        return 0

    return kernel


def exponential():
    """y[i] = exp(x[i]), from libm; args: x, y."""
    floats, _ = _pointers()

    def kernel(args, scratch, begin, end):
        x, y = floats(args[0]), floats(args[1])
        for i in range(begin, end):
            y[i] = math.exp(x[i])
        return 0

    return kernel


def reverse_and_mix():
    """y[i] = x[n - 1 - i] / 3 + x[i]: every task reads what another thread wrote; args: x, y, n."""
    floats, _ = _pointers()

    def kernel(args, scratch, begin, end):
        x, y = floats(args[0]), floats(args[1])
        for i in range(begin, end):
            y[i] = x[args[2] - 1 - i] / 3.0 + x[i]
        return 0

    return kernel


def count():
    """counts[task] += 1; args: counts."""
    _, words = _pointers()

    def kernel(args, scratch, begin, end):
        counts = words(args[0])
        for i in range(begin, end):
            counts[i] += 1
        return 0

    return kernel


def fail():
    """Fail at each of the tasks from a first one on; args: first."""

    def kernel(args, scratch, begin, end):
        for i in range(begin, end):
            if i >= args[0]:
                return 1 + i
        return 0

    return kernel


def fill_scratch(size):
    """Write the task into all of the scratch memory again and again; fail if another thread does too."""

    def kernel(args, scratch, begin, end):
        for i in range(begin, end):
            for _ in range(20):
                for j in range(size):
                    scratch[j] = i
                for j in range(size):
                    if scratch[j] != i:
                        return 1 + i
        return 0

    return kernel


def scratch_address():
    """addresses[task] = address of the scratch memory; args: addresses."""
    from numba import types
    from numba.extending import intrinsic

    _, words = _pointers()

    @intrinsic
    def address(typingctx, pointer):
        def codegen(context, builder, signature, arguments):
            return builder.ptrtoint(arguments[0], context.get_value_type(types.int64))

        return types.int64(pointer), codegen

    def kernel(args, scratch, begin, end):
        for i in range(begin, end):
            words(args[0])[i] = address(scratch)
        return 0

    return kernel


def spin():
    """Keep the core busy; args: rounds, a word to write to."""
    _, words = _pointers()

    def kernel(args, scratch, begin, end):
        state = begin
        for _ in range(args[0]):
            state = state * 6364136223846793005 + 1442695040888963407
        words(args[1])[begin] = state
        return 0

    return kernel


def typed(value):
    """y[0] = value, and y[1] = whether it is negative, a signed zero included; args: y."""
    floats, _ = _pointers()

    def kernel(args, scratch, begin, end):
        y = floats(args[0])
        y[0] = value
        y[1] = math.copysign(1.0, value)
        return 0

    return kernel


def raising():
    """Break the contract: raise."""

    def kernel(args, scratch, begin, end):
        if begin == end:
            raise ValueError
        return 0

    return kernel
