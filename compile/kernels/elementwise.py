"""Fused elementwise loops, with or without a reduction at the end.

A loop runs over an iteration space. Each operand has a stride in every dimension of it, 0 where it is
broadcast. In the inner loop a stride is 0, 1 or given at run time, and the kernel is built for which of
these it is, so that LLVM sees unit strides and invariant loads and makes vector code.

    arguments: output, operands...; the extents; for the output and each operand its strides
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arignote.compile.lowering import Steps, lowers, promised_shape, shape_of
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply, Op, Variable
from arignote.engine.ops.elementwise import OPERANDS, Elementwise
from arignote.engine.ops.reduce import Max, Min, Prod, Reduction, Sum
from arignote.engine.types import Shape

BLOCK = 4096  # elements of a task where there is one dimension
COLUMNS = 256  # outputs of a task that adds up rows: they stay in the first-level cache

NEUTRAL: Mapping[type[Reduction], str] = {Sum: "0", Prod: "1"}


@dataclass
class Formula:
    """The body of a loop under construction: lines of Python, from operands `x0`, `x1`, ... to a result."""

    operands: list[View] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    names: dict[Variable, str] = field(default_factory=dict)

    def operand(self, view: View) -> str:
        """Return the name of an operand's element."""
        if view not in self.operands:
            self.operands.append(view)
        return f"x{self.operands.index(view)}"

    def add(self, op: Elementwise, arguments: Sequence[str], dtypes: Sequence[str]) -> str:
        """Add the line of an op and return the name of its result."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {expression(op, arguments, dtypes)}")
        return name


def expression(op: Elementwise, arguments: Sequence[str], dtypes: Sequence[str]) -> str:
    """Return an op's formula over named arguments, every operand, number and result in its own dtype.

    >>> from arignote.engine.ops.elementwise import Sigmoid
    >>> expression(Sigmoid(), ["x0"], ["float32"])
    'float32(float32(1) / (float32(1) + exp(-float32(x0))))'
    """
    text = _typed_formula(op, tuple(dtypes))
    for operand, argument in zip(OPERANDS, arguments, strict=False):
        text = text.replace(f"<{operand}>", argument)
    return text


@functools.cache
def _typed_formula(op: Elementwise, dtypes: tuple[str, ...]) -> str:
    """Return an op's formula with `<x>`, `<y>`, `<z>` for the arguments."""
    operand_dtypes = op.operand_dtypes(dtypes)
    casts = dict(zip(OPERANDS, operand_dtypes, strict=False))

    class Typed(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            return _called(node, [node.left, node.right])

        def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
            self.generic_visit(node)
            return _called(node, [node.operand])

        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id not in casts:
                return node
            return ast.Call(ast.Name(casts[node.id]), [ast.Name(f"<{node.id}>")], [])

        def visit_Constant(self, node: ast.Constant) -> ast.expr:
            return ast.Call(ast.Name(operand_dtypes[-1]), [node], [])

    tree = Typed().visit(ast.parse(op.formula, mode="eval"))
    return f"{op.output_dtype(dtypes)}({ast.unparse(tree)})"


#: Operators whose meaning for whole numbers is not numba's.
FUNCTION_OF: Mapping[type[ast.AST], str] = {
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.Invert: "invert",
}  # fmt: skip


def _called(node: ast.BinOp | ast.UnaryOp, operands: list[ast.expr]) -> ast.expr:
    """Return an operation as the call of its function, if it has one."""
    name = FUNCTION_OF.get(type(node.op))
    return node if name is None else ast.Call(ast.Name(name, ast.Load()), operands, [])


def emit_loop(
    steps: Steps,
    node: Apply,
    formula: Formula,
    result: str,
    shape: Sequence[int],
    target: View,
    reduction: Reduction | None = None,
    ones: Collection[int] | None = None,
) -> None:
    """Add the step of a loop.

    Parameters
    ----------
    steps, node
        What the step belongs to.
    formula : Formula
        Its operands have the shape of the iteration space.
    result : str
        The name in the formula that is stored or reduced.
    shape : sequence of int
        The iteration space.
    target : View
        Where the result goes; of the iteration space without the reduced axes.
    reduction : Reduction, optional
    ones : collection of int, optional
        The axes whose extent is 1 in every call; by default those where it is 1 in this one.
    """
    if ones is None:
        ones = [axis for axis, extent in enumerate(shape) if extent == 1]
    reduced = reduction.axes if reduction is not None else ()
    kept = iter(target.strides)
    target_strides = [0 if axis in reduced else next(kept) for axis in range(len(shape))]
    strides = [tuple(target_strides), *(view.strides for view in formula.operands)]
    if target.size == 0:
        return
    dims = collapse(shape, strides, reduced, ones)
    is_reduced = [axis_reduced for _, _, axis_reduced in dims]
    # Rows of outputs that are added up: the inner loop runs over outputs, reduced dimensions lie around it.
    kept_dims = [dim for dim in dims if not dim[2]]
    reduced_dims = [dim for dim in dims if dim[2]]
    inner_is_reduced = bool(is_reduced) and is_reduced[-1]
    if inner_is_reduced:
        order = [*kept_dims, *reduced_dims]
        tasks = math.prod(extent for extent, _, _ in kept_dims)
    elif reduction is not None:
        order = [*kept_dims[:-1], *reduced_dims, kept_dims[-1]]
        tasks = math.prod(extent for extent, _, _ in kept_dims[:-1]) * -(-kept_dims[-1][0] // COLUMNS)
    else:
        order = dims
        tasks = -(-dims[0][0] // BLOCK) if len(dims) == 1 else math.prod(extent for extent, _, _ in dims[:-1])
    inner_strides = order[-1][1]
    in_place = tuple(
        view.buffer == target.buffer and view.offset == target.offset and view.strides == target.strides
        for view in formula.operands
    )
    spec = KernelSpec.of(
        "elementwise:loop",
        dimensions=len(order),
        reduced=len(reduced_dims),
        reduction=type(reduction).step if reduction is not None else "",
        neutral=NEUTRAL.get(type(reduction), "first") if reduction is not None else "",
        inner_is_reduced=inner_is_reduced,
        dtypes=(target.dtype, *(view.dtype for view in formula.operands)),
        inner=tuple("01n"[min(stride, 2)] if stride >= 0 else "n" for stride in inner_strides),
        in_place=in_place,
        lines=tuple(formula.lines),
        result=result,
    )
    words = [extent for extent, _, _ in order]
    words.extend(
        stride for operand in zip(*(each for _, each, _ in order), strict=True) for stride in operand
    )
    steps.step(
        spec,
        node,
        reads=formula.operands,
        writes=[target],
        arguments=[target, *formula.operands, *words],
        tasks=tasks,
        flops=math.prod(shape) * (len(formula.lines) + (reduction is not None)),
    )


#: An extent, the strides of the output and the operands, and whether it is reduced.
Dim = tuple[int, tuple[int, ...], bool]


def collapse(
    shape: Sequence[int], strides: Sequence[Sequence[int]], reduced: Sequence[int], ones: Collection[int]
) -> list[Dim]:
    """Return the dimensions of an iteration space, without the axes `ones`, and adjacent ones joined.

    Two dimensions join where, for every operand, a step in the outer one is as long as the whole inner one.
    """
    dims: list[Dim] = []
    for axis, extent in enumerate(shape):
        if axis in ones:
            continue
        steps = tuple(each[axis] for each in strides)
        is_reduced = axis in reduced
        if dims:
            before, before_steps, before_reduced = dims[-1]
            if before_reduced == is_reduced and all(
                outer == inner * extent for outer, inner in zip(before_steps, steps, strict=True)
            ):
                dims[-1] = (before * extent, steps, is_reduced)
                continue
        dims.append((extent, steps, is_reduced))
    return dims or [(1, (0,) * len(strides), bool(reduced) and len(reduced) == len(shape))]


def lower_group(steps: Steps, members: Sequence[Apply], root: Apply, promised: Shape | None = None) -> None:
    """Add the step of a fused group: elementwise nodes, and the reduction at its end if the root is one.

    Extents of the loop that are the same in every call are `promised`: by default what the open graph knew.
    """
    reduction = root.op if isinstance(root.op, Reduction) else None
    space = root.inputs[0] if reduction is not None else root.outputs[0]
    shape = shape_of(space)
    if promised is None:
        promised = promised_shape(space, shape)
    formula = Formula()
    for member in members:
        if isinstance(member.op, Elementwise):
            arguments = [_element(steps, formula, x, shape, promised) for x in member.inputs]
            formula.names[member.outputs[0]] = formula.add(
                member.op, arguments, [x.dtype for x in member.inputs]
            )
    result = _element(steps, formula, space, shape, promised)
    ones = [axis for axis, extent in enumerate(promised) if extent == 1]
    emit_loop(steps, root, formula, result, shape, steps.allocate(root.outputs[0]), reduction, ones)


def _element(steps: Steps, formula: Formula, x: Variable, shape: Sequence[int], promised: Shape) -> str:
    """Return the name of a variable's element: a line's, or an operand's."""
    if x in formula.names:
        return formula.names[x]
    view = steps.view(x)
    if view.size == 1 and len(view.shape) != len(shape):
        view = view.shuffled(("x",) * len(shape))
    elif None in promised:
        # A batch of 1 is no reason for other code: what broadcasts in every call does so in this one.
        known = promised_shape(x, view.shape)
        broadcast = [mine == 1 and theirs != 1 for mine, theirs in zip(known, promised, strict=True)]
        strides = (0 if is_one else stride for is_one, stride in zip(broadcast, view.strides, strict=True))
        view = replace(view, strides=tuple(strides))
    return formula.operand(view.broadcast(shape))


def copy(steps: Steps, source: View, target: View, node: Apply) -> None:
    """Add a step that copies one view to another of the same shape."""
    formula = Formula()
    emit_loop(steps, node, formula, formula.operand(source), source.shape, target)


def fill(steps: Steps, number: str, target: View, node: Apply) -> None:
    """Add a step that fills a view with a number."""
    emit_loop(steps, node, Formula(), f"{target.dtype}({number})", target.shape, target)


@lowers(Elementwise, Sum, Prod, Max, Min)
def lower_single(steps: Steps, op: Op, node: Apply) -> None:
    """Lower a node that is in no larger group."""
    lower_group(steps, [node], node)


def loop(
    *,
    dimensions: int,
    reduced: int,
    reduction: str,
    neutral: str,
    inner_is_reduced: bool,
    dtypes: tuple[str, ...],
    inner: tuple[str, ...],
    in_place: tuple[bool, ...],
    lines: tuple[str, ...],
    result: str,
) -> Callable[..., int]:
    """Build the kernel of a loop.

    Parameters
    ----------
    dimensions, reduced : int
        Number of dimensions, and how many of them are reduced.
    reduction, neutral : str
        The formula of accumulator `x` and element `y`, and what it starts from ('first': the first element);
        empty for none.
    inner_is_reduced : bool
        Whether the inner loop adds up elements, or runs over outputs.
    dtypes : tuple of str
        Of the output and the operands.
    inner : tuple of {'0', '1', 'n'}
        The inner strides of the output and the operands; 'n' is given at run time.
    in_place : tuple of bool
        For each operand, whether it is the output's old value.
    lines : tuple of str
    result : str
    """
    source = _LoopSource(
        dimensions, reduced, reduction, neutral, inner_is_reduced, dtypes, inner, in_place, lines, result
    ).text()
    return compile_source(source, dtypes)


def compile_source(source: str, dtypes: Sequence[str]) -> Callable[..., int]:
    """Return the function `kernel` of a text, with the names that texts of kernels use."""
    import linecache

    from numba import types

    from arignote.compile.intrinsics import advance, pointer_to
    from arignote.compile.vector_math import NAMESPACE

    names = {**NAMESPACE, "advance": advance, **_scalar_types(types)}
    for dtype in {*dtypes}:
        names[f"{dtype}_at"] = pointer_to("uint8" if dtype == "bool" else dtype)
    filename = f"<kernel {next(_texts)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), names)
    kernel: Callable[..., int] = names["kernel"]
    return kernel


_texts = itertools.count()


def _scalar_types(types: object) -> dict[str, object]:
    from arignote.engine.types import DTYPES

    return {dtype: getattr(types, "boolean" if dtype == "bool" else dtype) for dtype in DTYPES}


@dataclass
class _LoopSource:
    """Writes the text of a loop's kernel."""

    dimensions: int
    reduced: int
    reduction: str
    neutral: str
    inner_is_reduced: bool
    dtypes: tuple[str, ...]
    inner: tuple[str, ...]
    in_place: tuple[bool, ...]
    lines: tuple[str, ...]
    result: str

    def text(self) -> str:
        arrays = ["out", *(f"a{i}" for i in range(len(self.dtypes) - 1))]
        places = iter(range(len(arrays), 10_000))
        out = ["def kernel(args, scratch, begin, end):"]
        out += [
            f"    {name} = {dtype}_at(args[{i}])"
            for i, (name, dtype) in enumerate(zip(arrays, self.dtypes, strict=True))
        ]
        out += [f"    e{d} = args[{next(places)}]" for d in range(self.dimensions)]
        out += [f"    {name}_{d} = args[{next(places)}]" for name in arrays for d in range(self.dimensions)]
        self.arrays = arrays
        self.last = self.dimensions - 1
        if not self.reduction:
            body = self._blocks() if self.dimensions == 1 else self._rows()
        else:
            body = self._sums() if self.inner_is_reduced else self._row_sums()
        return "\n".join([*out, *body, "    return 0", ""])

    # ------------------------------------------------------------------ the three shapes of loops

    def _blocks(self) -> list[str]:
        """Write the loop over one dimension, whose blocks are tasks."""
        return [
            f"    low, high = begin * {BLOCK}, min(end * {BLOCK}, e0)",
            *self._starts("    ", []),
            *self._loads("    ", invariant=True),
            "    for i in range(low, high):",
            *self._element("        "),
            f"        {self._stored(self.result)}",
        ]

    def _rows(self) -> list[str]:
        """Write the loops over several dimensions: tasks are rows, whose place is counted on."""
        outer = list(range(self.last))
        return [
            *self._decode("    ", "begin", outer),
            "    for task in range(begin, end):",
            *self._starts("        ", outer),
            *self._loads("        ", invariant=True),
            f"        for i in range(e{self.last}):",
            *self._element("            "),
            f"            {self._stored(self.result)}",
            *self._advance("        ", outer),
        ]

    def _sums(self) -> list[str]:
        """Write the loops of tasks that each add up one output: the inner dimension is reduced."""
        kept, around = (
            list(range(self.dimensions - self.reduced)),
            list(range(self.dimensions - self.reduced, self.last)),
        )
        dtype = self.dtypes[0]
        first = self.neutral == "first"
        out = [*self._decode("    ", "begin", kept), "    for task in range(begin, end):"]
        indent = "        "
        out.append(f"{indent}total = {dtype}({0 if first else self.neutral})")
        if first:
            out.append(f"{indent}fresh = True")
        for d in around:
            out.append(f"{indent}for i{d} in range(e{d}):")
            indent += "    "
        dims = kept + around
        out += self._starts(indent, dims, output=False)
        out += self._loads(indent, invariant=True)
        if first:
            out += [f"{indent}i = 0", *self._element(indent), f"{indent}part = {dtype}({self.result})"]
            places = f"1, e{self.last}"
        else:  # block by block: many short sums keep digits that a long one loses
            out.append(f"{indent}for low in range(0, e{self.last}, {BLOCK}):")
            indent += "    "
            out.append(f"{indent}part = {dtype}({self.neutral})")
            places = f"low, min(low + {BLOCK}, e{self.last})"
        out.append(f"{indent}for i in range({places}):")
        out += self._element(indent + "    ")
        out.append(f"{indent}    part = {self._combined('part', self.result)}")
        if first:
            out.append(f"{indent}total = part if fresh else {self._combined('total', 'part')}")
            out.append(f"{indent}fresh = False")
        else:
            out.append(f"{indent}total = {self._combined('total', 'part')}")
        indent = "        "
        out += self._starts(indent, kept, only_output=True)
        out.append(f"{indent}p_out[0] = {self._memory('total')}")
        out += self._advance(indent, kept)
        return out

    def _row_sums(self) -> list[str]:
        """Write the loops of tasks that add rows to a block of a row of outputs."""
        kept = list(range(self.last - self.reduced))
        around = list(range(self.last - self.reduced, self.last))
        dtype = self.dtypes[0]
        first = self.neutral == "first"
        out = [
            f"    blocks = (e{self.last} + {COLUMNS - 1}) // {COLUMNS}",
            "    for task in range(begin, end):",
            f"        low = task % blocks * {COLUMNS}",
            f"        high = min(low + {COLUMNS}, e{self.last})",
            *self._decode("        ", "task // blocks", kept),
            *self._starts("        ", kept, only_output=True),
        ]
        if first:
            out.append("        fresh = True")
        else:
            out += [
                "        for i in range(low, high):",
                f"            {self._place('out')} = {self._memory(f'{dtype}({self.neutral})')}",
            ]
        indent = "        "
        for d in around:
            out.append(f"{indent}for i{d} in range(e{d}):")
            indent += "    "
        out += self._starts(indent, kept + around, output=False)
        out += self._loads(indent, invariant=True)
        old = f"{dtype}({self._place('out')})"
        if first:
            out.append(f"{indent}if fresh:")
            out.append(f"{indent}    for i in range(low, high):")
            out += self._element(indent + "        ")
            out.append(f"{indent}        {self._stored(self.result)}")
            out.append(f"{indent}else:")
            indent += "    "
        out.append(f"{indent}for i in range(low, high):")
        out += self._element(indent + "    ")
        out.append(f"{indent}    {self._stored(self._combined(old, self.result))}")
        if first:
            out.append(f"{indent[:-4]}fresh = False")
        return out

    # ------------------------------------------------------------------ their parts

    def _decode(self, indent: str, index: str, dims: Sequence[int]) -> list[str]:
        """Split a flat index over dimensions."""
        out = [f"{indent}rest = {index}"]
        for d in reversed(dims):
            out += [f"{indent}i{d} = rest % e{d}", f"{indent}rest //= e{d}"]
        return out if dims else []

    def _advance(self, indent: str, dims: Sequence[int]) -> list[str]:
        """Count on to the next place."""
        out = []
        for d in reversed(dims):
            out.append(f"{indent}i{d} += 1")
            if d == dims[0]:
                break
            out += [f"{indent}if i{d} == e{d}:", f"{indent}    i{d} = 0"]
            indent += "    "
        return out

    def _starts(
        self, indent: str, dims: Sequence[int], output: bool = True, only_output: bool = False
    ) -> list[str]:
        """Point to the row that the outer indices stand for."""
        out = []
        for k, name in enumerate(self.arrays):
            if (k == 0 and not output) or (k > 0 and (only_output or self.in_place[k - 1])):
                continue
            offset = " + ".join(f"i{d} * {name}_{d}" for d in dims) or "0"
            out.append(f"{indent}p_{name} = advance({name}, {offset})")
        return out

    def _place(self, name: str) -> str:
        kind = self.inner[self.arrays.index(name)]
        return f"p_{name}[{ {'0': '0', '1': 'i', 'n': f'i * {name}_{self.last}'}[kind] }]"

    def _value(self, k: int) -> str:
        """Return the text of an operand's element; a bool is a byte in memory."""
        place = self._place("out" if self.in_place[k] else f"a{k}")
        return f"{place} != 0" if self.dtypes[k + 1] == "bool" else place

    def _loads(self, indent: str, invariant: bool) -> list[str]:
        return [
            f"{indent}x{k} = {self._value(k)}"
            for k in range(len(self.dtypes) - 1)
            if (self.inner[k + 1] == "0") == invariant
        ]

    def _element(self, indent: str) -> list[str]:
        return [*self._loads(indent, invariant=False), *(indent + line for line in self.lines)]

    def _combined(self, accumulator: str, element: str) -> str:
        tree = ast.parse(self.reduction, mode="eval")
        text = {"x": accumulator, "y": element}

        class Named(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.expr:
                return ast.parse(text.get(node.id, node.id), mode="eval").body

        return f"{self.dtypes[0]}({ast.unparse(Named().visit(tree))})"

    def _memory(self, value: str) -> str:
        return f"uint8({value})" if self.dtypes[0] == "bool" else f"{self.dtypes[0]}({value})"

    def _stored(self, value: str) -> str:
        return f"{self._place('out')} = {self._memory(value)}"
