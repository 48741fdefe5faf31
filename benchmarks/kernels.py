"""Measure convolutions and matrix products beside PyTorch's, on one thread.

Run as ``python benchmarks/kernels.py [float64] [open]``; with `open`, convolutions serve images of any size.
The two sides of a row alternate within one run and are compared by their medians, for a shared machine is
noisy; every result is checked. Packing is included.
"""

import ctypes
import functools
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from arignote.compile.kernels.conv import correlation as plan_correlation
from arignote.compile.kernels.conv_filter_gradient import FilterGradient
from arignote.compile.kernels.conv_geometry import POINT, ConvAxis, ConvGeometry
from arignote.compile.kernels.dot import MANY_ROWS, InnerProduct, OuterProduct
from arignote.compile.objects import kernel_address
from arignote.compile.simd import host
from arignote.compile.spec import KernelSpec

try:
    import torch
except ImportError:
    torch = None

SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
SECONDS = 0.5  # for one side of a row
# images, channels, size, filters, taps, stride, padding; then groups, and planes of images that have a depth
CONVOLUTIONS = [
    (10, 1, 28, 20, 5, 1, 0),
    (10, 20, 12, 40, 5, 1, 0),
    (32, 3, 32, 32, 3, 1, 1),
    (32, 32, 32, 32, 3, 1, 1),
    (16, 64, 56, 64, 3, 1, 1),
    (8, 128, 28, 128, 3, 1, 1),
    (4, 256, 14, 256, 3, 1, 1),
    (8, 64, 56, 256, 1, 1, 0),
    (1, 3, 224, 64, 7, 2, 3),
    (8, 128, 28, 128, 3, 1, 1, 4),
    (8, 64, 56, 64, 3, 1, 1, 64),
    (8, 64, 56, 64, 3, 2, 1, 64),
    (8, 256, 14, 256, 5, 1, 2, 256),
    (4, 16, 28, 32, 3, 1, 1, 1, 16),
    (2, 64, 14, 64, 3, 1, 1, 1, 14),
]
# rows, terms, columns of A B; its gradients are the products AᵀC and C Bᵀ
PRODUCTS = [
    (10, 2880, 100),
    (128, 2880, 100),
    (10, 100, 10),
    (10, 1000, 1000),
    (128, 1000, 1000),
    (64, 4096, 512),
    (256, 400, 120),
    (1, 1000, 1000),
    (1000, 1000, 1),
    (1024, 1024, 1024),
]


def aligned(elements, dtype):
    """Allocate an array that begins on a cache line."""
    memory = np.zeros(elements * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + elements * np.dtype(dtype).itemsize].view(dtype)


def bind(builder, plan, tasks, *words):
    """Return a function without arguments that runs all tasks of a kernel."""
    kernel = SIGNATURE(kernel_address(KernelSpec.of(builder, **plan.parameters)))
    words += tuple(getattr(plan, "words", ()))
    scratch = aligned(getattr(plan, "scratch_bytes", 0), np.uint8)
    values = [word.ctypes.data if isinstance(word, np.ndarray) else word for word in words]
    arguments = (ctypes.c_int64 * len(words))(*values)

    def run(keep=(words, scratch)):
        kernel(arguments, scratch.ctypes.data, 0, tasks)

    return run


def in_turn(*steps):
    """Return a function that runs the steps."""

    def run():
        for step in steps:
            step()

    return run


def medians(*functions):
    """Return the median seconds of each function; they take turns."""
    start = time.perf_counter()
    for function in functions:
        function()
    repeats = int(np.clip(SECONDS * len(functions) / (time.perf_counter() - start), 5, 1000))
    seconds = [[] for _ in functions]
    for _ in range(repeats):
        for function, measured in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in seconds]


def row(name, operations, ours, theirs, result, expected):
    """Print a line of the table, after a check of the result against torch's in float64."""
    ours()
    if torch is None:
        (seconds,) = medians(ours)
        print(f"| {name} | {operations / seconds * 1e-9:.0f} | | |", flush=True)
        return
    expected = expected().numpy()
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.abs(expected).max(), err_msg=name)
    seconds, others = medians(ours, theirs)
    ours_rate, their_rate = (operations / t * 1e-9 for t in (seconds, others))
    print(f"| {name} | {ours_rate:.0f} | {their_rate:.0f} | {others / seconds:.2f} |", flush=True)


def convolution(n, channels, size, filters, taps, stride, pad, groups=1, planes=0, *, dtype, promised):
    """Measure a convolution and its gradients; images of no planes have two axes."""
    axis = ConvAxis(size, taps, pad, pad, stride, 1, False)
    depth = replace(axis, extent=planes) if planes else POINT
    geometry = ConvGeometry(groups, channels // groups, filters // groups, depth, axis, axis)
    shown = slice(None) if planes else slice(1, None)
    image, maps = ([getattr(axis, of) for axis in geometry.axes][shown] for of in ("extent", "outputs"))
    kernel = [axis.taps for axis in geometry.axes][shown]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, channels, *image)).astype(dtype)
    w = rng.standard_normal((filters, channels // groups, *kernel)).astype(dtype)
    dy = rng.standard_normal((n, filters, *maps)).astype(dtype)

    def packed(packing, images):
        target = aligned(packing.elements(n * groups), dtype)
        tasks = packing.tasks(n * groups)
        return target, bind("conv_pack:pack", packing, tasks, images, target, n * groups)

    def correlation(images, gradient):
        plan = plan_correlation(dtype, host(), geometry, gradient, promised=promised)
        target, pack = packed(plan.packing, images)
        out = np.empty_like(x if gradient else dy)
        correlate = bind(plan.kernel, plan, plan.tasks(n), target, w, out, n * groups)
        return out, in_turn(pack, correlate)

    def filter_gradient():
        plan = FilterGradient(dtype, host(), geometry, promised=promised)
        images, pack_images = packed(plan.image_packing, x)
        pack_images()  # outside the measurement: the forward convolution has packed them
        gradient, pack = packed(plan.gradient_packing, dy)
        out = np.empty_like(w)
        return out, in_turn(
            pack, bind("conv_filter_gradient:filter_gradient", plan, plan.tasks(n), images, gradient, out, n)
        )

    def theirs(which, *, double=False):
        arrays = (torch.from_numpy(a).double() if double else torch.from_numpy(a) for a in (dy, x, w))
        dy_, x_, w_ = arrays
        if which is None:
            convolve = torch.nn.functional.conv3d if planes else torch.nn.functional.conv2d
            return lambda: convolve(x_, w_, stride=stride, padding=pad, groups=groups)
        wanted = [which == 0, which == 1, False]
        backward = torch.ops.aten.convolution_backward
        rank = len(image)
        options = [stride] * rank, [pad] * rank, [1] * rank, False, [0] * rank, groups, wanted
        return lambda: backward(dy_, x_, w_, None, *options)[which]

    name = f"{'x'.join(map(str, x.shape))}, {filters}@{'x'.join(map(str, kernel))}"
    name += f" stride {stride}" * (stride > 1) + f" pad {pad}" * (pad > 0)
    name += f", {groups} groups" * (groups > 1)
    operations = n * geometry.flops
    for part, which, (result, ours) in (
        ("forward", None, correlation(x, gradient=False)),
        ("input gradient", 0, correlation(dy, gradient=True)),
        ("filter gradient", 1, filter_gradient()),
    ):
        peer = (theirs(which), theirs(which, double=True)) if torch else (None, None)
        row(f"{name}: {part}", operations, ours, peer[0], result, peer[1])


def product(m, k, n, dtype):
    """Measure a matrix product and the two of its gradients."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    for name, left, right in (("A B", a, b), ("Aᵀ B", a.T, c), ("A Bᵀ", c, b.T)):
        rows, columns = left.shape[0], right.shape[1]
        out = np.empty((rows, columns), dtype)
        operands = (right.T, left.T) if columns == 1 else (left, right)  # one column: the transpose
        strides = [s // x.itemsize for x in operands for s in x.strides]
        inner = strides[1] == strides[2] == 1 != strides[3] and len(operands[0]) < MANY_ROWS
        plan = (InnerProduct if inner else OuterProduct)(dtype, host())
        shape = operands[0].shape[0], operands[1].shape[1], operands[0].shape[1]
        kernel = "dot:inner_product" if inner else "dot:outer_product"
        ours = bind(kernel, plan, plan.tasks(*shape[:2]), *operands, out, *shape, *strides)
        theirs = expected = None
        if torch:
            left_, right_, out_ = (torch.from_numpy(x) for x in (left, right, np.empty_like(out)))
            theirs = functools.partial(torch.mm, left_, right_, out=out_)
            expected = functools.partial(torch.mm, left_.double(), right_.double())
        label = f"{name}: {rows}x{left.shape[1]}x{columns}"
        row(label, 2 * rows * left.shape[1] * columns, ours, theirs, out, expected)


def main():
    """Print the table, for the dtype named on the command line or float32."""
    dtype, promised = ("float64" if "float64" in sys.argv else "float32"), "open" not in sys.argv
    if torch:
        torch.set_num_threads(1)
    print(f"{dtype}, GFLOP/s\n\n| operation | arignote | torch | ratio |\n|---|---|---|---|")
    for shape in CONVOLUTIONS:
        convolution(*shape, dtype=dtype, promised=promised)
    for shape in PRODUCTS:
        product(*shape, dtype)


if __name__ == "__main__":
    main()
