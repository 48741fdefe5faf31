"""Single operations in arignote and its peers: each makes a function without arguments that computes one.

An operation is a `Convolution`, a `Pooling` or a `Product`; `arrays` are what it is computed from. The method
of a peer that is named so returns the function, or None if the peer cannot do it; the method `result` turns
what the function returns into an array like arignote's.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

Run = Callable[[], Any]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Convolution:
    """A convolution of square images by square filters, or one of its gradients."""

    images: int
    channels: int
    size: int
    filters: int
    taps: int
    stride: int = 1
    pad: int = 0
    groups: int = 1
    part: str = "forward"

    parts: ClassVar = ("forward", "input gradient", "filter gradient")
    method: ClassVar = "convolution"

    @property
    def outputs(self) -> int:
        return (self.size + 2 * self.pad - self.taps) // self.stride + 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "x": (self.images, self.channels, self.size, self.size),
            "w": (self.filters, self.channels // self.groups, self.taps, self.taps),
            "dy": (self.images, self.filters, self.outputs, self.outputs),
        }

    @property
    def flops(self) -> int:
        return 2 * self.shapes["dy"][0] * self.outputs**2 * int(np.prod(self.shapes["w"]))

    def __str__(self) -> str:
        name = (
            f"{self.images}x{self.channels}x{self.size}x{self.size}, {self.filters}@{self.taps}x{self.taps}"
        )
        name += f" stride {self.stride}" * (self.stride > 1) + f" pad {self.pad}" * (self.pad > 0)
        return name + f", {self.groups} groups" * (self.groups > 1) + f": {self.part}"


@dataclass(frozen=True)
class Pooling:
    """Pooling of the windows that lie within the padded images, or its gradient."""

    mode: str
    images: int
    channels: int
    size: int
    window: int
    stride: int
    pad: int = 0
    part: str = "forward"

    parts: ClassVar = ("forward", "backward")
    method: ClassVar = "pooling"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        outputs = (self.size + 2 * self.pad - self.window) // self.stride + 1
        return {
            "x": (self.images, self.channels, self.size, self.size),
            "dy": (self.images, self.channels, outputs, outputs),
        }

    def __str__(self) -> str:
        name = f"{self.mode} {self.window}x{self.window} stride {self.stride}" + f" pad {self.pad}" * self.pad
        return f"{name} of {self.images}x{self.channels}x{self.size}x{self.size}: {self.part}"


@dataclass(frozen=True)
class Product:
    """A matrix product, of which an operand may lie in memory as its transpose."""

    rows: int
    terms: int
    columns: int
    part: str = "A B"

    parts: ClassVar = ("A B", "Aᵀ B", "A Bᵀ")
    method: ClassVar = "product"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        a, b = (self.rows, self.terms), (self.terms, self.columns)
        return {"a": a[::-1] if "Aᵀ" in self.part else a, "b": b[::-1] if "Bᵀ" in self.part else b}

    def of(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Return the operands, turned."""
        return (a.T if "Aᵀ" in self.part else a), (b.T if "Bᵀ" in self.part else b)

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.terms * self.columns

    def __str__(self) -> str:
        return f"{self.rows}x{self.terms}x{self.columns}: {self.part}"


Operation = Convolution | Pooling | Product


def arrays(operation: Operation, dtype: str) -> Arrays:
    """Return what an operation is computed from."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in operation.shapes.items()}


class Peer:
    """A library; `needs` is the module that has to be installed."""

    name: str
    needs = "numpy"

    def start(self, threads: int) -> None:
        """Import the library, for so many threads."""

    def run(self, operation: Operation, data: Arrays) -> Run | None:
        """Return the function that computes an operation."""
        make = getattr(self, operation.method, None)
        return make(operation, data) if make else None

    def result(self, operation: Operation, value: Any) -> np.ndarray:
        """Return what a run has returned, as NumPy's array with channels second."""
        return np.asarray(value)


class Arignote(Peer):
    """The project itself, called with bound arrays, as loops call it."""

    name = "arignote"

    def start(self, threads: int) -> None:
        from arignote.compile.threads import set_num_threads

        set_num_threads(threads)

    def _bound(self, inputs: Arrays, expression: Callable[..., Any]) -> Run:
        import arignote
        from arignote import tensor as T

        variables = [T.TensorType(str(a.dtype), a.shape)(name) for name, a in inputs.items()]
        return arignote.function(variables, expression(*variables)).bind(*inputs.values())

    def convolution(self, c: Convolution, data: Arrays) -> Run:
        from arignote.tensor.nnet import abstract_conv as conv

        options = {
            "border_mode": (c.pad, c.pad),
            "subsample": (c.stride, c.stride),
            "num_groups": c.groups,
            "filter_flip": False,
        }
        shapes = {"input_shape": c.shapes["x"], "filter_shape": c.shapes["w"]}
        used, expression = {
            "forward": ("xw", lambda x, w: conv.conv2d(x, w, **shapes, **options)),
            "input gradient": (
                ["dy", "w"],
                lambda dy, w: conv.conv2d_grad_wrt_inputs(dy, w, **shapes, **options),
            ),
            "filter gradient": (
                ["x", "dy"],
                lambda x, dy: conv.conv2d_grad_wrt_weights(x, dy, **shapes, **options),
            ),
        }[c.part]
        return self._bound({name: data[name] for name in used}, expression)

    def pooling(self, p: Pooling, data: Arrays) -> Run:
        from arignote.engine.ops.pool import MaxPool, MaxUnpool, SumPool, SumUnpool

        options = (p.window, p.window), (p.stride, p.stride), (p.pad, p.pad), True
        if p.mode == "average":
            options += ("average_inc_pad",)
            if p.part == "forward":
                return self._bound({"x": data["x"]}, SumPool(*options))
            return self._bound({"dy": data["dy"]}, lambda dy: SumUnpool(*options)(dy, p.size, p.size))
        forward = self._bound({"x": data["x"]}, lambda x: MaxPool(*options)(x).owner.outputs)
        if p.part == "forward":
            return forward
        positions = forward()[1].copy()
        unpool = MaxUnpool(*options)
        return self._bound(
            {"dy": data["dy"], "positions": positions}, lambda dy, at: unpool(dy, at, p.size, p.size)
        )

    def product(self, p: Product, data: Arrays) -> Run:
        return self._bound(data, lambda a, b: p.of(a, b)[0].dot(p.of(a, b)[1]))

    def result(self, operation: Operation, value: Any) -> np.ndarray:
        return np.asarray(value[0] if isinstance(value, list) else value)  # of a maximum, not its place


class NumPy(Peer):
    """NumPy, which leaves products to its BLAS."""

    name = "NumPy"

    def start(self, threads: int) -> None:
        """Do nothing: its BLAS has counted the cores already."""

    def product(self, p: Product, data: Arrays) -> Run:
        a, b = p.of(data["a"], data["b"])
        return functools.partial(np.matmul, a, b, out=np.empty((p.rows, p.columns), a.dtype))


class Torch(Peer):
    """PyTorch, operation by operation."""

    name = "PyTorch"
    needs = "torch"

    def start(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)

    def _made(self, function: Callable[..., Any], *inputs: np.ndarray) -> Run:
        import torch

        tensors = [torch.from_numpy(x) for x in inputs]
        return lambda: function(*tensors)

    def convolution(self, c: Convolution, data: Arrays) -> Run:
        import torch

        stride, pad = [c.stride] * 2, [c.pad] * 2
        if c.part == "forward":
            convolve = torch.nn.functional.conv2d
            return self._made(
                lambda x, w: convolve(x, w, None, stride, pad, 1, c.groups), data["x"], data["w"]
            )
        which = c.parts.index(c.part) - 1
        wanted = [which == 0, which == 1, False]
        backward = torch.ops.aten.convolution_backward
        return self._made(
            lambda dy, x, w: backward(
                dy, x, w, None, stride, pad, [1, 1], False, [0, 0], c.groups, wanted
            )[which],
            *(data[name] for name in ("dy", "x", "w")),
        )  # fmt: skip

    def pooling(self, p: Pooling, data: Arrays) -> Run:
        import torch

        aten = torch.ops.aten
        options = [p.window] * 2, [p.stride] * 2, [p.pad] * 2
        if p.mode == "average":
            if p.part == "forward":
                return self._made(lambda x: aten.avg_pool2d(x, *options), data["x"])
            return self._made(
                lambda dy, x: aten.avg_pool2d_backward(dy, x, *options, False, True, None),
                data["dy"],
                data["x"],
            )
        if p.part == "forward":
            return self._made(lambda x: aten.max_pool2d_with_indices(x, *options)[0], data["x"])
        positions = aten.max_pool2d_with_indices(torch.from_numpy(data["x"]), *options)[1].numpy()
        return self._made(
            lambda dy, x, at: aten.max_pool2d_with_indices_backward(dy, x, *options, [1, 1], False, at),
            data["dy"],
            data["x"],
            positions,
        )

    def product(self, p: Product, data: Arrays) -> Run:
        import torch

        return self._made(lambda a, b: torch.mm(*p.of(a, b)), data["a"], data["b"])


class CompiledTorch(Torch):
    """`torch.compile` of each operation."""

    name = "torch.compile"

    def _made(self, function: Callable[..., Any], *inputs: np.ndarray) -> Run:
        import torch

        torch._dynamo.reset()
        return super()._made(torch.compile(function, dynamic=False), *inputs)


class Jax(Peer):
    """JAX, with channels where its user puts them: the arrays lie so already."""

    needs = "jax"

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.name = f"JAX {layout}"
        self.last = layout == "NHWC"

    def start(self, threads: int) -> None:
        """Import it: it counts the cores."""
        import jax  # noqa: F401

    def _made(self, function: Callable[..., Any], *inputs: np.ndarray) -> Run:
        import jax

        compiled, values = jax.jit(function), [jax.device_put(x) for x in inputs]
        return lambda: compiled(*values).block_until_ready()

    def _images(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if self.last else x

    def convolution(self, c: Convolution, data: Arrays) -> Run:
        import jax

        numbers = (self.layout, "HWIO" if self.last else "OIHW", self.layout)
        x, dy = self._images(data["x"]), self._images(data["dy"])
        w = np.ascontiguousarray(data["w"].transpose(2, 3, 1, 0)) if self.last else data["w"]

        def convolve(x: Any, w: Any) -> Any:
            return jax.lax.conv_general_dilated(
                x,
                w,
                [c.stride] * 2,
                [[c.pad] * 2] * 2,
                dimension_numbers=numbers,
                feature_group_count=c.groups,
            )

        if c.part == "forward":
            return self._made(convolve, x, w)
        which = c.parts.index(c.part) - 1
        return self._made(lambda x, w, dy: jax.vjp(convolve, x, w)[1](dy)[which], x, w, dy)

    def pooling(self, p: Pooling, data: Arrays) -> Run:
        import jax

        sides = [[0, 0], [p.pad] * 2, [p.pad] * 2, [0, 0]] if self.last else [[0, 0]] * 2 + [[p.pad] * 2] * 2
        window, stride = (
            (1, each, each, 1) if self.last else (1, 1, each, each) for each in (p.window, p.stride)
        )

        def pool(x: Any) -> Any:
            if p.mode == "average":
                return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, stride, sides) / p.window**2
            return jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, stride, sides)

        x, dy = self._images(data["x"]), self._images(data["dy"])
        if p.part == "forward":
            return self._made(pool, x)
        return self._made(lambda x, dy: jax.vjp(pool, x)[1](dy)[0], x, dy)

    def product(self, p: Product, data: Arrays) -> Run | None:
        if self.last:  # matrices have no channels
            return None
        return self._made(lambda a, b: p.of(a, b)[0] @ p.of(a, b)[1], data["a"], data["b"])

    def result(self, operation: Operation, value: Any) -> np.ndarray:
        value = np.asarray(value)
        if not self.last:
            return value
        return value.transpose((3, 2, 0, 1) if operation.part == "filter gradient" else (0, 3, 1, 2))


class OnnxRuntime(Peer):
    """ONNX Runtime, which has no gradients: sessions of one node, with bound inputs and outputs."""

    name = "ONNX Runtime"
    needs = "onnxruntime"

    def start(self, threads: int) -> None:
        import onnxruntime

        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads

    def _made(self, kind: str, inputs: Arrays, constants: Arrays, **attributes: Any) -> Run:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper, save_model

        tensors = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name, a in inputs.items()
        ]
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
        node = helper.make_node(kind, [*inputs, *constants], ["out"], **attributes)
        kept = [numpy_helper.from_array(a, name) for name, a in constants.items()]
        model = helper.make_model(
            helper.make_graph([node], "one", tensors, [out], kept),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=9,
        )
        save_model(model, buffer := io.BytesIO())
        session = onnxruntime.InferenceSession(buffer.getvalue(), self.options)
        binding = session.io_binding()
        for name, a in inputs.items():
            binding.bind_cpu_input(name, a)
        binding.bind_output("out")

        def run() -> Any:
            session.run_with_iobinding(binding)
            return binding

        return run

    def convolution(self, c: Convolution, data: Arrays) -> Run | None:
        if c.part != "forward" or data["x"].dtype != "float32":
            return None
        return self._made(
            "Conv",
            {"x": data["x"]},
            {"w": data["w"]},
            pads=[c.pad] * 4,
            strides=[c.stride] * 2,
            group=c.groups,
        )

    def pooling(self, p: Pooling, data: Arrays) -> Run | None:
        if p.part != "forward" or data["x"].dtype != "float32":
            return None
        options = {"kernel_shape": [p.window] * 2, "strides": [p.stride] * 2, "pads": [p.pad] * 4}
        if p.mode == "average":
            return self._made("AveragePool", {"x": data["x"]}, {}, count_include_pad=1, **options)
        return self._made("MaxPool", {"x": data["x"]}, {}, **options)

    def product(self, p: Product, data: Arrays) -> Run | None:
        if data["a"].dtype != "float32":
            return None
        turned = {"transA": int("Aᵀ" in p.part), "transB": int("Bᵀ" in p.part)}
        return self._made("Gemm", {"a": data["a"], "b": data["b"]}, {}, **turned)

    def result(self, operation: Operation, value: Any) -> np.ndarray:
        return value.copy_outputs_to_cpu()[0]


class PyTensor(Peer):
    """PyTensor, which has products, but no convolutions of images with channels and no pooling."""

    name = "PyTensor"
    needs = "pytensor"

    def start(self, threads: int) -> None:
        """Import it: it leaves products to a BLAS that has counted the cores."""
        import pytensor  # noqa: F401

    def product(self, p: Product, data: Arrays) -> Run:
        import pytensor
        import pytensor.tensor as pt

        variables = [pt.tensor(name, dtype=str(a.dtype), shape=a.shape) for name, a in data.items()]
        function = pytensor.function(variables, pt.dot(*p.of(*variables)), trust_input=True)
        return lambda: function(data["a"], data["b"])


PEERS = [
    NumPy(), Torch(), CompiledTorch(), Jax("NCHW"), Jax("NHWC"), OnnxRuntime(), PyTensor(),
]  # fmt: skip


def installed(names: list[str] | None = None) -> list[Peer]:
    """Return arignote and the peers that can be imported; say which cannot."""
    chosen = [peer for peer in PEERS if names is None or peer.name in names]
    missing = [peer.name for peer in chosen if importlib.util.find_spec(peer.needs) is None]
    if missing:
        print(f"Not installed, and left out: {', '.join(missing)}.\n")
    return [Arignote(), *(peer for peer in chosen if peer.name not in missing)]
