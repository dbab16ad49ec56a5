# SPDX-License-Identifier: MIT
"""DoctorReport -> Document: what is set how, then what it does to which number and what would change it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drmbench.render.common import caveat_section, machine
from drmbench.render.document import Column, Document, Section

if TYPE_CHECKING:
    from drmbench.model import DoctorReport, Finding

_COLUMNS = (Column(""), Column("finding"), Column("what is set", grows=True))
_PLURAL = {"warning": "warnings", "note": "notes", "unknown": "unknown", "ok": "ok"}
_EXPLAINED = ("warning", "note")


def doctor_document(report: DoctorReport) -> Document:
    """The findings in a table, those that matter explained below it."""
    counts = Counter(finding.severity for finding in report.results)
    summary = ", ".join(f"{n} {severity if n == 1 else _PLURAL[severity]}" for severity, n in counts.items())
    rows = [[finding.severity, finding.id, _found(finding)] for finding in report.results]
    sections = [
        Section("What of this machine changes which number", lines=[machine(report.environment), summary]),
        Section("", _COLUMNS, rows),
    ]
    for severity in _EXPLAINED:
        lines = [_explained(finding) for finding in report.results if finding.severity == severity]
        if lines:
            sections.append(Section(_PLURAL[severity].capitalize(), lines=list(dict.fromkeys(lines))))
    return Document([*sections, *caveat_section(report.caveats)])


def _found(finding: Finding) -> str:
    return f"{finding.target}: {finding.found}" if finding.target else finding.found


def _explained(finding: Finding) -> str:
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    return f"{finding.id}: {finding.effect} ({', '.join(finding.affects)}){remedy}"
