"""From a Python function to LLVM code: Numba's front end, without what a kernel never needs.

`numba.cfunc` also makes what Python would need to call a function, links Numba's runtime in, optimises
everything twice and generates machine code that nobody runs: more than half of its time. So kernels are a
*target* of their own (Numba's target extension API): typing and lowering are Numba's, and what they make
stays text until one pipeline of LLVM's passes has seen all of it.

Imports numba, so only the builders of kernels and `objects`, when it has to build, import this module.
"""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call, misc"

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import codegen, compiler, cpu, descriptors, dispatcher, fastmathpass, types, typing
from numba.core import typed_passes as typed
from numba.core import untyped_passes as untyped
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)

TARGET = "arignote"

#: What a kernel is called with; a driver's function takes only the first.
ARGUMENTS = (types.CPointer(types.int64), types.CPointer(types.uint8), types.int64, types.int64)

#: Called where a kernel would raise: what still calls it after optimisation is refused.
_RAISES = "kernel_raises"


class _Library(codegen.JITCodeLibrary):
    """The text of a function's module, and the libraries of the functions that it calls."""

    def __init__(self, owner: Any, name: str) -> None:
        codegen.CodeLibrary.__init__(self, owner, name)
        self.text = ""
        self.called: list[_Library] = []

    def add_ir_module(self, module: Any) -> None:
        self.text = str(module)

    def add_linking_library(self, library: _Library) -> None:
        self.called.append(library)

    def finalize(self) -> None:
        """Nothing is compiled before the kernel is whole."""

    def texts(self) -> list[str]:
        """Return the modules of the function and of all that it calls."""
        found: dict[_Library, None] = {}
        pending = [self]
        while pending:
            library = pending.pop()
            if library not in found:
                found[library] = None
                pending.extend(library.called)
        return [library.text for library in found]


class _Codegen(codegen.JITCPUCodegen):
    """Makes such libraries."""

    _library_class = _Library


class _Typing(typing.Context):
    """Types of numbers, pointers and tuples, and of the functions of `math`."""

    def load_additional_registries(self) -> None:
        from numba.core.typing import mathdecl

        self.install_registry(mathdecl.registry)


class _Target(cpu.CPUContext):
    """What lowering needs: the same of the CPU, and no Python."""

    def init(self) -> None:
        super().init()
        self._internal_codegen = _Codegen("kernels")
        self._sizes: dict[str, int] = {}

    def get_abi_sizeof(self, kind: Any) -> int:
        """Ask LLVM once for the size of a type; every variable asks."""
        text = str(kind)
        if text not in self._sizes:
            self._sizes[text] = super().get_abi_sizeof(kind)
        return self._sizes[text]

    def load_additional_registries(self) -> None:
        # Their lowerings register as they are imported.
        from numba.core import optional  # noqa: F401
        from numba.cpython import builtins, iterators, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(mathimpl.registry)

    def post_lowering(self, module: Any, library: Any) -> None:
        if self.fastmath:
            fastmathpass.rewrite_module(module, self.fastmath)

    def create_cpython_wrapper(self, *args: Any, **options: Any) -> None:
        """Nobody calls it from Python."""

    def create_cfunc_wrapper(self, *args: Any) -> None:
        """Only a kernel has an entry, see `_entry`."""

    def get_executable(self, library: Any, description: Any, environment: Any) -> object:
        return object()  # stands for a function that a kernel calls, in Numba's tables


class _Compiler(compiler.CompilerBase):
    """Numba's passes but for those of closures, generators, arrays, exceptions and parallel loops."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("kernel")
        for each in (
            untyped.TranslateByteCode,
            untyped.FixupArgs,
            untyped.IRProcessing,
            untyped.RewriteSemanticConstants,
            untyped.DeadBranchPrune,
            untyped.GenericRewrites,
            untyped.ReconstructSSA,
            typed.NopythonTypeInference,
            typed.PreLowerStripPhis,
            typed.IRLegalization,
            typed.NativeLowering,
            typed.NoPythonBackend,
        ):
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


class _Kernel(CPU):
    """The target, in Numba's tables."""


class _Descriptor(descriptors.TargetDescriptor):
    options = cpu.CPUTargetOptions

    @property
    def typing_context(self) -> _Typing:
        return _contexts()[0]

    @property
    def target_context(self) -> _Target:
        return _contexts()[1]


@cache
def _contexts() -> tuple[_Typing, _Target]:
    types_of = _Typing()
    return types_of, _Target(types_of, TARGET)


class _Dispatcher(dispatcher.Dispatcher):
    """A function that kernels call."""

    targetdescr = _Descriptor(TARGET)

    def add_overload(self, result: Any) -> None:
        self.overloads[tuple(result.signature.args)] = result


def _jit(**options: Any) -> Any:
    return numba.jit(_target=TARGET, pipeline_class=_Compiler, **{"nopython": True, **options})


target_registry[TARGET] = _Kernel
dispatcher_registry[_Kernel] = _Dispatcher
jit_registry[_Kernel] = _jit


def _flags() -> compiler.Flags:
    flags = compiler.Flags()
    options = {
        "nopython": True,
        "_nrt": False,
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc"},
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    cpu.CPUTargetOptions.parse_as_flags(flags, options)
    flags.no_compile = True
    return flags


def _entry(description: Any, symbol: str) -> str:
    """Write the function that is called from outside, as C would."""
    _, context = _contexts()
    module = context.create_module("entry")
    kind = context.call_conv.get_function_type(description.restype, description.argtypes)
    function = ir.Function(module, kind, description.llvm_func_name)
    word, *parameters = map(context.get_value_type, (description.restype, *description.argtypes))
    entry = ir.Function(module, ir.FunctionType(word, parameters), symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    status, result = context.call_conv.call_function(
        builder, function, description.restype, description.argtypes, entry.args
    )
    with builder.if_then(status.is_error):
        builder.call(ir.Function(module, ir.FunctionType(ir.VoidType(), []), _RAISES), [])
    builder.ret(result)
    return str(module)


def translate(function: Callable[..., int], symbol: str) -> list[str]:
    """Translate a kernel.

    Parameters
    ----------
    function : callable
        Plain Python, as a builder returns it.
    symbol : str
        The name under which the code is to be called.

    Returns
    -------
    list of str
        Modules of LLVM's language, the kernel's entry first; `optimized` makes one of them.

    Raises
    ------
    numba.core.errors.NumbaError
        If Numba does not understand it.
    """
    arguments = ARGUMENTS[: function.__code__.co_argcount]
    with global_compiler_lock, target_override(TARGET):
        types_of, context = _contexts()
        library = context.codegen().create_library(symbol)
        compiled = compiler.compile_extra(
            types_of, context, function, arguments, types.int64, _flags(), {},
            library=library, pipeline_class=_Compiler,
        )  # fmt: skip
        return [_entry(compiled.fndesc, symbol), *library.texts()]


def optimized(texts: list[str], symbol: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Link what `translate` returned, and optimise it for a machine.

    Parameters
    ----------
    texts : list of str
    symbol : str
        As for `translate`.
    machine : llvmlite.binding.TargetMachine

    Returns
    -------
    llvmlite.binding.ModuleRef
        It exports `symbol`, and nothing else.
    """
    context = llvm.create_context()
    module = llvm.parse_assembly(texts[0], context)
    for text in texts[1:]:
        module.link_in(llvm.parse_assembly(text, context))
    module.data_layout = str(machine.target_data)
    for number, value in enumerate((*module.functions, *module.global_variables)):
        if not value.is_declaration and value.name != symbol:
            value.linkage = "internal"
            value.name = (
                f"local{number}"  # Numba's names hold a count; without, the same spec is the same file
            )
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


def needs_runtime(module: llvm.ModuleRef) -> list[str]:
    """Name what an optimised module calls of the runtime of Python or Numba: nothing, if it is a kernel."""
    return [f.name for f in module.functions if f.name.startswith((_RAISES, "Py", "_Py", "numba_", "NRT_"))]
