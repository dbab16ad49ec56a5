# SPDX-License-Identifier: MIT
"""The table of verdicts that verify is expected to give on every lab device: what is not simply "pass".

    .venv/bin/drmbench vm run --device all -- .venv/bin/drmbench verify --json verdicts.json
    .venv/bin/python tests/verdict_table.py verdicts.json > tests/verdicts/6.1.toml

writes it anew, also from several such files (--case). Look at what changed before it is committed: each line is a
promise about a driver.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

Table = dict[str, dict[str, str]]
"""Case -> target ("qxl gem:vram") -> verdict."""

REMEDY = f"""
Where the new verdicts are right, write the table anew:
{(__doc__ or "").partition(chr(10) * 2)[2].rpartition(chr(10) * 2)[0]}"""
ALL = "all"


def table_of(results: list[dict[str, Any]]) -> Table:
    """The verdicts of a report's results."""
    table: Table = {}
    for result in results:
        target = f"{result['target']['driver']} {result['target']['buffer']}"
        assert target not in table.setdefault(result["case"], {}), f"{result['case']} ran twice on {target}"
        table[result["case"]][target] = result["verdict"]
    return table


def _grouped(verdicts: dict[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for target, verdict in sorted(verdicts.items()):
        groups.setdefault(verdict, []).append(target)
    return groups


def as_toml(table: Table, kernel: str) -> str:
    """The table as text: a case's exceptions only, and which targets ran fewer cases than there are."""
    everything = sorted({target for verdicts in table.values() for target in verdicts})
    lines = ["# SPDX-License-Identifier: MIT", "# Written by tests/verdict_table.py, which says how.", "",
             f"kernel = {json.dumps(kernel)}", f"targets = {json.dumps(everything)}".replace(", ", ",\n    ")]
    for case, verdicts in sorted(table.items()):
        lines += ["", f"[cases.{json.dumps(case)}]"]
        if len(verdicts) < len(everything):
            lines.append(f"on = {json.dumps(sorted(verdicts))}")
        for verdict, targets in _grouped(verdicts).items():
            if verdict != "pass":
                lines.append(f"{verdict} = {json.dumps([ALL] if len(targets) == len(verdicts) else targets)}")
    return "\n".join(lines) + "\n"


def read(text: str) -> Table:
    """The table of such a text, every verdict of it."""
    document = tomllib.loads(text)
    table: Table = {}
    for case, entry in document["cases"].items():
        on = entry.pop("on", document["targets"])
        table[case] = dict.fromkeys(on, "pass")
        for verdict, targets in entry.items():
            table[case].update(dict.fromkeys(on if targets == [ALL] else targets, verdict))
    return table


def differences(expected: Table, found: Table) -> list[str]:
    """A line for each verdict that is another than expected, that is new, or that vanished."""
    lines = []
    for case in sorted(expected.keys() | found.keys()):
        was, now = expected.get(case, {}), found.get(case, {})
        lines += [f"{case} on {target}: expected {was.get(target, 'not to run')}, got {now.get(target, 'nothing')}"
                  for target in sorted(was.keys() | now.keys()) if was.get(target) != now.get(target)]
    return lines


if __name__ == "__main__":
    reports = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    (version,) = {".".join(report["environment"]["kernel"].split(".")[:2]) for report in reports}
    sys.stdout.write(as_toml(table_of([result for report in reports for result in report["results"]]), version))
