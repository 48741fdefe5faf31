"""Expressions and plans as text, formulas and files."""

import io
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import arignote
from arignote import function
from arignote import tensor as T
from arignote.engine.errors import DTypeError, GraphError, InputError
from arignote.engine.printing import debugprint, latex, pprint, pydotprint
from arignote.engine.printing.diagram import diagram
from arignote.engine.printing.dot import to_pydot
from arignote.engine.printing.layout import lay_out
from arignote.engine.structure import from_networkx, is_same_graph, to_networkx
from arignote.printing import scope

x, y, w = T.dvector("x"), T.dvector("y"), T.dmatrix("w")


def deep(count):
    out = x
    for _ in range(count):
        out = T.tanh(out) + 1.0
    return out


def wide(count):
    out = x
    for _ in range(count):  # 2 ** count paths
        out = T.tanh(out) * out
    return out


@pytest.mark.parametrize("write", [pprint, latex, lambda out: debugprint(out, file="str")])
def test_texts_grow_linearly_with_the_graph(write):
    for graph in (deep, wide):
        small, large = len(write(graph(500))), len(write(graph(2000)))
        assert large < 5 * small
    assert len(write(deep(10_000))) < 4_000_000  # 20,000 nodes, and no recursion


def test_a_long_value_that_is_used_twice_is_stated_once():
    long = T.tanh(x * 2 + y * 3 - 1) * T.maximum(x, y)
    assert pprint(x * x) == "(x * x)"
    again = pprint(long * long + T.exp(long))
    assert again == f"((t1 * t1) + exp(t1)) where t1 = {pprint(long)}"
    assert pprint(long, long) == f"t1, t1 where t1 = {pprint(long)}"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (x + y * 2, r"x + y \cdot 2"),
        ((x + y) * 2, r"\left(x + y\right) \cdot 2"),
        (x - (y - 1), r"x - \left(y - 1\right)"),
        (-(x + 1), r"-\left(x + 1\right)"),
        ((x + 1) / y, r"\frac{x + 1}{y}"),
        (x**3, "x^{3}"),
        ((x + 1) ** 0.5, r"\left(x + 1\right)^{0.5}"),
        (T.exp(-x), "e^{-x}"),
        (T.log(x), r"\log x"),
        (T.log(x + 1), r"\log \left(x + 1\right)"),
        (T.sqrt(x), r"\sqrt{x}"),
        (T.dot(w, w.T), r"w\,w^{\top}"),
        (w.sum(axis=0), r"\sum_{i} w"),
        (T.dvector("alpha_i"), r"\alpha_{i}"),
        (T.dvector("w1"), "w_{1}"),
        (T.dvector("rate"), r"\mathrm{rate}"),
        (T.maximum(x, 0), r"\operatorname{maximum}\left(x, 0\right)"),
    ],
)
def test_latex(expression, text):
    assert latex(expression) == text


def test_latex_is_well_formed():
    # Matplotlib's mathtext reads a large part of LaTeX; what it cannot read raises.
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    cost = -T.log(T.nnet.sigmoid(T.dot(w, x) / 3)).mean() + (w**2).sum()
    for text in (latex(cost), latex(T.sqrt(T.exp(-abs(x))) > y)):
        # It has no environments: the lines are formulas by themselves.
        for line in re.sub(r"\\(?:begin|end)\{gathered\}", "", text).split(r"\\"):
            parser.parse(f"${line.strip()}$".replace(r"\operatorname", r"\mathrm"))


def test_debugprint_tells_types_lines_and_what_was_printed():
    z = T.tanh(x)
    z.name = "z"
    out = z * z + x[0]
    lines = debugprint(out, file="str").splitlines()
    assert re.fullmatch(r"Add \[id A\] float64\(\?\) test_text.py:\d+", lines[0])
    assert re.fullmatch(r" \|Mul \[id B\] float64\(\?\) test_text.py:\d+", lines[1])
    assert re.fullmatch(r" \| \|Tanh \[id C\] float64\(\?\) 'z' test_text.py:\d+", lines[2])
    assert lines[3] == " | | |x [id D] float64(?)"
    assert lines[4].startswith(" | |Tanh [id C]")
    assert lines[4].endswith("...")
    bare = debugprint(out, file="str", ids="", print_type=False, print_origin=False)
    assert bare.startswith("Add\n |Mul\n | |Tanh 'z'")
    assert "[id 3]" in debugprint(out, file="str", ids="int")
    assert hex(id(z)) in debugprint(out, file="str", ids="id")
    assert len(debugprint(out, file="str", depth=2).splitlines()) == 3
    with pytest.raises(InputError, match="ids"):
        debugprint(out, ids="letters")


def test_debugprint_prints_lists_functions_and_to_files(capsys):
    s = arignote.shared(np.zeros(2), "s")
    f = function([x], (x + s).sum(), updates=[(s, s + x)])
    stream = io.StringIO()
    assert debugprint([x + y, f], file=stream) is None
    text = stream.getvalue()
    assert "s (shared)" in text
    assert "\ns <-\n" in text
    debugprint(x + y)
    assert capsys.readouterr().out.startswith("Add [id A]")
    with pytest.raises(DTypeError, match="a variable, a list of them, or a function"):
        debugprint(3)


def test_the_step_of_a_loop_is_shown():
    sums, _ = arignote.scan(lambda each, total: T.tanh(each + total), x, T.zeros((), "float64"))
    text = debugprint(sums, file="str", print_origin=False)
    outer, _, inner = text.partition("inner graph of Scan")
    assert "Tanh" not in outer
    assert "\n |Tanh" in inner
    boxes = diagram(sums).root.inside()
    (loop,) = (box for box in boxes if box.label.startswith("Scan"))
    assert loop.is_folded
    assert any("Tanh" in box.label for box in loop.inside())


def test_networkx_and_back():
    z = T.tanh(x)
    out = z * y + 1
    graph = to_networkx(out)
    assert from_networkx(graph, [out]) == [out]
    graph.remove_edge(x, z.owner)
    graph.add_edge(y, z.owner, place=0)
    (other,) = from_networkx(graph, [out])
    assert is_same_graph(other, T.tanh(y) * y + 1)
    graph.remove_edge(y, z.owner)
    with pytest.raises(GraphError, match=r"Tanh(.|\n)*places 0 to 0"):
        from_networkx(graph, [out])
    graph.add_edge(out, z.owner, place=0)
    with pytest.raises(GraphError, match="cycle"):
        from_networkx(graph, [out])


# ------------------------------------------------------------------------------------------ plans


def test_explain_tells_what_runs_is_fused_in_place_and_reused(book):
    text = book.explain()
    first = re.match(r"(\d+) steps with (\d+) kernels; arena (.*) for (\d+) temporaries of (.*) in all", text)
    assert int(first[1]) == len(re.findall(r"^ +\d+  ", text, re.MULTILINE))
    assert "kernel conv" in text
    assert "fuses Add, Sigmoid" in text
    assert text.count("writes w, in place") == 3
    assert re.search(r"memory that step \d+ no longer needs", text)
    nothing = text.partition("nothing runs for:")[2]
    assert "DimShuffle float32(1, 20, 1, 1): a view of b" in nothing
    assert "Reshape float32(10, 1, 28, 28): a view of x" in nothing
    assert "conftest.py:" in text


def test_explain_without_a_plan():
    assert "no plan yet" in function([x], x * 2).explain()
    assert "mode 'reference'" in function([x], x * 2, mode="reference").explain()
    f = function([x], x[(x > 0).nonzero()[0]] * 2 + 1)  # cut: the length depends on the elements
    f(np.array([1.0, -1.0]))
    assert "fuses Mul, Add" in f.explain()


# ------------------------------------------------------------------------------------------ pictures


def rectangles(box):
    return [(each.x, each.y, each.x + each.width, each.y + each.height) for each in box.children]


def test_boxes_do_not_overlap_and_lie_within_their_parents(book, deep_network):
    loop = arignote.scan(lambda each, total: T.tanh(each + total), x, T.zeros((), "float64"))[0]
    for subject in (book, deep_network, book.fgraph, [wide(30)], loop):
        picture = diagram(subject)
        lay_out(picture)
        for parent in [picture.root, *(box for box in picture.root.inside() if box.children)]:
            placed = rectangles(parent)
            for i, (left, top, right, bottom) in enumerate(placed):
                assert min(left, top) >= 0
                for l2, t2, r2, b2 in placed[:i]:
                    assert right <= l2 or r2 <= left or bottom <= t2 or b2 <= top


def test_what_is_computed_lies_below_what_it_needs():
    out = T.tanh(T.dot(w, x)) + T.nnet.softmax(w)[0]
    picture = diagram(out)
    for box in picture.root.inside():
        box.is_folded = False
    lay_out(picture)
    for source, target, _ in picture.edges:
        if source.parent is target.parent:
            assert source.y + source.height < target.y


def test_kinds_and_groups(book):
    boxes = diagram(book).root.inside()
    kinds = {box.kind for box in boxes}
    assert kinds == {"input", "shared", "constant", "node", "gradient", "kernel", "layer", "output", "update"}
    conv = next(box for box in boxes if box.label == "Conv")
    assert [box.label for box in conv.path()] == ["", "0 ConvPoolLayer", "0 Conv2D", "Conv"]
    w_ = [box for box in boxes if box.kind == "shared" and box.label == "w"]
    layers = ["0 ConvPoolLayer", "1 FullyConnectedLayer", "2 SoftmaxLayer"]
    assert [box.path()[1].label for box in w_] == layers


def test_each_call_of_a_function_is_a_group():
    def layer(h):
        h = T.dot(h, w)
        return T.tanh(h) + T.exp(h)

    h = T.dmatrix()
    for _ in range(3):
        h = layer(h)
    groups = [box.label for box in diagram(h).root.children if box.kind == "layer"]
    assert [label.partition("#")[0] for label in groups] == ["layer ", "layer ", "layer "]
    with scope("outer"), scope("inner"):
        assert T.tanh(x).origin.scope == "outer/inner"


def test_elementwise_nodes_are_one_box_but_in_small_graphs():
    def labels(count):
        y = x
        for _ in range(count):
            y = T.tanh(y)
        (group,) = (box for box in diagram(y).root.children if box.kind == "layer")
        return [box.label for box in group.children]

    assert labels(10) == ["Tanh"] * 10
    assert labels(11) == ["11 Tanh"]


def test_a_group_that_is_left_and_entered_again_has_parts():
    def around(inside):
        return T.exp(inside(T.tanh(x)))

    def square(v):
        return v * v

    labels = {
        box.label.partition(",")[2] for box in diagram(around(square)).root.children if "around" in box.label
    }
    assert labels == {"", " part 2"}


def test_an_update_by_what_was_given():
    s, v = T.dscalar("s"), arignote.shared(np.zeros(1), "v", broadcastable=(True,))
    step = function([s], s, updates=[(v, s.dimshuffle("x"))])
    assert {box.label for box in diagram(step).root.inside()} == {"s", "output 0", "v :="}


def test_ten_thousand_nodes_are_drawn(tmp_path):
    assert pydotprint(deep(5000), tmp_path / "deep.svg").stat().st_size < 20_000_000


def test_files(book, tmp_path):
    path = pydotprint(book, tmp_path / "book.svg")
    root = ElementTree.fromstring(path.read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Conv" in texts
    assert {"▾ 0 ConvPoolLayer", "▾ 0 Conv2D"} <= set(texts)
    with pytest.raises(InputError, match="svg, dot, png, pdf"):
        pydotprint(book, tmp_path / "book.jpg")
    with pytest.raises(InputError, match="svg, dot, png, pdf"):
        pydotprint(book, format="text")


def test_default_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pydotprint(x * 2) == Path("graph.svg")
    assert Path("graph.svg").exists()


def test_graphviz(book, tmp_path):
    pytest.importorskip("pydot", reason="pydot is not installed")
    labels = {cluster.get_label().strip('"') for cluster in to_pydot(book).get_subgraphs()}
    assert {"0 ConvPoolLayer", "gradient of 0 ConvPoolLayer"} <= labels
    if shutil.which("dot"):
        pydotprint(book, tmp_path / "book.png")
        assert (tmp_path / "book.png").read_bytes().startswith(b"\x89PNG")
    else:
        with pytest.raises(GraphError, match="Graphviz's program"):
            pydotprint(book, tmp_path / "book.png")
