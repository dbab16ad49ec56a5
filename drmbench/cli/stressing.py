# SPDX-License-Identifier: MIT
"""From the options of `drmbench stress` to stdout, the files and the exit status."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from drmbench.cli.progress import ProgressOnStderr
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.errors import DrmbenchError, UsageError
from drmbench.render import FORMATS
from drmbench.store import destination
from drmbench.stress.program import decode_replay
from drmbench.stress.steps import MOST_PAGES
from drmbench.stress.suite import StressOptions, run_stress
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from drmbench.stress.program import Replay

_DEFAULT_S = 10.0


def options_for(*, devices: tuple[str, ...], buffer: str | None, seconds: float | None, threads: int | None,
                seed: int | None, size_bytes: int, replay: str | None, save: str | None, unbind: bool) -> StressOptions:
    """Options that make sense together. Raises UsageError, DrmbenchError for a replay that cannot be read."""
    if size_bytes > MOST_PAGES * PAGE_BYTES:
        raise UsageError("stress", "--size", reason=f"more than {format_bytes(MOST_PAGES * PAGE_BYTES)} is too much")
    if unbind and (threads or 1) > 1:
        raise UsageError("stress", "--unbind", reason="the driver is taken away from one thread, not from several",
                         remedy="leave --threads out")
    if replay is None:
        chosen = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        return StressOptions(devices, buffer, size_bytes, _DEFAULT_S if seconds is None else seconds, threads or 1,
                             chosen, save_path=save, unbind=unbind)
    for option, value in (("--seed", seed), ("--threads", threads)):
        if value is not None:
            raise UsageError("stress", option, reason="the replay has its own", remedy=f"leave {option} out")
    loaded = _load(replay)
    return StressOptions(devices, buffer, loaded.buffer_pages * PAGE_BYTES, seconds or 0.0,
                         len(loaded.program.threads), loaded.seed, loaded, replay, save, unbind)


def _load(path: str) -> Replay:
    try:
        return decode_replay(Path(path).read_bytes())
    except OSError as error:
        raise DrmbenchError(path, "read", errno=error.errno) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DrmbenchError(path, "read", reason=f"this is no replay of drmbench stress: {error}") from None


def stress_and_report(options: StressOptions, json_path: str | None, format_name: str) -> int:
    """Run, print, save, and say what is missing; returns the exit status. Raises DrmbenchError."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        save = stack.enter_context(destination(options.save_path)) if options.save_path is not None else None
        click.echo(f"drmbench: stress: seed {options.seed}", err=True)
        with ProgressOnStderr() as progress:
            outcome = run_stress(options, progress, save)
        if json_path != "-":
            click.echo(FORMATS[format_name](outcome.report, False), nl=False)
        if file is not None:
            file.save(outcome.report)
    for failure in outcome.failures:
        click.echo(f"drmbench: {failure}", err=True)
    if outcome.interrupted:
        click.echo("drmbench: interrupted: what had finished is reported", err=True)
    return outcome.exit_status
