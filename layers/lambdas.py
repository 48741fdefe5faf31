"""Any expression as a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arignote.engine.config import config
from arignote.engine.errors import ShapeError
from arignote.engine.graph import Variable
from arignote.engine.origin import user_line
from arignote.engine.types import TensorType
from arignote.layers.layer import Layer, Shape, Training
from arignote.layers.receptive import Field


@dataclass(eq=False)
class Lambda(Layer):
    """A function of the user's, without parameters, as a layer.

    Parameters
    ----------
    function : callable
        From the expressions of the inputs, with the examples along the first axis, to an expression.
    name : str, optional
        What a file of the network may call the function. Files hold no code: a layer without a name cannot be
        saved.

    Raises
    ------
    ShapeError
        If the shape of what it makes of an example cannot be told from the expression.

    Examples
    --------
    >>> Lambda(lambda x: x[:, ::2] ** 2).build((10, 3)).output_shape
    (5, 3)
    """

    function: Callable[..., Variable]
    name: str | None = None

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the function of examples, as the engine infers it."""
        given = [TensorType(config.floatX, (None, *shape))() for shape in shapes]
        result = self.function(*given)
        if not isinstance(result, Variable) or result.ndim == 0:
            raise ShapeError(
                f"{self}: what the function returns",
                expected="an expression with the examples along its first axis",
                actual=repr(result),
                origin=user_line(),
            )
        known = tuple(extent for extent in result.static_shape[1:] if extent is not None)
        if len(known) < result.ndim - 1:
            raise ShapeError(
                f"{self}: what the function makes of examples of shape {' and '.join(map(str, shapes))}",
                expected="a shape that the expression tells",
                actual=f"{result.type}",
                fix="end the function with specify_shape(result, (None, ...)), or a reshape to numbers",
                origin=user_line(),
            )
        return known

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the function of the inputs; see `Layer.output`."""
        return self.function(*inputs)

    def receptive_field(self, *fields: Field | None) -> None:
        """Return None: it may look at all of the input."""
