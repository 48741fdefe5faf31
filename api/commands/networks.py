"""Networks that a command is given: in a Python file, or saved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arignote.commands.common import FAILED, CommandError

if TYPE_CHECKING:
    from arignote.layers import Layer

HELP = "Python file with a variable `network`, FILE.py:NAME for one of another name, or what `train` wrote"
_MODULE = "arignote_network_file"


def read_network(text: str) -> tuple[Layer, bool]:
    """Return the network of ``FILE.py``, ``FILE.py:NAME`` or a file that was saved, as `read_saved` does.

    Raises
    ------
    CommandError
        If there is none, or it has no shapes yet.
    """
    import arignote

    arignote.config.floatX = "float32"
    if text.endswith(".py") or ".py:" in text:
        file, _, name = text.partition(".py:")
        return _of_python(Path(f"{file}.py" if name else text), name or "network")
    return read_saved(Path(text))


def read_saved(path: Path) -> tuple[Layer, bool]:
    """Return a float32 network that was saved, and whether it is a `Network`, which gives probabilities.

    Raises
    ------
    CommandError
        If the file is missing or holds none.
    """
    import arignote
    from arignote.layers import NetworkFileError, load, load_network

    arignote.config.floatX = "float32"
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    try:
        return load_network(path).body, True
    except NetworkFileError as error:
        first = str(error)
    try:
        return _checked(load(path), str(path)), False
    except NetworkFileError as error:
        reasons = dict.fromkeys([first, str(error)])  # of a damaged file the same
        raise CommandError("; ".join(reasons)) from None


def _of_python(path: Path, name: str) -> tuple[Layer, bool]:
    from arignote.layers import Layer, Network

    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    values = _executed(path)
    if name not in values:
        raise CommandError(
            f"{path}: has no variable `{name}`; write {name} = Sequential(...), or {path}:NAME"
        )
    network = values[name]
    if isinstance(network, Network):
        return network.body, True
    if not isinstance(network, Layer):
        raise CommandError(f"{path}: `{name}` is no layer: it is of type {type(network).__name__}")
    if not network.is_built:
        raise CommandError(
            f"{path}: `{name}` has no shapes yet; write {name}.build(shape of one example), "
            "such as (1, 28, 28)"
        )
    return _checked(network, f"{path}: `{name}`"), False


def _checked(network: Layer, what: str) -> Layer:
    if len(network.input_shapes) != 1:
        raise CommandError(f"{what} has {len(network.input_shapes)} inputs; commands take one")
    return network


def _executed(path: Path) -> dict[str, Any]:
    """Return the variables of a Python file, which finds what is beside it, as a program does."""
    from importlib.util import module_from_spec, spec_from_file_location
    from traceback import extract_tb

    spec = spec_from_file_location(_MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_MODULE] = module  # dataclasses look themselves up
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == spec.origin]
        place = f"{path}:{lines[-1]}" if lines else path
        raise CommandError(f"{place}: {type(error).__name__}: {error}", FAILED) from None
    finally:
        sys.path.pop(0)
    return vars(module)
