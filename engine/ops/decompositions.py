"""Decompositions of matrices: singular values, eigenvalues, QR, and least squares.

Where singular values or eigenvalues coincide, their vectors have no derivative: gradients through the vectors
are not finite there, those through the values alone are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arignote.engine.errors import DTypeError, GraphError, LinearAlgebraError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.diagonal import diag, identity_like, tril, triu
from arignote.engine.ops.dot import dot, outer
from arignote.engine.ops.elementwise import cast, minimum, sqr, switch
from arignote.engine.ops.join import concatenate
from arignote.engine.ops.linalg import (
    PseudoInverse,
    as_matrix,
    cholesky,
    matrix_inverse,
    refusing,
    solve_lower_triangular,
    solve_upper_triangular,
    square,
)
from arignote.engine.ops.reduce import sum
from arignote.engine.ops.shape import dimshuffle, extents, transpose, zeros_like
from arignote.engine.types import TensorType, float_dtype, upcast

_NOT_FINITE = "look for NaN or infinity in the matrix"


def _smaller(rows: int | None, columns: int | None) -> int | None:
    return None if rows is None or columns is None else min(rows, columns)


def _inverse_gaps(values: Variable) -> Variable:
    """Return 1 / (v[j] - v[i]), and 0 on the diagonal."""
    gaps = dimshuffle(values, "x", 0) - dimshuffle(values, 0, "x")
    same = identity_like(gaps)
    return switch(same, 0, 1 / switch(same, 1, gaps))


@dataclass(frozen=True)
class SVD(Op):
    """Singular vectors, values in descending order, and vectors again, as rows: A = U diag(S) Vᵀ."""

    full_matrices: bool
    compute_uv: bool

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        (rows, columns), count = kind.shape, _smaller(*kind.shape)
        if not self.compute_uv:
            return [kind.with_shape((count,))]
        u, v = (rows, columns) if self.full_matrices else (count, count)
        return [kind.with_shape((rows, u)), kind.with_shape((count,)), kind.with_shape((v, columns))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("svd: the singular values were not found", _NOT_FINITE):
            if not self.compute_uv:
                return (np.linalg.svd(arrays[0], compute_uv=False),)
            return tuple(np.linalg.svd(arrays[0], full_matrices=self.full_matrices, compute_uv=True))

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        *_, of_values, of_v = gradients if self.compute_uv else (None, gradients[0], None)
        of_u = gradients[0] if self.compute_uv else None
        if self.full_matrices and (of_u is not None or of_v is not None):
            raise GraphError(
                "svd: the vectors of full_matrices=True have no gradient: some are arbitrary",
                fix="pass full_matrices=False",
            )
        thin = outputs if self.compute_uv and not self.full_matrices else SVD(False, True).apply(inputs[0])
        u, values, vt = thin
        # J. Townsend, "Differentiating the singular value decomposition" (2016)
        inner = None if of_values is None else diag(of_values)
        terms = []
        row, column = dimshuffle(values, "x", 0), dimshuffle(values, 0, "x")
        gaps = _inverse_gaps(sqr(values)) if of_u is not None or of_v is not None else None
        if of_u is not None:
            turn = dot(transpose(u), of_u)
            inner = _sum(inner, gaps * (turn - transpose(turn)) * row)
            outside = of_u - dot(u, turn)
            terms.append(dot(outside / row, vt))
        if of_v is not None:
            turn = dot(vt, transpose(of_v))
            inner = _sum(inner, column * (gaps * (turn - transpose(turn))))
            outside = of_v - dot(transpose(turn), vt)
            terms.append(dot(u, outside / column))
        result = dot(dot(u, inner), vt)
        for term in terms:
            result = result + term
        return [result]


def _sum(x: Variable | None, y: Variable) -> Variable:
    return y if x is None else x + y


@dataclass(frozen=True)
class QR(Op):
    """The orthonormal and the upper triangular factor of a matrix.

    Parameters
    ----------
    mode : {'reduced', 'complete'}
        Whether Q has as many columns as the smaller extent of the matrix, or is square.
    """

    mode: Literal["reduced", "complete"]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        (kind,) = types
        rows, columns = kind.shape
        inner = rows if self.mode == "complete" else _smaller(rows, columns)
        return [kind.with_shape((rows, inner)), kind.with_shape((inner, columns))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.linalg.qr(arrays[0], mode=self.mode))

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        if self.mode == "complete":
            raise GraphError(
                "qr: the factors of mode 'complete' have no gradient: columns of Q are arbitrary",
                fix="pass mode='reduced'",
            )
        (a,), (q, r) = inputs, outputs
        of_q, of_r = (zeros_like(x) if g is None else g for x, g in zip(outputs, gradients, strict=True))
        # D. and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020):
        # of A = [X Y] and R = [U V] with square U, X = Q U, and Y = Q V.
        count = minimum(*extents(a))
        u, v_gradient = r[:, :count], of_r[:, count:]
        of_q = of_q + dot(a[:, count:], transpose(v_gradient))
        middle = dot(u, transpose(of_r[:, :count])) - dot(transpose(of_q), q)
        symmetric = tril(middle) + transpose(tril(middle, -1))
        of_x = transpose(solve_upper_triangular(u, transpose(of_q + dot(q, symmetric))))
        return [concatenate([of_x, dot(q, v_gradient)], axis=1)]


@dataclass(frozen=True)
class Eig(Op):
    """Eigenvalues and, as columns of length 1, eigenvectors of a matrix whose eigenvalues are real."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        extent = square("eig", types[0])
        return [types[0].with_shape((extent,)), types[0].with_shape((extent, extent))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("eig: the eigenvalues were not found", _NOT_FINITE):
            values, vectors = np.linalg.eig(arrays[0])
        if np.iscomplexobj(values):
            raise LinearAlgebraError(
                "eig: the matrix has complex eigenvalues, and there is no complex dtype",
                expected="a matrix with real eigenvalues", actual=str(values),
                fix="use eigh for a symmetric matrix",
            )  # fmt: skip
        return values, vectors

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (values, vectors), (of_values, of_vectors) = outputs, gradients
        vt = transpose(vectors)
        inner = None if of_values is None else diag(of_values)
        if of_vectors is not None:  # their lengths do not change
            lengthwise = sum(vectors * of_vectors, axis=0, keepdims=True)
            inner = _sum(inner, _inverse_gaps(values) * dot(vt, of_vectors - vectors * lengthwise))
        return [dot(dot(matrix_inverse(vt), inner), vt)]


@dataclass(frozen=True)
class Eigh(Op):
    """Eigenvalues in ascending order, and eigenvectors as columns, of a symmetric matrix.

    Parameters
    ----------
    UPLO : {'L', 'U'}
        The triangle that is read.
    """

    UPLO: Literal["L", "U"]

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        extent = square("eigh", types[0])
        return [types[0].with_shape((extent,)), types[0].with_shape((extent, extent))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("eigh: the eigenvalues were not found", _NOT_FINITE):
            return tuple(np.linalg.eigh(arrays[0], self.UPLO))

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (values, vectors), (of_values, of_vectors) = outputs, gradients
        inner = None if of_values is None else diag(of_values)
        if of_vectors is not None:
            inner = _sum(inner, _inverse_gaps(values) * dot(transpose(vectors), of_vectors))
        both = dot(dot(vectors, inner), transpose(vectors))
        # The triangle that is read stands for both.
        if self.UPLO == "L":
            return [tril(both) + tril(transpose(both), -1)]
        return [triu(both) + triu(transpose(both), 1)]


@dataclass(frozen=True)
class LeastSquares(Op):
    """The solution of least norm, the sums of squared residuals, the rank, and the singular values.

    Parameters
    ----------
    rcond : float
        Singular values below this share of the largest count as zero.
    """

    rcond: float

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        a, b = types
        if None not in (a.shape[0], b.shape[0]) and a.shape[0] != b.shape[0]:
            raise ShapeError("lstsq: b", expected=f"{a.shape[0]} rows, as of a", actual=str(b))
        return [
            b.with_shape((a.shape[1], *b.shape[1:])),
            b.with_shape((None,)),  # none, where the solution is exact
            TensorType("int64", ()),
            a.with_shape((_smaller(*a.shape),)),
        ]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("lstsq: the singular values were not found", _NOT_FINITE):
            x, residuals, rank, values = np.linalg.lstsq(arrays[0], arrays[1], rcond=self.rcond)
        return x, residuals, np.asarray(rank, "int64"), values

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (a, b), gradient = inputs, gradients[0]
        if gradient is None or gradients[1] is not None or gradients[3] is not None:
            raise GraphError(
                "lstsq: of its results only the solution has a gradient",
                fix="compute the residuals from the solution, and the singular values by svd",
            )
        inverse = PseudoInverse()(a)  # x = inverse b
        of_inverse = outer(gradient, b) if b.ndim == 1 else dot(gradient, transpose(b))
        (of_a,) = PseudoInverse().vjp([a], [inverse], [of_inverse])
        return [of_a, dot(transpose(inverse), gradient)]


# ------------------------------------------------------------------------------------------- functions


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return the singular value decomposition ``a = u @ diag(s) @ vt`` (`theano.tensor.nlinalg.svd`).

    Parameters
    ----------
    a : (m, n)
    full_matrices : bool
        Whether `u` and `vt` are square, or have min(m, n) columns and rows. Only the latter have gradients.
    compute_uv : bool
        Whether the vectors are returned at all.

    Returns
    -------
    list of Variable, or Variable
        ``[u, s, vt]``, or only `s`: the singular values, in descending order.

    Examples
    --------
    >>> import arignote.compile
    >>> svd(np.diag([3.0, 4.0]), compute_uv=False).eval()
    array([4., 3.])
    """
    outputs = SVD(bool(full_matrices), bool(compute_uv)).apply(as_matrix(a, "svd"))
    return list(outputs) if compute_uv else outputs[0]


def qr(a: Any, mode: str = "reduced") -> Any:
    """Return the QR decomposition (`theano.tensor.nlinalg.qr`).

    Parameters
    ----------
    a : (m, n)
    mode : {'reduced', 'complete', 'r'}
        'reduced' (or 'full') returns Q of shape (m, k) and R of shape (k, n), with k = min(m, n);
        'complete' Q of shape (m, m) and R of shape (m, n), without gradients; 'r' only the R of 'reduced'.

    Returns
    -------
    list of Variable, or Variable

    Raises
    ------
    DTypeError
        For another mode.
    """
    if mode not in ("reduced", "full", "complete", "r"):
        raise DTypeError("qr: mode", expected="'reduced', 'complete' or 'r'", actual=repr(mode))
    q, r = QR("complete" if mode == "complete" else "reduced").apply(as_matrix(a, "qr"))
    return r if mode == "r" else [q, r]


def eig(a: Any) -> list[Variable]:
    """Return eigenvalues, and eigenvectors as columns of length 1 (`theano.tensor.nlinalg.eig`).

    Raises
    ------
    LinearAlgebraError
        In a call, if an eigenvalue is not real.
    """
    return list(Eig().apply(as_matrix(a, "eig")))


def eigh(a: Any, UPLO: str = "L") -> list[Variable]:
    """Return eigenvalues and eigenvectors of a symmetric matrix (`theano.tensor.nlinalg.eigh`).

    Parameters
    ----------
    a : (n, n)
    UPLO : {'L', 'U'}
        The triangle that is read; the gradient is that of this triangle.

    Returns
    -------
    list of Variable
        The values in ascending order, and the vectors as columns.

    Raises
    ------
    DTypeError
        For another `UPLO`.
    """
    if UPLO not in ("L", "U"):
        raise DTypeError("eigh: UPLO", expected="'L' or 'U'", actual=repr(UPLO))
    return list(Eigh("L" if UPLO == "L" else "U").apply(as_matrix(a, "eigh")))


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Variable:
    """Return the eigenvalues of a symmetric matrix, ascending (`theano.tensor.slinalg.eigvalsh`).

    Parameters
    ----------
    a : (n, n)
    b : (n, n), optional
        A positive definite matrix, for the values w with a v = w b v.
    lower : bool
        The triangle that is read of both.
    """
    matrix = as_matrix(a, "eigvalsh")
    if b is not None:
        factor = cholesky(b, lower)
        factor = factor if lower else transpose(factor)
        matrix = _folded_out(matrix, lower)
        matrix = solve_lower_triangular(factor, transpose(solve_lower_triangular(factor, matrix)))
    return eigh(matrix, "L" if lower else "U")[0]


def _folded_out(x: Variable, lower: bool) -> Variable:
    """Return the symmetric matrix of which one triangle is given."""
    return tril(x) + transpose(tril(x, -1)) if lower else triu(x) + transpose(triu(x, 1))


def lstsq(a: Any, b: Any, rcond: float) -> list[Variable]:
    """Return the solution of a x = b of least squares (`theano.tensor.nlinalg.lstsq`).

    Parameters
    ----------
    a : (m, n)
    b : (m,) or (m, k)
    rcond : float
        Singular values below this share of the largest count as zero.

    Returns
    -------
    list of Variable
        The solution, of least norm; the sums of squared residuals, empty where the solution is exact; the
        rank; the singular values. Only the solution has a gradient, right where the rank does not change.
    """
    matrix, right = as_matrix(a, "lstsq"), as_variable(b)
    dtype = upcast(matrix.dtype, float_dtype(right.dtype))
    return list(LeastSquares(float(rcond)).apply(cast(matrix, dtype), cast(right, dtype)))
