# SPDX-License-Identifier: MIT
"""The matrix as one table for people and one document for programs."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drmbench.vm.matrix import Cell, Plan

_COLUMNS = 80
_HEADS = ("KERNEL", "DEVICE", "BUFFER", "WRITE", "READ", "THEN", "WINDOW", "LARGEST", "POPULATE")
_NAMES_LEFT = 3
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One buffer kind of one cell.

    write, read         faults per page of a first pass that writes or reads
    write_after_read    faults per page of a write pass after a read pass over the same mapping
    window_pages        pages that one write fault maps
    largest_stage       the stage of the buffer's life, written first, that takes longest
    populate            verdict on MAP_POPULATE: real, no-op, refused or moot
    """

    buffer: str
    write: float | None
    read: float | None
    write_after_read: float | None
    window_pages: int | None
    largest_stage: str
    populate: str


def rows(cell: Cell) -> list[Row]:
    """What the reports of `cell` say, one row for each buffer kind."""
    faults = _by_buffer(cell.reports.get("fault-latency", {}))
    populate = _by_buffer(cell.reports.get("compare-populate", {}))
    return [_row(buffer, results, populate.get(buffer, [])) for buffer, results in faults.items()]


def _by_buffer(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in report.get("results", []):
        found.setdefault(str(result["target"].get("buffer", "")), []).append(result)
    return found


def _row(buffer: str, faults: list[dict[str, Any]], populate: list[dict[str, Any]]) -> Row:
    by_access = {result["access"]: result for result in faults}
    write = by_access.get("write", {})
    passes = by_access.get("read-then-write", {}).get("passes", [])
    stages = write.get("stages_ns", {})
    strategies = populate[0].get("strategies", {}) if populate else {}
    return Row(buffer, write.get("faults_per_page"), by_access.get("read", {}).get("faults_per_page"),
               passes[-1].get("faults_per_page") if len(passes) > 1 else None,
               write.get("prefault_window_pages"), max(stages, key=stages.__getitem__, default=""),
               strategies.get("map-populate", {}).get("verdict", ""))


def as_text(cells: list[Cell]) -> str:
    """One table within 80 columns, what could not be measured below it, and the kernels' full versions."""
    table = [_HEADS]
    failures = []
    for cell in cells:
        kernel = cell.kernel.removeprefix("debian-").rsplit("/", 1)[-1]
        if cell.reason:
            failures += textwrap.wrap(f"{kernel} {cell.device.name}: {cell.reason}", _COLUMNS, subsequent_indent="  ")
        table += [(kernel, cell.device.name, row.buffer, number(row.write), number(row.read),
                   number(row.write_after_read), number(row.window_pages), row.largest_stage, row.populate)
                  for row in rows(cell)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADS))]
    lines = [_aligned(line, widths) for line in table] if len(table) > 1 else []
    legend = ["", *textwrap.wrap("WRITE, READ: faults per page of a first pass; THEN: of a write pass after a read "
                                 "pass; WINDOW: pages that one fault maps; LARGEST: the stage that takes longest; "
                                 "POPULATE: what MAP_POPULATE does.", _COLUMNS)]
    simulated = sorted({cell.device.name for cell in cells if cell.device.simulated and not cell.reason})
    if simulated:
        legend += textwrap.wrap(f"Simulated hardware: {', '.join(simulated)}.", _COLUMNS)
    if failures:
        lines += ["", "Not measured:", *failures]
    return "\n".join([*lines, *legend, *dict.fromkeys(cell.label for cell in cells)])


def number(value: float | None) -> str:
    """A count per page for people: 2, 1/16 where it is one in so many, "-" where there is none."""
    if value is not None and 0 < value < 1 and (1 / value).is_integer():
        return f"1/{1 / value:.0f}"
    return "-" if value is None else f"{value:.4g}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    cells = [text.ljust(width) if column < _NAMES_LEFT or column > len(_HEADS) - 3 else text.rjust(width)
             for column, (text, width) in enumerate(zip(line, widths, strict=True))]
    return " ".join(cells).rstrip()


def as_document(plan: Plan, cells: list[Cell]) -> dict[str, object]:
    """The matrix with every report in it, to be saved as JSON."""
    return {
        "command": "vm matrix", "schema_version": SCHEMA_VERSION, "drmbench": version("drmbench"),
        "parameters": {"kernels": plan.kernels, "devices": [device.name for device in plan.devices],
                       "size_bytes": plan.size_bytes, "runs": plan.runs},
        "cells": [{"kernel": cell.kernel, "label": cell.label, "device": cell.device.name,
                   "driver": cell.device.driver, "simulation": cell.device.simulation, "reason": cell.reason,
                   "rows": [asdict(row) for row in rows(cell)], "reports": cell.reports} for cell in cells],
    }
