# SPDX-License-Identifier: MIT
"""--histogram: bars of text on a terminal, in a pipe, and in Markdown."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from drmbench.render.bars import bar_lines, plain_bars
from drmbench.render.document import Bar, Section

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ("fault-latency", "--device", "memfd", "--size", "1MiB", "--runs", "2", "--phase", "cold", "--no-baseline",
           "--access", "read-then-write")


@pytest.fixture
def saved(drmbench: Any, tmp_path: Path) -> Path:
    """A report."""
    path = tmp_path / "report.json"
    assert drmbench(*COMMAND, "--json", path).status == 0
    return path


def on_a_terminal(path: Path, **environment: str) -> str:
    """What show prints where stdout is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "drmbench", "show", str(path), "--histogram"]
    settings = {**os.environ, "TERM": "xterm-256color", **environment}
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env=settings) as child:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # EIO: nobody writes any more
                break
            if not part:
                break
            parts.append(part)
        assert child.wait(60) == 0
    os.close(ours)
    return b"".join(parts).decode(environment.get("PYTHONIOENCODING", "utf-8"))


class TestInAPipe:
    def test_letters_and_no_colours(self, drmbench: Any, saved: Path) -> None:
        out = drmbench("show", saved, "--histogram").out
        assert "\x1b" not in out
        assert out.isascii()
        assert re.search(r"us +\d+ #+", out)
        assert "# with a fault   = without" in out
        assert re.search(r"< .*p50 [\d.]+ ", out)
        assert "p99 " in out
        assert max(map(len, out.splitlines())) <= 80

    def test_each_touch_is_in_a_bar(self, drmbench: Any, saved: Path) -> None:
        out = drmbench("show", saved, "--histogram").out
        counts = [int(n) for n in re.findall(r"^ *[\d.]+ \w+ - +?[\d.]+ \w+ +(\d+)(?: |$)", out, re.MULTILINE)]
        assert sum(counts) == 2 * 256 * 2, "two passes of two runs"

    def test_markdown_keeps_the_columns(self, drmbench: Any, saved: Path) -> None:
        out = drmbench("show", saved, "--histogram", "--format", "markdown").out
        assert len(re.findall(r"^```$", out, re.MULTILINE)) == 2


class TestOnATerminal:
    def test_blocks_in_two_colours(self, saved: Path) -> None:
        out = on_a_terminal(saved, PYTHONIOENCODING="utf-8")
        assert "█" in out
        assert {"31", "34"} <= set(re.findall(r"\x1b\[([\d;]*)m", out)) <= {"0", "1", "31", "34"}
        plain = re.sub(r"\x1b\[[\d;]*m", "", out)
        assert max(cell_len(line) for line in plain.splitlines()) <= 80

    def test_one_that_knows_no_blocks(self, saved: Path) -> None:
        out = on_a_terminal(saved, PYTHONIOENCODING="latin-1")
        assert "#" in out
        assert "█" not in out

    def test_without_colours_where_they_are_not_wanted(self, saved: Path) -> None:
        assert "\x1b[31m" not in on_a_terminal(saved, PYTHONIOENCODING="utf-8", NO_COLOR="1")


class TestBars:
    """Lengths: eighths of a column in blocks, whole letters else."""

    def lines(self, *bars: Bar, blocks: bool = True) -> list[str]:
        section = Section("", bars=list(bars), bar_kinds=("a", "b"))
        return ["".join(text for text, _style in line) for line in bar_lines(section, blocks=blocks)][:-1]

    @pytest.mark.parametrize("blocks", [True, False])
    @pytest.mark.parametrize("mark", ["", "fault p50 999 ms, hit p99 999 ms, and more of it"])
    @pytest.mark.parametrize("first", [0.0, 0.01, 0.5, 1.0])
    def test_never_wider_than_80(self, blocks: bool, mark: str, first: float) -> None:
        bar = Bar("9223372036 s - 9223372037 s", "9" * 19, 1.0, first, mark)
        assert all(len(line) <= 80 for line in self.lines(bar, blocks=blocks))

    def test_twice_as_long_is_twice_as_long(self) -> None:
        half, whole = self.lines(Bar("", "", 0.5, 1.0), Bar("", "", 1.0, 1.0))
        assert abs(2 * half.count("█") - whole.count("█")) <= 2

    def test_what_is_there_can_be_seen(self) -> None:
        assert self.lines(Bar("", "", 1e-9, 1.0))[0].strip() == "▏"
        assert self.lines(Bar("", "", 0.0, 1.0))[0].strip() == ""
        assert plain_bars(Section("", bars=[Bar("", "", 1e-9, 0.5)], bar_kinds=("a", "b")))[0].split() == ["#="]
