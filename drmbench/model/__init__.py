# SPDX-License-Identifier: MIT
"""The report: one typed document a run collects and every table, file and comparison reads.

Durations are ns, sizes bytes, faults are minor and major together. Fields are only ever added; a reader
ignores those it does not know. `null` stands where there is nothing to measure.
"""

from __future__ import annotations

from drmbench.model.common import (
    SCHEMA_VERSION,
    STAGES,
    Access,
    Caveat,
    ClockInfo,
    Count,
    Duration,
    Environment,
    Order,
    Parameters,
    PerStage,
    Phase,
    Size,
    TargetInfo,
)
from drmbench.model.compare_populate import (
    ComparePopulateReport,
    ComparePopulateResult,
    StrategyFaults,
    StrategyResult,
    Verdict,
)
from drmbench.model.devices import (
    DeviceEntry,
    DeviceList,
)
from drmbench.model.fault_latency import (
    Distribution,
    FaultLatencyReport,
    FaultLatencyResult,
    HistogramBin,
    Mechanism,
    TouchPass,
)
from drmbench.model.verify import (
    CaseVerdict,
    KnownBehaviour,
    VerifyParameters,
    VerifyReport,
    VerifyResult,
)

Report = FaultLatencyReport | ComparePopulateReport | VerifyReport

__all__ = [
    "SCHEMA_VERSION",
    "STAGES",
    "Access",
    "CaseVerdict",
    "Caveat",
    "ClockInfo",
    "ComparePopulateReport",
    "ComparePopulateResult",
    "Count",
    "DeviceEntry",
    "DeviceList",
    "Distribution",
    "Duration",
    "Environment",
    "FaultLatencyReport",
    "FaultLatencyResult",
    "HistogramBin",
    "KnownBehaviour",
    "Mechanism",
    "Order",
    "Parameters",
    "PerStage",
    "Phase",
    "Report",
    "Size",
    "StrategyFaults",
    "StrategyResult",
    "TargetInfo",
    "TouchPass",
    "Verdict",
    "VerifyParameters",
    "VerifyReport",
    "VerifyResult",
]
