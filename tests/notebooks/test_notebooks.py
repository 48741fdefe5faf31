"""The walkthroughs run from a clean start, print what is stored, and read well where nothing runs."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from store import FOLDER, executed, normalised, notebooks, read

HOUSE = Path(__file__).resolve().parents[2]
MOST_LINES = 6
MOST_LINES_PRINTED = 40
#: What all code hosts show: no HTML, no SVG.
SHOWN = {"text/plain", "text/latex", "text/markdown", "image/png"}

every_notebook = pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(output) -> list[str]:
    """Return what of an output is text."""
    if output.output_type == "stream":
        return [output.text]
    return [text for kind, text in output.data.items() if kind.startswith("text/")]


@every_notebook
def test_it_runs_and_prints_what_is_stored(path):
    """Pictures are there again (pixels depend on fonts); a cell with the tag `varies` prints anything."""
    stored = read(path)
    for before, after in zip(code(stored), code(executed(stored)), strict=True):
        assert [output.output_type for output in after.outputs] == [o.output_type for o in before.outputs]
        for old, new in zip(before.outputs, after.outputs, strict=True):
            assert set(new.get("data", {})) == set(old.get("data", {})), before.source
            if "varies" not in before.metadata.get("tags", []):
                assert texts(new) == texts(old), before.source


@every_notebook
class TestStored:
    def test_only_what_a_reader_needs(self, path):
        notebook = read(path)
        nbformat.validate(notebook)
        assert notebook == normalised(notebook)
        assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))

    def test_short_cells(self, path):
        for cell in code(read(path)):
            assert 1 <= len(cell.source.splitlines()) <= MOST_LINES, cell.source
            assert max(map(len, cell.source.splitlines())) <= 100, cell.source

    def test_outputs_are_whole_and_short(self, path):
        for cell in code(read(path)):
            for output in cell.outputs:
                assert output.get("name") != "stderr", output.text
                assert output.output_type in ("stream", "display_data", "execute_result")
                assert set(output.get("data", {})) <= SHOWN
                for text in texts(output):
                    assert len(text.splitlines()) <= MOST_LINES_PRINTED, cell.source
                    assert max(map(len, text.splitlines()), default=0) <= 120, cell.source

    def test_nothing_of_a_machine(self, path):
        assert not re.search(r"/home/|/root/|/tmp/|/Users/|site-packages|object at 0x", path.read_text())

    def test_pictures_have_words(self, path):
        """A text of their own, or the words right above them."""
        notebook = read(path)
        for above, cell in pairwise(notebook.cells):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    assert output.metadata.get("image/png", {}).get("alt") or above.cell_type == "markdown"

    def test_headings(self, path):
        """One title, exercises and answers at the end."""
        notebook = read(path)
        words = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        headings = [line for text in words for line in text.splitlines() if line.startswith("#")]
        assert notebook.cells[0].source.startswith("# ")
        assert sum(heading.startswith("# ") for heading in headings) == 1
        sections = [heading for heading in headings if heading.startswith("## ")]
        assert sections[-2:] == ["## Exercises", "## Answers"]
        assert len(set(sections)) == len(sections)

    def test_it_stands_on_the_index_with_a_thumbnail(self, path):
        index = (FOLDER / "README.md").read_text()
        assert f"]({path.name})" in index
        assert f"](thumbnails/{path.stem}.png)" in index
        assert (FOLDER / "thumbnails" / f"{path.stem}.png").exists()


def run(*cells: str):
    """Run a notebook of these cells."""
    return executed(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]))


def test_a_warning_is_an_error():
    with pytest.raises(CellExecutionError, match="beware"):
        run("import warnings", "warnings.warn('beware')")


def test_lines_of_a_notebook_are_named_by_their_cell():
    (_, cell) = run(
        "from arignote import printing, tensor as T", "1\nprinting.debugprint(T.exp(T.vector()))"
    ).cells
    assert cell.outputs[0].text.splitlines()[0].endswith("In[2]:2")


def test_graphs_are_stored_as_pictures():
    (_, cell) = run("from arignote import printing, tensor as T", "printing.draw(T.vector('x') * 2)").cells
    assert set(cell.outputs[0].data) == {"image/png", "text/plain"}


def test_there_are_notebooks_and_the_readme_leads_to_them():
    assert notebooks()
    assert "(notebooks/README.md)" in (HOUSE / "README.md").read_text()
