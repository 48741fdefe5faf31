"""The examples in docstrings, of every module of every installed room."""

import doctest
import importlib
import pkgutil

import pytest

import arignote

#: Started as programs; importing them would start them.
PROGRAMS = {"arignote.__main__"}


def modules():
    """Return the names of all modules of the package, the rooms mapped to other folders included."""
    names = [arignote.__name__]
    for room in ("tensor", "engine", "compile", "layers"):
        package = importlib.import_module(f"arignote.{room}")
        names.append(package.__name__)
        names.extend(found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    return [name for name in names if name not in PROGRAMS]


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    count = sum(
        len(test.examples) for name in modules() for test in finder.find(importlib.import_module(name))
    )
    assert count > 50
