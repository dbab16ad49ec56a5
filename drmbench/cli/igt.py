# SPDX-License-Identifier: MIT
"""`drmbench-igt`: drmbench verify as a test binary of IGT, with its command line and exit statuses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from drmbench.errors import EXIT_ERROR, EXIT_OK, EXIT_UNSUPPORTED, EXIT_USAGE, DrmbenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.conformance.case import Case

EXIT_INVALID = 79
EXIT_FAILURE = 98

_STATUSES = {EXIT_OK: EXIT_OK, EXIT_UNSUPPORTED: EXIT_UNSUPPORTED, EXIT_USAGE: EXIT_INVALID, EXIT_ERROR: EXIT_FAILURE}


def igt_status(status: int) -> int:
    """Our exit status as IGT's (lib/igt_core.h): 0 success, 77 skip, 79 invalid command line, 98 failure."""
    return _STATUSES.get(status, EXIT_FAILURE)


def in_igt_terms(run: Callable[[], int]) -> int:
    """The exit status of `run` as IGT's, also where it raises what the user, the kernel or a file can cause."""
    try:
        return igt_status(run())
    except DrmbenchError as error:
        click.echo(f"drmbench: {error}", err=True)
        return igt_status(error.exit_code)
    except KeyboardInterrupt:
        click.echo("drmbench: interrupted: nothing was finished", err=True)
        return EXIT_FAILURE


def chosen_cases(cases: Sequence[Case], pattern: str) -> tuple[str, ...]:
    """The names of those that --run-subtest means. Raises UsageError where there is none."""
    from drmbench.render.igt import matches, subtest_name  # noqa: PLC0415 (drmbench-igt --help must stay quick)

    chosen = tuple(case.name for case in cases if matches(pattern, subtest_name(case.name)))
    if not chosen:
        raise UsageError(pattern, "--run-subtest", reason="unknown subtest",
                         remedy="drmbench verify --list-subtests shows them")
    return chosen


def main() -> None:
    """Entry point of the `drmbench-igt` program."""
    from drmbench import cli  # noqa: PLC0415 (the package imports this module's neighbours)

    sys.argv[1:1] = ["verify", "--format", "igt"]
    try:
        cli.main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else EXIT_ERROR
        known = {EXIT_OK, EXIT_UNSUPPORTED, EXIT_INVALID, EXIT_FAILURE}
        sys.exit(status if status in known else igt_status(status))
