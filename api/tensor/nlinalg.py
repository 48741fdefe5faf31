"""Linear algebra by NumPy (`theano.tensor.nlinalg`)."""

from arignote.engine.ops import (
    AllocDiag,
    det,
    diag,
    eig,
    eigh,
    extract_diag,
    lstsq,
    matrix_dot,
    matrix_inverse,
    matrix_power,
    norm,
    pinv,
    qr,
    slogdet,
    svd,
    tensorinv,
    tensorsolve,
    trace,
)

inv = matrix_inverse
alloc_diag = AllocDiag()

__all__ = [
    "alloc_diag",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "inv",
    "lstsq",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "svd",
    "tensorinv",
    "tensorsolve",
    "trace",
]
