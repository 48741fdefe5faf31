"""Layers made of layers: one after the other, side by side, and around a shortcut."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Variable
from arignote.engine.ops import concatenate
from arignote.engine.origin import scope, user_line
from arignote.layers.layer import Layer, Rng, Shape, Training
from arignote.layers.receptive import Field

T = TypeVar("T")


class Step(NamedTuple):
    """A layer within a composite, and what it takes.

    Attributes
    ----------
    name : str
    layer : Layer
    sources : tuple of int
        Places of values, which are counted: the inputs of the composite first, then what each step makes.
    """

    name: str
    layer: Layer
    sources: tuple[int, ...]


class Composite(Layer):
    """A layer that is made of layers: a subclass states its `steps`, and all else follows from them."""

    @property
    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """The layers in the order in which they are applied; the last gives the output."""

    def follow(self, values: Sequence[T], make: Callable[..., T]) -> T:
        """Return the output's value, whatever is followed through the steps: shapes, expressions ...

        Parameters
        ----------
        values : sequence
            Of the inputs.
        make : callable
            Of a step and the values of what it takes, to the value of what it gives.
        """
        known = list(values)
        for step in self.steps:
            known.append(make(step, *(known[source] for source in step.sources)))
        return known[-1]

    @property
    def parts(self) -> dict[str, Layer]:
        """The layers, each by the first step that applies it."""
        first: dict[int, Step] = {}
        for step in self.steps:
            first.setdefault(id(step.layer), step)
        return {step.name: step.layer for step in first.values()}

    @property
    def takes_whole_numbers(self) -> tuple[bool, ...]:
        """Whether a step that is given the input takes whole numbers."""
        whole = {
            source
            for step in self.steps
            for source, takes in zip(step.sources, step.layer.takes_whole_numbers, strict=True)
            if takes
        }
        return tuple(place in whole for place in range(len(self.input_shapes)))

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of what the last step gives."""
        return self.follow(shapes, lambda step, *given: inferred(step.name, step.layer, *given))

    def create(self, rng: np.random.Generator) -> None:
        """Build the layers."""
        self.follow(self.input_shapes, lambda step, *given: step.layer.build(*given, rng=rng).output_shape)

    def outputs(self, *inputs: Variable, training: Training | None = None) -> dict[str, Variable]:
        """Return the expressions of what the layer and all its parts give; see `Layer.outputs`."""
        found: dict[str, Variable] = {}

        def applied(step: Step, *given: Variable) -> Variable:
            with scope(f"{step.name} {type(step.layer).__name__}"):
                inner = step.layer.outputs(*given, training=training)
            found.update({f"{step.name}.{name}" if name else step.name: each for name, each in inner.items()})
            return inner[""]

        found[""] = self.follow(inputs, applied)
        return found

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the expression of what the last step gives; see `Layer.output`."""
        return self.outputs(*inputs, training=training)[""]

    @property
    def multiply_adds(self) -> int:
        """Those of each step: a layer that is applied twice works twice."""
        return sum(step.layer.multiply_adds for step in self.steps)

    def receptive_field(self, *fields: Field | None) -> Field | None:
        """Return that of what the last step gives."""
        return self.follow(fields, lambda step, *given: step.layer.receptive_field(*given))


def chain(layers: dict[str, Layer]) -> list[Step]:
    """Return the steps of layers one upon the other."""
    return [Step(name, layer, (place,)) for place, (name, layer) in enumerate(layers.items())]


class Sequential(Composite):
    """Layers one upon the other.

    Parameters
    ----------
    layers : sequence of Layer
        From the input to the output.
    input_shape : tuple of int, optional
        The shape of one example, for which all layers are built. Without it, they are built with the network
        that this one is put into, or by `build`.
    rng : numpy.random.Generator or int, optional
        As for `Layer.build`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one below gives.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, Flatten, MaxPool2D, relu
    >>> network = Sequential(
    ...     [Conv2D(20, 5, activation=relu), MaxPool2D(2), Flatten(), Dense(10)], input_shape=(1, 28, 28)
    ... )
    >>> network[1].output_shape, network.output_shape
    ((20, 12, 12), (10,))
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: Sequence[int] | None = None, rng: Rng = None
    ) -> None:
        self.layers = checked_layers("Sequential", layers)
        if input_shape is not None:
            self.build(tuple(input_shape), rng=rng)

    def __repr__(self) -> str:
        return f"Sequential({self.layers})"

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, place: int) -> Layer:
        return self.layers[place]

    @property
    def arguments(self) -> dict[str, Any]:
        """The layers; of a kind that makes its own, what it makes them from."""
        return super().arguments if is_dataclass(self) else {"layers": self.layers}

    @property
    def steps(self) -> list[Step]:
        """The layers, named by their places, counted from 0."""
        return chain({str(place): layer for place, layer in enumerate(self.layers)})


@dataclass(eq=False)
class Add(Layer):
    """The sum of its inputs, which are of one shape."""

    def infer(self, *shapes: Shape) -> Shape:
        """Return the common shape."""
        if not shapes or len(set(shapes)) > 1:
            raise ShapeError(
                "Add", expected="inputs of one shape", actual=_listed(shapes), origin=user_line()
            )
        return shapes[0]

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the sum; see `Layer.output`."""
        total = inputs[0]
        for each in inputs[1:]:
            total = total + each
        return total


@dataclass(eq=False)
class Concatenate(Layer):
    """Its inputs side by side: of images their channels, one after the other.

    Parameters
    ----------
    axis : int
        The axis of an example along which they are joined; they have the same extents along all others.

    Examples
    --------
    >>> Concatenate().build((3, 8, 8), (5, 8, 8)).output_shape
    (8, 8, 8)
    """

    axis: int = 0

    def infer(self, *shapes: Shape) -> Shape:
        """Return the common shape, with the sum of the extents along the axis."""
        ndim = len(shapes[0]) if shapes else 0
        if not isinstance(self.axis, int) or not -ndim <= self.axis < ndim:
            raise ShapeError(
                "Concatenate: argument `axis`",
                expected=f"an axis of an example, from {-ndim} to {ndim - 1}" if ndim else "an input",
                actual=repr(self.axis),
                origin=user_line(),
            )
        axis = self.axis % ndim
        if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
            raise ShapeError(
                "Concatenate: the inputs",
                expected=f"examples that differ along axis {axis} only",
                actual=_listed(shapes),
                origin=user_line(),
            )
        return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])

    def output(self, *inputs: Variable, training: Training | None = None) -> Variable:
        """Return the inputs side by side; see `Layer.output`."""
        return concatenate(inputs, axis=self.axis + 1 if self.axis >= 0 else self.axis)


@dataclass(eq=False)
class Branches(Composite):
    """Layers side by side, each given the same input, and what puts together what they give.

    Parameters
    ----------
    layers : sequence of Layer
    merge : Layer
        Of as many inputs.

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", CVPR 2015.

    Examples
    --------
    >>> from arignote.layers import Conv2D
    >>> Branches([Conv2D(8, size, padding="half") for size in (1, 3, 5)]).build((3, 32, 32)).output_shape
    (24, 32, 32)
    """

    layers: Sequence[Layer]
    merge: Layer = field(default_factory=Concatenate)

    def __post_init__(self) -> None:
        self.layers = checked_layers("Branches", self.layers)

    @property
    def steps(self) -> list[Step]:
        """The layers, named by their places, and `merge`."""
        branches = [Step(str(place), layer, (0,)) for place, layer in enumerate(self.layers)]
        return [*branches, Step("merge", self.merge, tuple(range(1, len(branches) + 1)))]


@dataclass(eq=False)
class Residual(Composite):
    """A layer with a shortcut around it: ``body(x) + shortcut(x)``.

    Parameters
    ----------
    body : Layer
    shortcut : Layer, optional
        By default `x` itself, which asks for a body that keeps the shape of its input.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> from arignote.layers import Conv2D
    >>> Residual(Conv2D(8, 3, padding="half")).build((8, 5, 5)).output_shape
    (8, 5, 5)
    """

    body: Layer
    shortcut: Layer | None = None

    def __post_init__(self) -> None:
        self._sum = Add()

    @property
    def steps(self) -> list[Step]:
        """The body, the shortcut if it has layers, and the sum."""
        body = Step("body", self.body, (0,))
        if self.shortcut is None:
            return [body, Step("sum", self._sum, (1, 0))]
        return [body, Step("shortcut", self.shortcut, (0,)), Step("sum", self._sum, (1, 2))]

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the body's output, which the shortcut's must equal."""
        body = inferred("body", self.body, *shapes)
        shortcut = shapes[0] if self.shortcut is None else inferred("shortcut", self.shortcut, *shapes)
        if body != shortcut:
            raise ShapeError(
                "Residual: what the body gives cannot be added to the shortcut",
                expected=f"a body that gives {shortcut}, as the shortcut does",
                actual=f"{body}",
                fix="give a shortcut that changes the shape likewise, such as a Conv2D of size 1",
                origin=user_line(),
            )
        return body


def checked_layers(owner: str, layers: Any) -> list[Layer]:
    """Return layers in a list; refuse anything else."""
    found = list(layers)
    for place, layer in enumerate(found):
        if not isinstance(layer, Layer):
            raise DTypeError(
                f"{owner}: argument `layers`",
                expected="layers",
                actual=f"{layer!r} at place {place}",
                origin=user_line(),
            )
    return found


def inferred(place: str, layer: Layer, *shapes: Shape) -> Shape:
    """Return ``layer.infer(*shapes)``; an error says at which place of a composite it is."""
    try:
        return layer.infer(*shapes)
    except ShapeError as error:
        error.add_note(f"in layer {place}, {layer}, which is given {_listed(shapes)}")
        raise


def _listed(shapes: Sequence[Any]) -> str:
    return " and ".join(map(str, shapes)) or "nothing"
