"""Networks on disk: weights and architecture in one safetensors file, which holds no code.

The weights are named by layer and parameter: ``"0.w"``, ``"0.b"``, ``"1.w"`` and so on. The architecture is
the one entry of the metadata, as JSON: two entries would stand in any order, and a network should always give
the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from math import prod
from typing import Any

from arignote.engine.errors import GraphError
from arignote.layers.activations import ACTIVATIONS
from arignote.layers.book import ConvPoolLayer, FullyConnectedLayer, SoftmaxLayer
from arignote.layers.data.datafiles import StrPath
from arignote.layers.description import described
from arignote.layers.graph import Graph
from arignote.layers.initialisers import Blank, Initialiser
from arignote.layers.layer import Layer
from arignote.layers.network import Network
from arignote.layers.tensorfiles import NetworkFileError, read_tensors, set_values, write_tensors

__all__ = ["NetworkFileError", "load", "load_network", "save", "save_network"]

_ENTRY, _ENTRY_OF_LAYERS = "arignote network 1", "arignote layer 1"  # with the version of what they hold
_UNBUILDABLE = (
    *(GraphError, ArithmeticError, AttributeError, IndexError, KeyError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)
_KINDS = {kind.__name__: kind for kind in (ConvPoolLayer, FullyConnectedLayer, SoftmaxLayer)}


def save_network(network: Network, path: StrPath) -> None:
    """Write a network to a safetensors file.

    Parameters
    ----------
    network : Network
        Of the layers of this library, with activations among `arignote.layers.activations.ACTIVATIONS`.
    path : path
        A file that is there is replaced when the new one is complete.

    Raises
    ------
    NetworkFileError
        If the network has a layer or an activation of another kind.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from arignote.layers import Network, SoftmaxLayer
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save_network(Network([SoftmaxLayer(n_in=784, n_out=10)], mini_batch_size=10), path)
    >>> load_network(path).layers[0].n_out
    10
    """
    architecture = {
        "mini_batch_size": network.mini_batch_size,
        "layers": [_described(layer) for layer in network.layers],
    }
    weights = {name: param.get_value() for name, param in _named_parameters(network).items()}
    write_tensors(path, weights, _ENTRY, architecture)


def load_network(path: StrPath) -> Network:
    """Read a network from a file that `save_network` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    Network
        With parameters of dtype `config.floatX`.

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged, or holds something else.
    """
    weights, architecture = read_tensors(path, _ENTRY, "network of this library")
    try:
        network = _built(architecture, most_weights=sum(array.size for array in weights.values()))
        params = _named_parameters(network)
        if weights.keys() != params.keys():
            raise ValueError(f"its weights are {', '.join(sorted(weights))}; expected {', '.join(params)}")
        for name, param in params.items():
            if weights[name].shape != param.storage.shape or weights[name].dtype.kind != "f":
                raise ValueError(
                    f"{name} is {weights[name].dtype} of shape {weights[name].shape}; "
                    f"expected {param.dtype} of shape {param.storage.shape}"
                )
            param.set_value(weights[name].astype(param.dtype))
    except (GraphError, ArithmeticError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise NetworkFileError(f"{path}: not a network that this version can build: {error}") from error
    return network


def _named_parameters(network: Network) -> dict[str, Any]:
    return {f"{i}.{param.name}": param for i, layer in enumerate(network.layers) for param in layer.params}


def _described(layer: Layer) -> dict[str, Any]:
    """Return the kind of a layer and the arguments that make it."""
    kind = type(layer)
    if _KINDS.get(kind.__name__) is not kind:
        raise NetworkFileError(
            f"a {kind.__name__} cannot be saved: only its code knows what it does, and files hold no code; "
            f"the kinds that can be saved are {', '.join(_KINDS)}"
        )
    arguments = {field.name: getattr(layer, field.name) for field in fields(kind)}
    if "activation_fn" in arguments:
        names = {function: name for name, function in ACTIVATIONS.items()}
        if arguments["activation_fn"] not in names:
            raise NetworkFileError(
                f"a {kind.__name__} with activation_fn={arguments['activation_fn']!r} cannot be saved: files "
                f"hold the names of activations, no code; the names are {', '.join(ACTIVATIONS)}"
            )
        arguments["activation_fn"] = names[arguments["activation_fn"]]
    return {"kind": kind.__name__, **arguments}


def _built(architecture: Any, most_weights: int) -> Network:
    """Return the network that is described, unless it needs more weights than the file holds."""
    layers = []
    for description in architecture["layers"]:
        arguments = dict(description)
        kind = _KINDS[arguments.pop("kind")]
        extents = arguments.get("filter_shape") or (arguments["n_in"], arguments["n_out"])
        if not all(isinstance(extent, int) for extent in extents) or prod(extents) > most_weights:
            raise ValueError(f"a {kind.__name__} of {extents}; the file holds {most_weights} numbers")
        if "activation_fn" in arguments:
            arguments["activation_fn"] = ACTIVATIONS[arguments["activation_fn"]]
        layers.append(kind(**arguments))
    return Network(layers, architecture["mini_batch_size"])


def save(layer: Layer, path: StrPath) -> None:
    """Write a layer, up to a whole network of any form, to a safetensors file.

    Parameters
    ----------
    layer : Layer
        That is built; of layers and initialisers that are dataclasses, and of the activations of
        `arignote.layers.activations`.
    path : path
        A file that is there is replaced when the new one is complete.

    Raises
    ------
    NetworkFileError
        If something in it has no name that a file can keep, such as a function of your own.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from arignote.layers import Dense
    >>> path = Path(tempfile.mkdtemp()) / "dense.safetensors"
    >>> save(Dense(3).build((2,)), path)
    >>> load(path).units
    3
    """
    layer.check_built()
    description = described(layer)
    if nameless := sorted(set(_nameless(description))):
        raise NetworkFileError(
            f"{layer!r:.200} cannot be saved: files hold names, no code, and there are none for "
            f"{', '.join(nameless)}; the activations are {', '.join(ACTIVATIONS)}"
        )
    arrays = {name: parameter.variable.storage for name, parameter in layer.parameters.items()}
    shapes = [list(shape) for shape in layer.input_shapes]
    write_tensors(path, arrays, _ENTRY_OF_LAYERS, {"layer": description, "input_shapes": shapes})


def load(path: StrPath, kinds: Sequence[type] = ()) -> Layer:
    """Read a layer from a file that `save` wrote.

    Parameters
    ----------
    path : path
    kinds : sequence of classes
        Layers and initialisers of your own that are in it.

    Returns
    -------
    Layer
        With parameters of dtype `config.floatX`.

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged, or holds something else.
    """
    arrays, words = read_tensors(path, _ENTRY_OF_LAYERS, "layer of this library")
    known = _subclasses(Layer) | _subclasses(Initialiser) | {kind.__name__: kind for kind in kinds}
    blank = Blank(sum(array.size for array in arrays.values()))
    try:
        layer = _made(words["layer"], known, blank, [])
        if not isinstance(layer, Layer):
            raise ValueError("it describes no layer")
        layer.build(*(tuple(shape) for shape in words["input_shapes"]), rng=blank)
        variables = {name: parameter.variable for name, parameter in layer.parameters.items()}
    except _UNBUILDABLE as error:
        raise NetworkFileError(f"{path}: not a layer that this version can build: {error}") from error
    set_values(path, variables, arrays)
    return layer


def _nameless(description: Any) -> Iterator[str]:
    """Yield what a description only points at."""
    waiting = [description]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.keys() == {"function"} and part["function"] not in ACTIVATIONS:
                yield part["function"]
            yield from (str(part[word]) for word in ("object", "array", "variable") if word in part)
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _subclasses(base: type) -> dict[str, type]:
    """Return the classes of this library that are a `base`, by name."""
    found, waiting = {}, [base]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("arignote.layers."):
            found[kind.__name__] = kind
    return found


def _made(part: Any, known: dict[str, type], blank: Blank, layers: list[Any]) -> Any:
    """Return what a part of a description describes; lists become tuples."""
    if isinstance(part, list):
        return tuple([_made(each, known, blank, layers) for each in part])
    if not isinstance(part, dict):
        return part
    if "again" in part:
        return layers[part["again"]]
    if "function" in part:
        return ACTIVATIONS[part["function"]]
    name = part["layer"] if "layer" in part else part["kind"]
    if name not in known:
        raise ValueError(f"a {name} is not known: load(path, kinds=[...]) takes classes of your own")
    place = len(layers)
    if "layer" in part:
        layers.append(None)  # numbers count layers before those in them
    arguments = {word: _made(each, known, blank, layers) for word, each in part["arguments"].items()}
    kind: Any = known[name]
    if issubclass(kind, Graph):
        made: Any = kind.of_steps(**arguments, rng=blank)
    elif "rng" in getattr(kind, "__annotations__", {}):  # what is built at once, as layers of the book are
        made = kind(**arguments, rng=blank)
    else:
        made = kind(**arguments)
    if "layer" in part:
        layers[place] = made
    return made
