"""The gallery of mistakes, docs/errors.md: every program fails with the message that stands below it."""

import linecache
import re
import traceback
from pathlib import Path

import numpy as np
import pytest

from arignote import function
from arignote import tensor as T
from arignote.engine.errors import ShapeError
from arignote.engine.names import LEFT_OUT

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "errors.md").read_text()
PREAMBLE, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
MISTAKES = re.findall(
    r"^## (.*?)\n\n```python\n(.*?)```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE
)


def message_of(program):
    """Run a program as a file of its own, and return what it raises."""
    linecache.cache["program.py"] = len(program), None, program.splitlines(keepends=True), "program.py"
    space = {"__name__": "__main__"}
    exec(PREAMBLE, space)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the page says which
        exec(compile(program, "program.py", "exec"), space)
    return f"{caught.type.__name__}: {caught.value}"


@pytest.mark.parametrize(("title", "program", "message"), MISTAKES, ids=[title for title, _, _ in MISTAKES])
def test_message(title, program, message):
    assert message_of(program) == message


def test_the_gallery_has_the_commonest_mistakes():
    assert len(MISTAKES) >= 30
    assert len(MISTAKES) == PAGE.count("\n## ")


def test_names_that_are_left_out_stand_on_their_page():
    left_out = (DOCS / "theano.md").read_text().partition("## Left out")[2]
    for name in LEFT_OUT:
        if not re.fullmatch(r"[cz](matrix|vector|scalar)", name):  # "`c` and `z` makers"
            assert f"`{name}`" in left_out


def test_a_traceback_ends_with_the_users_frames():
    x = T.fmatrix("x")
    f = function([x], x.reshape((4, -1)))

    def user():
        f(np.zeros((3, 3), "float32"))

    with pytest.raises(ShapeError) as caught:
        user()
    names = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert names[-2:] == ["user", "__call__"]
    assert caught.value.__suppress_context__
