"""The rooms: what is installed, what imports what, and what an import costs."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
ROOMS = {
    "arignote": "api",
    "arignote.engine": "engine",
    "arignote.compile": "compile",
    "arignote.layers": "layers",
}


def project() -> dict:
    return tomllib.loads((HOUSE / "pyproject.toml").read_text())


def python(code: str, **options: object) -> str:
    """Run code in a new interpreter and return what it prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_package_list_is_the_tree():
    found = set()
    for package, folder in ROOMS.items():
        for file in (HOUSE / folder).rglob("__init__.py"):
            parts = file.parent.relative_to(HOUSE / folder).parts
            found.add(".".join([package, *parts]))
    assert set(project()["tool"]["setuptools"]["packages"]) == found


def test_every_module_lies_in_a_package():
    for folder in ROOMS.values():
        for file in (HOUSE / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file


def test_rooms_are_installed_under_one_name():
    top_level = importlib.metadata.distribution("arignote").read_text("top_level.txt")
    assert top_level is not None
    assert top_level.split() == ["arignote"]


def test_imports_flow_one_way():
    # import-linter reads the contracts in pyproject.toml. It finds the rooms by the type checker's mirror:
    # an editable install maps them in a way that only importing sees.
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=HOUSE,
        env={**os.environ, "PYTHONPATH": str(HOUSE / "typings")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_importing_is_cheap():
    heavy = "numba networkx matplotlib PIL tqdm safetensors scipy torch pooch requests"
    loaded = python(f"import sys, arignote; print(*[m for m in {heavy.split()} if m in sys.modules])")
    assert loaded == ""


def test_layers_come_when_asked_for():
    code = "import sys, arignote; before = 'arignote.layers' in sys.modules; arignote.layers; print(before)"
    assert python(code) == "False"


@pytest.mark.parametrize("room", ["engine", "compile", "layers"])
def test_a_room_refuses_another_name(room):
    code = f"import sys; sys.path.insert(0, {str(HOUSE)!r}); import {room}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode != 0
    assert f"import arignote.{room}" in result.stderr


def test_the_type_checker_sees_the_same_files():
    mirror = HOUSE / "typings" / "arignote"
    for name in ("engine", "compile", "layers"):
        assert (mirror / name).resolve() == HOUSE / name
    assert (mirror / "__init__.py").resolve() == HOUSE / "api" / "__init__.py"


def test_version_is_stated_once():
    assert (
        python(
            "import arignote, importlib.metadata as m; print(arignote.__version__ == m.version('arignote'))"
        )
        == "True"
    )
