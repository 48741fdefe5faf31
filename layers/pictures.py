"""Pictures of training: the learning curve and the filters of a convolution, as PNG files."""

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
        ``"training_accuracy"`` (likewise). Numbers that are not finite leave a gap.
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
    columns = {
        name: np.asarray(history[name], float) for name in (*needed, "training_accuracy") if name in history
    }
    lengths = {name: len(column) for name, column in columns.items()}
    if not set(needed) <= lengths.keys() or len(set(lengths.values())) > 1 or lengths["epoch"] == 0:
        raise ValueError(f"history needs {', '.join(needed)}, of one length and not empty; it has {lengths}")

    figure = Figure(figsize=(7, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    epoch = columns["epoch"]
    above.plot(epoch, columns["training_loss"], ".-", color=_TRAINING, label="training")
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
