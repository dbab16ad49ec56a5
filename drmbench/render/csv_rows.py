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

_LEFT_OUT = {"histogram", "passes", "ns_per_page_runs", "strategies", "touches", "populate", "clues", "problems"}


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, part in value.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(part, dict):
            yield from _flat(part, f"{prefix}{name}.")
        elif isinstance(part, list):
            yield f"{prefix}{name}", " ".join(str(item["name"] if isinstance(item, dict) else item) for item in part)
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
    names = dict.fromkeys(name for row in rows for name in row)
    # A part that one row lacks is a null there, and a group of columns in another row.
    groups = {name.rpartition(".")[0] for name in names}
    columns = [name for name in names if name not in groups]
    writer = csv.DictWriter(output, fieldnames=columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()
