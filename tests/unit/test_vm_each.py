# SPDX-License-Identifier: MIT
"""`vm each`, which the guests of `vm matrix` run: every report or the reason why there is none."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from drmbench import cli

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_line_gets_its_report_or_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, last = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "last one.json"
    small = "--device memfd --size 64KiB --runs 1 --no-baseline"
    lines = f"{good} fault-latency {small}\n{bad} fault-latency --device /no/node\n'{last}' compare-populate {small}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert cli.run(["vm", "each"]) == 1
    assert json.loads(good.read_text())["command"] == "fault-latency"
    assert json.loads(last.read_text())["command"] == "compare-populate"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.json.err", "good.json", "last one.json"]
    assert "/no/node" in (tmp_path / "bad.json.err").read_text()
