"""The programs of the README and of the pages in docs run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
#: Pages whose programs are run; those of docs/errors.md fail, as tests/test_errors_page.py tells.
PAGES = {
    "README.md": 2,
    "docs/derivatives.md": 4,
    "docs/extending.md": 6,
    "docs/looking.md": 4,
    "docs/layers.md": 3,
}


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (HOUSE / page).read_text(), re.DOTALL)


def is_file(block: str) -> bool:
    return block.startswith("# file: ")


PROGRAMS = [
    (page, number)
    for page in PAGES
    for number, block in enumerate([b for b in blocks(page) if not is_file(b)])
]


@pytest.mark.parametrize(("page", "number"), PROGRAMS)
def test_program_runs(page, number, tmp_path):
    for block in filter(is_file, blocks(page)):  # modules that a program imports
        path = tmp_path / block.partition("\n")[0].removeprefix("# file: ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
    program = [block for block in blocks(page) if not is_file(block)][number]
    # One epoch instead of thirty shows that it runs; what thirty reach is shown by `arignote train`.
    program = program.replace("epochs=30", "epochs=1")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


@pytest.mark.parametrize("page", PAGES)
def test_there_are_programs(page):
    assert sum(not is_file(block) for block in blocks(page)) == PAGES[page]
