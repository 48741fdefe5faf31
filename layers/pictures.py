"""Pictures of training: learning curve, filters of a convolution, confusion of classes, as PNG files."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.layers.data.datafiles import StrPath
from arignote.layers.files import replacing

if TYPE_CHECKING:  # matplotlib is imported when a picture is drawn: most programs draw none
    from matplotlib.figure import Figure

_VALIDATION, _TRAINING = "#c2410c", "#1d4ed8"


def draw_learning_curve(history: Mapping[str, Sequence[float]], path: StrPath) -> None:
    """Draw how loss and accuracy went from epoch to epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One number an epoch under each of ``"epoch"``, ``"training_loss"`` (the mean cost of an example),
        ``"validation_accuracy"`` (the share of examples classified right, 0 to 1) and, if it was measured,
        ``"training_accuracy"`` (likewise) and ``"validation_loss"``: such as `Trainer.fit` returns. Numbers
        that are not finite leave a gap.
    path : path
        The PNG file to write. A file that is there is replaced when the picture is complete.

    Raises
    ------
    ValueError
        If a list is missing, of another length than ``"epoch"``, or empty.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> history = {"epoch": [1, 2], "training_loss": [0.5, 0.2], "validation_accuracy": [0.91, 0.95]}
    >>> path = Path(tempfile.mkdtemp()) / "curve.png"
    >>> draw_learning_curve(history, path)
    >>> path.exists()
    True
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    needed = ("epoch", "training_loss", "validation_accuracy")
    drawn = (*needed, "training_accuracy", "validation_loss")
    columns = {name: np.asarray(history[name], float) for name in drawn if name in history}
    lengths = {name: len(column) for name, column in columns.items()}
    if not set(needed) <= lengths.keys() or len(set(lengths.values())) > 1 or lengths["epoch"] == 0:
        raise ValueError(f"history needs {', '.join(needed)}, of one length and not empty; it has {lengths}")

    figure = Figure(figsize=(7, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    epoch = columns["epoch"]
    above.plot(epoch, columns["training_loss"], ".-", color=_TRAINING, label="training")
    if "validation_loss" in columns:
        above.plot(epoch, columns["validation_loss"], ".-", color=_VALIDATION, label="validation")
    above.set_ylabel("loss (mean cost of an example)")
    if "training_accuracy" in columns:
        below.plot(epoch, 100 * columns["training_accuracy"], ".-", color=_TRAINING, label="training")
    validation = 100 * columns["validation_accuracy"]
    label = "validation"
    if np.isfinite(validation).any():
        best = int(np.nanargmax(validation))
        label += f" (best {validation[best]:.2f} % in epoch {epoch[best]:g})"
        below.plot(epoch[best], validation[best], "o", color=_VALIDATION, markersize=9, fillstyle="none")
    below.plot(epoch, validation, ".-", color=_VALIDATION, label=label)
    below.set_ylabel("accuracy (%)")
    below.set_xlabel("epoch")
    below.set_xlim(epoch.min() - 0.5, epoch.max() + 0.5)
    below.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axes in (above, below):
        axes.grid(color="0.9")
        axes.legend(frameon=False)
    _write(figure, path)


def draw_filters(filters: ArrayLike, path: StrPath) -> None:
    """Draw the filters of a convolution, side by side.

    Filters of three channels are drawn in colour, as red, green and blue. Of any other number of channels
    the first is drawn, from blue (negative) over white (zero) to red (positive).

    Parameters
    ----------
    filters : array_like, shape (filters, channels, rows, columns)
        The weights.
    path : path
        The PNG file to write. A file that is there is replaced when the picture is complete.

    Raises
    ------
    ValueError
        If the array has another number of dimensions, is empty, or holds a number that is not finite.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "filters.png"
    >>> draw_filters(np.random.default_rng(0).normal(size=(20, 1, 5, 5)), path)
    >>> path.exists()
    True
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    weights = np.asarray(filters, float)
    if weights.ndim != 4 or weights.size == 0 or not np.isfinite(weights).all():
        raise ValueError(
            "filters must be an array (filters, channels, rows, columns) of finite numbers, and not empty; "
            f"the shape is {weights.shape}"
        )
    count, channels, rows, columns = weights.shape
    in_colour = channels == 3
    shown = weights if in_colour else weights[:, :1]
    limit = np.abs(shown).max() or 1.0
    share = 0.5 + shown / (2 * limit)  # from 0 to 1, and 0.5 for a weight of zero
    diverging = colormaps["RdBu_r"]
    colours = share.transpose(0, 2, 3, 1) if in_colour else diverging(share[:, 0])[..., :3]

    across = min(count, math.ceil(math.sqrt(1.4 * count * rows / columns)))  # a little wider than high
    down = math.ceil(count / across)
    mosaic = _mosaic(colours, down, across)
    height, width = mosaic.shape[:2]
    inches = 7 / max(height, width)
    figure = Figure(figsize=(width * inches + 2, max(height * inches, 1.5) + 1.2), layout="constrained")
    axes = figure.subplots()
    # One unit of the axes is one filter, so that the ticks can count filters.
    axes.imshow(mosaic, extent=(-0.5, across - 0.5, down - 0.5, -0.5), interpolation="nearest")
    axes.set_aspect((height / down) / (width / across))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(lambda column, _: f"+{column:.0f}")
    axes.yaxis.set_major_formatter(lambda row, _: f"{row * across:.0f}")
    axes.set_xlabel("number of the filter: row + column")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if in_colour:
        axes.set_title(f"weights in red, green and blue: {-limit:.2g} dark, {limit:.2g} bright", fontsize=11)
    else:
        axes.set_title(f"weights of channel 0 of {channels}" if channels > 1 else "weights", fontsize=11)
        figure.colorbar(ScalarMappable(Normalize(-limit, limit), diverging), ax=axes, label="weight")
    _write(figure, path)


def draw_confusion_matrix(matrix: ArrayLike, path: StrPath, classes: Sequence[str] | None = None) -> None:
    """Draw how often each class was taken for each other.

    The colour is the share of the examples of a class, so that classes of few examples are seen as well; the
    numbers, written for up to 20 classes, are counts.

    Parameters
    ----------
    matrix : array_like of int, shape (classes, classes)
        See `arignote.layers.confusion_matrix`: a row for each class, a column for what it was taken for.
    path : path
        The PNG file to write. A file that is there is replaced when the picture is complete.
    classes : sequence of str, optional
        Their names; by default their numbers.

    Raises
    ------
    ValueError
        If the matrix is not square, is empty, or holds a number below 0, or there are more or fewer names.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "confusion.png"
    >>> draw_confusion_matrix([[8, 2], [1, 9]], path, ["cat", "dog"])
    >>> path.exists()
    True
    """
    from matplotlib.figure import Figure

    counts = np.asarray(matrix)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1] and counts.size > 0
    if not square or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError(
            "matrix must be an array (classes, classes) of integers of at least 0, and not empty; it is of "
            f"shape {counts.shape} and dtype {counts.dtype}"
        )
    names = [str(number) for number in range(len(counts))] if classes is None else list(classes)
    if len(names) != len(counts):
        raise ValueError(
            f"classes must be {len(counts)} names, one for each row of the matrix; {len(names)} came"
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    side = min(max(0.55 * len(counts), 3), 12)
    figure = Figure(figsize=(side + 2.5, side + 1.2), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(0, len(counts), -(-len(counts) // 50))  # of more classes, some are named
    axes.set_xticks(
        places, [names[place] for place in places], rotation=90 if max(map(len, names)) > 3 else 0
    )
    axes.set_yticks(places, [names[place] for place in places])
    if len(counts) <= 20:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "0.25"
            if count:
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    axes.tick_params(length=0)
    figure.colorbar(shown, ax=axes, label="share of the class")
    _write(figure, path)


def _mosaic(tiles: NDArray[np.float64], down: int, across: int) -> NDArray[np.float64]:
    """Lay tiles of shape (n, rows, columns, 3) out in `down` rows of `across`, each in a thin frame."""
    enlarge = math.ceil(40 / max(tiles.shape[1:3]))  # so that frame and gap are finer than a weight
    tiles = tiles.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    for thickness, grey in ((1, 0.6), (2, 1.0)):
        around = (thickness, thickness)
        tiles = np.pad(tiles, ((0, 0), around, around, (0, 0)), constant_values=grey)
    count, height, width, _ = tiles.shape
    places = np.ones((down * across, height, width, 3))
    places[:count] = tiles
    mosaic = places.reshape(down, across, height, width, 3).swapaxes(1, 2)
    return mosaic.reshape(down * height, across * width, 3)


def _write(figure: "Figure", path: StrPath) -> None:
    """Write the picture beside its place and move it there, so that nobody meets half a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with replacing(path) as unfinished:
        FigureCanvasAgg(figure).print_figure(unfinished, format="png", dpi=150)
