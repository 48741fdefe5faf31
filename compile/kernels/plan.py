"""What lowering knows of a kernel without building it.

What a kernel needs is either baked in, as constants, or comes with each call, as words of its arguments. The
extents of a plane can be both: constants where the graph promises them, for speed; words where it leaves them
open, so that one kernel serves all sizes. Such a kernel is written once, over *sizes* that
:func:`arignote.compile.intrinsics.sizes_of` reads from the one place or the other.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from arignote.compile.lowering import promised_shape
from arignote.engine.graph import Variable

TYPICAL = 64  # extent of a plane that stands for all others: many vectors a row, many rows


@dataclasses.dataclass(frozen=True)
class Plan:
    """A dataclass that says how a kernel cuts its work; its fields are what is baked into the kernel."""

    @property
    def built(self) -> Plan:
        """The plan that the kernel is built from."""
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The keywords of the kernel's builder: the fields, made of strings, numbers, bools and tuples."""
        values = {field.name: getattr(self.built, field.name) for field in dataclasses.fields(self)}
        return {
            name: dataclasses.astuple(value) if dataclasses.is_dataclass(type(value)) else value
            for name, value in values.items()
        }


@dataclasses.dataclass(frozen=True)
class PlanePlan(Plan):
    """A plan for planes, whose extents are baked into the kernel only where they are promised.

    The kernel for open extents is built from a plan with typical ones in their place: so all that is not a
    size, such as the shape of a tile, is the same for every call.

    Parameters
    ----------
    promised : bool
        Whether the extents are the same in every call.
    """

    promised: bool = dataclasses.field(default=True, kw_only=True)

    @property
    def typical(self) -> PlanePlan:
        """The same plan for planes of typical extents."""
        raise NotImplementedError

    @property
    def sizes(self) -> Any:
        """What of the kernel depends on the extents: a named tuple of integers, and of tuples of them."""
        raise NotImplementedError

    @property
    def built(self) -> PlanePlan:
        """The plan that the kernel is built from."""
        return self if self.promised else self.typical

    @property
    def words(self) -> list[int]:
        """The sizes, as the kernel wants them behind its other arguments; none if they are baked in."""
        return [] if self.promised else flat(self.sizes)


def flat(sizes: NamedTuple) -> list[int]:
    """Return the integers of a named tuple of sizes, in order."""
    return [word for size in sizes for word in (size if isinstance(size, tuple) else (size,))]


def promises_planes(*images: Variable) -> bool:
    """Tell whether the graph promises the rows and columns of any of these images.

    One is enough: those of the others follow, at most as many different ones as a stride has elements.
    """
    return any(None not in promised_shape(x)[2:] for x in images)
