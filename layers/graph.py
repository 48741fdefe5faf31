"""The functional form: a network described by applying layers to nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.origin import user_line
from arignote.layers.containers import Add, Composite, Step, inferred
from arignote.layers.layer import Layer, Rng, Shape, checked_shape


class Node:
    """A place in a network that is being described: what a layer makes of other nodes.

    ``a + b`` is the sum of two nodes.

    Attributes
    ----------
    shape : tuple of int
        Of one example.
    layer : Layer or None
        What makes it; None for an input.
    inputs : tuple of Node
    """

    def __init__(self, layer: Layer, inputs: Sequence[Node]) -> None:
        self.layer: Layer | None = layer
        self.inputs = tuple(inputs)
        self.shape: Shape = inferred("of the network", layer, *(node.shape for node in self.inputs))

    def __add__(self, other: Node) -> Node:
        return Add()(self, other)

    def __repr__(self) -> str:
        return f"<Node {self.shape} of {self.layer}>"


class Input(Node):
    """Where examples come into a network.

    Parameters
    ----------
    shape : tuple of int
        The shape of one example.
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        self.layer = None
        self.inputs = ()
        self.shape = checked_shape("Input: argument `shape`", shape)

    def __repr__(self) -> str:
        return f"Input({self.shape})"


class Graph(Composite):
    """A network of any form, described by its input and output nodes.

    A layer that is applied twice has one set of parameters, used twice.

    Parameters
    ----------
    inputs : Input or sequence of Input
    output : Node
    rng : numpy.random.Generator or int, optional
        As for `Layer.build`.

    Raises
    ------
    DTypeError
        If the output depends on an input that is not given.
    ShapeError
        If a layer cannot take what it is applied to.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, GlobalAveragePool, relu
    >>> image = Input((1, 28, 28))
    >>> h = Conv2D(8, 3, padding="half", activation=relu)(image)
    >>> h = h + Conv2D(8, 3, padding="half", activation=relu)(h)
    >>> network = Graph(image, Dense(10)(GlobalAveragePool()(h)))
    >>> network.output_shape
    (10,)
    """

    def __init__(self, inputs: Input | Sequence[Input], output: Node, rng: Rng = None) -> None:
        self.inputs: tuple[Input, ...] = (inputs,) if isinstance(inputs, Input) else tuple(inputs)
        self.end = output
        self._nodes = _ordered(self.inputs, output)
        self.build(*(node.shape for node in self.inputs), rng=rng)

    def __repr__(self) -> str:
        return f"Graph({len(self._nodes)} nodes, {' and '.join(map(str, self.inputs))})"

    @classmethod
    def of_steps(cls, inputs: Sequence[Shape], steps: Sequence[Any], rng: Rng = None) -> Graph:
        """Return the network that its `arguments` describe."""
        nodes: list[Node] = [Input(shape) for shape in inputs]
        given = [node for node in nodes if isinstance(node, Input)]
        for layer, sources in steps:
            nodes.append(Node(layer, [nodes[source] for source in sources]))
        return cls(given, nodes[-1], rng)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that layers make, each after those that it is made of."""
        return self._nodes

    @property
    def arguments(self) -> dict[str, Any]:
        """The shapes of the inputs, and each step's layer and the places of what it takes."""
        return {
            "inputs": [node.shape for node in self.inputs],
            "steps": [[step.layer, step.sources] for step in self.steps],
        }

    @property
    def steps(self) -> list[Step]:
        """The layers, named by their places in `nodes`."""
        places = {node: place for place, node in enumerate((*self.inputs, *self._nodes))}
        return [
            Step(str(place), node.layer, tuple(places[each] for each in node.inputs))
            for place, node in enumerate(self._nodes)
            if node.layer is not None
        ]

    def infer(self, *shapes: Shape) -> Shape:
        """Return the shape of the output node."""
        if shapes != tuple(node.shape for node in self.inputs):
            raise ShapeError(
                "Graph: it is described for one shape of examples",
                expected=", ".join(str(node.shape) for node in self.inputs),
                actual=", ".join(map(str, shapes)),
                origin=user_line(),
            )
        return self.end.shape


def _ordered(inputs: Sequence[Input], output: Node) -> tuple[Node, ...]:
    """Return the nodes between inputs and output, each after those that it is made of."""
    order: list[Node] = []
    done: set[Node] = set(inputs)
    waiting = [output]
    while waiting:
        node = waiting[-1]
        if node in done:
            waiting.pop()
        elif missing := [each for each in node.inputs if each not in done]:
            waiting += reversed(missing)
        elif node.layer is None:
            raise DTypeError(
                "Graph: argument `inputs`",
                expected="every Input that the output depends on",
                actual=f"{len(inputs)} of them, without {node}",
                origin=user_line(),
            )
        else:
            done.add(node)
            order.append(node)
            waiting.pop()
    return tuple(order)
