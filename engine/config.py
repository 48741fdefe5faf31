"""Settings of the process."""

from __future__ import annotations

from arignote.engine.errors import DTypeError

_FLOATS = ("float32", "float64")


class Config:
    """Settings under Theano's names.

    Attributes
    ----------
    floatX : {'float64', 'float32'}
        The dtype of `matrix()`, `tensor4()` and the other makers without a dtype of their own, and of Python
        floats when it is 'float32'. As in Theano, 'float64' unless assigned.
    """

    __slots__ = ("_floatX",)

    def __init__(self) -> None:
        self._floatX = "float64"

    @property
    def floatX(self) -> str:  # noqa: N802 - Theano's name
        """The default floating dtype."""
        return self._floatX

    @floatX.setter
    def floatX(self, dtype: str) -> None:  # noqa: N802 - Theano's name
        if dtype not in _FLOATS:
            raise DTypeError("config.floatX", expected="'float32' or 'float64'", actual=repr(dtype))
        self._floatX = dtype


config = Config()
