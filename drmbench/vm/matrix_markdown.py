# SPDX-License-Identifier: MIT
"""The matrix as Markdown: a column for each kernel, and one row for the buffers of a device that behave alike."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from drmbench.vm.matrix_table import number, rows

if TYPE_CHECKING:
    from drmbench.vm.matrix import Cell
    from drmbench.vm.matrix_table import Row

_ABSENT = "-"


def as_markdown(cells: list[Cell]) -> str:
    """A Markdown table: `write / read / write after read, largest stage, verdict on MAP_POPULATE` in each cell.

    The largest stage of a merged row is the one that most of its buffers have. Below it the full versions of the
    kernels, what is simulated, and why a cell is empty.
    """
    kernels = list(dict.fromkeys(cell.kernel for cell in cells))
    heads = {cell.kernel: _series(cell.label) for cell in cells}
    lines = [f"| device | buffers | {' | '.join(heads.values())} |",
             f"|---|---|{'---|' * len(kernels)}"]
    for device in dict.fromkeys(cell.device.name for cell in cells):
        lines += _device(device, kernels, [cell for cell in cells if cell.device.name == device])
    versions = "; ".join(dict.fromkeys(cell.label for cell in cells))
    simulated = ", ".join(sorted({cell.device.name for cell in cells if cell.device.simulated}))
    lines += ["", f"Kernels: {versions}."]
    lines += [f"Simulated hardware or a test double: {simulated}."] * bool(simulated)
    lines += dict.fromkeys(f"{cell.kernel} {cell.device.name}: {cell.reason}." for cell in cells if cell.reason)
    return "\n".join(lines)


def _series(label: str) -> str:
    """The series, "7.3", of "debian-newest 7.3.4+deb13-amd64 (...)"; a label without a version stays as it is."""
    _name, _space, full = label.partition(" ")
    version = re.match(r"\d+\.\d+", full)
    return version[0] if version else label


def _device(name: str, kernels: list[str], cells: list[Cell]) -> list[str]:
    """One line for each group of buffers whose counts and verdicts are the same on every kernel."""
    found = {cell.kernel: {row.buffer: row for row in rows(cell)} for cell in cells}
    buffers = dict.fromkeys(buffer for by_buffer in found.values() for buffer in by_buffer)
    groups: dict[tuple[str, ...], list[str]] = {}
    for buffer in buffers:
        key = tuple(_counts(found.get(kernel, {}).get(buffer)) for kernel in kernels)
        groups.setdefault(key, []).append(buffer)
    lines = []
    for group in groups.values():
        texts = [_text([row for buffer in group if (row := found.get(kernel, {}).get(buffer))]) for kernel in kernels]
        lines.append(f"| {name} | {', '.join(group)} | {' | '.join(texts)} |")
    return lines or [f"| {name} | {_ABSENT} | {' | '.join([_ABSENT] * len(kernels))} |"]


def _counts(row: Row | None) -> str:
    if row is None:
        return _ABSENT
    return f"{number(row.write)} / {number(row.read)} / {number(row.write_after_read)} {row.populate}"


def _text(alike: list[Row]) -> str:
    if not alike:
        return _ABSENT
    stage = Counter(row.largest_stage for row in alike).most_common(1)[0][0]
    counts, _space, populate = _counts(alike[0]).rpartition(" ")
    return f"{counts}, {stage}, {populate}"
