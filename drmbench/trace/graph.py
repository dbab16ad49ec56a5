# SPDX-License-Identifier: MIT
"""ftrace's function_graph text -> the calls between each pair of our markers, as trees.

Braces nest calls, and so does the indentation: where the ring buffer lost a beginning or an end, the calls around
it keep their places and the one that was cut says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from drmbench.model import MOST_DEPTH, TraceFault, TraceNode
from drmbench.trace.graph_line import GraphLine, read_line

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_RECORDED = "(not recorded)"
FAULT_ROOT = "handle_mm_fault"

_MARKER = re.compile(r"drmbench:(?P<name>[\w-]{1,40}):(?P<end>begin|end)")
_FAULT = re.compile(
    r"page_fault_(?:user|kernel): address=(?P<address>0x[0-9a-f]{1,16}) .*error_code=(?P<code>0x[0-9a-f]{1,16})"
)


@dataclass(frozen=True, slots=True)
class GraphSection:
    """The calls between two markers, in order; not complete where one of the markers is missing."""

    roots: list[TraceNode]
    complete: bool


@dataclass(frozen=True, slots=True)
class GraphTrace:
    """What a trace holds of one thread.

    sections      by the name in their markers; of several with one name the first that is complete
    lost_events   events that ftrace says it dropped
    unread_lines  lines that are none of function_graph, and calls too deep to be one
    interrupts    how many interrupted the thread; what they called is left out
    """

    sections: dict[str, GraphSection]
    lost_events: int = 0
    unread_lines: int = 0
    interrupts: int = 0


@dataclass(slots=True)
class _Call:
    """A call while its lines are read."""

    indent: int
    function: str
    module: str = ""
    duration_ns: int | None = None
    returned: int | None = None
    cut: bool = False
    fault: TraceFault | None = None
    children: list[_Call] = field(default_factory=list)

    def frozen(self) -> TraceNode:
        return TraceNode(self.function, self.module, 1, self.duration_ns, self.duration_ns, self.duration_ns,
                         self.returned, self.cut, self.fault, [child.frozen() for child in self.children])


class _Calls:
    """Calls as they nest. `fault`: the last one that the kernel told of, with how often it was handled."""

    def __init__(self) -> None:
        self.roots: list[_Call] = []
        self.fault: TraceFault | None = None
        self.attempts = 0
        self._open: list[_Call] = []

    def enter(self, line: GraphLine) -> bool:
        """A call, perhaps a leaf; False where it lies too deep."""
        self._cut_down_to(line.indent)
        if len(self._open) >= MOST_DEPTH:
            return False
        call = _Call(line.indent, line.function, line.module, line.duration_ns, line.returned)
        self._level().append(call)
        if line.function == FAULT_ROOT:
            root = self._open[0] if self._open else call
            if line.address is not None:
                root.fault = TraceFault(line.address, None)
            elif root.fault is None:
                root.fault = self._again()
        if line.kind == "enter":
            self._open.append(call)
        return True

    def leave(self, line: GraphLine) -> None:
        self._cut_down_to(line.indent + 1)
        call = self._open[-1] if self._open else None
        if call is not None and call.indent == line.indent:
            self._open.pop()
            if line.function in {"", call.function}:
                call.duration_ns, call.returned = line.duration_ns, line.returned
                return
            call.cut = True
        self._wrap(line)

    def _again(self) -> TraceFault | None:
        """One fault raises one event, even where the kernel handles it twice."""
        self.attempts += 1
        return None if self.fault is None else msgspec.structs.replace(self.fault, attempt=self.attempts)

    def end(self) -> list[TraceNode]:
        self._cut_down_to(-1)
        return [root.frozen() for root in self.roots]

    def _level(self) -> list[_Call]:
        return self._open[-1].children if self._open else self.roots

    def _cut_down_to(self, indent: int) -> None:
        while self._open and self._open[-1].indent >= indent:
            self._open.pop().cut = True

    def _wrap(self, line: GraphLine) -> None:
        """An end without its beginning: the calls before it that stand deeper were its own."""
        level = self._level()
        first = len(level)
        while first and level[first - 1].indent > line.indent:
            first -= 1
        inside = level[first:]
        if (inside or line.function) and len(self._open) + 1 + _height(inside) <= MOST_DEPTH:
            level[first:] = [_Call(line.indent, line.function or NOT_RECORDED, line.module, line.duration_ns,
                                   line.returned, True, next((c.fault for c in inside if c.fault), None), inside)]


def _height(calls: list[_Call]) -> int:
    height, level = 0, calls
    while level:
        height, level = height + 1, [child for call in level for child in call.children]
    return height


class _Reader:
    """Lines in, sections out."""

    def __init__(self, thread: int | None) -> None:
        self.sections: dict[str, GraphSection] = {}
        self.lost_events = self.unread_lines = self.interrupts = 0
        self._thread = thread
        self._running: dict[int | None, int | None] = {}
        self._name: str | None = None
        self._ended = False
        self._calls = _Calls()
        self._interrupted = False

    def read(self, text: str) -> None:
        line = read_line(text)
        match line.kind:
            case "lost":
                self.lost_events += line.events
            case "switch":
                self._running[line.cpu] = line.thread
            case "unread":
                self.unread_lines += 1
            case "nothing":
                pass
            case _ if self._is_ours(line):
                self._read_ours(line)

    def _is_ours(self, line: GraphLine) -> bool:
        thread = line.thread if line.thread is not None else self._running.get(line.cpu)
        return self._thread is None or thread is None or thread == self._thread

    def _read_ours(self, line: GraphLine) -> None:
        match line.kind:
            case "comment":
                self._comment(line.text)
            case "interrupt":
                self.interrupts += not self._interrupted
                self._interrupted = True
            case "interrupted":
                self._interrupted = False
            case _ if self._interrupted:
                pass
            case "leave":
                self._calls.leave(line)
            case _:
                self.unread_lines += not self._calls.enter(line)

    def _comment(self, text: str) -> None:
        if marker := _MARKER.fullmatch(text):
            if marker["end"] == "end":
                self._end(marker["name"], complete=marker["name"] == self._name)
                return
            if self._name is not None:
                self._end(self._name, complete=False)
            self._begin(marker["name"])
        elif fault := _FAULT.match(text):
            self._calls.fault = TraceFault(int(fault["address"], 16), None, int(fault["code"], 16))
            self._calls.attempts = 0

    def _begin(self, name: str | None) -> None:
        self._name, self._calls, self._interrupted = name, _Calls(), False

    def _end(self, name: str, *, complete: bool) -> None:
        if name not in self.sections or (complete and not self.sections[name].complete):
            self.sections[name] = GraphSection(self._calls.end(), complete)
        self._begin(None)

    def finish(self) -> GraphTrace:
        if self._name is not None:
            self._end(self._name, complete=False)
        return GraphTrace(self.sections, self.lost_events, self.unread_lines, self.interrupts)


def parse_graph(text: str | Iterable[str], thread: int | None = None) -> GraphTrace:
    """The calls of one thread (of all, where None) between each `drmbench:NAME:begin` and its `end`.

    Nothing is refused: what is no function_graph line is counted.
    """
    reader = _Reader(thread)
    for line in text.splitlines() if isinstance(text, str) else text:
        reader.read(line.rstrip("\n"))
    return reader.finish()
