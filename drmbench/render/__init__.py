# SPDX-License-Identifier: MIT
"""Report -> text. FORMATS is where a new format is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import FaultLatencyReport, VerifyReport
from drmbench.render.compare_populate import compare_populate_document
from drmbench.render.csv_rows import render_csv
from drmbench.render.fault_latency import fault_latency_document
from drmbench.render.markdown import render_markdown
from drmbench.render.table import render_table
from drmbench.render.verify import verify_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.model import Report
    from drmbench.render.document import Document


def document_of(report: Report, *, histogram: bool = False) -> Document:
    """The report as tables and lines; `histogram` adds one for each fault-latency result."""
    if isinstance(report, FaultLatencyReport):
        return fault_latency_document(report, histogram=histogram)
    if isinstance(report, VerifyReport):
        return verify_document(report)
    return compare_populate_document(report)


FORMATS: dict[str, Callable[[Report, bool], str]] = {
    "table": lambda report, histogram: render_table(document_of(report, histogram=histogram)),
    "csv": lambda report, _histogram: render_csv(report),
    "markdown": lambda report, histogram: render_markdown(document_of(report, histogram=histogram)),
}
"""--format -> (report, with histograms) -> text."""
