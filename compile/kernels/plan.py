"""What lowering knows of a kernel without building it."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Plan:
    """A dataclass that says how a kernel cuts its work; its fields are what is baked into the kernel."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The keywords of the kernel's builder: the fields, made of strings, numbers, bools and tuples."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: dataclasses.astuple(value) if dataclasses.is_dataclass(type(value)) else value
            for name, value in values.items()
        }
