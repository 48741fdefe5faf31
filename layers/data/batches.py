"""Batches of examples for training: shuffled, augmented, read ahead of the compute, the same for one seed.

What a batch holds depends on the seed, the epoch and the batch's number alone: not on what was read before,
nor on whether it is read ahead. So training resumes anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.engine.errors import DTypeError, InputError, ShapeError
from arignote.engine.origin import Origin, inherit, user_line
from arignote.layers.arguments import check_whole
from arignote.layers.data.augmentation import Transform
from arignote.layers.data.weights import checked_weights


class Batch(NamedTuple):
    """What one training step is given.

    Attributes
    ----------
    inputs : ndarray, shape (n, ...)
    targets : ndarray, shape (n, ...)
    weights : ndarray of float, shape (n,), or None
        What each example counts; None if all count the same.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[np.floating[Any]] | None = None


@runtime_checkable
class Examples(Protocol):
    """Examples that are read when they are needed, such as those of an `ImageFolder`."""

    def __len__(self) -> int:
        """Return their number."""

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs and targets of those at `places`, as arrays that belong to the caller."""


Pair = tuple[ArrayLike, ArrayLike]
#: What `Batches` are made of: two arrays, examples to be read, or batches made elsewhere.
Source = Pair | Examples | Iterable[Sequence[ArrayLike]] | Callable[[int], Iterable[Sequence[ArrayLike]]]


class Batches:
    """Examples, a batch at a time, epoch after epoch.

    Parameters
    ----------
    source : pair of arrays, Examples, iterable or function
        One of

        - a tuple ``(inputs, targets)`` of arrays with equally many rows, such as a `Split`;
        - examples that are read when they are needed, such as an `ImageFolder`;
        - batches made elsewhere, each a tuple ``(inputs, targets)`` or ``(inputs, targets, weights)``: a list
          of them or another iterable, or a function from the number of the epoch to one, such as a generator
          function. An iterator serves one epoch only.
    batch_size : int, optional
        The number of examples of a batch; not for batches made elsewhere, which keep theirs.
    weights : array_like, shape (n,), optional
        What each example counts, see `class_weights`; not for batches made elsewhere, which bring theirs.
    shuffle : bool
        Whether each epoch has an order of its own; batches made elsewhere come as they come.
    seed : int
        Of the order and of the augmentation, at least 0.
    augment : Transform or sequence of Transform
        What is done to the inputs of each batch, in this order: `Shift`, `Crop`, `Flip`, `Rotate`, or any
        function from inputs and a random generator to inputs.
    drop_last : bool
        Whether to leave out what fills no batch at the end of an epoch, which is another rest in each epoch.
    prefetch : int, optional
        How many batches a thread prepares ahead of the one in use; 0 for none. By default 2, and 0 for arrays
        that are not augmented: taking rows is faster than handing them over.

    Raises
    ------
    ShapeError, DTypeError, InputError
        For arguments that do not fit.

    Notes
    -----
    The numbers are those of `numpy.random.default_rng`, which a later version of NumPy may change.

    Examples
    --------
    >>> batches = Batches((np.arange(5) * 10, np.arange(5)), batch_size=2, seed=1)
    >>> len(batches)
    3
    >>> for inputs, targets, weights in batches.epoch(0):
    ...     print(inputs, targets, weights)
    [40 10] [4 1] None
    [20 30] [2 3] None
    [0] [0] None
    >>> next(batches.epoch(0, start=2)).inputs
    array([0])

    Batches from a generator function:

    >>> def made(epoch):
    ...     for step in range(2):
    ...         yield np.full((3, 4), epoch), np.full(3, step)
    >>> [batch.targets.tolist() for batch in Batches(made).epoch(0)]
    [[0, 0, 0], [1, 1, 1]]
    """

    def __init__(
        self,
        source: Source,
        batch_size: int | None = None,
        *,
        weights: ArrayLike | None = None,
        shuffle: bool = True,
        seed: int = 0,
        augment: Transform | Sequence[Transform] = (),
        drop_last: bool = False,
        prefetch: int | None = None,
    ) -> None:
        self._line = user_line()  # a thread of its own sees none
        check_whole("Batches: argument `seed`", seed, 0)
        self._seed = seed
        self._augment = (augment,) if callable(augment) else tuple(augment)
        self._source: _Taken | _Made
        if isinstance(source, tuple):
            source = _Arrays.checked(source)
        if isinstance(source, Examples):
            self._source = _Taken.checked(
                source, batch_size, weights, self._seed if shuffle else None, drop_last
            )
        else:
            self._source = _Made.checked(source, batch_size, weights)
        if prefetch is None:
            prefetch = 0 if isinstance(source, _Arrays) and not self._augment else 2
        check_whole("Batches: argument `prefetch`", prefetch, 0)
        self._prefetch = prefetch

    @property
    def settings(self) -> dict[str, Any]:
        """What the batches depend on: the source, with its order and weights, and the augmentation."""
        return {"source": self._source, "augment": self._augment, "seed": self._seed}

    def __len__(self) -> int:
        """Return the number of batches of an epoch; a TypeError where only an epoch shows it."""
        return len(self._source)

    def epoch(self, number: int = 0, start: int = 0) -> Generator[Batch]:
        """Return the batches of an epoch.

        Whoever stops before the end should close what this returns, or let go of it: that ends the thread
        that reads ahead.

        Parameters
        ----------
        number : int
            Of the epoch, from 0.
        start : int
            The number of the first batch to return, from 0.

        Returns
        -------
        generator of Batch

        Raises
        ------
        InputError
            If there is no such batch, or an iterator is used up.
        """
        check_whole("epoch: argument `number`", number, 0)
        check_whole("epoch: argument `start`", start, 0)
        batches = self._augmented(self._source.epoch(number, start), number, start)
        return _ahead(batches, self._prefetch) if self._prefetch else batches

    def _augmented(self, batches: Iterator[Batch], epoch: int, start: int) -> Generator[Batch]:
        for step, batch in enumerate(batches, start):
            if self._augment:
                random = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(epoch, step)))
                inputs = batch.inputs
                with inherit(self._line):
                    for transform in self._augment:
                        inputs = transform(inputs, random)
                batch = batch._replace(inputs=inputs)
            yield batch


@dataclass(frozen=True)
class _Arrays:
    """Examples in memory, or in a file that is mapped to it."""

    inputs: NDArray[Any]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.inputs)

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.inputs[places], self.targets[places]

    @classmethod
    def checked(cls, pair: tuple[Any, ...]) -> _Arrays:
        if len(pair) != 2:
            raise InputError(
                "Batches: argument `source`",
                expected="a pair (inputs, targets)",
                actual=f"a tuple of {len(pair)}",
                fix="weights have an argument of their own, `weights`; batches made elsewhere come in a list",
                origin=user_line(),
            )
        return cls(*_rows("Batches: argument `source`", pair))


@dataclass(frozen=True)
class _Taken:
    """Batches of examples, in the order of their places or in one drawn for each epoch."""

    examples: Examples
    batch_size: int
    weights: NDArray[np.floating[Any]] | None
    seed: int | None  # None: in the order of their places
    drop_last: bool

    def __len__(self) -> int:
        whole, rest = divmod(len(self.examples), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def epoch(self, number: int, start: int) -> Iterator[Batch]:
        if start > len(self):
            raise InputError(
                "epoch: argument `start`",
                expected=f"at most {len(self)}, the batches of an epoch",
                actual=str(start),
                origin=user_line(),
            )
        return self._read(number, start)

    def _read(self, number: int, start: int) -> Iterator[Batch]:
        order = np.arange(len(self.examples))
        if self.seed is not None:
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,))).shuffle(order)
        for step in range(start, len(self)):
            places = order[step * self.batch_size : (step + 1) * self.batch_size]
            inputs, targets = self.examples.read(places)
            yield Batch(inputs, targets, None if self.weights is None else self.weights[places])

    @classmethod
    def checked(
        cls, examples: Examples, batch_size: Any, weights: Any, seed: int | None, drop_last: bool
    ) -> _Taken:
        check_whole("Batches: argument `batch_size`", batch_size, 1)
        count = len(examples)
        weights = None if weights is None else checked_weights(weights, count, "Batches: argument `weights`")
        made = cls(examples, batch_size, weights, seed, drop_last)
        if len(made) == 0:
            raise ShapeError(
                "Batches: the examples do not fill one batch",
                expected=f"at least {made.batch_size if drop_last else 1}",
                actual=str(count),
                origin=user_line(),
            )
        return made


@dataclass
class _Made:
    """Batches that were made elsewhere."""

    source: Iterable[Sequence[ArrayLike]] | Callable[[int], Iterable[Sequence[ArrayLike]]]
    line: Origin | None
    used: bool = False

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]  # a list has a length; others say that they have none

    def epoch(self, number: int, start: int) -> Iterator[Batch]:
        if isinstance(self.source, Iterator):
            if self.used:
                raise InputError(
                    "epoch: the iterator that the batches come from serves one epoch, and was used",
                    fix="a function from the number of the epoch to an iterator: Batches(lambda epoch: ...)",
                    origin=user_line(),
                )
            self.used = True
        batches = self.source(number) if callable(self.source) else self.source
        return self._read(iter(batches), start)

    def _read(self, batches: Iterator[Sequence[ArrayLike]], start: int) -> Iterator[Batch]:
        for step, batch in enumerate(batches):
            if step >= start:
                with inherit(self.line):
                    checked = _checked_batch(batch, step)
                yield checked

    @classmethod
    def checked(cls, source: Any, batch_size: int | None, weights: Any) -> _Made:
        for name, value in (("batch_size", batch_size), ("weights", weights)):
            if value is not None:
                raise InputError(
                    f"Batches: argument `{name}`",
                    expected="none for batches that are made elsewhere",
                    actual=f"source is of type {type(source).__name__}",
                    fix="a tuple (inputs, targets) of arrays",
                    origin=user_line(),
                )
        if isinstance(source, np.ndarray) or not (callable(source) or isinstance(source, Iterable)):
            raise DTypeError(
                "Batches: argument `source`",
                expected="a tuple (inputs, targets) of arrays, examples to read, or an iterable or function "
                "that gives batches",
                actual=type(source).__name__,
                origin=user_line(),
            )
        if callable(source) and not _takes_an_epoch(source):
            raise InputError(
                "Batches: argument `source`",
                expected="a function that is called with the number of the epoch",
                actual=f"{getattr(source, '__name__', 'a function')} takes other arguments",
                fix="def batches(epoch): ...",
                origin=user_line(),
            )
        return cls(source, user_line())


def _takes_an_epoch(source: Callable[..., Any]) -> bool:
    try:
        signature(source).bind(0)
    except TypeError:
        return False
    except ValueError:  # of some builtins it is not known
        pass
    return True


def _checked_batch(batch: Any, step: int) -> Batch:
    what = f"batch {step} of those made elsewhere"
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        kind = type(batch).__name__
        raise DTypeError(
            what,
            expected="a tuple (inputs, targets) or (inputs, targets, weights)",
            actual=f"a {kind} of {len(batch)}" if isinstance(batch, tuple | list) else kind,
            origin=user_line(),
        )
    inputs, targets = _rows(what, batch[:2])
    weights = batch[2] if len(batch) == 3 else None
    if weights is not None:
        weights = checked_weights(weights, len(inputs), f"{what}: weights")
    return Batch(inputs, targets, weights)


def _rows(what: str, pair: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two arrays with equally many rows."""
    try:
        inputs, targets = (np.asarray(each) for each in pair)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(
            what, expected="arrays", actual=str(error), fix=_TO_ONE_SIZE, origin=user_line()
        ) from None
    for name, array in (("inputs", inputs), ("targets", targets)):
        if array.dtype.kind not in "biuf":
            raise DTypeError(
                f"{what}: {name}",
                expected="an array of numbers",
                actual=f"dtype {array.dtype}",
                fix=_TO_ONE_SIZE if array.dtype.kind == "O" else "",
                origin=user_line(),
            )
    if inputs.ndim < 1 or inputs.shape[:1] != targets.shape[:1]:
        raise ShapeError(
            what,
            expected="inputs and targets with equally many rows",
            actual=f"shapes {inputs.shape} and {targets.shape}",
            origin=user_line(),
        )
    return inputs, targets


_TO_ONE_SIZE = "pad_to_one_size(images) for images of different sizes"


def _ahead(batches: Generator[Batch], count: int) -> Generator[Batch]:
    """Let a thread read up to `count` batches ahead of the one in use; what it raises is raised here."""
    thread = ThreadPoolExecutor(1, "arignote batches")
    try:
        waiting = deque(thread.submit(next, batches, None) for _ in range(count))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(next, batches, None))
            yield batch
    finally:
        thread.shutdown(cancel_futures=True)
        batches.close()
