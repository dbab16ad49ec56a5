# SPDX-License-Identifier: MIT
"""`drmbench fleet`: the same measurement on many boards of a labgrid lab."""

from __future__ import annotations

import click


@click.group()
def command() -> None:
    """Measure on many boards, which labgrid reserves and reaches.

    Places come from a labgrid coordinator (--coordinator, LG_COORDINATOR, else
    this machine's); each needs a NetworkService, which is reached over SSH.
    """


@command.command(name="list")
@click.option("--coordinator", metavar="HOST[:PORT]", help="The labgrid coordinator.  [default: $LG_COORDINATOR]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_places(coordinator: str | None, as_json: bool) -> None:
    """Show the places, their tags, and who has them."""
    from drmbench.cli.fleet_run import print_places  # noqa: PLC0415 (--help must stay quick)

    print_places(coordinator, as_json=as_json)


@command.command(context_settings={"allow_interspersed_args": False},
                 epilog="Example: drmbench fleet run --tag board=imx8 --remote drmbench -- fault-latency --access all")
@click.option("--coordinator", metavar="HOST[:PORT]", help="The labgrid coordinator.  [default: $LG_COORDINATOR]")
@click.option("--place", "places", multiple=True, metavar="NAME", help="Place, or glob of places; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Only places with this tag; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Every place of the lab.")
@click.option("--jobs", type=click.IntRange(1, 1000), default=8, show_default=True, help="Boards at a time.")
@click.option("--remote", default="", metavar="PROGRAM", help="drmbench is there already, under this name or path.")
@click.option("--wheelhouse", metavar="DIR",
              help="Install from these wheels, in a private environment on each board; see make wheelhouse.")
@click.option("--ssh-key", "key_file", default="", metavar="FILE", help="Private key.  [default: those of ssh]")
@click.option("--connect-timeout", "connect_s", type=click.FloatRange(1), default=30.0, show_default=True, metavar="S",
              help="Seconds until a board must answer.")
@click.option("--timeout", "limit_s", type=click.FloatRange(1), default=1800.0, show_default=True, metavar="S",
              help="Seconds that installing and running may take, each.")
@click.option("--resume", metavar="FILE", help="Take over what finished in this report of an earlier run.")
@click.option("--json", "json_path", metavar="FILE",
              help="Write the report there; - is stdout, and nothing else is printed.")
@click.option("--format", "format_name", type=click.Choice(["table", "markdown"]), default="table", show_default=True,
              help="What stdout shows.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def run(coordinator: str | None, places: tuple[str, ...], tags: tuple[str, ...], everything: bool, jobs: int,
        remote: str, wheelhouse: str | None, key_file: str, connect_s: float, limit_s: float, resume: str | None,
        json_path: str | None, format_name: str, words: tuple[str, ...]) -> int:
    """Run a measuring COMMAND on every chosen board.

    Exit status: 0 where every board finished with 0, 77 where none supports the
    command, else 1. Boards that are taken, gone or broken are reported, and the
    others finish; every place is given back. Nothing is tried twice.
    """
    from drmbench.cli.fleet_run import run_fleet  # noqa: PLC0415 (--help must stay quick)
    from drmbench.fleet.campaign import FleetOptions  # noqa: PLC0415
    from drmbench.fleet.coordinator import coordinator_address  # noqa: PLC0415
    from drmbench.fleet.wheelhouse import open_wheelhouse  # noqa: PLC0415

    if not places and not tags and not everything:
        raise click.UsageError("which boards? give --place, --tag or --all")
    if bool(remote) == bool(wheelhouse):
        raise click.UsageError("give either --remote PROGRAM or --wheelhouse DIR")
    if any("=" not in tag for tag in tags):
        raise click.UsageError("--tag takes KEY=VALUE")
    options = FleetOptions(
        command=words, coordinator=coordinator_address(coordinator), places=places, tags=tags, jobs=jobs,
        remote=remote, wheelhouse=open_wheelhouse(wheelhouse) if wheelhouse else None, key_file=key_file,
        connect_s=connect_s, limit_s=limit_s,
    )
    return run_fleet(options, json_path, format_name, resume)
