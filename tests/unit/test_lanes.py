# SPDX-License-Identifier: MIT
"""No test is left out of `make test-all`: each folder of tests, and each file of tests/vm, has a lane that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lanes() -> list[str]:
    return (ROOT / "scripts" / "test-all").read_text().replace('"', " ").split()


@pytest.mark.parametrize("folder", sorted({path.parent.name for path in ROOT.glob("tests/*/test_*.py")}))
def test_a_folder_has_a_lane(folder: str) -> None:
    assert folder in lanes()


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/vm/test_*.py")), ids=lambda path: path.name)
def test_a_lane_runs_it(path: Path) -> None:
    lane = "vm-" + path.stem.removeprefix("test_")
    by_name = f"tests/vm/{path.name}" in (ROOT / "scripts" / "test").read_text()
    assert by_name or lane in lanes()
