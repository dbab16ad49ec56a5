# SPDX-License-Identifier: MIT
"""Pictures of call trees: a line a function, and under each how much of its step it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.svg import LETTER, WIDTH, Picture, drawing, fitting, legend, rect, text, tooltip
from drmbench.render.trace_tree import failed_with, fault_words
from drmbench.trace.notes import note_of
from drmbench.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree import ElementTree as ET

    from drmbench.model import TraceNode, TraceStep

_LINE = 18.0
_INDENT = 6.0
_MOST_INDENT = 120.0
_TIMES = 54.0
_BAR_HEIGHT = 3.0
_MOST_LINES = 200
_HELPERS = ("drm", "ttm", "gem")

# Class of the bars -> whose function it is.
_KINDS = {"first": "the kernel's own functions", "second": "DRM core, helpers and TTM", "fault": "the driver"}


def call_picture(step: TraceStep, label: str, words: str) -> Picture | None:
    """The tree of one step; None where nothing was recorded."""
    lines = list(_lines(step.calls))
    if not lines:
        return None
    shown = lines[:_MOST_LINES]
    kinds = [kind for kind in _KINDS if any(_kind(node) == kind for node, _depth in shown)]
    left = len(lines) - len(shown)
    head = _LINE + (_LINE if left else 0)
    height = head + _LINE * len(shown) + 15 * len(kinds) + 6
    caption = f"{label}: {words}"
    picture = drawing(height, f"{caption}: {step.call}")
    text(picture, 4, 10, fitting(step.call if step.errno is None else f"{step.call} = {step.errno}", WIDTH - 8),
         class_="faint")
    whole = max(1, *(node.duration_ns or 0 for node, _depth in shown))
    for number, (node, depth) in enumerate(shown):
        _call(picture, _LINE * (number + 1), node, depth, whole)
    if left:
        text(picture, 4, _LINE * (len(shown) + 1) + 10, f"and {left} more calls", class_="faint")
    legend(picture, head + _LINE * len(shown) + 4, [(kind, _KINDS[kind]) for kind in kinds])
    return Picture("calls", caption, picture, height)


def _lines(calls: Sequence[TraceNode], depth: int = 0) -> Iterator[tuple[TraceNode, int]]:
    for call in calls:
        yield call, depth
        yield from _lines(call.children, depth + 1)


def _kind(node: TraceNode) -> str:
    if not node.module:
        return "first"
    return "second" if node.module.startswith(_HELPERS) else "fault"


def _call(picture: ET.Element, y: float, node: TraceNode, depth: int, whole: int) -> None:
    """Name and time on a line; under it a bar that begins where the name does, as long as its share of the step."""
    x = 4 + min(_INDENT * depth, _MOST_INDENT)
    times = f" x{node.calls}" if node.calls > 1 else ""
    failed = failed_with(node)
    after = f"{times} = {failed}" if failed else times
    room = WIDTH - x - _TIMES - LETTER * len(after)
    name = text(picture, x, y + 10, fitting(node.function, room) + after, data_function=node.function,
                data_module=node.module, data_calls=node.calls, data_depth=depth)
    tooltip_words = _tooltip(node)
    tooltip(name, tooltip_words)
    if node.duration_ns is None:
        return
    text(picture, WIDTH - 4, y + 10, format_ns(node.duration_ns), anchor="end")
    bar = rect(picture, x, y + 14, max(0.5, (WIDTH - 4 - 4 - _MOST_INDENT) * node.duration_ns / whole), _BAR_HEIGHT,
               class_=f"call {_kind(node)}", data_ns=node.duration_ns, data_function=node.function)
    tooltip(bar, tooltip_words)


def _tooltip(node: TraceNode) -> str:
    module = f" [{node.module}]" if node.module else ""
    note = note_of(node.function)
    each = ""
    if node.calls > 1 and node.shortest_ns is not None and node.longest_ns is not None:
        each = f", {format_ns(node.shortest_ns)} to {format_ns(node.longest_ns)} each"
    fault = "" if node.fault is None else f"; {fault_words(node.fault)}"
    return (f"{node.function}{module}: {format_ns(node.duration_ns)}{each}{fault}"
            f"{'' if note is None else f'; {note.text}'}")
