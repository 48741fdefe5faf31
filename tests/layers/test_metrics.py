"""Metrics next to counting by hand, published examples, and PyTorch."""

import numpy as np
import pytest

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.layers import accuracy, confusion_matrix, precision_recall, top_k_accuracy

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(50, 6))
LABELS = RNG.integers(0, 6, 50)
PREDICTED = SCORES.argmax(axis=1)


class TestAccuracy:
    def test_counting(self):
        right = sum(p == y for p, y in zip(PREDICTED.tolist(), LABELS.tolist(), strict=True))
        assert accuracy(SCORES, LABELS) == accuracy(PREDICTED, LABELS) == right / 50
        assert accuracy(SCORES.tolist(), LABELS.astype("uint8").tolist()) == right / 50

    def test_the_first_of_equal_scores(self):
        assert accuracy([[0.5, 0.5], [0.5, 0.5]], [0, 1]) == 0.5

    @pytest.mark.parametrize("predicted", [[], np.empty((0, 3)), np.empty((0, 0))])
    def test_of_nothing(self, predicted):
        assert np.isnan(accuracy(predicted, []))


class TestTopK:
    @pytest.mark.parametrize("k", range(1, 7))
    def test_counting(self, k):
        ranks = [int((row > row[y]).sum()) for row, y in zip(SCORES, LABELS, strict=True)]
        assert top_k_accuracy(SCORES, LABELS, k) == np.mean([rank < k for rank in ranks])

    @pytest.mark.parametrize("k", [1, 3, 5])
    def test_pytorch_finds_the_same(self, k):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        best = torch.topk(torch.tensor(SCORES), k).indices
        expected = (best == torch.tensor(LABELS)[:, None]).any(1).double().mean().item()
        assert top_k_accuracy(SCORES, LABELS, k) == pytest.approx(expected)

    def test_equal_scores(self):
        same = np.ones((3, 3))
        assert [top_k_accuracy(same, [0, 1, 2], k) for k in (1, 2, 3)] == [1 / 3, 2 / 3, 1.0]
        assert top_k_accuracy(same, [0, 1, 2], 1) == accuracy(same, [0, 1, 2])

    def test_whole_numbers_as_scores(self):
        # The negative of an unsigned number is none.
        assert top_k_accuracy(np.array([[0, 9, 3]], "uint8"), [1], 1) == 1.0

    def test_of_nothing(self):
        assert np.isnan(top_k_accuracy(np.empty((0, 3)), [], 2))

    @pytest.mark.parametrize("k", [0, 7, 2.5])
    def test_k(self, k):
        with pytest.raises(InputError, match=r"argument `k`[\s\S]*from 1 to 6"):
            top_k_accuracy(SCORES, LABELS, k)

    def test_needs_scores(self):
        with pytest.raises(ShapeError, match=r"`scores`[\s\S]*\(n, classes\)[\s\S]*\(50,\)"):
            top_k_accuracy(PREDICTED, LABELS, 1)


class TestConfusion:
    def test_counting(self):
        expected = np.zeros((6, 6), int)
        for taken, label in zip(PREDICTED, LABELS, strict=True):
            expected[label, taken] += 1
        for predicted in (SCORES, PREDICTED):
            got = confusion_matrix(predicted, LABELS)
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == np.int64

    def test_number_of_classes(self):
        assert confusion_matrix([0, 1], [0, 0]).tolist() == [[1, 1], [0, 0]]
        assert confusion_matrix([0, 0], [0, 1], classes=3).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
        assert confusion_matrix(np.eye(3)[[0]], [0]).shape == (3, 3)

    def test_of_nothing(self):
        assert confusion_matrix([], []).shape == (0, 0)
        assert confusion_matrix([], [], classes=2).tolist() == [[0, 0], [0, 0]]
        assert confusion_matrix(np.empty((0, 2)), []).tolist() == [[0, 0], [0, 0]]

    def test_it_adds_up(self):
        matrix = confusion_matrix(SCORES, LABELS)
        assert matrix.sum() == 50
        assert matrix.trace() / 50 == accuracy(SCORES, LABELS)
        np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(LABELS, minlength=6))


class TestPerClass:
    def test_counting(self):
        got = precision_recall(SCORES, LABELS)
        assert (confusion_matrix(SCORES, LABELS).diagonal() > 0).sum() > 3
        for c in np.flatnonzero(confusion_matrix(SCORES, LABELS).diagonal()):
            hits = np.sum((c == PREDICTED) & (c == LABELS))
            precision, recall = hits / np.sum(c == PREDICTED), hits / np.sum(c == LABELS)
            assert got.precision[c] == pytest.approx(precision)
            assert got.recall[c] == pytest.approx(recall)
            assert got.f1[c] == pytest.approx(2 * precision * recall / (precision + recall))
            assert got.support[c] == np.sum(c == LABELS)

    def test_the_example_of_scikit_learn(self):
        # `precision_recall_fscore_support` in its documentation: classes cat, dog and pig.
        got = precision_recall([0, 2, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2])
        np.testing.assert_allclose(got.precision, [2 / 3, 0, 0])
        np.testing.assert_allclose(got.recall, [1, 0, 0])
        np.testing.assert_allclose(got.f1, [0.8, 0, 0])
        assert got.support.tolist() == [2, 2, 2]

    def test_classes_that_are_not_there_count_as_0(self):
        got = precision_recall([0, 1], [0, 2], classes=4)
        assert got.precision.tolist() == [1, 0, 0, 0]
        assert got.recall.tolist() == [1, 0, 0, 0]
        assert got.f1.tolist() == [1, 0, 0, 0]
        assert got.support.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("metric", [accuracy, top_k_accuracy, confusion_matrix, precision_recall])
@pytest.mark.parametrize(
    ("scores", "labels", "error", "message"),
    [
        (SCORES, LABELS[1:], ShapeError, r"\(50, 6\) and \(49,\)"),
        (SCORES, LABELS[:, None], ShapeError, r"\(50, 6\) and \(50, 1\)"),
        (SCORES, LABELS + 0.5, DTypeError, r"`labels`[\s\S]*integers[\s\S]*float64"),
        (SCORES, LABELS + 1, InputError, r"`labels`[\s\S]*from 0 to 5[\s\S]*6 at position \d+"),
        (SCORES, LABELS - 1, InputError, r"`labels`[\s\S]*from 0 to 5[\s\S]*-1 at position \d+"),
    ],
)
def test_what_does_not_fit(metric, scores, labels, error, message):
    with pytest.raises(error, match=message) as caught:
        metric(scores, labels)
    assert metric.__name__ in str(caught.value) or metric is precision_recall
    assert "test_metrics.py" in str(caught.value)


@pytest.mark.parametrize("metric", [accuracy, confusion_matrix])
def test_predicted_classes_that_do_not_fit(metric):
    with pytest.raises(DTypeError, match=r"`predicted`[\s\S]*float64"):
        metric(PREDICTED + 0.5, LABELS)
    with pytest.raises(InputError, match=r"`predicted`[\s\S]*at least 0[\s\S]*-1 at position"):
        metric(PREDICTED - 1, LABELS)


def test_classes_outside_of_those_that_there_are():
    with pytest.raises(InputError, match=r"`labels`[\s\S]*from 0 to 4[\s\S]*5 at position"):
        confusion_matrix(np.zeros(50, int), LABELS, classes=5)
