import ctypes
import functools
import re

import numba
import numpy as np
import pytest
import scipy.special
from native_code import loaded, native_code
from numba import types
from numba.extending import intrinsic

from arignote.compile.intrinsics import pointer_to
from arignote.compile.vector_math import NAMESPACE, Real, emit_exp, emit_tanh

BOUNDS = {"exp": 1, "expm1": 2, "log": 1, "log1p": 1, "tanh": 1.5, "erf": 1.5}
EXACT = {name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "tanh")} | {
    "erf": scipy.special.erf
}
WIDER = {"float32": np.float64, "float64": np.longdouble}
SPECIALS = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, 2.0, 1e-30, -1e-30, -2.0]
LIMITS = {
    "float32": [1e-45, -1e-45, 1.1754942e-38, 88.72283, 88.72284, -87.4, -103.97, -103.98, -104, 3.4e38],
    "float64": [5e-324, -5e-324, 2.2e-308, 709.782712, 709.782713, -745.13, -745.14, -746, 1.7e308],
}
long_double_is_wider = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= 52, reason="float64 is checked against a wider long double"
)


@functools.cache
def elementwise(expression, *dtypes):
    """Write a loop over an expression of x (and y), as the kernels' text is written."""
    *operands, result = dtypes
    names = "xy"[: len(operands)]
    lines = ["def kernel(args, scratch, begin, end):"]
    lines += [f"    {n}s = {n}_at(args[{i}])" for i, n in enumerate(names)]
    lines += [f"    out = out_at(args[{len(operands)}])", "    for i in range(begin, end):"]
    lines += [f"        {n} = {n}s[i]" for n in names]
    lines += [f"        out[i] = {expression}", "    return 0"]
    space = {f"{n}_at": pointer_to(dtype) for n, dtype in zip(names, operands, strict=True)}
    space |= {"out_at": pointer_to(result), "one": getattr(numba, operands[0])(1), **NAMESPACE}
    exec("\n".join(lines), space)
    return space["kernel"]


@functools.cache
def code(expression, *dtypes):
    return str(native_code(elementwise(expression, *dtypes)))


@functools.cache
def compiled(expression, *dtypes):
    return loaded(elementwise(expression, *dtypes))


def evaluate(expression, *arrays, result=None):
    result = result or str(arrays[0].dtype)
    out = np.empty(arrays[0].shape, result)
    kernel = compiled(expression, *(str(array.dtype) for array in arrays), result)
    words = (ctypes.c_int64 * 3)(*(array.ctypes.data for array in (*arrays, out)))
    assert kernel(words, None, 0, out.size) == 0
    return out


def exact(name, x):
    wider = WIDER[str(x.dtype)] if name != "erf" else np.float64  # all that SciPy has
    with np.errstate(all="ignore"):
        return EXACT[name](x.astype(wider))


def ulps(found, expected):
    """Distance from the exact result, in units of the found format's last place there."""
    format_ = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        rounded = expected.astype(found.dtype)
        exponent = np.frexp(np.maximum(np.abs(expected), format_.tiny))[1] - 1
        distance = np.abs(found - expected) / np.ldexp(np.ones_like(expected), exponent - format_.nmant)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    return np.where(np.isfinite(found) & np.isfinite(rounded), distance, np.where(same, 0, np.inf))


def samples(dtype, count=1_000_000):
    """Random bit patterns (every exponent alike), and numbers of the size where the functions bend."""
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 256, (count, np.dtype(dtype).itemsize), np.uint8).view(dtype).ravel()
    usual = generator.normal(0, 3, count // 2), generator.normal(0, 60, count // 2)
    near_1 = np.exp(generator.normal(0, 0.5, count // 2))
    rest = np.concatenate([*usual, near_1, SPECIALS, LIMITS[dtype]]).astype(dtype)
    return np.concatenate([bits, rest])


@pytest.mark.parametrize("name", BOUNDS)
def test_float32_is_as_exact_as_stated(name):
    x = samples("float32")
    error = ulps(evaluate(f"{name}(x)", x), exact(name, x))
    assert error.max() <= BOUNDS[name], x[error.argmax()]


@long_double_is_wider
@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh"])
def test_float64_is_as_exact_as_stated(name):
    x = samples("float64")
    error = ulps(evaluate(f"{name}(x)", x), exact(name, x))
    assert error.max() <= BOUNDS[name], x[error.argmax()]


def test_float64_erf_is_libms():
    x = samples("float64", 10_000)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(evaluate("erf(x)", x), scipy.special.erf(x), rtol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_every_float32_is_as_exact_as_stated(name):
    for first in range(0, 2**32, 2**24):
        x = np.arange(first, first + 2**24, dtype=np.uint32).view(np.float32)
        error = ulps(evaluate(f"{name}(x)", x), exact(name, x))
        assert error.max() <= BOUNDS[name], x[error.argmax()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOUNDS)
def test_poles_limits_and_signs_of_zero(name, dtype):
    x = np.array(SPECIALS + LIMITS[dtype], dtype)
    found = evaluate(f"{name}(x)", x)
    with np.errstate(over="ignore", under="ignore"):
        expected = exact(name, x).astype(dtype)
    for special in (np.isnan, np.isinf, lambda a: a == 0):
        np.testing.assert_array_equal(special(found), special(expected), err_msg=str(x))
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]), err_msg=str(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["abs", "sign", "floor", "ceil", "sqrt"])
def test_exact_functions_are_numpys(name, dtype):
    x = samples(dtype, 10_000)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluate(f"{name}(x)", x), getattr(np, name)(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_functions_of_libm(name, dtype):
    x = np.random.default_rng(1).normal(0, 100, 10_000).astype(dtype)
    expected = getattr(np, name)(x.astype("float64"))
    np.testing.assert_allclose(evaluate(f"{name}(x)", x), expected, rtol=0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["isnan", "isinf"])
def test_questions(name, dtype):
    x = samples(dtype, 1000)
    np.testing.assert_array_equal(evaluate(f"{name}(x)", x, result="uint8"), getattr(np, name)(x))
    integers = np.arange(5)
    assert not evaluate(f"{name}(x)", integers, result="uint8").any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extrema_of_two(name, dtype):
    generator = np.random.default_rng(2)
    x, y = (
        generator.integers(0, 256, (999, np.dtype(dtype).itemsize), np.uint8).view(dtype).ravel()
        for _ in "xy"
    )
    if np.dtype(dtype).kind == "f":
        x[::7], y[::5] = np.nan, np.inf
    np.testing.assert_array_equal(evaluate(f"{name}(x, y)", x, y), getattr(np, name)(x, y))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("name", ["abs", "sign", "floor", "ceil"])
def test_integers_stay_integers(name, dtype):
    x = np.arange(100).astype(dtype) - (50 if np.dtype(dtype).kind == "i" else 0)
    x = x.astype(dtype)
    np.testing.assert_array_equal(evaluate(f"{name}(x)", x), getattr(np, name)(x))


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("bool", "float32"), ("int8", "float32"), ("uint16", "float32"), ("int32", "float64")],
)
def test_functions_of_integers_are_floats(dtype, result):
    x = np.array([0, 1, 1]).astype(dtype) if dtype == "bool" else np.arange(20).astype(dtype)
    expected = np.exp(x.astype(result))
    np.testing.assert_allclose(
        evaluate("exp(x)", x, result=result), expected, rtol=2e-7 if result == "float32" else 2e-15
    )
    float_type = types.float32 if result == "float32" else types.float64
    assert ("double" in code("exp(x)", dtype, result)) == (float_type == types.float64)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_quotients_of_integers(name, dtype):
    generator = np.random.default_rng(3)
    words = generator.integers(0, 256, (2, 999, np.dtype(dtype).itemsize), np.uint8)
    x, y = words.view(dtype).reshape(2, -1)
    y[::7] >>= np.array(8 * y.itemsize - 3, dtype)  # small divisors
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluate(f"{name}(x, y)", x, y), getattr(np, name)(x, y))
    assert ({0} if dtype.startswith("u") else {0, -1}) <= set(y.tolist())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_power_of_integers_wraps(dtype):
    x, y = (each.ravel().astype(dtype) for each in np.meshgrid(range(-7, 8), range(30)))
    np.testing.assert_array_equal(evaluate("modular_power(x, y)", x, y), np.power(x, y))


SPECIAL_FUNCTIONS = {  # of SciPy, and where it is compared
    "erfinv": (scipy.special.erfinv, np.concatenate([np.linspace(-1, 1, 9999), 10.0 ** -np.arange(308)])),
    "erfcinv": (scipy.special.erfcinv, np.concatenate([np.linspace(0, 2, 9999), 10.0 ** -np.arange(305)])),
    "gamma": (scipy.special.gamma, np.linspace(-20.03, 171, 9999)),
    "gammaln": (scipy.special.gammaln, np.linspace(-20.03, 1e3, 9999)),
    **{
        f"polygamma {n}": (functools.partial(scipy.special.polygamma, n), np.linspace(-20.03, 200, 9999))
        for n in range(5)
    },
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SPECIAL_FUNCTIONS)
def test_special_functions_are_scipys(name, dtype):
    function, x = SPECIAL_FUNCTIONS[name]
    x = x[(x > 0) | (np.abs(x - np.rint(x)) > 1e-3)]  # near the poles SciPy's psi itself errs by 1e-12
    x = np.append(x, [np.nan, np.inf, -0.0, 0, 1, 2, -1, -2]).astype(dtype)
    name, *order = name.split()
    order = f"{order[0]} * one, " if order else ""
    with np.errstate(all="ignore"):
        expected = function(x.astype("float64")).astype(dtype)
    # Near a zero what counts is the error of the terms; both sides err by some units.
    error = 1e-6 if dtype == "float32" else 2e-13
    np.testing.assert_allclose(evaluate(f"{name}({order}x)", x), expected, rtol=error, atol=error)


def test_where():
    x, y = np.array([0.0, 2, np.nan, -1]), np.array([5.0, 6, 7, 8])
    np.testing.assert_array_equal(evaluate("where(x > 0.0, x, y)", x, y), np.where(x > 0, x, y))
    np.testing.assert_array_equal(evaluate("where(x, x, y)", x, y), np.where(x, x, y))


def test_what_is_no_number_is_refused():
    with pytest.raises(numba.core.errors.TypingError, match="expected real numbers"):
        code("exp(1j)", "float32", "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "expression",
    [
        "one / (one + exp(-x))",
        "tanh(x)",
        "log(x)",
        "log1p(x)",
        "expm1(x)",
        "sqrt(x)",
        "floor(x)",
        "trunc(x)",
        "rint(x)",
        "sign(x)",
        "maximum(x, one)",
    ],
)
def test_loops_are_vector_code(expression, dtype):
    text = code(expression, dtype, dtype)
    element = {"float32": "float", "float64": "double"}[dtype]
    assert re.search(rf"store <\d+ x {element}>", text)
    assert not re.search(r"call [a-z ]*(float|double) @(?!llvm)", text), "a call of libm"
    assert not re.search("double" if dtype == "float32" else "float ", text), "another precision"


def test_loops_over_float32_erf_are_vector_code():
    assert re.search(r"store <\d+ x float>", code("erf(x)", "float32", "float32"))


@pytest.mark.parametrize("name", BOUNDS)
def test_no_operation_of_a_function_may_be_reassociated(name):
    text = code(f"{name}(x)", "float32", "float32")
    operations = re.findall(r"= f(?:add|sub|mul|div) .*", text)
    assert operations
    assert not [operation for operation in operations if "reassoc" in operation]


@pytest.mark.parametrize("emit", [emit_exp, emit_tanh])
def test_emitters_make_vectors(emit):
    from llvmlite import ir

    vector = ir.VectorType(ir.FloatType(), 8)

    @intrinsic
    def eight(typingctx, source, target):
        def generate(context, builder, signature, arguments):
            source, target = (builder.bitcast(argument, vector.as_pointer()) for argument in arguments)
            x = Real(builder, builder.load(source, align=4, typ=vector))
            builder.store(emit(x).value, target, align=4)
            return context.get_dummy_value()

        return types.void(source, target), generate

    at = pointer_to("float32")

    def kernel(args, scratch, begin, end):
        eight(at(args[0]), at(args[1]))
        return 0

    x = np.linspace(-3, 3, 8, dtype="float32")
    found = np.empty_like(x)
    words = (ctypes.c_int64 * 2)(x.ctypes.data, found.ctypes.data)
    assert loaded(kernel)(words, None, 0, 0) == 0
    np.testing.assert_array_equal(found, evaluate(f"{emit.__name__.removeprefix('emit_')}(x)", x))
