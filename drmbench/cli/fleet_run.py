# SPDX-License-Identifier: MIT
"""What `drmbench fleet` does with its options: progress on stderr, one report at the end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING

import click
from msgspec import structs

from drmbench.environment import describe_environment
from drmbench.errors import EXIT_ERROR, EXIT_OK, EXIT_UNSUPPORTED, UsageError, one_line
from drmbench.fleet.campaign import Campaign, FleetOptions
from drmbench.fleet.coordinator import connected, coordinator_address
from drmbench.fleet.spool import earlier_boards, pieces, spool_beside
from drmbench.fleet.summary import Summary, differences
from drmbench.model import SCHEMA_VERSION, FleetParameters, FleetReport
from drmbench.render import FORMATS
from drmbench.render.places import places_document
from drmbench.render.table import render_table
from drmbench.store import destination, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.fleet.coordinator import PlaceInfo

MEASURING = ("fault-latency", "compare-populate", "explain", "verify", "stress", "scale", "bandwidth", "lifecycle")
_OURS = ("--json", "--format", "--html", "--svg", "--plot", "--save-baseline")


def print_places(coordinator: str | None, *, as_json: bool) -> None:
    """The places of a coordinator. Raises DrmbenchError."""
    found = asyncio.run(_places(coordinator_address(coordinator)))
    if as_json:
        rows = [{"place": p.name, "tags": p.tags, "holder": p.holder, "comment": p.comment, "services": p.services}
                for p in found]
        click.echo(encode({"schema_version": SCHEMA_VERSION, "places": rows}).decode(), nl=False)
    else:
        click.echo(render_table(places_document(found)), nl=False)


async def _places(address: str) -> list[PlaceInfo]:
    async with connected(address) as coordinator:
        return coordinator.places()


def run_fleet(options: FleetOptions, json_path: str | None, format_name: str, resume: str | None) -> int:
    """Measure, print, save; returns the exit status. Raises DrmbenchError."""
    _check(options.command)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(destination(json_path)) if json_path is not None else None
        spool = stack.enter_context(spool_beside(json_path))
        if resume is not None:
            for board in earlier_boards(resume):
                if board.state == "finished":
                    spool.add(board)
        campaign = Campaign(options, spool, _speaker())
        campaign.run()
        report, status = _summed_up(campaign)
        if json_path != "-":
            click.echo(FORMATS[format_name](structs.replace(report, boards=list(spool.boards())), False), nl=False)
        if file is not None:
            file.save_pieces(pieces(report, spool.boards()))
    if campaign.interrupted:
        click.echo("drmbench: interrupted: what had finished is reported, and every place is given back", err=True)
        return EXIT_ERROR
    return status


def _check(words: tuple[str, ...]) -> None:
    if not words or words[0] not in MEASURING:
        raise UsageError("fleet", f"command {words[0]}" if words else "command",
                         reason="is none that measures" if words else "is missing",
                         remedy=f"write one of {', '.join(MEASURING)} after --")
    for word in words:
        if word.partition("=")[0] in _OURS:
            raise UsageError("fleet", word, reason="is for the fleet's own report", remedy="write it before the --")


def _speaker() -> Callable[[str, str], None]:
    begun = time.monotonic()

    def say(place: str, text: str) -> None:
        who = f"{one_line(place)}: " if place else ""
        with contextlib.suppress(OSError):
            sys.stderr.write(f"drmbench: fleet: {time.monotonic() - begun:6.1f} s  {who}{one_line(text)}\n")
            sys.stderr.flush()

    return say


def _summed_up(campaign: Campaign) -> tuple[FleetReport, int]:
    """The report without its boards, which are read one by one, and the exit status that follows from them."""
    summary = Summary()
    states = []
    for board in campaign.spool.boards():
        summary.add(board)
        states.append((board.state, board.exit_status))
    groups = summary.groups()
    options = campaign.options
    parameters = FleetParameters(list(options.command), list(options.places), list(options.tags), options.jobs,
                                 options.remote)
    return FleetReport(
        SCHEMA_VERSION, describe_environment(None), parameters, [], groups, differences(groups), list(campaign.notes),
    ), _status(states)


def _status(states: Sequence[tuple[str, int | None]]) -> int:
    if all(state == "unsupported" for state, _status in states):
        return EXIT_UNSUPPORTED
    return EXIT_OK if all(each == ("finished", 0) for each in states) else EXIT_ERROR
