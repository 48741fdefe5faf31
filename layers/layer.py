"""What every layer is: parameters, the shape of what it gives, and the expression that computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.compile import Function, function
from arignote.engine.config import config
from arignote.engine.errors import GraphError, InputError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import RandomStreams
from arignote.engine.ops.shape import extents
from arignote.engine.origin import user_line
from arignote.engine.shared import SharedVariable
from arignote.engine.types import TensorType
from arignote.layers.examples import checked_images, in_chunks
from arignote.layers.initialisers import Fans, Initialiser
from arignote.layers.receptive import Field, Window, largest

if TYPE_CHECKING:
    from arignote.layers.graph import Node
    from arignote.layers.summary import Summary

Shape = tuple[int, ...]

Rng = np.random.Generator | int | None

#: The numbers of layers that are given no `rng`: each such layer takes the next stream of this series. So no
#: two of them start alike, and a program that is run again starts as it did before.
_default_streams = np.random.SeedSequence(0)


@dataclass
class Training:
    """What the expressions of training have besides their inputs.

    Attributes
    ----------
    streams : RandomStreams
        Where the masks of dropout come from.
    updates : dict of SharedVariable to Variable
        What a step makes of state that no gradient reaches, such as the running means of `BatchNorm`. Layers
        add to it as they write their expressions.
    """

    streams: RandomStreams = field(default_factory=lambda: RandomStreams(0))
    updates: dict[SharedVariable, Variable] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """A shared variable of a layer, and what training does with it.

    Attributes
    ----------
    variable : SharedVariable
    trained : bool
        Whether it follows its gradient. What does not is state, such as a running mean.
    penalised : bool
        Whether penalties on large weights count it. Biases and scales are not.
    """

    variable: SharedVariable
    trained: bool = True
    penalised: bool = False


class Layer(ABC):
    """A part of a network, up to the whole of it: parameters and an expression.

    A layer is told how large it is to be, not what it is given: it is *built* for the shape of one example,
    by `build`, or by the network that it is put into. A subclass is a dataclass, of which the fields are what
    describes the layer, and states

    - `infer`: the shape of what it gives, from the shape of what it takes;
    - `create`: its parameters, each made by `add`;
    - `output`: the expression.

    Attributes
    ----------
    input_shapes : tuple of tuple of int
        The shape of one example of each input, once the layer is built.
    output_shape : tuple of int
        The shape of what the layer makes of one example, once it is built.
    parameters : dict of str to Parameter
        By name.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(eq=False)
    ... class Scale(Layer):
    ...     initial: float = 1.0
    ...
    ...     def infer(self, *shapes):
    ...         return shapes[0]
    ...
    ...     def create(self, rng):
    ...         self.factor = self.add("factor", np.full(self.input_shape, self.initial))
    ...
    ...     def output(self, *inputs, training=None):
    ...         return inputs[0] * self.factor
    >>> layer = Scale(2.0).build((3,))
    >>> layer.output_shape, layer.params
    ((3,), [factor])
    """

    input_shapes: tuple[Shape, ...]
    output_shape: Shape

    @abstractmethod
    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of what the layer makes of one example.

        Parameters
        ----------
        *shapes : tuple of int
            The shape of one example of each input.

        Raises
        ------
        ShapeError
            If the layer cannot take such examples.
        """

    def create(self, rng: np.random.Generator) -> None:  # noqa: B027 - many layers have none
        """Make the parameters, for the `input_shapes` that are known now."""

    @abstractmethod
    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the expression of what the layer gives.

        Parameters
        ----------
        *inputs : Variable, shape (examples, *input_shape)
            Any number of examples.
        training : Training, optional
            Given for the expression that is trained; without it, the expression that predicts.

        Returns
        -------
        Variable, shape (examples, *output_shape)
        """

    def outputs(self, *inputs: Variable, training: Training | None = None) -> dict[str, Variable]:
        """Return the expressions of what the layer and all its parts give.

        Parameters
        ----------
        *inputs : Variable, shape (examples, *input_shape)
        training : Training, optional
            As for `output`.

        Returns
        -------
        dict of str to Variable
            By the names of the parts, as in `parameters`; the layer's own output is ``""``.
        """
        return {"": self.output(*inputs, training=training)}

    def build(self, *shapes: Shape, rng: Rng = None) -> Self:
        """Make the layer's parameters for examples of the given shape.

        Parameters
        ----------
        *shapes : tuple of int
            The shape of one example of each input.
        rng : numpy.random.Generator or int, optional
            Where the initial parameters come from, or the seed for it. By default every layer of a program
            gets numbers of its own, the same in each run.

        Returns
        -------
        Layer
            Itself.

        Raises
        ------
        ShapeError
            If the layer cannot take such examples, or is built for others already.

        Examples
        --------
        >>> from arignote.layers import Dense
        >>> Dense(100).build((784,), rng=0).output_shape
        (100,)
        """
        argument = f"{type(self).__name__}: the shape of an example"
        sizes = tuple(checked_shape(argument, shape) for shape in shapes)
        if self.is_built:
            if sizes != self.input_shapes:
                raise ShapeError(
                    f"{self}: is built already, and its parameters fit one shape of examples",
                    expected=", ".join(map(str, self.input_shapes)),
                    actual=", ".join(map(str, sizes)),
                    fix="make another layer for other examples",
                    origin=user_line(),
                )
            return self
        self.output_shape = self.infer(*sizes)
        self.input_shapes = sizes
        self.create(generator(rng))
        return self

    def predict(self, *examples: ArrayLike) -> NDArray[Any]:
        """Return what the layer gives for examples, a hundred at a time.

        Parameters
        ----------
        *examples : array_like, shape (n, *input_shape)
            Of each input; any number of examples.

        Returns
        -------
        ndarray, shape (n, *output_shape)

        Raises
        ------
        ShapeError, DTypeError
            If the examples are no numbers, or of another shape.

        Examples
        --------
        >>> from arignote.layers import Dense
        >>> Dense(3).build((2,)).predict([[1, 2], [3, 4]]).shape
        (2, 3)
        """
        self.check_built()
        if len(examples) != len(self.input_shapes):
            raise ShapeError(
                f"{type(self).__name__}: predict",
                expected=f"examples of {len(self.input_shapes)} inputs",
                actual=f"of {len(examples)}",
                origin=user_line(),
            )
        arrays = [
            checked_images(each, shape, dtype, "argument `examples`").reshape(-1, *shape)
            for each, shape, dtype in zip(examples, self.input_shapes, self.input_dtypes, strict=True)
        ]
        return in_chunks(self._predictor, *arrays)

    @cached_property
    def _predictor(self) -> Function:
        kinds = zip(self.input_dtypes, self.input_shapes, strict=True)
        inputs = [TensorType(dtype, (None, *shape))() for dtype, shape in kinds]
        return function(inputs, self.output(*inputs), name="prediction")

    @property
    def is_built(self) -> bool:
        """Whether the layer has its parameters."""
        return "input_shapes" in self.__dict__

    def check_built(self) -> None:
        """Refuse a layer that has no shapes and parameters yet."""
        if not self.is_built:
            raise GraphError(
                f"{self}: has no shapes and parameters yet",
                expected="a layer that is built",
                actual="one that has only been described",
                fix="layer.build(shape of one example), or put it into a network",
                origin=user_line(),
            )

    @property
    def input_shape(self) -> Shape:
        """The shape of one example, of a layer with one input."""
        self.check_built()
        (shape,) = self.input_shapes
        return shape

    @property
    def dtype(self) -> str:
        """The dtype of the parameters; `config.floatX` where there are none."""
        return next((each.variable.dtype for each in self.parameters.values()), config.floatX)

    @property
    def takes_whole_numbers(self) -> tuple[bool, ...]:
        """Whether each input is of whole numbers, as that of an `Embedding` is."""
        return (False,) * len(self.input_shapes)

    @property
    def input_dtypes(self) -> tuple[str, ...]:
        """The dtype of each input."""
        return tuple("int64" if whole else self.dtype for whole in self.takes_whole_numbers)

    @property
    def arguments(self) -> dict[str, Any]:
        """What describes the layer, by the names of the arguments that make one like it."""
        if not is_dataclass(self):
            return {}
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    @property
    def parts(self) -> dict[str, Layer]:
        """The layers that this one is made of, by name."""
        return {}

    @property
    def multiply_adds(self) -> int:
        """The multiplications, each with its addition, of products and convolutions for one example.

        What is done number by number, such as activations, is not counted, as in published figures.
        """
        return sum(part.multiply_adds for part in self.parts.values())

    @property
    def window(self) -> Window | None:
        """What the layer sees of an image for one number of its output, if it looks through windows."""
        return None

    def receptive_field(self, *fields: Field | None) -> Field | None:
        """Return how much of a network's input a number of the output depends on.

        Parameters
        ----------
        *fields : Field or None
            Of each input; None stands for all of the network's input.

        Returns
        -------
        Field or None
            By default that of the window, or of the numbers in the same place.
        """
        field = largest(fields)
        return field if field is None or self.window is None else field.through(self.window)

    def summary(self) -> Summary:
        """Return a table of the layers: shapes, parameters, work, memory, receptive fields.

        Raises
        ------
        GraphError
            If the layer is not built.

        Examples
        --------
        >>> from arignote.layers import lenet
        >>> lenet().summary().multiply_adds
        416520
        """
        from arignote.layers.summary import Summary

        return Summary.of(self)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of the layer and of its parts, which have the name of the part before theirs."""
        found = dict(self.__dict__.get("_own", {}))
        for name, part in self.parts.items():
            found |= {f"{name}.{inner}": parameter for inner, parameter in part.parameters.items()}
        return found

    @property
    def params(self) -> list[SharedVariable]:
        """The parameters that follow their gradients, each once."""
        return list(dict.fromkeys(each.variable for each in self.parameters.values() if each.trained))

    @property
    def weights(self) -> list[SharedVariable]:
        """The parameters that penalties on large weights count, each once."""
        return list(dict.fromkeys(each.variable for each in self.parameters.values() if each.penalised))

    def add(
        self, name: str, initial: Any, *, trained: bool = True, penalised: bool = False
    ) -> SharedVariable:
        """Make a parameter, in `create`.

        Parameters
        ----------
        name : str
        initial : array_like
            Its value, which becomes `config.floatX`.
        trained, penalised : bool
            See `Parameter`.

        Returns
        -------
        SharedVariable
        """
        value = np.array(initial, config.floatX, order="C")
        # A parameter keeps its shape, and shape inference may know it.
        variable = SharedVariable(TensorType(config.floatX, value.shape), value, name)
        self.__dict__.setdefault("_own", {})[name] = Parameter(variable, trained, penalised)
        return variable

    def add_weight(
        self, name: str, shape: Shape, initialiser: Initialiser, rng: np.random.Generator, fans: Fans
    ) -> SharedVariable:
        """Make a penalised parameter of values that an initialiser draws, in `create`."""
        return self.add(name, initialiser(rng, shape, fans), penalised=True)

    @overload
    def __call__(self, *inputs: Variable) -> Variable: ...
    @overload
    def __call__(self, *inputs: Node) -> Node: ...
    def __call__(self, *inputs: Any) -> Any:
        """Apply the layer to nodes of a network that is being described, see `Graph`, or to expressions."""
        from arignote.layers.graph import Node

        if all(isinstance(each, Node) for each in inputs):
            return Node(self, inputs)
        return self.output(*inputs)


def generator(rng: Rng) -> np.random.Generator:
    """Return the generator that `rng` means; for None, the next one of the series for layers without."""
    return np.random.default_rng(_default_streams.spawn(1)[0] if rng is None else rng)


def as_examples(x: Variable, shape: Shape) -> Variable:
    """Return examples, given in any shape of as many numbers, in the shape that a layer takes."""
    return x if x.static_shape[1:] == shape else x.reshape((extents(x)[0], *shape))


def checked_shape(argument: str, value: Any, ndim: int | None = None, at_least: int = 1) -> Shape:
    """Return a shape as a tuple of plain integers.

    Parameters
    ----------
    argument : str
        What the user calls it, for errors.
    value : int or sequence of int
    ndim : int, optional
        How many extents it must have; one number stands for all of them.
    at_least : int

    Raises
    ------
    ShapeError
        If it is anything but whole numbers of at least `at_least`.
    """
    given = tuple(value) if isinstance(value, list | tuple | np.ndarray) else (value,)
    sizes = given * ndim if ndim is not None and len(given) == 1 else given
    fits = ndim is None or len(sizes) == ndim
    if not fits or not all(isinstance(e, int | np.integer) and e >= at_least for e in sizes):
        count = {None: "whole numbers", 1: "a whole number"}.get(ndim, f"{ndim} whole numbers")
        raise ShapeError(
            argument,
            expected=f"{count} of at least {at_least}",
            actual=repr(value),
            origin=user_line(),
        )
    return tuple(int(e) for e in sizes)


def check_axes(layer: Layer, shape: Shape, dimensions: int | None = None) -> None:
    """Refuse examples without channels, or with another number of axes behind them than `dimensions`."""
    if not shape or (dimensions is not None and len(shape) != 1 + dimensions):
        count = "one axis or more" if dimensions is None else f"{1 + dimensions} axes"
        raise ShapeError(
            f"{type(layer).__name__}: the input",
            expected=f"examples of {count}, channels first",
            actual=f"examples of shape {shape}",
            fix="put a Reshape((channels, ...)) in front" if len(shape) == 1 else "",
            origin=user_line(),
        )


def checked_share(argument: str, value: Any) -> float:
    """Return a share of inputs to drop, from 0 to less than 1; refuse anything else."""
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(
            argument,
            expected="the share of inputs to drop, from 0 to less than 1",
            actual=repr(value),
            origin=user_line(),
        )
    return float(value)


def shape_of(expression: Callable[..., Variable], *shapes: Shape) -> Shape:
    """Return the shape of ``expression(...)`` of arguments of the given shapes, as the engine infers it."""
    result = expression(*(TensorType(config.floatX, shape)() for shape in shapes)).static_shape
    extents = tuple(extent for extent in result if extent is not None)
    if len(extents) < len(result) or 0 in extents:
        raise ShapeError(
            "the input is smaller than a window",
            expected="an input in which at least one window fits",
            actual=f"examples of shape {shapes[0][1:]}, of which nothing is left: {result[1:]}",
            origin=user_line(),
        )
    return extents
