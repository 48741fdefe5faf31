"""The table of a network: what each layer gives, holds, works and sees."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from arignote.engine.config import config
from arignote.engine.shared import SharedVariable
from arignote.layers.containers import Composite, Step
from arignote.layers.layer import Layer, Shape
from arignote.layers.receptive import Field


@dataclass(frozen=True)
class Row:
    """A layer of a network.

    Attributes
    ----------
    name : str
        Where it is: the names of the layers that contain it, and its own.
    kind : str
        Its class.
    output_shape : tuple of int
        Of one example.
    trained, state : int
        How many numbers of its parameters follow gradients, and how many do not. What an earlier row has
        counted is not counted again.
    multiply_adds : int
        For one example; see `Layer.multiply_adds`.
    memory : int
        Bytes that the output for one example takes.
    field : Field or None
        How much of the input a number of the output depends on; None for all of it.
    """

    name: str
    kind: str
    output_shape: Shape
    trained: int
    state: int
    multiply_adds: int
    memory: int
    field: Field | None


@dataclass(frozen=True, repr=False)
class Summary:
    """The layers of a network, in the order in which they are applied; shown, it is a table.

    Attributes
    ----------
    rows : tuple of Row
        Composites are taken apart.

    Examples
    --------
    >>> from arignote.layers import Conv2D, Dense, MaxPool2D, Sequential
    >>> print(Sequential([Conv2D(20, 5), MaxPool2D(2), Dense(10)], (1, 28, 28)).summary())
    layer        output        field  step   parameters         multiply-adds          memory
    0 Conv2D     20 x 24 x 24  5 x 5  1 x 1         520   1.8%        288,000  90.9%   92,160
    1 MaxPool2D  20 x 12 x 12  6 x 6  2 x 2           0   0.0%              0   0.0%   23,040
    2 Dense      10            all               28,810  98.2%         28,800   9.1%       80
    all                                          29,330               316,800         115,280
    """

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, layer: Layer) -> Summary:
        """Return the table of a layer that is built: its parts, or itself if it has none."""
        layer.check_built()
        rows: list[Row] = []
        seen: set[SharedVariable] = set()

        def within(path: str, composite: Composite, fields: tuple[Field | None, ...]) -> Field | None:
            return composite.follow(fields, lambda step, *given: add(path, step, *given))

        def add(path: str, step: Step, *fields: Field | None) -> Field | None:
            name, part = path + step.name, step.layer
            if isinstance(part, Composite):
                return within(f"{name}.", part, fields)
            field = part.receptive_field(*fields)
            counted = {True: 0, False: 0}
            for each in part.parameters.values():
                if each.variable not in seen:
                    counted[each.trained] += each.variable.storage.size
                    seen.add(each.variable)
            rows.append(
                Row(
                    name,
                    type(part).__name__,
                    part.output_shape,
                    counted[True],
                    counted[False],
                    part.multiply_adds,
                    prod(part.output_shape) * np.dtype(config.floatX).itemsize,
                    field,
                )
            )
            return field

        fields = tuple(map(Field.of, layer.input_shapes))
        if isinstance(layer, Composite):
            within("", layer, fields)
        else:
            add("", Step("0", layer, ()), *fields)
        return cls(tuple(rows))

    @property
    def trained(self) -> int:
        """How many numbers follow gradients."""
        return sum(row.trained for row in self.rows)

    @property
    def state(self) -> int:
        """How many numbers of the parameters do not."""
        return sum(row.state for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Of all layers, for one example."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes of the outputs of all layers, for one example."""
        return sum(row.memory for row in self.rows)

    def __repr__(self) -> str:
        has_state = self.state > 0
        head = ["layer", "output", "field", "step", "parameters", "", "multiply-adds", "", "memory"]
        lines = [
            [
                f"{row.name} {row.kind}",
                " x ".join(map(str, row.output_shape)),
                *_seen(row.field),
                f"{row.trained:,}",
                _share(row.trained, self.trained),
                f"{row.multiply_adds:,}",
                _share(row.multiply_adds, self.multiply_adds),
                f"{row.memory:,}",
                f"{row.state:,}",
            ]
            for row in self.rows
        ]
        total = [
            "all",
            "",
            "",
            "",
            f"{self.trained:,}",
            "",
            f"{self.multiply_adds:,}",
            "",
            f"{self.memory:,}",
        ]
        table = [[*head, "state"], *lines, [*total, f"{self.state:,}"]]
        if not has_state:
            table = [line[:-1] for line in table]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(_aligned(line, widths) for line in table)


def _seen(field: Field | None) -> tuple[str, str]:
    """Return the extents of a receptive field and the distance between neighbours."""
    if field is None:
        return "all", ""
    return str(field), " x ".join(f"{float(step):.4g}" for step in field.step)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _aligned(line: list[str], widths: list[int]) -> str:
    """Return a line of which the first four columns are words, and the others numbers."""
    cells = [
        cell.ljust(width) if place < 4 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
