"""The command line: `arignote train`, `arignote predict` and `arignote cache`.

Nothing is imported before it is needed: a warm start takes its first training step within a second.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arignote.layers import Network
    from arignote.layers.data.datasets import Dataset
    from arignote.layers.watching import History

_WEIGHTS, _HISTORY = "weights.safetensors", "history.json"
_CURVE, _FILTERS = "learning_curve.png", "filters.png"
_FAILED, _USAGE, _INTERRUPTED = 1, 2, 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0, or 1 if something failed, 2 for arguments that do not fit, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except _CommandError as error:
        print(f"arignote {options.command}: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:  # before the training began, or while reading images
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output is gone, as `| head` goes
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the flush at exit does not fail again
        return _FAILED
    return status


class _CommandError(Exception):
    def __init__(self, message: object, status: int = _USAGE) -> None:
        super().__init__(message)
        self.status = status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    count = _number(int, lambda value: value >= 1, "a whole number of at least 1")
    parser = _Parser(prog="arignote", description="Teach a convolutional network to read handwritten digits.")
    parser.add_argument("--version", action="version", version=f"arignote {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="train | predict | cache")

    def command(name: str, run: Callable[[argparse.Namespace], int], summary: str, more: str) -> _Parser:
        shows_defaults = argparse.ArgumentDefaultsHelpFormatter
        added: _Parser = commands.add_parser(
            name, help=summary, description=more, formatter_class=shows_defaults
        )
        added.set_defaults(run=run)
        return added

    train = command(
        "train",
        _train,
        "train a network on digits",
        "Train a network (convolution 20@5x5, pooling 2x2, fully connected 100, softmax 10) on digits.",
    )
    option = train.add_argument
    option("--data", default="digits", help="folder with the files of MNIST; `digits` are the packaged ones")
    option("--epochs", default=30, type=count, help="passes over the training digits")
    option("--batch", default=10, type=count, help="digits of a training step")
    rate = _number(float, lambda value: 0 < value < inf, "a number greater than 0")
    option("--rate", default=0.5, type=rate, help="learning rate")
    strength = _number(float, lambda value: 0 <= value < inf, "a number of at least 0")
    option("--regularisation", default=0.03, type=strength, help="strength of the L2 penalty")
    seed = _number(int, lambda value: value >= 0, "a whole number of at least 0")
    option("--seed", default=0, type=seed, help="of the initial weights and the order of the digits")
    threads = _number(int, lambda value: 1 <= value <= 256, "a whole number from 1 to 256")
    option("--threads", type=threads, help="as many as there are cores, unless given")
    option("--out", default="digits", type=Path, help="folder for weights, history and pictures")

    predict = command(
        "predict",
        _predict,
        "read digits from image files",
        "Print the digit that each image shows, and the probability of every digit.",
    )
    predict.add_argument("images", nargs="+", metavar="FILE", help="image of one digit, of any size")
    weights = Path("digits") / _WEIGHTS
    predict.add_argument("--weights", default=weights, type=Path, help="file that `train` wrote")

    cache = command(
        "cache",
        _cache,
        "show or clear the cache of compiled kernels",
        "Show what the cache of compiled kernels holds, or remove it all: kernels are compiled anew then.",
    )
    cache.add_argument("action", choices=["info", "clear"], help="what to do")
    return parser


def _version() -> str:
    import arignote

    return arignote.__version__


def _number(
    kind: type[int] | type[float], accepts: Callable[[float], bool], expected: str
) -> Callable[[str], float]:
    """Return the reader of a numeric argument."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = nan
        if not accepts(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
        return value

    return read


def _train(options: argparse.Namespace) -> int:
    import numpy as np

    import arignote
    from arignote.layers import ConvPoolLayer, DivergenceError, FullyConnectedLayer, Network, SoftmaxLayer

    _set_threads(options.threads)
    data = _dataset(options.data)
    images, labels = data.training
    if options.batch > len(images):
        raise _CommandError(f"argument --batch: more than the {len(images)} training digits")
    _check_writable(options.out)

    arignote.config.floatX = "float32"
    rng = np.random.default_rng(options.seed)
    network = Network(
        [
            ConvPoolLayer(filter_shape=(20, 1, 5, 5), image_shape=(options.batch, 1, 28, 28), rng=rng),
            FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100, rng=rng),
            SoftmaxLayer(n_in=100, n_out=10),
        ],
        mini_batch_size=options.batch,
    )
    order = rng.permutation(len(images))
    try:
        with _interruption() as interruption:
            history = network.SGD(
                (images[order], labels[order]),
                options.epochs,
                options.batch,
                options.rate,
                data.validation,
                data.test,
                lmbda=options.regularisation,
                watcher=_progress(len(images) // options.batch, options, interruption),
            )
    except DivergenceError as error:
        raise _CommandError(f"{error.summary}; try a smaller --rate", _FAILED) from None
    _write(options.out, network, history)
    if interruption.requested:
        print(f"interrupted in epoch {history['epoch'][-1]}; the weights so far are kept in {options.out}")
    print(f"test accuracy {history['test_accuracy'][-1]:.2%}")
    return _INTERRUPTED if interruption.requested else 0


def _check_writable(folder: Path) -> None:
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _CommandError(f"argument --out: cannot write to {folder}: {error.strerror}") from None


def _set_threads(threads: int | None) -> None:
    from arignote.compile.threads import get_num_threads, set_num_threads

    try:
        set_num_threads(threads or get_num_threads())
    except ValueError as error:  # a variable of the environment that is no number
        raise _CommandError(error) from None


def _dataset(name: str) -> Dataset:
    from arignote.layers.data.datasets import DatasetError, load_digits, load_mnist

    try:
        return load_digits() if name == "digits" else load_mnist(name)
    except DatasetError as error:
        raise _CommandError(f"argument --data: {error}") from None


class _Interruption:
    requested = False


@contextmanager
def _interruption() -> Iterator[_Interruption]:
    """Turn the first Ctrl-C into a request; the second one ends the process."""
    interruption = _Interruption()

    def request(number: int, frame: Any) -> None:
        interruption.requested = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)


def _progress(batches: int, options: argparse.Namespace, interruption: _Interruption) -> Any:
    """Return a watcher that shows a progress bar where there is a terminal, and stops on request."""
    from tqdm import tqdm

    from arignote.layers.watching import Watcher, epoch_line

    class Progress(Watcher):
        def __init__(self) -> None:
            self.bar = tqdm(
                total=options.epochs * batches * options.batch,
                unit=" digits",
                disable=not sys.stderr.isatty(),
                dynamic_ncols=True,
            )
            self.bar.set_postfix_str("compiling")
            self.accuracy = ""

        def after_batch(self, epoch: int, batch: int, loss: float) -> bool:
            self.bar.set_postfix_str(f"loss {loss:.3f}{self.accuracy}", refresh=False)
            self.bar.update(options.batch)
            return interruption.requested

        def after_epoch(self, history: History) -> None:
            self.accuracy = f", accuracy {history['validation_accuracy'][-1]:.2%}"
            self.bar.set_postfix_str(f"loss {history['training_loss'][-1]:.3f}{self.accuracy}")
            self.bar.write(epoch_line(history))
            sys.stdout.flush()
            if interruption.requested or len(history["epoch"]) == options.epochs:
                self.bar.close()

    return Progress()


def _write(folder: Path, network: Network, history: History) -> None:
    from arignote.layers.files import replacing
    from arignote.layers.pictures import draw_filters, draw_learning_curve
    from arignote.layers.saving import save_network

    try:
        save_network(network, folder / _WEIGHTS)
        with replacing(folder / _HISTORY) as unfinished:
            unfinished.write_text(json.dumps(history, indent=1))
        draw_learning_curve(history, folder / _CURVE)
        draw_filters(network.layers[0].w.get_value(), folder / _FILTERS)
    except OSError as error:
        raise _CommandError(f"cannot write to {folder}: {error}", _FAILED) from None


def _predict(options: argparse.Namespace) -> int:
    import numpy as np

    import arignote
    from arignote.engine.errors import GraphError
    from arignote.layers.data.images import ImageError, read_digit_image
    from arignote.layers.saving import load_network
    from arignote.layers.tensorfiles import NetworkFileError

    if not options.weights.exists():
        raise _CommandError(f"no weights at {options.weights}: run `arignote train` first, or use --weights")
    arignote.config.floatX = "float32"
    try:
        network = load_network(options.weights)
    except NetworkFileError as error:
        raise _CommandError(error) from None
    paths, digits, failed = [], [], False
    for path in options.images:
        try:
            digits.append(read_digit_image(path))
            paths.append(path)
        except ImageError as error:
            print(f"arignote predict: {error}", file=sys.stderr)
            failed = True
    if digits:
        try:
            predicted = network.predict_probabilities(np.stack(digits))
        except GraphError as error:
            raise _CommandError(f"{options.weights}: this network reads no digits: {error.summary}") from None
        for path, probabilities in zip(paths, predicted, strict=True):
            each = "  ".join(f"{digit}: {share:.1%}" for digit, share in enumerate(probabilities))
            print(f"{path}: {probabilities.argmax()}  ({each})")
    return _FAILED if failed else 0


def _cache(options: argparse.Namespace) -> int:
    from arignote.compile.disk import cache_info, clear_cache
    from arignote.compile.sizes import size_text

    try:
        info = cache_info()
        if options.action == "clear":
            clear_cache()
    except OSError as error:
        raise _CommandError(error, _FAILED) from None
    except ValueError as error:  # a variable of the environment that is no size
        raise _CommandError(error) from None
    held = f"{info.files} files, {size_text(info.bytes)}"
    if options.action == "clear":
        print(f"removed {held} from {info.folder}")
    else:
        print(f"{info.folder}: {held} of at most {size_text(info.limit)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
