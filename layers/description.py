"""Descriptions of layers, optimisers and data in words and numbers: what files keep instead of code."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from arignote.engine.graph import Variable
from arignote.layers.activations import ACTIVATIONS
from arignote.layers.layer import Layer

_NAMES = {function: name for name, function in ACTIVATIONS.items()}


def described(value: Any) -> Any:
    """Return what makes a value, as JSON can say it.

    A layer, and anything else that is a dataclass, is its kind and its arguments; a layer that stands at
    several places is described once, and then named by its number. Functions are names, and arrays checksums:
    they can be compared with others, and not made again.

    Examples
    --------
    >>> from arignote.layers import Dropout
    >>> described(Dropout(0.25))
    {'layer': 'Dropout', 'arguments': {'p': 0.25, 'inverted': True}}
    >>> described(partial(round, ndigits=2))
    {'partial': [{'function': 'builtins.round'}, [], {'pairs': [['ndigits', 2]]}]}
    """
    return _described(value, {})


def _described(value: Any, numbers: dict[int, int]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.integer | np.floating | np.bool_):
        return value.item()
    if isinstance(value, Layer):
        if id(value) in numbers:
            return {"again": numbers[id(value)]}
        numbers[id(value)] = len(numbers)
        arguments = {name: _described(each, numbers) for name, each in value.arguments.items()}
        return {"layer": type(value).__name__, "arguments": arguments}
    if isinstance(value, list | tuple):
        return [_described(each, numbers) for each in value]
    if isinstance(value, Mapping):
        return {"pairs": [[_described(part, numbers) for part in pair] for pair in value.items()]}
    if isinstance(value, np.ndarray):
        kept = {"array": str(value.dtype), "shape": list(value.shape)}
        # What is mapped to memory may be larger than it, and is not read for this.
        mapped = isinstance(value, np.memmap)
        return kept if mapped else kept | {"checksum": zlib.crc32(np.ascontiguousarray(value).data)}
    if isinstance(value, Variable):
        return {"variable": str(value), "type": str(value.type)}
    if is_dataclass(value) and not isinstance(value, type):
        arguments = {
            each.name: _described(getattr(value, each.name), numbers) for each in fields(value) if each.init
        }
        return {"kind": type(value).__name__, "arguments": arguments}
    if isinstance(value, partial):
        given = [_described(each, numbers) for each in (value.func, value.args, value.keywords)]
        return {"partial": given}
    if callable(value):
        named = getattr(value, "__qualname__", None)
        return {"function": _NAMES.get(value) or f"{value.__module__}.{named or type(value).__qualname__}"}
    return {"object": f"{type(value).__module__}.{type(value).__qualname__}"}


def differences(here: Any, there: Any, path: str = "") -> Iterator[str]:
    """Yield where two descriptions differ, in words.

    Examples
    --------
    >>> list(differences({"seed": 1, "sizes": [2, 3]}, {"seed": 1, "sizes": [2, 4]}))
    ['sizes.1 is 3 here and 4 there']
    """
    waiting = [(here, there, path)]
    while waiting:
        one, other, path = waiting.pop()
        pairs = _items(one), _items(other)
        if pairs[0] is None or pairs[1] is None:
            if type(one) is not type(other) or (one != other and not (one != one and other != other)):
                yield f"{path} is {one!r:.80} here and {other!r:.80} there"
            continue
        for name in reversed(dict.fromkeys([*pairs[0], *pairs[1]])):
            parts = pairs[0].get(name), pairs[1].get(name)
            waiting.append((*parts, f"{path}.{name}" if path else name))


def _items(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    return {str(place): each for place, each in enumerate(value)} if isinstance(value, list) else None
