"""Linear algebra beside the table: what is refused, and how, and what stands between native programs."""

import numpy as np
import pytest

from arignote import function, grad
from arignote import tensor as T
from arignote.engine.errors import GraphError, LinearAlgebraError, ShapeError
from arignote.gradient import jacobian
from arignote.tensor import nlinalg, slinalg

MODES = pytest.mark.parametrize("mode", ["compiled", "reference"])
SINGULAR = np.ones((2, 2))
REFUSED = {
    "matrix_inverse: the matrix has no inverse": (nlinalg.inv, SINGULAR),
    "cholesky: the matrix is not positive definite": (slinalg.cholesky, -SINGULAR),
    "solve: the matrix is singular": (lambda x: slinalg.solve(x, np.ones(2)), SINGULAR),
    "eig: the matrix has complex eigenvalues": (lambda x: nlinalg.eig(x)[0], np.array([[0.0, 1], [-1, 0]])),
    "svd: the singular values were not found": (lambda x: nlinalg.svd(x)[1], SINGULAR * np.nan),
}


@MODES
@pytest.mark.parametrize("words", REFUSED)
def test_what_lapack_refuses_names_the_op_and_the_line(words, mode):
    make, value = REFUSED[words]
    x = T.dmatrix("x")
    f = function([x], make(x), mode=mode)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        f(value)
    assert isinstance(caught.value, LinearAlgebraError)
    assert words in str(caught.value)
    assert f"{__file__}:" in str(caught.value)
    assert "fix:" in str(caught.value)


def test_cholesky_of_what_is_not_positive_definite_may_be_nan():
    x = T.fmatrix("x")
    f = function([x], slinalg.cholesky(x, on_error="nan"))
    assert np.isnan(f(-np.eye(2, dtype="float32"))).all()
    assert f(np.eye(2, dtype="float32")).tolist() == np.eye(2).tolist()


@pytest.mark.parametrize("op", [nlinalg.inv, nlinalg.det, slinalg.cholesky, slinalg.expm, nlinalg.eigh])
def test_only_square_matrices(op):
    with pytest.raises(ShapeError, match="a square matrix"):
        op(T.TensorType("float64", (2, 3))("x"))
    with pytest.raises(ShapeError, match="expected: a matrix"):
        op(T.tensor3("x"))
    x = T.dmatrix("x")
    expression = op(x)
    f = function([x], expression)
    with pytest.raises(ShapeError, match="a square matrix"):
        f(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: nlinalg.svd(x)[0], "pass full_matrices=False"),
        (lambda x: nlinalg.qr(x, "complete")[0], "pass mode='reduced'"),
        (lambda x: nlinalg.lstsq(x, np.ones(3), -1)[3], "only the solution has a gradient"),
    ],
)
def test_what_has_no_gradient_says_so(make, words):
    x = T.dmatrix("x")
    with pytest.raises(GraphError, match=words):
        grad(make(x).sum(), x)


def test_values_have_gradients_where_they_coincide():
    x = T.dmatrix("x")
    eigenvalues, singular = nlinalg.eigh(x)[0].sum(), nlinalg.svd(x)[1].sum()
    np.testing.assert_allclose(grad(eigenvalues, x).eval({x: np.eye(3)}), np.eye(3), atol=1e-14)
    np.testing.assert_allclose(grad(singular, x).eval({x: np.eye(3)}), np.eye(3), atol=1e-14)


@pytest.mark.parametrize(
    "make",
    [
        nlinalg.inv,
        slinalg.cholesky,
        lambda x: slinalg.solve(x, np.array([1.0, 2.0, 3.0])),
        lambda x: slinalg.solve_lower_triangular(x, x * 2),
        lambda x: nlinalg.qr(x)[0],
        lambda x: nlinalg.svd(x, full_matrices=False)[2],
        lambda x: nlinalg.eigh(x)[1],
    ],
)
def test_jacobians_are_the_gradients_of_all_elements(make):
    x, value = T.dmatrix("x"), np.diag([3.0, 4.0, 5.0]) + 0.1
    flat = make(x).flatten()
    whole = jacobian(flat, x).eval({x: value})
    for place, part in enumerate(whole):
        np.testing.assert_allclose(part, grad(flat[place], x).eval({x: value}), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: T.dot(T.TensorType("float64", (2, 3))(), T.TensorType("float64", (2, 3))()), "with 3 rows"),
        (lambda: T.tensordot(T.dmatrix(), T.dmatrix(), [[0], [2]]), "different axes from 0 to 1"),
        (lambda: T.tensordot(T.dmatrix(), T.dmatrix(), [[0, 1], [1]]), "as many axes"),
        (lambda: T.tensordot(np.ones((2, 3)), np.ones((2, 3)), 1), "equal extents"),
        (lambda: T.batched_dot(np.ones((2, 3, 4)), np.ones((3, 4, 5))), "as many matrices"),
        (lambda: T.batched_dot(T.dscalar(), T.dmatrix()), "a first axis that counts"),
        (lambda: T.batched_tensordot(T.dtensor3(), T.dtensor3(), [[0], [1]]), "different axes from 1 to 2"),
        (lambda: slinalg.solve(np.eye(2), np.ones(3)), "a vector or a matrix of 2 rows"),
        (lambda: slinalg.kron(T.dvector(), T.dvector()), "use outer"),
        (lambda: T.dmatrix() @ 2.0, "no scalars"),
        (lambda: T.dtensor3() @ np.ones((2, 3, 4)) @ np.ones((2, 5, 4)), "the inner extents differ"),
        (lambda: nlinalg.norm(T.dvector(), "fro"), "an `ord` of numpy.linalg.norm"),
    ],
)
def test_shapes_that_do_not_fit(make, words):
    with pytest.raises(ShapeError, match=words):
        make()


@MODES
def test_stacks_that_do_not_fit_are_found_at_the_call(mode):
    x, y = T.dtensor3("x"), T.dtensor3("y")
    f = function([x, y], T.batched_dot(x, y), mode=mode)
    with pytest.raises(ShapeError, match="as many matrices"):
        f(np.ones((2, 3, 4)), np.ones((1, 4, 5)))


def test_singular_values_in_the_middle_leave_the_rest_native():
    x = T.dmatrix("x")
    cost = (T.tanh(nlinalg.svd(T.exp(x), compute_uv=False)) ** 2).sum()
    f = function([x], [cost, grad(cost, x)], profile=True)
    value = np.random.default_rng(0).normal(size=(4, 3))
    total, slope = f(value)
    u, s, vt = np.linalg.svd(np.exp(value), full_matrices=False)
    np.testing.assert_allclose(total, (np.tanh(s) ** 2).sum(), rtol=1e-12)
    expected = u @ np.diag(2 * np.tanh(s) / np.cosh(s) ** 2) @ vt * np.exp(value)
    np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-12)
    assert f.profile.native_calls == 2  # before and behind the decompositions
