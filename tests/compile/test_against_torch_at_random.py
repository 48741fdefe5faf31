"""Convolutions and poolings of random shapes and options, and their first and second derivatives.

Results in the arrays' dtype are compared with PyTorch's in float64. All of them are sums of products: adding
n terms in any order errs by at most n roundings of the sum of their magnitudes (Higham, "Accuracy and
Stability of Numerical Algorithms", 4.2), which is the same expression of absolute values.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

from random_windows import Convolution, Pool  # noqa: E402

from arignote import function, grad  # noqa: E402
from arignote import tensor as T  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_cache")


def expressions(variables, directions, make, gradients_of):
    """Return a result times a projection, its gradients, and the gradients of these along directions.

    `make` and `gradients_of` are of one library. The variables are the operands, and last the projection.
    """
    *operands, projection = variables
    result = make(*operands)
    first = gradients_of((result * projection).sum(), operands)
    along = sum((g * d).sum() for g, d in zip(first, directions, strict=True))
    return [result, *first, *gradients_of(along, variables)]


def compiled(case):
    """Return a native function of a case's operands and of directions: results and derivatives."""
    example = case.operands(np.random.default_rng(0))
    directions = example[:-1]
    kinds = [T.TensorType(case.dtype, [None] * x.ndim) for x in (*example, *directions)]
    variables = [kind() for kind in kinds]
    operands, along = variables[: len(example)], variables[len(example) :]

    def gradients(cost, wrt):
        return grad(cost, wrt, disconnected_inputs="ignore")

    return function(variables, expressions(operands, along, case.ours, gradients), on_unused_input="ignore")


def from_torch(case, operands, directions):
    """Return the same by PyTorch."""
    variables = [torch.from_numpy(x).double().requires_grad_() for x in operands]
    along = [torch.from_numpy(x).double() for x in directions]

    def gradients(cost, wrt):
        found = torch.autograd.grad(cost, wrt, create_graph=True, allow_unused=True, materialize_grads=True)
        return list(found)

    return [x.detach().numpy() for x in expressions(variables, along, case.theirs, gradients)]


def magnitudes(case, operands, directions):
    """Return the same of absolute values; but maxima stay where they are."""
    *arrays, projection = operands
    if getattr(case, "mode", "") != "max":
        arrays = [abs(x) for x in arrays]
    return map(abs, from_torch(case, [*arrays, abs(projection)], [abs(x) for x in directions]))


def check(case, sizes, rng):
    ours = compiled(case)
    for _ in range(sizes):
        operands = case.operands(rng)
        directions = [rng.standard_normal(x.shape).astype(case.dtype) for x in operands[:-1]]
        found = ours(*operands, *directions)
        expected = from_torch(case, operands, directions)
        forward, *first = case.terms(*operands)
        # With respect to the projection it is the results along all directions, added up.
        terms = [forward, *first, *first, len(directions) * forward]
        scales = magnitudes(case, operands, directions)
        for i, (actual, wanted, count, scale) in enumerate(zip(found, expected, terms, scales, strict=True)):
            assert (str(actual.dtype), actual.shape) == (case.dtype, wanted.shape)
            beyond = np.abs(actual - wanted) - (count + 2) * np.finfo(case.dtype).eps * scale
            shapes = [x.shape for x in operands]
            assert np.max(beyond, initial=0) <= 0, f"{case}, {shapes}, result {i}: {beyond.max()} too far"


def drawn(seed):
    """Return a set of options: half of them a convolution's, of which some are unshared, or a pooling's."""
    rng = np.random.default_rng([7, seed])
    kind = seed % 10
    return (Pool.draw(rng) if kind >= 6 else Convolution.draw(rng, unshared=kind == 5)), rng


@pytest.mark.parametrize("seed", range(50))
def test_500_random_cases(seed):
    case, rng = drawn(seed)
    check(case, 10, rng)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1500))
def test_20_000_random_cases(seed):
    case, rng = drawn(seed)
    check(case, 40, rng)
