"""The interactive page in a real browser: fold, search, hover, zoom."""

import os
import re

import numpy as np
import pytest

from arignote.d3viz import d3viz
from arignote.engine.printing import draw


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens the page of a subject; at the end the page must have had no error."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    class Page:
        def __init__(self, subject):
            d3viz(subject, tmp_path / "graph.html")
            browser.get(f"file://{tmp_path / 'graph.html'}")

        def boxes(self, kind="box"):
            """Return what is shown: the element, its label, its number, its parent's and its rectangle."""
            return browser.execute_script(
                "return [...document.querySelectorAll('g.' + arguments[0] + ':not(.hidden)')].map(g => ({g, "
                "label: g.querySelector('text').textContent.replace(/^[▸▾] /, ''), id: g.dataset.id, "
                "parent: g.dataset.parent, rect: g.querySelector('rect').getBoundingClientRect().toJSON()}))",
                kind,
            )

        def box(self, label):
            found = [box for box in self.boxes() if box["label"] == label]
            assert len(found) == 1, self.labels()
            return found[0]

        def labels(self, kind="box"):
            return [box["label"] for box in self.boxes(kind)]

        def edges(self):
            return browser.find_elements(By.CSS_SELECTOR, ".edge:not(.hidden)")

        def click(self, label):
            head = self.box(label)["g"].find_element(By.TAG_NAME, "text")
            ActionChains(browser).move_to_element(head).click().perform()

        def press(self, button):
            browser.find_element(By.CSS_SELECTOR, f"button.{button}").click()

        def search(self, words):
            field = browser.find_element(By.TAG_NAME, "input")
            field.clear()
            field.send_keys(words)
            return browser.find_element(By.CLASS_NAME, "count").text

        def enter(self):
            browser.find_element(By.TAG_NAME, "input").send_keys("\n")

        def tip_of(self, label):
            ActionChains(browser).move_to_element(self.box(label)["g"]).perform()
            return browser.find_element(By.CLASS_NAME, "tip").text

        def picture(self, name):
            if folder := os.environ.get("ARIGNOTE_PICTURES"):  # to look at them
                browser.save_screenshot(os.path.join(folder, f"{name}.png"))

        def assert_apart(self):
            """No two boxes of a parent overlap, and every box lies within its parent."""
            rects = {box["id"]: (box["parent"], box["rect"]) for box in self.boxes()}
            for number, (parent, a) in rects.items():
                if parent in rects:
                    outer = rects[parent][1]
                    assert outer["left"] <= a["left"] + 1
                    assert outer["top"] <= a["top"] + 1
                    assert a["right"] <= outer["right"] + 1
                    assert a["bottom"] <= outer["bottom"] + 1
                for other, (also, b) in rects.items():
                    if also == parent and int(other) < int(number):
                        is_beside = a["right"] <= b["left"] + 1 or b["right"] <= a["left"] + 1
                        assert is_beside or a["bottom"] <= b["top"] + 1 or b["bottom"] <= a["top"] + 1

    yield Page
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def test_the_book_network(opened, book, browser):
    page = opened(book)
    layers = ["0 ConvPoolLayer", "1 FullyConnectedLayer", "2 SoftmaxLayer"]
    assert {*layers, *(f"gradient of {layer}" for layer in layers), "x", "y"} <= set(page.labels())
    page.assert_apart()
    assert len(page.labels("kernel")) >= 8  # the loops of its plan
    page.picture("book")
    page.press("close")
    page.assert_apart()
    folded = len(page.boxes())
    assert folded < 15

    page.click("0 ConvPoolLayer")
    parts = {"0 Conv2D", "1 MaxPool2D", "2 Bias", "3 Activate"}
    assert parts <= set(page.labels())
    for part in parts:
        page.click(part)
        page.assert_apart()
    assert {"Conv", "MaxPool", "w", "b", "Add · Sigmoid"} <= set(page.labels())
    page.picture("book-layer")
    page.click("Add · Sigmoid")
    assert {"Add", "Sigmoid"} <= set(page.labels())
    page.assert_apart()
    tip = page.tip_of("Conv")
    assert "float32(10, 20, 24, 24)" in tip
    assert re.search(r"line: .*conftest.py:\d+ in book: ", tip)
    assert browser.find_elements("css selector", ".edge.near")
    assert "float32(20, 1, 5, 5)" in page.tip_of("w")
    page.click("0 ConvPoolLayer")
    assert len(page.boxes()) == folded

    page.press("open")
    page.assert_apart()
    page.picture("book-open")
    page.press("close")
    assert len(page.boxes()) == folded


def test_a_graph_of_five_hundred_nodes(opened, deep_network, browser):
    assert len(deep_network.fgraph.toposort()) > 500
    page = opened(deep_network)
    assert len(page.boxes()) < 100  # layers are folded
    assert sum(label.startswith("dense #") for label in page.labels()) == 20
    page.assert_apart()
    page.picture("deep-folded")

    assert page.search("V_w7") == "2 found"  # the variable and its update
    assert len(page.labels("found")) == 1  # the folded box around both
    page.enter()
    assert set(page.labels("found")) == {"v_w7", "v_w7 :="}  # it has opened
    page.picture("deep-search")
    assert page.search("conftest.py") != "0 found"
    assert page.search("no such thing") == "0 found"

    page.press("open")
    page.assert_apart()
    page.picture("deep-open")
    assert len(page.edges()) > 500


def test_zoom(opened, book, browser):
    page = opened(book)
    before = page.box("x")["rect"]["width"]
    svg = browser.find_element("css selector", "svg")
    browser.execute_script(
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -250, clientX: 700, clientY: 500}))", svg
    )
    assert page.box("x")["rect"]["width"] == pytest.approx(before * np.exp(0.5), rel=0.02)
    page.press("fit")
    assert page.box("x")["rect"]["width"] == pytest.approx(before, rel=0.02)


def test_the_page_needs_nothing_else(book, tmp_path):
    d3viz(book, tmp_path / "graph.html")
    text = (tmp_path / "graph.html").read_text()
    links = set(re.findall(r"(?:https?:)?//[^\s\"'<)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not [link for link in links if "." in link.split("/")[2]]
    assert not re.search(r"\b(?:src|href)=", text)


def test_jupyter_shows_functions_and_pictures(book):
    for shown in (book, draw(book), draw([book.fgraph.outputs[0]])):
        assert shown._repr_html_().startswith("<iframe srcdoc=")
    assert not hasattr(book.fgraph.outputs[0], "_repr_html_")
