# SPDX-License-Identifier: MIT
"""What can be compared of fault-latency: faults of each stage, ns per page, percentiles, stages, mechanism."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison.subject import Counted, Sampled, Subject
from drmbench.model import STAGES
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import FaultLatencyReport, FaultLatencyResult

_ONCE_A_BUFFER = ("create", "destroy")


def subjects(report: FaultLatencyReport) -> list[Subject]:
    """One for each result."""
    return [subject(result) for result in report.results]


def subject(result: FaultLatencyResult) -> Subject:
    """The comparable side of one result, of explain's touches too."""
    return Subject(
        target=result.target,
        size_bytes=result.size_bytes,
        variant={"access": result.access, "phase": result.phase, "order": result.order,
                 "size": format_bytes(result.size_bytes)},
        counts=list(_counts(result)),
        times=list(_times(result)),
        facts=_facts(result),
    )


def _stages(result: FaultLatencyResult) -> Sequence[str]:
    """Those of this phase: a second mapping does not make or destroy the buffer, and touch goes by other names."""
    left_out = {"touch", *(() if result.phase == "cold" else _ONCE_A_BUFFER)}
    return [name for name in STAGES if name not in left_out]


def _counts(result: FaultLatencyResult) -> Iterator[Counted]:
    per_run = result.per_run
    window = result.prefault_window_pages or 1
    bytes_at_once = window * result.size_bytes // result.pages
    alignment = result.address % bytes_at_once if window > 1 and result.address is not None else None
    touch = (result.faults.touch,) if per_run is None else tuple(per_run.faults.get("touch", ()))
    yield Counted("faults", touch or (result.faults.touch,), alignment)
    for name in _stages(result):
        values = () if per_run is None else tuple(per_run.faults.get(name, ()))
        yield Counted(f"faults.{name}", values or (getattr(result.faults, name),))


def _times(result: FaultLatencyResult) -> Iterator[Sampled]:
    per_run = result.per_run
    yield Sampled("ns_per_page", tuple(result.ns_per_page_runs) or (result.ns_per_page,))
    faulting = result.fault_ns.n > 0
    whole = result.fault_ns if faulting else result.hit_ns
    # Touches that fault and touches that do not are different things, and never compared with each other.
    suffix = "" if faulting else " (no fault)"
    for name in ("p50", "p99"):
        values: Sequence[float] = ()
        if per_run is not None:
            values = (per_run.fault_ns if faulting else per_run.hit_ns).get(name, ())
        single = getattr(whole, name)
        if values or single is not None:
            yield Sampled(f"{name}{suffix}", tuple(values) or (single,))
    for name in _stages(result):
        values = () if per_run is None else per_run.stages_ns.get(name, ())
        yield Sampled(name, tuple(values) or (getattr(result.stages_ns, name),))


def _facts(result: FaultLatencyResult) -> dict[str, str]:
    window = result.prefault_window_pages
    return {
        "window": "none faulted" if window is None else f"{window} page{'s' if window != 1 else ''}",
        "mechanism": "none known" if result.mechanism is None else result.mechanism.name,
        "VmFlags": " ".join(result.vm_flags) or "not shown",
        "clock": result.clock.source,
    }
