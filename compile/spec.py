"""The name of a kernel: what to build, and with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

Parameter: TypeAlias = "str | bool | int | float | tuple[Parameter, ...]"
"""What a kernel may be parametrised by: values that can be written down exactly."""


@dataclass(frozen=True, eq=False)
class KernelSpec:
    """Names a kernel without building it.

    Two specs are equal when their builders and parameters are, type and sign included: `1`, `True` and
    `1.0` name different kernels, and so do `0.0` and `-0.0`, although Python calls them equal.

    Parameters
    ----------
    builder : str
        `"module:function"`, a function in `arignote.compile.kernels.module`; or, with a dot in it,
        `"package.module:function"`, a function anywhere. Called with the parameters as keywords, it
        returns the Python function to compile.
    parameters : tuple of (str, value) pairs
        Sorted by name. Values are str, int, bool, float, and tuples of these.

    Raises
    ------
    TypeError
        If a parameter is of another type (NumPy scalars and other subclasses included).
    ValueError
        If the builder is not of the form `module:function`, or the names are not sorted and distinct.
    """

    builder: str
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __post_init__(self) -> None:
        module, colon, function = self.builder.partition(":")
        if not (module and colon and function.isidentifier()):
            raise ValueError(f"a builder is named 'module:function', not {self.builder!r}")
        names = [name for name, _ in self.parameters]
        if names != sorted(set(names)):
            raise ValueError(f"parameters of {self.builder!r} must be sorted by name and distinct: {names}")
        for name, value in self.parameters:
            _check(value, f"parameter {name!r} of {self.builder!r}")

    @classmethod
    def of(cls, builder: str, /, **parameters: Parameter) -> KernelSpec:
        """Name a kernel by its builder and keywords, in any order.

        Parameters
        ----------
        builder : str
            As for the class.
        **parameters
            The keywords that the builder will be called with.

        Returns
        -------
        KernelSpec

        Raises
        ------
        TypeError, ValueError
            As for the class.

        Examples
        --------
        >>> KernelSpec.of("conv:correlate", stride=2, dtype="float32")
        KernelSpec(builder='conv:correlate', parameters=(('dtype', 'float32'), ('stride', 2)))
        """
        return cls(builder, tuple(sorted(parameters.items(), key=lambda pair: pair[0])))

    @property
    def module(self) -> str:
        """Full name of the builder's module."""
        module = self.builder.partition(":")[0]
        return module if "." in module else f"arignote.compile.kernels.{module}"

    @property
    def function(self) -> str:
        """Name of the builder in its module."""
        return self.builder.partition(":")[2]

    @cached_property
    def text(self) -> str:
        """The whole spec as text: equal exactly when the specs are, in every process."""
        # `repr` tells the permitted types apart and round-trips floats; that is why no others are permitted.
        return f"{self.builder}{self.parameters!r}"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, KernelSpec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


def _check(value: object, where: str) -> None:
    if type(value) is tuple:
        for item in value:
            _check(item, where)
    elif type(value) not in (str, bool, int, float):
        kind = type(value).__name__
        raise TypeError(f"{where} is {value!r} of type {kind}; it must be str, bool, int, float or tuple")
