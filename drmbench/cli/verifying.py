# SPDX-License-Identifier: MIT
"""From what was asked of verify to its run and the exit status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from drmbench.cli.igt import chosen_cases, in_igt_terms
from drmbench.cli.progress import ProgressOnStderr
from drmbench.cli.verify_output import VerifyOutput
from drmbench.conformance.cases import CASES
from drmbench.conformance.selection import select
from drmbench.conformance.suite import VerifyOptions, run_verify
from drmbench.errors import EXIT_OK, DrmbenchError, UsageError
from drmbench.render.cases import CaseLine, cases_document
from drmbench.render.igt import matches, subtest_name
from drmbench.render.outcomes import slug
from drmbench.render.table import render_table
from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.cli.verify_output import Places
    from drmbench.model import TargetInfo


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run: options of the command line, as typed."""

    devices: tuple[str, ...]
    buffer: str | None
    size_bytes: int
    globs: tuple[str, ...]
    run_subtest: str | None = None
    dynamic_subtest: str | None = None

    def options(self, *, by_case: bool) -> VerifyOptions:
        """The same for the suite. Raises UsageError."""
        globs = self.globs if self.run_subtest is None else chosen_cases(select(CASES, self.globs), self.run_subtest)
        return VerifyOptions(self.devices, self.buffer, self.size_bytes, globs, by_case, self._wants)

    def _wants(self, target: TargetInfo) -> bool:
        return self.dynamic_subtest is None or matches(self.dynamic_subtest, slug(label(target)))


def list_cases(globs: Sequence[str], *, subtests: bool) -> int:
    """Print the cases that match, or their names as IGT subtests. Raises UsageError where a glob matches none."""
    cases = select(CASES, globs)
    if subtests:
        click.echo("".join(f"{subtest_name(case.name)}\n" for case in cases), nl=False)
    else:
        lines = [CaseLine(c.name, c.rule, c.source, tuple(need.name for need in c.needs)) for c in cases]
        click.echo(render_table(cases_document(lines)), nl=False)
    return EXIT_OK


def verify_and_report(asked: Asked, places: Places) -> int:
    """Run, print, save, and say what is missing; returns the exit status. Raises DrmbenchError, but not for IGT."""
    if places.format_name == "igt":
        return in_igt_terms(lambda: _verify(asked.options(by_case=True), places))
    return _verify(asked.options(by_case=False), places)


def _verify(options: VerifyOptions, places: Places) -> int:
    subtests = [subtest_name(case.name) for case in select(CASES, options.globs)]
    with VerifyOutput(places, subtests) as output:
        try:
            # igt_runner takes a word on stderr for a warning.
            with ProgressOnStderr(silent=places.format_name == "igt") as progress:
                outcome = run_verify(options, CASES, progress, output.live)
        except UsageError:
            raise
        except DrmbenchError as error:
            output.refused(error)
            raise
        except KeyboardInterrupt:
            output.refused(DrmbenchError("verify", "run", reason="interrupted: nothing was finished"))
            raise
        output.finished(outcome.report)
    for failure in outcome.failures:
        click.echo(f"drmbench: {failure}", err=True)
    if outcome.interrupted:
        click.echo("drmbench: interrupted: what had finished is reported", err=True)
    return outcome.exit_status
