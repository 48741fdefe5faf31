"""Modes that compute node by node, each by its own kernel, and look at every result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.compile.lowering import is_native
from arignote.compile.stages import Native
from arignote.engine.errors import DebugError, NotFiniteError
from arignote.engine.evaluate import Compute, evaluate, perform
from arignote.engine.graph import Apply, Constant, Variable, op_name
from arignote.engine.ops.scan import Scan
from arignote.engine.origin import inherit
from arignote.engine.testvalue import test_values_off

#: How far a kernel's floats may be from NumPy's, relative to the largest: both round, in different orders.
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


class NodeKernels:
    """Computes nodes by their kernels, each as a program of its own."""

    def __init__(self) -> None:
        self._programs: dict[Apply, Native] = {}

    def __call__(self, node: Apply, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Compute the outputs of a node; by NumPy if its op has no kernel."""
        if not is_native(node.op):
            return perform(node, arrays)
        if node not in self._programs:
            inputs = [x if isinstance(x, Constant) else Variable(x.type, name=x.name) for x in node.inputs]
            given = [x for x in inputs if not isinstance(x, Constant)]
            with inherit(node.origin), test_values_off():
                outputs = Apply(node.op, inputs).outputs
            self._programs[node] = Native(given, outputs, (), None)
        given_arrays = [
            np.require(array, x.dtype, ["C", "A"])
            for x, array in zip(node.inputs, arrays, strict=True)
            if not isinstance(x, Constant)
        ]
        return self._programs[node].call(given_arrays)


def _step_by_step(node: Apply, arrays: Sequence[np.ndarray], compute: Compute) -> Sequence[np.ndarray]:
    """Compute a loop with a look at every node of each of its steps."""
    assert isinstance(node.op, Scan)
    inner = node.op.inner
    return node.op.repeat(
        arrays, lambda given: evaluate(inner.outputs, dict(zip(inner.inputs, given, strict=True)), compute)
    )


class Debug:
    """Computes every node by its kernel and by NumPy, and compares (mode 'debug').

    Raises
    ------
    DebugError
        At the first node whose results differ.
    """

    def __init__(self) -> None:
        self._kernels = NodeKernels()

    def __call__(self, node: Apply, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Compute the outputs of a node both ways; return NumPy's."""
        expected = perform(node, arrays)
        if isinstance(node.op, Scan):
            _step_by_step(node, arrays, self)
        for x, ours, theirs in zip(node.outputs, self._kernels(node, arrays), expected, strict=True):
            if not _agree(ours, theirs):
                place = tuple(
                    int(i) for i in np.argwhere(~np.isclose(ours, theirs, rtol=0, equal_nan=True))[0]
                )
                raise DebugError(
                    f"debug: the kernel of {op_name(node.op)} differs from its meaning at {place} of {x!r}",
                    expected=f"{theirs[place]} (NumPy)",
                    actual=f"{ours[place]} (kernel); inputs "
                    + ", ".join(f"{array.dtype}{array.shape}" for array in arrays),
                    fix="report it with the inputs' shapes and dtypes; mode='reference' does without kernels",
                    origin=node.origin,
                )
        return expected


def _agree(ours: np.ndarray, theirs: np.ndarray) -> bool:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    tolerance = TOLERANCE.get(str(theirs.dtype))
    if tolerance is None:
        return bool(np.array_equal(ours, theirs))
    finite = np.abs(theirs[np.isfinite(theirs)])
    scale = float(finite.max(initial=0.0))
    return bool(np.allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


class NanGuard:
    """Computes every node by its kernel, and refuses NaN and infinity (mode 'nan_guard').

    Raises
    ------
    NotFiniteError
        At the first node that is given or makes one.
    """

    def __init__(self) -> None:
        self._kernels = NodeKernels()

    def __call__(self, node: Apply, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Compute the outputs of a node from finite inputs."""
        for x, array in zip(node.inputs, arrays, strict=True):
            if not isinstance(x, Constant):
                _check_finite(node, f"its input {x!r}", array)
        if isinstance(node.op, Scan):
            return _step_by_step(node, arrays, self)
        results = self._kernels(node, arrays)
        for result in results:
            _check_finite(node, "its result", result)
        return results


def _check_finite(node: Apply, what: str, array: np.ndarray) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise NotFiniteError(
        f"nan_guard: {op_name(node.op)}: {what} is not finite",
        expected="finite numbers",
        actual=f"{array[place]} at {place}, {int((~np.isfinite(array)).sum())} of {array.size} in all",
        fix="look for a division by 0, the logarithm of 0, or a learning rate that is too large",
        origin=node.origin,
    )
