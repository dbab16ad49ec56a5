# SPDX-License-Identifier: MIT
"""VerifyReport -> Document: counts for each target, then every case that did not pass, failures spelled out."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section, machine
from drmbench.render.document import Column, Document, Section
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import TargetInfo, VerifyReport, VerifyResult

_VERDICTS = ("pass", "fail", "known", "broken", "skip")
_COUNTS = (
    Column("target", grows=True), Column("cases", number=True), *(Column(name, number=True) for name in _VERDICTS),
)


def verify_document(report: VerifyReport) -> Document:
    """Counts, then failures with rule and source, then a line for each case that was known, broken or skipped."""
    counts: dict[str, Counter[str]] = {}
    for result in report.results:
        counts.setdefault(label(result.target), Counter())[result.verdict] += 1
    rows = [
        [name, str(seen.total()), *(str(seen[verdict]) for verdict in _VERDICTS)] for name, seen in counts.items()
    ]
    about = f"buffers of {format_bytes(report.parameters.size_bytes)}, each case in its own process"
    sections = [
        Section("Does mmap() keep the kernel's rules?", lines=[machine(report.environment), about]),
        Section("", _COUNTS, rows),
    ]
    failed = [line for result in report.results if result.verdict == "fail" for line in _failure(result)]
    others = [_line(r) for verdict in _VERDICTS[2:] for r in report.results if r.verdict == verdict]
    chosen = [f"{r.case} on {label(r.target)}: {one_line(r.observed)}" for r in report.results if r.observed]
    if failed:
        sections.append(Section("Failed", lines=failed))
    if others:
        sections.append(Section("Neither passed nor failed", lines=others))
    if chosen:
        sections.append(Section("Passed where the rule leaves a choice", lines=chosen))
    return Document([*sections, *caveat_section(report.caveats)])


def label(target: TargetInfo) -> str:
    """The target in a cell: "vkms card0 dumb", "memfd"."""
    if target.kind == "baseline":
        return one_line(target.driver if target.driver != "file" else f"file:{target.node}")
    node = "" if target.node is None else f" {os.path.basename(target.node)}"
    return one_line(f"{target.driver}{node} {target.buffer}")


def _failure(result: VerifyResult) -> Iterator[str]:
    yield f"fail {result.case} on {label(result.target)}"
    yield f"  {one_line(result.what)}: expected {_text(result.expected)}, got {_text(result.actual)}"
    yield f"  rule: {one_line(result.rule)} ({one_line(result.source)})"
    for line in result.kernel_log:
        yield f"  kernel: {one_line(line)}"


def _text(value: str | None) -> str:
    return "-" if value is None else one_line(value)


def _line(result: VerifyResult) -> str:
    head = f"{result.verdict} {result.case} on {label(result.target)}"
    if result.known is None:
        return f"{head}: {one_line(result.reason)}"
    known = result.known
    return f"{head}: {one_line(f'{known.what}: {known.actual}: {known.why} ({known.source})')}"
