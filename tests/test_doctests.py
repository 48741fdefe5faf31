"""The examples in docstrings, of every module of every installed room."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import arignote
from arignote.engine.ops import elementwise
from arignote.engine.ops.elementwise import base

#: Started as programs; importing them would start them.
PROGRAMS = {"arignote.__main__"}


def modules():
    """Return the names of all modules of the package, the rooms mapped to other folders included."""
    names = [arignote.__name__, "arignote.rewriting"]
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


def test_examples_of_functions_that_are_made():
    """Doctest skips functions whose module is not where they stand: those of the elementwise ops."""
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    made = [
        value for value in vars(elementwise).values() if getattr(value, "__module__", "") == base.__name__
    ]
    functions = {value.__name__: value for value in made if inspect.isfunction(value)}
    for name, function in functions.items():
        for test in finder.find(function, name, module=False, globs={"np": np, name: function}):
            assert test.examples or name in vars(base)
            runner.run(test)
    assert runner.summarize().failed == 0
    assert len(functions) > 50


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    count = sum(
        len(test.examples) for name in modules() for test in finder.find(importlib.import_module(name))
    )
    assert count > 50
