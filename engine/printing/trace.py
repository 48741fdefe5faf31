"""Which rule changed what."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from arignote.engine.errors import describe, place_of
from arignote.engine.printing.notation import shortened
from arignote.engine.rewrite import Rule, Step
from arignote.engine.rules import ALL
from arignote.engine.structure import graph_of
from arignote.engine.trim import simplify


class Trace:
    """The rewriting of expressions, step by step; made by `rewrite_trace`.

    Printed, it is a text; Jupyter shows it as a table; `save` writes that as a page.

    Attributes
    ----------
    steps : list of Step
        Each with the name of its rule, the node before, and what stands for its outputs after.
    """

    def __init__(self, steps: list[Step], rules: list[Rule]) -> None:
        self.steps = steps
        self._rules = {rule.name: rule for rule in rules}

    def __str__(self) -> str:
        lines = [self._summary()]
        for number, step in enumerate(self.steps, 1):
            rule = self._rules[step.rule]
            origin = step.before.origin
            place = f"   {place_of(origin)}" if origin is not None else ""
            lines.append(f"{number:4d}. {rule.name} ({rule.keeps}){place}")
            lines.append(f"         {_before(step)}")
            lines.append(f"      -> {_after(step)}")
        return "\n".join(lines)

    __repr__ = __str__

    def _summary(self) -> str:
        counts = Counter(step.rule for step in self.steps)
        names = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        count = len(self.steps)
        return f"{count} step{'s' if count != 1 else ''}" + (f": {names}" if names else "")

    def _repr_html_(self) -> str:
        rows = []
        for number, step in enumerate(self.steps, 1):
            rule, origin = self._rules[step.rule], step.before.origin
            line = describe(origin) if origin is not None else ""
            cells = [
                str(number),
                f'<b title="{escape(rule.equation)}">{escape(rule.name)}</b><br><small>{rule.keeps}</small>',
                f"<code>{escape(_before(step))}</code><br>→ <code>{escape(_after(step))}</code>",
                f"<small>{escape(line)}</small>",
            ]
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        style = "td { vertical-align: top; padding: 4px 10px; border-top: 1px solid #ccd; text-align: left; }"
        return (
            f"<style>{style}</style><p>{escape(self._summary())}</p>\n<table>\n"
            + "\n".join(rows)
            + "\n</table>"
        )

    def save(self, path: str | Path) -> None:
        """Write the steps as an HTML page."""
        page = '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>rewriting</title>\n'
        Path(path).write_text(
            f'{page}<body style="font-family: sans-serif">{self._repr_html_()}</body></html>\n',
            encoding="utf-8",
        )


def rewrite_trace(subject: Any, rules: tuple[Rule, ...] = ()) -> Trace:
    """Return which rule changed what, step by step, when a function or expressions are rewritten.

    Parameters
    ----------
    subject : function, Variable, or sequence of Variable
        Of a function, its expressions as they were written, and its own rules.
    rules : sequence of Rule
        Further ones, tried before the built-in ones.

    Returns
    -------
    Trace

    Examples
    --------
    >>> from arignote.engine.ops import log, softmax
    >>> from arignote.engine.types import TensorType
    >>> x = TensorType("float32", (None, None))("x")
    >>> trace = rewrite_trace(log(softmax(x)) * 1)
    >>> [step.rule for step in trace.steps]
    ['log_of_softmax', 'neutral_operand']
    """
    written = getattr(subject, "written", None)
    expressions, own = written if written is not None else (graph_of(subject).expressions, ())
    steps: list[Step] = []
    every = [*rules, *own]
    simplify(expressions, every, steps)
    return Trace(steps, [*every, *ALL])


def _before(step: Step) -> str:
    return shortened(step.before.outputs[0])


def _after(step: Step) -> str:
    return ", ".join(shortened(x) for x in step.after)
