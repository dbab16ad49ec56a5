# SPDX-License-Identifier: MIT
"""No test is left out of `make test-all`: each file of tests/vm runs in a lane that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/vm/test_*.py")), ids=lambda path: path.name)
def test_a_lane_runs_it(path: Path) -> None:
    everything = (ROOT / "scripts" / "test-all").read_text().replace('"', " ").split()
    lane = "vm-" + path.stem.removeprefix("test_")
    by_name = f"tests/vm/{path.name}" in (ROOT / "scripts" / "test").read_text()
    assert by_name or lane in everything
