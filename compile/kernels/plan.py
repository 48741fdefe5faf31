"""What lowering knows of a kernel without building it."""

import dataclasses


class Plan:
    """A dataclass that says how a kernel cuts its work; its fields are what is baked into the kernel."""

    @property
    def parameters(self) -> dict:
        """The keywords of the kernel's builder: the fields, as strings, numbers, bools and tuples of these."""
        return {
            field.name: dataclasses.astuple(value) if dataclasses.is_dataclass(value) else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }
