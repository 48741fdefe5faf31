import ctypes
import threading

import numpy as np
import pytest

from arignote.compile.objects import cache_statistics, kernel_address
from arignote.compile.spec import KernelSpec

SCALE = KernelSpec.of("native_samples.kernels:scale", factor=2.5)


def call(address, *words, tasks=1):
    kernel = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)(address)
    args = np.array(words, np.int64)
    return kernel(args.ctypes.data, None, 0, tasks)


def scaled(address):
    x, y = np.arange(7.0), np.zeros(7)
    assert call(address, x.ctypes.data, y.ctypes.data, tasks=7) == 0
    return (y / np.where(x, x, 1)).max()


def test_compiled_then_loaded_then_reused(empty_cache, forget):
    assert scaled(kernel_address(SCALE)) == 2.5
    statistics = cache_statistics()
    assert (statistics.compiled, statistics.loaded, statistics.reused) == (1, 0, 0)
    assert statistics.seconds > 0
    forget()
    assert scaled(kernel_address(SCALE)) == 2.5
    assert kernel_address(SCALE) == kernel_address(KernelSpec.of(SCALE.builder, factor=2.5))
    statistics = cache_statistics()
    assert (statistics.compiled, statistics.loaded, statistics.reused) == (0, 1, 2)
    assert statistics.seconds == 0


def test_parameters_are_told_apart(empty_cache, forget):
    y = np.zeros(2)
    for _ in range(2):  # compiled, then loaded
        for value in (1, True, 0.0, -0.0, -1.5, float("nan")):
            spec = KernelSpec.of("native_samples.kernels:typed", value=value)
            assert call(kernel_address(spec), y.ctypes.data) == 0
            np.testing.assert_array_equal(y, [value, np.copysign(1, value)])
        forget()
    assert len(list(empty_cache.iterdir())) == 6


def test_libm_is_found(empty_cache, forget):
    x, y = np.linspace(-1, 1, 5), np.zeros(5)
    for _ in range(2):
        address = kernel_address(KernelSpec.of("native_samples.kernels:exponential"))
        assert call(address, x.ctypes.data, y.ctypes.data, tasks=5) == 0
        np.testing.assert_allclose(y, np.exp(x), rtol=1e-15)
        forget()


def test_kernel_that_needs_python_is_refused(empty_cache, forget):
    with pytest.raises(TypeError, match="needs the Python runtime"):
        kernel_address(KernelSpec.of("native_samples.kernels:raising"))
    assert not list(empty_cache.iterdir())


@pytest.mark.parametrize("builder", ["nosuch:f", "native_samples.nosuch:f", "nosuch.module:f"])
def test_missing_module_is_named(builder, empty_cache, forget):
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        kernel_address(KernelSpec.of(builder))


def test_key_covers_the_source_of_a_foreign_builder(empty_cache, forget, tmp_path, run_python):
    package = tmp_path / "foreign"
    package.mkdir()
    (package / "__init__.py").touch()
    program = (
        "import ctypes\n"
        "from arignote.compile.objects import *; from arignote.compile.spec import KernelSpec\n"
        "address = kernel_address(KernelSpec.of('foreign.kernels:constant'))\n"
        "kernel = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(address)\n"
        "print(kernel(0, 0, 0, 0), cache_statistics().compiled)\n"
    )
    for value, compiled in [(3, 1), (3, 0), (5, 1), (3, 0)]:
        source = f"def constant():\n    return lambda args, scratch, begin, end: {value}\n"
        (package / "kernels.py").write_text(source)
        assert run_python(program, PYTHONPATH=str(tmp_path)) == f"{value} {compiled}\n"


def test_threads_share_one_compilation(empty_cache, forget):
    addresses = []
    threads = [threading.Thread(target=lambda: addresses.append(kernel_address(SCALE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 8
    assert len(set(addresses)) == 1
    assert (cache_statistics().compiled, cache_statistics().reused) == (1, 7)


def test_warm_process_does_not_import_numba(own_cache, run_python):
    program = (
        "import sys; from arignote.compile.objects import kernel_address\n"
        "from arignote.compile.spec import KernelSpec; from arignote.compile.program import Program, Step\n"
        "steps = [Step(kernel_address(KernelSpec.of('native_samples.kernels:fail')), [9], 4)]\n"
        "Program(steps).run(2)\n"
        "print('numba' in sys.modules, 'native_samples' in sys.modules)\n"
    )
    run_python(program)
    assert run_python(program) == "False True\n"


def test_objects_need_nothing_but_libm(empty_cache, forget):
    for name in ("scale", "typed", "exponential", "fail"):
        parameters = {"scale": {"factor": 2.0}, "typed": {"value": 1.0}}.get(name, {})
        kernel_address(KernelSpec.of(f"native_samples.kernels:{name}", **parameters))
    for path in empty_cache.iterdir():
        content = path.read_bytes()
        assert b"Py" not in content
        assert b"NRT" not in content
        assert b"numba" not in content
