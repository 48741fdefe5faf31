"""Expressions in LaTeX."""

from __future__ import annotations

import re

from arignote.engine.graph import Constant, Variable, op_name
from arignote.engine.ops import elementwise as e
from arignote.engine.ops.dot import Dot
from arignote.engine.ops.reduce import Max, Min, Prod, Reduction, Sum
from arignote.engine.ops.shape import DimShuffle, Reshape
from arignote.engine.printing.notation import INFIX, Pieces, leaf_text, separated, stands_for, write

_GREEK = frozenset(
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
     "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"]
)  # fmt: skip
_RELATIONS = {"+": "+", "-": "-", "*": r"\cdot", "==": "=", "!=": r"\neq", "<": "<", "<=": r"\leq", ">": ">",
              ">=": r"\geq", "&": r"\wedge", "|": r"\vee", "^": r"\oplus", "%": r"\bmod"}  # fmt: skip
#: What is written around one operand.
_AROUND = {
    e.Exp: ("e^{", "}"), e.Sqrt: (r"\sqrt{", "}"), e.Abs: (r"\left|", r"\right|"), e.Neg: ("-", ""),
    e.Sqr: ("", "^{2}"), e.Log: (r"\log ", ""), e.Sin: (r"\sin ", ""), e.Cos: (r"\cos ", ""),
    e.Tanh: (r"\tanh ", ""), e.Sigmoid: (r"\sigma ", ""), e.Floor: (r"\lfloor ", r" \rfloor"),
    e.Ceil: (r"\lceil ", r" \rceil"), e.Cast: ("", ""),
}  # fmt: skip
_CLOSED = (e.Exp, e.Sqrt, e.Abs, e.Floor, e.Ceil, e.Cast)  # need no parentheses around their operand
_REDUCED = {Sum: r"\sum", Prod: r"\prod", Max: r"\max", Min: r"\min"}


def latex(*outputs: Variable) -> str:
    r"""Return expressions in LaTeX, for a formula of their own.

    A long value that is used twice is named and stated once, on a line of its own below the expressions.

    Parameters
    ----------
    *outputs : Variable

    Returns
    -------
    str

    Examples
    --------
    >>> from arignote.engine.types import TensorType
    >>> x, w = TensorType("float64", (None, None))("x"), TensorType("float64", (None,))("w_1")
    >>> print(latex((x.dot(w) / 2) ** 2))
    \left(\frac{x\,w_{1}}{2}\right)^{2}
    """
    texts, named = write(outputs, _pieces, "t_{{{}}}".format)
    lines = [r",\; ".join(texts), *(f"{name} = {text}" for name, text in named)]
    return (
        lines[0] if len(lines) == 1 else "\\begin{gathered}\n" + " \\\\\n".join(lines) + "\n\\end{gathered}"
    )


def _pieces(x: Variable) -> Pieces:
    node = x.owner
    if node is None:
        return [_name(x)]
    if stands_for(x) is not x:
        return [stands_for(x)]
    op, first = node.op, node.inputs[0] if node.inputs else x
    match op:
        case e.TrueDiv() | e.IntDiv():
            inner: list[str | Variable] = [r"\frac{", first, "}{", node.inputs[1], "}"]
            return inner if isinstance(op, e.TrueDiv) else [r"\left\lfloor ", *inner, r"\right\rfloor"]
        case e.Pow():
            return [*_operand(first), "^{", node.inputs[1], "}"]
        case e.Add() | e.Sub():
            right = [node.inputs[1]] if isinstance(op, e.Add) else _operand(node.inputs[1])
            return [first, " + " if isinstance(op, e.Add) else " - ", *right]
        case Dot():
            return [*_operand(first), r"\,", *_operand(node.inputs[1])]
        case DimShuffle(pattern=(1, 0)):
            return [*_operand(first), r"^{\top}"]
        case DimShuffle() | Reshape():
            return [first]
        case Reduction() if type(op) in _REDUCED:
            axes = ",".join("ijklmn"[axis] if axis < 6 else str(axis) for axis in op.axes)
            return [_REDUCED[type(op)], f"_{{{axes}}} ", *_operand(first)]
        case e.Elementwise() if type(op) in _AROUND:
            before, behind = _AROUND[type(op)]
            return [before, *([first] if isinstance(op, _CLOSED) else _operand(first)), behind]
    operator = _relation(op)
    if operator:
        return [*_operand(first), f" {operator} ", *_operand(node.inputs[1])]
    name = op_name(op).lower().replace("_", r"\_")
    call = [rf"\operatorname{{{name}}}\left(", *separated(node), r"\right)"]
    return call if len(node.outputs) == 1 else [*call, f"_{{{x.index}}}"]


def _relation(op: object) -> str | None:
    return _RELATIONS.get(INFIX.get(op.formula, "")) if isinstance(op, e.Elementwise) else None


def _operand(x: Variable) -> list[str | Variable]:
    """Return an operand, in parentheses where it needs them."""
    while x.owner is not None and isinstance(x.owner.op, DimShuffle | Reshape | e.Cast):
        if x.owner.op == DimShuffle((1, 0)):
            return [x]
        x = x.owner.inputs[0]
    is_sum = x.owner is not None and (
        isinstance(x.owner.op, e.Add | e.Sub | e.Neg | e.TrueDiv | Reduction) or _relation(x.owner.op)
    )
    is_negative = isinstance(x, Constant) and x.value.size == 1 and x.value.item() < 0
    return [r"\left(", x, r"\right)"] if is_sum or is_negative else [x]


def _name(x: Variable) -> str:
    if not x.name:
        text = leaf_text(x)
        return text if isinstance(x, Constant) and x.value.size == 1 else rf"\text{{{_escaped(text)}}}"
    stem, _, index = x.name.partition("_")
    digits = re.fullmatch(r"([A-Za-z]+?)(\d+)", stem)
    if digits and not index:
        stem, index = digits.groups()
    main = rf"\{stem}" if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{_escaped(stem)}}}"
    return main + (f"_{{{_escaped(index)}}}" if index else "")


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("~", r"\sim ").replace("^", r"\hat{}")
