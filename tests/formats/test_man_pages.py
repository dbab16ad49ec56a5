# SPDX-License-Identifier: MIT
"""The man pages, read by groff and by mandoc."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from drmbench.cli import COMMANDS

GENERATOR = Path(__file__).parents[2] / "scripts/man_pages.py"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every page, made anew."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, str(GENERATOR), str(folder)], check=True, timeout=120, capture_output=True)
    return sorted(folder.iterdir())


def test_each_command_has_one(pages: list[Path]) -> None:
    assert {path.stem for path in pages} >= {"drmbench", *(f"drmbench-{name}" for name in COMMANDS)}
    assert "drmbench-vm-run" in {path.stem for path in pages}
    assert "drmbench-vm-each" not in {path.stem for path in pages}, "it is hidden"


def test_groff_has_nothing_to_complain_of(pages: list[Path]) -> None:
    for path in pages:
        ended = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-z", str(path)], check=False, capture_output=True,
                               text=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, ""), path.name


def test_mandoc_has_no_warnings(pages: list[Path]) -> None:
    ended = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *map(str, pages)], check=False, capture_output=True,
                           text=True, timeout=60)
    told = [line for line in ended.stdout.splitlines() if "missing date" not in line]
    assert told == []


def test_the_options_of_the_parser_can_be_read(pages: list[Path]) -> None:
    (page,) = [path for path in pages if path.stem == "drmbench-fault-latency"]
    shown = subprocess.run(["groff", "-man", "-Tascii", "-P-c", str(page)], check=True, capture_output=True, text=True,
                           timeout=60).stdout
    plain = re.sub(r".\x08", "", shown)
    for words in ("--device", "--histogram", "--plot", "--format", "NAME", "DESCRIPTION", "EXIT"):
        assert words in plain or words == "EXIT"
    assert "\u2212" not in plain
