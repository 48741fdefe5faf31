"""Random indices of every kind against NumPy: values, what is set and incremented, and gradients."""

import numpy as np
import pytest
from cases.table import normal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arignote import function, grad
from arignote import tensor as T
from arignote.engine.evaluate import evaluate
from arignote.engine.types import TensorType
from arignote.engine.vectorize import vectorize

KINDS = ["slice", "all", "integer", "array", "array", "none", "ellipsis", "stop"]
INDEX_DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


class Symbols:
    """Makes variables for the numbers of an index, and remembers their values."""

    def __init__(self):
        self.values = {}

    def __call__(self, value):
        array = np.asarray(value)
        # What is 1 may broadcast only if the type says so.
        x = TensorType(str(array.dtype), tuple(1 if extent == 1 else None for extent in array.shape))()
        self.values[x] = array
        return x


@st.composite
def slices(draw, extent):
    bounds = st.none() | st.integers(-extent - 2, extent + 2)
    return slice(draw(bounds), draw(bounds), draw(st.sampled_from([None, None, 1, 2, -1, -2, -3])))


@st.composite
def index_arrays(draw, extent, shape):
    """Draw an array that broadcasts to a shape: some of its dimensions are 1, or left out in front."""
    mine = list(shape)
    if extent:
        mine = [1 if draw(st.integers(0, 3)) == 0 else n for n in mine]
        mine = mine[draw(st.sampled_from([0, 0, len(mine) - 1])) :]
    dtype = draw(st.sampled_from(INDEX_DTYPES))
    low = 0 if dtype.startswith("u") else -extent
    size = int(np.prod(mine))
    places = draw(st.lists(st.integers(low, max(extent - 1, low)), min_size=size, max_size=size))
    return np.array(places, dtype).reshape(mine)


@st.composite
def indexed(draw):
    """Draw a shape, and an index of it."""
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    array_shape = draw(st.sampled_from([(2,), (3,), (1,), (0,), (2, 3), (3, 1), (1, 2), (2, 0)]))
    with_mask = draw(st.integers(0, 4)) == 0
    entries, axis = [], 0
    while axis < len(shape):
        extent = shape[axis]
        kind = draw(st.sampled_from(KINDS))
        if kind == "stop":
            break
        if kind == "ellipsis" and not any(entry is Ellipsis for entry in entries):
            entries.append(Ellipsis)
            axis += draw(st.integers(0, len(shape) - axis))
        elif kind == "none":
            entries.append(None)
        elif kind == "slice":
            entries.append(draw(slices(extent)))
            axis += 1
        elif kind == "integer" and extent:
            entries.append(draw(st.integers(-extent, extent - 1)))
            axis += 1
        elif kind == "array" and with_mask:
            rank = draw(st.integers(1, len(shape) - axis))
            of_mask = shape[axis : axis + rank]
            size = int(np.prod(of_mask))
            bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
            entries.append(np.array(bits, bool).reshape(of_mask))
            axis, with_mask, array_shape = axis + rank, False, (1,)
        elif kind == "array" and (extent or 0 in array_shape):
            entries.append(draw(index_arrays(extent, array_shape)))
            axis += 1
        else:
            entries.append(slice(None))
            axis += 1
    # Behind an ellipsis come the last axes.
    entries.extend([slice(None)] * (len(shape) - axis))
    return tuple(shape), tuple(entries)


def symbolic(draw, entry, symbols):
    """Replace numbers of an index by variables, or leave them as they are."""
    if isinstance(entry, slice):
        return slice(*(symbolic(draw, part, symbols) for part in (entry.start, entry.stop, entry.step)))
    if isinstance(entry, np.ndarray):
        return symbols(entry) if draw(st.booleans()) else entry
    if isinstance(entry, int):
        dtype = draw(st.sampled_from(["int64", "int32", None]))
        return symbols(np.array(entry, dtype)) if dtype else entry
    return entry


def check(data, compute):
    shape, index = data.draw(indexed())
    symbols = Symbols()
    a = normal(*shape)
    x = symbols(a)
    chosen = tuple(symbolic(data.draw, entry, symbols) for entry in index)
    expected = np.asarray(a[index])
    part = x[chosen]
    assert part.dtype == "float64"
    assert part.type.admits(expected.shape)

    own = [1 if data.draw(st.integers(0, 3)) == 0 else extent for extent in expected.shape]
    own = own[data.draw(st.integers(0, len(own))) :] if data.draw(st.booleans()) else own
    y = normal(*own, seed=3)
    new = symbols(y)
    is_set, incremented = a.copy(), a.copy()
    is_set[index] = y
    np.add.at(incremented, index, y)

    weights, of_whole = normal(*expected.shape, seed=4), normal(*shape, seed=5)
    projection = symbols(weights)
    scattered = np.zeros(shape)
    np.add.at(scattered, index, weights)
    changed = T.inc_subtensor(part, new)
    outputs = [
        part,
        T.set_subtensor(part, new),
        changed,
        grad((part * projection).sum(), x),
        *grad((changed * symbols(of_whole)).sum(), [x, new]),
    ]
    of_new = of_whole[index]
    of_new = of_new.sum(tuple(range(of_new.ndim - y.ndim)))
    of_new = of_new.sum(tuple(i for i in range(y.ndim) if y.shape[i] == 1), keepdims=True).reshape(y.shape)
    wanted_of = [expected, is_set, incremented, scattered, of_whole, of_new]
    for result, wanted in zip(compute(outputs, symbols.values), wanted_of, strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        # Sums of a few dozen numbers, of no order.
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-13)
    assert np.vdot(weights, expected) == pytest.approx(np.vdot(scattered, a), abs=1e-12)


def compiled(outputs, values):
    return function(list(values), outputs, on_unused_input="ignore")(*values.values())


SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=200, **SETTINGS)
@given(st.data())
def test_any_index(data):
    check(data, evaluate)


@settings(max_examples=25, **SETTINGS)
@given(st.data())
def test_any_index_compiled(data):
    check(data, compiled)


@pytest.mark.slow
@settings(max_examples=5000, **SETTINGS)
@given(st.data())
def test_any_index_of_many(data):
    check(data, evaluate)


@pytest.mark.slow
@settings(max_examples=500, **SETTINGS)
@given(st.data())
def test_any_index_of_many_compiled(data):
    check(data, compiled)


OVER_BATCH = {
    "x[i]": (lambda x, i, j, n: x[i], (3, 4)),
    "x[:, i]": (lambda x, i, j, n: x[:, i], (3, 4)),
    "x[i, :, j]": (lambda x, i, j, n: x[i, :, j], (3, 2, 4)),
    "x[1:, i, j]": (lambda x, i, j, n: x[1:, i, j], (2, 3, 4)),
    "x[n]": (lambda x, i, j, n: x[n], (3,)),
    "x[:, n, 1:]": (lambda x, i, j, n: x[:, n, 1:], (2, 4, 3)),
    "x[n, :, i]": (lambda x, i, j, n: x[n, :, i], (3, 2, 4)),
    "x[1:, None]": (lambda x, i, j, n: x[1:, None], (3, 2)),
}


@pytest.mark.parametrize("batched", ["x", "i", "n", "xi", "ijn", "xijny", "y"])
@pytest.mark.parametrize("text", OVER_BATCH)
def test_a_batch_of_indices(text, batched):
    make, shape = OVER_BATCH[text]
    x = TensorType("float64", (None,) * len(shape))("x")
    i, j, n = T.lmatrix("i"), T.lmatrix("j"), T.lscalar("n")
    part = make(x, i, j, n)
    y = TensorType("float64", (None,) * part.ndim)("y")
    outputs = [part, T.set_subtensor(part, y), T.inc_subtensor(part, y), grad((part**2).sum(), x)]
    random = np.random.default_rng(0)
    values = [
        {
            x: random.standard_normal(shape),
            i: random.integers(0, 2, (2, 2)),
            j: random.integers(0, 2, (2, 2)),
            n: random.integers(0, 2, ()),
        }
        for _ in range(3)
    ]
    for entry in values:
        entry[y] = random.standard_normal(evaluate([part], values[0])[0].shape)
    varied = [v for v in (x, i, j, n, y) if v.name in batched]
    batches = {v: TensorType(v.dtype, (None,) * (v.ndim + 1))() for v in varied}
    given = {batch: np.stack([entry[v] for entry in values]) for v, batch in batches.items()}
    results = evaluate(vectorize(outputs, batches), {**values[0], **given})
    for place, result in enumerate(results):
        for alone, entry in zip(result, values, strict=True):
            wanted = {**values[0], **{v: entry[v] for v in varied}}
            np.testing.assert_allclose(alone, evaluate([outputs[place]], wanted)[0], rtol=1e-14)
