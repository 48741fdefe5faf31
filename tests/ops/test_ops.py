"""Every op against a meaning from elsewhere: what must hold for each row of the table in `tests/cases`."""

import importlib
import pkgutil

import numpy as np
import pytest
from cases import TABLE
from cases.table import integers, normal

from arignote import function
from arignote import tensor as T
from arignote.engine import ops
from arignote.engine.derivatives import Rop
from arignote.engine.evaluate import evaluate, infer_concrete
from arignote.engine.grad import grad
from arignote.engine.graph import Constant, Op, walk
from arignote.engine.ops.control import IfElse
from arignote.engine.ops.custom import Custom
from arignote.engine.ops.decompositions import LeastSquares
from arignote.engine.ops.index import Nonzero
from arignote.engine.ops.order import Unique
from arignote.engine.shared import SharedVariable
from arignote.engine.types import TensorType
from arignote.engine.vectorize import vectorize

#: Ops whose outputs have shapes that values decide.
DECIDED_BY_VALUES = Custom | IfElse | LeastSquares | Nonzero | Unique

all_cases = pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)


def computed(case):
    variables = case.variables()
    expression = case.make(*variables)
    return variables, expression, dict(zip(variables, case.inputs, strict=True))


def assert_close(actual, expected, case):
    """Compare with what the row allows: nothing, units of the last place, or units of a sum's magnitude."""
    expected = np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if not (case.ulps or case.terms):
        return np.testing.assert_array_equal(actual, expected, strict=True)
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    allowed = case.ulps * np.spacing(np.abs(expected[finite]))
    if case.terms:
        with np.errstate(all="ignore"):
            magnitude = np.abs(case.meaning(*(np.abs(x) if x.dtype.kind == "f" else x for x in case.inputs)))
        allowed = allowed + case.terms * np.finfo(expected.dtype).eps * magnitude[finite]
    error = np.abs(actual[finite].astype("float64") - expected[finite])
    assert (error <= allowed).all(), f"{(error / allowed).max()} times what is allowed"
    return None


def meaning_of(case):
    with np.errstate(all="ignore"):
        return case.meaning(*case.inputs)


@all_cases
def test_reference_is_the_meaning(case):
    _, expression, values = computed(case)
    assert_close(evaluate([expression], values)[0], meaning_of(case), case)


@all_cases
def test_inferred_types_are_the_real_ones(case):
    variables, expression, values = computed(case)
    outputs = [expression, *gradients(case, variables, expression)]
    known = dict(values)
    for node in walk(outputs):
        known.update({x: x.value for x in node.inputs if isinstance(x, Constant)})
        known.update({x: x.get_value() for x in node.inputs if isinstance(x, SharedVariable)})
        arrays = [known[x] for x in node.inputs]
        types = [TensorType(str(array.dtype), array.shape) for array in arrays]
        numbers_ = [
            int(a) if a.ndim == 0 and t.is_integer else None for a, t in zip(arrays, types, strict=True)
        ]
        inferred = infer_concrete(node, types, numbers_)
        results = node.op.perform(*arrays)
        for out, concrete, result in zip(node.outputs, inferred, results, strict=True):
            assert (str(result.dtype), concrete.admits(result.shape)) == (concrete.dtype, True), node
            assert None not in concrete.shape or isinstance(node.op, DECIDED_BY_VALUES), node
            assert out.dtype == concrete.dtype, node
            assert out.type.admits(result.shape), node
            known[out] = result


def gradients(case, variables, expression):
    """Return the gradients of a random projection, for rows that have any."""
    if not case.order:
        return []
    wrt = [x for x in variables if x.type.is_float]
    projection = normal(*meaning_of(case).shape, seed=7)
    return grad((expression * projection).sum(), wrt, disconnected_inputs="ignore")


@all_cases
def test_compiled_is_the_reference(case):
    variables, expression, values = computed(case)
    outputs = [expression, *gradients(case, variables, expression)]
    actual, *slopes = function(variables, outputs, on_unused_input="ignore")(*case.inputs)
    assert_close(actual, meaning_of(case), case)
    for actual, expected in zip(slopes, evaluate(outputs[1:], values), strict=True):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        # Sums of at most a few hundred terms, none larger than ten times the largest result.
        allowed = 1e3 * np.finfo("float64").eps * np.abs(expected).max(initial=1)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("case", [case for case in TABLE if case.order], ids=lambda case: case.name)
def test_gradient_is_the_slope(case):
    """Compare directional derivatives with central differences, twice where there is a second derivative.

    With steps of 1e-5 the difference errs by about 1e-10 times the third derivative, and 1e-11 of rounding.
    """
    variables, expression, values = computed(case)
    projection = normal(*meaning_of(case).shape, seed=7)
    cost = (expression * projection).sum()
    wrt = [x for x in variables if x.type.is_float]
    directions = [normal(*values[x].shape, seed=20 + i) for i, x in enumerate(wrt)]
    for _ in range(case.order):
        slopes = grad(cost, wrt, disconnected_inputs="ignore")
        slope = sum((each * d).sum() for each, d in zip(slopes, directions, strict=True))
        step = 1e-5
        ends = [
            {**values, **{x: values[x] + sign * step * d for x, d in zip(wrt, directions, strict=True)}}
            for sign in (1, -1)
        ]
        above, below = (float(evaluate([cost], end)[0]) for end in ends)
        (actual,) = evaluate([slope], values)
        assert float(actual) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-6), case.name
        cost = slope


@pytest.mark.parametrize("case", [case for case in TABLE if case.order], ids=lambda case: case.name)
def test_forward_derivative_is_the_slope(case):
    """Compare the jvp, which is made of vjps, with central differences of the expression along one line."""
    variables, expression, values = computed(case)
    wrt = [x for x in variables if x.type.is_float]
    directions = [normal(*values[x].shape, seed=20 + i) for i, x in enumerate(wrt)]
    slope = Rop(expression, wrt, directions, disconnected_outputs="ignore")
    step = 1e-5
    ends = [
        {**values, **{x: values[x] + sign * step * d for x, d in zip(wrt, directions, strict=True)}}
        for sign in (1, -1)
    ]
    above, below = (evaluate([expression], end)[0] for end in ends)
    (actual,) = evaluate([slope], values)
    assert actual.dtype == expression.dtype
    np.testing.assert_allclose(actual, (above - below) / (2 * step), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", [case for case in TABLE if case.order], ids=lambda case: case.name)
def test_a_batch_is_each_entry_alone(case):
    """Compare a vectorized expression and its gradients with those of each entry."""
    variables, expression, values = computed(case)
    outputs = [expression, *gradients(case, variables, expression)]
    varied = [x for x in variables if x.type.is_float]
    # Turning an array over keeps what the row takes care of: kinks, zeros, ranges, definite matrices.
    entries = [values, {**values, **{x: np.flip(values[x]) for x in varied}}]
    batches = {x: TensorType(x.dtype, (None, *x.static_shape))() for x in varied}
    given = {batch: np.stack([entry[x] for entry in entries]) for x, batch in batches.items()}
    results = evaluate(vectorize(outputs, batches), {**values, **given})
    expected = [evaluate(outputs, entry) for entry in entries]
    for result, *alone in zip(results, *expected, strict=True):
        np.testing.assert_allclose(result, np.stack(alone), rtol=1e-12, atol=1e-12)


def test_the_table_is_complete():
    """Every op stands in the expression of a row, or in its first or second derivative."""
    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)

    def leaves(kind):
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind}

    every = {kind for kind in leaves(Op) if kind.__module__.startswith(ops.__name__)}
    seen = set()
    for case in TABLE:
        variables, expression, _ = computed(case)
        first = gradients(case, variables, expression)
        second = []
        if case.order > 1:
            wrt = [x for x in variables if x.type.is_float]
            second = grad(sum((g * g).sum() for g in first), wrt, disconnected_inputs="ignore")
        seen.update(type(node.op) for node in walk([expression, *first, *second]))
    # Their values have no meaning elsewhere: see tests/compile/test_random.py.
    drawn = {ops.random.Uniform, ops.random.Categorical}
    assert every - drawn == seen


#: Ops from floats to floats that no row differentiates, and why.
WITHOUT_SLOPE = {
    "Sign Floor Ceil Trunc RoundHalfToEven RoundHalfAwayFromZero IntDiv": "constant between their jumps",
    "DisconnectedGrad ZeroGrad UndefinedGrad": "what they are for: see tests/engine/test_grad.py",
    "Cast": "no step is small in both dtypes: see test_gradient_through_a_cast",
}


def test_every_op_is_differentiated_or_has_a_reason():
    of_floats, differentiated = set(), set()
    for case in TABLE:
        variables, expression, _ = computed(case)
        reached = {x for x in variables if x.type.is_float and case.order}
        for node in walk([expression]):
            if any(out.type.is_float for out in node.outputs):
                of_floats.update({type(node.op)} if any(x.type.is_float for x in node.inputs) else ())
                if any(x in reached for x in node.inputs):
                    differentiated.add(type(node.op))
                    reached.update(node.outputs)
    reasons = {name for names in WITHOUT_SLOPE for name in names.split()}
    assert {kind.__name__ for kind in of_floats - differentiated} == reasons


def test_gradient_through_a_cast():
    x, weights = T.fvector("x"), normal(5)
    gradient = grad((T.cast(x, "float64") * weights).sum(), x)
    value = function([x], gradient, on_unused_input="ignore")(normal(5, dtype="float32"))
    np.testing.assert_array_equal(value, weights.astype("float32"), strict=True)


# ------------------------------------------------------------------------------------------ layouts

LAYOUTS = {
    "as it is": lambda x: x,
    "column-major": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "negative strides": lambda x: x[..., ::-1].copy()[..., ::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "unaligned": lambda x: np.frombuffer(b" " + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    "swapped bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}
LAID_OUT = {
    "elementwise": (lambda x: x * 2 + 1, normal(5, 6, dtype="float32")),
    "reduction": (lambda x: x.sum(0), integers(5, 6, dtype="int16")),
    "product": (lambda x: T.dot(x, x.T), normal(5, 6)),
    "convolution": (
        lambda x: T.nnet.conv2d(x, np.ones((2, 3, 2, 2), "float32")),
        normal(2, 3, 5, 5, dtype="float32"),
    ),
    "gather": (lambda x: x[np.array([3, 0])], integers(5, 6, dtype="bool")),
    "softmax": (T.nnet.softmax, normal(5, 6)),
    "running sum": (lambda x: x.cumsum(0), integers(5, 6, dtype="int16")),
    "place": (lambda x: x.argmin(0), integers(5, 6, dtype="int8")),
    "sorting": (T.sort, normal(5, 6, dtype="float32")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAID_OUT)
def test_any_memory_layout(name, layout):
    make, array = LAID_OUT[name]
    x = TensorType(str(array.dtype), (None,) * array.ndim)("x")
    f = function([x], make(x))
    laid_out = LAYOUTS[layout](array)
    before = laid_out.copy()
    np.testing.assert_array_equal(f(laid_out), f(np.ascontiguousarray(laid_out, array.dtype)))
    np.testing.assert_array_equal(laid_out, before)
