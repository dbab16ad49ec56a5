# SPDX-License-Identifier: MIT
"""The most memory that drmbench had resident, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

# VmHWM, not ru_maxrss: that one is inherited, so that it tells of the test's own process.
_PROGRAM = """
import re, sys
from drmbench import cli, measuring_lock
measuring_lock._NAME = "\\0drmbench-test-peak"
for line in sys.argv[1:]:
    assert cli.run(line.split()) == 0, line
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak_mib(*command_lines: str) -> float:
    """MiB, mappings included, of a process that runs the command lines one after the other."""
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, *command_lines], check=True, stdout=subprocess.PIPE,
                           text=True, timeout=300)
    return int(ended.stdout.split()[-1]) / 1024
