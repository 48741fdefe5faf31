"""Numbers in expressions."""

from __future__ import annotations

import numpy as np

from arignote.engine.graph import Variable
from arignote.engine.ops import cast


def scalar_like(x: Variable, value: Variable | float) -> Variable:
    """Return a scalar in the dtype of `x`, which keeps that dtype when they meet.

    Of Python's floats `config.floatX` may make float32, which is too few digits beside a float64 `x`.

    Examples
    --------
    >>> from arignote.engine.graph import as_variable
    >>> x = as_variable(np.ones(3, "float32"))
    >>> (x * scalar_like(x, 0.1)).dtype
    'float32'
    """
    return cast(value if isinstance(value, Variable) else np.float64(value), x.dtype)
