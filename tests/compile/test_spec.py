import math

import numpy as np
import pytest

from arignote.compile.spec import KernelSpec


def test_keywords_are_sorted():
    spec = KernelSpec.of("conv:correlate", stride=(2, 1), dtype="float32")
    assert spec.parameters == (("dtype", "float32"), ("stride", (2, 1)))
    assert spec == KernelSpec.of("conv:correlate", dtype="float32", stride=(2, 1))
    assert hash(spec) == hash(KernelSpec.of("conv:correlate", dtype="float32", stride=(2, 1)))


def test_any_keyword_is_a_parameter():
    assert KernelSpec.of("a:b", builder="c").parameters == (("builder", "c"),)


@pytest.mark.parametrize("nest", [lambda x: x, lambda x: (x,), lambda x: ((), (x, "a"))])
def test_values_that_python_calls_equal_are_told_apart(nest):
    values = [1, True, 1.0, "1", 0, False, 0.0, -0.0, math.nan, math.inf, (1,), ((1,),), ""]
    specs = {KernelSpec.of("a:b", x=nest(value)) for value in values}
    assert len(specs) == len(values)
    assert specs == {KernelSpec.of("a:b", x=nest(value)) for value in values}


def test_short_names_are_of_the_kernels_package():
    assert KernelSpec.of("conv:correlate").module == "arignote.compile.kernels.conv"
    assert KernelSpec.of("mine.kernels:correlate").module == "mine.kernels"
    assert KernelSpec.of("mine.kernels:correlate").function == "correlate"


@pytest.mark.parametrize("builder", ["conv", "conv:", ":correlate", "conv:a.b", ""])
def test_builder_must_name_a_function(builder):
    with pytest.raises(ValueError, match="module:function"):
        KernelSpec(builder)


@pytest.mark.parametrize("value", [np.float64(1), np.int64(1), None, [1], (1, [2]), {"a": 1}, 1j, b"a"])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match="parameter 'x' of 'a:b'"):
        KernelSpec.of("a:b", x=value)


def test_unsorted_and_repeated_names_are_refused():
    with pytest.raises(ValueError, match="sorted"):
        KernelSpec("a:b", (("y", 1), ("x", 1)))
    with pytest.raises(ValueError, match="distinct"):
        KernelSpec("a:b", (("x", 1), ("x", 2)))
