"""Random streams: the same numbers everywhere, fresh ones each call, and good ones."""

import pickle

import numpy as np
import pytest
import scipy.stats

from arignote import config, function, shared
from arignote import tensor as T
from arignote.compile.threads import get_num_threads, set_num_threads
from arignote.engine.errors import GraphError
from arignote.engine.ops.random import threefry
from arignote.sandbox.rng_mrg import MRG_RandomStreams
from arignote.tensor.shared_randomstreams import RandomStreams

COUNTS = pytest.mark.parametrize("count", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.slow)])


@pytest.fixture
def threads():
    """Return the function that sets the number of threads, and put it back afterwards."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def draws(seed=5, mode=None, size=(3, 700)):
    streams = RandomStreams(seed)
    outputs = [
        streams.uniform(size, dtype="float32"),
        streams.uniform(size, dtype="float64"),
        streams.uniform(size, 0.0, 4.0),
        streams.binomial(size, n=1, p=0.3),
        streams.binomial(size, n=5, p=0.3, dtype="float32"),
    ]
    return function([], outputs, mode=mode)


def normal_draws(seed=5, mode=None, size=(3, 701)):
    streams = RandomStreams(seed)
    outputs = [streams.normal(size, dtype="float32"), streams.normal(size, 3.0, 0.1, dtype="float64")]
    return function([], outputs, mode=mode)


DRAWS = pytest.mark.parametrize("draws", [draws, normal_draws])


@pytest.mark.parametrize(
    ("counter", "key", "bits"),
    [
        (0, 0, 0x99BA4EFE_6B200159),
        (0xFFFFFFFF_FFFFFFFF, 0xFFFFFFFF_FFFFFFFF, 0xBB002BE7_1CB996FC),
        (0x85A308D3_243F6A88, 0x03707344_13198A2E, 0x483DF7A0_C4923A9C),
    ],
)
def test_known_answers(counter, key, bits):
    # Threefry-2x32-20 in `kat_vectors` of the authors' library, Random123; words from low to high.
    assert threefry(key, np.array([counter], "uint64")) == bits


def test_reference_and_compiled_draw_the_same_numbers():
    compiled, reference = draws(), draws(mode="reference")
    for _ in range(3):
        for a, b in zip(compiled(), reference(), strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def test_reference_and_compiled_draw_the_same_normal_numbers():
    compiled, reference = normal_draws(), normal_draws(mode="reference")
    for _ in range(3):
        for a, b in zip(compiled(), reference(), strict=True):
            precision = np.finfo(a.dtype).eps
            np.testing.assert_allclose(a, b, rtol=4 * precision, atol=4 * precision, strict=True)


@DRAWS
def test_any_number_of_threads_draws_the_same_numbers(draws, threads):
    threads(1)
    one = draws(size=(300, 700))()
    threads(2)
    for a, b in zip(one, draws(size=(300, 700))(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_call_draws_anew_and_a_seed_starts_again():
    f = draws()
    first, second = f(), f()
    assert all((a != b).any() for a, b in zip(first, second, strict=True))
    for a, b in zip(first, draws()(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all((a != b).any() for a, b in zip(first, draws(seed=6)(), strict=True))


def test_a_long_draw_is_many_short_ones():
    short = function([], RandomStreams(1).uniform((10,)))
    parts = np.concatenate([short() for _ in range(5)])
    np.testing.assert_array_equal(parts, function([], RandomStreams(1).uniform((50,)))())


def test_streams_of_one_generator_differ():
    streams = RandomStreams(1)
    a, b = function([], [streams.uniform((100,)), streams.uniform((100,))])()
    assert (a != b).all()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.4  # four standard deviations of 100 pairs


def test_seeding_starts_all_streams_again():
    streams = RandomStreams(1)
    f = function([], [streams.uniform((4,)), streams.uniform((4,))])
    first = f()
    streams.seed(1)
    for a, b in zip(first, f(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != RandomStreams().uniform((4,)).eval()).any()


def test_two_functions_share_a_stream():
    draw = RandomStreams(3).uniform((4,))
    f, g, whole = function([], draw), function([], draw * 1), function([], RandomStreams(3).uniform((8,)))
    np.testing.assert_array_equal(np.concatenate([f(), g()]), whole())


def test_a_draw_used_twice_is_one_draw():
    draw = RandomStreams(3).uniform((4,))
    a, b = function([], [draw, draw * 2])()
    np.testing.assert_array_equal(a * 2, b)


def test_without_default_updates_the_numbers_stay():
    f = function([], RandomStreams(3).uniform((4,)), no_default_updates=True)
    np.testing.assert_array_equal(f(), f())


def test_a_failing_call_draws_nothing():
    streams, x = RandomStreams(3), T.dvector("x")
    f = function([x], streams.uniform((4,)) + x)
    with pytest.raises(GraphError):
        f([1.0, 2.0])
    np.testing.assert_array_equal(f(np.zeros(4)), function([], RandomStreams(3).uniform((4,)))())


@DRAWS
@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_a_pickled_stream_goes_on(draws, mode):
    f = draws(mode=mode)
    f()
    g = pickle.loads(pickle.dumps(f))
    for a, b in zip(f(), g(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sizes_from_symbols():
    x, n, streams = T.dmatrix("x"), T.lscalar("n"), RandomStreams(1)
    draws = [streams.uniform(x.shape), streams.binomial((n, 2)), streams.normal((n, 3))]
    f = function([x, n], [*draws, streams.uniform(), streams.normal(), streams.binomial(n)])
    shapes = [y.shape for y in f(np.zeros((3, 4)), 5)]
    assert shapes == [(3, 4), (5, 2), (5, 3), (), (), (5,)]
    assert [y.shape for y in f(np.zeros((0, 4)), 0)] == [(0, 4), (0, 2), (0, 3), (), (), (0,)]


def test_dtypes_and_arguments():
    streams = RandomStreams(1)
    assert streams.binomial((2,)).dtype == "int64"
    assert streams.binomial((2,), dtype="floatX").dtype == streams.uniform((2,)).dtype == "float64"
    assert streams.uniform((2,), -0.1, 0.1, dtype="float32").dtype == "float32"
    assert streams.normal((2,), 0.1, 0.1, dtype="float32").dtype == "float32"
    assert streams.normal((2,), dtype="floatX").dtype == "float64"
    for n in (-1, 1.5, T.dscalar(), np.ones(2)):
        with pytest.raises(GraphError, match="argument `n`"):
            streams.binomial((2,), n=n)


@COUNTS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers_are_uniform(dtype, count):
    sample = function([], RandomStreams(11).uniform((count,), dtype=dtype))()
    assert sample.dtype == dtype
    assert 0 <= sample.min() < 1e-5
    assert 1 - 1e-5 < sample.max() < 1
    assert scipy.stats.kstest(sample, "uniform").pvalue > 1e-3
    counts = np.bincount((sample * 1000).astype(int), minlength=1000)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    pairs = np.bincount((sample[::2] * 30).astype(int) * 30 + (sample[1::2] * 30).astype(int), minlength=900)
    assert scipy.stats.chisquare(pairs).pvalue > 1e-3
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 4e-3


@COUNTS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_numbers_are_normal(dtype, count):
    sample = function([], RandomStreams(11).normal((count + 1,), dtype=dtype))()
    assert sample.dtype == dtype
    assert scipy.stats.kstest(sample, "norm").pvalue > 1e-3
    assert 4 < abs(sample).max() < 9
    edges = scipy.stats.norm.ppf(np.linspace(0, 1, 31))
    place = np.searchsorted(edges, sample[:count]) - 1
    pairs = np.bincount(place[::2] * 30 + place[1::2], minlength=900)
    assert scipy.stats.chisquare(pairs).pvalue > 1e-3


def test_normal_numbers_of_a_mean_and_a_deviation():
    spread, streams = T.dvector("spread"), RandomStreams(2)
    f = function([spread], [streams.normal(spread.shape, 3.0, spread), streams.normal((5001,), -1, 2)])
    varied, same = f(np.repeat([0.0, 0.5, 4.0], 3333))
    assert varied[:3333].tolist() == [3.0] * 3333
    assert abs(varied[3333:6666].std() - 0.5) < 0.03
    assert abs(varied[6666:].std() - 4.0) < 0.2
    assert abs(same.mean() + 1) < 0.15
    assert abs(same.std() - 2) < 0.1


@COUNTS
def test_binomial_numbers_are_binomial(count):
    streams = RandomStreams(12)
    bits, sums, fine = function(
        [],
        [
            streams.binomial((count,), n=1, p=0.3),
            streams.binomial((count,), n=4, p=0.7),
            streams.binomial((count,), p=T.constant(1e-9)),
        ],
    )()
    for sample, n, p in ((bits, 1, 0.3), (sums, 4, 0.7)):
        expected = scipy.stats.binom.pmf(np.arange(n + 1), n, p) * count
        assert scipy.stats.chisquare(np.bincount(sample, minlength=n + 1), expected).pvalue > 1e-3
    assert fine.sum() <= 1  # expected: 0.001


def test_dropout_keeps_its_share():
    x, streams = T.fmatrix("x"), RandomStreams(3)
    mask = streams.binomial(n=1, p=1 - 0.25, size=x.shape)
    kept = function([x], x * T.cast(mask, "float32"))(np.ones((1000, 100), "float32"))
    assert set(np.unique(kept)) == {0.0, 1.0}
    assert abs(kept.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / kept.size)


def test_a_state_at_the_end_of_32_bits():
    streams = RandomStreams(3)
    draw = streams.uniform((8,))
    ((state, _),) = streams.state_updates
    seed = state.get_value()[0]
    f, g = function([], draw), function([], draw, mode="reference")
    for drawn in ((1 << 32) - 4, (1 << 40) - 4):
        state.set_value(np.array([seed, drawn]))
        a = f()
        state.set_value(np.array([seed, drawn]))
        np.testing.assert_array_equal(a, g())
        assert len(set(a.tolist())) == 8


def test_the_state_is_a_shared_variable():
    streams = RandomStreams(3)
    f = function([], streams.uniform((8,)))
    ((state, _),) = streams.state_updates
    assert isinstance(state, type(shared(0)))
    saved = state.get_value()
    first = f()
    state.set_value(saved)
    np.testing.assert_array_equal(f(), first)
    assert state.get_value()[1] == 8


# ------------------------------------------------------------------------------------------ distributions


def discrete_draws(seed=5, mode=None, size=(3, 70)):
    streams = RandomStreams(seed)
    outputs = [
        streams.multinomial(size, pvals=[0.2, 0.0, 0.5, 0.3]),
        streams.multinomial(size, n=5, pvals=np.array([0.2, 0.8], "float32")),
        streams.random_integers(size, -3, 1000),
        streams.permutation(size, 7),
        streams.choice(size, 5, p=[0.1, 0.1, 0.5, 0.2, 0.1]),
        streams.choice(size, replace=True, a=[10, 20, 30]),
        streams.choice(4, 5, replace=False),
        streams.binomial(size, n=np.arange(1, size[-1] + 1), p=0.3),
        streams.shuffle_row_elements(np.arange(30).reshape(5, 6)),
    ]
    return function([], outputs, mode=mode)


def test_discrete_numbers_are_the_same_everywhere(threads):
    threads(1)
    compiled, reference = discrete_draws(), discrete_draws(mode="reference")
    for _ in range(2):
        for a, b in zip(compiled(), reference(), strict=True):
            np.testing.assert_array_equal(a, b, strict=True)
    threads(2)
    first = discrete_draws(size=(300, 70))()
    threads(1)
    for a, b in zip(first, discrete_draws(size=(300, 70))(), strict=True):
        np.testing.assert_array_equal(a, b)


@COUNTS
def test_categories_have_their_probabilities(count):
    streams = RandomStreams(21)
    p = np.array([0.1, 0.25, 0.05, 0.6])
    once, often, chosen = function(
        [],
        [
            streams.multinomial((count,), pvals=p),
            streams.multinomial((count // 10,), n=10, pvals=p.astype("float32")),
            streams.choice((count,), np.array([5.0, 6.0, 7.0, 8.0]), p=p),
        ],
    )()
    assert once.dtype == often.dtype == "int64"
    assert (once.sum(1) == 1).all()
    assert (often.sum(1) == 10).all()
    for counts in (once.sum(0), often.sum(0), np.bincount(chosen.astype(int) - 5)):
        assert scipy.stats.chisquare(counts, p * count).pvalue > 1e-3
    first = often[:, 0]
    expected = scipy.stats.binom.pmf(np.arange(11), 10, 0.1) * len(first)
    met = np.bincount(first, minlength=11)
    assert scipy.stats.chisquare([*met[:5], met[5:].sum()], [*expected[:5], expected[5:].sum()]).pvalue > 1e-3


def test_each_row_has_its_probabilities():
    p = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5]])
    many = np.tile(p, (5000, 1))
    streams = MRG_RandomStreams(3)
    rows, sums, chosen = function(
        [],
        [
            streams.multinomial(pvals=many),
            streams.multinomial(n=100, pvals=T.constant(p)),
            streams.choice(size=1000, p=p),
        ],
    )()
    assert rows.shape == (10000, 3)
    assert sums.shape == (2, 3)
    assert chosen.shape == (2, 1000)
    np.testing.assert_allclose(rows.reshape(-1, 2, 3).mean(0), p, atol=4 * 0.5 / np.sqrt(5000))
    assert (sums.sum(1) == 100).all()
    assert sums[0, 2] == sums[1, 0] == 0
    assert set(np.unique(chosen[0])) <= {0, 1}
    assert set(np.unique(chosen[1])) == {1, 2}


@COUNTS
def test_integers_and_permutations_are_uniform(count):
    streams = RandomStreams(22)
    whole, order, few = function(
        [],
        [
            streams.random_integers((count,), -2, 4),
            streams.permutation((count // 10,), 4),
            streams.choice((2,), 5, replace=False),
        ],
    )()
    assert (whole.min(), whole.max()) == (-2, 4)
    assert scipy.stats.chisquare(np.bincount(whole + 2)).pvalue > 1e-3
    assert (np.sort(order, axis=1) == np.arange(4)).all()
    names = (order * 4 ** np.arange(4)).sum(1)
    kinds, counts = np.unique(names, return_counts=True)
    assert len(kinds) == 24
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    assert len(set(few.tolist())) == 2


def test_choice_without_replacement_goes_by_the_weights():
    p = np.array([0.5, 0.3, 0.2, 0.0])
    sample = MRG_RandomStreams(4).choice(size=2, replace=False, p=np.tile(p, (20000, 1))).eval()
    assert sample.shape == (20000, 2)
    assert (sample[:, 0] != sample[:, 1]).all()
    assert sample.max() == 2
    pairs = {(i, j): p[i] * p[j] / (1 - p[i]) for i in range(3) for j in range(3) if i != j}
    met = [(sample == pair).all(1).sum() for pair in pairs]
    assert scipy.stats.chisquare(met, np.array(list(pairs.values())) * len(sample)).pvalue > 1e-3
    old = MRG_RandomStreams(4).multinomial_wo_replacement(pvals=np.tile(p, (20000, 1)), n=2).eval()
    np.testing.assert_array_equal(old, sample)


@COUNTS
def test_truncated_normal_numbers(count):
    sample = RandomStreams(23).truncated_normal((count,), avg=1.0, std=2.0, dtype="float64").eval()
    assert scipy.stats.kstest((sample - 1) / 2, scipy.stats.truncnorm(-2, 2).cdf).pvalue > 1e-3


def test_parameters_that_broadcast():
    streams, p, row = RandomStreams(5), T.dmatrix("p"), T.drow("row")
    f = function(
        [p, row],
        [
            streams.binomial(p=p),
            streams.uniform(low=p, high=p + 1),
            streams.normal(avg=row, std=p * 0),
            streams.binomial(n=T.constant(np.array([0, 1, 7])), p=1.0),
            streams.uniform(size=p.shape, ndim=2),
            streams.normal(avg=np.float32(3), std=0.0),
        ],
    )
    value = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    bits, numbers, centred, counts, sized, single = f(value, [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(bits, value)
    assert ((value <= numbers) & (numbers < value + 1)).all()
    assert len(np.unique(numbers % 1)) == 6
    np.testing.assert_array_equal(centred, [[1, 2, 3]] * 2)
    assert counts.tolist() == [0, 1, 7]
    assert sized.shape == (2, 3)
    assert single == 3.0


def test_a_symbolic_number_of_trials_and_of_elements():
    n, streams = T.lscalar("n"), RandomStreams(6)
    f = function([n], [streams.binomial((4,), n=n, p=1.0), streams.permutation(n=n), streams.choice(n, n)])
    for value in (3, 1, 5):
        trials, order, some = f(value)
        assert trials.tolist() == [value] * 4
        assert sorted(order) == list(range(value))
        assert some.shape == (value,)


def test_dtypes_of_samples():
    streams = RandomStreams(7)
    narrow, wide = T.fvector(), T.dvector()
    assert streams.normal((2,), dtype="float32").dtype == "float32"
    assert streams.normal(avg=narrow).dtype == streams.normal(avg=wide).dtype == "float64"  # floatX
    assert streams.multinomial(pvals=wide, dtype="float32").dtype == "float32"
    assert streams.random_integers((2,), dtype="int8").dtype == "int8"
    before = config.floatX
    try:
        config.floatX = "float32"
        assert streams.uniform((2,), 0.1, 0.3).dtype == streams.normal(avg=narrow).dtype == "float32"
        assert streams.normal(avg=wide).dtype == "float64"
    finally:
        config.floatX = before


def test_the_state_of_a_draw_can_be_kept_and_given_back():
    streams = RandomStreams(8)
    draw = streams.normal((3,))
    f = function([], draw)
    kept = draw.rng.get_value(borrow=True)
    first = f()
    draw.rng.set_value(kept, borrow=True)
    np.testing.assert_array_equal(f(), first)
    other = RandomStreams(9)
    g = function([], other.normal((3,)))
    for (mine, _), (theirs, _) in zip(streams.state_updates, other.state_updates, strict=True):
        theirs.set_value(mine.get_value())
    np.testing.assert_array_equal(g(), f())
    still = function([], draw, no_default_updates=True)
    np.testing.assert_array_equal(still(), still())
    moving = function([], draw, updates=streams.updates(), no_default_updates=True)
    assert (moving() != moving()).all()


def test_a_pickled_function_goes_on_with_its_stream():
    f = function([], RandomStreams(10).choice((50,), 1000, replace=False))
    f()
    g = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(f(), g())
    streams = pickle.loads(pickle.dumps(RandomStreams(10)))
    np.testing.assert_array_equal(streams.uniform((4,)).eval(), RandomStreams(10).uniform((4,)).eval())


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda s: s.binomial((2,), n=0.5), "argument `n`"),
        (lambda s: s.permutation(n=-1), "argument `n`"),
        (lambda s: s.choice((2,), 2.5), "argument `a`"),
        (lambda s: s.choice((2, 3), 5, replace=False), "at most 5 elements, without replacement"),
        (lambda s: s.choice((2,), p=np.ones((2, 2, 2)) / 2), "choice: p"),
        (lambda s: s.multinomial((2,), pvals=0.5), "multinomial: probabilities"),
        (lambda s: s.multinomial((3,), pvals=np.ones((2, 2)) / 2), "a row for each number"),
        (lambda s: s.multinomial(pvals=np.ones((2, 0))), "at least one category"),
        (lambda s: s.uniform((2, 3), ndim=1), "uniform: ndim"),
        (lambda s: s.uniform(T.lvector()), "say `ndim=`"),
        (lambda s: s.uniform((-1,)), "at least 0"),
        (
            lambda s: s.multinomial_wo_replacement(size=(2,), pvals=[[0.5, 0.5]]),
            "multinomial_wo_replacement: size",
        ),
    ],
)
def test_what_cannot_be_drawn(draw, words):
    with pytest.raises(GraphError, match=words):
        draw(RandomStreams(1))


@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_empty_samples(mode):
    streams, p = RandomStreams(1), T.dmatrix("p")
    f = function(
        [p],
        [
            streams.multinomial(pvals=p),
            streams.permutation((2,), 0),
            streams.choice((0,), 3),
            streams.normal((0, 2)),
        ],
        mode=mode,
    )
    assert [x.shape for x in f(np.ones((0, 3)))] == [(0, 3), (2, 0), (0,), (0, 2)]
