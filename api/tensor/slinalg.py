"""Linear algebra by SciPy (`theano.tensor.slinalg`)."""

from arignote.engine.ops import (
    cholesky,
    eigvalsh,
    expm,
    kron,
    solve,
    solve_lower_triangular,
    solve_upper_triangular,
)

__all__ = [
    "cholesky",
    "eigvalsh",
    "expm",
    "kron",
    "solve",
    "solve_lower_triangular",
    "solve_upper_triangular",
]
