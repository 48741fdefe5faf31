"""Bilinear upsampling, as transposed convolutions with pyramids."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from arignote.engine.config import config
from arignote.engine.errors import DTypeError, ShapeError
from arignote.engine.graph import Constant, Variable, as_variable
from arignote.engine.ops.conv import ConvInputGradient
from arignote.engine.ops.shape import dimshuffle, extents, ones, product, reshape


def bilinear_kernel_1D(ratio: int, normalize: bool = True) -> Variable:  # noqa: N802  # Theano's name
    """Return the filter of linear interpolation (`abstract_conv.bilinear_kernel_1D`).

    Parameters
    ----------
    ratio : int
        By how much it upsamples.
    normalize : bool
        Whether its largest tap is 1, or the ratio.

    Returns
    -------
    vector
        Of ``2 * ratio - 1`` taps, in floatX.

    Raises
    ------
    ShapeError
        If the ratio is no number of at least 1.

    Examples
    --------
    >>> import arignote.compile
    >>> bilinear_kernel_1D(2).eval()
    array([0.5, 1. , 0.5])
    """
    (ratio,) = _ratios("bilinear_kernel_1D", (ratio,))
    return as_variable(_taps(ratio, normalize).astype(config.floatX))


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Variable:  # noqa: N802  # Theano's name
    """Return the filter of bilinear interpolation (`abstract_conv.bilinear_kernel_2D`).

    Parameters
    ----------
    ratio : int or (int, int)
        By how much it upsamples, in rows and columns.
    normalize : bool
        Whether its largest tap is 1, or the product of the ratios.

    Returns
    -------
    matrix
        In floatX.

    Raises
    ------
    ShapeError
        If a ratio is no number of at least 1.

    Examples
    --------
    >>> import arignote.compile
    >>> bilinear_kernel_2D((1, 2)).eval()
    array([[0.5, 1. , 0.5]])
    """
    rows, columns = _ratios("bilinear_kernel_2D", ratio if isinstance(ratio, tuple) else (ratio, ratio))
    return as_variable(np.outer(_taps(rows, normalize), _taps(columns, normalize)).astype(config.floatX))


def bilinear_upsampling(
    input: Any,
    ratio: Any = None,
    frac_ratio: Any = None,
    batch_size: int | None = None,
    num_input_channels: int | None = None,
    use_1D_kernel: bool = True,
) -> Variable:
    """Enlarge images by bilinear interpolation (`abstract_conv.bilinear_upsampling`).

    Parameters
    ----------
    input : tensor4
        Images, (batch, channels, rows, columns), float32 or float64.
    ratio : int or (int, int)
        By how much rows and columns become more.
    frac_ratio : (int, int) or ((int, int), (int, int))
        Instead of `ratio`: numerator and denominator, for both axes or for each.
    batch_size, num_input_channels : int, optional
        Not needed: Theano chose implementations by them.
    use_1D_kernel : bool
        Whether rows and columns are interpolated one after the other, or together; the result is the same.

    Returns
    -------
    tensor4
        (batch, channels, rows * ratio, columns * ratio); for fractions, every denominator-th row and
        column of what the numerators give.

    Raises
    ------
    ShapeError, DTypeError
        If `input` is no tensor4 of floats, or not one of `ratio` and `frac_ratio` is given.

    Notes
    -----
    The definition is Theano 1.0's: row i of the image is row ``i * ratio + (ratio - 1) // 2`` of the result,
    rows between two are interpolated, and rows beyond the first and last are like these. So an even ratio
    repeats the last row once more than the first.

    Examples
    --------
    >>> import arignote.compile
    >>> bilinear_upsampling([[[[1.0, 2.0, 4.0]]]], ratio=2).eval()[0, 0]
    array([[1. , 1.5, 2. , 3. , 4. , 4. ],
           [1. , 1.5, 2. , 3. , 4. , 4. ]])
    """
    name, images = "bilinear_upsampling", as_variable(input)
    if images.ndim != 4 or not images.type.is_float:
        raise ShapeError(
            f"{name}: argument `input`",
            expected="4 dimensions, floating: (batch, channels, rows, columns)",
            actual=f"{images!r} of type {images.type}",
        )
    if (ratio is None) == (frac_ratio is None):
        raise DTypeError(
            f"{name}: arguments `ratio` and `frac_ratio`",
            expected="one of them",
            actual="neither" if ratio is None else "both",
        )
    if frac_ratio is None:
        up, down = _ratios(name, ratio if isinstance(ratio, tuple) else (ratio, ratio)), [1, 1]
    else:
        pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio, frac_ratio)
        fractions = [Fraction(*_ratios(name, pair)) for pair in pairs]
        up = tuple(fraction.numerator for fraction in fractions)
        down = [fraction.denominator for fraction in fractions]
    n, c, rows, columns = extents(images)
    planes = reshape(images, (product([n, c]), 1, rows, columns))
    if use_1D_kernel:
        larger = _interpolated(_interpolated(planes, (up[0], 1)), (1, up[1]))
    else:
        larger = _interpolated(planes, up)
    result = reshape(larger, (n, c, *extents(larger)[2:]))
    return result if down == [1, 1] else result[:, :, :: down[0], :: down[1]]


def _interpolated(planes: Variable, ratio: tuple[int, ...]) -> Variable:
    """Return planes (n, 1, h, w), each interpolated.

    A transposed convolution with a pyramid interpolates between zeros around the image. Divided by what it
    makes of ones, that is what it makes of an image whose border goes on.
    """
    kernel = np.outer(*(_taps(each, True) for each in ratio)).astype(planes.dtype)
    padding = tuple((each - 1 - (each - 1) // 2, each - 1) for each in ratio)
    transpose = ConvInputGradient(padding, ratio, (1, 1), True)
    filters = dimshuffle(Constant(kernel), "x", "x", 0, 1)
    image = extents(planes)[2:]
    larger = [extent * each for extent, each in zip(image, ratio, strict=True)]
    weights = transpose(filters, ones((1, 1, *image), planes.dtype), *larger)
    return transpose(filters, planes, *larger) / weights


def _taps(ratio: int, normalize: bool) -> np.ndarray:
    rising = np.arange(1.0, ratio + 1)
    return np.concatenate([rising, rising[-2::-1]]) / (ratio if normalize else 1)


def _ratios(name: str, values: Any) -> tuple[int, ...]:
    numbers = [value.value if isinstance(value, Constant) else value for value in values]
    if any(isinstance(number, Variable) or int(number) != number or number < 1 for number in numbers):
        raise ShapeError(f"{name}: argument `ratio`", expected="numbers of at least 1", actual=repr(values))
    return tuple(int(number) for number in numbers)
