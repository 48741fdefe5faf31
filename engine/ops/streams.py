"""Streams of random numbers: samples of distributions, as expressions of uniform numbers."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Variable, as_variable, known_integer
from arignote.engine.ops.elementwise import and_, cast, cos, eq, erfinv, floor, gt, log1p, lt, sqrt, switch
from arignote.engine.ops.order import argsort
from arignote.engine.ops.random import Categorical, Uniform
from arignote.engine.ops.reduce import max, sum
from arignote.engine.ops.shape import arange, as_extents, dimshuffle, extents, product, reshape
from arignote.engine.ops.take import permute_row_elements
from arignote.engine.shared import SharedVariable, shared
from arignote.engine.types import upcast


class RandomStreams:
    """Streams of random numbers whose state advances with every call (`theano.tensor.shared_randomstreams`).

    Every draw has a state of its own: a shared variable with a default update, the int64 vector of its key
    and of how many numbers it has drawn. It is pickled with the functions that draw.

    Parameters
    ----------
    seed : int or sequence of int, optional
        The same seed gives the same numbers, in every mode and at any number of threads.

    Attributes
    ----------
    state_updates : list of (SharedVariable, Variable)
        The state of each draw, in order, and its update. A sample's own are its `rng` and `update`.

    Notes
    -----
    In all methods `size` is the shape of the sample: a number, a sequence of numbers and integer scalars, or
    an integer vector such as ``x.shape``; by default that of the parameters, which broadcast. `ndim` is the
    length of a vector that does not tell. `dtype` is by default `floatX`, or wider where a parameter is.

    Examples
    --------
    >>> from arignote.compile import function
    >>> draw = function([], RandomStreams(seed=1).binomial(size=(4,), n=1, p=0.5))
    >>> draw().shape
    (4,)
    """

    def __init__(self, seed: int | Sequence[int] | None = None) -> None:
        self.state_updates: list[tuple[SharedVariable, Variable]] = []
        self._seeds = np.random.SeedSequence(seed)

    def seed(self, seed: int | Sequence[int] | None = None) -> None:
        """Start all streams anew."""
        self._seeds = np.random.SeedSequence(seed)
        for state, _ in self.state_updates:
            state.set_value(self._new_state())

    def updates(self) -> list[tuple[SharedVariable, Variable]]:
        """Return the state of each draw, and its update, for functions with ``no_default_updates=True``."""
        return list(self.state_updates)

    def uniform(
        self,
        size: Any = None,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Return numbers drawn uniformly from [low, high)."""
        start, stop, dtype = _parameters(low, high, dtype)
        sample = self._draw(_shape("uniform", size, ndim, start, stop), dtype)
        if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
            return sample
        return _marked(start + sample * (stop - start), sample)

    def normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Return numbers drawn from the normal distribution of mean `avg` and standard deviation `std`.

        Each is made of two uniform numbers (Box and Muller, 1958). The finest of these limit it to 5.8
        standard deviations in float32, and to 8.6 in float64.
        """
        mean, deviation, dtype = _parameters(avg, std, dtype)
        uniform = self._draw([as_variable(2), *_shape("normal", size, ndim, mean, deviation)], dtype)
        radius = sqrt(log1p(-uniform[0]) * -2)
        angle = uniform[1] * cast(as_variable(2 * math.pi), dtype)
        return _marked(mean + radius * cos(angle) * deviation, uniform)

    def truncated_normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Return normal numbers without those further than two standard deviations from the mean."""
        mean, deviation, dtype = _parameters(avg, std, dtype)
        uniform = self._draw(_shape("truncated_normal", size, ndim, mean, deviation), dtype)
        share = cast(as_variable(math.erf(math.sqrt(2))), dtype)  # of the numbers within two deviations
        within = erfinv((uniform * 2 - 1) * share) * cast(as_variable(math.sqrt(2)), dtype)
        return _marked(mean + within * deviation, uniform)

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """Return numbers of successes in `n` trials of probability `p`.

        Each trial takes one uniform number.

        Raises
        ------
        DTypeError, InputError
            If `n` is no whole number of at least 0.
        """
        trials = _count(n, "binomial", arrays=True)
        p = as_variable(p)
        draws = p.dtype if p.type.is_float else config.floatX
        shape = _shape("binomial", size, ndim, trials, p)
        if known_integer(trials) == 1:
            uniform = self._draw(shape, draws)
            return _marked(cast(lt(uniform, p), dtype), uniform)
        uniform = self._draw([max(trials), *shape], draws)
        success = lt(uniform, p)
        if trials.ndim:  # as many trials as the largest number, of which the others take the first
            number = dimshuffle(arange(max(trials)), 0, *("x",) * (success.ndim - 1))
            success = and_(success, lt(number, trials))
        return _marked(cast(sum(success, axis=0), dtype), uniform)

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = (0.5, 0.5),
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """Return how often each category was met in `n` trials.

        Parameters
        ----------
        size : shape
            By default the shape of `pvals` but for its last axis.
        n : int or integer scalar
        pvals : vector or array
            The probabilities, along the last axis. The last category has what the others leave.

        Returns
        -------
        Variable
            Of shape `size`, and a last axis over the categories.
        """
        trials = _count(n, "multinomial")
        pvals = _probabilities(pvals, "multinomial")
        shape = extents(pvals)[:-1] if size is None else _shape("multinomial", size, ndim)
        single = known_integer(trials) == 1
        index, uniform = self._categories(shape if single else [trials, *shape], pvals)
        categories = arange(extents(pvals)[-1])
        met = eq(dimshuffle(index, *range(index.ndim), "x"), dimshuffle(categories, *("x",) * index.ndim, 0))
        return _marked(cast(met if single else sum(met, axis=0), dtype), uniform)

    def random_integers(
        self,
        size: Any = None,
        low: Any = 0,
        high: Any = 1,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """Return whole numbers from `low` to `high`, both included, each as likely.

        They are made of 53 random bits, so among more than 2**40 numbers some are noticeably more likely.
        """
        start, stop = (cast(as_variable(bound), "int64") for bound in (low, high))
        uniform = self._draw(_shape("random_integers", size, ndim, start, stop), "float64")
        steps = cast(floor(uniform * cast(stop - start + 1, "float64")), "int64")
        return _marked(cast(start + steps, dtype), uniform)

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: str = "int64"
    ) -> Variable:
        """Return permutations of the numbers from 0 to before `n`, along a last axis; `size` counts them."""
        count = _count(n, "permutation")
        uniform = self._draw([*_shape("permutation", size, ndim), count], "float64")
        return _marked(cast(argsort(uniform), dtype), uniform)

    def shuffle_row_elements(self, input: Any) -> Variable:
        """Return an array with the elements along its last axis in random order, another one in each row."""
        x = as_variable(input)
        *rows, count = extents(x)
        order = self.permutation(rows, count)
        return _marked(permute_row_elements(x, order), order)

    def choice(
        self,
        size: Any = None,
        a: Any = None,
        replace: bool = True,
        p: Any = None,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """Return elements of a population.

        Parameters
        ----------
        size : shape
            By default one element. Without replacement, at most as many as there are.
        a : int, integer scalar, or vector, optional
            The population: the numbers from 0 to before it, or its elements. By default as many numbers as
            there are probabilities, else two.
        replace : bool
            Whether an element can be drawn more than once.
        p : vector or matrix, optional
            The probabilities; by default all are equal. For each row of a matrix `size` elements are drawn.
        dtype : str
            Of the numbers, where `a` is no vector.

        Raises
        ------
        DTypeError, ShapeError
            If `a` is no population, or `p` has another rank.
        """
        weights = None if p is None else _probabilities(p, "choice")
        if weights is not None and weights.ndim > 2:
            raise ShapeError("choice: p", expected="a vector or a matrix", actual=str(weights.type))
        rows = extents(weights)[:1] if weights is not None and weights.ndim == 2 else []
        draws = [] if size is None else _shape("choice", size, ndim)
        elements = None
        if a is None:
            count = as_variable(2) if weights is None else extents(weights)[-1]
        elif as_variable(a).ndim == 1:
            elements = as_variable(a)
            (count,) = extents(elements)
        else:
            count = _count(a, "choice", "a")
        index, drawn = (self._with if replace else self._without)(rows, draws, count, weights)
        return _marked(cast(index, dtype) if elements is None else elements[index], drawn)

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None, dtype: str = "int64"
    ) -> Variable:
        """Return `n` different categories for each row of probabilities: an older form of `choice`."""
        if size is not None:
            raise DTypeError("multinomial_wo_replacement: size", expected="None", actual=repr(size))
        return self.choice(n, replace=False, p=pvals, dtype=dtype)

    def _with(
        self, rows: list[Variable], draws: list[Variable], count: Variable, weights: Variable | None
    ) -> tuple[Variable, Variable]:
        """Return places that are drawn with replacement, and the numbers that they are made of."""
        if weights is None:
            index = self.random_integers(draws, 0, count - 1)
            return index, index
        # The numbers take the rows in turn, so the rows are the last axis at first.
        index, uniform = self._categories([*draws, *rows], weights)
        return dimshuffle(index, *([index.ndim - 1] if rows else []), *range(len(draws))), uniform

    def _without(
        self, rows: list[Variable], draws: list[Variable], count: Variable, weights: Variable | None
    ) -> tuple[Variable, Variable]:
        """Return the first places of a random order: of exponential times with the weights as rates.

        Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
        """
        wanted, there = known_integer(product(draws)), known_integer(count)
        if wanted is not None and there is not None and wanted > there:
            raise ShapeError(
                "choice: size", expected=f"at most {there} elements, without replacement", actual=str(wanted)
            )
        uniform = self._draw([*rows, count], "float64")
        times = uniform
        if weights is not None:
            times = switch(gt(weights, 0), -log1p(-uniform) / weights, np.inf)
        first = argsort(times)[..., : product(draws)]
        return reshape(first, [*rows, *draws]), uniform

    def _categories(self, shape: list[Variable], pvals: Variable) -> tuple[Variable, Variable]:
        """Return the category of each number drawn, and the numbers."""
        *leading, categories = extents(pvals)
        uniform = self._draw(shape, pvals.dtype)
        return Categorical()(uniform, reshape(pvals, [product(leading), categories])), uniform

    def _draw(self, shape: list[Variable], dtype: str) -> Variable:
        state = shared(self._new_state(), name="random state")
        sample, advanced = Uniform(dtype).apply(state, *shape)
        state.default_update = advanced
        self.state_updates.append((state, advanced))
        sample.rng, sample.update = state, advanced  # type: ignore[attr-defined]  # where Theano has them
        return sample

    def _new_state(self) -> np.ndarray:
        words = self._seeds.spawn(1)[0].generate_state(1, "uint64")
        return np.array([words.view("int64")[0], 0], "int64")


class MRG_RandomStreams(RandomStreams):  # noqa: N801 - Theano's name
    """The streams under Theano's second name (`theano.sandbox.rng_mrg`): the same numbers.

    Parameters
    ----------
    seed : int or sequence of int
    use_cuda : bool, optional
        Without effect.
    """

    def __init__(self, seed: int | Sequence[int] = 12345, use_cuda: bool | None = None) -> None:
        super().__init__(seed)


def _marked(sample: Variable, drawn: Variable) -> Variable:
    """Say of a sample which state it is drawn from."""
    sample.rng, sample.update = drawn.rng, drawn.update  # type: ignore[attr-defined]
    return sample


def _parameters(first: Any, second: Any, dtype: str | None) -> tuple[Variable, Variable, str]:
    """Return two parameters in the dtype of a sample, and the dtype."""
    variables = [as_variable(first), as_variable(second)]
    if dtype is None:  # a number has no say
        arrays = [x for x in variables if x.ndim or not isinstance(x, Constant)]
        dtype = upcast(config.floatX, *(x.dtype for x in arrays if x.type.is_float))
    dtype = config.floatX if dtype == "floatX" else dtype
    return cast(variables[0], dtype), cast(variables[1], dtype), dtype


def _shape(name: str, size: Any, ndim: int | None, *parameters: Variable) -> list[Variable]:
    """Return the shape of a sample; by default the one that the parameters broadcast to."""
    if isinstance(size, Variable) and size.ndim == 1 and size.static_shape[0] is None and ndim is not None:
        size = [size[place] for place in range(ndim)]
    if size is not None:
        result = as_extents(size, name)
    else:
        rank = builtins.max((x.ndim for x in parameters), default=0)
        result = [as_variable(np.asarray(1, "int64"))] * rank
        for x in parameters:
            for place, (extent, one) in enumerate(zip(extents(x), x.broadcastable, strict=True)):
                if not one:
                    result[rank - x.ndim + place] = extent
    if ndim is not None and ndim != len(result):
        raise ShapeError(f"{name}: ndim", expected=f"{len(result)}, the length of size", actual=str(ndim))
    return result


def _count(n: Any, name: str, argument: str = "n", arrays: bool = False) -> Variable:
    """Return a number of things as an integer scalar, or numbers of them as an array."""
    count = as_variable(n)
    number = known_integer(count)
    if (count.ndim and not arrays) or not count.type.is_integer or (number is not None and number < 0):
        raise DTypeError(
            f"{name}: argument `{argument}`", expected="a whole number of at least 0", actual=repr(n)
        )
    return cast(count, "int64") if number is None else as_variable(np.asarray(number, "int64"))


def _probabilities(p: Any, name: str) -> Variable:
    pvals = as_variable(p)
    if not pvals.ndim:
        raise ShapeError(f"{name}: probabilities", expected="a vector or a matrix", actual=str(pvals.type))
    return pvals if pvals.type.is_float else cast(pvals, config.floatX)
