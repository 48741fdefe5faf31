"""What a user reads after a mistake: the line, the argument, what was expected, and what came."""

import linecache

import numpy as np
import pytest

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.errors import (
    DisconnectedInputError,
    DTypeError,
    GraphError,
    InputError,
    MissingInputError,
    ShapeError,
    UnusedInputError,
)

MODES = pytest.mark.parametrize("mode", ["compiled", "reference"])


@pytest.fixture
def raises():
    """Return a check: the call raises, and the message has the words, and the user's line with the mark."""

    def check(error, mark, *words, call):
        with pytest.raises(error) as caught:
            call()
        message = str(caught.value)
        for word in words:
            assert word in message, message
        if mark:
            assert f"{__file__}:{caught.value.origin.line} in " in message
            assert mark in linecache.getline(__file__, caught.value.origin.line), message
        return message

    return check


def test_wrong_number_of_channels(raises):
    images, filters = T.TensorType("float32", (None, 3, 8, 8))("images"), np.zeros((4, 1, 3, 3), "float32")
    raises(
        ShapeError,
        "T.nnet.conv2d(images, filters)",
        "number of channels",
        "expected: filters of shape (filters, 3, rows, columns)",
        "actual:   input float32(?, 3, 8, 8), filters float32(4, 1, 3, 3)",
        call=lambda: T.nnet.conv2d(images, filters),
    )


@MODES
def test_wrong_number_of_channels_at_the_call(raises, mode):
    images, filters = T.ftensor4("images"), T.ftensor4("filters")
    out = T.nnet.conv2d(images, filters)  # open channels
    f = function([images, filters], out, mode=mode)
    raises(
        ShapeError,
        "open channels",
        "float32(2, 3, 8, 8)",
        "float32(4, 1, 3, 3)",
        call=lambda: f(np.zeros((2, 3, 8, 8), "float32"), np.zeros((4, 1, 3, 3), "float32")),
    )


@MODES
def test_filter_larger_than_the_image(raises, mode):
    images = T.ftensor4("images")
    out = T.nnet.conv2d(images, np.zeros((4, 1, 5, 5), "float32"))  # large filter
    f = function([images], out, mode=mode)
    raises(
        ShapeError,
        "large filter",
        "the filter's rows do not fit into the image's",
        "1 to 4 (image 4",
        "actual:   5",
        "border_mode='half'",
        call=lambda: f(np.zeros((1, 1, 4, 9), "float32")),
    )


def test_batch_that_does_not_fit_image_shape_while_building(raises):
    images = T.TensorType("float32", (7, 1, 8, 8))("images")
    filters = T.ftensor4("filters")
    raises(
        ShapeError,
        "image_shape=(10, 1, 8, 8)",
        "argument `input`",
        "image_shape",
        "expected: (10, 1, 8, 8)",
        "actual:   float32(7, 1, 8, 8)",
        call=lambda: T.nnet.conv2d(images, filters, image_shape=(10, 1, 8, 8)),
    )


@MODES
def test_batch_that_does_not_fit_image_shape_at_the_call(raises, mode):
    images = T.ftensor4("images")
    out = T.nnet.conv2d(images, np.zeros((4, 1, 3, 3), "float32"), image_shape=(10, 1, 8, 8))
    f = function([images], out, mode=mode)
    assert f(np.zeros((10, 1, 8, 8), "float32")).shape == (10, 4, 6, 6)
    raises(
        ShapeError,
        "out = T.nnet.conv2d(",
        "argument `input`",
        "image_shape",
        "(10, 1, 8, 8)",
        "float32(7, 1, 8, 8)",
        call=lambda: f(np.zeros((7, 1, 8, 8), "float32")),
    )


@MODES
@pytest.mark.parametrize("label", [10, -11, 255])
def test_label_outside_of_the_classes(raises, mode, label):
    x, y = T.fmatrix("x"), T.ivector("y")
    p = T.nnet.softmax(x)
    cost = T.nnet.categorical_crossentropy(p, y).mean()  # labels
    f = function([x, y], [cost, grad(cost, x)], mode=mode)
    labels = [0, 1, 2, 9, label]
    raises(
        InputError,
        "labels",
        f"index {label}",
        "element 4",
        "expected: integers from -10 to 9",
        f"actual:   {label}",
        "classes count from 0",
        call=lambda: f(np.zeros((5, 10), "float32"), labels),
    )


def test_float_index(raises):
    p, y = T.fmatrix("p"), T.fvector("y")
    raises(
        DTypeError,
        None,
        "index of dimension 1",
        "an array of integers",
        "y of type float32(?)",
        "ivector",
        call=lambda: p[T.arange(y.shape[0]), y],
    )
    raises(
        DTypeError, None, "index of dimension 0", "an integer", "float32()", call=lambda: p[T.fscalar("i")]
    )
    raises(DTypeError, None, "index of dimension 0", "an integer", "0.5", call=lambda: p[0.5:])


def test_too_many_indices_and_steps_of_zero(raises):
    x = T.fmatrix("x")
    raises(ShapeError, None, "at most 2 indices", call=lambda: x[0, 0, 0])
    raises(ShapeError, None, "step", "other than 0", call=lambda: x[::0])
    k = T.TensorType("float32", (3,))("k")
    raises(ShapeError, "k[3]", "index 3 in dimension 0", "from -3 to 2", call=lambda: k[3])


@MODES
def test_integer_index_out_of_range_at_the_call(raises, mode):
    x, i = T.fvector("x"), T.lscalar("i")
    out = x[i]  # one element
    f = function([x, i], out, mode=mode)
    raises(GraphError, "one element", "index 5", call=lambda: f(np.zeros(5, "float32"), 5))


@pytest.mark.parametrize("rank", [2, 3])
def test_wrong_rank_to_conv2d(raises, rank):
    image = T.TensorType("float32", (None,) * rank)("image")
    raises(
        ShapeError,
        None,
        "argument `input`",
        "4 dimensions: (batch, channels, rows, columns)",
        "image of type float32",
        call=lambda: T.nnet.conv2d(image, T.ftensor4()),
    )
    raises(
        ShapeError,
        None,
        "argument `filters`",
        "(filters, channels, rows, columns)",
        call=lambda: T.nnet.conv2d(T.ftensor4(), image),
    )


def test_other_arguments_of_conv2d(raises):
    x, w = T.ftensor4("x"), T.ftensor4("w")
    raises(
        DTypeError,
        None,
        "argument `input`",
        "float32 or float64",
        call=lambda: T.nnet.conv2d(T.itensor4(), w),
    )
    for mode in ("same", -1, (1, 2, 3), ((1, 2), (3, -1))):
        raises(
            GraphError,
            None,
            "border_mode",
            repr(mode),
            call=lambda m=mode: T.nnet.conv2d(x, w, border_mode=m),
        )
    raises(ShapeError, None, "`subsample`", "at least 1", call=lambda: T.nnet.conv2d(x, w, subsample=(0, 1)))
    raises(
        ShapeError, None, "`filter_shape`", "4 entries", call=lambda: T.nnet.conv2d(x, w, filter_shape=(1, 2))
    )
    raises(
        DTypeError,
        None,
        "image_shape",
        "both",
        call=lambda: T.nnet.conv2d(x, w, input_shape=(1,) * 4, image_shape=(1,) * 4),
    )


def test_arguments_of_pool_2d(raises):
    x = T.ftensor4("x")
    pool = T.signal.pool.pool_2d
    raises(DTypeError, None, "`ws`", "nothing", call=lambda: pool(x))
    raises(DTypeError, None, "`ws` or `ds`", "both", call=lambda: pool(x, 2, ds=2))
    raises(DTypeError, None, "`mode`", "average_exc_pad", "'mean'", call=lambda: pool(x, 2, mode="mean"))
    raises(ShapeError, None, "`pad`", "ignore_border=True", call=lambda: pool(x, 2, pad=1))
    raises(
        ShapeError, None, "`pad`", "less than the window", call=lambda: pool(x, 2, pad=2, ignore_border=True)
    )
    raises(ShapeError, None, "two dimensions or more", call=lambda: pool(T.fvector(), 2))


def test_cost_that_is_no_scalar(raises):
    x = T.fvector("x")
    raises(
        ShapeError,
        None,
        "argument `cost`",
        "a scalar",
        "float32(?)",
        "cost.mean()",
        call=lambda: grad(x * 2, x),
    )


def test_disconnected_input(raises):
    x, w = T.fvector("x"), shared(np.zeros(3), "w")
    raises(
        DisconnectedInputError,
        None,
        "does not depend on w",
        "w of type float64(?)",
        "disconnected_inputs='ignore'",
        call=lambda: grad(x.sum(), w),
    )


def test_float64_update_of_a_float32_shared_variable(raises):
    w, rate = shared(np.zeros(3, "float32"), "w"), T.dscalar("rate")
    new = w - rate * w  # too wide
    raises(
        DTypeError,
        "too wide",
        "update of w",
        "expected: float32",
        "float64(?)",
        "cast the expression to float32",
        call=lambda: function([rate], updates=[(w, new)]),
    )


def test_update_of_another_rank(raises):
    w = shared(np.zeros(3, "float32"), "w")
    new = w.sum()  # flat
    raises(ShapeError, "flat", "update of w", "1 dimensions", call=lambda: function([], updates={w: new}))


def test_missing_and_unused_inputs(raises):
    x, y = T.fvector("x"), T.fvector("y")
    raises(
        MissingInputError,
        None,
        "depend on y, which is no input",
        "y of type float32(?)",
        "inputs [x]",
        "function([..., y]",
        call=lambda: function([x], x + y),
    )
    raises(
        UnusedInputError,
        None,
        "input y is not used",
        "on_unused_input='ignore'",
        call=lambda: function([x, y], x * 2),
    )


@MODES
def test_bias_that_does_not_broadcast(raises, mode):
    x, b = T.fmatrix("x"), T.fmatrix("b")
    out = x + b  # bias
    f = function([x, b], out, mode=mode)
    raises(
        ShapeError,
        "bias",
        "in dimension 0 b has 1, not 4",
        "only when it is 1 in the type",
        "float32(4, 3) and float32(1, 3)",
        "addbroadcast(x, 0)",
        call=lambda: f(np.zeros((4, 3), "float32"), np.zeros((1, 3), "float32")),
    )


def test_arithmetic_that_bools_and_floats_do_not_have(raises):
    yes, x = T.eq(T.fvector("x"), 1), T.fvector("x")
    raises(DTypeError, "yes - yes", "sub of bools", "numbers", "bool, bool", "x ^ y", call=lambda: yes - yes)
    raises(DTypeError, "-yes", "neg of bools", "write ~x", call=lambda: -yes)
    raises(DTypeError, "~x", "invert", "bools, or integers", "float32", call=lambda: ~x)
    signed, unsigned = T.lscalar(), T.TensorType("uint64", ())()
    raises(DTypeError, None, "and", "one integer dtype", "int64, uint64", call=lambda: signed & unsigned)
    raises(DTypeError, None, "`mode`", "'half_to_even'", "'up'", call=lambda: T.round(x, "up"))
    with pytest.raises(TypeError, match=r"clip takes 3 operand\(s\), 2 given"):
        T.clip(x, 1)


def test_extents_that_do_not_fit_while_building(raises):
    a, b = (T.TensorType("float32", (n,))() for n in (3, 4))
    raises(
        ShapeError,
        "a + b",
        "equal extents, or 1, in dimension 0",
        "float32(3) and float32(4)",
        call=lambda: a + b,
    )
    c, d = T.TensorType("float32", (2, 3))(), T.TensorType("float32", (4, 2))()
    raises(ShapeError, "T.dot(c, d)", "a second argument with 3 rows", "(x.T)", call=lambda: T.dot(c, d))
    raises(
        ShapeError, "c.reshape((4, -1))", "a multiple of 4", "which has 6", call=lambda: c.reshape((4, -1))
    )
    raises(ShapeError, "c.dimshuffle(0)", "axis 1 is dropped", call=lambda: c.dimshuffle(0))


@MODES
def test_reshape_that_changes_the_size_at_the_call(raises, mode):
    x = T.fmatrix("x")
    out = x.reshape((4, -1))  # reshaped
    raises(
        ShapeError,
        "reshaped",
        "a multiple of 4",
        "float32(3, 3), which has 9",
        call=lambda: function([x], out, mode=mode)(np.zeros((3, 3), "float32")),
    )


def test_a_constant_index_out_of_range_names_the_line(raises):
    x = T.as_tensor_variable(np.zeros((3, 2)))
    out = x[np.array([0, 5])]  # constant labels
    raises(InputError, "constant labels", "index 5", call=lambda: function([], out)())


def test_values_that_do_not_fit_their_input(raises):
    x, i = T.fmatrix("x"), T.ivector("i")
    f = function([x, i], [x * 2, i * 2], name="f")
    good = np.zeros((2, 2), "float32")
    raises(
        DTypeError,
        None,
        "argument 0",
        "input x",
        "values that float32 holds",
        "float64",
        ".astype('float32')",
        call=lambda: f(good.astype("float64"), [1]),
    )
    raises(ShapeError, None, "input x", "shape (any, any)", "shape (2,)", call=lambda: f(good[0], [1]))
    raises(DTypeError, None, "argument 1", "values that int32 holds", "float64", call=lambda: f(good, [1.5]))
    raises(DTypeError, None, "argument 1", "int64", call=lambda: f(good, [1 << 40]))
    raises(DTypeError, None, "argument 0", call=lambda: f("text", [1]))
    raises(ShapeError, None, "argument 1", call=lambda: f(good, [[1, 2], [3]]))


def test_arguments_of_functions(raises):
    x, y = T.fscalars("x", "y")
    f = function([x, y], x + y, name="f")
    for call, words in [
        (lambda: f(1), "missing: [y]"),
        (lambda: f(1, 2, 3), "takes 2 arguments, 3 given"),
        (lambda: f(1, 2, y=3), "'y': given twice"),
        (lambda: f(1, z=3), "'z': no input of that name"),
    ]:
        raises(TypeError, None, words, "<function f(x, y)>", call=call)


def test_arguments_of_function(raises):
    x, w = T.fscalar("x"), shared(np.float32(0), "w")
    raises(DTypeError, None, "input 0", "found by themselves", call=lambda: function([w], w * 2))
    raises(DTypeError, None, "input 0", call=lambda: function([3], x))
    raises(DTypeError, None, "each variable once", call=lambda: function([x, x], x))
    raises(DTypeError, None, "mode", "'fast'", call=lambda: function([x], x, mode="fast"))
    raises(
        DTypeError,
        None,
        "shared variables to update",
        "x",
        call=lambda: function([x], x, updates=[(x, x * 2)]),
    )
    raises(DTypeError, None, "two of w", call=lambda: function([x], x, updates=[(w, x), (w, x)]))
    raises(DTypeError, None, "pairs", call=lambda: function([x], x, updates=[w]))
    raises(ShapeError, None, "given for x", call=lambda: function([], x, givens={x: T.fvector()}))


def test_shared_values_that_do_not_fit(raises):
    w = shared(np.zeros((2, 2), "float32"), "w")
    raises(DTypeError, None, "set_value of w", "float64", call=lambda: w.set_value(np.zeros((2, 2))))
    raises(
        ShapeError,
        None,
        "set_value of w",
        "shape (any, any)",
        call=lambda: w.set_value(np.zeros(2, "float32")),
    )
    assert w.get_value().shape == (2, 2)
    raises(DTypeError, None, "the symbolic w", call=lambda: shared(w))
    raises(DTypeError, None, "an array, since strict=True", "list", call=lambda: shared([1.0], strict=True))


def test_parts_that_cannot_be_set(raises):
    x, y = T.fmatrix("x"), T.fvector("y")
    raises(
        DTypeError, None, "argument `x`", "an indexed array", "x", "set_subtensor(a[index], y)",
        call=lambda: T.set_subtensor(x, y),
    )  # fmt: skip
    raises(
        DTypeError, None, "argument `y`", "fits into int32", "float64", "cast(y, 'int32')",
        call=lambda: T.inc_subtensor(T.imatrix()[0], T.dvector()),
    )  # fmt: skip
    raises(DTypeError, None, "fits into int32", call=lambda: T.set_subtensor(T.ivector()[0], 0.5))
    raises(DTypeError, None, "fits into uint8", call=lambda: T.set_subtensor(x.astype("uint8")[0], 256))
    raises(ShapeError, None, "at most 1 dimensions", "float32(?, ?)", call=lambda: T.set_subtensor(x[0], x))
    with pytest.raises(TypeError, match=r"never changes: write y = set_subtensor\(x\[index\], value\)"):
        x[0] = y


@MODES
def test_a_value_that_does_not_fit_its_part(raises, mode):
    x, y = T.fmatrix("x"), T.fvector("y")
    out = T.set_subtensor(x[0], y)  # set here
    f = function([x, y], out, mode=mode)
    raises(
        ShapeError, "set here", "argument `y`", "float32(4)", "actual:   float32(1)",
        call=lambda: f(np.zeros((3, 4), "float32"), np.zeros(1, "float32")),
    )  # fmt: skip


@MODES
def test_index_arrays_and_masks_of_other_shapes(raises, mode):
    x, i, j = T.fmatrix("x"), T.ivector("i"), T.ivector("j")
    picked = x[i, j]  # picked here
    f = function([x, i, j], picked, mode=mode)
    raises(
        ShapeError, "picked here", "do not fit together", "int32(1), int32(3)",
        call=lambda: f(np.zeros((3, 4), "float32"), [0], [0, 1, 2]),
    )  # fmt: skip
    masked = x[x[0] > 0]  # masked here
    g = function([x], masked, mode=mode)
    raises(
        ShapeError, "masked here", "the mask", "(3)", "bool(4)", call=lambda: g(np.zeros((3, 4), "float32"))
    )


@MODES
def test_only_what_is_1_in_the_type_is_repeated(raises, mode):
    x, n = T.fmatrix("x"), T.lscalar("n")
    whole = T.broadcast_to(x, (n, 3))  # repeated here
    f = function([x, n], whole, mode=mode)
    raises(
        ShapeError, "repeated here", "1 in the type", "addbroadcast(x, 0)",
        call=lambda: f(np.zeros((1, 3), "float32"), 2),
    )  # fmt: skip


def test_wrong_axes_and_lists(raises):
    x, y = T.fmatrix("x"), T.fvector("y")
    raises(ShapeError, None, "join", "float32(?, ?), float32(?)", call=lambda: T.concatenate([x, y]))
    raises(ShapeError, None, "use stack", call=lambda: T.concatenate([x.sum(), y.sum()]))
    raises(DTypeError, None, "`tensor_list`", "[a, b]", call=lambda: T.concatenate(x, y))
    raises(ShapeError, None, "join: axis", "from -2 to 1", call=lambda: T.concatenate([x, x], 2))
    raises(DTypeError, None, "join: axis", "constant", call=lambda: T.concatenate([x, x], T.lscalar("k")))
    raises(ShapeError, None, "split", "2 sizes", call=lambda: T.split(x, [1, 2, 3], 2))
    raises(ShapeError, None, "dropped", call=lambda: T.squeeze(x, 0))
    raises(DTypeError, None, "take: mode", "'nearest'", call=lambda: x.take([0], mode="nearest"))
    with pytest.raises(TypeError, match="its length is not known"):
        list(x)
    assert len(x.shape) == 2


@MODES
def test_pieces_that_do_not_add_up(raises, mode):
    x = T.fvector("x")
    pieces = T.split(x, [2, 2], 2)  # pieces here
    f = function([x], pieces, mode=mode)
    raises(
        ShapeError, "pieces here", "splits_size", "(4)", "float32(5)", call=lambda: f(np.zeros(5, "float32"))
    )


def test_axes_that_are_not_there(raises):
    x, i = T.matrix("x"), T.iscalar("i")
    raises(ShapeError, None, "sum: axis", "different axes from -2 to 1", call=lambda: x.sum(2))
    raises(ShapeError, None, "max: axis", "different axes", "(0, -2)", call=lambda: x.max((0, -2)))
    raises(
        DTypeError, None, "argmin: axis", "that are known", "i, which is symbolic", call=lambda: x.argmin(i)
    )
    raises(DTypeError, None, "prod: axis", "integers", "1.5", call=lambda: x.prod([1.5]))
    raises(ShapeError, None, "sort: axis", "from -2 to 1", call=lambda: x.sort(3))
    raises(ShapeError, None, "softmax: axis", "from -2 to 1", call=lambda: T.nnet.softmax(x, axis=2))


@MODES
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_an_extremum_of_nothing(raises, mode, name):
    x = T.matrix("x")
    out = getattr(x, name)(1)  # of nothing
    f = function([x], out, mode=mode)
    raises(
        ShapeError,
        "of nothing",
        f"{name} over an axis without elements",
        "float64(2, 0)",
        call=lambda: f(np.zeros((2, 0))),
    )


@MODES
def test_sorting_and_counting(raises, mode):
    x, v, i = T.matrix("x"), T.vector("v"), T.lvector("i")
    raises(InputError, None, "diff: argument `n`", "-1", call=lambda: T.diff(x, -1))
    raises(
        InputError, None, "sort: arguments `kind`", "stable", "'bogo'", call=lambda: T.sort(x, kind="bogo")
    )
    raises(InputError, None, "topk: argument `kth`", "other than 0", call=lambda: T.topk(x, 0))
    largest = T.topk(x, 3, axis=0)  # three
    f = function([x], largest, mode=mode)
    raises(ShapeError, "# three", "argument `kth`", "(3, 4)", call=lambda: f(np.zeros((2, 4))))
    raises(DTypeError, None, "bincount", "a vector of integers", "float64(?)", call=lambda: T.bincount(v))
    raises(ShapeError, None, "searchsorted: argument `x`", "a vector", call=lambda: T.searchsorted(x, 1))
    raises(InputError, None, "`side`", "'left' or 'right'", "'up'", call=lambda: T.searchsorted(v, 1, "up"))
    counts = T.bincount(i)  # counts
    f = function([i], counts, mode=mode)
    raises(InputError, "# counts", "out of range", call=lambda: f(np.array([1, -1, 3])))


def test_losses_of_what_does_not_fit(raises):
    p, y, f = T.matrix("p"), T.lvector("y"), T.vector("f")
    loss, case = T.nnet.categorical_crossentropy, T.tensor3("case")
    raises(
        ShapeError,
        None,
        "categorical_crossentropy",
        "their classes",
        "float64(?, ?, ?)",
        call=lambda: loss(case, y),
    )
    raises(DTypeError, None, "the classes", "integers", "cast them", call=lambda: loss(p, f))
    raises(ShapeError, None, "softmax: argument `x`", "name the axis", call=lambda: T.nnet.softmax(case))
    raises(DTypeError, None, "logsoftmax", "cast it", call=lambda: T.nnet.logsoftmax(T.lmatrix()))
    raises(ShapeError, None, "confusion_matrix", "two vectors", call=lambda: T.nnet.confusion_matrix(p, y))
    raises(ShapeError, None, "cov", "vectors or matrices", call=lambda: T.cov(case))
    raises(DTypeError, None, "cov", "fweights", "None", call=lambda: T.cov(p, fweights=y))
