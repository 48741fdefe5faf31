"""What ops of one's own are made of: docs/extending.md shows how."""

from arignote.compile.kernels.elementwise import compile_source
from arignote.compile.lowering import lowers
from arignote.compile.spec import KernelSpec
from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.graph import Op, Variable
from arignote.engine.ops.elementwise import Elementwise
from arignote.engine.ops.elementwise.base import FUNCTIONS
from arignote.engine.types import TensorType

__all__ = [
    "FUNCTIONS",
    "DTypeError",
    "Elementwise",
    "InputError",
    "KernelSpec",
    "Op",
    "ShapeError",
    "TensorType",
    "Variable",
    "compile_source",
    "lowers",
]
