# SPDX-License-Identifier: MIT
"""ExplainReport -> Document: what follows, then the evidence, two buffer kinds side by side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drmbench.model import ACCEPTED, STAGES
from drmbench.oracle.clues import questions, touch_of
from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.units import format_bytes, format_ns
from drmbench.vma import FLAG_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.model import ExplainReport, ExplainResult

_ABREAST = 2
_NAME_WIDTH = 19
_ROOM = 79 - _NAME_WIDTH - 1


def explain_document(report: ExplainReport) -> Document:
    """Conclusions first; then of each two results mapping, faults, costs, populate and life; at last flags in words."""
    sizes = sorted({result.size_bytes for result in report.results}) or [report.parameters.size_bytes]
    amount = " to ".join(dict.fromkeys(format_bytes(size) for size in (sizes[0], sizes[-1])))
    runs = min((result.runs for result in report.results), default=report.parameters.runs)
    pages = format_bytes(report.environment.page_size_bytes)
    setting = f"{amount} a buffer, pages of {pages}, {runs} run{'s' if runs > 1 else ''}"
    sections = [Section("How these buffers are mapped", lines=[machine(report.environment), setting])]
    sections += [Section(label_of(r.target), lines=[r.conclusion.text]) for r in report.results]
    for start in range(0, len(report.results), _ABREAST):
        sections += _side_by_side(report.results[start:start + _ABREAST])
    sections.append(_flag_words(report.results))
    return Document([*sections, *caveat_section(report.caveats)])


def _side_by_side(results: Sequence[ExplainResult]) -> list[Section]:
    width = _ROOM // len(results) - 1
    names = [Column(label_of(r.target), grows=True, width=width) for r in results]

    def section(title: str, rows: Sequence[tuple[str, Callable[[ExplainResult], str]]]) -> Section:
        columns = (Column(title, width=_NAME_WIDTH), *names)
        return Section("", columns, [[name, *(answer(r) for r in results)] for name, answer in rows])

    asked = section("populate", [
        (name, partial(_verdict, name=name)) for name in results[0].populate.strategies if name != "lazy"
    ])
    return [
        section("mapping", _MAPPING),
        section("faults", [("pages", lambda r: str(r.pages)), *_FAULTS]),
        section("cost: 1st, 2nd map", _COSTS),
        Section("", asked.columns, asked.rows, _reasons(results)),
        section("life", _LIFE),
    ]


def _faults(access: str, index: int = 0, phase: str = "cold") -> Callable[[ExplainResult], str]:
    def answer(result: ExplainResult) -> str:
        touch = touch_of(result, access, phase)
        if touch is None or index >= len(touch.passes):
            return "-"
        window = touch.passes[index].prefault_window_pages
        text = str(touch.passes[index].faults)
        return text if window is None or index else f"{text}, window {window}"

    return answer


def _stage(stage: str) -> Callable[[ExplainResult], str]:
    def answer(result: ExplainResult) -> str:
        found = [touch_of(result, "write", phase) for phase in ("cold", "warm")]
        times = [format_ns(getattr(touch.stages_ns, stage)) for touch in found if touch is not None]
        # The buffer is made and destroyed once, whatever is mapped meanwhile.
        return ", ".join(times[:1] if stage in {"create", "destroy"} else times) or "-"

    return answer


def _one_fault(result: ExplainResult) -> str:
    found = [touch_of(result, "write", phase) for phase in ("cold", "warm")]
    times = [touch.fault_ns.p50 for touch in found if touch is not None]
    return ", ".join(map(format_ns, times)) if any(times) else "-"


def _first_touch(result: ExplainResult) -> str:
    return ", ".join(format_ns(m.first_touch_ns) for m in (result.first_mapping, result.second_mapping)
                     if m is not None)


def _backing(result: ExplainResult) -> str:
    return f"{result.vma.backing or 'nothing'} at {result.vma.offset_bytes:#x}"


def _resident(result: ExplainResult) -> str:
    huge = result.vma.pmd_mapped_bytes
    text = f"Rss {format_bytes(result.vma.rss_bytes)}"
    return f"{text}, by PMDs {format_bytes(huge)}" if huge else text


def _verdict(result: ExplainResult, name: str) -> str:
    strategy = result.populate.strategies.get(name)
    if strategy is None:
        return "-"
    return strategy.verdict if strategy.errno is None else f"{strategy.verdict} ({strategy.errno})"


def _reasons(results: Sequence[ExplainResult]) -> list[str]:
    """Why each strategy did what it did; what holds for all is said once."""
    said: dict[str, list[str]] = {}
    for result in results:
        for name, strategy in result.populate.strategies.items():
            # That touching populates, and on a baseline everything, is no news.
            if name not in {"lazy", "touch"} and (result.target.kind == "drm" or strategy.verdict != "real"):
                said.setdefault(f"{name}: {strategy.reason}.", []).append(label_of(result.target))
    return [text if len(who) == len(results) else f"{', '.join(who)}: {text}" for text, who in said.items()]


def _after_close(result: ExplainResult) -> str:
    after = result.after_close
    if after is None:
        return result.problems.get("after_close", "the buffer is its mapping")
    if after.signal is not None:
        return f"{after.signal}: gone"
    return "survives" if after.data is None else f"survives, data {after.data}"


def _fork(result: ExplainResult) -> str:
    child = result.child
    if child is None:
        return result.problems.get("child", "-")
    if child.signal is not None:
        return f"not inherited: {child.signal} in the child"
    how = "copied" if child.read_faults == 0 else "faults anew"
    return f"{how}: {child.read_faults} to read, {child.write_faults} to write"


def _private(result: ExplainResult) -> str:
    answer = result.private_mapping
    return "-" if answer is None else ACCEPTED if answer == ACCEPTED else f"refused ({answer})"


def _huge(result: ExplainResult) -> str:
    huge = result.huge
    if huge is None:
        return result.problems.get("huge", "-")
    return f"aligned {huge.aligned_faults}, beside {huge.shifted_faults}"


def _module(result: ExplainResult) -> str:
    if result.helpers is None:
        return "-" if result.target.kind == "baseline" else "built in, or not shown"
    return f"{result.helpers.module}: {', '.join(result.helpers.linked) or 'no memory helper'}"


_MAPPING: tuple[tuple[str, Callable[[ExplainResult], str]], ...] = (
    ("mmap offset", lambda r: "-" if r.offset_bytes is None else f"{r.offset_bytes:#x}"),
    ("addresses", lambda r: f"{r.vma.start:x}-{r.vma.end:x}"),
    ("backed by", _backing),
    ("VmFlags", lambda r: " ".join(r.vma.vm_flags) or "not shown by this kernel"),
    ("resident", _resident),
    ("module, helpers", _module),
)
_FAULTS: tuple[tuple[str, Callable[[ExplainResult], str]], ...] = (
    ("write", _faults("write")),
    ("write, 2nd map", _faults("write", phase="warm")),
    ("read", _faults("read")),
    ("write after read", _faults("read-then-write", 1)),
    ("write, backwards", lambda r: str(r.descending_faults)),
    ("large buffer", _huge),
)
_COSTS: tuple[tuple[str, Callable[[ExplainResult], str]], ...] = (
    *((stage, _stage(stage)) for stage in STAGES),
    ("first touch", _first_touch),
    ("one fault, p50", _one_fault),
    ("pages come in", lambda r: next((q.found.removeprefix("the pages come in ") for q in questions(r)
                                      if q.name == "pages"), "not clear from the times")),
)
_LIFE: tuple[tuple[str, Callable[[ExplainResult], str]], ...] = (
    ("after close", _after_close),
    ("after fork", _fork),
    ("MAP_PRIVATE", _private),
)


def _flag_words(results: Sequence[ExplainResult]) -> Section:
    """Each flag that a mapping shows, in words, and whose it is where they differ."""
    seen = list(dict.fromkeys(flag for r in results for flag in r.vma.vm_flags))
    rows = []
    for flag in seen:
        name, words = FLAG_WORDS.get(flag, ("?", "not known to drmbench"))
        owners = [label_of(r.target) for r in results if flag in r.vma.vm_flags]
        rows.append([flag, name, words if len(owners) == len(results) else f"{words} ({', '.join(owners)})"])
    return Section("VmFlags in words", (Column("flag"), Column("name"), Column("meaning", grows=True)), rows)
