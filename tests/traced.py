# SPDX-License-Identifier: MIT
"""A trace report as the sub-command makes it, from what ftrace recorded on a real kernel; tracing needs root."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drmbench.model import (
    Caveat,
    Environment,
    FaultCheck,
    FunctionChange,
    StepName,
    TargetInfo,
    TraceComparison,
    TraceFault,
    TraceNode,
    TraceParameters,
    TraceReport,
    TraceResult,
    TraceStep,
)
from drmbench.trace.graph import parse_graph
from drmbench.trace.tree import collapsed, each_call, faults_of_mapping

DATA = Path(__file__).parent / "data"
PAGE = 4096
PAGES = 16
ADDRESS = 0x7FC48A252000
VGEM_TARGET = TargetInfo("drm", "/dev/dri/card0", "vgem", "made up", "dumb")
QXL_TARGET = TargetInfo("drm", "/dev/dri/card1", "qxl", "made up", "dumb")


def nested(*functions: str) -> TraceNode:
    """A call in a call in a call; "name [module]" as ftrace has it, the innermost takes 1000 ns."""
    name, _blank, module = functions[0].partition(" ")
    inner = [nested(*functions[1:])] if functions[1:] else []
    return TraceNode(name, module.strip("[]"), duration_ns=1000 * len(functions), children=inner)


def a_result() -> TraceResult:
    """All steps of one buffer."""
    mapped = nested("ksys_mmap_pgoff", "do_mmap", "mmap_region", "drm_gem_mmap [drm]", "drm_vma_node_is_allowed [drm]")
    insert = TraceNode("vmf_insert_pfn", calls=3, duration_ns=6000, shortest_ns=1000, longest_ns=4000)
    touched = TraceNode("handle_mm_fault", duration_ns=9000, fault=TraceFault(ADDRESS, 0, 6), children=[insert])
    refused = TraceNode("drm_gem_mmap", "drm", duration_ns=2000, returned=-13, cut=True)
    return TraceResult(VGEM_TARGET, PAGES * PAGE, PAGES, "write", [
        TraceStep("mmap", "mmap(NULL, 64 KiB, ...)", [mapped], f"{ADDRESS:#x}", None, 90_000, 9_000),
        TraceStep("touch", "store to page 0", [touched], None, None, 20_000, 2_000, 2),
        TraceStep("munmap", "munmap(64 KiB)", [nested("__vm_munmap", "drm_gem_vm_close [drm]")], "0"),
        TraceStep("denied", "mmap(NULL, 64 KiB, ...)", [refused], None, "EACCES", complete=False),
    ], ADDRESS, ["exc_page_fault"], FaultCheck(PAGES, 16, 16, "perf", True, 1), 3, 1, {"munmap": "made up"})


def step_of(name: StepName, calls: list[TraceNode]) -> TraceStep:
    """A step that made these calls."""
    return TraceStep(name, f"{name}()", calls)


def recorded(name: str, thread: int, target: TargetInfo) -> TraceResult:
    """What ftrace recorded of a thread that mapped a buffer and stored to its first page, in tests/data."""
    trace = parse_graph((DATA / name).read_text(), thread)
    touched = trace.sections["touch"].roots
    address = next(call.fault.address for call in each_call(touched) if call.fault is not None)
    kept, _others = faults_of_mapping(touched, address, PAGES * PAGE, PAGE)
    steps = [step_of("mmap", collapsed(trace.sections["mmap"].roots)), step_of("touch", collapsed(kept))]
    return TraceResult(target, PAGES * PAGE, PAGES, "write", steps, address)


VGEM = recorded("trace-vgem.txt", 192, VGEM_TARGET)
TTM = recorded("trace-ttm.txt", 195, TargetInfo("drm", "/dev/dri/card1", "amdgpu", "made up", "gem:vram"))


def report_of(*results: TraceResult) -> TraceReport:
    """A report of these results and nothing else."""
    return msgspec.structs.replace(a_report(), results=list(results), caveats=[], missing=[], comparisons=[])


def a_report() -> TraceReport:
    """With everything that such a report can hold."""
    environment = Environment("6.1.0-1-amd64", "x86_64", "made up", PAGE, "qemu-tcg", True, "never", "never", "none", 1,
                              1 << 30, "0.1.0", "2026-01-01T00:00:00+00:00")
    parameters = TraceParameters([], None, PAGES * PAGE, "write", "all", None, True)
    change = FunctionChange("touch", "vmf_insert_pfn", "", 16, 1)
    comparison = TraceComparison(VGEM_TARGET, QXL_TARGET, "6.12.0-1-amd64", ["mmap", "touch"], [change], 20)
    return TraceReport(1, environment, parameters, [a_result()], [Caveat("made-up", "it is made up", "trace")],
                       ["qxl: no such device"], [comparison])
