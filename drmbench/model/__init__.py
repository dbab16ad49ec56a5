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
from drmbench.model.doctor import (
    DoctorParameters,
    DoctorReport,
    Finding,
)
from drmbench.model.explain import (
    AfterClose,
    Clue,
    Conclusion,
    ExplainReport,
    ExplainResult,
    ForkedChild,
    HelperModules,
    HugeProbe,
    Payment,
    VmaInfo,
)
from drmbench.model.fault_latency import (
    ACCEPTED,
    Distribution,
    FaultGroup,
    FaultLatencyReport,
    FaultLatencyResult,
    FaultRun,
    HistogramBin,
    Mechanism,
    TouchPass,
)
from drmbench.model.scale import (
    CrewCurve,
    CrewPoint,
    Layout,
    ScaleReport,
    SizePoint,
    SizeSweep,
    WorkerKind,
)
from drmbench.model.stress import (
    FailureCategory,
    StressFailure,
    StressParameters,
    StressReport,
    StressResult,
)
from drmbench.model.trace import (
    MOST_DEPTH,
    FaultCheck,
    FunctionChange,
    StepName,
    TraceComparison,
    TraceFault,
    TraceNode,
    TraceParameters,
    TraceReport,
    TraceResult,
    TraceStep,
)
from drmbench.model.verify import (
    CaseVerdict,
    KnownBehaviour,
    VerifyParameters,
    VerifyReport,
    VerifyResult,
)

Report = (
    FaultLatencyReport | ComparePopulateReport | ExplainReport | VerifyReport | StressReport | DoctorReport
    | TraceReport | ScaleReport
)

__all__ = [
    "ACCEPTED",
    "MOST_DEPTH",
    "SCHEMA_VERSION",
    "STAGES",
    "Access",
    "AfterClose",
    "CaseVerdict",
    "Caveat",
    "ClockInfo",
    "Clue",
    "ComparePopulateReport",
    "ComparePopulateResult",
    "Conclusion",
    "Count",
    "CrewCurve",
    "CrewPoint",
    "DeviceEntry",
    "DeviceList",
    "Distribution",
    "DoctorParameters",
    "DoctorReport",
    "Duration",
    "Environment",
    "ExplainReport",
    "ExplainResult",
    "FailureCategory",
    "FaultCheck",
    "FaultGroup",
    "FaultLatencyReport",
    "FaultLatencyResult",
    "FaultRun",
    "Finding",
    "ForkedChild",
    "FunctionChange",
    "HelperModules",
    "HistogramBin",
    "HugeProbe",
    "KnownBehaviour",
    "Layout",
    "Mechanism",
    "Order",
    "Parameters",
    "Payment",
    "PerStage",
    "Phase",
    "Report",
    "ScaleReport",
    "Size",
    "SizePoint",
    "SizeSweep",
    "StepName",
    "StrategyFaults",
    "StrategyResult",
    "StressFailure",
    "StressParameters",
    "StressReport",
    "StressResult",
    "TargetInfo",
    "TouchPass",
    "TraceComparison",
    "TraceFault",
    "TraceNode",
    "TraceParameters",
    "TraceReport",
    "TraceResult",
    "TraceStep",
    "Verdict",
    "VerifyParameters",
    "VerifyReport",
    "VerifyResult",
    "VmaInfo",
    "WorkerKind",
]
