# SPDX-License-Identifier: MIT
"""TraceReport -> Mermaid flowcharts: what a wiki or a merge request draws from text."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import label_of
from drmbench.render.trace import STEP_WORDS
from drmbench.render.trace_tree import failed_with, fault_words
from drmbench.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import TraceNode, TraceReport

_PLAIN = frozenset(" _-.,:()=[]/")


def render_mermaid(report: TraceReport) -> str:
    """One flowchart: a box for each function, in a frame for each step; ids are numbers in the order of the trees."""
    lines = ["flowchart LR"]
    numbers = count()
    for index, result in enumerate(report.results):
        for place, step in enumerate(result.steps):
            title = f"{label_of(result.target)}: {STEP_WORDS.get(step.name, step.name)}"
            lines.append(f'  subgraph s{index}_{place}["{_escaped(title)}"]')
            lines.append("    direction LR")
            ended = step.errno or step.returned
            words = step.call if ended is None else f"{step.call} = {ended}"
            user = next(numbers)
            lines.append(f'    n{user}(["{_escaped(words)}"])')
            for root in step.calls:
                lines += _tree(root, user, numbers)
            lines.append("  end")
    return "\n".join(lines) + "\n"


def _tree(node: TraceNode, caller: int, numbers: Iterator[int]) -> Iterator[str]:
    own = next(numbers)
    why = "" if node.fault is None else f'|"{_escaped(fault_words(node.fault))}"|'
    yield f'    n{own}["{"<br/>".join(map(_escaped, _words(node)))}"]'
    yield f"    n{caller} -->{why} n{own}"
    for child in node.children:
        yield from _tree(child, own, numbers)


def _words(node: TraceNode) -> Iterator[str]:
    """The lines in a box."""
    yield node.function + (f" x{node.calls}" if node.calls > 1 else "")
    if node.module:
        yield f"[{node.module}]"
    failed = failed_with(node)
    after = "" if failed is None else f" = {failed}"
    if node.duration_ns is not None or after:
        yield f"{format_ns(node.duration_ns)}{after}"


def _escaped(text: str) -> str:
    """Mermaid's own escapes for whatever could end the text or start markup."""
    return "".join(c if (c.isascii() and c.isalnum()) or c in _PLAIN else f"#{ord(c)};" for c in one_line(text))
