# SPDX-License-Identifier: MIT
"""Time `drmbench fleet run` over so many simulated boards: real labgrid places, behind each a shell on this machine.

scripts/fleet-scale.py [PLACES...] (default 10 100). A simulated board prints a report that memfd gave here once, so
what is timed is drmbench's and labgrid's own: acquiring, SSH, collecting, merging. Needs `scripts/setup fleet`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "fleet")]

from lab import BIN, Lab, ssh_server  # noqa: E402 (found by the line above)

DRMBENCH = str(BIN / "drmbench")


def main(counts: list[int]) -> None:
    print(f"simulated boards on this machine ({os.cpu_count()} CPUs), 8 at a time")
    print("places   whole s  per board s  acquire ms  connect ms  run ms  report MB  peak MiB")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            print(measured(Path(folder), count), flush=True)


def measured(folder: Path, count: int) -> str:
    """One line of the table."""
    report = folder / "report.json"
    subprocess.run([DRMBENCH, "fault-latency", "--device", "memfd", "--no-baseline", "--size", "1MiB", "--runs", "2",
                    "--json", report], check=True, stdout=subprocess.DEVNULL)
    board = folder / "board"
    board.write_text(f"#!/bin/sh\ncat {report}\n")
    board.chmod(0o755)
    names = [f"simulated-{number:04}" for number in range(count)]
    with ssh_server(folder / "ssh") as (service, key), Lab(folder) as lab:
        lab.start_coordinator()
        lab.start_exporter(dict.fromkeys(names, service))
        lab.add_places({name: {} for name in names})
        begun = time.monotonic()
        subprocess.run([DRMBENCH, "fleet", "run", "--coordinator", lab.address, "--all", "--remote", board,
                        "--ssh-key", key, "--json", folder / "fleet.json", "--", "fault-latency"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        whole = time.monotonic() - begun
    boards = json.loads((folder / "fleet.json").read_text())["boards"]
    took = {name: statistics.median(each[f"{name}_ns"] for each in boards) / 1e6
            for name in ("acquire", "connect", "run")}
    size = (folder / "fleet.json").stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return (f"{count:6} {whole:9.1f} {whole / count:12.2f} {took['acquire']:11.0f} {took['connect']:11.0f} "
            f"{took['run']:7.0f} {size:10.2f} {peak:9.0f}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 100])
