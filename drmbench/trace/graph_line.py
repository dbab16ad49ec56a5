# SPDX-License-Identifier: MIT
"""One line of ftrace's function_graph output (kernel/trace/trace_functions_graph.c, 5.10 to 7.x), taken apart.

Which columns there are depends on the trace options; all that stand before the call are optional here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["enter", "leaf", "leave", "comment", "interrupt", "interrupted", "switch", "lost", "nothing", "unread"]

_LONGEST = 4096
_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

_COLUMNS = re.compile(
    r"(?:\s*\d+\.\d{6,9}\s+\|\s+)?"  # funcgraph-abstime
    r"(?:\s*(?P<cpu>\d+)\)\s)?"  # funcgraph-cpu
    r"(?:[^|]*?-(?P<thread>\d+)\s+\|\s)?"  # funcgraph-proc
    r"(?:\s*[^\s|]{4,8}\s+\|)?"  # latency-format
    r"(?:\s*(?:[-+!#*@$]\s)?\s*(?:(?P<time>\d{1,15}(?:\.\d{1,9})?)\s(?P<unit>ns|us|ms|s)\s)?\s*\|)?"
    r"(?P<call>.*)"
)
_CALL = re.compile(
    r"(?P<name>[\w.$]+)(?: \[(?P<module>[^\s\[\]]+)\])?\((?P<arguments>.*)\)(?: (?P<opens>\{)|;)"
    r"(?:\s*/\*(?P<comment>.*)\*/)?(?P<more>\s*\(.*\))?"
)
_LEAVE = re.compile(r"\}(?:\s*/\*(?P<comment>.*)\*/)?(?P<more>\s*\(.*\))?")
_LEFT = re.compile(r"\s*(?P<name>[\w.$]+)(?: \[(?P<module>[^\s\[\]]+)\])?\s")
_RETURNED = re.compile(r"(?:\bret=|(?:^|\s)=\s)\s*(?P<value>-?(?:0x[0-9a-fA-F]{1,16}|\d{1,20}))\b")
_ADDRESS = re.compile(r"\baddress=(?P<value>0x[0-9a-fA-F]{1,16}|\d{1,20})\b")
_LOST = re.compile(r"CPU:\d+ \[LOST (?:(?P<events>\d{1,15}) )?EVENTS\]")
_SWITCH = re.compile(r"\s*(?P<cpu>\d+)\)\s.*=>.*-(?P<thread>\d+)\s*")
_RULE = re.compile(r"\s*-{10,}\s*")
_INTERRUPT = re.compile(r"(?P<begins>=+>\s*\|?)|<=+\s*\|?")


@dataclass(frozen=True, slots=True)
class GraphLine:
    """What one line says; fields that its kind has not are as they are by default.

    indent       blanks before the call: more of them the deeper it is
    duration_ns  on the line where a call ends
    text         of a comment: what was written to trace_marker, or another event
    address      an argument of that name (funcgraph-args)
    events       of lost: how many, 1 where the kernel does not know
    """

    kind: Kind
    cpu: int | None = None
    thread: int | None = None
    indent: int = 0
    function: str = ""
    module: str = ""
    duration_ns: int | None = None
    returned: int | None = None
    address: int | None = None
    text: str = ""
    events: int = 0


def read_line(line: str) -> GraphLine:
    """The line taken apart; what cannot be read is of the kind "unread"."""
    if not line.strip() or line.startswith("#") or _RULE.fullmatch(line):
        return GraphLine("nothing")
    if len(line) > _LONGEST:
        return GraphLine("unread")
    if lost := _LOST.search(line):
        return GraphLine("lost", events=int(lost["events"] or 1))
    if switch := _SWITCH.fullmatch(line):
        return GraphLine("switch", _number(switch["cpu"]), _number(switch["thread"]))
    columns = _COLUMNS.fullmatch(line)
    return GraphLine("unread") if columns is None else _behind(columns)


def _behind(columns: re.Match[str]) -> GraphLine:
    """What stands behind the columns."""
    place = (_number(columns["cpu"]), _number(columns["thread"]))
    call = columns["call"]
    text = call.strip()
    indent = len(call) - len(call.lstrip())
    if interrupt := _INTERRUPT.fullmatch(text):
        return GraphLine("interrupt" if interrupt["begins"] else "interrupted", *place)
    if text.startswith("/*"):
        return GraphLine("comment", *place, indent=indent, text=text.removeprefix("/*").removesuffix("*/").strip())
    return _call(text, place, indent, _duration(columns))


def _call(text: str, place: tuple[int | None, int | None], indent: int, duration_ns: int | None) -> GraphLine:
    if entered := _CALL.fullmatch(text):
        opens = entered["opens"] is not None
        address = _ADDRESS.search(entered["arguments"])
        return GraphLine(
            "enter" if opens else "leaf", *place, indent, entered["name"], entered["module"] or "",
            None if opens else duration_ns, None if opens else _returned(entered),
            None if address is None else int(address["value"], 0),
        )
    if left := _LEAVE.fullmatch(text):
        who = _LEFT.match(f"{left['comment'] or ''} ")
        named = who is not None and who["name"] != "ret"
        return GraphLine("leave", *place, indent, who["name"] if who and named else "",
                         (who["module"] or "") if who and named else "", duration_ns, _returned(left))
    return GraphLine("unread", *place)


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and len(digits) < 10 else None


def _duration(columns: re.Match[str]) -> int | None:
    if columns["time"] is None:
        return None
    whole, _point, part = columns["time"].partition(".")
    scale = _NS[columns["unit"]]
    return int(whole) * scale + int(part.ljust(9, "0")) * scale // 1_000_000_000


def _returned(call: re.Match[str]) -> int | None:
    """What the comment or the parentheses behind a call say that it returned, as a signed 64-bit number."""
    found = _RETURNED.search(f"{call['comment'] or ''} {(call['more'] or '').strip(' ()')}")
    if found is None:
        return None
    value = int(found["value"], 0) if "x" in found["value"] else int(found["value"])
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value
