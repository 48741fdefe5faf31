"""The picture of a graph that code hosts show: its boxes lie where those of the SVG do, in their colours."""

import io
import re

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from arignote import function, grad, shared
from arignote import tensor as T
from arignote.engine.printing.svg import BACKWARD, COLOURS, svg
from arignote.printing import draw, scope


def expressions():
    x, w = T.dmatrix("x"), shared(np.eye(3), "w")
    with scope("layer"):
        h = T.tanh(T.dot(x, w))
    cost = T.sqr(h).sum()
    return x, w, [cost, grad(cost, w)]


def pixels(picture) -> np.ndarray:
    data, facts = picture._repr_png_()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert image.size == (2 * facts["width"], 2 * facts["height"])
    return np.asarray(image)


def test_boxes_lie_where_they_lie_in_the_svg():
    x, w, values = expressions()
    f = function([x], values, updates=[(w, w * 0.5)])
    f(np.ones((2, 3)))
    picture, kinds = pixels(draw(f)), set()
    boxes = re.findall(
        r'<g class="box ([^"]*)".*?translate\((\S+) (\S+)\)"><rect width="(\S+)" height="(\S+)"', svg(f)
    )
    for classes, left, top, width, height in boxes:
        kind, *others = classes.split()
        if "hidden" in others or "open" in others:  # what is open is pale
            continue
        colours = COLOURS | BACKWARD if "backward" in others else COLOURS
        fill = np.round(np.multiply(255, to_rgb(colours[kind][0])))
        # Right of the text and left of the border there is nothing but the fill, and no edge at that height.
        row, column = float(top) + float(height) - 4, float(left) + float(width) - 6
        np.testing.assert_allclose(picture[round(2 * row), round(2 * column)], fill, atol=2)
        kinds.add(kind)
    assert {"input", "shared", "output", "update", "kernel"} <= kinds


def test_what_is_folded_is_not_drawn():
    _, _, values = expressions()
    assert pixels(draw(values)).shape[0] > 400
    with scope("all"):
        x = T.dvector("x")
        for _ in range(70):
            x = T.sin(x).cumsum()
    assert pixels(draw(x)).shape[0] < 400


def test_an_input_is_a_picture():
    assert pixels(draw(T.dvector("x"))).std() > 0
