# SPDX-License-Identifier: MIT
"""Lines of verify that are printed while its cases end, so that they are out before a machine dies."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from drmbench.render.igt import SENTINELS, STARTING, IgtLog
from drmbench.render.ktap import Ktap
from drmbench.render.lava import LavaSignals
from drmbench.render.lines import labelled
from drmbench.render.outcomes import message
from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drmbench.conformance.watcher import Planned
    from drmbench.errors import DrmbenchError
    from drmbench.model import Environment, VerifyReport, VerifyResult
    from drmbench.render.lines import LineFormat

_KMSG = "/dev/kmsg"


class LiveLines:
    """A Watcher that prints what its format says."""

    def __init__(self, lines: LineFormat) -> None:
        self._lines = lines

    def planned(self, environment: Environment, plan: Sequence[Planned], failures: Sequence[str]) -> None:
        """Before the first case."""
        if plan:
            self._print(self._lines.planned(environment, labelled(plan), failures))

    def started(self, case: Planned) -> None:
        """Before each case."""
        self._print(self._lines.started(case.case, label(case.target)))

    def ended(self, result: VerifyResult) -> None:
        """After each case."""
        self._print(self._lines.ended(result))

    def finished(self, report: VerifyReport) -> None:
        """After the last one."""
        self._print(self._lines.finished(report))

    def refused(self, error: DrmbenchError) -> None:
        """Nothing was finished."""
        self._print(self._lines.refused(error))

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            click.echo(line)


class IgtLive(LiveLines):
    """The same as an IGT test binary does it: sentinels on stderr for igt_runner, and a word in the kernel's log."""

    def __init__(self, lines: LineFormat) -> None:
        super().__init__(lines)
        self._sentinels = "IGT_SENTINEL_ON_STDERR" in os.environ

    def ended(self, result: VerifyResult) -> None:
        """Text on stderr makes igt_runner's verdict of a success "warn"."""
        if result.verdict == "known":
            click.echo(f"known: {result.case} on {label(result.target)}: {message(result)}", err=True)
        super().ended(result)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line.startswith(STARTING):
                _log_subtest(line.removeprefix(STARTING))
            click.echo(line)
            if self._sentinels and line.startswith(SENTINELS):
                click.echo(line, err=True)


def _log_subtest(name: str) -> None:
    """By this line igt_runner knows whose kernel messages those after it are; it takes the right to write there."""
    with contextlib.suppress(OSError), open(_KMSG, "wb", buffering=0) as log:
        log.write(f"<6>[IGT] {os.path.basename(sys.argv[0])}: starting subtest {name}\n".encode())


def live_lines(format_name: str, subtests: Sequence[str]) -> LiveLines | None:
    """What prints this format while cases end; None for a format that needs the whole report."""
    if format_name == "igt":
        return IgtLive(IgtLog(subtests))
    formats: dict[str, type[Ktap | LavaSignals]] = {"ktap": Ktap, "lava": LavaSignals}
    return LiveLines(formats[format_name]()) if format_name in formats else None
