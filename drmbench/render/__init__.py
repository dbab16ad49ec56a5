# SPDX-License-Identifier: MIT
"""Report -> text. FORMATS is where a new format is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drmbench.errors import UsageError
from drmbench.model import (
    BandwidthReport,
    ComparePopulateReport,
    CompareReport,
    DoctorReport,
    ExplainReport,
    FaultLatencyReport,
    FleetReport,
    LifecycleReport,
    ScaleReport,
    StressReport,
    TraceReport,
    VerifyReport,
)
from drmbench.render.bandwidth import bandwidth_document
from drmbench.render.compare import compare_document
from drmbench.render.compare_populate import compare_populate_document
from drmbench.render.csv_rows import render_csv
from drmbench.render.doctor import doctor_document
from drmbench.render.explain import explain_document
from drmbench.render.fault_latency import fault_latency_document
from drmbench.render.fleet import fleet_document
from drmbench.render.igt import IgtLog
from drmbench.render.junit import render_junit
from drmbench.render.kcidb import render_kcidb
from drmbench.render.ktap import Ktap
from drmbench.render.lava import LavaSignals, render_lava_results
from drmbench.render.lava_measures import render_lava_measures
from drmbench.render.lifecycle import lifecycle_document
from drmbench.render.lines import replay
from drmbench.render.markdown import render_markdown
from drmbench.render.mermaid import render_mermaid
from drmbench.render.openmetrics import render_openmetrics
from drmbench.render.pictures import chosen_svg
from drmbench.render.scale import scale_document
from drmbench.render.stress import stress_document
from drmbench.render.table import render_table
from drmbench.render.trace import trace_document
from drmbench.render.verify import verify_document
from drmbench.store import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.model import Report
    from drmbench.render.document import Document


_DOCUMENTS: dict[type[Report], Callable[[Any], Document]] = {
    BandwidthReport: bandwidth_document,
    ComparePopulateReport: compare_populate_document,
    CompareReport: compare_document,
    DoctorReport: doctor_document,
    ExplainReport: explain_document,
    LifecycleReport: lifecycle_document,
    ScaleReport: scale_document,
    FleetReport: fleet_document,
    StressReport: stress_document,
    TraceReport: trace_document,
    VerifyReport: verify_document,
}


def document_of(report: Report, *, histogram: bool = False) -> Document:
    """The report as tables and lines; `histogram` adds one for each fault-latency result."""
    if isinstance(report, FaultLatencyReport):
        return fault_latency_document(report, histogram=histogram)
    return _DOCUMENTS[type(report)](report)


def _of_verify(name: str, render: Callable[[VerifyReport], str]) -> Callable[[Report, bool], str]:
    def rendered(report: Report, _histogram: bool) -> str:
        if not isinstance(report, VerifyReport):
            raise UsageError("show", f"--format {name}", reason="this is no report of drmbench verify",
                             remedy="--format table shows it")
        return render(report)

    return rendered


def _mermaid(report: Report, _histogram: bool) -> str:
    if not isinstance(report, TraceReport):
        raise UsageError("show", "--format mermaid", reason="this is no report of drmbench trace",
                         remedy="--format table shows it")
    return render_mermaid(report)


def _lava(report: Report, _histogram: bool) -> str:
    return replay(LavaSignals(), report) if isinstance(report, VerifyReport) else render_lava_measures(report)


FORMATS: dict[str, Callable[[Report, bool], str]] = {
    "table": lambda report, histogram: render_table(document_of(report, histogram=histogram)),
    "csv": lambda report, _histogram: render_csv(report),
    "markdown": lambda report, histogram: render_markdown(document_of(report, histogram=histogram)),
    "json": lambda report, _histogram: encode(report).decode(),
    "openmetrics": lambda report, _histogram: render_openmetrics(report),
    "ktap": _of_verify("ktap", lambda report: replay(Ktap(), report)),
    "junit": _of_verify("junit", render_junit),
    "lava": _lava,
    "lava-results": _of_verify("lava-results", render_lava_results),
    "kcidb": lambda report, _histogram: render_kcidb(report),
    "tree": lambda report, _histogram: render_table(document_of(report)),
    "mermaid": _mermaid,
    "svg": lambda report, _histogram: chosen_svg(report, None),
    "igt": _of_verify("igt", lambda report: replay(IgtLog(), report)),
}
"""--format -> (report, with histograms) -> text. Raises UsageError for what cannot show this kind of report."""
