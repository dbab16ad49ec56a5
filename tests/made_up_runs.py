# SPDX-License-Identifier: MIT
"""Saved fault-latency reports with runs that a test chooses, for what only reads reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drmbench.comparison.compare import Asked, Side, compare
from drmbench.comparison.conditions import parse
from drmbench.model import (
    SCHEMA_VERSION,
    STAGES,
    ClockInfo,
    Distribution,
    Environment,
    FaultLatencyReport,
    FaultLatencyResult,
    Parameters,
    PerRun,
    PerStage,
    TargetInfo,
)
from drmbench.store import encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drmbench.model import CompareReport

PAGES = 1024
NOTHING = dict.fromkeys(STAGES, 0)


def machine(**changes: Any) -> Environment:
    """A machine."""
    fields = {
        "kernel": "6.1.0", "arch": "x86_64", "cpu_model": "A CPU", "page_size_bytes": 4096, "virtualization": "none",
        "emulated": False, "thp": "never", "thp_shmem": "never", "governor": "performance", "cpus": 8,
        "memory_bytes": 1 << 34, "drmbench": "0.1.0", "date": "2026-01-01T00:00:00+00:00",
    }
    return Environment(**{**fields, **changes})


def result(ns_per_page: Sequence[float], *, driver: str = "vgem", node: str | None = "/dev/dri/card0",
           faults: Sequence[int] = (PAGES,), p99: Sequence[float] = (), **changes: Any) -> FaultLatencyResult:
    """One result whose runs took these times a page, and this p99 (else 4 times that)."""
    middle = float(np.median(ns_per_page))
    counted = list(faults) * (len(ns_per_page) if len(faults) == 1 else 1)
    tail = [round(value) for value in (p99 or [4 * value for value in ns_per_page])]
    typical = round(middle)
    spread = Distribution(len(counted) * PAGES, 1, typical, typical, round(float(np.median(tail))), 9, 9)
    fields = {
        "target": TargetInfo("baseline" if node is None else "drm", node, driver, "", "dumb" if node else driver),
        "size_bytes": PAGES * 4096, "pages": PAGES, "access": "write", "order": "sequential", "phase": "cold",
        "runs": len(ns_per_page), "faults": PerStage(**{**NOTHING, "touch": sorted(counted)[(len(counted) - 1) // 2]}),
        "faults_per_page": 1.0, "prefault_window_pages": 1, "ns_per_page": middle, "fault_ns": spread,
        "stages_ns": PerStage(**{**NOTHING, "touch": round(middle * PAGES)}),
        "hit_ns": Distribution(0, None, None, None, None, None, None), "vm_flags": ["rd", "wr"],
        "clock": ClockInfo("tsc", 10, 1), "ns_per_page_runs": list(ns_per_page),
        "per_run": PerRun(faults={"touch": counted},
                          fault_ns={"p50": [round(value) for value in ns_per_page], "p99": tail}),
    }
    return FaultLatencyResult(**{**fields, **changes})


def report(*results: FaultLatencyResult, **environment: Any) -> FaultLatencyReport:
    """A report of them."""
    parameters = Parameters(devices=[], buffer=None, size_bytes=PAGES * 4096, access=["write"], order="sequential",
                            runs=10, seed=1, cpu=None)
    return FaultLatencyReport(SCHEMA_VERSION, machine(**environment), parameters, list(results), [])


def a_comparison() -> CompareReport:
    """A comparison with something of everything in it."""
    steady = [1000.0 + run for run in range(10)]
    base = report(result([*steady, 9000.0]), result(steady, access="read"), result(steady, driver="memfd", node=None))
    new = report(result([2 * value for value in steady], faults=[2 * PAGES], vm_flags=["pf"]),
                 result(steady, access="read"), result(steady, driver="vkms"), governor="powersave")
    return compare([Side.of("base.json", base), Side.of("new.json", new)],
                   Asked(conditions=(parse("faults>+0"), parse("p99>+500%"))))


def save(path: Path, *results: FaultLatencyResult, **environment: Any) -> str:
    """The same as a file; returns its path."""
    path.write_bytes(encode(report(*results, **environment)))
    return str(path)
