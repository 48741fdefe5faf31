"""What a user reads after a mistake with a convolution, a pooling, patches or a normalisation."""

import numpy as np
import pytest

from arignote import function
from arignote import tensor as T
from arignote.engine.errors import DTypeError, ShapeError

nnet, pool, neighbours, bn = T.nnet, T.signal.pool, T.nnet.neighbours, T.nnet.bn


def variable(*shape, dtype="float32"):
    return T.TensorType(dtype, shape)()


X, W = variable(2, 6, 8, 9), variable(4, 6, 3, 3)
MISTAKES = {
    "channels of a group": (
        lambda: nnet.conv2d(X, W, num_groups=2),
        ShapeError,
        ("number of channels", "(filters, 3, rows, columns), in 2 groups", "float32(4, 6, 3, 3)"),
    ),
    "groups that do not divide the channels": (
        lambda: nnet.conv2d(X, variable(4, 1, 3, 3), num_groups=4),
        ShapeError,
        ("`num_groups`", "a multiple of 4", "6 channels", "divisors of 6"),
    ),
    "groups that do not divide the filters": (
        lambda: nnet.conv2d(X, variable(4, 2, 3, 3), num_groups=3),
        ShapeError,
        ("`num_groups`", "a multiple of 3", "4 filters", "divisors of 4"),
    ),
    "no group": (lambda: nnet.conv2d(X, W, num_groups=0), ShapeError, ("`num_groups`", "at least 1", "0")),
    "a word for a border": (
        lambda: nnet.conv2d(X, W, border_mode="same"),
        ShapeError,
        ("`border_mode`", "'valid', 'full', 'half'", "'same'"),
    ),
    "a border of three numbers": (
        lambda: nnet.conv2d(X, W, border_mode=(1, 2, 3)),
        ShapeError,
        ("`border_mode`", "(rows, columns)", "(1, 2, 3)"),
    ),
    "a filter larger than the image": (
        lambda: nnet.conv3d(variable(1, 1, 2, 8, 8), variable(1, 1, 3, 3, 3)),
        ShapeError,
        ("conv3d: the filter's planes", "1 to 2 (image 2", "actual:   3", "border_mode='half'"),
    ),
    "images without channels": (
        lambda: nnet.conv3d(variable(4, 8, 8, 8), variable(1, 1, 3, 3, 3)),
        ShapeError,
        ("conv3d: argument `input`", "(batch, channels, planes, rows, columns)", "dimshuffle"),
    ),
    "shared filters where unshared are wanted": (
        lambda: nnet.conv2d(X, W, unshared=True),
        ShapeError,
        ("`filters`", "6 dimensions", "output rows, output columns"),
    ),
    "unshared filters for other places": (
        lambda: nnet.conv2d(X, variable(4, 5, 7, 6, 3, 3), unshared=True),
        ShapeError,
        ("other places", "(filters, 6, 7, channels, rows, columns)", "float32(4, 5, 7, 6, 3, 3)"),
    ),
    "a gradient of another shape": (
        lambda: nnet.conv2d_transpose(variable(2, 4, 5, 5), variable(4, 3, 3, 3), (2, 3, 8, 8)),
        ShapeError,
        ("the gradient does not have the maps' shape", "(batch, 4, 6, 6)", "float32(2, 4, 5, 5)"),
    ),
    "an output shape without extents": (
        lambda: nnet.conv2d_transpose(X, variable(6, 3, 3, 3), (8, 8)),
        ShapeError,
        ("`input_shape`", "4 entries", "(8, 8)"),
    ),
    "a causal filter of unknown length": (
        lambda: nnet.causal_conv1d(variable(2, 3, 9), variable(4, 3, None)),
        ShapeError,
        ("causal_conv1d", "filter_shape=(None, None, length)"),
    ),
    "a word for a pooling": (
        lambda: pool.pool_3d(variable(4, 4, 4), 2, mode="mean"),
        DTypeError,
        ("pool_3d: argument `mode`", "max, sum, average_inc_pad, average_exc_pad", "'mean'"),
    ),
    "padding as wide as the window": (
        lambda: pool.pool_2d(X, 2, True, pad=(0, 2)),
        ShapeError,
        ("`pad`", "less than the window (2, 2)", "(0, 2)"),
    ),
    "padding of clipped windows": (
        lambda: pool.pool_2d(X, 3, pad=1),
        ShapeError,
        ("`pad`", "ignore_border=True", "(1, 1)"),
    ),
    "a window of three numbers": (
        lambda: pool.pool_2d(X, (2, 2, 2)),
        ShapeError,
        ("`ws`", "two numbers of at least 1", "(2, 2, 2)"),
    ),
    "an average of integers": (
        lambda: pool.pool_2d(variable(2, 6, 6, dtype="int32"), 2, mode="sum"),
        DTypeError,
        ("`input`", "float32 or float64", "int32(2, 6, 6)", "cast"),
    ),
    "values of another rank to unpool": (
        lambda: pool.max_unpool_2d(variable(3, 4), X, 2),
        DTypeError,
        ("`values`", "4 dimensions", "float32(3, 4)"),
    ),
    "values of another shape to unpool": (
        lambda: pool.max_unpool_2d(variable(2, 6, 4, 3), X, 2),
        ShapeError,
        ("max-unpooling", "(2, 6, 4, 5)", "float32(2, 6, 4, 3)"),
    ),
    "patches that do not fill the image": (
        lambda: neighbours.images2neibs(X, (3, 3)),
        ShapeError,
        ("rows", "at least 3 rows, and a multiple of 3 more", "8 rows (patch 3, step 3", "ignore_borders"),
    ),
    "a word for the patches": (
        lambda: neighbours.images2neibs(X, (2, 3), mode="same"),
        DTypeError,
        ("`mode`", "wrap_centered", "'same'"),
    ),
    "even patches with a centre": (
        lambda: neighbours.images2neibs(X, (2, 3), mode="wrap_centered"),
        ShapeError,
        ("`neib_shape`", "odd extents", "(2, 3)"),
    ),
    "patches of other images": (
        lambda: neighbours.neibs2images(variable(7, 4), (2, 2), (1, 1, 4, 4)),
        ShapeError,
        ("not those of images of this shape", "(4, 4)", "float32(7, 4)"),
    ),
    "statistics along no axis": (
        lambda: bn.batch_normalization_train(X, variable(6), variable(6), axes="channels"),
        DTypeError,
        ("`axes`", "'per-activation', 'spatial'", "'channels'"),
    ),
    "parameters of another rank": (
        lambda: bn.batch_normalization_train(X, variable(6), variable(1, 6), axes="spatial"),
        ShapeError,
        ("`beta`", "1 dimensions", "float32(1, 6)"),
    ),
    "one running statistic": (
        lambda: bn.batch_normalization_train(
            X, variable(6), variable(6), "spatial", running_mean=variable(6)
        ),
        DTypeError,
        ("running statistics", "both running_mean and running_var"),
    ),
    "no epsilon": (
        lambda: bn.batch_normalization_test(X, *[variable(6)] * 4, "spatial", epsilon=0),
        DTypeError,
        ("`epsilon`", "at least 1e-05", "0"),
    ),
    "an even number of neighbouring channels": (
        lambda: nnet.local_response_normalization(X, n=4),
        ShapeError,
        ("`n`", "an odd number", "4"),
    ),
    "no ratio": (
        lambda: nnet.abstract_conv.bilinear_upsampling(X),
        DTypeError,
        ("`ratio` and `frac_ratio`", "one of them", "neither"),
    ),
    "a symbolic ratio": (
        lambda: nnet.abstract_conv.bilinear_upsampling(X, T.iscalar("ratio")),
        ShapeError,
        ("`ratio`", "numbers of at least 1", "ratio"),
    ),
    "images with channels to signal.conv2d": (
        lambda: T.signal.conv.conv2d(X, W),
        ShapeError,
        ("signal.conv2d: argument `input`", "2 or 3 dimensions", "nnet.conv2d"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name):
    call, error, words = MISTAKES[name]
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize("mode", ["compiled", "reference"])
def test_groups_that_do_not_divide_at_the_call(mode):
    x, w = T.ftensor4("x"), T.ftensor4("w")
    f = function([x, w], nnet.conv2d(x, w, num_groups=2), mode=mode)
    with pytest.raises(ShapeError, match="a multiple of 2"):
        f(np.zeros((1, 3, 5, 5), "float32"), np.zeros((2, 1, 3, 3), "float32"))
