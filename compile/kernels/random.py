"""Random numbers: the same as in the reference mode, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable

from arignote.compile.kernels.elementwise import compile_source
from arignote.compile.lowering import Steps, lowers, shape_of
from arignote.compile.spec import KernelSpec
from arignote.engine.graph import Apply
from arignote.engine.ops.random import PARITY, ROTATIONS, ROUNDS, Categorical, Uniform

TASK = 1024  # numbers of a task


@lowers(Uniform)
def lower_uniform(steps: Steps, op: Uniform, node: Apply) -> None:
    """Draw the sample, and count the state on."""
    state = steps.contiguous(node.inputs[0], node)
    sample, advanced = (steps.allocate(x) for x in node.outputs)
    count = math.prod(shape_of(node.outputs[0]))
    steps.step(
        KernelSpec.of(
            "random:uniform", dtype=sample.dtype, rotations=ROTATIONS, rounds=ROUNDS, parity=PARITY
        ),
        node,
        reads=[state],
        writes=[sample],
        arguments=[sample, state, count],
        tasks=-(-count // TASK),
    )
    steps.step(
        KernelSpec.of("random:advance"),
        node,
        reads=[state],
        writes=[advanced],
        arguments=[advanced, state, count],
        tasks=1,
    )


@lowers(Categorical)
def lower_categorical(steps: Steps, op: Categorical, node: Apply) -> None:
    """Look up every number among the probabilities of its row, added up."""
    uniform, p = (steps.contiguous(x, node) for x in node.inputs)
    target = steps.allocate(node.outputs[0])
    rows, categories = p.shape
    steps.step(
        KernelSpec.of("random:categorical", dtype=uniform.dtype),
        node,
        reads=[uniform, p],
        writes=[target],
        arguments=[target, uniform, p, uniform.size, rows, categories],
        tasks=-(-uniform.size // TASK),
    )


def categorical(*, dtype: str) -> Callable[..., int]:
    """Build the kernel that finds categories.

    Arguments: output, numbers, probabilities; the count of numbers, of rows, of categories.
    """
    source = f"""
def kernel(args, scratch, begin, end):
    out, uniform, p = int64_at(args[0]), {dtype}_at(args[1]), {dtype}_at(args[2])
    rows, last = args[4], args[5] - 1
    for i in range(begin * {TASK}, min(end * {TASK}, args[3])):
        place, found = i % rows * args[5], 0
        below = p[place]
        while found < last and not uniform[i] < below:
            found += 1
            below += p[place + found]
        out[i] = found
    return 0
"""
    return compile_source(source, ["int64", dtype])


def uniform(*, dtype: str, rotations: tuple[int, ...], rounds: int, parity: int) -> Callable[..., int]:
    """Build the kernel of the sample, as `arignote.engine.ops.random` defines it.

    Arguments: output, state, count.
    """
    lines = []
    for round_ in range(rounds):
        shift = rotations[round_ % 8]
        lines += [
            "a = uint32(a + b)",
            f"b = uint32(uint32(uint32(b << uint32({shift})) | uint32(b >> uint32({32 - shift}))) ^ a)",
        ]
        if round_ % 4 == 3:
            injection = round_ // 4 + 1
            lines += [
                f"a = uint32(a + k{injection % 3})",
                f"b = uint32(uint32(b + k{(injection + 1) % 3}) + uint32({injection}))",
            ]
    block = "\n".join(" " * 8 + line for line in lines)
    # The highest bits: 24 of the second word make a float32; both words a float64 of 53 bits.
    value = (
        f"{dtype}(b >> uint32(8)) * {dtype}({2.0**-24!r})"
        if dtype == "float32"
        else f"{dtype}(uint64(uint64(b) << uint64(21)) | uint64(a >> uint32(11))) * {dtype}({2.0**-53!r})"
    )
    source = f"""
def kernel(args, scratch, begin, end):
    out, state = {dtype}_at(args[0]), uint64_at(args[1])
    k0, k1 = uint32(state[0]), uint32(state[0] >> uint64(32))
    k2 = uint32(uint32(k0 ^ k1) ^ uint32({parity}))
    drawn = state[1]
    for i in range(begin * {TASK}, min(end * {TASK}, args[2])):
        counter = uint64(drawn + uint64(i))
        a = uint32(uint32(counter) + k0)
        b = uint32(uint32(counter >> uint64(32)) + k1)
{block}
        out[i] = {value}
    return 0
"""
    return compile_source(source, [dtype, "uint64"])


def advance() -> Callable[..., int]:
    """Build the kernel of the state: output, state, count."""
    source = """
def kernel(args, scratch, begin, end):
    out, state = int64_at(args[0]), int64_at(args[1])
    out[0] = state[0]
    out[1] = state[1] + args[2]
    return 0
"""
    return compile_source(source, ["int64"])
