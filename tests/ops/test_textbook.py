"""Numbers that textbooks and lecture notes on convolutional networks work out by hand."""

import numpy as np

from arignote import tensor as T


def test_binary_image_under_a_three_by_three_filter():
    # Image and filter of the Stanford UFLDL tutorial's animation.
    image = np.array(
        [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]], "float32"
    )
    taps = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], "float32")
    result = T.nnet.conv2d(image[None, None], taps[None, None]).eval()
    np.testing.assert_array_equal(result[0, 0], [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


def test_ten_filters_on_a_colour_image():
    images, filters = np.ones((1, 3, 32, 32), "float32"), np.ones((10, 3, 5, 5), "float32")
    biases = np.ones(10, "float32")
    maps = T.nnet.conv2d(images, filters) + T.as_tensor_variable(biases).dimshuffle("x", 0, "x", "x")
    assert maps.eval().shape == (1, 10, 28, 28)
    assert (maps.eval() == 3 * 5 * 5 + 1).all()
    assert filters.size + biases.size == 760


def test_padding_by_one_and_stride_two():
    # The shapes of the CS231n notes' demo.
    images, filters = np.ones((1, 3, 5, 5), "float32"), np.ones((2, 3, 3, 3), "float32")
    maps = T.nnet.conv2d(images, filters, border_mode=1, subsample=(2, 2)).eval()
    corner, edge, middle = 3 * 4, 3 * 6, 3 * 9  # taps that lie inside of the image
    expected = [[corner, edge, corner], [edge, middle, edge], [corner, edge, corner]]
    np.testing.assert_array_equal(maps, [[expected, expected]])


def test_max_pooling_of_a_four_by_four_image():
    image = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], "float32")
    pooled = T.signal.pool.pool_2d(image, ws=(2, 2), ignore_border=True).eval()
    np.testing.assert_array_equal(pooled, [[6, 8], [3, 4]])


def test_theanos_convolution_turns_the_filter():
    image, taps = np.arange(9, dtype="float32").reshape(1, 1, 3, 3), np.array([[[[1, 2], [3, 4]]]], "float32")
    assert T.nnet.conv2d(image, taps).eval()[0, 0, 0, 0] == 4 * 0 + 3 * 1 + 2 * 3 + 1 * 4
    assert T.nnet.conv2d(image, taps, filter_flip=False).eval()[0, 0, 0, 0] == 1 * 0 + 2 * 1 + 3 * 3 + 4 * 4
