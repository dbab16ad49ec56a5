# SPDX-License-Identifier: MIT
"""A lab of a thousand boards: what merging their reports takes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class TestMerge:
    def test_a_thousand_reports_are_merged_in_little_memory(self, tmp_path: Path) -> None:
        """The peak of a process that merges 1000 boards of the size a report has, all counted in."""
        program = """
import sys, resource
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from made_up_fleet import board, fleet
from made_up_runs import result
from msgspec import structs
from drmbench.fleet.spool import Spool, pieces
from drmbench.fleet.summary import Summary
from drmbench.model import HistogramBin
from drmbench.store import destination
folder = Path(sys.argv[1])
(folder / "spool").mkdir()
spool = Spool(folder / "spool")
bins = [HistogramBin(n, n + 1, n) for n in range(100)]
for number in range(1000):
    runs = [1000.0 + number % 7] * 3
    results = [result(runs, driver=name, access=access, histogram=bins)
               for name in ("vkms", "vgem", "memfd", "anon") for access in ("write", "read")]
    spool.add(board(f"place-{number:04}", *results))
summary = Summary()
for each in spool.boards():
    summary.add(each)
empty = structs.replace(fleet([]), boards=[], groups=summary.groups())
with destination(str(folder / "fleet.json")) as file:
    file.save_pieces(pieces(empty, spool.boards()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        ran = subprocess.run([sys.executable, "-c", program, tmp_path, *sys.path], capture_output=True, text=True,
                             check=True, timeout=300)
        assert (tmp_path / "fleet.json").stat().st_size > 30e6
        assert int(ran.stdout) < 200_000
