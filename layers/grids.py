"""Arrays as pictures, which Jupyter shows by themselves: grids of numbers, and images."""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:  # matplotlib is imported when a picture is drawn: most programs draw none
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Where a window lies: its first row and column, and how many it has.
Window = tuple[int, int, int, int]

#: More cells than this in a row or column, and the numbers are too small to read.
_MOST_CELLS = 32
#: Characters of a text that lists images.
_LONGEST_TEXT = 90
#: Inches of a page.
_WIDTH = 9.0
_WINDOWS = ("#b91c1c", "#15803d", "#7e22ce", "#a16207")


class Picture:
    """A figure that Jupyter shows by itself, with a text for those who cannot see it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It can be changed, or saved with ``picture.figure.savefig("file.png")``.
    text : str
        What there is to see.
    """

    #: Points of the file for each one that Jupyter lays out: fine on dense screens.
    _DENSITY = 2

    def __init__(self, figure: "Figure", text: str) -> None:
        self.figure, self.text = figure, text

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        drawn, file = io.BytesIO(), io.BytesIO()
        FigureCanvasAgg(self.figure).print_figure(drawn, format="png", dpi=72 * self._DENSITY)
        # Of 256 colours: a third of the size, and nobody sees it.
        image = Image.open(drawn).convert("RGB").quantize(256)
        image.save(file, format="png", optimize=True)
        width, height = (pixels / self._DENSITY for pixels in image.size)
        return file.getvalue(), {"width": width, "height": height, "alt": self.text}

    def __repr__(self) -> str:
        return f"<picture: {self.text}>"


def draw_grids(
    grids: Mapping[str, ArrayLike] | ArrayLike,
    windows: Mapping[str, Window | Sequence[Window]] | None = None,
) -> Picture:
    """Draw small matrices side by side, with the number in each cell.

    Cells are coloured from blue (negative) over white (zero) to red (positive), each matrix up to its own
    largest magnitude. NaN leaves a cell empty.

    Parameters
    ----------
    grids : mapping of str to array_like, shape (rows, columns), or one such array
        The matrices, by their titles. Each has at most 32 rows and columns.
    windows : mapping of str to (row, column, rows, columns) or a list of these, optional
        What to frame in the grids of these titles: the first row and column of a window, and how many it has.
        The second window of each list has the second colour.

    Returns
    -------
    Picture
        Its `figure` is a matplotlib figure.

    Raises
    ------
    ValueError
        If an array is no matrix, empty or too large, or a window belongs to no grid.

    Examples
    --------
    >>> draw_grids({"image": np.eye(5), "filter": [[1, -1]]}, windows={"image": (0, 0, 1, 2)})
    <picture: grids of numbers: image (5 x 5), filter (1 x 2)>
    """
    from matplotlib.figure import Figure

    named = {title: np.asarray(grid, float) for title, grid in _named(grids, 2).items()}
    for title, grid in named.items():
        if grid.ndim != 2 or grid.size == 0 or max(grid.shape) > _MOST_CELLS:
            raise ValueError(
                f"grids: {title!r} must be a matrix of 1 to {_MOST_CELLS} rows and columns; "
                f"its shape is {grid.shape}; `draw_images` draws larger ones"
            )
    framed = dict(windows or {})
    if unknown := framed.keys() - named.keys():
        raise ValueError(f"windows: there is no grid {sorted(unknown)[0]!r}, only {', '.join(named)}")

    # Laid out by hand, because all cells shall be of one size: widths and heights are counted in inches.
    title_widths = [0.1 * len(title) for title in named]
    gaps, above = 0.25 * (len(named) + 1), 0.4 if any(named) else 0.05
    cell = min(0.45, (_WIDTH - gaps) / sum(grid.shape[1] for grid in named.values()))
    widths = [
        max(cell * grid.shape[1], title) for grid, title in zip(named.values(), title_widths, strict=True)
    ]
    tallest = cell * max(grid.shape[0] for grid in named.values())
    width, height = sum(widths) + gaps, tallest + above + 0.05
    figure = Figure(figsize=(width, height))
    left = 0.25
    for (title, grid), room in zip(named.items(), widths, strict=True):
        rows, columns = cell * grid.shape[0], cell * grid.shape[1]
        x, y = left + (room - columns) / 2, 0.05 + (tallest - rows) / 2
        axes = figure.add_axes((x / width, y / height, columns / width, rows / height))
        _draw_grid(axes, grid, points=72 * cell)
        axes.set_title(title, fontsize=12)
        for number, window in enumerate(_as_list(framed.get(title, []))):
            _frame(axes, window, _WINDOWS[number % len(_WINDOWS)])
        left += room + 0.25
    return Picture(figure, "grids of numbers: " + _list_of(named))


def draw_images(
    images: Mapping[str, ArrayLike] | ArrayLike,
    columns: int | None = None,
    signed: bool = False,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Draw images side by side.

    Parameters
    ----------
    images : mapping of str to array_like, or array_like
        Images by their titles, each of shape (rows, columns), or (rows, columns, 3) for red, green and blue
        from 0 to 1 (or 0 to 255, if they are whole numbers). An array of shape (images, rows, columns) draws
        each under its number, a matrix is one image.
    columns : int, optional
        How many a row has room for. By default up to five.
    signed : bool
        Whether zero is white, what is negative blue, and what is positive red, as in `draw_grids`. By default
        images go from black to white.
    limits : (float, float), optional
        What is black and what is white. By default the least and the greatest number of each image; if
        `signed`, minus and plus the greatest magnitude in any of them.

    Returns
    -------
    Picture
        Its `figure` is a matplotlib figure.

    Raises
    ------
    ValueError
        If there is no image, or an array is none.

    Examples
    --------
    >>> draw_images({"before": np.eye(28), "after": np.ones((24, 24))})
    <picture: images: before (28 x 28), after (24 x 24)>
    >>> draw_images(np.zeros((20, 5, 5)), columns=10, signed=True)
    <picture: images: 20 of 5 x 5>
    """
    from matplotlib.figure import Figure

    named = {title: np.asarray(image) for title, image in _named(images, 3).items()}
    for title, image in named.items():
        if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            raise ValueError(
                f"images: {title!r} must be (rows, columns) or (rows, columns, 3), and not empty; "
                f"its shape is {image.shape}"
            )
    if signed and limits is None:
        greatest = max(float(np.abs(image).max()) for image in named.values()) or 1.0
        limits = (-greatest, greatest)
    low, high = limits or (None, None)

    across = min(columns or 5, len(named))
    down = math.ceil(len(named) / across)
    side = min(_WIDTH / (columns or across), 3.2)
    tallest = max(min(image.shape[0] / image.shape[1], 2.0) for image in named.values())
    has_titles = isinstance(images, Mapping)
    figure = Figure(
        figsize=(side * across, down * (side * tallest + (0.35 if has_titles else 0.0))), layout="constrained"
    )
    all_axes = figure.subplots(down, across, squeeze=False).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for axes, (title, image) in zip(all_axes, named.items(), strict=False):
        colours = "RdBu_r" if signed else "gray"
        axes.imshow(image, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        if has_titles:
            axes.set_title(title, fontsize=12)
    if has_titles or len(named) == 1:
        return Picture(figure, "images: " + _list_of(named))
    rows, columns = next(iter(named.values())).shape[:2]
    return Picture(figure, f"images: {len(named)} of {rows} x {columns}")


def _named(arrays: Mapping[str, ArrayLike] | ArrayLike, most_axes: int) -> dict[str, ArrayLike]:
    """Return arrays by their titles; of an array of three axes, each of its matrices by its number."""
    if isinstance(arrays, Mapping):
        if not arrays:
            raise ValueError("there is nothing to draw: give at least one array")
        return dict(arrays)
    array = np.asarray(arrays)
    if array.ndim == most_axes == 3 and len(array):
        return {str(number): each for number, each in enumerate(array)}
    return {"": array}


def _as_list(windows: Window | Sequence[Window]) -> Sequence[Window]:
    return [windows] if windows and isinstance(windows[0], int) else windows  # type: ignore[list-item, return-value]


def _draw_grid(axes: "Axes", grid: NDArray[np.float64], points: float) -> None:
    """Draw one matrix in cells of so many points."""
    rows, columns = grid.shape
    finite = np.isfinite(grid)
    greatest = np.abs(grid[finite]).max(initial=0.0) or 1.0
    # Half of the colours' range is pale enough for black numbers.
    axes.imshow(np.where(finite, grid, np.nan), cmap="RdBu_r", vmin=-2 * greatest, vmax=2 * greatest)
    texts = {
        place: f"{grid[place]:.3g}".replace("-", "\N{MINUS SIGN}") for place in np.ndindex(rows, columns)
    }
    longest = max(len(text) for text in texts.values())
    size = min(0.42 * points, 1.35 * points / longest)
    for (row, column), text in texts.items():
        if not np.isnan(grid[row, column]):
            axes.text(column, row, text, ha="center", va="center", fontsize=size)
    axes.set_xticks(np.arange(columns + 1) - 0.5, labels=[])
    axes.set_yticks(np.arange(rows + 1) - 0.5, labels=[])
    axes.grid(color="0.6", linewidth=0.8)
    axes.tick_params(length=0)
    axes.spines[:].set_color("0.4")


def _frame(axes: "Axes", window: Window, colour: str) -> None:
    from matplotlib.patches import Rectangle

    row, column, rows, columns = window
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(
        Rectangle(corner, columns, rows, fill=False, edgecolor=colour, linewidth=2.5, clip_on=False, zorder=3)
    )


def _list_of(named: Mapping[str, NDArray[Any]]) -> str:
    sizes = (f"{title} ({array.shape[0]} x {array.shape[1]})".strip() for title, array in named.items())
    return textwrap.shorten(", ".join(sizes), _LONGEST_TEXT, placeholder=" ...")
