"""Linear algebra of matrices: inverses, determinants, solutions, and functions of matrices.

The ops run in LAPACK, through NumPy and SciPy, between native programs. Integers are converted to floats.
Derivatives follow M. Giles, "An extended collection of matrix derivative results for forward and reverse mode
automatic differentiation" (2008), and are made of ops of this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arignote.engine.batching import fold, unfold
from arignote.engine.errors import LinearAlgebraError, ShapeError
from arignote.engine.graph import Op, Variable, as_variable
from arignote.engine.ops.diagonal import identity_like, tril, triu
from arignote.engine.ops.dot import dot, kron, outer
from arignote.engine.ops.elementwise import cast, switch
from arignote.engine.ops.shape import extents, transpose
from arignote.engine.types import TensorType, float_dtype, upcast

Structure = Literal["general", "lower_triangular", "upper_triangular"]


def as_matrix(x: Any, name: str) -> Variable:
    """Return a floating matrix.

    Raises
    ------
    ShapeError
        If it has another rank.
    """
    x = as_variable(x)
    if x.ndim != 2:
        raise ShapeError(
            name, expected="a matrix", actual=f"{x!r} of type {x.type}",
            fix="apply it to one matrix at a time, for example in a scan, or reshape the argument",
        )  # fmt: skip
    return cast(x, float_dtype(x.dtype))


def square(name: str, kind: TensorType) -> int | None:
    """Return the extent of a square matrix.

    Raises
    ------
    ShapeError
        If it has more rows than columns, or fewer.
    """
    rows, columns = kind.shape
    if None not in (rows, columns) and rows != columns:
        raise ShapeError(f"{name}: the argument", expected="a square matrix", actual=str(kind))
    return columns if rows is None else rows


@contextmanager
def refusing(what: str, fix: str) -> Iterator[None]:
    """Say what LAPACK could not do."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise LinearAlgebraError(what, actual=str(error), fix=fix) from None


# ------------------------------------------------------------------------------------------- ops


@dataclass(frozen=True)
class MatrixInverse(Op):
    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        extent = square("matrix_inverse", types[0])
        return [types[0].with_shape((extent, extent))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("matrix_inverse: the matrix has no inverse", "use pinv for a singular matrix"):
            return (np.linalg.inv(arrays[0]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        inverse, gradient = transpose(outputs[0]), gradients[0]
        return [-dot(dot(inverse, gradient), inverse)]


@dataclass(frozen=True)
class PseudoInverse(Op):
    """The Moore-Penrose inverse; it has a derivative where the rank does not change."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        return [types[0].with_shape(types[0].shape[::-1])]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with refusing("pinv: the singular values were not found", "look for NaN or infinity in the matrix"):
            return (np.linalg.pinv(arrays[0]),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        # Golub and Pereyra: dP = -P dA P + P Pᵀ dAᵀ (1 - A P) + (1 - P A) dAᵀ Pᵀ P
        (a,), (p,), (gradient,) = inputs, outputs, gradients
        assert gradient is not None
        g, pt = transpose(gradient), transpose(p)
        left, right = dot(g, dot(p, pt)), dot(dot(pt, p), g)
        return [-dot(dot(pt, gradient), pt) + left - dot(a, dot(p, left)) + right - dot(dot(right, p), a)]


@dataclass(frozen=True)
class Det(Op):
    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        square("det", types[0])
        return [types[0].with_shape(())]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.asarray(np.linalg.det(arrays[0])),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (gradient,) = gradients
        assert gradient is not None
        return [gradient * outputs[0] * transpose(MatrixInverse()(inputs[0]))]


@dataclass(frozen=True)
class SlogDet(Op):
    """The sign of the determinant, and the logarithm of its magnitude."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        square("slogdet", types[0])
        return [types[0].with_shape(())] * 2

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        sign, logarithm = np.linalg.slogdet(arrays[0])
        return np.asarray(sign), np.asarray(logarithm)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        gradient = gradients[1]
        return [None if gradient is None else gradient * transpose(MatrixInverse()(inputs[0]))]


@dataclass(frozen=True)
class Cholesky(Op):
    """The triangular factor of a positive definite matrix, of which one triangle is read.

    Parameters
    ----------
    lower : bool
        Whether the factor, and the triangle that is read, is the lower one.
    on_error : {'raise', 'nan'}
        What becomes of a matrix that is not positive definite.
    """

    lower: bool = True
    on_error: Literal["raise", "nan"] = "raise"

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        extent = square("cholesky", types[0])
        return [types[0].with_shape((extent, extent))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        try:
            return (np.linalg.cholesky(arrays[0], upper=not self.lower),)
        except np.linalg.LinAlgError as error:
            if self.on_error == "nan":
                return (np.full_like(arrays[0], np.nan),)
            raise LinearAlgebraError(
                "cholesky: the matrix is not positive definite",
                actual=str(error),
                fix="add a small multiple of the identity, or pass on_error='nan'",
            ) from None

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (factor,), (gradient,) = outputs, gradients
        assert gradient is not None
        if not self.lower:
            factor, gradient = transpose(factor), transpose(gradient)
        inner = tril(dot(transpose(factor), gradient))
        inner = switch(identity_like(inner), inner / 2, inner)
        upper = Solve("upper_triangular")
        middle = transpose(upper(transpose(factor), transpose(upper(transpose(factor), inner))))
        result = _folded(middle)
        return [result if self.lower else transpose(result)]


def _folded(x: Variable) -> Variable:
    """Return the gradient with respect to the lower triangle: it is read alone, and stands for both."""
    return tril(x) + tril(transpose(x), -1)


@dataclass(frozen=True)
class Solve(Op):
    """The solution x of A x = b, for a vector or a matrix b; A is square.

    Parameters
    ----------
    A_structure : {'general', 'lower_triangular', 'upper_triangular'}
        Of a triangular matrix only that triangle is read.
    """

    A_structure: Structure = "general"

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        a, b = types
        extent = square("solve", a)
        if b.ndim not in (1, 2) or (None not in (extent, b.shape[0]) and b.shape[0] != extent):
            raise ShapeError(
                "solve: b", expected=f"a vector or a matrix of {extent or 'as many'} rows", actual=str(b)
            )
        return [
            TensorType(upcast(a.dtype, b.dtype), (b.shape[0] if extent is None else extent, *b.shape[1:]))
        ]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        a, b = arrays
        with refusing("solve: the matrix is singular", "use lstsq, or pinv, for a singular matrix"):
            if self.A_structure == "general":
                return (np.linalg.solve(a, b),)
            from scipy.linalg import solve_triangular

            lower = self.A_structure == "lower_triangular"
            return (solve_triangular(a, b, lower=lower, check_finite=False),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        (a, _), (x,), (gradient,) = inputs, outputs, gradients
        of_b = Solve(_FLIPPED[self.A_structure])(transpose(a), gradient)
        of_a = -(outer(of_b, x) if x.ndim == 1 else dot(of_b, transpose(x)))
        if self.A_structure != "general":
            of_a = tril(of_a) if self.A_structure == "lower_triangular" else triu(of_a)
        return [of_a, of_b]

    def batched(self, inputs: Sequence[Variable], is_batched: Sequence[bool]) -> Sequence[Variable] | None:
        a, b = inputs
        if is_batched[0]:
            return None
        if b.ndim == 2:
            return [transpose(self(a, transpose(b)))]
        return [unfold(self(a, fold(b, 1)), 1, [extents(b)[0], extents(b)[2]])]


_FLIPPED: dict[Structure, Structure] = {
    "general": "general",
    "lower_triangular": "upper_triangular",
    "upper_triangular": "lower_triangular",
}


@dataclass(frozen=True)
class Expm(Op):
    """The exponential of a square matrix."""

    def infer(self, types: Sequence[TensorType], values: Sequence[int | None]) -> Sequence[TensorType]:
        extent = square("expm", types[0])
        return [types[0].with_shape((extent, extent))]

    def perform(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        from scipy.linalg import expm

        return (np.asarray(expm(arrays[0]), arrays[0].dtype),)

    def vjp(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradients: Sequence[Variable | None]
    ) -> Sequence[Variable | None]:
        # expm([[Aᵀ, G], [0, Aᵀ]]) holds the derivative of expm at Aᵀ in direction G above its diagonal.
        at, gradient = transpose(inputs[0]), gradients[0]
        identity, corner = np.eye(2, dtype=at.dtype), np.array([[0, 1], [0, 0]], at.dtype)
        (extent, _) = extents(at)
        return [Expm()(kron(identity, at) + kron(corner, gradient))[:extent, extent:]]


# ------------------------------------------------------------------------------------------- functions


def matrix_inverse(x: Any) -> Variable:
    """Return the inverse of a square matrix (`theano.tensor.nlinalg.matrix_inverse`).

    Raises
    ------
    ShapeError
        If it is no square matrix.
    LinearAlgebraError
        In a call, if the matrix is singular.

    Examples
    --------
    >>> import arignote.compile
    >>> matrix_inverse(np.array([[2, 0], [0, 4]])).eval()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return MatrixInverse()(as_matrix(x, "matrix_inverse"))


def pinv(x: Any) -> Variable:
    """Return the Moore-Penrose inverse of a matrix of any shape (`theano.tensor.nlinalg.pinv`).

    Singular values below 1e-15 times the largest count as zero, as in NumPy. The derivative is right where
    the rank does not change.
    """
    return PseudoInverse()(as_matrix(x, "pinv"))


def det(x: Any) -> Variable:
    """Return the determinant of a square matrix (`theano.tensor.nlinalg.det`).

    Its gradient needs the inverse, so it is refused at a singular matrix.
    """
    return Det()(as_matrix(x, "det"))


def slogdet(x: Any) -> tuple[Variable, Variable]:
    """Return the sign of the determinant and the logarithm of its magnitude.

    For a singular matrix they are 0 and minus infinity.

    Examples
    --------
    >>> import arignote.compile
    >>> [float(part.eval()) for part in slogdet(-np.eye(3))]
    [-1.0, 0.0]
    """
    sign, logarithm = SlogDet().apply(as_matrix(x, "slogdet"))
    return sign, logarithm


def cholesky(x: Any, lower: bool = True, on_error: Literal["raise", "nan"] = "raise") -> Variable:
    """Return the triangular L with L Lᵀ = x of a positive definite matrix (`theano.tensor.slinalg.cholesky`).

    Parameters
    ----------
    x : (n, n)
        Only its lower triangle is read, or with ``lower=False`` its upper one; the gradient is that of this
        triangle.
    lower : bool
        False for the upper triangular U with Uᵀ U = x.
    on_error : {'raise', 'nan'}
        What becomes of a matrix that is not positive definite: an error, or NaN.

    Raises
    ------
    LinearAlgebraError
        In a call, if the matrix is not positive definite.
    """
    return Cholesky(lower, on_error)(as_matrix(x, "cholesky"))


def solve(A: Any, b: Any) -> Variable:
    """Return the solution x of A x = b (`theano.tensor.slinalg.solve`).

    Parameters
    ----------
    A : (n, n)
    b : (n,) or (n, k)

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    LinearAlgebraError
        In a call, if A is singular.

    Examples
    --------
    >>> import arignote.compile
    >>> solve(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([2.0, 3.0])).eval()
    array([1., 2.])
    """
    return _solve("general", A, b)


def solve_lower_triangular(A: Any, b: Any) -> Variable:
    """Return the solution x of A x = b, reading only the lower triangle of A."""
    return _solve("lower_triangular", A, b)


def solve_upper_triangular(A: Any, b: Any) -> Variable:
    """Return the solution x of A x = b, reading only the upper triangle of A."""
    return _solve("upper_triangular", A, b)


def _solve(structure: Structure, A: Any, b: Any) -> Variable:
    matrix, right = as_matrix(A, "solve"), as_variable(b)
    dtype = upcast(matrix.dtype, float_dtype(right.dtype))
    return Solve(structure)(cast(matrix, dtype), cast(right, dtype))


def expm(x: Any) -> Variable:
    """Return the exponential of a square matrix (`theano.tensor.slinalg.expm`)."""
    return Expm()(as_matrix(x, "expm"))
