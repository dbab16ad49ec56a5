# SPDX-License-Identifier: MIT
"""Many command lines in one interpreter: what `vm matrix` has its guests do, where a start of Python takes seconds."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from drmbench import cli
from drmbench.errors import EXIT_ERROR, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a measuring command imports late; the forks share it.
_MODULES = ("pyudev", "drmbench.cli.reporting", "drmbench.runner", "drmbench.cli.fault_latency",
            "drmbench.cli.compare_populate")


def run_each(lines: Iterable[str]) -> int:
    """Run each of `lines`, "FINAL WORD...", as `drmbench WORD... --json FINAL`, in a process of its own.

    stdout goes nowhere, stderr to FINAL.err, which stays only where the command failed; the report appears
    as FINAL when it is whole. Returns the exit status: 1 where any of them failed.
    """
    for module in _MODULES:
        importlib.import_module(module)
    status = EXIT_OK
    for line in lines:
        final, *words = shlex.split(line)
        process = os.fork()
        if process == 0:
            _run_and_exit(final, words)
        _process, ended = os.waitpid(process, 0)
        if ended == 0:
            os.replace(f"{final}.new", final)
            os.unlink(f"{final}.err")
        else:
            status = EXIT_ERROR
    return status


def _run_and_exit(final: str, words: list[str]) -> None:
    status = EXIT_ERROR
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(os.devnull, "w") as sys.stdout, open(f"{final}.err", "w", encoding="utf-8") as sys.stderr:
            status = cli.run([*words, "--json", f"{final}.new"])
    finally:
        os._exit(status)
