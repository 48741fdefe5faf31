"""Draw the pictures of docs/tile.md: ``python docs/images/tile.py``."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

HERE = Path(__file__).parent
ZERO, PIXEL, SCALAR, VECTOR, SUM = "#e8e8e8", "#cfe2f3", "#f9cb9c", "#b6d7a8", "#fff2cc"
mpl.rcParams |= {"svg.hashsalt": "tile", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}


def box(axes, x, y, width=1.0, colour="white", text="", **options):
    """Draw a box one high, with a text in it."""
    axes.add_patch(Rectangle((x, y), width, 1, facecolor=colour, **{"edgecolor": "#666666"} | options))
    axes.text(x + width / 2, y + 0.5, text, ha="center", va="center")


def page(width, height, right, bottom):
    """Return a figure and its axes, with y downwards."""
    figure = Figure((width, height), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.2, right), ylim=(bottom, -0.2), aspect="equal")
    axes.axis("off")
    return figure, axes


def register_tile():
    """Draw four scalars by three vectors, and the twelve vectors of sums between them."""
    figure, axes = page(7.5, 3, 19.2, 8)
    for j in range(3):
        box(axes, 4 + 5 * j, 0.8, 4, VECTOR, f"right[k, vector {j}]")
        for lane in range(1, 4):
            axes.plot([4 + 5 * j + lane] * 2, [0.8, 1.0], color="#666666", linewidth=0.6)
    for i in range(4):
        y = 2.6 + 1.3 * i
        box(axes, 0, y, 2.8, SCALAR, f"left[{i}, k]")
        for j in range(3):
            box(axes, 4 + 5 * j, y, 4, SUM, f"sums[{i}, {j}]")
    axes.text(0, 1.3, "one step k:", va="center")
    axes.annotate("", (3.9, 3.1), (2.9, 3.1), arrowprops={"arrowstyle": "->"})
    axes.annotate("", (6, 2.5), (6, 1.9), arrowprops={"arrowstyle": "->"})
    figure.savefig(HERE / "tile.svg", metadata={"Date": None})


def flattened_image():
    """Draw a padded image of 4 by 4 pixels, its lines one behind the other, and what a tap reads."""
    figure, axes = page(7.5, 3.6, 27, 12.2)
    axes.text(0, 0.1, "rows of the packed image: a zero, four pixels")
    for row in range(6):
        for column in range(5):
            is_zero = row in (0, 5) or column == 0
            text = "0" if is_zero else f"{row}{column}"
            box(axes, column, 0.4 + row, 1, ZERO if is_zero else PIXEL, text)
    axes.text(
        6, 2.5, "the zero behind a row is the one in front of the next:\none column is enough for both sides"
    )
    axes.text(
        0, 7.6, "the same in memory, from row 1 on: the vector of positions 0 to 7 (two rows of outputs)"
    )
    for place in range(5, 24):
        row, column = divmod(place, 5)
        is_zero = row in (0, 5) or column == 0
        box(axes, place - 5, 8, 1, ZERO if is_zero else PIXEL, "0" if is_zero else f"{row}{column}")
    for number, (start, name) in enumerate(((0, "tap (1, 0)"), (1, "tap (1, 1)"), (2, "tap (1, 2)"))):
        y = 9.4 + 0.75 * number
        axes.plot([start + 0.1, start + 7.9], [y, y], color="#38761d", linewidth=5, solid_capstyle="butt")
        axes.text(start + 8.3, y, f"what {name} reads: {start} further on", va="center")
    figure.savefig(HERE / "positions.svg", metadata={"Date": None})


if __name__ == "__main__":
    register_tile()
    flattened_image()
