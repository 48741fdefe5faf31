"""Losses: values and gradients next to PyTorch's, and next to formulas in NumPy and SciPy."""

import numpy as np
import pytest
from scipy import special

from arignote import function
from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.grad import grad
from arignote.engine.ops import mean, softmax
from arignote.engine.types import TensorType
from arignote.layers import (
    binary_cross_entropy,
    binary_hinge,
    cross_entropy,
    cross_entropy_of_probabilities,
    hinge,
    huber,
    kl_divergence,
    mean_absolute_error,
    mean_squared_error,
)
from arignote.layers.losses import LOSSES

RNG = np.random.default_rng(0)
N, CLASSES = 6, 4
LABELS = RNG.integers(0, CLASSES, N).astype("int32")
ONE_HOT = np.eye(CLASSES)[LABELS]
DISTRIBUTIONS = RNG.dirichlet(np.full(CLASSES, 0.5), N)
NORMAL = RNG.normal(size=(N, CLASSES))
#: Logits whose exponentials overflow, and whose probabilities round to 0 and 1.
EXTREME = np.array(
    [
        [1e3, 0, 0, 0],
        [-1e3, 0, 0, 1e3],
        [1e300, 1e299, 0, -1e300],
        [0, 0, 0, 0],
        [40, 0, 0, -40],
        [1e-300, 0, 0, 0],
    ]
)
TARGETS = RNG.normal(size=(N, CLASSES))
BITS = RNG.integers(0, 2, (N, CLASSES))


def evaluated(loss, predicted, target, mode=None):
    """Return the loss of each example, and the gradient of the mean."""
    x = TensorType(str(predicted.dtype), (None,) * predicted.ndim)("x")
    t = TensorType(str(target.dtype), (None,) * target.ndim)("t")
    each = loss(x, t)
    values, gradient = function([x, t], [each, grad(mean(each), x)], mode=mode)(predicted, target)
    assert values.shape == predicted.shape[:1]
    assert values.dtype == gradient.dtype == predicted.dtype
    return values, gradient


def nll(x, labels):
    return -special.log_softmax(x, axis=1)[np.arange(len(x)), labels]


def smoothed(x, labels):
    return -((0.9 * np.eye(CLASSES)[labels] + 0.1 / CLASSES) * special.log_softmax(x, axis=1)).sum(axis=1)


def multiclass_hinge(x, labels, margin=1.0):
    total = np.zeros(len(x))
    for i, row in enumerate(x):
        for j, score in enumerate(row):
            if j != labels[i]:
                total[i] += max(0, margin - row[labels[i]] + score) / len(row)
    return total


def divergence(x, p):
    return special.rel_entr(p, special.softmax(x, axis=1)).sum(axis=1)


def huber_by_cases(x, t, delta=1.0):
    return special.huber(delta, x - t).mean(axis=1)


def binary(x, t):
    # Of the two classes with the logits x and 0.
    log_p = x - np.logaddexp(x, 0)
    log_q = -np.logaddexp(x, 0)
    return -(t * log_p + (1 - t) * log_q).mean(axis=1)


#: A loss; its arguments; what it is in NumPy and SciPy.
FORMULAS = [
    (cross_entropy, NORMAL, LABELS, nll),
    (cross_entropy, NORMAL, DISTRIBUTIONS, lambda x, p: -(p * special.log_softmax(x, axis=1)).sum(axis=1)),
    (cross_entropy, NORMAL, ONE_HOT.astype(int), lambda x, _: nll(x, LABELS)),
    (lambda x, y: cross_entropy(x, y, label_smoothing=0.1), NORMAL, LABELS, smoothed),
    (lambda x, y: cross_entropy(x, y, 0.1), NORMAL, ONE_HOT, lambda x, _: smoothed(x, LABELS)),
    (
        cross_entropy_of_probabilities,
        special.softmax(NORMAL, axis=1),
        LABELS,
        lambda p, y: -np.log(p[np.arange(N), y]),
    ),
    (
        cross_entropy_of_probabilities,
        special.softmax(NORMAL, axis=1),
        DISTRIBUTIONS,
        lambda p, q: -special.xlogy(q, p).sum(axis=1),
    ),
    (kl_divergence, NORMAL, DISTRIBUTIONS, divergence),
    (kl_divergence, NORMAL, ONE_HOT, divergence),
    (binary_cross_entropy, NORMAL, BITS, binary),
    (binary_cross_entropy, NORMAL, DISTRIBUTIONS, binary),
    (mean_squared_error, NORMAL, TARGETS, lambda x, t: ((x - t) ** 2).mean(axis=1)),
    (mean_absolute_error, NORMAL, TARGETS, lambda x, t: abs(x - t).mean(axis=1)),
    (huber, NORMAL, TARGETS, huber_by_cases),
    (lambda x, t: huber(x, t, delta=0.3), NORMAL, TARGETS, lambda x, t: huber_by_cases(x, t, 0.3)),
    (hinge, NORMAL, LABELS, multiclass_hinge),
    (lambda x, y: hinge(x, y, margin=0.5), NORMAL, LABELS, lambda x, y: multiclass_hinge(x, y, 0.5)),
    (binary_hinge, NORMAL, 2 * BITS - 1, lambda x, t: np.maximum(0, 1 - t * x).mean(axis=1)),
]


@pytest.mark.parametrize("mode", [None, "reference"])
@pytest.mark.parametrize(("loss", "predicted", "target", "formula"), FORMULAS)
def test_values_and_slopes_of_formulas(loss, predicted, target, formula, mode):
    values, gradient = evaluated(loss, predicted, target, mode)
    np.testing.assert_allclose(values, formula(predicted, target), rtol=1e-12, atol=1e-15)
    step = 1e-6
    for place in np.ndindex(predicted.shape):
        moved = np.zeros_like(predicted)
        moved[place] = step
        slope = (formula(predicted + moved, target) - formula(predicted - moved, target)).mean() / (2 * step)
        assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-8)


class TestPyTorch:
    """With `reduction="none"`, and the gradient of the mean; also where exponentials overflow."""

    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="compares with PyTorch")

    def compare(self, torch, loss, theirs, predicted, target):
        values, gradient = evaluated(loss, predicted, target)
        x = torch.tensor(predicted, requires_grad=True)
        t = torch.tensor(target.astype("int64") if target.dtype == "int32" else target)
        each = theirs(x, t)
        each = each.flatten(1).mean(1) if each.ndim > 1 else each
        each.mean().backward()
        np.testing.assert_allclose(values, each.detach().numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("logits", [NORMAL, 100 * NORMAL, EXTREME])
    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    @pytest.mark.parametrize(
        "labels", [LABELS, ONE_HOT, DISTRIBUTIONS], ids=["labels", "one_hot", "distributions"]
    )
    def test_cross_entropy(self, torch, logits, smoothing, labels):
        self.compare(
            torch,
            lambda x, y: cross_entropy(x, y, smoothing),
            lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction="none", label_smoothing=smoothing),
            logits,
            labels,
        )

    @pytest.mark.parametrize("logits", [NORMAL, EXTREME])
    def test_cross_entropy_of_a_softmax(self, torch, logits):
        self.compare(
            torch,
            lambda x, y: cross_entropy_of_probabilities(softmax(x), y),
            lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction="none"),
            logits,
            LABELS,
        )

    @pytest.mark.parametrize("logits", [NORMAL, EXTREME])
    def test_kl_divergence(self, torch, logits):
        def theirs(x, p):
            log_softmax = torch.nn.functional.log_softmax(x, dim=1)
            return torch.nn.functional.kl_div(log_softmax, p, reduction="none").sum(1)

        self.compare(torch, kl_divergence, theirs, logits, DISTRIBUTIONS)

    @pytest.mark.parametrize("shape", [(N,), (N, CLASSES), (N, 2, 2)])
    @pytest.mark.parametrize(
        ("loss", "name"),
        [
            (binary_cross_entropy, "binary_cross_entropy_with_logits"),
            (mean_squared_error, "mse_loss"),
            (mean_absolute_error, "l1_loss"),
            (huber, "huber_loss"),
        ],
    )
    def test_elementwise(self, torch, loss, name, shape):
        predicted, target = (
            array.reshape(-1)[: np.prod(shape)].reshape(shape) for array in (NORMAL, DISTRIBUTIONS)
        )
        theirs = getattr(torch.nn.functional, name)
        self.compare(torch, loss, lambda x, t: theirs(x, t, reduction="none"), 3 * predicted, target)

    def test_binary_cross_entropy_at_extremes(self, torch):
        theirs = torch.nn.functional.binary_cross_entropy_with_logits
        logits = np.array([1e300, -1e300, 800.0, -800.0, 0.0, 1e-300])
        for target in (np.zeros(6), np.ones(6), np.full(6, 0.25)):
            self.compare(
                torch, binary_cross_entropy, lambda x, t: theirs(x, t, reduction="none"), logits, target
            )

    @pytest.mark.parametrize("margin", [1.0, 0.5])
    def test_hinge(self, torch, margin):
        theirs = torch.nn.functional.multi_margin_loss
        self.compare(
            torch,
            lambda x, y: hinge(x, y, margin),
            lambda x, y: theirs(x, y, margin=margin, reduction="none"),
            NORMAL,
            LABELS,
        )


@pytest.mark.parametrize("labels", [LABELS, ONE_HOT], ids=["labels", "one_hot"])
def test_extreme_logits(labels):
    values, gradient = evaluated(cross_entropy, EXTREME, labels)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, nll(EXTREME, LABELS), rtol=1e-12)
    np.testing.assert_allclose(gradient, (special.softmax(EXTREME, axis=1) - ONE_HOT) / N, atol=1e-15)


class TestTypes:
    @pytest.mark.parametrize("name", LOSSES)
    def test_float32_stays(self, name, each_float):
        predicted = abs(NORMAL).astype("float32")
        # Targets are of the wider float64, or whole numbers.
        target = {"hinge": LABELS, "kl_divergence": DISTRIBUTIONS, "binary_hinge": 2 * BITS - 1}.get(
            name, ONE_HOT
        )
        values, _ = evaluated(LOSSES[name], predicted, target)
        exact, _ = evaluated(LOSSES[name], predicted.astype("float64"), target)
        np.testing.assert_allclose(values, exact, rtol=1e-5, atol=1e-6)

    def test_arguments_keep_float32(self):
        predicted = NORMAL.astype("float32")
        for loss in (lambda x, y: cross_entropy(x, y, 0.1), lambda x, y: hinge(x, y, 0.3)):
            evaluated(loss, predicted, LABELS)
        evaluated(lambda x, t: huber(x, t, 0.3), predicted, TARGETS)

    @pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
    def test_labels_of_any_integers(self, dtype):
        values, _ = evaluated(cross_entropy, NORMAL, LABELS.astype(dtype))
        np.testing.assert_allclose(values, nll(NORMAL, LABELS), rtol=1e-12)

    @pytest.mark.parametrize("name", LOSSES)
    def test_no_examples(self, name):
        target = np.zeros(0, "int32") if name in ("hinge", "cross_entropy") else np.zeros((0, 3))
        x = TensorType("float64", (None, None))("x")
        t = TensorType(str(target.dtype), (None,) * target.ndim)("t")
        assert function([x, t], LOSSES[name](x, t))(np.zeros((0, 3)), target).shape == (0,)


class TestMistakes:
    @pytest.mark.parametrize("mode", [None, "reference"])
    @pytest.mark.parametrize("loss", [cross_entropy, cross_entropy_of_probabilities, hinge])
    @pytest.mark.parametrize("label", [-1, -CLASSES - 1, CLASSES, 100])
    def test_labels_out_of_range(self, loss, label, mode):
        labels = LABELS.copy()
        labels[3] = label
        with pytest.raises(InputError, match=r"element 3[\s\S]*out of range[\s\S]*classes count from 0"):
            evaluated(loss, special.softmax(NORMAL, axis=1), labels, mode)

    @pytest.mark.parametrize("mode", [None, "reference"])
    @pytest.mark.parametrize("count", [1, N - 1, N + 1])
    def test_another_number_of_labels(self, count, mode):
        with pytest.raises(ShapeError):
            evaluated(cross_entropy, NORMAL, np.zeros(count, "int32"), mode)

    @pytest.mark.parametrize(
        ("predicted", "target"),
        [((N, 1), (N, CLASSES)), ((N, CLASSES), (N, 1)), ((1, 3), (N, 3)), ((N,), (1,))],
    )
    @pytest.mark.parametrize("mode", [None, "reference"])
    def test_nothing_is_repeated(self, predicted, target, mode):
        x, t = np.ones(predicted), np.ones(target)
        with pytest.raises(ShapeError):
            evaluated(mean_squared_error, x, t, mode)
        # Also where one of the types says that an extent is 1, and would broadcast.
        for types in ((predicted, (None,) * t.ndim), ((None,) * x.ndim, target)):
            variables = [TensorType("float64", shape)() for shape in types]
            step = function(variables, mean_squared_error(*variables), mode=mode)
            with pytest.raises(ShapeError):
                step(x, t)

    @pytest.mark.parametrize(
        ("loss", "types", "error", "message"),
        [
            (mean_squared_error, [("float64", (None, 1)), ("float64", (None,))], ShapeError, r"one shape"),
            (
                mean_squared_error,
                [("float64", (5, 3)), ("float64", (5, 4))],
                ShapeError,
                r"\(5, 3\)[\s\S]*\(5, 4\)",
            ),
            (mean_squared_error, [("float64", ()), ("float64", ())], ShapeError, r"first axis"),
            (
                huber,
                [("int64", (None,)), ("float64", (None,))],
                DTypeError,
                r"huber: what is predicted[\s\S]*int64",
            ),
            (
                cross_entropy,
                [("float64", (None, 3)), ("float64", (None,))],
                DTypeError,
                r"integers[\s\S]*int32",
            ),
            (
                cross_entropy,
                [("float64", (None,)), ("int32", (None,))],
                ShapeError,
                r"a matrix \(examples, classes",
            ),
            (
                cross_entropy,
                [("float64", (4, 3)), ("float64", (4, 2))],
                ShapeError,
                r"\(4, 3\)[\s\S]*\(4, 2\)",
            ),
            (cross_entropy, [("int64", (4, 3)), ("int64", (4,))], DTypeError, r"what is predicted"),
            (
                kl_divergence,
                [("float64", (4, 3)), ("int64", (4,))],
                ShapeError,
                r"`distribution`[\s\S]*cross_entropy",
            ),
            (hinge, [("float64", (4, 3)), ("float64", (4, 3))], DTypeError, r"`labels`[\s\S]*argmax"),
        ],
    )
    def test_types_that_do_not_fit(self, loss, types, error, message):
        with pytest.raises(error, match=message) as caught:
            loss(*(TensorType(dtype, shape)() for dtype, shape in types))
        assert loss.__name__ in str(caught.value)
        assert "test_losses.py" in str(caught.value)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: cross_entropy(NORMAL, LABELS, label_smoothing=1.0), r"`label_smoothing`[\s\S]*below 1"),
            (
                lambda: cross_entropy(NORMAL, LABELS, label_smoothing=-0.1),
                r"`label_smoothing`[\s\S]*at least 0",
            ),
            (lambda: huber(NORMAL, TARGETS, delta=0), r"huber: argument `delta`[\s\S]*above 0"),
            (lambda: hinge(NORMAL, LABELS, margin=np.nan), r"hinge: argument `margin`[\s\S]*nan"),
        ],
    )
    def test_arguments(self, call, message):
        with pytest.raises(InputError, match=message):
            call()
