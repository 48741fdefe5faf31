"""Rows of linear algebra."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from arignote.tensor import nlinalg, slinalg
from cases.table import integers, normal, row

#: LAPACK computes both sides; what comes before it may be rounded in another order.
LAPACK = 64


def regular(n, dtype="float64", seed=0):
    """A matrix far from singular."""
    return normal(n, n, dtype=dtype, seed=seed) + 4 * np.eye(n, dtype=dtype)


def positive(n, dtype="float64", seed=0):
    """A positive definite matrix, its eigenvalues apart."""
    x = normal(n, n, seed=seed)
    return (x @ x.T / n + np.diag(np.arange(1.0, n + 1))).astype(dtype)


def real(n, dtype="float64"):
    """A matrix that is not symmetric, but near enough for real eigenvalues."""
    return positive(n, dtype) + normal(n, n, dtype=dtype, seed=3) / 10


ONE_MATRIX = {
    "matrix_inverse": (nlinalg.matrix_inverse, np.linalg.inv, regular),
    "pinv": (nlinalg.pinv, np.linalg.pinv, regular),
    "det": (nlinalg.det, lambda x: np.asarray(np.linalg.det(x)), regular),
    "sign of det": (
        lambda x: nlinalg.slogdet(x)[0],
        lambda x: np.asarray(np.linalg.slogdet(x)[0]),
        regular,
    ),
    "logarithm of det": (
        lambda x: nlinalg.slogdet(x)[1],
        lambda x: np.asarray(np.linalg.slogdet(x)[1]),
        regular,
    ),
    "cholesky": (slinalg.cholesky, np.linalg.cholesky, positive),
    "upper cholesky": (
        lambda x: slinalg.cholesky(x, lower=False),
        lambda x: scipy.linalg.cholesky(x, lower=False).astype(x.dtype),
        positive,
    ),
    "expm": (slinalg.expm, scipy.linalg.expm, normal),
    "singular values": (
        lambda x: nlinalg.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, compute_uv=False),
        regular,
    ),
    "eigh values": (lambda x: nlinalg.eigh(x)[0], lambda x: np.linalg.eigh(x)[0], positive),
    "eigh vectors": (
        lambda x: nlinalg.eigh(x, "U")[1],
        lambda x: np.linalg.eigh(x, "U")[1],
        positive,
    ),
    "eigvalsh": (slinalg.eigvalsh, np.linalg.eigvalsh, positive),
    "eig values": (
        lambda x: nlinalg.eig(x)[0],
        lambda x: np.linalg.eig(x)[0],
        real,
    ),
    "eig vectors": (
        lambda x: nlinalg.eig(x)[1],
        lambda x: np.linalg.eig(x)[1],
        real,
    ),
    "trace": (nlinalg.trace, np.trace, normal),
}
for name, (make, meaning, values) in ONE_MATRIX.items():
    for n, dtype in [(4, "float64"), (4, "float32"), (1, "float64"), (0, "float64")]:
        square = values(n, n, dtype=dtype) if values is normal else values(n, dtype=dtype)
        row(
            f"{name} {n} {dtype}",
            make,
            [square],
            meaning,
            LAPACK,
            order=2 if n == 4 and dtype == "float64" else 0,
        )
for dtype in ("int8", "int32", "bool"):
    low = 0 if dtype == "bool" else -9
    square = (integers(3, 3, low=low) + 10 * np.eye(3)).astype(dtype) if low else np.eye(3, dtype=bool)
    floats = "float64" if dtype == "int32" else "float32"
    row(
        f"matrix_inverse {dtype}",
        nlinalg.matrix_inverse,
        [square],
        lambda x, floats=floats: np.linalg.inv(x.astype(floats)),
        LAPACK,
    )
row("trace of integers", nlinalg.trace, [integers(3, 4)], np.trace)
row("trace of no columns", nlinalg.trace, [integers(3, 0)], np.trace)
row("slogdet of a singular matrix", lambda x: nlinalg.slogdet(x)[1], [np.ones((2, 2))], lambda x: -np.inf)

for shape in [(5, 3), (3, 5), (4, 4), (1, 3), (0, 3), (3, 0)]:
    first, order = normal(*shape), 2 if min(shape) > 2 else 0
    if shape != (4, 4):
        row(f"pinv {shape}", nlinalg.pinv, [first], np.linalg.pinv, LAPACK, order=order)
    for place, part in enumerate(["u", "s", "vt"]):
        row(
            f"svd {part} {shape}",
            lambda x, i=place: nlinalg.svd(x, full_matrices=False)[i],
            [first],
            lambda x, i=place: np.linalg.svd(x, full_matrices=False)[i],
            LAPACK,
            order=order,
        )
        row(
            f"svd of full matrices {part} {shape}",
            lambda x, i=place: nlinalg.svd(x)[i],
            [first],
            lambda x, i=place: np.linalg.svd(x)[i],
            LAPACK,
            order=order if part == "s" else 0,
        )
    for mode in ("reduced", "complete"):
        for place, part in enumerate("qr"):
            row(
                f"qr {mode} {part} {shape}",
                lambda x, i=place, mode=mode: nlinalg.qr(x, mode)[i],
                [first],
                lambda x, i=place, mode=mode: np.linalg.qr(x, mode)[i],
                LAPACK,
                order=order if mode == "reduced" else 0,
            )
row(
    "the product of the factors of qr",
    lambda x: sum(part.sum() for part in nlinalg.qr(x)),
    [normal(4, 3)],
    lambda x: sum(part.sum() for part in np.linalg.qr(x)),
    terms=16,
    order=2,
)
row(
    "all of svd",
    lambda x: sum((part**3).sum() for part in nlinalg.svd(x, full_matrices=False)),
    [normal(3, 4)],
    lambda x: sum((part**3).sum() for part in np.linalg.svd(x, full_matrices=False)),
    1e4,
    order=2,
)
row("r of qr", lambda x: nlinalg.qr(x, "r"), [normal(4, 3)], lambda x: np.linalg.qr(x, "r"), LAPACK, order=2)

SOLVERS = {
    "solve": (slinalg.solve, np.linalg.solve),
    "solve_lower_triangular": (
        slinalg.solve_lower_triangular,
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True),
    ),
    "solve_upper_triangular": (
        slinalg.solve_upper_triangular,
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=False),
    ),
}
for name, (make, meaning) in SOLVERS.items():
    for n, right, dtype in [
        (4, (), "float64"),
        (4, (3,), "float64"),
        (4, (2,), "float32"),
        (1, (1,), "float64"),
        (3, (0,), "float64"),
        (0, (2,), "float64"),
    ]:
        row(
            f"{name} {n} {right} {dtype}",
            make,
            [regular(n, dtype), normal(n, *right, dtype=dtype, seed=1)],
            meaning,
            LAPACK,
            order=2 if n == 4 and dtype == "float64" else 0,
        )
row(
    "solve of integers and floats",
    slinalg.solve,
    [np.array([[2, 1], [1, 3]], "int16"), normal(2)],
    lambda a, b: np.linalg.solve(a.astype("float64"), b),
    LAPACK,
)
row(
    "eigvalsh of two matrices",
    slinalg.eigvalsh,
    [positive(4), positive(4, seed=1)],
    lambda a, b: scipy.linalg.eigvalsh(a, b),
    1e3,
    order=2,
)
row(
    "eigvalsh of two upper triangles",
    lambda a, b: slinalg.eigvalsh(a, b, lower=False),
    [np.triu(positive(4)), np.triu(positive(4, seed=1))],
    lambda a, b: scipy.linalg.eigvalsh(a, b, lower=False),
    1e3,
    order=2,
)
for shape, right in [((5, 3), (5,)), ((3, 5), (3, 2)), ((4, 4), (4, 2))]:
    for place, part in enumerate(["solution", "residuals", "rank", "singular values"]):
        row(
            f"lstsq {part} {shape} {right}",
            lambda a, b, i=place: nlinalg.lstsq(a, b, -1)[i],
            [normal(*shape), normal(*right, seed=1)],
            lambda a, b, i=place: np.asarray(
                np.linalg.lstsq(a, b, rcond=-1)[i], "int64" if i == 2 else "float64"
            ),
            0 if part == "rank" else LAPACK,
            order=2 if part == "solution" else 0,
        )
for n in (-2, -1, 0, 1, 2, 5):
    row(
        f"matrix_power {n}",
        lambda x, n=n: nlinalg.matrix_power(x, n),
        [regular(3)],
        lambda x, n=n: np.linalg.matrix_power(x, n),
        LAPACK,
        terms=16,
        order=2,
    )
row(
    "matrix_power of integers",
    lambda x: nlinalg.matrix_power(x, 3),
    [integers(3, 3)],
    lambda x: np.linalg.matrix_power(x, 3),
)
row(
    "matrix_dot",
    nlinalg.matrix_dot,
    [normal(2, 3), normal(3, 4), normal(4, 5)],
    lambda x, y, z: x @ y @ z,
    terms=8,
    order=2,
)
for a, b in [((2, 3), (4, 5)), ((2, 3), (4,)), ((3,), (2, 4)), ((1, 1), (0, 2))]:
    row(f"kron {a} {b}", slinalg.kron, [normal(*a), normal(*b, seed=1)], np.kron, order=2)
row("kron of integers", slinalg.kron, [integers(2, 3, dtype="int8"), integers(2, 2, dtype="int16")], np.kron)
row(
    "tensorinv",
    nlinalg.tensorinv,
    [regular(6).reshape(3, 2, 6)],
    np.linalg.tensorinv,
    LAPACK,
    order=2,
)
row(
    "tensorinv of one axis",
    lambda x: nlinalg.tensorinv(x, ind=1),
    [regular(6).reshape(6, 2, 3)],
    lambda x: np.linalg.tensorinv(x, 1),
    LAPACK,
)
row(
    "tensorsolve",
    nlinalg.tensorsolve,
    [regular(6).reshape(3, 2, 6), normal(3, 2)],
    np.linalg.tensorsolve,
    LAPACK,
    order=2,
)
row(
    "tensorsolve of moved axes",
    lambda a, b: nlinalg.tensorsolve(a, b, axes=(0, 2)),
    [regular(12).reshape(2, 12, 6), normal(12, seed=1)],
    lambda a, b: np.linalg.tensorsolve(a, b, axes=(0, 2)),
    LAPACK,
)
for shape, orders in [
    ((5,), [None, 1, 2, 3, 0.5, "inf", "-inf", np.inf, 0, -1]),
    ((3, 4), [None, "fro", 1, -1, "inf", "-inf", -np.inf, 2, -2, "nuc"]),
]:
    for order in orders:
        row(
            f"norm {shape} {order}",
            lambda x, order=order: nlinalg.norm(x, order),
            [normal(*shape)],
            lambda x, order=order: np.asarray(
                np.linalg.norm(x, {"inf": np.inf, "-inf": -np.inf}.get(order, order))
            ),
            LAPACK,
            order=2,
        )
row("norm of integers", nlinalg.norm, [integers(5)], lambda x: np.asarray(np.linalg.norm(x)), LAPACK)
