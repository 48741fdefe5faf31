"""Softmax of the rows of a matrix, its logarithm, that of the classes of the rows, and their gradients.

Matrices are C-contiguous, of any extents. A task is a block of `ROWS_OF_A_TASK` rows, the last one perhaps
smaller: see `tasks`. Rows that hold a NaN or +inf, or nothing but -inf, become NaN, as the formulas say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from arignote.engine.errors import GraphError
from arignote.engine.graph import Apply
from arignote.engine.ops.index import index_error
from arignote.engine.ops.softmax import (
    LogSoftmax,
    LogSoftmaxAt,
    LogSoftmaxAtGradient,
    Softmax,
    SoftmaxGradient,
)

from ..lowering import Steps, lowers
from ..spec import KernelSpec

Kernel = Callable[[Any, Any, int, int], int]

ROWS_OF_A_TASK = 8


def tasks(rows: int) -> int:
    """Count the tasks of a matrix of so many rows."""
    return -(-rows // ROWS_OF_A_TASK)


def softmax(*, dtype: str) -> Kernel:
    """Build the kernel of ``exp(x - max(x)) / sum(exp(x - max(x)))`` of each row.

    Arguments of the kernel: the addresses of the matrix and of the result; the numbers of rows and columns.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    """
    import numba

    from ..intrinsics import advance, pointer_to
    from ..vector_math import NAMESPACE

    exp, maximum = NAMESPACE["exp"], NAMESPACE["maximum"]
    elements = pointer_to(dtype)
    number = getattr(numba, dtype)

    def kernel(args, scratch, begin, end):
        rows, columns = args[2], args[3]
        for row in range(begin * ROWS_OF_A_TASK, min(end * ROWS_OF_A_TASK, rows)):
            x, y = advance(elements(args[0]), row * columns), advance(elements(args[1]), row * columns)
            largest = number(-inf)
            for j in range(columns):
                largest = maximum(largest, x[j])
            total = number(0)
            for j in range(columns):
                power = exp(x[j] - largest)
                y[j] = power
                total += power
            for j in range(columns):
                y[j] /= total
        return 0

    return kernel


def log_softmax(*, dtype: str) -> Kernel:
    """Build the kernel of ``x - max(x) - log(sum(exp(x - max(x))))`` of each row.

    Arguments of the kernel: the addresses of the matrix and of the result; the numbers of rows and columns.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    """
    import numba

    from ..intrinsics import advance, pointer_to
    from ..vector_math import NAMESPACE

    exp, log, maximum = NAMESPACE["exp"], NAMESPACE["log"], NAMESPACE["maximum"]
    elements = pointer_to(dtype)
    number = getattr(numba, dtype)

    def kernel(args, scratch, begin, end):
        rows, columns = args[2], args[3]
        for row in range(begin * ROWS_OF_A_TASK, min(end * ROWS_OF_A_TASK, rows)):
            x, y = advance(elements(args[0]), row * columns), advance(elements(args[1]), row * columns)
            largest = number(-inf)
            for j in range(columns):
                largest = maximum(largest, x[j])
            total = number(0)
            for j in range(columns):
                total += exp(x[j] - largest)
            shift = log(total)
            for j in range(columns):
                y[j] = (x[j] - largest) - shift
        return 0

    return kernel


def softmax_gradient(*, dtype: str) -> Kernel:
    """Build the kernel of ``(g - sum(g*y)) * y`` of each row, for a gradient g by y = softmax(x).

    Arguments of the kernel: the addresses of g, of y and of the result; the numbers of rows and columns.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    """
    import numba

    from ..intrinsics import advance, pointer_to

    elements = pointer_to(dtype)
    number = getattr(numba, dtype)

    def kernel(args, scratch, begin, end):
        rows, columns = args[3], args[4]
        for row in range(begin * ROWS_OF_A_TASK, min(end * ROWS_OF_A_TASK, rows)):
            g, y = advance(elements(args[0]), row * columns), advance(elements(args[1]), row * columns)
            result = advance(elements(args[2]), row * columns)
            total = number(0)
            for j in range(columns):
                total += g[j] * y[j]
            for j in range(columns):
                result[j] = (g[j] - total) * y[j]
        return 0

    return kernel


def log_softmax_at(*, dtype: str, labels: str) -> Kernel:
    """Build the kernel of the logarithm of the softmax of each row, at the row's class.

    Arguments of the kernel: the addresses of the matrix, of the classes and of the result; the numbers of
    rows and columns. A class is a column; a negative one counts from the end.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    labels : str
        The dtype of the classes.
    """
    import numba

    from ..intrinsics import advance, pointer_to
    from ..vector_math import NAMESPACE

    exp, log, maximum = NAMESPACE["exp"], NAMESPACE["log"], NAMESPACE["maximum"]
    elements, classes = pointer_to(dtype), pointer_to(labels)
    number, count_back = getattr(numba, dtype), labels != "uint64"

    def kernel(args, scratch, begin, end):
        rows, columns = args[3], args[4]
        y, result = classes(args[1]), elements(args[2])
        for row in range(begin * ROWS_OF_A_TASK, min(end * ROWS_OF_A_TASK, rows)):
            x, at = advance(elements(args[0]), row * columns), numba.int64(y[row])
            if count_back and at < 0:
                at += columns
            if at < 0 or at >= columns:
                return row + 1
            largest = number(-inf)
            for j in range(columns):
                largest = maximum(largest, x[j])
            total = number(0)
            for j in range(columns):
                total += exp(x[j] - largest)
            result[row] = (x[at] - largest) - log(total)
        return 0

    return kernel


def log_softmax_at_gradient(*, dtype: str, labels: str) -> Kernel:
    """Build the kernel of ``g * (onehot(class) - softmax(x))`` of each row.

    Arguments of the kernel: the addresses of g, one number a row, of the matrix, of the classes and of the
    result; the numbers of rows and columns.

    Parameters
    ----------
    dtype, labels : str
        As for `log_softmax_at`.
    """
    import numba

    from ..intrinsics import advance, pointer_to
    from ..vector_math import NAMESPACE

    exp, maximum = NAMESPACE["exp"], NAMESPACE["maximum"]
    elements, classes = pointer_to(dtype), pointer_to(labels)
    number, count_back = getattr(numba, dtype), labels != "uint64"

    def kernel(args, scratch, begin, end):
        rows, columns = args[4], args[5]
        g, y = elements(args[0]), classes(args[2])
        for row in range(begin * ROWS_OF_A_TASK, min(end * ROWS_OF_A_TASK, rows)):
            x, at = advance(elements(args[1]), row * columns), numba.int64(y[row])
            result = advance(elements(args[3]), row * columns)
            if count_back and at < 0:
                at += columns
            if at < 0 or at >= columns:
                return row + 1
            largest = number(-inf)
            for j in range(columns):
                largest = maximum(largest, x[j])
            total = number(0)
            for j in range(columns):
                power = exp(x[j] - largest)
                result[j] = power
                total += power
            for j in range(columns):
                result[j] = result[j] / total * -g[row]
            result[at] += g[row]
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def _lower(steps: Steps, node: Apply, kernel: str) -> None:
    reads = [steps.contiguous(x, node) for x in node.inputs]
    target = steps.allocate(node.outputs[0])
    rows, columns = target.shape
    steps.step(
        KernelSpec.of(f"softmax:{kernel}", dtype=target.dtype),
        node,
        reads=reads,
        writes=[target],
        arguments=[*reads, target, rows, columns],
        tasks=tasks(rows) if columns else 0,
    )


@lowers(Softmax)
def lower_softmax(steps: Steps, op: Softmax, node: Apply) -> None:
    """Run the kernel of the same name."""
    _lower(steps, node, "softmax")


@lowers(LogSoftmax)
def lower_log_softmax(steps: Steps, op: LogSoftmax, node: Apply) -> None:
    """Run the kernel of the same name."""
    _lower(steps, node, "log_softmax")


@lowers(SoftmaxGradient)
def lower_softmax_gradient(steps: Steps, op: SoftmaxGradient, node: Apply) -> None:
    """Run the kernel of the same name."""
    _lower(steps, node, "softmax_gradient")


@lowers(LogSoftmaxAt)
def lower_log_softmax_at(steps: Steps, op: LogSoftmaxAt, node: Apply) -> None:
    """Run the kernel of the same name."""
    _lower_at(steps, node, "log_softmax_at")


@lowers(LogSoftmaxAtGradient)
def lower_log_softmax_at_gradient(steps: Steps, op: LogSoftmaxAtGradient, node: Apply) -> None:
    """Run the kernel of the same name."""
    _lower_at(steps, node, "log_softmax_at_gradient")


def _lower_at(steps: Steps, node: Apply, kernel: str) -> None:
    """Run a kernel whose last two operands are the matrix and the classes."""
    reads = [steps.contiguous(x, node) for x in node.inputs]
    target = steps.allocate(node.outputs[0])
    rows, columns = reads[-2].shape
    steps.step(
        KernelSpec.of(f"softmax:{kernel}", dtype=target.dtype, labels=reads[-1].dtype),
        node,
        reads=reads,
        writes=[target],
        arguments=[*reads, target, rows, columns],
        tasks=tasks(rows),
        diagnosis=(_diagnose, (reads[-1], reads[-2])),
    )


def _diagnose(values: Sequence[np.ndarray], status: int) -> GraphError:
    classes, matrix = values
    return index_error(1, matrix.shape[1], classes, status - 1)
