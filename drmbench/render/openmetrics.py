# SPDX-License-Identifier: MIT
"""Report -> OpenMetrics text (version 1.0.0), for Prometheus: a push gateway, or node_exporter's textfile collector.

Times are seconds, sizes bytes, everything is a gauge, and there are no timestamps: what is scraped later is the same
measurement. node_exporter's older parser reads it too, as it takes UNIT and EOF for comments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from drmbench.render.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import Report

_QUANTILES = {"min": "0", "p50": "0.5", "p90": "0.9", "p99": "0.99", "p999": "0.999", "max": "1"}
# Groups of numbers that differ in one thing only: that thing is a label.
_GROUPS = {"faults": "stage", "stages_ns": "stage", "steps": "step"}
# What tells results apart besides its texts.
_PARAMETERS = frozenset({"size_bytes", "threads", "processes", "workers", "live_buffers"})
# What was found out, in words: labels of the "info" family alone, so that a series goes on when they change.
_OUTCOMES = frozenset({"verdict", "errno", "severity", "mechanism.name", "vm_flags", "private_mapping", "vma.vm_flags",
                       "caching.mode"})
_PROSE = frozenset({"target.description", "rule", "source", "what", "expected", "actual", "reason", "observed",
                    "conclusion.text", "found", "effect", "remedy", "affects", "kernel_log", "mechanism.source",
                    "caching.text", "caching.evidence"})
_PLACES = re.compile(r"(^|\.)(address|start|end|inode|offset_bytes)$")
_NS = 1e9

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Family:
    """Samples of one name; each combination of labels once."""

    unit: str
    meaning: str
    samples: dict[Labels, str] = field(default_factory=dict)


def render_openmetrics(report: Report) -> str:
    """The whole exposition, "# EOF" included."""
    prefix = "drmbench_" + _word(str(report.__struct_config__.tag))
    families: dict[str, Family] = {}
    rows = rows_of(report)
    identities = [_identity(row) for row in rows]
    for number, (row, labels) in enumerate(zip(rows, identities, strict=True)):
        own = labels if identities.count(labels) == 1 else (*labels, ("result", str(number)))
        for name, unit, extra, value in _samples(row):
            meaning = f"{name} of a result of drmbench {report.__struct_config__.tag}"
            family = families.setdefault(f"{prefix}_{name}", Family(unit, meaning))
            family.samples.setdefault((*own, *extra), value)
        outcomes = tuple((_word(name), str(row[name])) for name in sorted(_OUTCOMES) if isinstance(row.get(name), str))
        family = families.setdefault(f"{prefix}_info", Family("", "What was found out, in words"))
        family.samples.setdefault((*own, *outcomes), "1")
    environment = msgspec.to_builtins(report.environment)
    families["drmbench_environment_info"] = Family("", "The machine that was measured", {tuple(
        (name, str(value)) for name, value in environment.items() if isinstance(value, str)): "1"})
    if report.caveats:
        families["drmbench_caveat_info"] = Family("", "What could mislead", {
            (("id", caveat.id), ("message", caveat.message)): "1" for caveat in report.caveats})
    return "".join(line + "\n" for line in _lines(families))


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _identity(row: dict[str, object]) -> Labels:
    """The labels of all samples of a row: its texts that are neither outcomes nor prose, and its parameters."""
    labels = {
        name.rpartition(".")[2]: str(value) for name, value in row.items()
        if (isinstance(value, str) and name not in _OUTCOMES | _PROSE and not name.startswith(("known.", "failure.")))
        or (name in _PARAMETERS and value is not None)
    }
    return tuple((_word(name), value) for name, value in labels.items() if name)


def _samples(row: dict[str, object]) -> Iterator[tuple[str, str, Labels, str]]:
    """(name with its unit, unit, further labels, value) for each number of a row."""
    for path, value in row.items():
        if isinstance(value, int | float) and path not in _PARAMETERS and not _PLACES.search(path):
            name, labels = _named(path)
            if name.endswith("_ns"):
                yield _word(name[:-3]) + "_seconds", "seconds", labels, repr(value / _NS)
            elif name.startswith("ns_per_"):
                yield "seconds_per_" + _word(name[7:]), "", labels, repr(value / _NS)
            else:
                unit = "bytes" if name.endswith("_bytes") else ""
                yield _word(name), unit, labels, repr(value + 0)


def _named(path: str) -> tuple[str, Labels]:
    """What stands for the path: fault_ns.p50 is fault_ns with a quantile, stages_ns.mmap is stages_ns with a stage."""
    first, _, rest = path.partition(".")
    if rest and first in _GROUPS:
        return first, ((_GROUPS[first], rest),)
    group, _, last = path.rpartition(".")
    if group.endswith("_ns"):
        if last in _QUANTILES:
            return group, (("quantile", _QUANTILES[last]),)
        if last == "n":
            return f"{group[:-3]}_samples", ()
    return path, ()


def _lines(families: dict[str, Family]) -> Iterator[str]:
    for name, family in sorted(families.items()):
        yield f"# TYPE {name} gauge"
        if family.unit:
            yield f"# UNIT {name} {family.unit}"
        yield f"# HELP {name} {_escaped(family.meaning)}"
        for labels, value in family.samples.items():
            inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
            yield f"{name}{{{inner}}} {value}"
    yield "# EOF"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
