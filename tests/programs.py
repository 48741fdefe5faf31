"""Random programs over the language: what a program is made of, step by step.

A program is a list of *moves*: each picks operands among the variables that are there and makes a new one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import arignote
from arignote import tensor as T
from arignote.engine.evaluate import evaluate
from arignote.engine.graph import Variable, walk

LARGEST = 600  # elements of a value; larger ones are not kept
FINITE = 1e4  # magnitudes beyond say more of the program than of the compiler

Values = dict[Variable, np.ndarray]


@dataclass(frozen=True)
class Move:
    """How a variable is made of others.

    Attributes
    ----------
    name : str
    fits : sequence of callable
        For each operand, whether a value may be it.
    make : callable
        ``(random, *variables, values) -> variable``.
    alike : bool
        Whether all operands must have the first one's shape.
    """

    name: str
    fits: Sequence[Callable[[np.ndarray], bool]]
    make: Callable[..., Variable]
    alike: bool = False


MOVES: list[Move] = []


def is_float(x: np.ndarray) -> bool:
    return x.dtype.kind == "f"


def is_whole(x: np.ndarray) -> bool:
    return x.dtype.kind in "iu"


def is_logical(x: np.ndarray) -> bool:
    return x.dtype.kind in "iub"


def is_bool(x: np.ndarray) -> bool:
    return x.dtype.kind == "b"


def anything(x: np.ndarray) -> bool:
    return True


def of_rank(*ranks: int, also: Callable[[np.ndarray], bool] = anything) -> Callable[[np.ndarray], bool]:
    return lambda x: x.ndim in ranks and also(x)


def has_axes(x: np.ndarray) -> bool:
    return x.ndim > 0


def has_elements(x: np.ndarray) -> bool:
    return x.ndim > 0 and x.size > 0


def move(name: str, *fits: Callable[[np.ndarray], bool], alike: bool = False) -> Callable:
    def register(make: Callable[..., Variable]) -> Callable[..., Variable]:
        MOVES.append(Move(name, fits, make, alike))
        return make

    return register


# ------------------------------------------------------------------------------------------ elementwise

UNARY = {
    "tanh": T.tanh,
    "sigmoid": T.nnet.sigmoid,
    "softplus": T.nnet.softplus,
    "softsign": T.nnet.softsign,
    "hard_sigmoid": T.nnet.hard_sigmoid,
    "elu": T.nnet.elu,
    "selu": T.nnet.selu,
    "relu": lambda x: T.nnet.relu(x, 0.1),
    "sin": T.sin,
    "cos": T.cos,
    "arctan": T.arctan,
    "sinh of tanh": lambda x: T.sinh(T.tanh(x)),
    "tan of tanh": lambda x: T.tan(T.tanh(x)),
    "arcsin of half tanh": lambda x: T.arcsin(T.tanh(x) * 0.5),
    "erf": T.erf,
    "erfc": T.erfc,
    "exp(-x**2)": lambda x: T.exp(-T.sqr(x)),
    "exp2 of tanh": lambda x: T.exp2(T.tanh(x)),
    "expm1 of tanh": lambda x: T.expm1(T.tanh(x)),
    "log(1 + exp(x))": lambda x: T.log(1 + T.exp(-abs(x))),
    "log(sigmoid)": lambda x: T.log(T.nnet.sigmoid(x)),
    "1 - sigmoid": lambda x: 1 - T.nnet.sigmoid(x),
    "log(x**2 + 1)": lambda x: T.log(T.sqr(x) + 1),
    "log1p": lambda x: T.log1p(abs(x)),
    "log2": lambda x: T.log2(abs(x) + 1),
    "log10": lambda x: T.log10(abs(x) + 1),
    "sqrt": lambda x: T.sqrt(T.sqr(x) + 1),
    "gammaln": lambda x: T.gammaln(abs(x) + 1),
    "psi": lambda x: T.psi(abs(x) + 1),
    "inv": lambda x: T.inv(abs(x) + 1),
    "x**2": lambda x: x**2,
    "x**3": lambda x: x**3,
    "abs(x)**1.5": lambda x: (abs(x) + 0.5) ** 1.5,
    "x*1 + 0": lambda x: x * 1 + 0,
    "x/x": lambda x: (abs(x) + 1) / (abs(x) + 1),
    "xlogx": lambda x: T.xlogx.xlogx(abs(x) + 1),
    "floor": T.floor,
    "ceil": T.ceil,
    "round": T.round,
    "trunc": T.trunc,
    "sgn": T.sgn,
    "clip": lambda x: T.clip(x, -0.5, 0.75),
}
for _name, _op in UNARY.items():
    MOVES.append(Move(_name, [is_float], lambda r, x, v, op=_op: op(x)))

BINARY = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "maximum": T.maximum,
    "minimum": T.minimum,
    "a / (1 + b*b)": lambda a, b: a / (1 + b * b),
    "switch": lambda a, b: T.switch(a > b, a, b * 2),
    "a % 3": lambda a, b: a % 3 + b,
    "arctan2": lambda a, b: T.arctan2(a, abs(b) + 1),
    "neq": lambda a, b: T.cast(T.neq(a, b), "float64") + a,
}
for _name, _op in BINARY.items():
    MOVES.append(Move(_name, [is_float, is_float], lambda r, a, b, v, op=_op: op(a, b), alike=True))

COMPARISONS = [T.eq, T.neq, T.lt, T.le, T.gt, T.ge]


@move("compare", anything, anything, alike=True)
def _compare(r, a, b, values):
    return r.choice(COMPARISONS)(a, b)


@move("whole numbers", is_whole, is_whole, alike=True)
def _whole(r, a, b, values):
    return r.choice([a + b, a - b, a * 3 - b, a // (abs(b) + 1), a % (abs(b) + 1), abs(a), T.sgn(a) + b])


@move("bits", is_logical, is_logical, alike=True)
def _bits(r, a, b, values):
    return r.choice([a & b, a | b, a ^ b, ~a])


@move("switch by a condition", is_bool, is_float, is_float, alike=True)
def _switch(r, condition, a, b, values):
    return T.switch(condition, a, b)


@move("cast", anything)
def _cast(r, x, values):
    return T.cast(T.clip(x, -100, 100) if values[x].dtype.kind != "b" else x, r.choice(CASTS))


CASTS = ["float64", "float32", "int64", "int32", "int8"]


@move("broadcast in front", is_float, of_rank(1, also=is_float))
def _broadcast(r, x, row, values):
    return x + row if values[x].shape[-1:] == values[row].shape else x * row.sum()


@move("broadcast an axis", has_elements)
def _centred(r, x, values):
    axis = r.randrange(values[x].ndim)
    if values[x].dtype.kind == "b":
        return x
    reduced = getattr(x, r.choice(["max", "mean", "sum"]))(axis, keepdims=True)
    return r.choice([x - reduced, x * reduced])


# ------------------------------------------------------------------------------------------ reductions


@move("reduce", has_elements)
def _reduce(r, x, values):
    array = values[x]
    axes = r.sample(range(array.ndim), r.randint(1, array.ndim))
    keep = r.random() < 0.5
    names = ["sum", "mean", "max", "min", "any", "all", "var", "std", "prod"]
    name = r.choice(names[:4] if array.dtype.kind != "f" else names)
    if name in ("any", "all"):
        return getattr(x > 0, name)(axis=axes, keepdims=keep)
    if array.dtype.kind == "b":
        return x.sum(axis=axes, keepdims=keep)
    if name == "std":
        return T.sqrt(x.var(axis=axes, keepdims=keep) + 1)
    return getattr(T.tanh(x) if name == "prod" else x, name)(axis=axes, keepdims=keep)


@move("where the extremum is", has_elements)
def _place(r, x, values):
    return r.choice([T.argmax, T.argmin])(x, axis=r.randrange(values[x].ndim))


@move("running", has_axes)
def _running(r, x, values):
    axis = r.randrange(values[x].ndim)
    if values[x].dtype.kind == "f" and r.random() < 0.3:
        return T.cumprod(T.tanh(x), axis)
    return T.cumsum(x, axis)


@move("in order", has_elements)
def _ordered(r, x, values):
    axis = r.randrange(values[x].ndim)
    return r.choice([T.sort, T.argsort])(x, axis)


@move("diff", has_elements)
def _diff(r, x, values):
    return T.diff(x, axis=r.randrange(values[x].ndim)) if values[x].dtype.kind != "b" else x


# ------------------------------------------------------------------------------------------ shapes


@move("dimshuffle", has_axes)
def _dimshuffle(r, x, values):
    axes: list = r.sample(range(values[x].ndim), values[x].ndim)
    if len(axes) < 4 and r.random() < 0.5:
        axes.insert(r.randint(0, len(axes)), "x")
    return x.dimshuffle(*axes)


@move("reshape", has_axes)
def _reshape(r, x, values):
    kind = r.randrange(4)
    if kind == 0:
        return x.flatten(r.randint(1, values[x].ndim))
    if kind == 1:
        return x.T.reshape(x.shape)
    if kind == 2:
        return x.reshape((x.size, 1))
    return x.reshape((1, *[x.shape[i] for i in range(values[x].ndim)]))


@move("slices", has_axes)
def _slices(r, x, values):
    index = []
    for extent in values[x].shape:
        start, stop = r.randint(-extent - 1, extent), r.randint(-extent - 1, extent + 1)
        index.append(
            r.choice(
                [
                    slice(None),
                    slice(start, None),
                    slice(start, stop),
                    slice(None, None, -1),
                    slice(None, None, 2),
                ]
            )
        )
    if r.random() < 0.3:
        index.insert(r.randint(0, len(index)), None)
    return x[tuple(index)]


@move("one of an axis", has_elements)
def _one(r, x, values):
    axis = r.randrange(values[x].ndim)
    extent = values[x].shape[axis]
    return x[(slice(None),) * axis + (r.randint(-extent, extent - 1),)]


@move("join", has_axes, has_axes, alike=True)
def _join(r, a, b, values):
    axis = r.randrange(values[a].ndim)
    return r.choice([lambda: T.concatenate([a, b, a], axis), lambda: T.stack([a, b], axis)])()


@move("repeat and roll", has_axes)
def _repeated(r, x, values):
    axis = r.randrange(values[x].ndim)
    return r.choice([lambda: T.repeat(x, 2, axis), lambda: T.roll(x, 1, axis), lambda: T.flip(x, axis)])()


@move("swap and move axes", of_rank(2, 3, 4))
def _swapped(r, x, values):
    a, b = r.sample(range(values[x].ndim), 2)
    return r.choice([lambda: x.swapaxes(a, b), lambda: T.moveaxis(x, a, b)])()


@move("triangles", of_rank(2))
def _triangle(r, x, values):
    return r.choice([T.tril, T.triu])(x, r.randint(-1, 1))


# ------------------------------------------------------------------------------------------ indexing


@move("integer vectors", has_elements)
def _picked(r, x, values):
    shape = values[x].shape
    axis = r.randrange(len(shape))
    index = np.array([r.randint(-shape[axis], shape[axis] - 1) for _ in range(r.randint(0, 4))], "int64")
    return x[(slice(None),) * axis + (index,)]


@move("a mask", of_rank(1, 2))
def _masked(r, x, values):
    return x[x > 0] if values[x].dtype.kind != "b" else x[x]


@move("put", has_elements)
def _put(r, x, values):
    array = values[x]
    if array.dtype.kind == "b":
        return x
    extent = array.shape[0]
    index = r.choice([slice(0, 1), slice(None, None, 2), -1, np.array([0, 0, extent - 1])])
    value = x[::-1][index]
    return r.choice([T.set_subtensor, T.inc_subtensor])(x[index], value)


# ------------------------------------------------------------------------------------------ products and nets


@move("dot with itself", of_rank(1, 2, also=is_float))
def _dot(r, x, values):
    return T.dot(x, x.T) / max(values[x].size, 1)


@move("dot", of_rank(2, also=is_float), of_rank(2, also=is_float))
def _dot_two(r, a, b, values):
    return T.dot(T.tanh(a), T.tanh(b)) if values[a].shape[1] == values[b].shape[0] else a + b.sum()


@move("tensordot", of_rank(3, also=is_float), of_rank(3, also=is_float), alike=True)
def _tensordot(r, a, b, values):
    axis = r.randrange(3)
    return T.tensordot(T.tanh(a), T.tanh(b), axes=[[axis], [axis]])


@move("batched dot", of_rank(3, also=is_float))
def _batched_dot(r, x, values):
    return T.batched_dot(T.tanh(x), T.tanh(x).dimshuffle(0, 2, 1))


@move("inverse", of_rank(2, also=is_float))
def _inverse(r, x, values):
    return T.nlinalg.matrix_inverse(T.dot(T.tanh(x), T.tanh(x).T) + 2 * T.eye(values[x].shape[0]))


@move("softmax", of_rank(2, also=is_float))
def _softmax(r, x, values):
    return r.choice([T.nnet.softmax, T.nnet.logsoftmax, lambda x: T.log(T.nnet.softmax(x))])(x)


@move("convolution", of_rank(3, 4, also=lambda x: is_float(x) and x.size > 0))
def _convolution(r, x, values):
    images = x if values[x].ndim == 4 else x.dimshuffle("x", 0, 1, 2)
    channels = values[x].shape[-3]
    filters = (
        np.random.default_rng(r.randrange(9)).normal(0, 0.5, (2, channels, 2, 2)).astype(values[x].dtype)
    )
    return T.nnet.conv2d(
        images, filters, border_mode=r.choice(["full", "half", 1]), subsample=r.choice([(1, 1), (2, 1)])
    )


@move("pooling", of_rank(2, 3, 4, also=lambda x: is_float(x) and x.size > 0))
def _pooling(r, x, values):
    mode = r.choice(["max", "sum", "average_inc_pad", "average_exc_pad"])
    return T.signal.pool.pool_2d(x, (2, 2), ignore_border=r.random() < 0.5, mode=mode)


# ------------------------------------------------------------------------------------------ control


@move("ifelse", has_elements, is_float, is_float)
def _ifelse(r, x, a, b, values):
    return arignote.ifelse.ifelse(T.gt(x.sum(), 0), a.sum() * 2, b.mean() - 1)


@move("scan", of_rank(1, 2, 3, also=is_float))
def _scan(r, x, values):
    start = T.zeros_like(x[0]) if values[x].shape[0] else None
    if start is None:
        return x
    outputs, _ = arignote.scan(
        lambda one, before: T.tanh(one + before * 0.5), sequences=x, outputs_info=start
    )
    return outputs


# ------------------------------------------------------------------------------------------ programs


@dataclass
class Program:
    """A random program.

    Attributes
    ----------
    inputs : list of Variable
    values : dict
        Of every variable, by the ops' NumPy meanings.
    made : list of Variable
    names : list of str
        The moves.
    """

    inputs: list[Variable]
    values: Values
    made: list[Variable]
    names: list[str]

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(walk(self.made))


def build(words: Sequence[tuple[int, int]], seed: int, most_nodes: int = 40) -> Program:
    """Build a program of at most about `most_nodes` nodes from pairs of numbers: which move, and how."""
    generator = np.random.default_rng(seed)
    rows, columns = int(generator.integers(1, 5)), int(generator.integers(1, 5))
    inputs = [
        T.dmatrix("x"),
        T.dmatrix("y"),
        T.fmatrix("f"),
        T.lmatrix("i"),
        T.dtensor3("t"),
        T.dvector("v"),
    ]
    shapes = [(rows, columns)] * 4 + [(2, rows, columns), (columns,)]
    values: Values = {}
    for k, (x, shape) in enumerate(zip(inputs, shapes, strict=True)):
        size = int(np.prod(shape))
        # Apart from each other and from 0, so that no comparison hangs on the last digit.
        spread = generator.permutation(size).reshape(shape) / 4 - size / 8 + 0.03 + k / 17
        values[x] = (spread * (4 if x.dtype == "int64" else 1)).astype(x.dtype)
    program = Program(inputs, values, list(inputs), [])
    for which, how in words:
        if program.size >= most_nodes:
            break
        _extend(program, MOVES[which % len(MOVES)], random.Random(how))
    return program


def _extend(program: Program, chosen: Move, r: random.Random) -> None:
    operands: list[Variable] = []
    for fits in chosen.fits:
        fitting = [
            x
            for x in program.made
            if fits(program.values[x])
            and (
                not chosen.alike
                or not operands
                or program.values[x].shape == program.values[operands[0]].shape
            )
        ]
        if not fitting:
            return
        # The latest ones twice as often as the others: programs grow deep rather than wide.
        operands.append(r.choice([*fitting, *fitting[-3:]]))
    new = chosen.make(r, *operands, program.values)
    if new in program.values:
        return
    nodes = walk([new], stop=program.values)
    between = dict.fromkeys(x for node in nodes for x in node.outputs)
    results = dict(zip(between, evaluate(list(between), program.values), strict=True))
    value = results[new]
    if value.size > LARGEST or (value.dtype.kind == "f" and not (np.abs(value) < FINITE).all()):
        return
    program.values[new] = value
    program.made.append(new)
    program.names.append(chosen.name)
