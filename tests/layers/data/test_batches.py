"""Batches: each example once, the same numbers for the same seed, and threads that end."""

import threading
import time
from itertools import islice

import numpy as np
import pytest

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.layers import Batches, Crop, Flip, Rotate, Shift

INPUTS = np.arange(23 * 4, dtype=np.float32).reshape(23, 4)
TARGETS = np.arange(23)
IMAGES = np.random.default_rng(0).random((23, 1, 8, 8), np.float32)


def assert_same(some, others):
    for one, other in zip(some, others, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("arignote batches")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not reading_threads()


@pytest.fixture(params=[0, 1, 3], ids="prefetch {}".format)
def prefetch(request):
    return request.param


class TestArrays:
    @pytest.mark.parametrize(("drop_last", "sizes"), [(False, [5, 5, 5, 5, 3]), (True, [5, 5, 5, 5])])
    def test_each_example_once_with_its_target(self, prefetch, drop_last, sizes):
        batches = Batches((INPUTS, TARGETS), 5, seed=7, drop_last=drop_last, prefetch=prefetch)
        found = list(batches.epoch(0))
        assert len(batches) == len(sizes)
        assert [len(batch.inputs) for batch in found] == sizes
        targets = np.concatenate([batch.targets for batch in found])
        assert len(set(targets.tolist())) == sum(sizes)
        np.testing.assert_array_equal(np.concatenate([batch.inputs for batch in found]), INPUTS[targets])

    def test_each_epoch_and_each_seed_has_its_order(self):
        def order(seed, epoch):
            return np.concatenate(
                [targets for _, targets, _ in Batches((INPUTS, TARGETS), 5, seed=seed).epoch(epoch)]
            ).tolist()

        orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
        assert len({tuple(each) for each in orders.values()}) == 9
        assert order(2, 1) == orders[2, 1]
        assert TARGETS.tolist() not in orders.values()

    def test_without_shuffling(self):
        found = list(Batches((INPUTS, TARGETS), 10, shuffle=False).epoch(4))
        np.testing.assert_array_equal(np.concatenate([batch.targets for batch in found]), TARGETS)

    def test_the_users_arrays_cannot_be_altered(self):
        inputs = INPUTS.copy()
        for batch in Batches((inputs, TARGETS), 10, shuffle=False).epoch():
            batch.inputs[...] = -1
        np.testing.assert_array_equal(inputs, INPUTS)

    def test_weights_go_with_their_examples(self):
        weights = np.linspace(0, 1, 23)
        for batch in Batches((INPUTS, TARGETS), 4, weights=weights).epoch(1):
            np.testing.assert_array_equal(batch.weights, weights[batch.targets])

    def test_files_mapped_to_memory(self, tmp_path):
        np.save(tmp_path / "x.npy", INPUTS)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert_same(Batches((mapped, TARGETS), 6).epoch(2), Batches((INPUTS, TARGETS), 6).epoch(2))

    def test_one_example(self):
        ((inputs, targets, weights),) = Batches((INPUTS[:1], TARGETS[:1]), 100).epoch()
        assert (inputs.shape, targets.tolist(), weights) == ((1, 4), [0], None)


class TestReproducible:
    AUGMENT = (Shift(1), Flip(), Rotate(10), Crop((6, 6)))

    def batches(self, **options):
        return Batches((IMAGES, TARGETS), 5, seed=3, augment=self.AUGMENT, **options)

    def test_read_ahead_or_not(self, prefetch):
        for epoch in range(2):
            expected = list(self.batches(prefetch=0).epoch(epoch))
            assert_same(self.batches(prefetch=prefetch).epoch(epoch), expected)

    def test_resuming_anywhere(self, prefetch):
        batches = self.batches(prefetch=prefetch)
        expected = list(batches.epoch(2))
        for start in range(len(batches) + 1):
            assert_same(self.batches(prefetch=prefetch).epoch(2, start=start), expected[start:])

    def test_augmentation_differs_between_batches_epochs_and_seeds(self):
        same = np.broadcast_to(IMAGES[:1], (20, 1, 8, 8))
        found = [
            batch.inputs.tobytes()
            for seed in range(2)
            for epoch in range(2)
            for batch in Batches((same, np.zeros(20)), 5, seed=seed, augment=Shift(3)).epoch(epoch)
        ]
        assert len(set(found)) == len(found) == 16

    def test_any_function_is_a_transform(self):
        doubled = Batches((INPUTS, TARGETS), 5, augment=lambda inputs, random: inputs * 2).epoch()
        for plain, twice in zip(Batches((INPUTS, TARGETS), 5).epoch(), doubled, strict=True):
            np.testing.assert_array_equal(twice.inputs, plain.inputs * 2)


class TestMadeElsewhere:
    @staticmethod
    def made(epoch=0, count=6):
        for step in range(count):
            yield [[epoch, step]] * 2, [step, step], [1, 0.5]

    def test_generator_functions_lists_and_iterators(self, prefetch):
        expected = [(np.full((2, 2), [0, step]), np.full(2, step), np.array([1, 0.5])) for step in range(6)]
        for source in (self.made, list(self.made()), self.made()):
            assert_same(Batches(source, prefetch=prefetch).epoch(0), expected)
        assert_same(Batches(self.made, prefetch=prefetch).epoch(0, start=4), expected[4:])
        assert len(Batches(list(self.made()))) == 6

    def test_the_function_is_told_the_epoch(self):
        assert [batch.inputs[0, 0] for batch in Batches(self.made).epoch(5)] == [5] * 6

    def test_without_end(self):
        def endless(epoch):
            while True:
                yield INPUTS, TARGETS

        with pytest.raises(TypeError):
            len(Batches(endless))
        batches = Batches(endless).epoch()
        assert len(list(islice(batches, 10))) == 10
        batches.close()

    def test_an_iterator_serves_once(self):
        batches = Batches(self.made())
        list(batches.epoch(0))
        with pytest.raises(InputError, match="serves one epoch"):
            batches.epoch(1)

    def test_augmentation(self):
        source = [(IMAGES[:4], TARGETS[:4]), (IMAGES[4:8], TARGETS[4:8])]
        first, again = (list(Batches(source, augment=Shift(2)).epoch(1)) for _ in range(2))
        assert_same(first, again)
        assert not np.array_equal(first[0].inputs, IMAGES[:4])

    @pytest.mark.parametrize(
        ("batch", "error", "message"),
        [
            (INPUTS, DTypeError, "batch 0 of those made elsewhere"),
            ((INPUTS,), DTypeError, "a tuple of 1"),
            ((INPUTS, TARGETS[:5]), ShapeError, r"\(23, 4\) and \(5,\)"),
            ((INPUTS, TARGETS, [1.0]), ShapeError, r"shape \(23,\)"),
            ((["a"], [1]), DTypeError, "inputs"),
        ],
    )
    def test_what_is_no_batch(self, prefetch, batch, error, message):
        with pytest.raises(error, match=message) as caught:
            list(Batches([batch], prefetch=prefetch).epoch())
        assert f"{__file__}:" in str(caught.value)


class TestThread:
    def test_batches_are_read_while_one_is_in_use_and_not_more_than_that(self):
        read = []

        def source(epoch):
            for step in range(20):
                read.append(step)
                yield INPUTS, TARGETS

        batches = Batches(source, prefetch=3).epoch()
        next(batches)
        deadline = time.monotonic() + 10
        while len(read) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(read) == 4
        batches.close()

    def test_an_error_comes_where_it_happened(self, prefetch):
        def source(epoch):
            yield INPUTS, TARGETS
            yield INPUTS, TARGETS
            raise OSError("the disk is gone")

        batches = Batches(source, prefetch=prefetch).epoch()
        assert len([next(batches), next(batches)]) == 2
        with pytest.raises(OSError, match="the disk is gone"):
            next(batches)

    def test_an_error_of_a_transform_names_the_line_of_the_batches(self, prefetch):
        batches = Batches((INPUTS, TARGETS), 5, augment=Shift(1), prefetch=prefetch)
        with pytest.raises(ShapeError, match=r"test_batches\.py.*batches = Batches"):
            next(batches.epoch())

    @pytest.mark.parametrize("leave", ["close", "del"])
    def test_leaving_ends_the_thread_and_the_source(self, leave):
        ended = []

        def source(epoch):
            try:
                while True:
                    yield INPUTS, TARGETS
            finally:
                ended.append(epoch)

        batches = Batches(source, prefetch=2).epoch(8)
        next(batches)
        assert reading_threads()
        if leave == "close":
            batches.close()
        del batches
        assert not reading_threads()
        assert ended == [8]

    def test_two_epochs_at_once(self):
        batches = Batches((INPUTS, TARGETS), 5, prefetch=2)
        pairs = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
        assert_same([one for one, _ in pairs], batches.epoch(0))
        assert_same([other for _, other in pairs], batches.epoch(1))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (((INPUTS, TARGETS),), {}, InputError, "`batch_size`"),
        (((INPUTS, TARGETS), 0), {}, InputError, "`batch_size`"),
        (((INPUTS, TARGETS), 2.5), {}, InputError, "`batch_size`"),
        (((INPUTS, TARGETS), True), {}, InputError, "`batch_size`"),
        (((INPUTS, TARGETS), 5), {"seed": -1}, InputError, "`seed`"),
        (((INPUTS, TARGETS), 5), {"prefetch": -1}, InputError, "`prefetch`"),
        (((INPUTS, TARGETS), 24), {"drop_last": True}, ShapeError, "do not fill one batch"),
        (((INPUTS[:0], TARGETS[:0]), 24), {}, ShapeError, "do not fill one batch"),
        (((INPUTS, TARGETS[:22]), 5), {}, ShapeError, r"\(23, 4\) and \(22,\)"),
        (((INPUTS, TARGETS, TARGETS), 5), {}, InputError, "a tuple of 3"),
        ((([[1, 2], [3]], [0, 1]), 1), {}, ShapeError, "pad_to_one_size"),
        (((np.array([None, 1]), [0, 1]), 1), {}, DTypeError, "pad_to_one_size"),
        (((INPUTS, TARGETS), 5), {"weights": [1.0, 2.0]}, ShapeError, "`weights`"),
        (((INPUTS, TARGETS), 5), {"weights": -TARGETS}, InputError, "-1.0 at position 1"),
        (((INPUTS, TARGETS), 5), {"weights": np.full(23, np.nan)}, InputError, "nan at position 0"),
        (([(INPUTS, TARGETS)], 5), {}, InputError, "`batch_size`"),
        (([(INPUTS, TARGETS)],), {"weights": TARGETS}, InputError, "`weights`"),
        ((INPUTS, 5), {}, InputError, "`batch_size`"),
        ((INPUTS,), {}, DTypeError, "ndarray"),
        ((7,), {}, DTypeError, "int"),
        ((lambda: [(INPUTS, TARGETS)],), {}, InputError, "number of the epoch"),
    ],
)
def test_arguments_that_do_not_fit(arguments, options, error, message):
    with pytest.raises(error, match=message):
        Batches(*arguments, **options)


def test_a_batch_that_is_not_there():
    with pytest.raises(InputError, match="at most 5"):
        Batches((INPUTS, TARGETS), 5).epoch(0, start=6)
    with pytest.raises(InputError, match="`number`"):
        Batches((INPUTS, TARGETS), 5).epoch(-1)
