# SPDX-License-Identifier: MIT
"""Report -> CSV: one row for a result (for a strategy of compare-populate), raw numbers, dotted names."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

from drmbench.model import ComparePopulateReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import Report

_LEFT_OUT = {"histogram", "passes", "ns_per_page_runs", "strategies"}


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, part in value.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(part, dict):
            yield from _flat(part, f"{prefix}{name}.")
        elif isinstance(part, list):
            yield f"{prefix}{name}", " ".join(str(item) for item in part)
        else:
            yield f"{prefix}{name}", part


def _rows(report: Report) -> Iterator[dict[str, object]]:
    for result in report.results:
        tree = msgspec.to_builtins(result)
        shared = {"kernel": report.environment.kernel, **dict(_flat(tree))}
        if not isinstance(report, ComparePopulateReport):
            yield shared
            continue
        for name, strategy in tree["strategies"].items():
            yield {**shared, "strategy": name, **dict(_flat(strategy))}


def render_csv(report: Report) -> str:
    """RFC 4180 with a header line; an empty field is a null."""
    rows = list(_rows(report))
    output = io.StringIO()
    writer = csv.DictWriter(output, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()
